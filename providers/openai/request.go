package openai

import (
	"errors"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	param "github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// ReadRequest reads what was asked into c: operation, model, parameters, messages
// and tools. What could not be read is listed in c.Problems; the error is that of
// a body of which nothing could be read. Texts are copied out of the body.
func (Dialect) ReadRequest(c *llm.Call, x *llm.Exchange) error {
	path := x.AskedPath()
	kind, operation := find(x.Method, path)
	if operation != "" {
		c.Kind, c.Operation = llm.KindLLM, operation
	}
	if kind == chat {
		c.SetAttr("openai.api.type", "chat_completions")
	}
	var err error
	switch kind {
	case other, chat, completions, embeddings:
		err = readBody(c, x, kind)
	default:
		err = readOther(c, x, kind)
	}
	if c.RequestModel == "" && kind != other {
		c.RequestModel = deployment(path)
	}
	return err
}

func readBody(c *llm.Call, x *llm.Exchange, kind endpoint) error {
	data, tail := intake.Request(c, x)
	if len(data) == 0 {
		return nil
	}
	q := request{c: c, kind: kind, prompt: prompt{texts: jsonwalk.TextsOf(data)}}
	cur := jsonwalk.Read(data)
	for o := cur.Object(); o.Next(); {
		q.member(o.Key, &cur)
	}
	for end := jsonwalk.Ending(tail, requestKeys); end.Next(); {
		val := jsonwalk.Read(end.Val)
		q.member(end.Key, &val)
	}
	switch {
	case cur.Bad() && kind != other && c.RequestModel == "":
		return errors.New("read request body: not a JSON object")
	case !cur.Whole() && kind != other && !x.Request.Truncated:
		c.Problems = append(c.Problems, "request body: not a whole JSON object")
	}
	return nil
}

// requestKeys are the members of a request that are worth finding in its end.
var requestKeys = append([]string{"model", "stream", "stream_options", "tools", "response_format", "metadata", "modalities"}, chatParams.Names()...)

// request is a request being read.
type request struct {
	c      *llm.Call
	kind   endpoint
	prompt prompt
}

// member reads one member of a request, whose value the cursor stands before.
func (q *request) member(key []byte, cur *jsonwalk.Cursor) {
	c := q.c
	switch string(key) {
	case "model":
		if m := jsonwalk.Word(cur.Value()); m != "" {
			c.RequestModel = jsonwalk.Clip(m, param.MaxText)
		}
		return
	case "stream":
		c.Stream = string(cur.Value()) == "true"
		return
	}
	if q.kind == other {
		// What an unread endpoint means by a name is not known, but these are for
		// attribution everywhere.
		if row, ok := whom[string(key)]; ok {
			row.Set(c, cur.Value())
		} else if string(key) == "metadata" {
			setMetadata(c, cur.Value())
		}
		return
	}
	switch string(key) {
	case "messages":
		c.Input = q.prompt.messages(cur)
	case "prompt", "input", "inputs":
		if cur.Peek() != '{' {
			c.Input = append(c.Input, q.prompt.prompts(cur)...)
			return
		}
		val := cur.Value()
		inner := jsonwalk.Read(val)
		if list := jsonwalk.Member(val, "messages"); list != nil { // DashScope
			inner = jsonwalk.Read(list)
			c.Input = q.prompt.messages(&inner)
			return
		}
		c.Input = append(c.Input, q.prompt.prompts(&inner)...)
	case "tools":
		c.Tools = append(c.Tools, readTools(cur.Value())...)
	case "functions":
		c.Tools = append(c.Tools, readFunctions(cur.Value())...)
	case "response_format":
		setFormat(c, cur.Value())
	case "guided_json": // vLLM
		if val := cur.Value(); jsonwalk.IsObject(val) {
			c.OutputSchema = content.Compact(val)
			c.SetAttr("gen_ai.output.type", "json")
		}
	case "modalities":
		for _, m := range param.List(cur.Value()) {
			if m == "audio" {
				c.SetAttr("gen_ai.output.type", "speech")
			}
		}
	case "metadata":
		setMetadata(c, cur.Value())
	case "reasoning": // OpenRouter
		if e := jsonwalk.Member(cur.Value(), "effort"); e != nil {
			chatParams.Set(c, []byte("reasoning_effort"), e)
		}
	case "n":
		if val := cur.Value(); string(val) != "1" {
			chatParams.Set(c, key, val)
		}
	case "service_tier":
		if val := cur.Value(); string(val) != `"auto"` {
			chatParams.Set(c, key, val)
		}
	default:
		if row, ok := chatParams[string(key)]; ok {
			row.Set(c, cur.Value())
		}
	}
}
