package cohere

import (
	"encoding/json"
	"strings"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// partToolPlan is what a model says that it will do with its tools. It is neither
// the answer nor its reasoning.
const partToolPlan = "tool_plan"

// readMessage reads a message of version 2.
func readMessage(val []byte) llm.Message {
	var msg llm.Message
	var text, plan, calls, callID []byte
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "role":
			msg.Role = jsonwalk.Str(m.Val)
		case "content":
			text = m.Val
		case "tool_plan":
			plan = m.Val
		case "tool_calls":
			calls = m.Val
		case "tool_call_id":
			callID = m.Val
		}
	}
	if msg.Role == "tool" {
		msg.Parts = toolResult(text, jsonwalk.Str(callID))
		return msg
	}
	if s := jsonwalk.Str(plan); s != "" {
		msg.Parts = append(msg.Parts, llm.Part{Type: partToolPlan, Content: s})
	}
	msg.Parts = append(msg.Parts, readContent(text)...)
	for e := jsonwalk.Array(calls); e.Next(); {
		f := jsonwalk.Member(e.Val, "function")
		if !jsonwalk.IsObject(f) {
			continue
		}
		msg.Parts = append(msg.Parts, llm.Part{
			Type: llm.PartToolCall, ID: jsonwalk.Str(jsonwalk.Member(e.Val, "id")), Name: jsonwalk.Str(jsonwalk.Member(f, "name")),
			Arguments: jsonwalk.Str(jsonwalk.Member(f, "arguments")),
		})
	}
	return msg
}

// readContent reads content that is a text or a list of parts. A part of a kind that
// is not known keeps its kind and its size.
func readContent(val []byte) (parts []llm.Part) {
	if s := jsonwalk.Str(val); s != "" {
		return []llm.Part{{Type: llm.PartText, Content: s}}
	}
	for e := jsonwalk.Array(val); e.Next(); {
		if !jsonwalk.IsObject(e.Val) {
			continue
		}
		switch kind := jsonwalk.Str(jsonwalk.Member(e.Val, "type")); kind {
		case "text":
			parts = append(parts, llm.Part{Type: llm.PartText, Content: jsonwalk.Str(jsonwalk.Member(e.Val, "text"))})
		case "thinking":
			parts = append(parts, llm.Part{Type: llm.PartReasoning, Content: jsonwalk.Str(jsonwalk.Member(e.Val, "thinking"))})
		case "image_url":
			url := jsonwalk.Member(e.Val, "image_url")
			if jsonwalk.IsObject(url) {
				url = jsonwalk.Member(url, "url")
			}
			parts = append(parts, content.Link(url, "image"))
		default:
			if kind == "" {
				kind = "unknown"
			}
			parts = append(parts, llm.Part{Type: jsonwalk.Clip(kind, 64), Size: int64(len(e.Val))})
		}
	}
	return parts
}

// toolResult reads the content of a tool message: a text, or a list of texts and
// documents.
func toolResult(val []byte, id string) []llm.Part {
	res := llm.Part{Type: llm.PartToolCallResponse, ID: id}
	var texts []string
	if s := jsonwalk.Str(val); s != "" {
		texts = append(texts, s)
	}
	for e := jsonwalk.Array(val); e.Next(); {
		if doc := jsonwalk.Member(e.Val, "document"); jsonwalk.IsObject(doc) {
			data := jsonwalk.Member(doc, "data")
			if s := jsonwalk.Str(data); s != "" {
				texts = append(texts, s)
			} else {
				texts = append(texts, content.Compact(data))
			}
		} else if s := jsonwalk.Str(jsonwalk.Member(e.Val, "text")); s != "" {
			texts = append(texts, s)
		}
	}
	res.Response = strings.Join(texts, "\n")
	return []llm.Part{res}
}

// roles are those of version 1.
var roles = map[string]string{"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}

// readTurn reads a message of the history of version 1.
func readTurn(val []byte) llm.Message {
	var msg llm.Message
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "role":
			msg.Role = jsonwalk.Str(m.Val)
			if r, ok := roles[strings.ToUpper(msg.Role)]; ok {
				msg.Role = r
			}
		case "message":
			if s := jsonwalk.Str(m.Val); s != "" {
				msg.Parts = append(msg.Parts, llm.Part{Type: llm.PartText, Content: s})
			}
		case "tool_calls":
			for e := jsonwalk.Array(m.Val); e.Next(); {
				msg.Parts = append(msg.Parts, llm.Part{
					Type: llm.PartToolCall, Name: jsonwalk.Str(jsonwalk.Member(e.Val, "name")), Arguments: content.Compact(jsonwalk.Member(e.Val, "parameters")),
				})
			}
		case "tool_results":
			for e := jsonwalk.Array(m.Val); e.Next(); {
				msg.Parts = append(msg.Parts, readResult(e.Val))
			}
		}
	}
	return msg
}

// readResult reads a tool result of version 1: the call, and its outputs.
func readResult(val []byte) llm.Part {
	return llm.Part{
		Type: llm.PartToolCallResponse, Name: jsonwalk.Str(jsonwalk.Member(jsonwalk.Member(val, "call"), "name")),
		Response: content.Compact(jsonwalk.Member(val, "outputs")),
	}
}

// readTools reads the tools of version 2, and those of version 1, whose parameters
// are definitions of their own.
func readTools(list []byte) (tools []llm.Tool) {
	for e := jsonwalk.Array(list); e.Next(); {
		f, parameters := jsonwalk.Member(e.Val, "function"), "parameters"
		if !jsonwalk.IsObject(f) {
			f, parameters = e.Val, "parameter_definitions"
		}
		name := jsonwalk.Str(jsonwalk.Member(f, "name"))
		if name == "" {
			continue
		}
		t := llm.Tool{Type: "function", Name: name, Description: jsonwalk.Str(jsonwalk.Member(f, "description"))}
		switch p := jsonwalk.Member(f, parameters); {
		case parameters == "parameters":
			t.Parameters = content.Compact(p)
		case jsonwalk.IsObject(p):
			t.Parameters = schemaOf(p)
		}
		tools = append(tools, t)
	}
	return tools
}

// schemaOf makes a JSON Schema of the parameter definitions of version 1, which name
// types as Python does.
func schemaOf(definitions []byte) string {
	properties, required := map[string]any{}, []string{}
	for m := jsonwalk.Object(definitions); m.Next() && len(properties) < 256; {
		name, p := jsonwalk.Unescape(m.Key), map[string]string{}
		if kind := jsonwalk.Str(jsonwalk.Member(m.Val, "type")); kind != "" {
			p["type"] = pythonType(kind)
		}
		if s := jsonwalk.Str(jsonwalk.Member(m.Val, "description")); s != "" {
			p["description"] = s
		}
		if string(jsonwalk.Member(m.Val, "required")) == "true" {
			required = append(required, name)
		}
		properties[name] = p
	}
	schema := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	b, err := json.Marshal(schema)
	if err != nil {
		panic("BUG: tool schema: " + err.Error()) // maps of texts
	}
	return string(b)
}

func pythonType(kind string) string {
	base, _, _ := strings.Cut(strings.ToLower(kind), "[")
	switch base {
	case "str":
		return "string"
	case "int":
		return "integer"
	case "float":
		return "number"
	case "bool":
		return "boolean"
	case "list":
		return "array"
	case "dict":
		return "object"
	}
	return base
}
