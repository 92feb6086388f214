package gemini

import (
	"strings"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// Bounds on what is kept of one exchange.
const (
	maxMessages = 20_000
	maxParts    = 2048
	maxTools    = 1024
)

// readContents reads contents: a list, one content, or a text.
func readContents(val []byte) (ms []llm.Message) {
	if len(val) > 0 && val[0] != '[' {
		if m, ok := readContent(val); ok {
			return []llm.Message{m}
		}
		return nil
	}
	for e := jsonwalk.Array(val); e.Next() && len(ms) < maxMessages; {
		if m, ok := readContent(e.Val); ok {
			ms = append(ms, m)
		}
	}
	return ms
}

// readContent brings one content into the neutral form.
func readContent(val []byte) (llm.Message, bool) {
	msg := llm.Message{Role: "user"}
	if len(val) > 0 && val[0] == '"' {
		msg.Parts = []llm.Part{textPart(val)}
		return msg, true
	}
	if !jsonwalk.IsObject(val) {
		return msg, false
	}
	answers := true // of tools alone
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "role":
			msg.Role = roleOf(jsonwalk.Str(m.Val))
		case "parts":
			eachPart(m.Val, func(p []byte) {
				if len(msg.Parts) < maxParts {
					msg.Parts = append(msg.Parts, readPart(p, false)...)
				}
			})
		}
	}
	for _, p := range msg.Parts {
		answers = answers && p.Type == llm.PartToolCallResponse
	}
	if answers && len(msg.Parts) > 0 {
		msg.Role = "tool"
	}
	return msg, true
}

func roleOf(role string) string {
	switch role {
	case "model":
		return "assistant"
	case "function":
		return "tool"
	case "":
		return "user"
	}
	return role
}

// eachPart calls f with each of a list of parts; a single one may stand alone.
func eachPart(val []byte, f func([]byte)) {
	if jsonwalk.IsObject(val) {
		f(val)
		return
	}
	for e := jsonwalk.Array(val); e.Next(); {
		f(e.Val)
	}
}

// readInstruction reads the system instruction: a content, or a text.
func readInstruction(val []byte) []llm.Part {
	if m, ok := readContent(val); ok {
		return m.Parts
	}
	return nil
}

func textPart(val []byte) llm.Part {
	return llm.Part{Type: llm.PartText, Content: jsonwalk.Str(val)}
}

// readPart reads one part of a content (wire reference, section 8.1). light leaves
// out the digests of blobs.
func readPart(val []byte, light bool) []llm.Part {
	if len(val) > 0 && val[0] == '"' {
		return []llm.Part{textPart(val)}
	}
	var parts []llm.Part
	thought := false
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "text":
			parts = append(parts, textPart(m.Val))
		case "thought":
			thought = string(m.Val) == "true"
		case "inlineData":
			parts = append(parts, readBlob(m.Val, light))
		case "fileData":
			parts = append(parts, readFile(m.Val))
		case "functionCall":
			parts = append(parts, readCall(m.Val))
		case "functionResponse":
			parts = append(parts, readResponse(m.Val)...)
		case "executableCode":
			parts = append(parts, readCode(m.Val))
		case "codeExecutionResult":
			parts = append(parts, readCodeResult(m.Val))
		case "toolCall":
			parts = append(parts, readServerCall(m.Val))
		case "toolResponse":
			parts = append(parts, readServerResponse(m.Val))
		}
	}
	for i := range parts {
		if thought && parts[i].Type == llm.PartText {
			parts[i].Type = llm.PartReasoning
		}
	}
	return parts
}

// readBlob reads bytes in a part: size and digest of them are kept.
func readBlob(val []byte, light bool) llm.Part {
	mime, data := "", []byte(nil)
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "mimeType":
			mime = jsonwalk.Str(m.Val)
		case "data":
			data = jsonwalk.Inner(m.Val)
		}
	}
	if light {
		return llm.Part{Type: llm.PartBlob, Modality: modalityOf(mime), MIMEType: jsonwalk.Clip(mime, 128), Size: int64(len(data))}
	}
	return content.Blob(data, modalityOf(mime), mime)
}

func modalityOf(mime string) string {
	switch kind, _, _ := strings.Cut(mime, "/"); kind {
	case "image", "audio", "video":
		return kind
	}
	return "document"
}

func readFile(val []byte) llm.Part {
	p := llm.Part{Type: llm.PartURI}
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "mimeType":
			p.MIMEType = jsonwalk.Clip(jsonwalk.Str(m.Val), 128)
		case "fileUri":
			p.URI = content.CleanURI(jsonwalk.Str(m.Val))
		}
	}
	p.Modality = modalityOf(p.MIMEType)
	return p
}

