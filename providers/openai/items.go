package openai

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// maxResult bounds what is kept of the result of a provider's own tool.
const maxResult = 64 << 10

// hosted are the items about tools that are no functions of the caller: which
// members say what was asked and what came of it (wire reference, section 5.2). What
// the provider runs makes parts of its own types; what the caller is to run keeps the
// item's type.
var hosted = map[string]struct {
	server           bool
	name             string // of the tool; "" where the item tells one
	arguments, reply []string
}{
	"web_search_call":       {true, "web_search", []string{"action"}, nil},
	"x_search_call":         {true, "x_search", []string{"action", "input"}, nil},
	"file_search_call":      {true, "file_search", []string{"queries"}, []string{"results"}},
	"code_interpreter_call": {true, "code_interpreter", []string{"code"}, []string{"outputs"}},
	"mcp_call":              {true, "", []string{"arguments"}, []string{"output", "error"}},
	"mcp_list_tools":        {true, "", nil, nil},
	"tool_search_call":      {true, "tool_search", []string{"arguments"}, nil},
	"program":               {true, "program", []string{"code"}, nil},
	"image_generation_call": {true, "image_generation", []string{"revised_prompt"}, nil},
	"mcp_approval_request":  {false, "", []string{"arguments"}, nil},
	"mcp_approval_response": {false, "", []string{"approve"}, nil},
	"computer_call":         {false, "computer", []string{"action", "actions"}, nil},
	"local_shell_call":      {false, "local_shell", []string{"action"}, nil},
	"shell_call":            {false, "shell", []string{"action"}, nil},
	"apply_patch_call":      {false, "apply_patch", []string{"operation"}, nil},
}

// serverResults are the items that answer one of these.
var serverResults = map[string]string{"tool_search_output": "tool_search", "program_output": "program"}

// readItem brings an item of an input or an output into the neutral form. role is
// whose it is. Of an item that was cut off only texts are read: what the rest means
// may be missing.
func readItem(val []byte) (role string, parts []llm.Part) {
	kind := jsonwalk.Str(jsonwalk.Member(val, "type"))
	if kind != "message" && !says([]byte(kind)) && !complete(val) {
		return "assistant", nil
	}
	switch kind {
	case "", "message":
		role = jsonwalk.Str(jsonwalk.Member(val, "role"))
		if role == "" {
			role = "assistant"
		}
		return role, itemContent(jsonwalk.Member(val, "content"))
	case "reasoning":
		return "assistant", reasoningParts(val)
	case "function_call", "custom_tool_call":
		return "assistant", []llm.Part{itemCall(val)}
	case "function_call_output", "custom_tool_call_output", "local_shell_call_output", "shell_call_output", "computer_call_output", "apply_patch_call_output":
		return "tool", itemResult(val)
	case "compaction", "compaction_summary":
		p := content.Blob(jsonwalk.Inner(jsonwalk.Member(val, "encrypted_content")), "", "")
		p.Type, p.ID = "compaction", itemID(val)
		return "assistant", []llm.Part{p}
	case "item_reference":
		return "user", []llm.Part{{Type: kind, ID: itemID(val)}}
	}
	if _, ok := hosted[kind]; ok {
		return "assistant", hostedParts(kind, val)
	}
	if name, ok := serverResults[kind]; ok {
		p := llm.Part{Type: llm.PartServerToolCallResponse, ID: itemID(val), Name: name}
		p.Response = jsonwalk.Clip(firstOf(val, []string{"output", "result"}), maxResult)
		return "assistant", []llm.Part{p}
	}
	return "assistant", []llm.Part{{Type: jsonwalk.Clip(kind, 64), ID: itemID(val), Size: int64(len(val))}}
}

// complete says that an object came to its end.
func complete(obj []byte) bool {
	m := jsonwalk.Object(obj)
	for m.Next() {
	}
	return m.Whole()
}

func itemID(val []byte) string {
	if id := jsonwalk.Str(jsonwalk.Member(val, "call_id")); id != "" {
		return id
	}
	return jsonwalk.Str(jsonwalk.Member(val, "id"))
}

func itemCall(val []byte) llm.Part {
	p := llm.Part{Type: llm.PartToolCall, ID: itemID(val), Name: jsonwalk.Str(jsonwalk.Member(val, "name"))}
	if id := jsonwalk.Str(jsonwalk.Member(val, "id")); id != p.ID {
		p.Item = id
	}
	args := jsonwalk.Member(val, "arguments")
	if args == nil {
		args = jsonwalk.Member(val, "input")
	}
	p.Arguments = textOrJSON(args)
	return p
}

// textOrJSON returns a text, or any other value as compact JSON.
func textOrJSON(val []byte) string {
	if len(val) > 0 && val[0] == '"' {
		return jsonwalk.Str(val)
	}
	return content.Compact(val)
}

// itemResult reads what a tool of the caller's answered.
func itemResult(val []byte) []llm.Part {
	out := jsonwalk.Member(val, "output")
	p := llm.Part{Type: llm.PartToolCallResponse, ID: itemID(val)}
	if len(out) > 0 && out[0] == '[' {
		var texts []string
		var rest []llm.Part
		for _, q := range itemContent(out) {
			if q.Type == llm.PartText {
				texts = append(texts, q.Content)
			} else {
				rest = append(rest, q)
			}
		}
		if p.Response = strings.Join(texts, "\n"); len(texts) == 0 && len(rest) > 0 && rest[0].Type == "unknown" {
			return []llm.Part{{Type: p.Type, ID: p.ID, Response: content.Compact(out)}} // outputs of a shell
		}
		return append([]llm.Part{p}, rest...)
	}
	if jsonwalk.Str(jsonwalk.Member(out, "type")) == "computer_screenshot" {
		return []llm.Part{p, mediaPart(out, "image")}
	}
	p.Response = textOrJSON(out)
	return []llm.Part{p}
}

