package runs_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Many say "hi", and are asked how they may be helped, in nearly the same words.
func TestGreetingsAreNotTakenForEachOther(t *testing.T) {
	a := newAgent(t)
	a.call(talk(user("hi")), model("Hello! How can I help you today, with the garden?"))
	c := a.call(talk(user("hi"), model("Hello! How can I help you today, with the museum?"), user("yes")), model("Good."))
	if c.Place.ParentCall != "" {
		t.Errorf("an answer of about the same words was taken: %+v", c.Run)
	}
	a.call(talk(user("hey")), llm.Message{}) // nothing was answered that could be read
	c = a.call(talk(user("hey"), model("Ahoy"), user("yes")), model("Good."))
	if c.Place.ParentCall != "" {
		t.Errorf("no answer at all was taken: %+v", c.Run)
	}
}

// More calls have the same beginning than are looked at: the one that fits may not be
// among those that are.
func TestCrowdsAreNotGuessed(t *testing.T) {
	a := newAgent(t)
	a.call(talk(user("hello")), model("Hi"), func(c *llm.Call) { c.RequestModel = "small" })
	for range 16 {
		a.call(talk(user("hello")), model("Hi"))
	}
	a.call(talk(user("hello")), model("Hi"), func(c *llm.Call) { c.RequestModel = "small" })
	next := talk(user("hello"), model("Hi"), user("go on"))
	c := a.call(next, model("ok"), func(c *llm.Call) { c.RequestModel = "small" })
	if c.Place.ParentCall != "" {
		t.Errorf("guessed %s: another small one was forgotten", c.Place.ParentCall)
	}
}

// Programs that keep questions and answers alone, or the end of a conversation alone.
func TestLittleIsKept(t *testing.T) {
	const question, answer = "How warm is it on the island today?", "It is 21 degrees."
	a := newAgent(t)
	opening := talk(user("Find the island"), model("Here."), user(question))
	a.call(opening, asks("", "get", `{}`))
	asked := append(opening, asks("", "get", `{}`), result("", "21"))
	c1 := a.call(asked, model(answer))
	kept := a.call(talk(user("Find the island"), model("Here."), user(question), model(answer), user("And now?")), model("Still so."))
	if kept.Place.ParentCall != c1.ID {
		t.Errorf("without the tools in between: %q %+v", kept.Place.ParentCall, kept.Run)
	}
	cut := a.call(talk(user(question), model(answer), user("And tomorrow?")), model("Not so warm."))
	if cut.Place.ParentCall != c1.ID {
		t.Errorf("without the beginning: %q %+v", cut.Place.ParentCall, cut.Run)
	}
	other := a.call(talk(user("And in town?"), model(answer), user("Why?")), model("Stones."))
	if other.Place.ParentCall != "" {
		t.Errorf("a short answer to another question: %q %+v", other.Place.ParentCall, other.Run)
	}
}

// Once it is known which conversation it is, its last answer is found by few words.
func TestLatestAnswerOfTheConversation(t *testing.T) {
	a := newAgent(t)
	ask := asks(idA, "search", `{"q":"it"}`)
	c0 := a.call(talk(user("10:01 Find it")), ask)
	c1 := a.call(talk(user("10:02 Find it"), ask, result(idA, "found")), model("Done."))
	c2 := a.call(talk(user("10:03 Find it"), ask, result(idA, "found"), model("Done."), user("More")), model("No."))
	if c1.Place.ParentCall != c0.ID || c2.Place.ParentCall != c1.ID {
		t.Errorf("parents %q, %q: %+v", c1.Place.ParentCall, c2.Place.ParentCall, c2.Run)
	}
}

// Calls with tools and no ids, of a program that changes what was said.
func TestToolCallsAreKnownByTheirArguments(t *testing.T) {
	a := newAgent(t)
	ask := asks("", "search", `{"q":"tides of the northern sea","limit":10}`)
	said := ask
	said.Parts = append([]llm.Part{{Type: llm.PartText, Content: "Let me look."}}, ask.Parts...)
	c0 := a.call(talk(user("10:01 Find it")), said)
	c1 := a.call(talk(user("10:02 Find it"), ask, result("", "found")), model("Here."))
	if c1.Place.ParentCall != c0.ID || len(c1.Run.Inferred) != 1 {
		t.Errorf("parent %q %+v", c1.Place.ParentCall, c1.Run)
	}
}

