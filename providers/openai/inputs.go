package openai

import (
	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// partTokens is the type of a part whose text was sent as token numbers; its Size
// is how many there are.
const partTokens = "token_ids"

// prompts reads the prompt of completions, or the input of embeddings: a text, a list
// of texts, a list of token numbers, a list of such lists, or parts.
func (p *prompt) prompts(cur *jsonwalk.Cursor) (ms []llm.Message) {
	add := func() { ms = append(ms, llm.Message{Role: "user", Parts: p.parts.Done()}) }
	if cur.Peek() != '[' {
		if p.one(cur) {
			add()
		}
		return ms
	}
	numbers := int64(0)
	for a := cur.Array(); a.Next(); {
		if c := cur.Peek(); c >= '0' && c <= '9' {
			numbers++
		} else if p.one(cur) {
			add()
		}
	}
	if numbers > 0 {
		p.parts.Add(partTokens).Size = numbers
		add()
	}
	return ms
}

// one adds the parts of one prompt and says whether it is any.
func (p *prompt) one(cur *jsonwalk.Cursor) bool {
	switch cur.Peek() {
	case '"':
		p.parts.Add(llm.PartText).Content = p.texts.Str(cur.Value())
	case '[':
		n := int64(0)
		for a := cur.Array(); a.Next(); {
			n++
		}
		p.parts.Add(partTokens).Size = n
	case '{':
		return p.composed(cur.Value())
	default:
		return false
	}
	return true
}

// composed adds a prompt that is an object: a part, or several that are embedded as
// one.
func (p *prompt) composed(val []byte) bool {
	for _, key := range []string{"type", "text"} {
		if jsonwalk.Member(val, key) != nil {
			p.part(val)
			return true
		}
	}
	if img := jsonwalk.Member(val, "image"); len(img) > 0 && img[0] == '"' {
		p.parts.Put(content.Link(img, "image"))
		return true
	}
	body := jsonwalk.Member(val, "content")
	if len(body) == 0 {
		return false
	}
	p.content(body)
	return true
}

// readTools reads tool definitions.
func readTools(list []byte) (tools []llm.Tool) {
	for e := jsonwalk.Array(list); e.Next(); {
		if !jsonwalk.IsObject(e.Val) {
			continue
		}
		kind := jsonwalk.Str(jsonwalk.Member(e.Val, "type"))
		def := e.Val
		for _, key := range []string{"function", "custom"} {
			if d := jsonwalk.Member(e.Val, key); jsonwalk.IsObject(d) {
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
	for e := jsonwalk.Array(list); e.Next(); {
		if jsonwalk.IsObject(e.Val) {
			t := readTool(e.Val)
			t.Type = "function"
			tools = append(tools, t)
		}
	}
	return tools
}

func readTool(def []byte) (t llm.Tool) {
	for m := jsonwalk.Object(def); m.Next(); {
		switch string(m.Key) {
		case "name":
			t.Name = jsonwalk.Str(m.Val)
		case "description":
			t.Description = jsonwalk.Str(m.Val)
		case "parameters", "input_schema":
			t.Parameters = content.Compact(m.Val)
		}
	}
	return t
}
