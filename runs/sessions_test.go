package runs_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/runs"
)

// costing is a call of so many tokens in, 5 out, and a micro-dollar for each.
func costing(in int64) func(*llm.Call) {
	return func(c *llm.Call) {
		spanned(c)
		c.Usage.Set(llm.UncachedInput, in)
		c.Cost = llm.Cost{Source: llm.CostTable, Status: llm.CostOK, Total: llm.PicoUSD((in + 5) * 1e6)}
	}
}

// done places a call and hands it on.
func (a *agent) done(input []llm.Message, output llm.Message, change ...func(*llm.Call)) *llm.Call {
	a.t.Helper()
	c := a.call(input, output, change...)
	a.linker.Done(c)
	return c
}

// sessionOf are the attributes of a run that tell of its session.
func sessionOf(c *llm.Call) map[string]any {
	all := map[string]any{}
	for _, at := range c.Attrs {
		if name, ok := strings.CutPrefix(at.Key, "spanwire.session."); ok {
			all[name] = at.Value
		}
	}
	return all
}

func (a *agent) ended(n int) []*llm.Call {
	a.t.Helper()
	all := a.linker.Ended(began.Add(time.Hour), true)
	if len(all) != n {
		a.t.Fatalf("%d runs ended, not %d", len(all), n)
	}
	return all
}

func (a *agent) stands(run *llm.Call, want map[string]any) {
	a.t.Helper()
	if got := sessionOf(run); !maps.Equal(got, want) {
		a.t.Errorf("the session stands at %v, want %v", got, want)
	}
}

// A conversation: a plain question, then an agent's run, then another. Each run tells
// what the conversation came to by its end, in its own words and not as usage.
func TestSessionsGrowRunByRun(t *testing.T) {
	a := newAgent(t)
	start := began.UTC().Format(time.RFC3339Nano)
	history := talk(user("Hello, who is there?"))
	a.done(history, model("It is me, your helper."), costing(10))
	history = append(history, model("It is me, your helper."), user("Find it"))
	ask := asks(idA, "search", `{"q":1}`)
	a.done(history, ask, costing(20))
	history = append(history, ask, result(idA, "found"))
	a.done(history, model("Here it is."), costing(30))
	first := a.ended(1)[0]
	a.stands(first, map[string]any{
		"start": start, "run": int64(2), "calls": int64(3), "usage.input_tokens": int64(60), "usage.output_tokens": int64(15), "cost.usd": "0.000075",
	})
	if n := attrOf(first, "spanwire.run.context.input_tokens"); n != int64(30) {
		t.Errorf("the context is %v", n)
	}
	if first.Usage.Known() || attrOf(first, "spanwire.run.calls") != int64(2) {
		t.Errorf("run %v, usage %+v", first.Attrs, first.Usage)
	}

	a.restart()
	history = append(history, model("Here it is."), user("And the other one"))
	again := asks(idB, "search", `{"q":2}`)
	a.done(history, again, costing(40), func(c *llm.Call) { c.Usage, c.Cost = llm.Usage{}, llm.Cost{} })
	history = append(history, again, result(idB, "found too"))
	a.done(history, model("Here."), costing(50), func(c *llm.Call) { c.ErrorType = "cut" })
	all := a.ended(1)
	a.stands(all[0], map[string]any{
		"start": start, "run": int64(3), "calls": int64(5), "calls.failed": int64(1), "usage.input_tokens": int64(110), "usage.output_tokens": int64(20), "usage.unknown": int64(1),
		"cost.usd": "0.00013", "cost.unknown": int64(1),
	})
}

// Callers that name a session get the sums of what they named, per key; a sub-agent's
// run is part of another, and says nothing of the session.
func TestSessionsThatCallersName(t *testing.T) {
	a := newAgent(t)
	named := func(session, key string) func(*llm.Call) {
		return func(c *llm.Call) { c.Attribution.Session, c.Attribution.Key = session, key }
	}
	calls := func(change ...func(*llm.Call)) {
		a.done(talk(user(fmt.Sprint("Do thing ", a.n))), asks(fmt.Sprintf("call_Zq8Wm3Xr5Tn7Kp2L%d", a.n), "do", `{}`), append([]func(*llm.Call){costing(10)}, change...)...)
	}
	calls(named("mine", "k"))
	calls(named("mine", "other key"))
	calls(named("yours", "k"))
	calls(named("mine", "k"))
	got := map[string]int{}
	for _, r := range a.ended(4) {
		s := sessionOf(r)
		got[fmt.Sprint(r.Attribution.Session, " ", r.Attribution.Key, " run ", s["run"], " of ", s["calls"])]++
	}
	want := map[string]int{"mine k run 1 of 1": 1, "mine other key run 1 of 1": 1, "yours k run 1 of 1": 1, "mine k run 2 of 2": 1}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	a = newAgent(t)
	a.done(talk(user("Ask somebody")), asks(idA, "delegate", `{"task":"Find out what the weather in Lisbon is like today"}`), costing(10))
	a.done(talk(user("Find out what the weather in Lisbon is like today")), asks(idB, "weather", `{}`), costing(10))
	for _, r := range a.ended(2) {
		if sub := r.Run.ByCall != ""; sub != (len(sessionOf(r)) == 0) {
			t.Errorf("sub-agent %v: %v", sub, sessionOf(r))
		}
	}
}

// Many conversations take bounded memory. One that was forgotten tells nothing when it
// goes on, rather than too little.
func TestSessionsAreBounded(t *testing.T) {
	cfg := runs.DefaultConfig()
	cfg.MaxBytes = 1 << 20
	a := &agent{t: t, linker: runs.New(cfg)}
	ask := asks(idA, "search", `{}`)
	history := talk(user("Find it"))
	c := a.done(history, ask, costing(10))
	for i := range 300 {
		a.done(talk(user(fmt.Sprint("Something else, number ", i))), model("Well"), costing(10))
	}
	if s := a.linker.Stats(); s.ForgottenSessions == 0 || s.RunBytes > cfg.MaxBytes/4 {
		t.Errorf("%d sessions forgotten, %d bytes of %d", s.ForgottenSessions, s.RunBytes, cfg.MaxBytes/4)
	}
	next := a.done(append(history, ask, result(idA, "found")), model("Here"), costing(20))
	if next.Run.ID != c.ID {
		t.Fatalf("the run does not go on: %+v", next.Run)
	}
	run := a.ended(1)[0]
	a.stands(run, map[string]any{})
	if n := attrOf(run, "spanwire.run.calls"); n != int64(2) {
		t.Errorf("%v calls in the run", n)
	}
	// The next run of it does not begin to count anew.
	a.done(append(history, ask, result(idA, "found"), model("Here"), user("More")), asks(idB, "search", `{}`), costing(30))
	a.stands(a.ended(1)[0], map[string]any{})
}