func TestWhoseRetryItIs(t *testing.T) {
	busy := func(c *llm.Call) { c.Status, c.ErrorType = 429, "rate_limit" }
	named := func(s string) func(*llm.Call) { return func(c *llm.Call) { c.Attribution.Session = s } }
	f := func(name, want string, change ...func(*llm.Call)) {
		t.Helper()
		a := newAgent(t)
		a.call(talk(user("Hello")), llm.Message{}, busy, named("one"), at(0, time.Second))
		c := a.call(talk(user("Hello")), model("Hi"), append([]func(*llm.Call){at(2*time.Second, 3*time.Second)}, change...)...)
		if c.Run.RetryOf != want || (c.Run.ID == "0") != (want != "") {
			t.Errorf("%s: retry of %q, run %q", name, c.Run.RetryOf, c.Run.ID)
		}
	}
	f("the same caller", "0", named("one"))
	f("a caller that names no session", "0")
	f("a caller of another session", "", named("two"))
	f("hours later", "", at(2*time.Hour, 3*time.Hour))
	f("while the other was not refused yet", "", at(time.Second/2, 2*time.Second))
	f("a client that waits no longer", "0", at(time.Second/2, 2*time.Second), func(c *llm.Call) { c.Retry = 1 })

	// Two wait to ask the same again: whose retry comes first is not known.
	a := newAgent(t)
	for range 2 {
		a.call(talk(user("Hello")), llm.Message{}, busy, at(0, time.Second))
	}
	for range 2 {
		if c := a.call(talk(user("Hello")), model("Hi"), at(2*time.Second, 3*time.Second)); c.Run.RetryOf != "" || c.Run.RepeatOf != "" || c.Run.ID != c.ID {
			t.Errorf("guessed: %+v", c.Run)
		}
	}

	// The same words after the tools of another.
	a = newAgent(t)
	for i, id := range []string{idA, idB} {
		ask := asks(id, "left", `{}`)
		c0 := a.call(talk(user("Plan")), ask)
		status := func(c *llm.Call) {}
		if i == 0 {
			status = busy
		}
		c := a.call(talk(user("Plan"), ask, result(id, "l")), model("So"), status)
		if c.Place.ParentCall != c0.ID || c.Run.RetryOf != "" || !slices.Contains(c.Run.Evidence, "tool_call_id") {
			t.Errorf("%s: parent %q, %+v", fmt.Sprint(i), c.Place.ParentCall, c.Run)
		}
	}
}

// The minute in which two callers asked says nothing of who goes on.
func TestTheTimeOfDayBreaksNoTie(t *testing.T) {
	in := func(system string) func(*llm.Call) {
		return func(c *llm.Call) { c.System = []llm.Part{{Type: llm.PartText, Content: system}} }
	}
	f := func(one, other, next, want string) {
		t.Helper()
		a := newAgent(t)
		a.call(talk(user("Hello")), model("Hi"), in(one))
		a.call(talk(user("Hello")), model("Hi"), in(other))
		if c := a.call(talk(user("Hello"), model("Hi"), user("Go on")), model("ok"), in(next)); c.Place.ParentCall != want {
			t.Errorf("%q, %q, then %q: parent %q", one, other, next, c.Place.ParentCall)
		}
	}
	f("It is 9:59 am.", "It is 10:00 am.", "It is 10:00 am.", "")
	f("Now: 2026-11-21T09:59:01Z", "Now: 2026-11-21T10:00:02.5Z", "Now: 2026-11-21T10:00:02.5Z", "")
	f("It is 11/21/2026, 9:59:00 PM", "It is 11/21/2026, 10:00:00 PM", "It is 11/21/2026, 10:00:00 PM", "")
	f("It is 9:59. You serve Ann.", "It is 9:59. You serve Ben.", "It is 10:00. You serve Ann.", "0")
	f("Customer 4711", "Customer 4712", "Customer 4711", "0")
	f("Model 1.5", "Model 2.5", "Model 2.5", "1")
}

