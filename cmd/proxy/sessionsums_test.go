package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A conversation of two questions to an agent, with a restart between: each run's span
// says how the session stands, and none of it is usage that a backend adds up.
func TestRunsTellHowTheirSessionStands(t *testing.T) {
	dir := t.TempDir()
	p := traced(t, dir, "")
	history := untilTools(t, p.agent(), runTool)
	answer, err := p.agent().stream(t.Context(), history)
	if err != nil {
		t.Fatal(err)
	}
	p.stop(t)
	p = traced(t, dir, "")
	history = append(history, chatMessage{Role: "assistant", Content: answer}, chatMessage{Role: "user", Content: "And in Porto, what should I wear there?"})
	if _, err := p.agent().ask(t.Context(), history); err != nil {
		t.Fatal(err)
	}
	p.stop(t)
	f, err := os.Open(filepath.Join(dir, "spans.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	spans, err := readSpans(f)
	if err != nil {
		t.Fatal(err)
	}
	var calls, runs []any
	for _, s := range spans {
		if s.attrs["gen_ai.operation.name"] != "invoke_agent" {
			continue
		}
		runs = append(runs, s.attrs["spanwire.session.run"])
		calls = append(calls, s.attrs["spanwire.session.calls"])
		for key := range s.attrs {
			if key == "gen_ai.usage.input_tokens" || key == "gen_ai.usage.cost" {
				t.Errorf("a run has %s", key)
			}
		}
		for _, key := range []string{"id", "start", "cost.usd", "usage.input_tokens", "usage.output_tokens"} {
			if s.attrs["spanwire.session."+key] == nil {
				t.Errorf("a run has no %s of its session: %v", key, s.attrs)
			}
		}
		if s.attrs["spanwire.run.context.input_tokens"] == nil {
			t.Errorf("a run has no context: %v", s.attrs)
		}
	}
	if got := fmt.Sprint(runs, calls); got != "[1 2] [2 3]" {
		t.Errorf("numbers and calls: %s", got)
	}
}
