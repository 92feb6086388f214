package tracing

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// content writes messages as the JSON text of the GenAI message schemas
// (https://github.com/open-telemetry/semantic-conventions/blob/v1.41.1/docs/gen-ai/gen-ai-input-messages.json
// and its neighbours). What it writes is valid JSON whatever it is given. Not
// safe for concurrent use.
type content struct {
	limit    int // bytes that one attribute may have
	metadata bool
	objects  *objects
	cut      int // bytes left out because there was no room
}

// maxSlack bounds what is written before it is cut to the limit: a call with
// thousands of large messages must not cost memory in proportion.
const maxSlack = 8

// tooLong says that so much was written that more would only be cut away again.
func (c *content) tooLong(n int) bool { return n > maxSlack*c.limit }

// clip cuts a text that alone would fill the attribute.
func (c *content) clip(s string) string {
	kept := cutText(s, c.limit)
	c.cut += len(s) - len(kept)
	return kept
}

// skip counts parts that are left out.
func (c *content) skip(parts []llm.Part) {
	for i := range parts {
		c.cut += len(parts[i].Content) + len(parts[i].Response) + len(parts[i].Arguments)
	}
}

// messages appends the JSON array of msgs. With output each message has a
// finish_reason, which the schema requires; ended stands in where none was told.
func (c *content) messages(dst []byte, msgs []llm.Message, output bool, ended llm.End) []byte {
	dst = append(dst, '[')
	start := len(dst)
	for i := range msgs {
		m := &msgs[i]
		if c.tooLong(len(dst) - start) {
			c.skip(m.Parts)
			continue
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"role":`...)
		dst = appendText(dst, roleOf(m.Role, output))
		if m.Name != "" {
			dst = append(dst, `,"name":`...)
			dst = appendText(dst, m.Name)
		}
		dst = append(dst, `,"parts":`...)
		dst = c.parts(dst, m.Parts)
		if output {
			dst = append(dst, `,"finish_reason":`...)
			dst = appendText(dst, finishOf(m.FinishReason, ended))
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func roleOf(role string, output bool) string {
	switch {
	case role != "":
		return role
	case output:
		return "assistant"
	default:
		return "user"
	}
}

// finishOf returns why a choice ended: a choice that broke off ended in an error;
// otherwise what was not told is unknown.
func finishOf(reason string, ended llm.End) string {
	switch {
	case reason != "":
		return reason
	case ended != "" && ended != llm.EndComplete:
		return "error"
	default:
		return "unknown"
	}
}

// parts appends the JSON array of parts, which is also the form of system instructions.
func (c *content) parts(dst []byte, parts []llm.Part) []byte {
	dst = append(dst, '[')
	start := len(dst)
	for i := range parts {
		if c.tooLong(len(dst) - start) {
			c.skip(parts[i:])
			break
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = c.part(dst, &parts[i])
	}
	return append(dst, ']')
}

// part appends one part. A member that the schema requires of a type is always
// there, empty when its content was left out: some readers drop the whole list for
// one incomplete part.
func (c *content) part(dst []byte, p *llm.Part) []byte {
	dst = append(dst, `{"type":`...)
	dst = appendText(dst, typeOf(p.Type))
	switch p.Type {
	case llm.PartToolCall:
		dst = appendMember(dst, "id", p.ID)
		dst = appendRequired(dst, "name", p.Name)
		dst = c.arguments(dst, p.Arguments)
	case llm.PartToolCallResponse:
		dst = appendMember(dst, "id", p.ID)
		dst = appendMember(dst, "name", p.Name)
		dst = c.required(dst, "response", first(p.Response, p.Content))
	case llm.PartServerToolCall:
		dst = appendMember(dst, "id", p.ID)
		dst = appendRequired(dst, "name", p.Name)
		dst = append(dst, `,"server_tool_call":{"type":`...)
		dst = appendText(dst, p.Name)
		dst = append(c.arguments(dst, p.Arguments), '}')
	case llm.PartServerToolCallResponse:
		dst = appendMember(dst, "id", p.ID)
		dst = appendMember(dst, "name", p.Name)
		dst = append(dst, `,"server_tool_call_response":{"type":`...)
		dst = appendText(dst, p.Name)
		dst = append(c.required(dst, "response", first(p.Response, p.Content)), '}')
	case llm.PartURI:
		dst = appendMedia(dst, p)
		dst = appendRequired(dst, "uri", p.URI)
	case llm.PartFile:
		dst = appendMedia(dst, p)
		dst = appendRequired(dst, "file_id", p.ID)
	case llm.PartBlob:
		dst = appendMedia(dst, p)
		dst = c.required(dst, "content", p.Content)
	default:
		dst = c.other(dst, p)
	}
	if p.Failed {
		dst = append(dst, `,"is_error":true`...)
	}
	return append(c.digest(dst, p), '}')
}

// other appends the members of text, reasoning, refusal and whatever a dialect adds.
func (c *content) other(dst []byte, p *llm.Part) []byte {
	dst = c.required(dst, "content", p.Content)
	dst = appendMember(dst, "id", p.ID)
	dst = appendMember(dst, "name", p.Name)
	dst = c.arguments(dst, p.Arguments)
	if p.Response != "" {
		dst = c.required(dst, "response", p.Response)
	}
	dst = appendMember(dst, "modality", p.Modality)
	dst = appendMember(dst, "mime_type", p.MIMEType)
	return appendMember(dst, "uri", p.URI)
}

// arguments appends a tool call's arguments: as an object when they are one, else
// as the text that the model wrote.
func (c *content) arguments(dst []byte, s string) []byte {
	if s == "" || c.metadata {
		return dst
	}
	dst = append(dst, `,"arguments":`...)
	if len(s) <= c.limit && isObject(s) {
		return append(dst, s...)
	}
	return appendText(dst, c.clip(s))
}

// required appends a member that holds content; in metadata mode it is empty.
func (c *content) required(dst []byte, name, value string) []byte {
	if c.metadata {
		value = ""
	}
	return appendRequired(dst, name, c.clip(value))
}

// digest appends size and sha256 of content that was left out.
func (c *content) digest(dst []byte, p *llm.Part) []byte {
	size, sum := p.Size, p.SHA256
	if c.metadata && sum == "" {
		// The recorder leaves content out before it comes here; should one not have
		// done so, its text still goes nowhere.
		if text := first(p.Content, p.Response, p.Arguments); text != "" {
			hash := sha256.Sum256([]byte(text))
			size, sum = int64(len(text)), hex.EncodeToString(hash[:])
		}
	}
	if size > 0 {
		dst = append(dst, `,"size":`...)
		dst = strconv.AppendInt(dst, size, 10)
	}
	return appendMember(dst, "sha256", sum)
}

// tools appends the JSON array of tool definitions.
func (c *content) tools(dst []byte, tools []llm.Tool) []byte {
	dst = append(dst, '[')
	start := len(dst)
	for i := range tools {
		t := &tools[i]
		if c.tooLong(len(dst) - start) {
			c.cut += len(t.Description) + len(t.Parameters)
			continue
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"type":`...)
		dst = appendText(dst, first(t.Type, "function"))
		dst = appendRequired(dst, "name", t.Name)
		if !c.metadata {
			dst = appendMember(dst, "description", c.clip(t.Description))
			dst = c.parameters(dst, t.Parameters)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func (c *content) parameters(dst []byte, s string) []byte {
	if s == "" {
		return dst
	}
	dst = append(dst, `,"parameters":`...)
	if len(s) <= c.limit && c.objects.is(s) {
		return append(dst, s...)
	}
	return appendText(dst, c.clip(s))
}

func typeOf(t string) string { return first(t, llm.PartText) }

// appendMedia appends the modality, which the schema requires, and the MIME type.
func appendMedia(dst []byte, p *llm.Part) []byte {
	modality := p.Modality
	if modality == "" {
		modality = "document"
		switch kind, _, _ := strings.Cut(p.MIMEType, "/"); kind {
		case "image", "audio", "video":
			modality = kind
		}
	}
	dst = appendRequired(dst, "modality", modality)
	return appendMember(dst, "mime_type", p.MIMEType)
}

func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendRequired(dst, name, value)
}

func appendRequired(dst []byte, name, value string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return appendText(dst, value)
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