func TestSubAgentsOfEqualWork(t *testing.T) {
	const task = "Find three sources on tidal power"
	work := `{"task":"` + task + `"}`
	// One caller gives the same work out twice: each run was started by one of the two.
	a := newAgent(t)
	boss := a.call(talk(user("Write about tides")), asks(idA, "delegate", work, idB, "delegate", work))
	one, two := a.call(talk(user(task)), model("One.")), a.call(talk(user(task)), model("Two."))
	if one.Run.ByCall != boss.ID || two.Run.ByCall != boss.ID || one.Run.ByTool == two.Run.ByTool {
		t.Errorf("started by %q %q and %q %q", one.Run.ByCall, one.Run.ByTool, two.Run.ByCall, two.Run.ByTool)
	}
	// Two callers give the same work out.
	a = newAgent(t)
	a.call(talk(user("Write about tides")), asks(idA, "delegate", work))
	a.call(talk(user("What of tides?")), asks(idB, "delegate", work))
	if c := a.call(talk(user(task)), model("One.")); c.Run.ByCall != "" {
		t.Errorf("guessed %s", c.Run.ByCall)
	}
	// Another user of the same program asks what a model just looks for.
	a = newAgent(t)
	tools := func(c *llm.Call) { c.Tools = []llm.Tool{{Type: "function", Name: "search"}} }
	a.call(talk(user("I write about "+task)), asks(idA, "search", work), tools)
	if c := a.call(talk(user("Please! "+task)), model("One."), tools); c.Run.ByCall != "" {
		t.Errorf("another user is a sub-agent of %s", c.Run.ByCall)
	}
}

// Programs that write answers, and what came of them, behind their one prompt.
func TestOnePromptGrows(t *testing.T) {
	const prompt, thought, found = "Answer with the tools that you have.\nQuestion: How high do tides rise?\nThought:", " I need to look tides up.\nAction: search", "\nObservation: 16 metres\nThought:"
	a := newAgent(t)
	c0 := a.call(talk(user(prompt)), model(thought))
	c1 := a.call(talk(user(prompt+thought+found)), model(" I know it now.\nAnswer: 16 metres"))
	c2 := a.call(talk(user(prompt+thought+found+" I know it now.\nAnswer: 16 metres\nQuestion: Where?\nThought:")), model(" In the Bay of Fundy."))
	if c1.Place.ParentCall != c0.ID || c1.Run.ID != c0.ID || c2.Place.ParentCall != c1.ID {
		t.Errorf("parents %q, %q, runs %q, %q", c1.Place.ParentCall, c2.Place.ParentCall, c1.Run.ID, c2.Run.ID)
	}
	f := func(name, next string, change ...func(*llm.Call)) {
		t.Helper()
		if c := a.call(talk(user(next)), model("So."), change...); c.Place.ParentCall != "" {
			t.Errorf("%s: parent %q", name, c.Place.ParentCall)
		}
	}
	f("another answer", prompt+" Somebody else knows.")
	f("another question", "Another: "+prompt+thought+found)
	f("the prompt alone", prompt)
	f("another model", prompt+thought+found, func(c *llm.Call) { c.RequestModel = "other" })
	a.call(talk(user(prompt)), model(thought))
	f("two callers of equal words", prompt+thought+found+" Hm.")
}

// A title is made of the question while the model looks for what is in it.
func TestATitleIsNoSubAgent(t *testing.T) {
	const words = "three sources on tidal power"
	a := newAgent(t)
	tools := func(c *llm.Call) { c.Tools = []llm.Tool{{Type: "function", Name: "search"}} }
	boss := a.call(talk(user("Find "+words+", please")), asks(idA, "search", `{"q":"`+words+`"}`), tools)
	if c := a.call(talk(user("Write a title of at most five words for a conversation that begins so: Find "+words+", please")), model("Tides")); c.Run.ByCall != "" {
		t.Errorf("a title is a sub-agent of %s", c.Run.ByCall)
	}
	if c := a.call(talk(user("Your task: "+words)), model("One.")); c.Run.ByCall != boss.ID {
		t.Errorf("a sub-agent whose work was told by the user, by %q", c.Run.ByCall)
	}
}
