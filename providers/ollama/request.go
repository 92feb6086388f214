package ollama

import (
	"strings"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// parameters of a request, and of its member options (telemetry reference, section 1).
var (
	parameters = params.Table{
		"think":           {Key: "gen_ai.request.reasoning.level", Form: params.Text},
		"keep_alive":      {Key: "ollama.request.keep_alive", Form: params.JSON},
		"dimensions":      {Key: "gen_ai.embeddings.dimension.count", Form: params.Int},
		"truncate":        {Key: "ollama.request.truncate", Form: params.Bool},
		"raw":             {Key: "ollama.request.raw", Form: params.Bool},
		"logprobs":        {Key: "ollama.request.logprobs", Form: params.Bool},
		"top_logprobs":    {Key: "ollama.request.top_logprobs", Form: params.Int},
		"encoding_format": {Key: "gen_ai.request.encoding_formats", Form: params.Texts},
	}
	options = params.Table{
		"temperature":       {Key: "gen_ai.request.temperature", Form: params.Double},
		"top_p":             {Key: "gen_ai.request.top_p", Form: params.Double},
		"top_k":             {Key: "gen_ai.request.top_k", Form: params.Double},
		"frequency_penalty": {Key: "gen_ai.request.frequency_penalty", Form: params.Double},
		"presence_penalty":  {Key: "gen_ai.request.presence_penalty", Form: params.Double},
		"num_predict":       {Key: "gen_ai.request.max_tokens", Form: params.Int},
		"seed":              {Key: "gen_ai.request.seed", Form: params.Int},
		"stop":              {Key: "gen_ai.request.stop_sequences", Form: params.Texts},
		"num_ctx":           {Key: "ollama.request.num_ctx", Form: params.Int},
		"min_p":             {Key: "ollama.request.min_p", Form: params.Double},
		"typical_p":         {Key: "ollama.request.typical_p", Form: params.Double},
		"repeat_penalty":    {Key: "ollama.request.repeat_penalty", Form: params.Double},
		"repeat_last_n":     {Key: "ollama.request.repeat_last_n", Form: params.Int},
	}
)

// requestKeys are the members of a request that are worth finding in its end.
var requestKeys = append([]string{"model", "stream", "options", "tools", "format", "system"}, parameters.Names()...)

// ReadRequest reads what was asked into c. What could not be read is listed in
// c.Problems; the error is that of a body of which nothing could be read. Texts are
// copied out of the body.
func (Dialect) ReadRequest(c *llm.Call, x *llm.Exchange) error {
	kind, operation := find(x)
	head, tail := intake.Request(c, x)
	if kind == other {
		return nil
	}
	c.Kind, c.Operation = llm.KindLLM, operation
	if len(head) == 0 && len(tail) == 0 {
		return nil
	}
	c.Stream = kind != embed // unless told not to (wire reference, section 10)
	q := request{c: c, kind: kind}
	whole := intake.Members(head, tail, requestKeys, q.member)
	q.prompt()
	return intake.Judge(c, x, whole, c.RequestModel == "" && len(c.Input) == 0)
}

// request is a request being read.
type request struct {
	c      *llm.Call
	kind   endpoint
	text   []byte // prompt of generate
	images []byte
}

func (q *request) member(key, val []byte) {
	c := q.c
	switch string(key) {
	case "model":
		if m := jsonwalk.Str(val); m != "" {
			c.RequestModel = jsonwalk.Clip(m, params.MaxText)
		}
	case "stream":
		c.Stream = string(val) != "false" && q.kind != embed
	case "options":
		options.SetAll(c, val)
	case "system":
		if s := jsonwalk.Str(val); s != "" {
			c.System = []llm.Part{{Type: llm.PartText, Content: s}}
		}
	case "messages":
		for e := jsonwalk.Array(val); e.Next(); {
			if jsonwalk.IsObject(e.Val) {
				c.Input = append(c.Input, readMessage(e.Val))
			}
		}
	case "prompt":
		q.text = val
	case "images":
		q.images = val
	case "input":
		for _, s := range texts(val) {
			c.Input = append(c.Input, llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: s}}})
		}
	case "tools":
		c.Tools = readTools(val)
	case "format":
		q.format(val)
	case "think":
		if string(val) == "true" || string(val) == "false" {
			c.SetAttr("ollama.request.think", string(val) == "true")
			return
		}
		parameters.Set(c, key, val)
	default:
		parameters.Set(c, key, val)
	}
}

