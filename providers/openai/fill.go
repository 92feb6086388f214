package openai

import (
	"fmt"
	"strconv"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/toldcost"
	"github.com/spanwire/spanwire/llm"
)

// fill writes what was read of the response into c. plain is the body of one that is no
// stream, as far as it was kept.
func (r *Reader) fill(c *llm.Call, x *llm.Exchange, plain []byte) {
	a := &r.answer
	if a.room.Lost > 0 {
		c.Problems = append(c.Problems, fmt.Sprintf("response: %d bytes of text past the first %d were not kept", a.room.Lost, intake.MaxText))
	}
	if a.more {
		c.Problems = append(c.Problems, fmt.Sprintf("response: only the first %d choices and %d tool calls were read", maxChoices, maxCalls))
	}
	if a.unreadable > 0 && r.endpoint != other {
		c.Problems = append(c.Problems, fmt.Sprintf("response stream: %d of %d events are not JSON objects", a.unreadable, a.events))
	}
	texts := jsonwalk.TextsOf(plain)
	if x.Status < 400 { // an error has an id of its own
		c.ResponseID = texts.Unescape(a.id)
	}
	if c.ResponseModel = jsonwalk.WordOf(a.model); c.ResponseModel == "" {
		c.ResponseModel = x.ResponseHeader.Get("x-ms-served-model")
	}
	setText(c, "openai.response.service_tier", a.tier)
	setText(c, "openai.response.system_fingerprint", a.fingerprint)
	if r.stream() {
		c.FirstToken = a.rhythm.First()
		c.Chunks = a.rhythm.Chunks()
	}
	r.fillUsage(c, x, &texts)
	c.ErrorType, c.ErrorMessage = r.errorOf(x.Status, plain)
	switch r.endpoint {
	case embeddings:
		r.fillEmbeddings(c)
	case chat, completions:
		r.fillOutput(c, &texts)
	}
}

// errorOf returns the error of a response: what the body says, else what its status
// says.
func (r *Reader) errorOf(status int, plain []byte) (kind, message string) {
	e := r.answer.err
	if e == nil && status < 400 {
		return "", ""
	}
	if status < 400 { // some put the code beside the error
		if kind, message = apierror.Settle(status, nil, plain); kind != "" {
			return kind, message
		}
	}
	return apierror.Settle(status, e, plain)
}

func setText(c *llm.Call, key string, raw []byte) {
	if len(raw) > 0 {
		c.SetAttr(key, jsonwalk.AnyWord(raw))
	}
}

// fillUsage sets usage, tier and cost.
func (r *Reader) fillUsage(c *llm.Call, x *llm.Exchange, texts *jsonwalk.Texts) {
	a := &r.answer
	raw := a.usage
	if len(raw) == 0 {
		raw = a.fallback
	}
	told, ok := readReport(raw)
	if ok {
		c.Usage = told.usage()
		// Running totals of a stream that broke off are what had been used by then.
		if r.stream() && r.endpoint != other && !r.ended() {
			c.Usage.Source = llm.UsagePartial
		}
	}
	if ok && x.Method == "GET" { // of a chat that was left to be fetched, as often as one likes
		c.UsageOf = c.ResponseID
	}
	c.UsageRaw = texts.Keep(raw)
	if c.Usage.Tier = jsonwalk.WordOf(a.tier); c.Usage.Tier == "" && len(raw) > 0 {
		c.Usage.Tier = jsonwalk.Word(jsonwalk.Member(raw, "service_tier")) // Mistral
	}
	var costs []byte
	if told.cost {
		costs = raw
	}
	if cost, ok := toldcost.Of(costs, x.ResponseHeader); ok {
		c.Cost = cost
	}
	if told.times {
		usageTimes.set(c, raw)
	}
}

// timings are members of a usage object that tell a time.
type timings []struct {
	name, key string
	unit      float64 // seconds
}

