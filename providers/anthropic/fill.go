package anthropic

import (
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/internal/toldcost"
	"github.com/spanwire/spanwire/llm"
)

// fill writes what was read of the response into c.
func (r *Reader) fill(c *llm.Call, x *llm.Exchange) {
	a := &r.answer
	c.ErrorType, c.ErrorMessage = apierror.Settle(x.Status, a.err, r.document())
	setText(c, "anthropic.response.request_id", a.requestID)
	setText(c, "anthropic.response.error_code", a.errorCode)
	switch r.place.endpoint {
	case messages, completions:
		r.fillMessage(c, x)
	case countTokens:
		// What a prompt would cost is no usage: nothing was used (section 7.4).
		if n, ok := params.Count(jsonwalk.Member(r.document(), "input_tokens")); ok {
			c.SetAttr("anthropic.count_tokens.input_tokens", n)
		}
	case batch:
		r.fillBatch(c)
	case batchResults:
		c.ResponseID = r.place.batch
		r.results.fill(c, x)
	}
}

func (r *Reader) document() []byte {
	data, _, _ := r.body.Whole()
	return data
}

func setText(c *llm.Call, key string, raw []byte) {
	if len(raw) > 0 {
		c.SetAttr(key, jsonwalk.Unescape(raw))
	}
}

// setJSON carries a text over, or an object as it is.
func setJSON(c *llm.Call, key string, val []byte) {
	if len(val) == 0 {
		return
	}
	if s := jsonwalk.Str(val); s != "" {
		c.SetAttr(key, s)
		return
	}
	c.SetAttr(key, content.Compact(val))
}

func (r *Reader) fillMessage(c *llm.Call, x *llm.Exchange) {
	a := &r.answer
	c.ResponseID = jsonwalk.Unescape(a.id)
	c.ResponseModel = jsonwalk.Unescape(a.model)
	if a.legacy {
		c.Operation = operations[completions]
	}
	setText(c, "anthropic.response.stop_sequence", a.sequence)
	setJSON(c, "anthropic.response.stop_details", a.details)
	setJSON(c, "anthropic.response.context_management", a.context)
	if id := jsonwalk.Member(a.container, "id"); id != nil {
		setJSON(c, "anthropic.response.container", id)
	} else {
		setJSON(c, "anthropic.response.container", a.container)
	}
	if r.streamed() {
		c.FirstToken, c.Chunks = a.rhythm.First(), a.rhythm.Chunks()
	}
	r.fillOutput(c)
	r.fillUsage(c, x)
}

// fillOutput sets the message and its finish reason.
func (r *Reader) fillOutput(c *llm.Call) {
	a := &r.answer
	if len(a.blocks) == 0 && len(a.id) == 0 && len(a.finish) == 0 {
		return
	}
	finish := jsonwalk.Unescape(a.finish)
	if finish == "" && r.cut() {
		finish = "error" // it never finished
	}
	msg := llm.Message{Role: jsonwalk.Unescape(a.role), FinishReason: finishName(finish)}
	if msg.Role == "" {
		msg.Role = "assistant"
	}
	cites := 0
	for _, b := range a.blocks {
		from := len(msg.Parts)
		msg.Parts = b.appendTo(msg.Parts, a.ended() || b.stopped || !r.streamed())
		for _, p := range msg.Parts[from:] {
			switch p.Type {
			case partCitation:
				cites++
			case partCompaction:
				c.SetAttr("gen_ai.conversation.compacted", true)
			}
		}
	}
	if cites > 0 {
		c.SetAttr("anthropic.response.citations", int64(cites))
	}
	c.Output = []llm.Message{msg}
	if finish != "" {
		c.FinishReasons = []string{finish}
	}
}

// cut says that an answer without a stop reason did not come to its end.
func (r *Reader) cut() bool {
	if r.streamed() {
		return !r.answer.done || r.answer.err != nil
	}
	return r.broken
}

