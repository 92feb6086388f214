package gemini

import (
	"fmt"
	"strconv"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// fill writes what was read of the response into c.
func (r *Reader) fill(c *llm.Call, x *llm.Exchange) {
	a := &r.answer
	if r.streamed() {
		c.FirstToken = a.rhythm.First()
		c.Chunks = a.rhythm.Chunks()
	}
	if a.unreadable > 0 && r.endpoint != other {
		c.Problems = append(c.Problems, fmt.Sprintf("response stream: %d of %d events are not JSON objects", a.unreadable, a.events))
	}
	body, _, _ := r.body.Whole()
	c.ErrorType, c.ErrorMessage = apierror.Settle(x.Status, a.err, body)
	a.tell(c)
	switch r.endpoint {
	case count:
		if a.count >= 0 {
			c.SetAttr("gemini.count_tokens.total_tokens", a.count)
		}
		return
	case embed, predict:
		r.fillVectors(c)
	case interact, fetch:
		a.fillInteraction(c, r.streamed() && !r.ended() || r.broken)
	case generate, stream:
		a.fillOutput(c, r.vertex, r.streamed() || r.broken)
	}
	if r.endpoint == other {
		if u, ok := readUsage(a.usage); !ok || u.Source == "" {
			return // of something stored, not of a call
		}
	}
	a.fillUsage(c, r.streamed() && !r.ended())
	if c.Usage.Tier == "" && c.Usage.Known() {
		c.Usage.Tier = tierOf(x.ResponseHeader.Get("x-gemini-service-tier"))
	}
	if r.endpoint == interact || r.endpoint == fetch {
		a.once(c, r.endpoint == fetch)
	}
}

// once sees to it that what an interaction used is billed once: the answer to the
// request tells it, or, where it went on in the background, those to later ones do,
// again and again. What it used so far is told once more at its end.
func (a *answer) once(c *llm.Call, again bool) {
	done := settled(jsonwalk.Unescape(a.status))
	background := false
	for _, at := range c.Attrs {
		background = background || at.Key == "gemini.request.background" && at.Value == true
	}
	switch {
	case c.Usage.Known() && c.Usage.Source == llm.UsageReported && (done || !again && !background):
		c.UsageOf = c.ResponseID
	case again || background || !done && a.err == nil && len(a.candidates) == 0:
		c.Usage = llm.Usage{Source: llm.UsageMissing} // nothing is to be guessed
	}
}

// tell sets what the answer says of itself.
func (a *answer) tell(c *llm.Call) {
	if a.room.Lost > 0 {
		c.Problems = append(c.Problems, fmt.Sprintf("response: %d bytes of content past the first %d were not kept", a.room.Lost, intake.MaxText))
	}
	if a.more {
		c.Problems = append(c.Problems, fmt.Sprintf("response: only the first %d candidates and %d parts were read", maxCandidates, maxParts))
	}
	c.ResponseID = jsonwalk.Unescape(a.id)
	if m := jsonwalk.Unescape(a.model); m != "" {
		c.ResponseModel = m
	}
	setText(c, "gemini.response.status", a.status)
	setText(c, "gemini.response.service_tier", a.tier)
	setText(c, "gemini.response.block_reason", a.block)
	setText(c, "gemini.response.block_reason_message", a.blockMessage)
	for _, cand := range a.candidates {
		setText(c, "gemini.response.finish_message", cand.finishMessage)
	}
}

func setText(c *llm.Call, key string, raw []byte) {
	if len(raw) > 0 {
		c.SetAttr(key, apierror.Scrub(jsonwalk.Unescape(raw)))
	}
}

// fillUsage sets usage and tier.
func (a *answer) fillUsage(c *llm.Call, partial bool) {
	u, ok := readUsage(a.usage)
	if ok {
		c.Usage = u
		// Running totals of a stream that broke off are what had been used by then.
		if partial {
			c.Usage.Source = llm.UsagePartial
		}
	}
	c.UsageRaw = string(a.usage)
	if t := readReport(a.usage).traffic; t != "" {
		c.SetAttr("gemini.response.traffic_type", jsonwalk.Clip(t, 64))
	}
	if t := tierOf(jsonwalk.Unescape(a.tier)); t != "" {
		c.Usage.Tier = t
	} else if c.Usage.Tier == "" {
		c.Usage.Tier = u.Tier
	}
	if _, told := c.Usage.Get(llm.WebSearches); !told {
		if n, ok := a.webSearches(c.Model()); ok {
			c.Usage.Set(llm.WebSearches, n)
		}
	}
}

// fillVectors sets what an answer with embeddings, or with images, tells.
func (r *Reader) fillVectors(c *llm.Call) {
	a := &r.answer
	if a.embeddings > 0 {
		c.SetAttr("spanwire.embeddings.count", int64(a.embeddings))
		if a.dimensions > 0 {
			c.SetAttr("gen_ai.embeddings.dimension.count", int64(a.dimensions))
		}
	}
	if r.endpoint != predict {
		return
	}
	switch {
	case a.embeddings > 0:
		c.Kind, c.Operation = llm.KindLLM, "embeddings"
	case a.images > 0:
		c.Kind, c.Operation = llm.KindLLM, "image_generation"
		c.Usage.Set(llm.Images, int64(a.images))
		c.Usage.Source = llm.UsageReported
	}
	if a.tokens >= 0 {
		c.Usage.Set(llm.UncachedInput, a.tokens)
		c.Usage.Source = llm.UsageReported
	}
	if a.characters >= 0 {
		c.Usage.Set(llm.Characters, a.characters)
		c.Usage.Source = llm.UsageReported
	}
}

// fillOutput sets messages and finish reasons, one a candidate. cuttable says that
// a candidate without a finish reason did not come to its end.
func (a *answer) fillOutput(c *llm.Call, vertex, cuttable bool) {
	told := false
	for _, cand := range a.candidates {
		finish := jsonwalk.Unescape(cand.finish)
		if finish == "" && cuttable {
			finish = "error" // it never finished
		}
		told = told || finish != ""
		c.FinishReasons = append(c.FinishReasons, finish)
		c.Output = append(c.Output, cand.message(finishName(finish, vertex)))
	}
	if len(a.candidates) == 0 && len(a.block) > 0 {
		c.FinishReasons = []string{jsonwalk.Unescape(a.block)}
		c.Output = []llm.Message{{Role: "assistant", FinishReason: "content_filter"}}
		return
	}
	if !told {
		c.FinishReasons = nil
	}
}

// statusNames maps the statuses of interactions to finish reasons.
var statusNames = map[string]string{
	"completed": "stop", "requires_action": "tool_call", "incomplete": "length", "budget_exceeded": "length", "failed": "error", "cancelled": "error",
}

// fillInteraction sets the message of an interaction. It has no finish reason, and
// none is made up: its status says how it ended.
func (a *answer) fillInteraction(c *llm.Call, cut bool) {
	finish := jsonwalk.Unescape(a.status)
	if !settled(finish) {
		finish = ""
	}
	if n, ok := statusNames[finish]; ok {
		finish = n
	} else if finish == "" && cut {
		finish = "error"
	}
	for _, cand := range a.candidates {
		c.Output = append(c.Output, cand.message(finish))
	}
}

// finishNames maps finish reasons to the normal ones.
var finishNames = map[string]string{
	"STOP": "stop", "MAX_TOKENS": "length",
	"SAFETY": "content_filter", "RECITATION": "content_filter", "BLOCKLIST": "content_filter", "PROHIBITED_CONTENT": "content_filter",
	"SPII": "content_filter", "MODEL_ARMOR": "content_filter", "IMAGE_SAFETY": "content_filter",
	"IMAGE_PROHIBITED_CONTENT": "content_filter", "IMAGE_RECITATION": "content_filter",
	"MALFORMED_FUNCTION_CALL": "error", "UNEXPECTED_TOOL_CALL": "error", "TOO_MANY_TOOL_CALLS": "error", "MISSING_THOUGHT_SIGNATURE": "error",
	"LANGUAGE": "error", "OTHER": "error", "IMAGE_OTHER": "error", "NO_IMAGE": "error",
}

// finishNumbers are the reasons by their numbers, which some clients ask for. From
// 6 on the two APIs count differently.
var (
	finishNumbers = []string{"", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER",
		"LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY"}
	vertexNumbers = []string{"", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER",
		"BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "MODEL_ARMOR", "IMAGE_SAFETY"}
)

func finishName(raw string, vertex bool) string {
	numbers := finishNumbers
	if vertex {
		numbers = vertexNumbers
	}
	if i, err := strconv.Atoi(raw); err == nil && i > 0 && i < len(numbers) {
		raw = numbers[i]
	}
	if n, ok := finishNames[raw]; ok {
		return n
	}
	return raw
}

func (cand *candidate) message(finish string) llm.Message {
	m := llm.Message{Role: roleOf(jsonwalk.Unescape(cand.role)), FinishReason: finish}
	if len(cand.role) == 0 {
		m.Role = "assistant"
	}
	for _, p := range cand.pieces {
		m.Parts = append(m.Parts, p.made())
	}
	return m
}

// made returns the part that a piece has become.
func (p *piece) made() llm.Part {
	part := p.part
	switch part.Type {
	case llm.PartText, llm.PartReasoning:
		if part.Content == "" {
			part.Content = jsonwalk.Unescape(p.text.Raw)
		}
	case llm.PartToolCall:
		p.arguments(&part)
	default:
		return part
	}
	if p.text.Seen > len(p.text.Raw) {
		part.Size = int64(p.text.Seen)
	}
	return part
}

// arguments sets the arguments of a call: as an object that came whole, pieces of a
// text, or values by their paths.
func (p *piece) arguments(part *llm.Part) {
	switch {
	case part.Arguments != "": // an interaction's, which came whole
	case part.Content == partialText:
		part.Arguments, part.Content = jsonwalk.Unescape(p.text.Raw), ""
	case p.args != nil:
		part.Arguments = p.args.json(p.open)
	case len(p.text.Raw) > 0:
		part.Arguments = compact(p.text.Raw)
	case !p.open:
		part.Arguments = "{}"
	}
}
