package runs_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/runs"
)

var began = time.Unix(1_800_000_000, 0)

// agent makes calls that go to one linker, a second apart.
type agent struct {
	t      *testing.T
	linker *runs.Linker
	n      int
}

func newAgent(t *testing.T) *agent {
	return &agent{t: t, linker: runs.New(runs.DefaultConfig())}
}

// call places a call; change may alter it first.
func (a *agent) call(input []llm.Message, output llm.Message, change ...func(*llm.Call)) *llm.Call {
	a.t.Helper()
	start := began.Add(time.Duration(a.n) * time.Second)
	c := &llm.Call{
		ID: fmt.Sprint(a.n), Kind: llm.KindLLM, Operation: "chat", Method: "POST", Route: "openai", RequestModel: "m", Status: 200,
		Start: start, FirstByte: start.Add(300 * time.Millisecond), End: start.Add(500 * time.Millisecond), Ended: llm.EndComplete,
		Input: input, Attribution: llm.Attribution{Key: "k", Team: "t"},
	}
	if len(output.Parts) > 0 {
		c.Output = []llm.Message{output}
	}
	a.n++
	for _, f := range change {
		f(c)
	}
	a.linker.Place(c)
	if c.Run == nil && c.Operation == "chat" && len(c.Input) > 0 {
		a.t.Fatalf("call %s has no place", c.ID)
	}
	return c
}

func user(text string) llm.Message  { return say("user", text) }
func model(text string) llm.Message { return say("assistant", text) }

func say(role, text string) llm.Message {
	return llm.Message{Role: role, Parts: []llm.Part{{Type: llm.PartText, Content: text}}}
}

// asks is a turn of the model with tool calls: id, name, arguments of each.
func asks(calls ...string) llm.Message {
	m := llm.Message{Role: "assistant"}
	for c := range slices.Chunk(calls, 3) {
		m.Parts = append(m.Parts, llm.Part{Type: llm.PartToolCall, ID: c[0], Name: c[1], Arguments: c[2]})
	}
	return m
}

func result(id, text string) llm.Message {
	return llm.Message{Role: "tool", Parts: []llm.Part{{Type: llm.PartToolCallResponse, ID: id, Response: text}}}
}

func talk(ms ...llm.Message) []llm.Message { return ms }

const idA, idB = "call_Zq8Lm2Vt7Rw4Kc9X", "call_n3BpTy6UiOa1Sd5F"

// A tool with a part type of its own, such as a shell, is one the caller runs when a
// result comes for it; one that the provider runs is not.
func TestToolsWithTypesOfTheirOwn(t *testing.T) {
	a := newAgent(t)
	first := llm.Message{Role: "assistant", Parts: []llm.Part{
		{Type: "local_shell_call", ID: idA, Name: "local_shell", Arguments: `{"command":["ls"]}`},
		{Type: llm.PartServerToolCall, ID: idB, Name: "web_search", Arguments: `{"query":"x"}`},
	}}
	c0 := a.call(talk(user("Tidy up")), first)
	c1 := a.call(talk(user("Tidy up"), first, result(idA, "a b c")), model("Done."))
	if c1.Run.ID != c0.ID || len(c1.Run.Inferred) != 1 {
		t.Fatalf("run %s, inferred %+v", c1.Run.ID, c1.Run.Inferred)
	}
	tool := c1.Run.Inferred[0]
	if tool.Operation != "execute_tool" || tool.Call != c0.ID || tool.Parts[0].Name != "local_shell" || tool.Parts[1].Response != "a b c" {
		t.Errorf("tool %+v", tool)
	}
}

func TestAnAgentIsOneRun(t *testing.T) {
	a := newAgent(t)
	history := talk(say("system", "You search."), user("Find it"))
	first := asks(idA, "search", `{"q": "it", "n": 1.0}`, idB, "read", `{"file":"a"}`)
	c0 := a.call(history, first)
	// What clients do to what they send back: another order, other spelling of JSON.
	history = append(history, asks(idB, "read", `{"file":"a"}`, idA, "search", `{"n":1,"q":"it"}`), result(idB, "text of a"), result(idA, "found"))
	c1 := a.call(history, model("Here it is.\n"))
	if c0.Place.ParentCall != "" || c1.Place.ParentCall != c0.ID {
		t.Fatalf("parents %q, %q", c0.Place.ParentCall, c1.Place.ParentCall)
	}
	if !slices.Contains(c1.Run.Evidence, "tool_call_id") || !slices.Contains(c1.Run.Evidence, "prefix") {
		t.Errorf("evidence %v", c1.Run.Evidence)
	}
	if c1.Run.ID != c0.ID || c1.Run.Turn != 2 || c1.Run.Session != c0.ID {
		t.Errorf("run %+v", c1.Run)
	}
	if len(c1.Run.Inferred) != 2 {
		t.Fatalf("inferred %+v", c1.Run.Inferred)
	}
	tool := c1.Run.Inferred[0]
	if tool.Parts[0].Name != "read" || tool.Parts[0].Arguments != `{"file":"a"}` || tool.Parts[1].Response != "text of a" {
		t.Errorf("tool %+v", tool)
	}
	if tool.Operation != "execute_tool" || tool.Call != c0.ID || !tool.Start.Equal(c0.End) || !tool.End.Equal(c1.Start) {
		t.Errorf("tool %+v", tool)
	}
	// What a user says next is another run of the same session.
	c2 := a.call(append(history, model("Here it is."), user("Thanks")), model("Welcome"))
	if c2.Place.ParentCall != c1.ID || c2.Run.ID != c2.ID || c2.Run.Turn != 1 || c2.Run.Session != c0.ID {
		t.Errorf("next run %q %+v", c2.Place.ParentCall, c2.Run)
	}
}

