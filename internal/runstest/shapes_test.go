package runstest

import (
	"github.com/spanwire/spanwire/llm"
)

// shape is a way in which a conversation goes.
type shape struct {
	name    string
	play    func(m *maker)
	failing bool // some of its calls fail
	common  bool // many have it in the same words: which is whose may not be known
}

// plan makes an answer that asks for tools.
func (m *maker) plan(text string, calls ...string) said {
	a := said{text: text}
	for i := 0; i < len(calls); i += 2 {
		a.calls = append(a.calls, m.use(i/2, calls[i], calls[i+1]))
	}
	return a
}

var shapes = []shape{
	{"chat of four turns", func(m *maker) {
		for range 4 {
			m.user(m.say(5) + "?")
			m.ask(said{text: m.tell(12) + "."})
		}
	}, false, false},
	{"chat of few words", func(m *maker) {
		for range 3 {
			m.user(m.say(3))
			m.ask(said{text: m.tell(3) + "."})
		}
	}, false, false},
	{"one tool, two questions", func(m *maker) {
		m.tools = true
		for range 2 {
			m.user(m.say(5) + "?")
			m.ask(m.plan("", "search", m.query()))
			m.results(nil)
			m.ask(said{text: m.tell(7) + "."})
		}
	}, false, false},
	{"short answers after tools", func(m *maker) {
		m.tools = true
		for range 3 {
			m.user(m.say(3) + "?")
			m.ask(m.plan("", "get_weather", m.query()))
			m.results(nil)
			m.ask(said{text: m.tell(2) + "."})
		}
	}, false, false},
	{"parallel tools, one of them twice", func(m *maker) {
		m.tools = true
		m.user(m.say(5) + "?")
		same := m.query()
		m.ask(m.plan("", "search", same, "read_file", m.query(), "search", same))
		m.results(nil)
		m.ask(m.plan("", "search", m.query(), "search", m.query()))
		m.results(nil)
		m.ask(said{text: m.tell(9)})
	}, false, false},
	{"the same tool again", func(m *maker) {
		m.tools = true
		m.user(m.say(5) + "?")
		same := m.query()
		for range 4 {
			m.ask(m.plan("", "get_weather", same))
			m.results(func(int, use) done { return done{text: "not yet"} })
		}
		m.ask(said{text: m.tell(9)})
	}, false, false},
	{"no arguments", func(m *maker) {
		m.tools = true
		m.user(m.say(5) + "?")
		m.ask(m.plan("", "get_weather", "{}", "search", "{}"))
		m.results(nil)
		m.ask(said{text: m.tell(9)})
		m.user(m.say(3))
		m.ask(said{text: m.tell(4)})
	}, false, false},
	{"words and thoughts beside calls", func(m *maker) {
		m.tools = true
		m.user(m.say(5) + "?")
		for range 3 {
			a := m.plan("Let me look for "+m.tell(2)+".", "search", m.query(), "read_file", m.query())
			a.thought = "The user wants " + m.tell(6)
			m.ask(a)
			m.results(nil)
		}
		m.ask(said{text: m.tell(9), thought: "Now I know " + m.tell(3)})
		m.user(m.say(4))
		m.ask(said{text: m.tell(9)})
	}, false, false},
	{"tools that fail, images", func(m *maker) {
		m.tools = true
		m.user(m.say(5) + "?")
		m.ask(m.plan("", "read_file", m.query(), "search", m.query()))
		m.results(func(i int, _ use) done { return done{text: "error: " + m.tell(2), failed: i == 0} })
		m.ask(m.plan("", "read_file", m.query()))
		m.results(func(int, use) done { return done{text: "a picture", image: true} })
		m.ask(said{text: m.tell(9)})
	}, false, false},
	{"refused for a while", func(m *maker) {
		m.tools = true
		m.user(m.say(5) + "?")
		m.fail(429, llm.EndComplete)
		m.ask(m.plan("", "search", m.query()))
		m.results(nil)
		m.fail(500, llm.EndComplete)
		m.fail(529, llm.EndComplete)
		m.ask(said{text: m.tell(9)})
		m.user(m.say(4))
		m.ask(said{text: m.tell(9)})
	}, true, false},
	{"structured answers", func(m *maker) {
		for range 3 {
			m.user(m.say(5) + "?")
			m.ask(said{text: string(encode(obj{"title": m.tell(2), "score": m.facts.IntN(100), "tags": []string{m.tell(1), m.tell(1)}}))})
		}
	}, false, false},
	{"a stream that breaks off", func(m *maker) {
		m.user(m.say(5) + "?")
		m.ask(said{text: m.tell(9)})
		m.user(m.say(5) + "?")
		m.fail(200, llm.EndUpstreamCut, said{text: m.tell(9)})
		m.ask(said{text: m.tell(9)})
		m.user(m.say(5) + "?")
		m.ask(said{text: m.tell(9)})
	}, true, false},
	{"the last of three answers", func(m *maker) {
		m.user(m.say(5) + "?")
		if m.wire.many {
			m.ask(said{text: m.tell(9)}, said{text: m.tell(9)}, said{text: m.tell(9)})
		} else {
			m.ask(said{text: m.tell(9)})
		}
		m.user(m.say(5))
		m.ask(said{text: m.tell(4)})
	}, false, false},
	{"a title beside it", func(m *maker) {
		question := m.say(6) + "?"
		m.user(question)
		m.aside("You name conversations.", func() {
			m.user("Write a title for: " + question)
			m.send(200, llm.EndComplete, said{text: m.tell(3)})
		})
		m.tools = true
		m.ask(m.plan("", "search", m.query()))
		m.results(nil)
		m.ask(said{text: m.tell(9)})
	}, false, false},
	{"sub-agents side by side", func(m *maker) {
		m.tools = true
		m.user(m.say(6) + "?")
		one, two := m.tell(6), m.tell(6)
		boss := m.plan("", "delegate", string(encode(obj{"task": one})), "delegate", string(encode(obj{"task": two})))
		call := m.ask(boss)
		var ends []int
		for i, task := range []string{one, two} {
			m.waits = []int{call}
			m.aside("You do what you are told.", func() {
				m.user("Your task: " + task)
				m.begun(call, boss.calls[i].id)
				m.ask(said{text: "The end of " + m.tell(5)})
			})
			ends = append(ends, m.waits...)
		}
		m.waits = ends
		m.results(nil)
		m.ask(said{text: m.tell(9)})
	}, false, false},
	{"long", func(m *maker) {
		m.tools = true
		for range 4 {
			m.user(m.say(4) + "?")
			for range 3 {
				m.ask(m.plan("", "search", m.query(), "read_file", m.query()))
				m.results(nil)
			}
			m.ask(said{text: m.tell(8)})
		}
	}, false, false},
	{"greeting", func(m *maker) {
		for _, s := range []string{"hi", "yes", "continue", "thanks"} {
			m.user(s)
			m.ask(said{text: "Hello! How can I help you today, " + m.tell(3) + "?"})
		}
	}, false, true},
	{"canned", func(m *maker) {
		for _, s := range []string{"hello", "ok", "go on"} {
			m.user(s)
			m.ask(said{text: "I'm sorry, but I can't help with that. Is there anything else that I can do for you?"})
		}
	}, false, true},
}
