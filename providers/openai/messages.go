package openai

import (
	"strings"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// prompt brings messages into the neutral form (telemetry reference, section 3).
type prompt struct {
	texts jsonwalk.Texts // of the body that the messages are in
	parts content.Parts
}

// messages reads the messages that the cursor stands before. The list may have been
// cut off.
func (p *prompt) messages(cur *jsonwalk.Cursor) (ms []llm.Message) {
	for a := cur.Array(); a.Next(); {
		if cur.Peek() == '{' {
			if ms == nil {
				usual := &struct { // what short prompts are, in one piece of memory
					messages [2]llm.Message
					parts    [2]llm.Part
				}{}
				ms = usual.messages[:0]
				p.parts.Begin(usual.parts[:0])
			}
			ms = append(ms, p.message(cur))
		}
	}
	return ms
}

func (p *prompt) message(cur *jsonwalk.Cursor) llm.Message {
	var msg llm.Message
	var body, calls, function, callID, reasoning, refusal []byte
	for o := cur.Object(); o.Next(); {
		switch string(o.Key) {
		case "role":
			msg.Role = jsonwalk.Word(cur.Value())
		case "name":
			msg.Name = jsonwalk.Word(cur.Value())
		case "content":
			body = cur.Value()
		case "tool_calls":
			calls = cur.Value()
		case "function_call":
			function = cur.Value()
		case "tool_call_id":
			callID = cur.Value()
		case "reasoning_content":
			reasoning = cur.Value()
		case "reasoning":
			if v := cur.Value(); len(reasoning) == 0 {
				reasoning = v
			}
		case "refusal":
			refusal = cur.Value()
		}
	}
	if msg.Role == "tool" || msg.Role == "function" {
		p.toolResult(body, p.texts.Str(callID), msg.Name)
		msg.Parts = p.parts.Done()
		return msg
	}
	p.text(llm.PartReasoning, reasoning)
	p.content(body)
	p.text(llm.PartRefusal, refusal)
	for e := jsonwalk.Array(calls); e.Next(); {
		if jsonwalk.IsObject(e.Val) {
			p.call(e.Val)
		}
	}
	if jsonwalk.IsObject(function) {
		var c callPiece
		if c.readFunction(function); len(c.name) > 0 {
			p.callPart(&c)
		}
	}
	msg.Parts = p.parts.Done()
	return msg
}

// text adds a part of a text, unless it says nothing.
func (p *prompt) text(kind string, val []byte) {
	if len(val) > 0 && val[0] == '"' {
		if s := p.texts.Str(val); s != "" {
			p.parts.Add(kind).Content = s
		}
	}
}

// call adds a tool call.
func (p *prompt) call(val []byte) {
	var c callPiece
	c.read(val)
	p.callPart(&c)
}

func (p *prompt) callPart(c *callPiece) {
	part := p.parts.Add(llm.PartToolCall)
	part.ID, part.Name = p.texts.Unescape(c.id), jsonwalk.WordOf(c.name)
	if len(c.args) > 0 && c.args[0] == '"' {
		part.Arguments = p.texts.Str(c.args)
	} else if !jsonwalk.IsNull(c.args) {
		part.Arguments = p.texts.Keep(c.args)
	}
}

// toolResult adds the one part that answers a tool call, and parts for what in it is
// no text.
func (p *prompt) toolResult(body []byte, id, name string) {
	response := ""
	switch {
	case len(body) > 0 && body[0] == '[':
		all := prompt{texts: p.texts}
		all.content(body)
		p.texts = all.texts
		var texts []string
		var rest []llm.Part
		for _, part := range all.parts.Done() {
			if part.Type == llm.PartText {
				texts = append(texts, part.Content)
			} else {
				rest = append(rest, part)
			}
		}
		p.result(id, name, strings.Join(texts, "\n"))
		p.parts.Put(rest...)
		return
	case jsonwalk.IsObject(body):
		response = p.texts.Keep(body)
	default:
		response = p.texts.Str(body)
	}
	p.result(id, name, response)
}

func (p *prompt) result(id, name, response string) {
	part := p.parts.Add(llm.PartToolCallResponse)
	part.ID, part.Name, part.Response = id, name, response
}

// content adds content that is a text or a list of parts.
func (p *prompt) content(val []byte) {
	p.text(llm.PartText, val)
	for e := jsonwalk.Array(val); e.Next(); {
		if e.Val[0] == '"' {
			p.parts.Add(llm.PartText).Content = p.texts.Str(e.Val)
		} else if jsonwalk.IsObject(e.Val) {
			p.part(e.Val)
		}
	}
}

// part adds one part of a list. A part of a kind that is not known keeps its kind and
// its size.
func (p *prompt) part(val []byte) {
	kind := jsonwalk.Word(jsonwalk.Member(val, "type"))
	switch kind {
	case "text", "input_text", "output_text":
		p.parts.Add(llm.PartText).Content = p.texts.Str(jsonwalk.Member(val, "text"))
		return
	case "refusal":
		p.parts.Add(llm.PartRefusal).Content = p.texts.Str(jsonwalk.Member(val, "refusal"))
		return
	case "":
		if text := jsonwalk.Member(val, "text"); len(text) > 0 {
			p.parts.Add(llm.PartText).Content = p.texts.Str(text)
			return
		}
		kind = "unknown"
	}
	if part, ok := mediaOf(kind, val); ok {
		p.parts.Put(part)
		return
	}
	p.parts.Add(jsonwalk.Clip(kind, 64)).Size = int64(len(val))
}

// mediaOf reads a part that is no plain text; ok is false when its kind is not known.
func mediaOf(kind string, val []byte) (part llm.Part, ok bool) {
	switch kind {
	case "thinking", "reasoning":
		return thinkingPart(val), true
	case "image_url", "input_image", "video_url", "audio_url":
		modality, _, _ := strings.Cut(strings.TrimPrefix(kind, "input_"), "_")
		url := jsonwalk.Member(val, kind)
		if kind == "input_image" {
			url = jsonwalk.Member(val, "image_url")
		}
		detail := jsonwalk.Member(val, "detail")
		if jsonwalk.IsObject(url) {
			if d := jsonwalk.Member(url, "detail"); d != nil {
				detail = d
			}
			url = jsonwalk.Member(url, "url")
		}
		part = content.Link(url, modality)
		part.Detail = jsonwalk.Clip(jsonwalk.Word(detail), maxDetail)
		return part, true
	case "input_audio":
		audio := jsonwalk.Member(val, "input_audio")
		part = content.Blob(jsonwalk.Inner(jsonwalk.Member(audio, "data")), "audio", "")
		if f := jsonwalk.Str(jsonwalk.Member(audio, "format")); f != "" {
			part.MIMEType = "audio/" + f
		}
		return part, true
	case "file", "input_file":
		return filePart(val), true
	}
	return part, false
}

// maxDetail bounds the word for how closely an image is looked at.
const maxDetail = 16

// thinkingPart reads reasoning that is sent back: a text or a list of text parts.
func thinkingPart(val []byte) llm.Part {
	body := jsonwalk.Member(val, "thinking")
	if body == nil {
		body = jsonwalk.Member(val, "text")
	}
	p := llm.Part{Type: llm.PartReasoning, Content: jsonwalk.Str(body)}
	for e := jsonwalk.Array(body); e.Next(); {
		p.Content += jsonwalk.Str(jsonwalk.Member(e.Val, "text"))
	}
	return p
}

func filePart(val []byte) llm.Part {
	file := jsonwalk.Member(val, "file")
	if !jsonwalk.IsObject(file) {
		file = val
	}
	if data := jsonwalk.Member(file, "file_data"); len(data) > 2 {
		p := content.Link(data, "document")
		p.Name = jsonwalk.Str(jsonwalk.Member(file, "filename"))
		return p
	}
	return llm.Part{Type: llm.PartFile, ID: jsonwalk.Str(jsonwalk.Member(file, "file_id")), Name: jsonwalk.Str(jsonwalk.Member(file, "filename")), Modality: "document"}
}
