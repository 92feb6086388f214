package runs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/runs"
)

// spanned gives calls spans, as they have in the program, and what they used.
func spanned(c *llm.Call) {
	c.Place.Trace[0], c.Place.Span[0], c.Place.Flags = 1+c.ID[len(c.ID)-1], 1+c.ID[len(c.ID)-1], 3
	c.Usage.Set(llm.UncachedInput, 10)
	c.Usage.Set(llm.OutputText, 5)
	c.Usage.Source = llm.UsageReported
}

// restart is another process that knows what the first one saved.
func (a *agent) restart() (snapshot string) {
	a.t.Helper()
	var b bytes.Buffer
	if err := a.linker.Save(&b, asItIs); err != nil {
		a.t.Fatal(err)
	}
	snapshot = b.String()
	a.linker = runs.New(runs.DefaultConfig())
	if err := a.linker.Load(&b); err != nil {
		a.t.Fatal(err)
	}
	return snapshot
}

// An agent that was in the middle of a run goes on in it: same trace, same span of
// the run, its tool between. What was said is not in the snapshot.
func TestRestartWithinARun(t *testing.T) {
	a := newAgent(t)
	done := func(c *llm.Call) *llm.Call { a.linker.Done(c); return c }
	ask, answer := asks(idA, "search", `{"q":"secret plans"}`), model("These are the secret plans, all of them, word by word.")
	history := talk(user("Find the secret plans"))
	c0 := done(a.call(history, ask, spanned))
	first := a.linker.Ended(time.Now(), true)
	snapshot := a.restart()
	for _, word := range []string{"secret", "plans", "word by"} {
		if strings.Contains(snapshot, word) {
			t.Errorf("the snapshot holds what was said: %s", snapshot)
		}
	}
	history = append(history, ask, result(idA, "found"))
	c1 := done(a.call(history, answer, spanned))
	if c1.Place.ParentCall != c0.ID || c1.Run.ID != c0.ID || c1.Run.Turn != 2 || c1.Place.Trace != c0.Place.Trace || c1.Place.Parent != c0.Place.Parent {
		t.Fatalf("after a restart: %+v %+v", c1.Place, c1.Run)
	}
	if len(c1.Run.Inferred) != 1 || c1.Run.Inferred[0].Parts[0].Arguments != `{"q":"secret plans"}` || c1.Run.Inferred[0].Span == (llm.SpanRef{}) {
		t.Errorf("tools %+v", c1.Run.Inferred)
	}
	again := a.linker.Ended(time.Now(), true)
	if len(first) != 1 || len(again) != 1 || again[0].Place != first[0].Place || again[0].ID != first[0].ID {
		t.Fatalf("runs %+v, %+v", first, again)
	}
	if n := attrOf(again[0], "spanwire.run.calls"); n != int64(2) {
		t.Errorf("%v calls in the run", n)
	}
	if n := attrOf(again[0], "spanwire.run.usage.input_tokens"); n != int64(20) {
		t.Errorf("%v tokens in the run", n)
	}
	if !again[0].Start.Equal(c0.Start) || !again[0].End.Equal(c1.End) {
		t.Errorf("the run lasts from %v to %v", again[0].Start, again[0].End)
	}
	// The tool is not told twice, whoever sends its result once more.
	a.restart()
	if c := a.call(history, answer, spanned); len(c.Run.Inferred) != 0 {
		t.Errorf("told again: %+v", c.Run.Inferred)
	}
}

// Words alone: an answer that came back as it was is known by its digest, another
// one is not taken for it.
func TestRestartWithinAConversation(t *testing.T) {
	f := func(name, back string, linked bool) {
		t.Helper()
		a := newAgent(t)
		a.call(talk(user("Hello")), model("Hi, who is there?"))
		a.restart()
		c := a.call(talk(user("Hello"), model(back), user("Me")), model("Ah"))
		if got := c.Place.ParentCall == "0"; got != linked {
			t.Errorf("%s: parent %q", name, c.Place.ParentCall)
		}
	}
	f("the same", "Hi, who is there?", true)
	f("another", "Good day", false)
	f("cut", "Hi, who", false)
}

// After a crash there is only what was saved last: the span of a run that was open
// then is handed out when it is due.
func TestRunsOfACrash(t *testing.T) {
	a := newAgent(t)
	c := a.call(talk(user("Find it")), asks(idA, "search", `{}`), spanned)
	a.linker.Done(c)
	a.restart()
	cfg := runs.DefaultConfig()
	if due := a.linker.Ended(c.End.Add(cfg.Idle-time.Second), false); len(due) != 0 {
		t.Errorf("due too early: %+v", due)
	}
	if due := a.linker.Ended(c.End.Add(cfg.Idle), false); len(due) != 1 || due[0].Place.Span != c.Place.Parent {
		t.Errorf("due %+v", due)
	}
}

