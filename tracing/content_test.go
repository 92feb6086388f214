package tracing

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
)

// These tests look inside: what they are about has no other way out than a whole
// export, and fuzzing needs thousands a second.

// decode reads a span back and checks what must hold of any.
func decode(t *testing.T, b []byte) (*tracepb.Span, map[string]string) {
	t.Helper()
	s := &tracepb.Span{}
	if err := proto.Unmarshal(b, s); err != nil {
		t.Fatalf("the span cannot be read: %v", err)
	}
	texts := map[string]string{}
	seen := map[string]bool{}
	for _, kv := range s.Attributes {
		if seen[kv.Key] {
			t.Errorf("attribute %q is there twice", kv.Key)
		}
		seen[kv.Key] = true
		texts[kv.Key] = kv.Value.GetStringValue()
		if isContent(kv.Key) {
			checkContent(t, kv.Key, texts[kv.Key])
		}
	}
	return s, texts
}

// checkContent holds content to what strict readers ask of it.
func checkContent(t *testing.T, key, text string) {
	t.Helper()
	if !json.Valid([]byte(text)) || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		t.Fatalf("%s is not valid JSON: %.300q", key, text)
	}
	var list []struct {
		Role, Type, Name *string
		Parts            *[]map[string]any
		FinishReason     *string `json:"finish_reason"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%s has not the form of its schema: %v in %.300q", key, err, text)
	}
	for _, e := range list {
		switch {
		case key == keySystem && e.Type == nil, key == keyTools && (e.Type == nil || e.Name == nil):
			t.Fatalf("%s has an element without its type or name: %.300q", key, text)
		case key == keyInput || key == keyOutput:
			if e.Role == nil || e.Parts == nil || (e.FinishReason == nil) == (key == keyOutput) {
				t.Fatalf("%s has a message without role, parts or finish_reason: %.300q", key, text)
			}
			for _, p := range *e.Parts {
				checkPart(t, p)
			}
		}
	}
}

func checkPart(t *testing.T, p map[string]any) {
	t.Helper()
	required := map[string][]string{
		"text": {"content"}, "reasoning": {"content"}, "tool_call": {"name"}, "tool_call_response": {"response"},
		"server_tool_call": {"name", "server_tool_call"}, "server_tool_call_response": {"server_tool_call_response"},
		"blob": {"modality", "content"}, "uri": {"modality", "uri"}, "file": {"modality", "file_id"},
	}
	kind, ok := p["type"].(string)
	if !ok {
		t.Fatalf("a part has no type: %v", p)
	}
	for _, name := range required[kind] {
		if _, ok := p[name]; !ok {
			t.Fatalf("a %s part has no %s: %v", kind, name, p)
		}
	}
}

// A tool that the provider ran itself is told apart from one that the caller is to run,
// and a result that is an error says so (telemetry reference, section 3).
func TestServerTools(t *testing.T) {
	c := &llm.Call{Kind: llm.KindLLM, Content: llm.ContentFull, Output: []llm.Message{{Role: "assistant", FinishReason: "stop", Parts: []llm.Part{
		{Type: llm.PartServerToolCall, ID: "s1", Name: "web_search", Arguments: `{"query":"x"}`},
		{Type: llm.PartServerToolCallResponse, ID: "s1", Name: "web_search", Response: "gone", Failed: true},
		{Type: llm.PartToolCallResponse, ID: "c1", Response: "no", Failed: true},
	}}}}
	want := `[{"role":"assistant","parts":[` +
		`{"type":"server_tool_call","id":"s1","name":"web_search","server_tool_call":{"type":"web_search","arguments":{"query":"x"}}},` +
		`{"type":"server_tool_call_response","id":"s1","name":"web_search","server_tool_call_response":{"type":"web_search","response":"gone"},"is_error":true},` +
		`{"type":"tool_call_response","id":"c1","response":"no","is_error":true}],"finish_reason":"stop"}]`
	if _, texts := decode(t, newEncoder(DefaultConfig()).encode(c)); texts[keyOutput] != want {
		t.Errorf("%s\nwant\n%s", texts[keyOutput], want)
	}
	c.Content = llm.ContentMetadata
	if _, texts := decode(t, newEncoder(DefaultConfig()).encode(c)); strings.Contains(texts[keyOutput], "gone") || strings.Contains(texts[keyOutput], `"query"`) {
		t.Errorf("metadata holds content: %s", texts[keyOutput])
	}
}

func FuzzContent(f *testing.F) {
	f.Add("user", "text", "hello", `{"a":1}`, 64, false)
	f.Add("", "tool_call", "\xff\xfe", `{"a":"\u0000"}`, 200, true)
	f.Add("tool", "tool_call_response", strings.Repeat("\U0001F600\\\"\n", 100), strings.Repeat(`{"a":[`, 200), 100, false)
	f.Add("x\x00", "blob", "aGVsbG8=", `{"a":"\ud83d\ude00`+strings.Repeat(`\ud83d\ude00`, 40)+`"}`, 90, false)
	f.Add("web_search", "server_tool_call", "s1", `{"query":"x"}`, 80, false)
	f.Add("x", "uri", "\u2028", "{\"k\" :\n\"v\"}", 70, true)
	f.Fuzz(func(t *testing.T, role, kind, text, arguments string, limit int, metadata bool) {
		cfg := DefaultConfig()
		cfg.Limits.ContentBytes = max(min(limit, 1<<16), minValue)
		c := &llm.Call{Kind: llm.KindLLM, Content: llm.ContentFull}
		if metadata {
			c.Content = llm.ContentMetadata
		}
		part := llm.Part{Type: kind, Content: text, Name: role, ID: text, Arguments: arguments, Response: text, MIMEType: role, Modality: "", URI: text}
		c.System = []llm.Part{part}
		c.Input = []llm.Message{{Role: role, Name: text, Parts: []llm.Part{part, {Type: llm.PartToolCall, Arguments: arguments}}}, {}}
		c.Output = []llm.Message{{Role: role, FinishReason: kind, Parts: []llm.Part{part}}}
		c.Tools = []llm.Tool{{Type: kind, Name: role, Description: text, Parameters: arguments}}
		b := newEncoder(cfg).encode(c)
		_, texts := decode(t, b)
		for key, text := range texts {
			if isContent(key) && len(text) > cfg.Limits.ContentBytes {
				t.Errorf("%s has %d bytes, more than %d", key, len(text), cfg.Limits.ContentBytes)
			}
			if key == keyInput && metadata && len(arguments) > 20 && strings.Contains(text, arguments) {
				t.Errorf("metadata holds content: %.300q", text)
			}
		}
		if short, ok := shortenSpan(b, len(b)/2); ok {
			decode(t, short)
		}
	})
}

func FuzzShrinkJSON(f *testing.F) {
	f.Add(`[{"a":"bcd","e":["f","g"]},"hi",{"long":"`+strings.Repeat("x", 100)+`"}]`, 40)
	f.Add(`{"a":"`+strings.Repeat(`\ud83d\ude00`, 20)+`"}`, 30)
	f.Add(`["`+strings.Repeat(`é\\`, 20)+`"]`, 20)
	f.Add(`[1,2,3,[4,5,{"a":[]}],6,7]`, 9)
	f.Add(`12345678901234567890`, 5)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = max(limit, 4)
		if !json.Valid([]byte(text)) {
			shrinkJSON([]byte(text), limit) // must not panic
			return
		}
		out, cut := shrinkJSON([]byte(text), limit)
		if !json.Valid(out) || len(out) > limit || cut != len(text)-len(out) {
			t.Errorf("%.200q to %d bytes is %.200q, %d cut", text, limit, out, cut)
		}
		if utf8.ValidString(text) && !utf8.Valid(out) {
			t.Errorf("%.200q to %d bytes splits a character: %.200q", text, limit, out)
		}
	})
}

// TestShrinkKeepsTheEnds shows that when there are too many messages the first and
// the latest ones stay.
func TestShrinkKeepsTheEnds(t *testing.T) {
	var list []string
	for i := range 1000 {
		list = append(list, strings.Repeat(string(rune('a'+i%26)), i%9+1))
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := shrinkJSON(text, 1000)
	var kept []string
	if err := json.Unmarshal(out, &kept); err != nil {
		t.Fatal(err)
	}
	if len(kept) < 200 || len(kept) > 999 || len(out) > 1000 {
		t.Fatalf("%d elements are left in %d bytes", len(kept), len(out))
	}
}

func TestEscapes(t *testing.T) {
	f := func(s string) {
		t.Helper()
		var got string
		if err := json.Unmarshal(appendText(nil, s), &got); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		want := strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		if got != want {
			t.Errorf("%q became %q", s, got)
		}
	}
	for c := range 256 {
		// At each place within a group of eight, and after one.
		for at := range 17 {
			text := []byte("abcdefghijklmnopq")
			text[at] = byte(c)
			f(string(text))
		}
	}
	f("")
	f("é\u2028\U0001F600")
	f(strings.Repeat("plain ", 100) + "\"")
}

// TestEncoderIsReused shows that one call leaves nothing in the span of the next.
func TestEncoderIsReused(t *testing.T) {
	e := newEncoder(DefaultConfig())
	want := bytes.Clone(e.encode(sinktest.Call(1)))
	for _, c := range sinktest.Hostile() {
		decode(t, e.encode(c))
	}
	if got := e.encode(sinktest.Call(1)); !bytes.Equal(got, want) {
		t.Error("the same call is another span after other calls")
	}
}

// TestShortenSpan cuts a span again and again and keeps it readable.
func TestShortenSpan(t *testing.T) {
	c := sinktest.Call(1)
	c.Input[0].Parts[0].Content = strings.Repeat("line \"of\" text é\n", 20_000)
	c.Output[0].Parts[0].Content = strings.Repeat("x", 50_000)
	c.UsageRaw = strings.Repeat("r", 30_000)
	b := bytes.Clone(newEncoder(DefaultConfig()).encode(c))
	for len(b) > 3000 {
		short, ok := shortenSpan(b, len(b)/2)
		if !ok {
			break
		}
		if len(short) > len(b)*3/4 {
			t.Fatalf("%d bytes were cut to %d only", len(b), len(short))
		}
		b = short
		decode(t, b)
	}
	if len(b) > 5000 {
		t.Errorf("%d bytes are left", len(b))
	}
	s, _ := decode(t, b)
	if s.Name != "chat gpt-4o-mini" || len(s.TraceId) != 16 {
		t.Error("more than content was lost")
	}
}

// TestAllocations: once its buffers have grown, encoding a call allocates the texts
// of its amounts and little else.
func TestAllocations(t *testing.T) {
	e := newEncoder(DefaultConfig())
	c := sinktest.Call(1)
	if n := testing.AllocsPerRun(100, func() { e.encode(c) }); n > 6 {
		t.Errorf("%v allocations a span", n)
	}
}
