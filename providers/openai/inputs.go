package openai

import (
	"bytes"
	"encoding/json"

	"github.com/spanwire/spanwire/llm"
)

// partTokens is the type of a part whose text was sent as token numbers; its Size
// is how many there are.
const partTokens = "token_ids"

// readPrompts reads the prompt of completions, or the input of embeddings: a text,
// a list of texts, a list of token numbers, a list of such lists, or parts.
func readPrompts(val []byte) []llm.Message {
	if len(val) == 0 {
		return nil
	}
	if val[0] != '[' {
		if p, ok := promptPart(val); ok {
			return []llm.Message{{Role: "user", Parts: []llm.Part{p}}}
		}
		return nil
	}
	var ms []llm.Message
	numbers := int64(0)
	for e := array(val); e.next(); {
		if p, ok := promptPart(e.val); ok {
			ms = append(ms, llm.Message{Role: "user", Parts: []llm.Part{p}})
			continue
		}
		if content := member(e.val, "content"); isObject(e.val) && len(content) > 0 { // several parts embedded as one
			ms = append(ms, llm.Message{Role: "user", Parts: readContent(content)})
			continue
		}
		if c := e.val[0]; c >= '0' && c <= '9' {
			numbers++
		}
	}
	if numbers > 0 {
		ms = append(ms, llm.Message{Role: "user", Parts: []llm.Part{{Type: partTokens, Size: numbers}}})
	}
	return ms
}

// promptPart reads one prompt.
func promptPart(val []byte) (llm.Part, bool) {
	switch val[0] {
	case '"':
		return llm.Part{Type: llm.PartText, Content: str(val)}, true
	case '[':
		n := int64(0)
		for e := array(val); e.next(); {
			n++
		}
		return llm.Part{Type: partTokens, Size: n}, true
	case '{':
		for _, key := range []string{"type", "text"} {
			if member(val, key) != nil {
				return readPart(val), true
			}
		}
		if img := member(val, "image"); len(img) > 0 && img[0] == '"' {
			return linkPart(img, "image"), true
		}
	}
	return llm.Part{}, false
}

// readTools reads tool definitions.
func readTools(list []byte) (tools []llm.Tool) {
	for e := array(list); e.next(); {
		if !isObject(e.val) {
			continue
		}
		kind := str(member(e.val, "type"))
		def := e.val
		for _, key := range []string{"function", "custom"} {
			if d := member(e.val, key); isObject(d) {
				def = d
				break
			}
		}
		t := readTool(def)
		if t.Type = kind; t.Name == "" {
			t.Name = kind // a tool of the provider's
		}
		tools = append(tools, t)
	}
	return tools
}

// readFunctions reads legacy function definitions.
func readFunctions(list []byte) (tools []llm.Tool) {
	for e := array(list); e.next(); {
		if isObject(e.val) {
			t := readTool(e.val)
			t.Type = "function"
			tools = append(tools, t)
		}
	}
	return tools
}

func readTool(def []byte) (t llm.Tool) {
	for m := object(def); m.next(); {
		switch string(m.key) {
		case "name":
			t.Name = str(m.val)
		case "description":
			t.Description = str(m.val)
		case "parameters", "input_schema":
			t.Parameters = compactJSON(m.val)
		}
	}
	return t
}

// compactJSON returns a value without blanks, or as it is when it is no JSON.
func compactJSON(val []byte) string {
	if isNull(val) {
		return ""
	}
	var b bytes.Buffer
	if json.Compact(&b, val) != nil {
		return string(val)
	}
	return b.String()
}