func TestWhatLinksAndWhatDoesNot(t *testing.T) {
	const opening, answer = "What is the capital of France?", "It is Paris, on the Seine, and has been so for very long."
	f := func(name string, parent bool, first llm.Message, second []llm.Message, change ...func(*llm.Call)) {
		t.Helper()
		a := newAgent(t)
		a.call(talk(user(opening)), first)
		c := a.call(second, model("…"), change...)
		if got := c.Place.ParentCall == "0"; got != parent {
			t.Errorf("%s: parent %q, run %+v", name, c.Place.ParentCall, c.Run)
		}
	}
	next := user("And of Spain?")
	f("word by word", true, model(answer), talk(user(opening), model(answer), next))
	f("without thoughts", true, model("<think>hm</think>"+answer), talk(user(opening), model(answer), next))
	f("wrapped, with curly quotes", true, model("It's \"Paris\""), talk(user(opening), model("It’s\n “Paris” "), next))
	f("split into two texts", true, model("Paris.Really."), talk(user(opening), model("Paris."), model("Really."), next))
	f("cut", true, model(answer), talk(user(opening), model(answer[:20]), next))
	f("another answer", false, model(answer), talk(user(opening), model("Lyon, I believe"), next))
	f("another opening, short answer", false, model("Yes"), talk(user("Is it?"), model("Yes"), next))
	f("trimmed, long answer", true, model(answer), talk(model(answer), next))
	f("another key", false, model(answer), talk(user(opening), model(answer), next), func(c *llm.Call) { c.Attribution.Key = "other" })
	f("another team", false, model(answer), talk(user(opening), model(answer), next), func(c *llm.Call) { c.Attribution.Team = "other" })
	f("another system prompt", true, model(answer), talk(say("system", "new"), user(opening), model(answer), next))
	f("asked before it was answered", false, model(answer), talk(user(opening), model(answer), next),
		func(c *llm.Call) { c.Start = began.Add(100 * time.Millisecond) })
	f("nothing was said between", false, model(answer), talk(user(opening)))
	f("as user text", false, model(answer), talk(user("Summarise: "+answer)))

	own := asks("srv_1", "web_search", `{"q":"Paris"}`)
	own.Parts = append(own.Parts, llm.Part{Type: llm.PartToolCallResponse, ID: "srv_1", Response: "…"}, llm.Part{Type: llm.PartText, Content: answer})
	f("a tool of the provider's own, left out", true, own, talk(user(opening), model(answer), next))

	none := llm.Message{}
	f("nothing readable was answered", true, none, talk(user(opening), model(answer), next))
	f("nothing readable, by another provider", false, none, talk(user(opening), model(answer), next), func(c *llm.Call) { c.Route = "other" })

	call := asks(idA, "get", `{"x":1}`)
	f("by id, other words", true, call, talk(user("edited"), asks(idA, "get", `{}`), result(idA, "1")))
	f("by id, result alone", true, call, talk(result(idA, "1")))
	f("same words, another id", false, call, talk(user(opening), asks(idB, "get", `{"x":1}`), result(idB, "1")))
	f("no ids given, the client's own", true, asks("", "get", `{"x":1}`), talk(user(opening), asks(idB, "get", `{"x":1}`), result(idB, "1")))
	item := asks(idA, "get", `{"x":1}`)
	item.Parts[0].Item = "fc_68b1Qz7Kd0a2c8e9Vt"
	named := llm.Message{Role: "user", Parts: []llm.Part{{Type: "item_reference", ID: item.Parts[0].Item}}}
	f("by the id of its item", true, item, talk(user("edited"), named, next))
	f("patterned id, other words", false, asks("call_0", "get", `{"x":1}`), talk(user("else"), asks("call_0", "get", `{"x":1}`), result("call_0", "1")))
	f("patterned id, same words", true, asks("call_0", "get", `{"x":1}`), talk(user(opening), asks("call_0", "get", `{"x":1}`), result("call_0", "1")))
}