// readCall reads a function call that came whole.
func readCall(val []byte) llm.Part {
	p := llm.Part{Type: llm.PartToolCall}
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "id":
			p.ID = jsonwalk.Str(m.Val)
		case "name":
			p.Name = jsonwalk.Str(m.Val)
		case "args":
			p.Arguments = compact(m.Val)
		}
	}
	if p.Arguments == "" {
		p.Arguments = "{}"
	}
	return p
}

// readResponse reads the answer to a function call, and what in it is no text.
func readResponse(val []byte) []llm.Part {
	p := llm.Part{Type: llm.PartToolCallResponse}
	var rest []llm.Part
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "id":
			p.ID = jsonwalk.Str(m.Val)
		case "name":
			p.Name = jsonwalk.Str(m.Val)
		case "response":
			p.Response = answerText(m.Val)
		case "parts":
			eachPart(m.Val, func(part []byte) {
				if len(rest) < maxParts && jsonwalk.IsObject(part) {
					rest = append(rest, readPart(part, false)...)
				}
			})
		}
	}
	return append([]llm.Part{p}, rest...)
}

// answerText is a tool's answer: a text as it is, anything else as JSON.
func answerText(val []byte) string {
	if len(val) > 0 && val[0] == '"' {
		return jsonwalk.Str(val)
	}
	return compact(val)
}

// compact returns a value without blanks, also the beginning of one.
func compact(val []byte) string {
	if closed(val) || jsonwalk.IsNull(val) {
		return content.Compact(val)
	}
	out, quoted, escaped := make([]byte, 0, len(val)), false, false
	for _, c := range val {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == ' ' || c == '\n' || c == '\r' || c == '\t':
			continue
		default:
			quoted = c == '"'
		}
		out = append(out, c)
	}
	return string(out)
}

// readCode reads code that the provider ran.
func readCode(val []byte) llm.Part {
	return llm.Part{Type: llm.PartServerToolCall, Name: "code_execution", ID: jsonwalk.Str(jsonwalk.Member(val, "id")), Arguments: compact(val)}
}

func readCodeResult(val []byte) llm.Part {
	return llm.Part{Type: llm.PartServerToolCallResponse, Name: "code_execution", ID: jsonwalk.Str(jsonwalk.Member(val, "id")), Response: compact(val)}
}

// readServerCall reads a call of a tool that the provider runs.
func readServerCall(val []byte) llm.Part {
	p := llm.Part{Type: llm.PartServerToolCall}
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "id":
			p.ID = jsonwalk.Str(m.Val)
		case "toolType":
			p.Name = strings.ToLower(jsonwalk.Str(m.Val))
		case "args":
			p.Arguments = compact(m.Val)
		}
	}
	return p
}

func readServerResponse(val []byte) llm.Part {
	p := llm.Part{Type: llm.PartServerToolCallResponse}
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "id":
			p.ID = jsonwalk.Str(m.Val)
		case "toolType":
			p.Name = strings.ToLower(jsonwalk.Str(m.Val))
		case "response":
			p.Response = answerText(m.Val)
		}
	}
	return p
}

// readTools reads tools: lists of functions, and tools of the provider's by their
// names.
func readTools(list []byte) (tools []llm.Tool) {
	eachPart(list, func(val []byte) {
		for m := jsonwalk.Object(val); m.Next(); {
			if string(camel(m.Key)) != "functionDeclarations" {
				if jsonwalk.IsObject(m.Val) && len(tools) < maxTools {
					name := snake(m.Key)
					tools = append(tools, llm.Tool{Type: name, Name: name})
				}
				continue
			}
			eachPart(m.Val, func(def []byte) {
				if len(tools) < maxTools && jsonwalk.IsObject(def) {
					tools = append(tools, readTool(def))
				}
			})
		}
	})
	return tools
}

func readTool(def []byte) llm.Tool {
	t := llm.Tool{Type: "function"}
	for m := jsonwalk.Object(def); m.Next(); {
		switch string(camel(m.Key)) {
		case "name":
			t.Name = jsonwalk.Str(m.Val)
		case "description":
			t.Description = jsonwalk.Str(m.Val)
		case "parameters", "parametersJsonSchema":
			t.Parameters = compact(m.Val)
		}
	}
	return t
}

// snake returns a member's name in snake_case: one name for a tool, however it was
// written.
func snake(key []byte) string {
	out := make([]byte, 0, len(key)+4)
	for _, c := range key[:min(len(key), 64)] {
		if c >= 'A' && c <= 'Z' {
			out = append(out, '_')
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return string(out)
}
