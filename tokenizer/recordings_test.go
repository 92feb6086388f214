package tokenizer

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

// recording is an exchange with OpenAI's models that carries usage, read just far
// enough to count it: the readers of wire formats are other packages.
type recording struct {
	name    string
	call    llm.Call
	in, out int64 // as reported
	hasOut  bool
	style   string // chat or responses; completions; embeddings
	plain   bool   // text only: no tools, images, schema or earlier state
}

func recordings(t *testing.T) []recording {
	t.Helper()
	var list []recording
	for _, set := range []string{"exchanges", "conversations"} {
		root := shared(t, filepath.Join("traffic", set))
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() != "exchange.json" {
				return err
			}
			if r, ok := readRecording(t, filepath.Dir(path)); ok {
				r.name = filepath.Join(filepath.Base(filepath.Dir(filepath.Dir(path))), filepath.Base(filepath.Dir(path)))
				list = append(list, r)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func jsonFile(path string) (v object, ok bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	x, ok := readJSON(string(data))
	v, isObject := x.(object)
	return v, ok && isObject
}

func str(v any) string { s, _ := v.(string); return s }

func num(v any) int64 { n, _ := v.(json.Number); i, _ := n.Int64(); return i }

func readRecording(t *testing.T, dir string) (r recording, ok bool) {
	ex, ok := jsonFile(filepath.Join(dir, "exchange.json"))
	provider := str(ex.get("provider"))
	if !ok || provider != "openai" && provider != "azure" {
		return r, false
	}
	expected, ok := jsonFile(filepath.Join(dir, "expected.json"))
	if !ok {
		return r, false
	}
	req, ok := jsonFile(filepath.Join(dir, "request.body.json"))
	resp, ok2 := jsonFile(filepath.Join(dir, "response.body.json"))
	answer, _ := expected.get("response").(object)
	usage, ok3 := answer.get("usage").(object)
	if !ok || !ok2 || !ok3 {
		return r, false
	}
	r.call = llm.Call{Kind: llm.KindLLM, Status: 200, Ended: llm.EndComplete,
		RequestModel: str(req.get("model")), ResponseModel: str(answer.get("model"))}
	m := lookup(r.call.ResponseModel)
	if !m.public {
		return r, false
	}
	r.in, r.out = num(usage.get("prompt_tokens"))+num(usage.get("input_tokens")), num(usage.get("completion_tokens"))+num(usage.get("output_tokens"))
	r.plain = true
	if f, ok := req.get("response_format").(object); ok {
		if s, ok := f.get("json_schema").(object); ok {
			r.call.OutputSchema = raw(s.get("schema"))
		}
	}
	if req.get("response_format") != nil || req.get("previous_response_id") != nil || req.get("text") != nil {
		r.plain = false
	}
	endpoint := str(ex.get("endpoint"))
	r.style = endpoint
	switch {
	case endpoint == "chat/completions":
		r.chat(req, resp)
	case endpoint == "responses":
		r.responses(req, resp)
	case endpoint == "completions":
		r.call.Operation, r.hasOut = opCompletion, true
		r.call.Input = texts(req.get("prompt"))
		list, _ := resp.get("choices").([]any)
		for _, c := range list {
			o, _ := c.(object)
			r.call.Output = append(r.call.Output, said(str(o.get("text"))))
		}
	case endpoint == "embeddings":
		r.call.Operation = opEmbeddings
		r.call.Input = texts(req.get("input"))
	default:
		return r, false
	}
	return r, true
}

func said(text string) llm.Message {
	return llm.Message{Role: "assistant", Parts: []llm.Part{{Type: llm.PartText, Content: text}}}
}

func texts(v any) (ms []llm.Message) {
	switch v := v.(type) {
	case string:
		return []llm.Message{said(v)}
	case []any:
		for _, x := range v {
			switch x := x.(type) {
			case string:
				ms = append(ms, said(x))
			case []any:
				ms = append(ms, llm.Message{Parts: []llm.Part{{Type: partTokens, Size: int64(len(x))}}})
			}
		}
	}
	return ms
}

func (r *recording) content(v any) (ps []llm.Part) {
	if s, ok := v.(string); ok {
		return []llm.Part{{Type: llm.PartText, Content: s}}
	}
	list, _ := v.([]any)
	for _, x := range list {
		o, _ := x.(object)
		switch str(o.get("type")) {
		case "text", "input_text", "output_text":
			ps = append(ps, llm.Part{Type: llm.PartText, Content: str(o.get("text"))})
		default:
			r.plain = false
			ps = append(ps, llm.Part{Type: llm.PartBlob, Modality: "image"})
		}
	}
	return ps
}

func (r *recording) toolCalls(v any) (ps []llm.Part) {
	list, _ := v.([]any)
	for _, x := range list {
		o, _ := x.(object)
		f, _ := o.get("function").(object)
		ps = append(ps, llm.Part{Type: llm.PartToolCall, ID: str(o.get("id")), Name: str(f.get("name")), Arguments: str(f.get("arguments"))})
		r.plain = false
	}
	return ps
}

func (r *recording) tools(v any) {
	list, _ := v.([]any)
	for _, x := range list {
		o, _ := x.(object)
		f := o
		if g, ok := o.get("function").(object); ok {
			f = g
		}
		var params string
		if p := f.get("parameters"); p != nil {
			params = raw(p)
		}
		r.call.Tools = append(r.call.Tools, llm.Tool{Type: str(o.get("type")), Name: str(f.get("name")), Description: str(f.get("description")), Parameters: params})
		r.plain = false
	}
}

// raw writes a JSON value in the order of its keys.
func raw(v any) string {
	switch v := v.(type) {
	case object:
		var parts []string
		for _, f := range v {
			k, _ := json.Marshal(f.key)
			parts = append(parts, string(k)+":"+raw(f.value))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, raw(x))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func (r *recording) chat(req, resp object) {
	r.call.Operation, r.call.Path, r.hasOut = opChat, "/v1/chat/completions", true
	list, _ := req.get("messages").([]any)
	for _, x := range list {
		o, _ := x.(object)
		m := llm.Message{Role: str(o.get("role")), Name: str(o.get("name"))}
		if m.Role == "tool" {
			m.Parts = []llm.Part{{Type: llm.PartToolCallResponse, ID: str(o.get("tool_call_id")), Response: str(o.get("content"))}}
		} else {
			m.Parts = append(r.content(o.get("content")), r.toolCalls(o.get("tool_calls"))...)
		}
		r.call.Input = append(r.call.Input, m)
	}
	r.tools(req.get("tools"))
	r.tools(req.get("functions"))
	choices, _ := resp.get("choices").([]any)
	for _, x := range choices {
		o, _ := x.(object)
		m, _ := o.get("message").(object)
		out := llm.Message{Role: "assistant"}
		if s := str(m.get("content")); s != "" {
			out.Parts = append(out.Parts, llm.Part{Type: llm.PartText, Content: s})
		}
		if s := str(m.get("refusal")); s != "" {
			out.Parts = append(out.Parts, llm.Part{Type: llm.PartRefusal, Content: s})
		}
		out.Parts = append(out.Parts, r.toolCalls(m.get("tool_calls"))...)
		if f, ok := m.get("function_call").(object); ok {
			out.Parts = append(out.Parts, llm.Part{Type: llm.PartToolCall, Name: str(f.get("name")), Arguments: str(f.get("arguments"))})
		}
		if m.get("audio") != nil {
			r.plain = false
		}
		r.call.Output = append(r.call.Output, out)
	}
}

func (r *recording) responses(req, resp object) {
	r.call.Operation, r.call.Path, r.hasOut = opChat, "/v1/responses", true
	if s := str(req.get("instructions")); s != "" {
		r.call.System = []llm.Part{{Type: llm.PartText, Content: s}}
	}
	if s := str(req.get("input")); s != "" {
		m := said(s)
		m.Role = "user"
		r.call.Input = append(r.call.Input, m)
	}
	list, _ := req.get("input").([]any)
	for _, x := range list {
		o, _ := x.(object)
		r.call.Input = append(r.call.Input, r.item(o))
	}
	r.tools(req.get("tools"))
	out := llm.Message{Role: "assistant"}
	items, _ := resp.get("output").([]any)
	for _, x := range items {
		o, _ := x.(object)
		if kind := str(o.get("type")); kind == "message" || kind == "function_call" {
			out.Parts = append(out.Parts, r.item(o).Parts...)
		}
	}
	r.call.Output = []llm.Message{out}
}

func (r *recording) item(o object) llm.Message {
	switch str(o.get("type")) {
	case "", "message":
		return llm.Message{Role: str(o.get("role")), Parts: r.content(o.get("content"))}
	case "function_call":
		r.plain = false
		return llm.Message{Role: "assistant", Parts: []llm.Part{{Type: llm.PartToolCall, Name: str(o.get("name")), Arguments: str(o.get("arguments"))}}}
	case "function_call_output":
		r.plain = false
		return llm.Message{Role: "tool", Parts: []llm.Part{{Type: llm.PartToolCallResponse, Response: str(o.get("output"))}}}
	}
	r.plain = false
	return llm.Message{Role: "assistant", Parts: []llm.Part{{Type: str(o.get("type"))}}}
}

// TestAccuracy prints, for every recorded exchange that carries usage, how far the
// local count is from it. -v shows the table.
func TestAccuracy(t *testing.T) {
	type tally struct{ n, exact, one, five int }
	table := map[string]*tally{}
	note := func(key string, got, want int64) {
		if table[key] == nil {
			table[key] = &tally{}
		}
		x, d := table[key], max(got-want, want-got)
		x.n++
		if d == 0 {
			x.exact++
		}
		if d*100 <= want {
			x.one++
		}
		if d*20 <= want {
			x.five++
		}
	}
	c := New()
	for _, r := range recordings(t) {
		call := r.call
		c.Count(&call)
		in, _ := call.Usage.Input()
		out, _ := call.Usage.Output()
		m := lookup(call.ResponseModel)
		kind := "other"
		if r.plain {
			kind = "text only"
		} else if len(call.Tools) > 0 {
			kind = "tools"
		}
		note(fmt.Sprintf("prompt      %-17s %-6s %s", r.style, m.style.Name, kind), in, r.in)
		if r.hasOut {
			note(fmt.Sprintf("completion  %-17s %-6s %s", r.style, m.style.Name, kind), out, r.out)
		}
		if in != r.in && testing.Verbose() {
			t.Logf("%s: %s: prompt %d, reported %d (%s, tools %d)", r.name, call.ResponseModel, in, r.in, call.Usage.Source, len(call.Tools))
		}
		if out != r.out && testing.Verbose() {
			t.Logf("%s: %s: answer %d, reported %d (%s, tools %d)", r.name, call.ResponseModel, out, r.out, call.Usage.Source, len(call.Tools))
		}
	}
	keys := make([]string, 0, len(table))
	for k := range table {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		x := table[k]
		t.Logf("%-55s n %3d  exact %3d %%  within 1 %% %3d %%  within 5 %% %3d %%", k, x.n, 100*x.exact/x.n, 100*x.one/x.n, 100*x.five/x.n)
		if strings.HasPrefix(k, "prompt") && strings.HasSuffix(k, "text only") && x.exact != x.n {
			t.Errorf("%s: %d of %d are exact; the rule is exact for text", k, x.exact, x.n)
		}
	}
	if len(keys) < 6 {
		t.Errorf("only %d kinds of recordings", len(keys))
	}
}