// appendTo adds the parts of a block. done says that nothing more of it was to come:
// an input without pieces is then an empty one.
func (b *block) appendTo(list []llm.Part, done bool) []llm.Part {
	p := parts{main: llm.Part{Type: deltaParts[b.kind]}}
	if b.start != nil {
		p = readBlock(b.start)
	}
	text := jsonwalk.Unescape(b.text.Raw)
	switch main := &p.main; {
	case main.Type == llm.PartToolCall || main.Type == llm.PartServerToolCall:
		if b.text.Seen > 0 {
			main.Arguments = text
		} else if !done && main.Arguments == "{}" {
			main.Arguments = ""
		}
	default:
		main.Content += text
	}
	if b.text.Seen > len(b.text.Raw) {
		p.main.Size = int64(b.text.Seen)
	}
	for _, c := range b.cites {
		p.cite(c)
	}
	return p.appendTo(list, false)
}

// deltaParts are the parts that deltas belong to whose block did not begin.
var deltaParts = map[string]string{
	"text": llm.PartText, "thinking": llm.PartReasoning, "tool_use": llm.PartToolCall, "compaction": partCompaction,
	"server_tool_use": llm.PartServerToolCall, "mcp_tool_use": llm.PartServerToolCall,
}

// finishNames maps stop reasons to the normal ones (telemetry reference, section 3).
var finishNames = map[string]string{
	"end_turn": "stop", "stop_sequence": "stop", "": "stop",
	"max_tokens": "length", "model_context_window_exceeded": "length",
	"tool_use": "tool_call",
	"refusal":  "content_filter",
}

func finishName(raw string) string {
	if n, ok := finishNames[raw]; ok {
		return n
	}
	return raw
}

// fillUsage sets usage, steps and cost.
func (r *Reader) fillUsage(c *llm.Call, x *llm.Exchange) {
	a := &r.answer
	raw := a.usage.json()
	c.UsageRaw = string(raw)
	if cost, ok := toldcost.Of(raw, x.ResponseHeader); ok { // gateways
		c.Cost = cost
	}
	u := gjson.ParseBytes(raw)
	usage, ok := readUsage(u)
	if !ok {
		return
	}
	if usage.Region == "" {
		usage.Region = c.Usage.Region
	}
	if r.streamed() && !a.settled && !a.ended() {
		usage = r.partial(usage)
	}
	if r.broken {
		usage.Source = llm.UsagePartial
	}
	c.Usage = usage
	for _, at := range [...]struct{ key, value string }{
		{"anthropic.response.service_tier", usage.Tier},
		{"anthropic.response.speed", usage.Speed},
		{"anthropic.response.inference_geo", clipped(u.Get("inference_geo"))},
	} {
		if at.value != "" {
			c.SetAttr(at.key, at.value)
		}
	}
	var more bool
	if c.Steps, more = readSteps(u, c.Model()); more {
		c.Problems = append(c.Problems, "response: only the first "+strconv.Itoa(maxSteps)+" iterations of its usage were read")
		c.Usage.Inconsistent = true
	}
	compactions(c)
}

// partial is what is known of an answer that broke off. Its beginning tells the
// input; the output that it tells is a start value, and says less than the text that
// came: that side is left to be counted.
func (r *Reader) partial(told llm.Usage) (u llm.Usage) {
	u = llm.Usage{Source: llm.UsagePartial, Tier: told.Tier, Speed: told.Speed, Region: told.Region, Batch: told.Batch}
	for _, k := range llm.UsageKinds() {
		output := k == llm.OutputText || k == llm.Reasoning
		if n, ok := told.Get(k); ok && (!output || r.answer.rhythm.First().IsZero()) {
			u.Set(k, n)
		}
	}
	return u
}

// compactions says what the steps cost that the top level leaves out, by the names
// that Anthropic's own instrumentation uses (wire reference, section 7.5).
func compactions(c *llm.Call) {
	var in, out int64
	found := false
	for _, s := range c.Steps {
		if s.Kind == "compaction" {
			i, _ := s.Usage.Input()
			o, _ := s.Usage.Output()
			in, out, found = in+i, out+o, true
		}
	}
	if found {
		c.SetAttr("anthropic.usage.compaction.input_tokens", in)
		c.SetAttr("anthropic.usage.compaction.output_tokens", out)
		c.SetAttr("gen_ai.conversation.compacted", true)
	}
}
