package gemini

import (
	"bytes"
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
	kind, operation, model := find(x.Method, x.Asked())
	q := request{c: c, kind: kind, vertex: onVertex(x.Asked())}
	c.RequestModel = model
	switch kind {
	case fetch:
		c.Kind, c.Operation = llm.KindLLM, operation
		return nil
	case other, count, predict:
	case live:
		if len(x.Request.Data) == 0 { // the session around the calls
			return nil
		}
		c.Stream = true
		fallthrough
	default:
		c.Kind, c.Operation = llm.KindLLM, operation
	}
	c.Stream = c.Stream || kind == stream
	head, tail := intake.Request(c, x)
	if len(head) == 0 {
		return nil
	}
	if kind == live {
		q.frames(head)
		return nil
	}
	m := jsonwalk.Object(head)
	for m.Next() {
		q.member(m.Key, m.Val)
	}
	for end := jsonwalk.Ending(tail, requestKeys); end.Next(); {
		q.member(end.Key, end.Val)
	}
	q.settle()
	switch i := jsonwalk.SkipSpace(head, 0); {
	case kind == other:
	case i < len(head) && head[i] != '{' && c.RequestModel == "":
		return errors.New("read request body: not a JSON object")
	case !m.Whole() && !x.Request.Truncated:
		c.Problems = append(c.Problems, "request body: not a whole JSON object")
	}
	return nil
}

// requestKeys are the members of a request that are worth finding in its end.
var requestKeys = []string{
	"model", "agent", "generationConfig", "generation_config", "tools", "toolConfig", "tool_config", "systemInstruction", "system_instruction",
	"safetySettings", "safety_settings", "labels", "cachedContent", "cached_content", "parameters", "stream", "background", "store",
	"previous_interaction_id", "service_tier", "serviceTier", "response_format", "response_mime_type", "response_modalities",
}

// request is a request being read.
type request struct {
	c      *llm.Call
	kind   endpoint
	vertex bool
	nested bool // inside the request that countTokens wraps
}

func (q *request) member(key, val []byte) {
	switch name := string(camel(key)); q.kind {
	case other:
		if name == "model" {
			q.model(val)
		}
	case generate, stream, count:
		q.generate(name, val)
	case embed:
		q.embed(name, val)
	case predict:
		q.predict(name, val)
	case interact:
		q.interact(name, val)
	}
}

// settle decides what only the whole body tells.
func (q *request) settle() {
	c := q.c
	if q.kind == interact {
		q.settleInteraction()
	}
	if q.kind == predict && c.Operation != "" {
		c.Kind = llm.KindLLM
	}
}

// generate reads a member of generateContent.
func (q *request) generate(name string, val []byte) {
	c := q.c
	switch name {
	case "model":
		q.model(val)
	case "contents":
		if q.kind == count {
			return // nobody reads it to answer
		}
		c.Input = append(c.Input, readContents(val)...)
	case "systemInstruction":
		c.System = readInstruction(val)
	case "tools":
		c.Tools = append(c.Tools, readTools(val)...)
	case "toolConfig":
		readToolConfig(c, val)
	case "generationConfig":
		readConfig(c, val)
	case "labels":
		readLabels(c, val)
	case "generateContentRequest":
		if q.nested {
			return
		}
		q.nested = true
		for m := jsonwalk.Object(val); m.Next(); {
			q.generate(string(camel(m.Key)), m.Val)
		}
	default:
		topParams.Set(c, []byte(name), val)
	}
}

// model takes the model that a body names, where the path names none.
func (q *request) model(val []byte) {
	if q.c.RequestModel != "" {
		return
	}
	name := jsonwalk.Str(val)
	if _, rest, ok := strings.Cut(name, "/locations/"); ok { // projects/p/locations/l/publishers/google/models/m
		if i := strings.LastIndexByte(rest, '/'); i >= 0 {
			name = rest[i+1:]
		}
	}
	q.c.RequestModel = jsonwalk.Clip(name, params.MaxText)
}

