package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// spanned is a call and the recording that it is of.
type spanned struct {
	call *llm.Call
	of   providerstest.Recording
}

// TestRecordingsBecomeSpans plays each recording once: its call becomes one span
// that says the same.
func TestRecordingsBecomeSpans(t *testing.T) {
	recordings(t)
	all := providerstest.Recordings(t, func(providerstest.Recording) bool { return true })
	file := filepath.Join(t.TempDir(), "spans.jsonl")
	s := newStage(t, all, "tracing:\n  exporters: [{type: file, path: '"+file+"'}]\n")
	calls := map[string]spanned{}
	for _, r := range all {
		c := s.play(t, r, way{piece: 4096}).call
		calls[c.ID] = spanned{c, r}
	}
	s.stop(t)
	compareSpans(t, file, calls)
}

// exported is what this test reads of a file of OTLP JSON.
type exported struct {
	ResourceSpans []struct {
		ScopeSpans []struct {
			Spans []struct {
				SpanID     string
				Attributes []struct {
					Key   string
					Value map[string]any
				}
			}
		}
	}
}

// compareSpans checks that every call became one span that says the same.
func compareSpans(t *testing.T, file string, calls map[string]spanned) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]bool{}
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var e exported
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatal(err)
			}
			for _, rs := range e.ResourceSpans {
				for _, ss := range rs.ScopeSpans {
					for _, s := range ss.Spans {
						attrs := map[string]map[string]any{}
						for _, a := range s.Attributes {
							attrs[a.Key] = a.Value
						}
						if attrs["spanwire.inferred"] != nil {
							continue // no call: a run, or a tool
						}
						id := fmt.Sprint(attrs["spanwire.call.id"]["stringValue"])
						seen[id] = true
						compareSpan(t, attrs, calls[id])
					}
				}
			}
		}
		if err != nil {
			break
		}
	}
	for id, c := range calls {
		if !seen[id] {
			t.Errorf("%s: no span for call %s", c.of.Name, id)
		}
	}
}

func compareSpan(t *testing.T, attrs map[string]map[string]any, s spanned) {
	t.Helper()
	if s.call == nil {
		t.Errorf("a span that belongs to no call: %v", attrs)
		return
	}
	c := s.call
	if c.Kind != llm.KindLLM { // no model worked
		return
	}
	text := func(key, want string) {
		t.Helper()
		if got, _ := attrs[key]["stringValue"].(string); got != want {
			t.Errorf("%s: %s is %.200q, want %.200q", s.of.Name, key, got, want)
		}
	}
	number := func(key string, want int64, known bool) {
		t.Helper()
		got, there := attrs[key]["intValue"]
		if there != known || known && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %s is %v, want %d (known %v)", s.of.Name, key, got, want, known)
		}
	}
	text("gen_ai.response.model", c.ResponseModel)
	text("gen_ai.response.id", c.ResponseID)
	text("error.type", c.ErrorType)
	text("spanwire.usage.raw", c.UsageRaw)
	in, hasIn := c.Usage.Input()
	out, hasOut := c.Usage.Output()
	reads, hasReads := c.Usage.CacheReads()
	number("gen_ai.usage.input_tokens", in, hasIn)
	number("gen_ai.usage.output_tokens", out, hasOut)
	number("gen_ai.usage.cache_read.input_tokens", reads, hasReads)
	said := ""
	for _, m := range c.Output {
		for _, p := range m.Parts {
			if p.Type == llm.PartText {
				said += p.Content
			}
		}
	}
	if got := spokenIn(t, attrs["gen_ai.output.messages"]["stringValue"]); got != said {
		t.Errorf("%s: the span says %.200q, the call %.200q", s.of.Name, got, said)
	}
}

// spokenIn joins the text of messages in the form of the conventions.
func spokenIn(t *testing.T, v any) (said string) {
	t.Helper()
	var messages []struct {
		Parts []struct{ Type, Content string }
	}
	if s, ok := v.(string); ok {
		if err := json.Unmarshal([]byte(s), &messages); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range messages {
		for _, p := range m.Parts {
			if p.Type == llm.PartText {
				said += p.Content
			}
		}
	}
	return said
}
