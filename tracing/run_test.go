package tracing_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/tracing"
)

type jsonSpan struct {
	TraceID, SpanID, ParentSpanID, Name string
	Kind                                int
	StartTimeUnixNano, EndTimeUnixNano  string
	Attributes                          []struct {
		Key   string
		Value map[string]any
	}
	Links  []struct{ TraceID, SpanID string }
	Status struct{ Code int }
}

func (s *jsonSpan) attr(key string) any {
	for _, a := range s.Attributes {
		if a.Key == key {
			for _, v := range a.Value {
				return v
			}
		}
	}
	return nil
}

// exportedSpans sends calls through a file exporter and reads the spans back.
func exportedSpans(t *testing.T, calls ...*llm.Call) (spans []jsonSpan) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spans.jsonl")
	cfg := tracing.DefaultConfig()
	cfg.Exporters = []tracing.Exporter{{Type: "file", Path: path}}
	tr, err := tracing.New(cfg, tracing.Settings{Env: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Consume(t.Context(), calls); err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []jsonSpan } }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		for _, rs := range e.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				spans = append(spans, ss.Spans...)
			}
		}
	}
	return spans
}

// One call with two inferred pieces, and the run that it is of.
func TestSpansOfARun(t *testing.T) {
	began := time.Unix(1_800_000_000, 0)
	root := llm.SpanRef{Trace: [16]byte{1, 2}, Span: [8]byte{3}}
	c := sinktest.Call(1)
	c.Attribution.Session = ""
	c.Place = llm.Place{Trace: root.Trace, Span: [8]byte{9}, Parent: root.Span, Flags: 1, ParentCall: "call-0"}
	c.Run = &llm.Run{
		ID: "call-0", Session: "call-00", Turn: 2, RetryOf: "call-1", Root: root, Evidence: []string{"prefix"}, Confidence: llm.Certain,
		Links: []llm.SpanRef{{Trace: [16]byte{7}, Span: [8]byte{8}}},
		Inferred: []llm.Inferred{
			{
				Operation: "execute_tool", Call: "call-0", Run: "call-5", Start: began, End: began.Add(time.Second), Duration: 400 * time.Millisecond,
				Parts: []llm.Part{
					{Type: llm.PartToolCall, ID: "t1", Name: "look", Arguments: `{"q":"x"}`},
					{Type: llm.PartToolCallResponse, ID: "t1", Response: "found\x00"},
				},
				Evidence: []string{"tool_call_id"}, Confidence: llm.Certain, Span: llm.SpanRef{Trace: root.Trace, Span: [8]byte{4}}, Above: root.Span,
			},
			{Operation: "retrieval", Call: "call-e", Start: began, End: began.Add(time.Second), Span: llm.SpanRef{Trace: root.Trace, Span: [8]byte{5}}, Above: root.Span},
			{Operation: "execute_tool", Call: "call-0", Parts: []llm.Part{{Name: "in a foreign trace"}, {}}},
		},
	}
	run := &llm.Call{
		ID: "run-call-0", Kind: llm.KindRun, Operation: "invoke_agent", Start: began, End: began.Add(2 * time.Second),
		Place: llm.Place{Trace: root.Trace, Span: root.Span, Flags: 1}, Run: &llm.Run{ID: "call-0", Session: "call-00", Turn: 2},
		Attribution: llm.Attribution{Agent: "scout", Team: "t"},
	}
	run.SetAttr("spanwire.run.calls", int64(2))
	spans := exportedSpans(t, c, run)
	if len(spans) != 4 {
		t.Fatalf("%d spans: %+v", len(spans), spans)
	}
	id := func(b ...byte) string { var s [8]byte; copy(s[:], b); return hex.EncodeToString(s[:]) }
	tool, retrieval, chat, top := spans[0], spans[1], spans[2], spans[3]
	if tool.Name != "execute_tool look" || tool.Kind != 1 || tool.SpanID != id(4) || tool.ParentSpanID != id(3) || tool.TraceID != chat.TraceID {
		t.Errorf("tool %+v", tool)
	}
	for key, want := range map[string]any{
		"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look", "gen_ai.tool.call.id": "t1", "gen_ai.tool.call.arguments": `{"q":"x"}`,
		"spanwire.inferred": true, "spanwire.confidence": "certain", "spanwire.parent.call.id": "call-0", "spanwire.run.id": "call-0",
		"spanwire.tool.duration": 0.4, "spanwire.tool.run.id": "call-5", "spanwire.session.inferred": true, "spanwire.call.id": nil,
	} {
		if got := tool.attr(key); got != want {
			t.Errorf("tool: %s is %v, want %v", key, got, want)
		}
	}
	if got, _ := tool.attr("gen_ai.tool.call.result").(string); !strings.HasPrefix(got, "found") {
		t.Errorf("result %q", got)
	}
	c.Run.Inferred[0].Parts[1].Failed = true
	if s := exportedSpans(t, c)[0]; s.Status.Code != 2 || s.attr("error.type") != "tool_error" || tool.Status.Code != 0 {
		t.Errorf("a tool that failed: %+v", s)
	}
	if retrieval.Name != "retrieval" || retrieval.Kind != 3 || retrieval.attr("spanwire.parent.call.id") != "call-e" {
		t.Errorf("retrieval %+v", retrieval)
	}
	if chat.ParentSpanID != id(3) || chat.attr("spanwire.run.turn") != "2" || chat.attr("spanwire.retry.of") != "call-1" || chat.attr("spanwire.inferred") != nil {
		t.Errorf("chat %+v", chat)
	}
	if len(chat.Links) != 1 || chat.Links[0].SpanID != id(8) || chat.Links[0].TraceID != hex.EncodeToString([]byte{7, 15: 0}) {
		t.Errorf("links %+v", chat.Links)
	}
	if top.Name != "invoke_agent scout" || top.Kind != 1 || top.ParentSpanID != "" || top.SpanID != id(3) || top.attr("spanwire.run.calls") != "2" || top.attr("spanwire.inferred") != true {
		t.Errorf("run %+v", top)
	}
	// Nobody counts twice: the sums are under other names than those of calls.
	for _, a := range append(top.Attributes, tool.Attributes...) {
		if strings.HasPrefix(a.Key, "gen_ai.usage") || strings.HasPrefix(a.Key, "spanwire.usage") || strings.HasPrefix(a.Key, "spanwire.cost") {
			t.Errorf("%s stands on a span that is no call", a.Key)
		}
	}
}

// A named session is the conversation, and none is inferred beside it.
func TestNamedSessionIsNotInferred(t *testing.T) {
	c := sinktest.Call(1)
	c.Attribution.Session = "mine"
	c.Run = &llm.Run{ID: "a", Session: "b", Turn: 1}
	s := exportedSpans(t, c)[0]
	if s.attr("gen_ai.conversation.id") != "mine" || s.attr("spanwire.session.id") != nil || s.attr("spanwire.session.inferred") != nil {
		t.Errorf("%+v", s)
	}
}

// Runs are not calls: no metric counts them.
func TestRunsAreNotCountedAsCalls(t *testing.T) {
	cfg := tracing.DefaultConfig()
	tr, err := tracing.New(cfg, tracing.Settings{Env: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close(context.Background())
	run := &llm.Call{ID: "run-1", Kind: llm.KindRun, Operation: "invoke_agent"}
	tr.Count([]*llm.Call{run})
	if err := tr.Consume(t.Context(), []*llm.Call{run}); err != nil {
		t.Fatal(err)
	}
	if text := scrape(t, tr); strings.Contains(text, "invoke_agent") || strings.Contains(text, "spanwire_calls_total{") {
		t.Errorf("counted:\n%s", text)
	}
}