// reasoningParts reads what a model thought: one part for each of the summary and
// of the text, unless that says the same. Of what is encrypted nothing is kept.
func reasoningParts(val []byte) (parts []llm.Part) {
	for _, key := range []string{"summary", "content"} {
		for e := jsonwalk.Array(jsonwalk.Member(val, key)); e.Next(); {
			p := llm.Part{Type: llm.PartReasoning, Content: jsonwalk.Str(jsonwalk.Member(e.Val, "text"))}
			if p.Content != "" && !slices.Contains(parts, p) {
				parts = append(parts, p)
			}
		}
	}
	return parts
}

// hostedParts reads a call of a tool that is no function of the caller's, and what
// came of it: of an image its size and digest.
func hostedParts(kind string, val []byte) []llm.Part {
	row := hosted[kind]
	p := llm.Part{Type: kind, ID: itemID(val), Name: row.name}
	if row.server {
		p.Type = llm.PartServerToolCall
	}
	if p.Name == "" {
		p.Name = cmp.Or(jsonwalk.Str(jsonwalk.Member(val, "name")), jsonwalk.Str(jsonwalk.Member(val, "server_label")), kind)
	}
	p.Arguments = firstOf(val, row.arguments)
	parts := []llm.Part{p}
	if reply := jsonwalk.Clip(firstOf(val, row.reply), maxResult); reply != "" {
		failed := jsonwalk.Word(jsonwalk.Member(val, "status")) == "failed" || !jsonwalk.Empty(jsonwalk.Member(val, "error"))
		parts = append(parts, llm.Part{Type: llm.PartServerToolCallResponse, ID: p.ID, Name: p.Name, Response: reply, Failed: failed})
	}
	if data := jsonwalk.Inner(jsonwalk.Member(val, "result")); kind == "image_generation_call" && len(data) > 0 {
		mime := ""
		if f := jsonwalk.Str(jsonwalk.Member(val, "output_format")); f != "" {
			mime = "image/" + jsonwalk.Clip(f, 16)
		}
		parts = append(parts, content.Blob(data, "image", mime))
	}
	return parts
}

// firstOf returns the first of the members that says anything.
func firstOf(val []byte, keys []string) string {
	for _, key := range keys {
		if v := jsonwalk.Member(val, key); !jsonwalk.Empty(v) {
			return textOrJSON(v)
		}
	}
	return ""
}

// itemContent reads the content of a message: a text or a list of parts.
func itemContent(val []byte) (parts []llm.Part) {
	if s := jsonwalk.Str(val); s != "" {
		return []llm.Part{{Type: llm.PartText, Content: s}}
	}
	for e := jsonwalk.Array(val); e.Next(); {
		switch {
		case e.Val[0] == '"':
			parts = append(parts, llm.Part{Type: llm.PartText, Content: jsonwalk.Str(e.Val)})
		case jsonwalk.IsObject(e.Val):
			if p, ok := itemPart(e.Val); ok {
				parts = append(parts, p)
			}
		}
	}
	return parts
}

// itemPart reads one part of a message; ok is false for an empty one.
func itemPart(val []byte) (p llm.Part, ok bool) {
	switch kind := jsonwalk.Str(jsonwalk.Member(val, "type")); kind {
	case "text", "input_text", "output_text", "summary_text":
		p = llm.Part{Type: llm.PartText, Content: jsonwalk.Str(jsonwalk.Member(val, "text"))}
		return p, p.Content != ""
	case "reasoning_text":
		p = llm.Part{Type: llm.PartReasoning, Content: jsonwalk.Str(jsonwalk.Member(val, "text"))}
		return p, p.Content != ""
	case "audio", "output_audio", "input_audio":
		if s := jsonwalk.Str(jsonwalk.Member(val, "transcript")); s != "" {
			return llm.Part{Type: llm.PartText, Content: s}, true
		}
		if data := jsonwalk.Inner(jsonwalk.Member(val, "audio")); len(data) > 0 {
			return content.Blob(data, "audio", ""), true
		}
		if !jsonwalk.IsObject(jsonwalk.Member(val, "input_audio")) {
			return llm.Part{Type: kind, Modality: "audio"}, kind == "input_audio"
		}
	case "input_image":
		return mediaPart(val, "image"), true
	}
	if !complete(val) {
		return llm.Part{}, false
	}
	var one prompt
	one.part(val)
	return one.parts.Done()[0], true
}

// mediaPart reads an image by link, by data, or by the id of a file.
func mediaPart(val []byte, modality string) llm.Part {
	link := jsonwalk.Member(val, "image_url")
	if jsonwalk.IsObject(link) {
		link = jsonwalk.Member(link, "url")
	}
	p := llm.Part{Type: llm.PartFile, Modality: modality, ID: jsonwalk.Str(jsonwalk.Member(val, "file_id"))}
	if len(jsonwalk.Inner(link)) > 0 {
		p = content.Link(link, modality)
	}
	p.Detail = jsonwalk.Clip(jsonwalk.Word(jsonwalk.Member(val, "detail")), maxDetail)
	return p
}