func TestNamedResponse(t *testing.T) {
	a := newAgent(t)
	id := func(c *llm.Call) { c.ResponseID = "resp_1" }
	named := func(c *llm.Call) { c.SetAttr("gen_ai.request.previous_response.id", "resp_1") }
	a.call(talk(user("Hello")), model("Hi, who is there?"), id)
	c := a.call(talk(user("Me")), model("Ah, you."), named)
	if c.Place.ParentCall != "0" || !slices.Equal(c.Run.Evidence, []string{"previous_response_id"}) || c.Run.Session != "0" {
		t.Errorf("named: %q %+v", c.Place.ParentCall, c.Run)
	}
	// The whole conversation sent later still leads to its last call.
	c = a.call(talk(user("Hello"), model("Hi, who is there?"), user("Me"), model("Ah, you."), user("Yes")), model("Good"))
	if c.Place.ParentCall != "1" {
		t.Errorf("whole: %q %+v", c.Place.ParentCall, c.Run)
	}
	stranger := a.call(talk(user("Me")), model("Ah"), named, func(c *llm.Call) { c.Attribution.Key = "other" })
	if stranger.Place.ParentCall != "" {
		t.Error("a response of another key was followed")
	}
}

// Where the provider keeps the conversation a request may hold results alone, and
// nothing that says which answer was before them but their ids.
func TestResultsAlone(t *testing.T) {
	a := newAgent(t)
	asked := a.call(talk(user("Find it")), asks(idA, "search", `{"q":"it"}`, idB, "read", `{"file":"a"}`))
	back := a.call(talk(result(idA, "found"), result(idB, "text of a")), model("Here it is."))
	if back.Place.ParentCall != asked.ID || back.Run.ID != asked.ID || back.Run.Turn != 2 {
		t.Fatalf("parent %q, %+v", back.Place.ParentCall, back.Run)
	}
	var tools []string
	for _, tool := range back.Run.Inferred {
		tools = append(tools, tool.Parts[0].Name+" "+tool.Parts[0].Arguments+" "+tool.Parts[1].Response)
	}
	if want := []string{`search {"q":"it"} found`, `read {"file":"a"} text of a`}; !slices.Equal(tools, want) {
		t.Errorf("tools %q, want %q", tools, want)
	}
}

func TestEqualConversationsAreNotGuessed(t *testing.T) {
	a := newAgent(t)
	a.call(talk(user("Hello")), model("Hi"))
	a.call(talk(user("Hello")), model("Hi"), func(c *llm.Call) { c.RequestModel = "big" })
	a.call(talk(user("Hello")), model("Hi"))
	next := talk(user("Hello"), model("Hi"), user("Go on"))
	if c := a.call(next, model("ok")); c.Place.ParentCall != "" {
		t.Errorf("guessed %q by %v", c.Place.ParentCall, c.Run.Evidence)
	}
	if n := a.linker.Stats().Ambiguous; n != 1 {
		t.Errorf("%d ambiguous", n)
	}
	if c := a.call(next, model("ok"), func(c *llm.Call) { c.RequestModel = "big" }); c.Place.ParentCall != "1" {
		t.Errorf("the model tells them apart, parent %q", c.Place.ParentCall)
	}
}

func TestRetriesAndRepeats(t *testing.T) {
	a := newAgent(t)
	busy := func(c *llm.Call) { c.Status, c.ErrorType = 429, "rate_limit" }
	a.call(talk(user("Hello")), llm.Message{}, busy)
	c1 := a.call(talk(user("Hello")), llm.Message{}, busy)
	c2 := a.call(talk(user("Hello")), model("Hi"))
	c3 := a.call(talk(user("Hello")), model("Hi there"))
	if c1.Run.RetryOf != "0" || c2.Run.RetryOf != "1" || c2.Run.ID != "0" || c2.Place.ParentCall != "" {
		t.Errorf("retries %+v, %+v", c1.Run, c2.Run)
	}
	if c3.Run.RepeatOf != "2" || c3.Run.RetryOf != "" || c3.Run.ID != "3" {
		t.Errorf("repeat %+v", c3.Run)
	}
	// A retry within a run has the parent of what it retries.
	a.call(talk(user("Hello"), model("Hi"), user("more")), llm.Message{}, busy)
	c5 := a.call(talk(user("Hello"), model("Hi"), user("more")), model("ok"))
	if c5.Place.ParentCall != "2" || c5.Run.RetryOf != "4" {
		t.Errorf("retry within %q %+v", c5.Place.ParentCall, c5.Run)
	}
}

