package anthropic

import (
	"errors"
	"strings"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// ReadRequest reads what was asked into c: operation, model, parameters, messages
// and tools. What could not be read is listed in c.Problems; the error is that of
// a body of which nothing could be read. Texts are copied out of the body.
func (Dialect) ReadRequest(c *llm.Call, x *llm.Exchange) error {
	return readRequest(c, x, placeOf(x))
}

// ReadMessagesRequest reads a Messages request, or a legacy completion, whatever
// the path: as it is inside other APIs, which have the model in their path.
func (Dialect) ReadMessagesRequest(c *llm.Call, x *llm.Exchange) error {
	return readRequest(c, x, place{endpoint: messages})
}

func readRequest(c *llm.Call, x *llm.Exchange, p place) error {
	if op := operations[p.endpoint]; op != "" {
		c.Kind, c.Operation = llm.KindLLM, op
	}
	if p.model != "" {
		c.RequestModel = jsonwalk.Clip(p.model, params.MaxText)
	}
	c.Stream = c.Stream || p.stream
	if p.region != "" {
		c.Usage.Region = p.region
	}
	readHeaders(c, x)
	head, tail := intake.Request(c, x)
	if len(head) == 0 {
		return nil
	}
	q := request{c: c, to: p.endpoint}
	m := jsonwalk.Object(head)
	for m.Next() {
		q.member(m.Key, m.Val)
	}
	for end := jsonwalk.Ending(tail, requestKeys); end.Next(); {
		q.member(end.Key, end.Val)
	}
	if m.Whole() || c.Kind != llm.KindLLM || x.Request.Truncated {
		return nil
	}
	if !q.any {
		return errors.New("read request body: not a JSON object")
	}
	c.Problems = append(c.Problems, "request body: not a whole JSON object")
	return nil
}

// readHeaders carries the version and the beta features that were asked for.
func readHeaders(c *llm.Call, x *llm.Exchange) {
	if v := x.RequestHeader.Get("anthropic-version"); v != "" {
		c.SetAttr(keyVersion, jsonwalk.Clip(v, params.MaxText))
	}
	var beta []string
	for _, v := range x.RequestHeader.Values("anthropic-beta") {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" && len(beta) < maxTexts {
				beta = append(beta, jsonwalk.Clip(name, params.MaxText))
			}
		}
	}
	if beta != nil {
		c.SetAttr(keyBeta, beta)
	}
}

// requestKeys are the members of a request that are worth finding in its end.
var requestKeys = append([]string{"model", "stream", "system", "tools", "output_format", "metadata"}, paramNames()...)

// request is a request being read.
type request struct {
	c   *llm.Call
	to  endpoint
	any bool // a member was read
}

func (q *request) member(key, val []byte) {
	c := q.c
	q.any = true
	switch string(key) {
	case "model":
		if m := jsonwalk.Str(val); m != "" {
			c.RequestModel = jsonwalk.Clip(m, params.MaxText)
		}
		return
	case "stream":
		c.Stream = c.Stream || string(val) == "true"
		return
	case "metadata":
		setMetadata(c, val)
		return
	}
	if c.Kind != llm.KindLLM {
		return
	}
	switch string(key) {
	case "system":
		c.System = append(c.System, readContent(val)...)
	case "messages":
		c.Input = append(c.Input, readMessages(val)...)
	case "prompt":
		if s := jsonwalk.Str(val); s != "" {
			c.Operation = operations[completions]
			c.Input = append(c.Input, llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: s}}})
		}
	case "tools":
		c.Tools = append(c.Tools, readTools(val)...)
	case "output_format": // what output_config.format was in its beta
		q.format(val)
	default:
		if string(key) == "output_config" {
			q.format(jsonwalk.Member(val, "format"))
		}
		setParam(c, key, val)
	}
}

// format reads the form that the answer must have.
func (q *request) format(val []byte) {
	if jsonwalk.Str(jsonwalk.Member(val, "type")) != "json_schema" {
		return
	}
	q.c.SetAttr("gen_ai.output.type", "json")
	if schema := jsonwalk.Member(val, "schema"); jsonwalk.IsObject(schema) {
		q.c.OutputSchema = content.Compact(schema)
	}
}

// readMessages brings messages into the neutral form (telemetry reference, section
// 3). The list may have been cut off. Roles are as sent: the results of tools stand
// in messages of the user.
func readMessages(list []byte) (ms []llm.Message) {
	for e := jsonwalk.Array(list); e.Next(); {
		if !jsonwalk.IsObject(e.Val) {
			continue
		}
		var msg llm.Message
		for m := jsonwalk.Object(e.Val); m.Next(); {
			switch string(m.Key) {
			case "role":
				msg.Role = jsonwalk.Str(m.Val)
			case "content":
				msg.Parts = readContent(m.Val)
			}
		}
		ms = append(ms, msg)
	}
	return ms
}

// readTools reads tool definitions: the caller's own, which have a schema, and the
// provider's, which have a type.
func readTools(list []byte) (tools []llm.Tool) {
	for e := jsonwalk.Array(list); e.Next(); {
		if !jsonwalk.IsObject(e.Val) {
			continue
		}
		t := llm.Tool{Type: "function"}
		server := ""
		for m := jsonwalk.Object(e.Val); m.Next(); {
			switch string(m.Key) {
			case "type":
				if kind := jsonwalk.Str(m.Val); kind != "" && kind != "custom" {
					t.Type = jsonwalk.Clip(kind, params.MaxText)
				}
			case "name":
				t.Name = jsonwalk.Str(m.Val)
			case "description":
				t.Description = jsonwalk.Str(m.Val)
			case "input_schema":
				t.Parameters = content.Compact(m.Val)
			case "mcp_server_name":
				server = jsonwalk.Str(m.Val)
			}
		}
		if t.Name == "" {
			t.Name = server
		}
		tools = append(tools, t)
	}
	return tools
}