// format is "json", or the JSON Schema that the answer must follow.
func (q *request) format(val []byte) {
	switch {
	case jsonwalk.Str(val) == "json":
		q.c.SetAttr("gen_ai.output.type", "json")
	case jsonwalk.IsObject(val) && !jsonwalk.Empty(val):
		q.c.SetAttr("gen_ai.output.type", "json")
		q.c.OutputSchema = content.Compact(val)
	}
}

// prompt makes the one message of a generate request.
func (q *request) prompt() {
	m := llm.Message{Role: "user"}
	if s := jsonwalk.Str(q.text); s != "" {
		m.Parts = append(m.Parts, llm.Part{Type: llm.PartText, Content: s})
	}
	m.Parts = append(m.Parts, images(q.images)...)
	if len(m.Parts) > 0 {
		q.c.Input = append(q.c.Input, m)
	}
}

// texts reads a text or a list of texts.
func texts(val []byte) (list []string) {
	if s := jsonwalk.Str(val); s != "" {
		return []string{s}
	}
	for e := jsonwalk.Array(val); e.Next(); {
		if e.Val[0] == '"' {
			list = append(list, jsonwalk.Str(e.Val))
		}
	}
	return list
}

// images are base64 without a frame; size and digest are kept.
func images(val []byte) (parts []llm.Part) {
	for e := jsonwalk.Array(val); e.Next(); {
		if raw := jsonwalk.Inner(e.Val); len(raw) > 0 {
			parts = append(parts, content.Blob(raw, "image", ""))
		}
	}
	return parts
}

func readMessage(val []byte) llm.Message {
	var msg llm.Message
	var text, thinking, pictures, calls, callID []byte
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "role":
			msg.Role = jsonwalk.Str(m.Val)
		case "content":
			text = m.Val
		case "thinking":
			thinking = m.Val
		case "images":
			pictures = m.Val
		case "tool_calls":
			calls = m.Val
		case "tool_name", "name":
			msg.Name = jsonwalk.Str(m.Val)
		case "tool_call_id":
			callID = m.Val
		}
	}
	if msg.Role == "tool" {
		msg.Parts = []llm.Part{{Type: llm.PartToolCallResponse, ID: jsonwalk.Str(callID), Name: msg.Name, Response: strings.Join(texts(text), "\n")}}
		return msg
	}
	if s := jsonwalk.Str(thinking); s != "" {
		msg.Parts = append(msg.Parts, llm.Part{Type: llm.PartReasoning, Content: s})
	}
	for _, s := range texts(text) {
		msg.Parts = append(msg.Parts, llm.Part{Type: llm.PartText, Content: s})
	}
	msg.Parts = append(msg.Parts, images(pictures)...)
	for e := jsonwalk.Array(calls); e.Next(); {
		if f := jsonwalk.Member(e.Val, "function"); jsonwalk.IsObject(f) {
			p := llm.Part{Type: llm.PartToolCall, ID: jsonwalk.Str(jsonwalk.Member(e.Val, "id")), Name: jsonwalk.Str(jsonwalk.Member(f, "name"))}
			if args := jsonwalk.Member(f, "arguments"); len(args) > 0 && args[0] == '"' {
				p.Arguments = jsonwalk.Str(args)
			} else {
				p.Arguments = content.Compact(args)
			}
			msg.Parts = append(msg.Parts, p)
		}
	}
	return msg
}

func readTools(list []byte) (tools []llm.Tool) {
	for e := jsonwalk.Array(list); e.Next(); {
		f := jsonwalk.Member(e.Val, "function")
		if !jsonwalk.IsObject(f) {
			continue
		}
		tools = append(tools, llm.Tool{
			Type: "function", Name: jsonwalk.Str(jsonwalk.Member(f, "name")),
			Description: jsonwalk.Str(jsonwalk.Member(f, "description")), Parameters: content.Compact(jsonwalk.Member(f, "parameters")),
		})
	}
	return tools
}
