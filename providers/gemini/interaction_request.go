package gemini

import (
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// interact reads a member of the request for an interaction.
func (q *request) interact(name string, val []byte) {
	c := q.c
	switch name {
	case "model":
		q.model(val)
	case "agent":
		if c.RequestModel == "" {
			c.RequestModel = jsonwalk.Clip(jsonwalk.Str(val), params.MaxText)
		}
		interactParams.Set(c, []byte(name), val)
	case "stream":
		c.Stream = string(val) == "true"
	case "input":
		c.Input = append(c.Input, readInput(val)...)
	case "systemInstruction":
		c.System = readInstruction(val)
	case "tools":
		eachPart(val, func(t []byte) {
			if jsonwalk.IsObject(t) && len(c.Tools) < maxTools {
				c.Tools = append(c.Tools, readInteractionTool(t))
			}
		})
	case "generationConfig":
		readConfig(c, val)
	case "responseFormat":
		if schema := jsonwalk.Member(val, "schema"); schema != nil {
			val = schema
		}
		readSchema(c, val)
	case "responseMimeType":
		readMIME(c, val)
	case "responseModalities":
		readModalities(c, val)
		interactParams.Set(c, []byte(name), val)
	case "labels":
		readLabels(c, val)
	default:
		interactParams.Set(c, []byte(name), val)
	}
}

// settleInteraction: an agent is named beside a model only by mistake, and the
// model is then what answers.
func (q *request) settleInteraction() {
	for _, a := range q.c.Attrs {
		if a.Key == "gemini.request.agent" && a.Value == q.c.RequestModel {
			q.c.SetAttr("gen_ai.agent.name", a.Value)
		}
	}
}

// readInput reads the input: a text, a content, contents, turns with a role, or
// steps of a conversation.
func readInput(val []byte) (ms []llm.Message) {
	if len(val) > 0 && val[0] == '"' {
		return []llm.Message{{Role: "user", Parts: []llm.Part{textPart(val)}}}
	}
	var loose []llm.Part // contents without a turn of their own
	flush := func() {
		if len(loose) > 0 {
			ms = append(ms, llm.Message{Role: roleOfParts(loose), Parts: loose})
			loose = nil
		}
	}
	eachPart(val, func(item []byte) {
		if len(ms) >= maxMessages || len(loose) >= maxParts {
			return
		}
		role, kind, inner := jsonwalk.Member(item, "role"), jsonwalk.Str(jsonwalk.Member(item, "type")), jsonwalk.Member(item, "content")
		if role == nil && kind != "user_input" && kind != "model_output" {
			loose = append(loose, readInputPart(item, kind)...)
			return
		}
		flush()
		msg := llm.Message{Role: roleOf(jsonwalk.Str(role))}
		if kind == "model_output" {
			msg.Role = "assistant"
		}
		if msg.Parts = readInputContent(inner); len(msg.Parts) > 0 && roleOfParts(msg.Parts) == "tool" {
			msg.Role = "tool"
		}
		ms = append(ms, msg)
	})
	flush()
	return ms
}

func readInputContent(val []byte) (parts []llm.Part) {
	if len(val) > 0 && val[0] == '"' {
		return []llm.Part{textPart(val)}
	}
	eachPart(val, func(p []byte) {
		if len(parts) < maxParts {
			parts = append(parts, readInputPart(p, jsonwalk.Str(jsonwalk.Member(p, "type")))...)
		}
	})
	return parts
}

func readInputPart(val []byte, kind string) []llm.Part {
	switch kind {
	case "text", "":
		if t := jsonwalk.Member(val, "text"); t != nil {
			return []llm.Part{textPart(t)}
		}
		return nil
	case "thought":
		p := llm.Part{Type: llm.PartReasoning}
		eachPart(jsonwalk.Member(val, "summary"), func(s []byte) { p.Content += jsonwalk.Str(jsonwalk.Member(s, "text")) })
		if p.Content == "" {
			return nil
		}
		return []llm.Part{p}
	}
	return readInteractionPart(val, kind)
}

// roleOfParts tells by what they are who said parts that name nobody.
func roleOfParts(parts []llm.Part) string {
	switch parts[0].Type {
	case llm.PartToolCallResponse:
		return "tool"
	case llm.PartToolCall, llm.PartReasoning, llm.PartServerToolCall, llm.PartServerToolCallResponse:
		return "assistant"
	}
	return "user"
}

func readInteractionTool(val []byte) llm.Tool {
	t := llm.Tool{}
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "type":
			t.Type = jsonwalk.Str(m.Val)
		case "name":
			t.Name = jsonwalk.Str(m.Val)
		case "description":
			t.Description = jsonwalk.Str(m.Val)
		case "parameters":
			t.Parameters = compact(m.Val)
		}
	}
	t.Name = first(t.Name, t.Type)
	return t
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