func TestSubAgentsAndRetrieval(t *testing.T) {
	a := newAgent(t)
	const task, found = "Find three sources on tidal power", "Source one, source two and source three."
	boss := a.call(talk(user("Write about tides")), asks(idA, "delegate", `{"task":"`+task+`"}`))
	sub := a.call(talk(user("Your task: "+task)), asks(idB, "search", `{"q":"tides"}`))
	a.call(talk(user("Your task: "+task), asks(idB, "search", `{"q":"tides"}`), result(idB, "…")), model(found))
	if sub.Run.ByCall != boss.ID || sub.Run.ByTool != idA || sub.Place.ParentCall != "" || sub.Run.ID != sub.ID {
		t.Errorf("sub-agent %+v", sub.Run)
	}
	a.call(talk(user("How high do tides rise?")), llm.Message{}, func(c *llm.Call) { c.Operation = "embeddings" })
	back := a.call(talk(user("Write about tides"), asks(idA, "delegate", `{"task":"`+task+`"}`), result(idA, "Done: "+found)), model("Text"))
	if len(back.Run.Inferred) != 1 || back.Run.Inferred[0].Run != sub.ID {
		t.Errorf("back at the boss %+v", back.Run.Inferred)
	}
	chat := a.call(talk(user("Context: … Question: How high do tides rise?")), model("High"))
	if len(chat.Run.Inferred) != 1 || chat.Run.Inferred[0].Operation != "retrieval" || chat.Run.Inferred[0].Call != "3" {
		t.Errorf("retrieval %+v", chat.Run.Inferred)
	}
}

func TestTheSameWordsAreNoSubAgent(t *testing.T) {
	a := newAgent(t)
	const task = "Find three sources on tidal power"
	a.call(talk(user(task)), asks(idA, "search", `{"q":"`+task+`"}`))
	if c := a.call(talk(user(task)), model("None")); c.Run.ByCall != "" {
		t.Errorf("started by %s", c.Run.ByCall)
	}
	// Nor is one whose argument is a common word.
	a.call(talk(user("Where to go?")), asks(idB, "visit", `{"city":"Paris"}`))
	if c := a.call(talk(user("Is Paris large?")), model("Yes")); c.Run.ByCall != "" {
		t.Errorf("started by %s", c.Run.ByCall)
	}
}

func TestCallsWithoutMessagesAreNobodysParent(t *testing.T) {
	a := newAgent(t)
	a.call(nil, llm.Message{}, func(c *llm.Call) { c.Operation = "rerank"; c.SetAttr("gen_ai.request.previous_response.id", "gone") })
	if c := a.call(talk(model("Welcome."), user("Hello")), model("Hi")); c.Place.ParentCall != "" {
		t.Errorf("parent %q by %v", c.Place.ParentCall, c.Run.Evidence)
	}
}

func TestPolledAnswer(t *testing.T) {
	a := newAgent(t)
	id := func(c *llm.Call) { c.ResponseID = "resp_2" }
	a.call(talk(user("Think long")), llm.Message{}, id)
	a.call(nil, asks(idA, "get", `{}`), id, func(c *llm.Call) { c.Method = "GET" })
	c := a.call(talk(user("Think long"), asks(idA, "get", `{}`), result(idA, "1")), model("so"))
	if c.Place.ParentCall != "0" || len(c.Run.Inferred) != 1 {
		t.Errorf("parent %q, %+v", c.Place.ParentCall, c.Run)
	}
}

func TestParallelBranches(t *testing.T) {
	a := newAgent(t)
	a.call(talk(user("Hello")), model("Hi"))
	// Both asked at the same time; the later one is answered, and placed, first.
	for _, text := range []string{"left", "right"} {
		c := a.call(talk(user("Hello"), model("Hi"), user(text)), model("ok "+text), func(c *llm.Call) { c.Start = began.Add(time.Second) })
		if c.Place.ParentCall != "0" {
			t.Errorf("%s: parent %q", text, c.Place.ParentCall)
		}
	}
	c := a.call(talk(user("Hello"), model("Hi"), user("left"), model("ok left"), user("on")), model("."))
	if c.Place.ParentCall != "1" {
		t.Errorf("parent %q", c.Place.ParentCall)
	}
}

func TestSamePlacesEveryTime(t *testing.T) {
	play := func() (places []llm.Run) {
		a := newAgent(t)
		history := talk(user(strings.Repeat("Do much. ", 50)))
		for i := range 20 {
			id := fmt.Sprintf("call_Zq8Lm2Vt7Rw4K%02d", i)
			ask := asks(id, "step", fmt.Sprintf(`{"i":%d}`, i))
			places = append(places, *a.call(history, ask).Run)
			history = append(history, ask, result(id, "done"))
		}
		return places
	}
	one, two := play(), play()
	if !reflect.DeepEqual(one, two) {
		t.Error("two linkers disagree on the same calls")
	}
	if last := one[len(one)-1]; last.ID != "0" || last.Turn != 20 {
		t.Errorf("the last of 20: %+v", last)
	}
}