// embed reads a member of embedContent or batchEmbedContents.
func (q *request) embed(name string, val []byte) {
	c := q.c
	switch name {
	case "model":
		q.model(val)
	case "content":
		if m, ok := readContent(val); ok {
			c.Input = append(c.Input, m)
		}
	case "requests":
		for e := jsonwalk.Array(val); e.Next() && len(c.Input) < maxMessages; {
			for m := jsonwalk.Object(e.Val); m.Next(); {
				if n := string(camel(m.Key)); n != "requests" {
					q.embed(n, m.Val)
				}
			}
		}
	case "embedContentConfig", "config":
		for m := jsonwalk.Object(val); m.Next(); {
			embedParams.Set(c, camel(m.Key), m.Val)
		}
	default:
		embedParams.Set(c, []byte(name), val)
	}
}

// predict reads a member of Vertex's predict: what its instances hold tells what
// is asked.
func (q *request) predict(name string, val []byte) {
	c := q.c
	switch name {
	case "instances":
		for e := jsonwalk.Array(val); e.Next() && len(c.Input) < maxMessages; {
			if m, ok := q.instance(e.Val); ok {
				c.Input = append(c.Input, m)
			}
		}
	case "parameters":
		for m := jsonwalk.Object(val); m.Next(); {
			predictParams.Set(c, camel(m.Key), m.Val)
		}
	case "labels":
		readLabels(c, val)
	}
}

func (q *request) instance(val []byte) (llm.Message, bool) {
	msg := llm.Message{Role: "user"}
	operation := ""
	for m := jsonwalk.Object(val); m.Next(); {
		switch name := string(camel(m.Key)); name {
		case "prompt":
			operation = "image_generation"
			msg.Parts = append(msg.Parts, textPart(m.Val))
		case "content", "text":
			if operation == "" {
				operation = "embeddings"
			}
			msg.Parts = append(msg.Parts, textPart(m.Val))
		case "image", "video":
			if operation == "" {
				operation = "embeddings"
			}
			msg.Parts = append(msg.Parts, readMedia(m.Val, name))
		default:
			embedParams.Set(q.c, []byte(name), m.Val)
		}
	}
	if q.c.Operation == "" {
		q.c.Operation = operation
	}
	return msg, len(msg.Parts) > 0
}

// readMedia reads an image or a video of an instance: bytes, or where they are.
func readMedia(val []byte, modality string) llm.Part {
	p := llm.Part{Type: llm.PartBlob, Modality: modality}
	mime := ""
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "bytesBase64Encoded":
			p = content.Blob(jsonwalk.Inner(m.Val), modality, "")
		case "gcsUri":
			p = llm.Part{Type: llm.PartURI, Modality: modality, URI: content.CleanURI(jsonwalk.Str(m.Val))}
		case "mimeType":
			mime = jsonwalk.Str(m.Val)
		}
	}
	p.MIMEType = jsonwalk.Clip(mime, 128)
	return p
}

// frames reads what the caller sent in a Live session for one turn, a frame a
// line: the setup first (wire reference, section 12).
func (q *request) frames(body []byte) {
	for line := range bytes.Lines(body) {
		for m := jsonwalk.Object(line); m.Next(); {
			q.frame(string(camel(m.Key)), m.Val)
		}
	}
}

func (q *request) frame(name string, val []byte) {
	c := q.c
	switch name {
	case "setup":
		for m := jsonwalk.Object(val); m.Next(); {
			q.generate(string(camel(m.Key)), m.Val)
		}
	case "clientContent":
		for m := jsonwalk.Object(val); m.Next(); {
			if string(m.Key) == "turns" {
				c.Input = append(c.Input, readContents(m.Val)...)
			}
		}
	case "realtimeInput":
		for m := jsonwalk.Object(val); m.Next(); {
			if string(m.Key) == "text" {
				c.Input = append(c.Input, llm.Message{Role: "user", Parts: []llm.Part{textPart(m.Val)}})
			}
		}
	case "toolResponse":
		msg := llm.Message{Role: "tool"}
		for m := jsonwalk.Object(val); m.Next(); {
			if string(camel(m.Key)) == "functionResponses" {
				for e := jsonwalk.Array(m.Val); e.Next() && len(msg.Parts) < maxParts; {
					msg.Parts = append(msg.Parts, readResponse(e.Val)...)
				}
			}
		}
		c.Input = append(c.Input, msg)
	}
}
