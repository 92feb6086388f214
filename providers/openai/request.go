package openai

import (
	"errors"
	"fmt"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/encoding"
	"github.com/spanwire/spanwire/llm"
)

// maxRequest bounds a decoded request body.
const maxRequest = 64 << 20

// ReadRequest reads what was asked into c: operation, model, parameters, messages
// and tools. What could not be read is listed in c.Problems; the error is that of
// a body of which nothing could be read. Texts are copied out of the body.
func (Dialect) ReadRequest(c *llm.Call, x *llm.Exchange) error {
	path := pathOf(target(x))
	kind, operation := find(x.Method, path)
	if operation != "" {
		c.Kind, c.Operation = llm.KindLLM, operation
	}
	if c.Attrs == nil {
		c.Attrs = make([]llm.Attr, 0, 16) // as many as a usual call carries
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
	data := x.Request.Data
	if len(data) == 0 {
		return nil
	}
	var tail []byte
	if x.Request.Truncated {
		head := min(max(x.Request.Head, 0), len(data))
		data, tail = data[:head], data[head:]
		c.Problems = append(c.Problems, fmt.Sprintf("request body: %d bytes, of which only the beginning and the end were kept", x.Request.Size))
	}
	if enc := x.RequestHeader.Get("content-encoding"); !encoding.Identity(enc) {
		decoded, err := encoding.Decode(enc, data, maxRequest)
		if tail = nil; err != nil && !x.Request.Truncated {
			c.Problems = append(c.Problems, fmt.Sprintf("request body: content-encoding %s: %v", clip(enc, 40), err))
		}
		data = decoded
	}
	q := request{c: c, kind: kind}
	m := object(data)
	for m.next() {
		q.member(m.key, m.val)
	}
	for end := ending(tail, requestKeys); end.next(); {
		q.member(end.key, end.val)
	}
	switch {
	case m.bad && kind != other && c.RequestModel == "":
		return errors.New("read request body: not a JSON object")
	case !m.whole() && kind != other && !x.Request.Truncated:
		c.Problems = append(c.Problems, "request body: not a whole JSON object")
	}
	return nil
}

// requestKeys are the members of a request that are worth finding in its end.
var requestKeys = append([]string{"model", "stream", "stream_options", "tools", "response_format", "metadata", "modalities"}, paramNames()...)

func paramNames() (names []string) {
	for name := range params {
		names = append(names, name)
	}
	return names
}

// request is a request being read.
type request struct {
	c    *llm.Call
	kind endpoint
}

func (q *request) member(key, val []byte) {
	c := q.c
	switch string(key) {
	case "model":
		if m := str(val); m != "" {
			c.RequestModel = clip(m, maxParam)
		}
		return
	case "stream":
		c.Stream = string(val) == "true"
		return
	}
	if q.kind == other {
		// What an unread endpoint means by a name is not known, but these are for
		// attribution everywhere.
		switch string(key) {
		case "user", "safety_identifier", "prompt_cache_key":
			setParam(c, key, val)
		case "metadata":
			setMetadata(c, val)
		}
		return
	}
	switch string(key) {
	case "messages":
		c.Input = readMessages(val)
	case "prompt", "input":
		c.Input = append(c.Input, readPrompts(val)...)
	case "tools":
		c.Tools = append(c.Tools, readTools(val)...)
	case "functions":
		c.Tools = append(c.Tools, readFunctions(val)...)
	case "response_format":
		if t := outputType(val); t != "" {
			c.SetAttr("gen_ai.output.type", t)
		}
		c.OutputSchema = content.Compact(outputSchema(val))
	case "modalities":
		for _, m := range texts(val) {
			if m == "audio" {
				c.SetAttr("gen_ai.output.type", "speech")
			}
		}
	case "metadata":
		setMetadata(c, val)
	case "reasoning": // OpenRouter
		if e := member(val, "effort"); e != nil {
			setParam(c, []byte("reasoning_effort"), e)
		}
	case "n":
		if string(val) != "1" {
			setParam(c, key, val)
		}
	case "service_tier":
		if string(val) != `"auto"` {
			setParam(c, key, val)
		}
	default:
		setParam(c, key, val)
	}
}
