package openai

import (
	"slices"
	"strings"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/toldcost"
	"github.com/spanwire/spanwire/llm"
)

// fill writes what was read into c.
func (r *result) fill(c *llm.Call, x *llm.Exchange) {
	c.ResponseID, c.ResponseModel = jsonwalk.Unescape(r.id), jsonwalk.Unescape(r.model)
	if c.ResponseModel == "" {
		c.ResponseModel = x.ResponseHeader.Get("x-ms-served-model")
	}
	setText(c, "openai.response.service_tier", r.tier)
	setText(c, "openai.response.status", r.status)
	setText(c, "openai.response.quality", r.quality)
	setText(c, "openai.response.size", r.size)
	if r.err != nil {
		c.ErrorType, c.ErrorMessage = r.err.Code, apierror.Scrub(r.err.Message)
	}
	r.fillUsage(c, x)
	switch r.kind {
	case images:
		r.say(c, r.media)
	case transcription, ocr:
		r.say(c, r.said())
	case run, runTold:
		r.fillRun(c)
	case moderation:
		if r.results > 0 {
			c.SetAttr("openai.moderation.flagged", r.flagged > 0)
		}
		if len(r.categories) > 0 {
			c.SetAttr("openai.moderation.categories", r.categories)
		}
	}
}

// said is the text that was heard or read: as it was streamed, else as it was told
// at the end.
func (r *result) said() []llm.Part {
	text := r.words
	for _, t := range []string{string(r.deltas.Raw), string(r.segments.Raw), string(r.whole.Raw)} {
		if text == "" && t != "" {
			text = jsonwalk.Unescape([]byte(t))
		}
	}
	if text == "" {
		return nil
	}
	return []llm.Part{{Type: llm.PartText, Content: text}}
}

// say sets the one message of an answer.
func (r *result) say(c *llm.Call, parts []llm.Part) {
	if len(parts) == 0 {
		return
	}
	finish := "stop"
	if r.err != nil || c.Ended != "" && c.Ended != llm.EndComplete && !r.ended {
		finish = "error"
	}
	c.Output = []llm.Message{{Role: "assistant", Parts: parts, FinishReason: finish}}
}

// fillRun sets the messages of a run and why it ended.
func (r *result) fillRun(c *llm.Call) {
	var parts []llm.Part
	for _, m := range r.messages {
		if s := jsonwalk.Unescape(m.text.Raw); s != "" {
			parts = append(parts, llm.Part{Type: llm.PartText, Content: s})
		}
	}
	parts = append(parts, r.calls...)
	normal := ""
	switch string(r.status) {
	case "completed":
		normal = "stop"
	case "requires_action":
		normal = "tool_call"
	case "incomplete":
		if normal = finishName(jsonwalk.Unescape(r.reason)); normal == "max_completion_tokens" || normal == "max_prompt_tokens" {
			normal = "length"
		}
	case "failed", "expired":
		normal = "error"
	case "cancelled":
		normal = "cancelled"
	default:
		if len(r.messages) > 0 {
			normal = "error" // it never finished
		}
	}
	if len(parts) > 0 {
		c.Output = []llm.Message{{Role: "assistant", Parts: parts, FinishReason: normal}}
	}
}

// fillUsage sets what was used, in the units that the endpoint is billed in.
func (r *result) fillUsage(c *llm.Call, x *llm.Exchange) {
	c.UsageRaw = string(r.usage)
	u, ok := readUsage(r.usage)
	if !ok && r.steps.Known() {
		u, ok = r.steps, true
		u.Source = llm.UsagePartial
	}
	if !ok {
		u = llm.Usage{Source: llm.UsageReported}
	}
	if cost, told := toldcost.Of(r.usage, x.ResponseHeader); told {
		c.Cost = cost
	}
	if x.Status < 400 && r.err == nil {
		r.setUnits(c, &u)
	}
	if u.Tier = jsonwalk.Unescape(r.tier); u.Tier == "" {
		u.Tier = jsonwalk.Str(jsonwalk.Member(r.usage, "service_tier"))
	}
	if u.Known() {
		c.Usage = u
	}
	r.once(c)
}

// setUnits sets what is not counted in tokens.
func (r *result) setUnits(c *llm.Call, u *llm.Usage) {
	switch r.kind {
	case images:
		asImages(u)
		if len(r.media) > 0 {
			u.Set(llm.Images, int64(len(r.media)))
			u.ImageForm = imageForm(c, r.quality, r.size)
		}
	case speech:
		if n := spoken(c); n > 0 && !u.Known() {
			u.Set(llm.Characters, n)
			u.Source = llm.UsageExact
		}
	case transcription:
		if s := seconds(jsonwalk.Member(r.usage, "seconds")); s > 0 {
			u.Set(llm.AudioInMillis, millis(s))
		} else if r.seconds > 0 && !u.Known() {
			u.Set(llm.AudioInMillis, millis(r.seconds))
		}
	case ocr:
		kind := llm.Pages
		if slices.ContainsFunc(c.Attrs, func(a llm.Attr) bool { return a.Key == keyAnnotated }) {
			kind = llm.AnnotatedPages
		}
		if r.processed >= 0 {
			u.Set(kind, r.processed)
		} else if r.pages > 0 {
			u.Set(kind, int64(r.pages))
		}
	}
}

// imageForm says what images were made, for tables that sell them apiece: as it was
// answered, else as it was asked for.
func imageForm(c *llm.Call, quality, size []byte) string {
	const none = "default"
	pick := func(told []byte, key string) string {
		word := jsonwalk.WordOf(told)
		for _, a := range c.Attrs {
			if s, ok := a.Value.(string); ok && word == "" && a.Key == key {
				word = s
			}
		}
		if word = strings.ToLower(word); word == "" || word == "auto" {
			return none
		}
		return word
	}
	form := pick(quality, "openai.request.quality") + "/" + pick(size, "openai.request.size")
	if form == none+"/"+none {
		return ""
	}
	return form
}

// once sees to it that a usage that is told again and again is billed once: that of
// a batch and of a run, as they are asked for until they are done.
func (r *result) once(c *llm.Call) {
	switch r.kind {
	case batch:
		in, _ := c.Usage.Input()
		out, _ := c.Usage.Output()
		switch string(r.status) {
		case "completed", "expired", "cancelled", "failed":
			if in+out > 0 {
				c.Kind, c.Operation = llm.KindLLM, "batch"
				c.Usage.Batch = true
				c.UsageOf = c.ResponseID
			}
		default:
			if in+out > 0 { // so far: it is told again at the end
				c.Usage = llm.Usage{}
			}
		}
	case run, runTold:
		if c.Usage.Known() {
			c.UsageOf = c.ResponseID
		}
	}
}

// sound says what was spoken.
func (r *result) sound(c *llm.Call, x *llm.Exchange, media string) {
	p := llm.Part{Type: llm.PartBlob, Modality: "audio", MIMEType: jsonwalk.Clip(media, 128), Size: x.Response.Size}
	if media == "application/json" {
		p.MIMEType = ""
	}
	if p.Size > 0 {
		r.say(c, []llm.Part{p})
	}
}
