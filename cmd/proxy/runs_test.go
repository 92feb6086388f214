package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/fakellm"
)

// traced is a run of the program in front of the fake provider that writes spans to
// a file and keeps what it needs over a restart.
func traced(t *testing.T, dir, more string) *program {
	t.Helper()
	return start(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+fmt.Sprintf(
		"data_dir: %q\ntracing:\n  exporters: [{type: file, path: %q}]\n%s", filepath.Join(dir, "data"), filepath.Join(dir, "spans.jsonl"), more))
}

func (p *program) agent() *agent {
	return &agent{base: p.url + "/v1", out: io.Discard, http: http.DefaultClient}
}

// tree is the stable tree of what a program wrote; it has ended.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	if err := printTrees(&b, filepath.Join(dir, "spans.jsonl"), true); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const agentTree = `invoke_agent travel-agent
├─ chat gpt-4o-mini
├─ execute_tool get_weather  {"city":"Lisbon","unit":"celsius"}  → It is 17 degrees with light rain in Lisbon.
├─ execute_tool get_time  {"city":"Lisbon"}  → It is half past nine in the evening.
└─ chat gpt-4o-mini
`

// An agent that knows of nothing but a base URL is one trace.
func TestAgentIsOneTrace(t *testing.T) {
	dir := t.TempDir()
	p := traced(t, dir, "")
	if err := p.agent().run(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.stop(t)
	want := agentTree + "embeddings text-embedding-3-small\nchat fake-err-429  error rate_limit_exceeded\n"
	if got := tree(t, dir); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The same with runs.enabled: false: calls, each by itself.
func TestRunsAreSwitchedOff(t *testing.T) {
	dir := t.TempDir()
	p := traced(t, dir, "runs: {enabled: false}\n")
	if err := p.agent().run(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.stop(t)
	if got := tree(t, dir); strings.Contains(got, "─") || strings.Contains(got, "invoke_agent") || strings.Count(got, "\n") != 4 {
		t.Errorf("got\n%s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "runs.jsonl")); err == nil {
		t.Error("something was kept")
	}
}

// untilTools is a conversation after the model has asked for its tools, and the results.
func untilTools(t *testing.T, a *agent, results func(agentToolCall) string) []chatMessage {
	t.Helper()
	history := []chatMessage{{Role: "user", Content: "What should I wear in Lisbon right now?"}}
	m, err := a.ask(t.Context(), history)
	if err != nil {
		t.Fatal(err)
	}
	history = append(history, m)
	for _, c := range m.ToolCalls {
		history = append(history, chatMessage{Role: "tool", ToolCallID: c.ID, Content: results(c)})
	}
	return history
}

// The program ends between two calls of an agent, and another goes on: one trace,
// and the span of the run is the same one with more in it.
func TestRestartInTheMiddleOfARun(t *testing.T) {
	dir := t.TempDir()
	p := traced(t, dir, "")
	history := untilTools(t, p.agent(), runTool)
	p.stop(t)
	if got := tree(t, dir); got != "invoke_agent travel-agent\n└─ chat gpt-4o-mini\n" {
		t.Fatalf("before: \n%s", got)
	}
	p = traced(t, dir, "")
	if _, err := p.agent().stream(t.Context(), history); err != nil {
		t.Fatal(err)
	}
	p.stop(t)
	if got := tree(t, dir); got != agentTree {
		t.Errorf("got\n%s\nwant\n%s", got, agentTree)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "data", "runs.jsonl"))
	if err != nil || bytes.Contains(kept, []byte("Lisbon")) || bytes.Contains(kept, []byte("half past")) {
		t.Errorf("what is kept holds what was said: %v\n%s", err, kept)
	}
	if info, err := os.Stat(filepath.Join(dir, "data", "runs.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A file that cannot be read costs links, and a line in the log.
func TestUnreadableSnapshot(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "runs.jsonl"), []byte("no snapshot"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := traced(t, dir, "")
	if err := p.agent().run(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.stop(t)
	if !strings.Contains(p.err.String(), "some conversations begin anew") || !strings.HasPrefix(tree(t, dir), agentTree) {
		t.Errorf("%s\n%s", p.err.String(), tree(t, dir))
	}
}

// What was to be left out, or looks like a key, stands on no span, of tools neither,
// and not in the journal.
func TestToolContentIsLimited(t *testing.T) {
	const key, text = "sk-proj-" + "A1b2C3d4E5f6G7h8I9j0K1l2", "private words"
	for _, mode := range []string{"full", "metadata", "off"} {
		dir := t.TempDir()
		p := traced(t, dir, "content: "+mode+"\njournal: {mode: \"on\"}\naudit: {retention: 1h}\n")
		history := untilTools(t, p.agent(), func(agentToolCall) string { return text + " and " + key })
		if _, err := p.agent().stream(t.Context(), history); err != nil {
			t.Fatal(err)
		}
		p.stop(t)
		var all []byte
		err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			all = append(all, b...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(all, []byte(key)) {
			t.Errorf("%s: a key is kept", mode)
		}
		if got := bytes.Contains(all, []byte(text)); got != (mode == "full") {
			t.Errorf("%s: text is kept: %t", mode, got)
		}
		if got := tree(t, dir); strings.Count(got, "execute_tool get_") != 2 || mode != "full" && strings.Contains(got, "Lisbon") {
			t.Errorf("%s:\n%s", mode, got)
		}
	}
}

// Why a call was placed where it is, asked of a running program.
func TestRunsExplain(t *testing.T) {
	dir := t.TempDir()
	p := traced(t, dir, "")
	if err := p.agent().run(t.Context()); err != nil {
		t.Fatal(err)
	}
	explain := func(call string) (string, error) {
		var out, errs output
		err := run(context.Background(), []string{"runs", "explain", call, "--admin", p.at.admin, "--config", writeConfig(t, "")}, settings{stdout: &out, stderr: &errs})
		return out.String() + errs.String(), err
	}
	id := ""
	for id == "" {
		p.calls.mu.Lock()
		for _, c := range p.calls.calls {
			if c.Stream {
				id = c.ID
			}
		}
		p.calls.mu.Unlock()
		if id == "" {
			<-p.calls.more
		}
	}
	text, err := explain(id)
	if err != nil {
		t.Fatal(text, err)
	}
	for _, want := range []string{"call " + id, "tool_call_id", "certain", "turn 2", "get_weather, get_time ran before it", "taken"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "Lisbon") {
		t.Errorf("an explanation quotes what was said:\n%s", text)
	}
	if text, err := explain("none"); err == nil || !strings.Contains(text, "no such call") {
		t.Errorf("%v %s", err, text)
	}
	resp, body, err := send(t, "GET", "http://"+p.at.admin+"/runs/explain?format=json&call="+id, "")
	var x struct{ Parent, Run string }
	if err != nil || resp.StatusCode != 200 || json.Unmarshal([]byte(body), &x) != nil || x.Parent == "" || x.Run != x.Parent {
		t.Errorf("%v %s", err, body)
	}
	p.stop(t)
}

func TestTreeOfAnything(t *testing.T) {
	f := func(lines, want string) {
		t.Helper()
		spans, err := readSpans(strings.NewReader(lines))
		var b strings.Builder
		if err == nil {
			err = writeTrees(&b, spans, true)
		}
		if got := b.String(); err != nil && want != "error" || err == nil && got != want {
			t.Errorf("%s\ngot %q, %v", lines, got, err)
		}
	}
	line := func(spans ...string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + "]}]}]}\n"
	}
	f("", "")
	f("\n\n", "")
	f("no json", "error")
	f(line(`{"traceId":"1","spanId":"a","name":"x"}`), "x\n")
	f(line(`{"traceId":"1","spanId":"a","parentSpanId":"gone","name":"x\u001b[31m\ny"}`), "x [31m y\n")
	f(line(`{"traceId":"1","spanId":"a","name":"x"}`)+line(`{"traceId":"1","spanId":"a","name":"later"}`), "later\n")
	f(line(`{"traceId":"1","spanId":"b","parentSpanId":"a","name":"b","startTimeUnixNano":"2"}`, `{"traceId":"1","spanId":"c","parentSpanId":"a","name":"c","startTimeUnixNano":"1"}`,
		`{"traceId":"1","spanId":"a","name":"a"}`), "a\n├─ c\n└─ b\n")
	// Spans that are each other's parents are nobody's root, and end no program.
	f(line(`{"traceId":"1","spanId":"a","parentSpanId":"b","name":"a"}`, `{"traceId":"1","spanId":"b","parentSpanId":"a","name":"b"}`), "")
}