// usageTimes are those that some vendors tell.
var usageTimes = timings{
	{"queue_time", "spanwire.vendor.queue_time", 1},
	{"total_time", "spanwire.vendor.processing_time", 1},
	{"time_to_first_token_ms", "spanwire.vendor.time_to_first_token", 1e-3},
}

func (ts timings) set(c *llm.Call, usage []byte) {
	for _, t := range ts {
		if v := jsonwalk.Member(usage, t.name); len(v) > 0 && v[0] >= '0' && v[0] <= '9' {
			if f, err := strconv.ParseFloat(string(v), 64); err == nil {
				c.SetAttr(t.key, f*t.unit)
			}
		}
	}
}

func (r *Reader) fillEmbeddings(c *llm.Call) {
	v := &r.vectors
	if v.count == 0 {
		return
	}
	c.SetAttr("spanwire.embeddings.count", int64(v.count))
	// Base64 is of floats unless another form was asked for.
	if v.dimensions > 0 && (!v.text || asked(c, "gen_ai.request.encoding_formats") == "base64") {
		c.SetAttr("gen_ai.embeddings.dimension.count", v.dimensions)
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
func (r *Reader) fillOutput(c *llm.Call, texts *jsonwalk.Texts) {
	a := &r.answer
	if len(a.choices) == 0 {
		return
	}
	usual := &struct { // what most answers are, in one piece of memory
		messages [1]llm.Message
		reasons  [1]string
		parts    [1]llm.Part
	}{}
	c.Output, c.FinishReasons = usual.messages[:0], usual.reasons[:0]
	told := false
	var parts content.Parts
	parts.Begin(usual.parts[:0])
	for _, ch := range a.choices {
		finish := jsonwalk.WordOf(ch.finish)
		if finish == "" && r.cut() {
			finish = "error" // it never finished
		}
		told = told || finish != ""
		c.FinishReasons = append(c.FinishReasons, finish)
		c.Output = append(c.Output, ch.message(finish, &parts, texts))
	}
	if !told {
		c.FinishReasons = nil
	}
}

// cut says that a choice without a finish reason did not come to its end.
func (r *Reader) cut() bool {
	a := &r.answer
	if r.stream() {
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
	"word":  "stop", "limit": "length", // llama.cpp
}

func finishName(raw string) string {
	if n, ok := finishNames[raw]; ok {
		return n
	}
	return raw
}

// partTypes are the types of the parts that texts make.
var partTypes = [numParts]string{llm.PartReasoning, llm.PartText, llm.PartText, llm.PartRefusal}

func (ch *choice) message(finish string, parts *content.Parts, texts *jsonwalk.Texts) llm.Message {
	m := llm.Message{Role: jsonwalk.WordOf(ch.role), FinishReason: finishName(finish)}
	if m.Role == "" {
		m.Role = "assistant"
	}
	for kind := range ch.texts {
		t := &ch.texts[kind]
		if t.Seen == 0 {
			continue
		}
		p := parts.Add(partTypes[kind])
		if p.Content = texts.Unescape(t.Raw); t.Seen > len(t.Raw) {
			p.Size = int64(t.Seen)
		}
	}
	parts.Put(ch.blobs...)
	if ch.sound > 0 {
		p := parts.Add(llm.PartBlob)
		p.Modality, p.Size = "audio", ch.sound
	}
	for _, t := range ch.calls {
		t.fill(parts.Add(llm.PartToolCall), texts)
	}
	if ch.function != nil {
		ch.function.fill(parts.Add(llm.PartToolCall), texts)
	}
	m.Parts = parts.Done()
	return m
}

func (t *toolCall) fill(p *llm.Part, texts *jsonwalk.Texts) {
	p.ID, p.Name, p.Arguments = texts.Unescape(t.id), jsonwalk.WordOf(t.name), texts.Unescape(t.args.Raw)
	if len(t.object) > 0 {
		p.Arguments = content.Compact(t.object)
	}
	if t.args.Seen > len(t.args.Raw) {
		p.Size = int64(t.args.Seen)
	}
}