func TestSnapshotsThatAreNone(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		err := runs.New(runs.Config{}).Load(strings.NewReader(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	f("", "")
	f("{}\n", "not a snapshot")
	f(`{"format":"spanwire-runs/9"}`, "another version")
	f("{\"format\":\"spanwire-runs/1\"}\n{\"call\":{\"id\":\"1\",\"run\":\"gone\"}}\n", "")
	f("{\"format\":\"spanwire-runs/1\"}\nhalf a li", "line 2")
	f("{\"format\":\"spanwire-runs/1\"}\n{\"run\":{\"id\":\"x\",\"trace\":\"zz\"}}", "line 2")
	f(strings.Repeat("x", 2<<20), "too long")
}

// FuzzLoad loads whatever stands in a file and goes on with it.
func FuzzLoad(f *testing.F) {
	var b bytes.Buffer
	linker := runs.New(runs.Config{})
	c := &llm.Call{ID: "0", Kind: llm.KindLLM, Status: 200, Start: began, End: began, Input: talk(user("Hello")), Output: talk(asks(idA, "get", "{}"))}
	spanned(c)
	linker.Place(c)
	linker.Done(c)
	if err := linker.Save(&b, asItIs); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		linker := runs.New(runs.Config{})
		if err := linker.Load(bytes.NewReader(data)); err != nil {
			t.Log(err)
		}
		c := &llm.Call{ID: "1", Kind: llm.KindLLM, Status: 200, Start: began.Add(time.Second), End: began.Add(time.Second), Input: talk(user("Hello"), asks(idA, "get", "{}"), result(idA, "x"))}
		spanned(c)
		linker.Place(c)
		linker.Done(c)
		linker.Ended(began.Add(time.Hour), false)
		if err := linker.Save(&bytes.Buffer{}, asItIs); err != nil {
			t.Error(err)
		}
	})
}

// What a run cost is one amount where its calls are priced in one currency, and never a
// sum of several; after a restart as well.
func TestRunCosts(t *testing.T) {
	f := func(restart bool, want map[string]any, costs ...llm.Cost) {
		t.Helper()
		a := newAgent(t)
		history := talk(user("Look it up"))
		for i, cost := range costs {
			if i > 0 {
				history = append(history, asks(fmt.Sprint("call_", i), "search", "{}"), result(fmt.Sprint("call_", i), "found"))
			}
			answer := asks(fmt.Sprint("call_", i+1), "search", "{}")
			if i == len(costs)-1 {
				answer = model("Done.")
			}
			a.linker.Done(a.call(history, answer, spanned, func(c *llm.Call) { c.Cost = cost }))
			if restart && i == len(costs)-2 {
				a.restart()
			}
		}
		ended := a.linker.Ended(time.Now(), true)
		if len(ended) != 1 || attrOf(ended[0], "spanwire.run.calls") != int64(len(costs)) {
			t.Fatalf("%+v", ended)
		}
		for _, key := range []string{"usd", "total", "currency", "unknown"} {
			key = "spanwire.run.cost." + key
			if got := attrOf(ended[0], key); got != want[key] {
				t.Errorf("%v: %s is %v, want %v", costs, key, got, want[key])
			}
		}
		if got := attrOf(ended[0], "spanwire.run.costs"); !reflect.DeepEqual(got, want["spanwire.run.costs"]) {
			t.Errorf("%v: costs are %v, want %v", costs, got, want["spanwire.run.costs"])
		}
	}
	cost := func(n llm.Pico, c llm.Currency) llm.Cost {
		return llm.Cost{Source: llm.CostTable, Total: n * 1_000_000_000, Currency: c}
	}
	free, unset := cost(0, llm.USD), llm.Cost{Source: llm.CostUnset}
	for _, restart := range []bool{false, true} {
		f(restart, map[string]any{"spanwire.run.cost.usd": "0.003"}, cost(1, ""), cost(2, ""))
		f(restart, map[string]any{"spanwire.run.cost.usd": "0"}, free, free)
		f(restart, map[string]any{"spanwire.run.cost.total": "0.003", "spanwire.run.cost.currency": "CNY"}, cost(1, "CNY"), cost(2, "CNY"))
		f(restart, map[string]any{"spanwire.run.cost.total": "0.001", "spanwire.run.cost.currency": "CNY", "spanwire.run.cost.unknown": int64(1)}, cost(1, "CNY"), unset)
		f(restart, map[string]any{"spanwire.run.costs": []string{"0.002 USD", "0.004 CNY", "0.005 EUR"}}, cost(1, "CNY"), cost(2, ""), cost(3, "CNY"), cost(5, "EUR"))
		f(restart, map[string]any{"spanwire.run.cost.unknown": int64(2)}, unset, unset)
	}
}

func attrOf(c *llm.Call, key string) any {
	for _, a := range c.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

func asItIs(line string) string { return line }

// What must not be on a disk is taken out of every line; one that is none without
// it is left out, and the others are read again.
func TestSnapshotHides(t *testing.T) {
	linker := runs.New(runs.DefaultConfig())
	place := func(id, model string) {
		linker.Place(&llm.Call{
			ID: id, Kind: llm.KindLLM, Operation: "chat", Status: 200, RequestModel: model,
			Start: began, FirstByte: began, End: began,
			Input: []llm.Message{user("What is the weather in " + id + "?")}, Output: []llm.Message{asks(idA, "weather", `{"city":"Paris"}`)},
		})
	}
	place("first", "SECRET")
	place("second", "spoilt")
	hide := func(line string) string {
		if strings.Contains(line, "spoilt") {
			return line[:len(line)/2]
		}
		return strings.ReplaceAll(line, "SECRET", "[redacted]")
	}
	var b bytes.Buffer
	if err := linker.Save(&b, hide); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.Contains(text, "SECRET") || !strings.Contains(text, "[redacted]") || strings.Contains(text, "spoilt") {
		t.Errorf("saved:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	if err := runs.New(runs.DefaultConfig()).Load(&b); err != nil {
		t.Errorf("load: %v", err)
	}
}
