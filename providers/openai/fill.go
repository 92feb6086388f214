package openai

import (
	"bytes"
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/llm"
)

// fill writes what was read of the response into c.
func (r *Reader) fill(c *llm.Call, x *llm.Exchange) {
	a := &r.answer
	if a.lost > 0 {
		c.Problems = append(c.Problems, fmt.Sprintf("response: %d bytes of text past the first %d were not kept", a.lost, maxText))
	}
	if a.more {
		c.Problems = append(c.Problems, fmt.Sprintf("response: only the first %d choices and %d tool calls were read", maxChoices, maxCalls))
	}
	if a.unreadable > 0 && r.endpoint != other {
		c.Problems = append(c.Problems, fmt.Sprintf("response stream: %d of %d events are not JSON objects", a.unreadable, a.events))
	}
	c.ResponseID = unescape(a.id)
	if c.ResponseModel = unescape(a.model); c.ResponseModel == "" {
		c.ResponseModel = x.ResponseHeader.Get("x-ms-served-model")
	}
	setText(c, "openai.response.service_tier", a.tier)
	setText(c, "openai.response.system_fingerprint", a.fingerprint)
	if r.form == events {
		c.FirstToken = a.rhythm.first
		c.Chunks = a.rhythm.chunks()
	}
	r.fillUsage(c, x)
	c.ErrorType, c.ErrorMessage = r.errorFor(x.Status)
	switch r.endpoint {
	case embeddings:
		r.fillEmbeddings(c)
	case chat, completions:
		r.fillOutput(c)
	}
}

func setText(c *llm.Call, key string, raw []byte) {
	if len(raw) > 0 {
		c.SetAttr(key, unescape(raw))
	}
}

// fillUsage sets usage, tier and cost.
func (r *Reader) fillUsage(c *llm.Call, x *llm.Exchange) {
	a := &r.answer
	raw := a.usage
	if len(raw) == 0 {
		raw = a.fallback
	}
	if u, ok := readUsage(raw); ok {
		c.Usage = u
		// Running totals of a stream that broke off are what had been used by then.
		if r.form == events && r.endpoint != other && !r.ended() {
			c.Usage.Source = llm.UsagePartial
		}
	}
	c.UsageRaw = string(raw)
	if c.Usage.Tier = unescape(a.tier); c.Usage.Tier == "" && len(raw) > 0 {
		c.Usage.Tier = str(member(raw, "service_tier")) // Mistral
	}
	if total, ok := readCost(raw, x.ResponseHeader); ok {
		c.Cost = llm.Cost{Total: total, Source: llm.CostProvider, Status: llm.CostOK}
	}
	if !bytes.Contains(raw, []byte("time")) {
		return
	}
	for _, t := range usageTimes {
		if v := gjson.GetBytes(raw, t.path); v.Type == gjson.Number && v.Num >= 0 {
			c.SetAttr(t.key, v.Num*t.unit)
		}
	}
}

// usageTimes are the timings that some vendors tell in their usage.
var usageTimes = []struct {
	path, key string
	unit      float64 // seconds
}{
	{"queue_time", "spanwire.vendor.queue_time", 1},
	{"total_time", "spanwire.vendor.processing_time", 1},
	{"time_to_first_token_ms", "spanwire.vendor.time_to_first_token", 1e-3},
}

func (r *Reader) fillEmbeddings(c *llm.Call) {
	s := &r.frame
	if s.vectors == 0 {
		return
	}
	c.SetAttr("spanwire.embeddings.count", int64(s.vectors))
	// Base64 is of floats unless another form was asked for.
	if s.dimensions > 0 && (!s.text || asked(c, "gen_ai.request.encoding_formats") == "base64") {
		c.SetAttr("gen_ai.embeddings.dimension.count", int64(s.dimensions))
	}
}

func asked(c *llm.Call, key string) string {
	for _, at := range c.Attrs {
		if v, ok := at.Value.([]string); ok && at.Key == key && len(v) == 1 {
			return v[0]
		}
	}
	return ""
}

// fillOutput sets messages and finish reasons, one a choice.
func (r *Reader) fillOutput(c *llm.Call) {
	a := &r.answer
	told := false
	for _, ch := range a.choices {
		finish := unescape(ch.finish)
		if finish == "" && r.cut() {
			finish = "error" // it never finished
		}
		told = told || finish != ""
		c.FinishReasons = append(c.FinishReasons, finish)
		c.Output = append(c.Output, ch.message(finish))
	}
	if !told {
		c.FinishReasons = nil
	}
}

// cut says that a choice without a finish reason did not come to its end.
func (r *Reader) cut() bool {
	a := &r.answer
	if r.form == events {
		return !a.bare && (!a.done || a.err != nil)
	}
	return r.broken
}

// finishNames maps OpenAI's finish reasons, and those of its copies, to the
// normal ones.
var finishNames = map[string]string{
	"tool_calls": "tool_call", "function_call": "tool_call",
	"eos": "stop", "": "stop", "end_turn": "stop", "stop_sequence": "stop",
	"max_tokens": "length", "model_length": "length",
	"abort": "error",
}

func finishName(raw string) string {
	if n, ok := finishNames[raw]; ok {
		return n
	}
	return raw
}

func (ch *choice) message(finish string) llm.Message {
	m := llm.Message{Role: unescape(ch.role), FinishReason: finishName(finish)}
	if m.Role == "" {
		m.Role = "assistant"
	}
	add := func(kind string, raw []byte, n int) {
		if n == 0 {
			return
		}
		p := llm.Part{Type: kind, Content: unescape(raw)}
		if n > len(raw) {
			p.Size = int64(n)
		}
		m.Parts = append(m.Parts, p)
	}
	add(llm.PartReasoning, ch.reasoning, ch.reasoningN)
	add(llm.PartText, ch.text, ch.textN)
	add(llm.PartText, ch.voice, ch.voiceN)
	add(llm.PartRefusal, ch.refusal, ch.refusalN)
	for _, t := range ch.calls {
		m.Parts = append(m.Parts, t.part())
	}
	if ch.function != nil {
		m.Parts = append(m.Parts, ch.function.part())
	}
	return m
}

func (t *toolCall) part() llm.Part {
	p := llm.Part{Type: llm.PartToolCall, ID: unescape(t.id), Name: unescape(t.name), Arguments: unescape(t.args)}
	if len(t.object) > 0 {
		p.Arguments = compactJSON(t.object)
	}
	if t.argsN > len(t.args) {
		p.Size = int64(t.argsN)
	}
	return p
}
