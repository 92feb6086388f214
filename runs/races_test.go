package runs_test

import (
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

func at(start, end time.Duration) func(*llm.Call) {
	return func(c *llm.Call) {
		c.Start, c.FirstByte, c.End = began.Add(start), began.Add(start+(end-start)/2), began.Add(end)
	}
}

// Two requests of one conversation are in flight, and the later one is answered
// first: each follows the call that both go on from, neither the other.
func TestTwoInFlight(t *testing.T) {
	a := newAgent(t)
	c0 := a.call(talk(user("Plan")), asks(idA, "left", `{}`, idB, "right", `{}`), spanned, at(0, time.Second))
	history := talk(user("Plan"), asks(idA, "left", `{}`, idB, "right", `{}`), result(idA, "l"), result(idB, "r"))
	late := a.call(history, model("second, quick"), spanned, at(3*time.Second, 4*time.Second))
	early := a.call(history, model("first, slow"), spanned, at(2*time.Second, 9*time.Second))
	for _, c := range []*llm.Call{late, early} {
		if c.Place.ParentCall != c0.ID || c.Run.ID != c0.ID || c.Place.Trace != c0.Place.Trace {
			t.Errorf("%s: parent %q, %+v", c.ID, c.Place.ParentCall, c.Run)
		}
	}
	if n := len(late.Run.Inferred) + len(early.Run.Inferred); n != 2 {
		t.Errorf("%d tool spans of two results", n)
	}
}

// A client goes away in the middle of its tools: the run ends when it was silent for
// long enough, with what there is.
func TestClientGoesAwayBetweenTools(t *testing.T) {
	a := newAgent(t)
	c := a.call(talk(user("Plan")), asks(idA, "left", `{}`), spanned)
	a.linker.Done(c)
	if due := a.linker.Ended(c.End.Add(9*time.Minute), false); len(due) != 0 {
		t.Errorf("ended while it may go on: %+v", due)
	}
	due := a.linker.Ended(c.End.Add(10*time.Minute), false)
	if len(due) != 1 || due[0].Place.Span != c.Place.Parent || attrOf(due[0], "spanwire.run.calls") != int64(1) {
		t.Fatalf("due %+v", due)
	}
	if due := a.linker.Ended(c.End.Add(20*time.Minute), false); len(due) != 0 {
		t.Errorf("ended twice: %+v", due)
	}
	// It comes back after all.
	again := a.call(talk(user("Plan"), asks(idA, "left", `{}`), result(idA, "l")), model("So"), spanned, at(time.Hour, time.Hour+time.Second))
	a.linker.Done(again)
	due = a.linker.Ended(again.End.Add(5*time.Second), false)
	if len(due) != 1 || due[0].Place.Span != c.Place.Parent || attrOf(due[0], "spanwire.run.calls") != int64(2) {
		t.Errorf("the run with one more call: %+v", due)
	}
	if s := a.linker.Stats(); s.RunsLate != 1 || s.RunsEnded != 2 || s.RunsOpen != 0 {
		t.Errorf("%+v", s)
	}
}

// A stream that its caller left: nothing was answered to the end, and the same is
// asked again.
func TestCallerLeavesAnAnswer(t *testing.T) {
	a := newAgent(t)
	gone := func(c *llm.Call) { c.Ended = llm.EndClientGone }
	a.call(talk(user("Tell me of the sea and of its tides")), model("The sea is"), gone, spanned)
	c := a.call(talk(user("Tell me of the sea and of its tides"), model("The sea is"), user("shorter")), model("Wet"), spanned)
	if c.Place.ParentCall != "0" {
		t.Errorf("the half answer was not found: %+v", c.Run)
	}
}

// A request with tool results is refused with 429, and then succeeds: one run, the
// retry marked, each tool once.
func TestRetryWithToolResults(t *testing.T) {
	a := newAgent(t)
	ask := asks(idA, "left", `{"n":1}`, idB, "right", `{"n":2}`)
	c0 := a.call(talk(user("Plan")), ask, spanned)
	history := talk(user("Plan"), ask, result(idB, "r"), result(idA, "l"))
	c1 := a.call(history, llm.Message{}, spanned, func(c *llm.Call) { c.Status, c.ErrorType = 429, "rate_limit" })
	c2 := a.call(history, model("Both"), spanned, func(c *llm.Call) { c.Retry = 1 })
	if c1.Run.ID != c0.ID || c2.Run.ID != c0.ID || c2.Place.ParentCall != c0.ID || c2.Run.RetryOf != c1.ID || c2.Run.RepeatOf != "" {
		t.Errorf("%+v, %+v", c1.Run, c2.Run)
	}
	if len(c1.Run.Inferred) != 2 || len(c2.Run.Inferred) != 0 {
		t.Errorf("%d and %d tools", len(c1.Run.Inferred), len(c2.Run.Inferred))
	}
	if c2.Place.Parent != c0.Place.Parent || c2.Place.Trace != c0.Place.Trace {
		t.Errorf("the retry stands at %+v", c2.Place)
	}
	for _, c := range []*llm.Call{c0, c1, c2} {
		a.linker.Done(c)
	}
	due := a.linker.Ended(c2.End.Add(5*time.Second), false)
	if len(due) != 1 || due[0].ErrorType != "" || attrOf(due[0], "spanwire.run.tools") != int64(2) || attrOf(due[0], "spanwire.run.calls.failed") != nil && attrOf(due[0], "spanwire.run.calls.failed") != int64(1) {
		t.Errorf("the run %+v", due)
	}
}

// The caller's own trace wins: calls stay where they were put, linked to each other,
// and nothing is added.
func TestForeignTraces(t *testing.T) {
	a := newAgent(t)
	foreign := func(trace byte) func(*llm.Call) {
		return func(c *llm.Call) {
			c.Place.Trace, c.Place.Parent, c.Place.Remote = [16]byte{trace}, [8]byte{trace}, true
			c.Place.Span = [8]byte{trace, 1}
		}
	}
	c0 := a.call(talk(user("Plan")), asks(idA, "left", `{}`), foreign(1))
	c1 := a.call(talk(user("Plan"), asks(idA, "left", `{}`), result(idA, "l")), model("So"), foreign(2))
	if c1.Place.Trace != [16]byte{2} || c1.Place.Parent != [8]byte{2} || c1.Place.ParentCall != c0.ID || c1.Run.ID != c0.ID {
		t.Errorf("%+v %+v", c1.Place, c1.Run)
	}
	if len(c1.Run.Links) != 1 || c1.Run.Links[0] != (llm.SpanRef{Trace: [16]byte{1}, Span: [8]byte{1, 1}}) {
		t.Errorf("links %+v", c1.Run.Links)
	}
	if len(c1.Run.Inferred) != 1 || c1.Run.Inferred[0].Span != (llm.SpanRef{}) || c1.Run.Root != (llm.SpanRef{}) {
		t.Errorf("spans were added: %+v", c1.Run)
	}
	a.linker.Done(c0)
	a.linker.Done(c1)
	if due := a.linker.Ended(time.Now(), true); len(due) != 0 {
		t.Errorf("a run of its own: %+v", due)
	}
}

// A call that is no agent's is the root of its own trace, and has no span above it.
func TestPlainCallsStandAlone(t *testing.T) {
	a := newAgent(t)
	c := a.call(talk(user("Hello")), model("Hi"), spanned)
	if c.Place.Parent != ([8]byte{}) || c.Run.Root != (llm.SpanRef{}) {
		t.Errorf("%+v %+v", c.Place, c.Run)
	}
	next := a.call(talk(user("Hello"), model("Hi"), user("more")), model("ok"), spanned)
	if next.Place.Parent != ([8]byte{}) || next.Place.Trace == c.Place.Trace || len(next.Run.Links) != 1 || next.Run.Session != c.ID {
		t.Errorf("%+v %+v", next.Place, next.Run)
	}
}

// What the asking call was not to keep is not told beside the call with the result.
func TestArgumentsFollowTheCallThatAsked(t *testing.T) {
	f := func(name string, hide func(*llm.Call), digest bool) {
		t.Helper()
		a := newAgent(t)
		ask := asks(idA, "left", `{"secret":"yes"}`)
		a.call(talk(user("Plan")), ask, spanned, hide)
		c := a.call(talk(user("Plan"), ask, result(idA, "l")), model("So"), spanned)
		p := c.Run.Inferred[0].Parts[0]
		if p.Arguments != "" || (p.SHA256 != "") != digest || p.Name != "left" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	f("off", func(c *llm.Call) { c.Content = llm.ContentOff }, false)
	f("metadata", func(c *llm.Call) { c.Content = llm.ContentMetadata }, true)
	f("no output", func(c *llm.Call) { c.OmitOutput = true }, false)
}
