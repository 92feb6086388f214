package runs_test

import (
	"slices"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// says is what a client says of a call: its session and where it stands in it.
func says(session string, told llm.Told) func(*llm.Call) {
	return func(c *llm.Call) { c.Attribution.Session, c.Told = session, told }
}

const idC, idD = "toolu_01Hq7Xc2Vb9Lm4Kt", "toolu_01Zr5Ty8Nw3Pq6Js"

// Claude Code starts two agents by one answer. Their openings hold none of the
// arguments, so it is its headers that tell.
func TestAgentsOfASession(t *testing.T) {
	a := newAgent(t)
	ask := asks(idC, "Task", `{"description":"look at the parser"}`, idD, "Task", `{"description":"look at the lexer"}`)
	opening := user("Refactor the compiler")
	boss := a.call(talk(opening), ask, says("s1", llm.Told{}), spanned)
	// The title of the session is asked for beside it: no step, and no agent.
	title := a.call(talk(user("Refactor the compiler")), model("Compiler refactoring"), says("s1", llm.Told{Aside: true}), spanned)
	one := a.call(talk(user("Begin with the tests.")), asks(idA, "Read", `{"file":"x"}`), says("s1", llm.Told{Agent: "a1"}), spanned)
	two := a.call(talk(user("Begin with the tests.")), model("Nothing to do."), says("s1", llm.Told{Agent: "a2"}), spanned)
	oneMore := a.call(talk(user("Begin with the tests."), asks(idA, "Read", `{"file":"x"}`), result(idA, "…")), model("All is well in this file."), says("s1", llm.Told{Agent: "a1"}), spanned)
	back := a.call(talk(opening, ask, result(idC, "All is well in this file."), result(idD, "Nothing to do.")), model("Done"), spanned,
		says("s1", llm.Told{Tools: []llm.ToolTime{{Name: "Task", Time: 700 * time.Millisecond}, {Name: "Task", Time: time.Hour}}}))

	if one.Run.ByCall != boss.ID || two.Run.ByCall != boss.ID || one.Run.ByTool != idC || two.Run.ByTool != idD {
		t.Errorf("agents started by %+v and %+v", one.Run, two.Run)
	}
	if !slices.Contains(one.Run.Evidence, "client") || one.Run.Confidence != llm.Certain {
		t.Errorf("evidence %v, %s", one.Run.Evidence, one.Run.Confidence)
	}
	if oneMore.Run.ID != one.ID || oneMore.Place.ParentCall != one.ID || oneMore.Place.Parent != one.Place.Parent {
		t.Errorf("the agent's next call %+v", oneMore.Run)
	}
	if title.Run.ByCall != "" || title.Run.ID != title.ID || title.Run.Session != boss.ID || title.Run.Root != (llm.SpanRef{}) {
		t.Errorf("the title %+v", title.Run)
	}
	if back.Place.ParentCall != boss.ID || len(back.Run.Inferred) != 2 {
		t.Fatalf("back at the boss %+v", back.Run)
	}
	first, second := back.Run.Inferred[0], back.Run.Inferred[1]
	if first.Duration != 700*time.Millisecond || !first.End.Equal(first.Start.Add(700*time.Millisecond)) || !second.End.Equal(back.Start) {
		t.Errorf("tools %+v, %+v", first, second)
	}
	// Each agent's span is below the tool that started it, in one trace.
	for i, c := range []*llm.Call{one, two} {
		if c.Run.Above != back.Run.Inferred[i].Span.Span || c.Place.Trace != boss.Place.Trace || c.Place.Parent != c.Run.Root.Span {
			t.Errorf("agent %d hangs under %x, not %x", i, c.Run.Above, back.Run.Inferred[i].Span.Span)
		}
	}
	if first.Run != one.ID || !slices.Contains(first.Evidence, "tool_result") {
		t.Errorf("whose result %+v", first)
	}
}

// Two agents of a session that say the same are two conversations.
func TestAgentsOfASessionAreKeptApart(t *testing.T) {
	a := newAgent(t)
	a.call(talk(user("Hello")), model("Hi"), says("s1", llm.Told{Agent: "a1"}))
	c := a.call(talk(user("Hello"), model("Hi"), user("on")), model("ok"), says("s1", llm.Told{Agent: "a2"}))
	if c.Place.ParentCall != "" || c.Run.Session != "0" {
		t.Errorf("parent %q, %+v", c.Place.ParentCall, c.Run)
	}
	x, ok := a.linker.Explain(c.ID)
	if !ok || len(x.Considered) == 0 || x.Considered[0].Verdict != "guard: its caller named another agent" {
		t.Errorf("%+v", x)
	}
}

// Codex names the turn: its calls are one run, though the history was compacted in
// between. The agent that it starts names its parent's thread.
func TestTurnsOfAClient(t *testing.T) {
	a := newAgent(t)
	turn := func(thread, parent, run string) func(*llm.Call) {
		return says(thread, llm.Told{Agent: thread, ParentAgent: parent, Run: run})
	}
	c0 := a.call(talk(user("Fix the build")), asks(idA, "shell", `{"cmd":"make"}`), turn("t1", "", "u1"), spanned)
	c1 := a.call(talk(user("Summary: the build is being fixed. make said: no rule.")), asks(idB, "spawn_agent", `{"task":"…"}`), turn("t1", "", "u1"), spanned)
	sub := a.call(talk(user("Look into the Makefile.")), model("It lacks a rule."), turn("t2", "t1", "u2"), spanned)
	c3 := a.call(talk(user("And now the tests")), model("Fine."), turn("t1", "", "u3"), spanned)
	if c1.Run.ID != c0.ID || c1.Run.Turn != 2 || c1.Place.Trace != c0.Place.Trace || !slices.Contains(c1.Run.Evidence, "client") {
		t.Errorf("the same turn %+v", c1.Run)
	}
	if sub.Run.ByCall != c1.ID || sub.Run.ByTool != idB || sub.Place.Trace != c0.Place.Trace {
		t.Errorf("the agent %+v", sub.Run)
	}
	if c3.Run.ID != c3.ID || c3.Run.Session != c0.ID || c3.Place.Trace == c0.Place.Trace {
		t.Errorf("the next turn %+v", c3.Run)
	}
}

// A session that was named (OpenCode, and most others) holds runs together that no
// word does.
func TestRunsOfANamedSession(t *testing.T) {
	a := newAgent(t)
	c0 := a.call(talk(user("One")), model("1"), says("ses_1", llm.Told{}))
	c1 := a.call(talk(user("Two")), model("2"), says("ses_1", llm.Told{}))
	c2 := a.call(talk(user("Three")), model("3"), says("ses_2", llm.Told{}))
	c3 := a.call(talk(user("Four")), model("4"), says("ses_1", llm.Told{}), func(c *llm.Call) { c.Attribution.Key = "another" })
	if c1.Run.Session != c0.ID || c1.Place.ParentCall != "" || c1.Run.ID != c1.ID || c2.Run.Session != c2.ID || c3.Run.Session != c3.ID {
		t.Errorf("%+v %+v %+v", c1.Run, c2.Run, c3.Run)
	}
}
