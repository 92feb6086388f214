package runstest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

var toolNames = []string{"search", "read_file", "get_weather", "delegate"}

// maker makes one conversation up: what is said in it, what its client sends, and
// what is true of it.
type maker struct {
	name   string
	number uint64 // of nobody else
	wire   wire
	client client
	words  *rand.Rand // what people say
	facts  *rand.Rand // what models and tools say
	ids    *rand.Rand // what is given out by chance
	clock  int

	history []said
	system  string
	tools   bool
	last    int // the call that gave the answer that stands last; -1 when none did
	run     int // of runs; 0 is the conversation itself
	runs    int
	waits   []int // calls that must have been answered before the next is sent

	truth providerstest.Conversation
	steps []step
}

// step is a call as it goes over the wire.
type step struct {
	after    []int // steps that it waits for
	path     string
	request  []byte
	response []byte
	status   int
	ended    llm.End
}

// client is what a program does to the history that it sends.
type client struct {
	name string
	edit func(m *maker, h []said) []said
	// loses: not every conversation can be known again after that.
	loses bool
}

func (m *maker) random(from string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = from[m.ids.IntN(len(from))]
	}
	return string(b)
}

var vocabulary = strings.Fields(`river stone copper window market engine harbour planet violin garden winter ticket museum bottle
	signal ladder orange thunder pencil castle island camera doctor forest bridge carpet dragon feather guitar hammer
	insect jacket kitchen lantern mirror needle office palace quarry rocket saddle temple umbrella valley wagon yellow
	anchor basket candle desert elbow falcon glacier helmet ivory jungle kettle lemon magnet nectar oyster pepper`)

// say is what a person says, tell what a model or a tool does.
func (m *maker) say(n int) string  { return some(m.words, n) }
func (m *maker) tell(n int) string { return some(m.facts, n) }

func some(rnd *rand.Rand, n int) string {
	w := make([]string, n)
	for i := range w {
		w[i] = vocabulary[rnd.IntN(len(vocabulary))]
	}
	return strings.Join(w, " ")
}

func (m *maker) user(text string) { m.history = append(m.history, said{role: "user", text: text}) }

// use makes a tool call of an answer; i counts those of the answer.
func (m *maker) use(i int, tool, args string) use {
	u := use{name: tool, args: args}
	if m.wire.id != nil {
		u.id = m.wire.id(m, tool, i)
	}
	u.item = "fc_" + m.random(hex, 32)
	return u
}

func (m *maker) query() string {
	return string(encode(obj{"q": m.tell(2), "n": m.facts.IntN(9), "deep": true}))
}

// ask sends what was said so far, and takes the answer into the history. It returns
// the number of the call.
func (m *maker) ask(answers ...said) int {
	i := m.send(200, llm.EndComplete, answers...)
	m.history = append(slices.Clip(m.history), answers[len(answers)-1])
	m.last, m.waits = i, []int{i}
	return i
}

// fail sends what was said so far, and gets nothing for it.
func (m *maker) fail(status int, ended llm.End, answers ...said) {
	m.waits = []int{m.send(status, ended, answers...)}
}

// aside plays another conversation of the same program, with instructions of its own.
func (m *maker) aside(system string, play func()) {
	history, last, was, tools := m.history, m.last, m.system, m.tools
	m.history, m.last, m.system, m.tools = nil, -1, system, false
	m.runs++
	m.run = m.runs
	play()
	m.history, m.last, m.system, m.tools, m.run = history, last, was, tools, 0
}

// send sends what was said so far.
func (m *maker) send(status int, ended llm.End, answers ...said) int {
	h := m.history
	m.clock++
	a := asked{model: "m", system: m.system, tools: m.tools, choices: len(answers)}
	if m.client.edit != nil {
		h = m.client.edit(m, slices.Clone(h))
	}
	if m.client.name == "clock in the instructions" {
		a.system += fmt.Sprintf(" It is 10:%02d.", m.clock)
	}
	if m.client.name == "previous response" && m.last >= 0 {
		a.previous = "resp_" + responseID(m, m.last)
		for i := len(h) - 1; i >= 0; i-- {
			if h[i].role == "assistant" {
				h = h[i+1:]
				break
			}
		}
	}
	a.messages = h
	i := len(m.steps)
	for k := range answers {
		answers[k].role, answers[k].mark = "assistant", m.random(letters, 40)
	}
	s := step{after: m.waits, path: m.wire.path, status: status, ended: ended, request: encode(m.wire.request(a))}
	if status == 200 {
		s.response = encode(m.wire.answer(responseID(m, i), answers))
	} else {
		s.response = []byte(`{"error":{"message":"busy","type":"rate_limit_error"}}`)
	}
	if ended != llm.EndComplete {
		s.response = s.response[:len(s.response)/2]
	}
	m.steps = append(m.steps, s)
	m.truth.Calls = slices.Grow(m.truth.Calls, 1)[:i+1]
	c := &m.truth.Calls[i]
	c.Kind = "inference"
	if m.last >= 0 {
		p := m.last
		c.Parent = &p
	} else {
		root := true
		c.Root = &root
	}
	run := m.run
	c.Run = &run
	return i
}

func responseID(m *maker, i int) string { return fmt.Sprintf("%x", m.number+uint64(i)) }

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: " + err.Error()) // maps of texts
	}
	return b
}

// begun says that the next call begins a run that a tool call started.
func (m *maker) begun(call int, tool string) {
	m.truth.Runs = slices.Grow(m.truth.Runs, 1)[:len(m.truth.Runs)+1]
	r := &m.truth.Runs[len(m.truth.Runs)-1]
	r.Run, r.Calls = m.run, []int{len(m.steps)}
	r.Spawned = &struct {
		Call int    `json:"call_index"`
		Tool string `json:"tool_call_id"`
	}{call, tool}
}

// results runs the tools that the last answer asked for: what they bring is said next.
func (m *maker) results(each func(i int, u use) done) {
	msg := said{role: "tool"}
	calls := m.history[len(m.history)-1].calls
	for i, u := range calls {
		r := done{id: u.id, name: u.name, args: u.args, text: "found " + m.tell(3)}
		if each != nil {
			r = each(i, u)
			r.id, r.name, r.args = u.id, u.name, u.args
		}
		msg.results = append(msg.results, r)
		result := len(m.steps)
		m.truth.Tools = slices.Grow(m.truth.Tools, 1)[:len(m.truth.Tools)+1]
		t := &m.truth.Tools[len(m.truth.Tools)-1]
		t.Call, t.Name, t.Result, t.ID = m.last, u.name, &result, nil
	}
	m.history = append(m.history, msg)
}

// placedAt is a step with the time that it took place.
type placedAt struct {
	conv, index int
	start, end  time.Time
}

// schedule gives the steps of all conversations their times, side by side, and
// returns them in the order in which they end.
func schedule(all []*maker, rnd *rand.Rand) []placedAt {
	const within = 10 * time.Second // all begin
	var out []placedAt
	began := time.Unix(1_800_000_000, 0)
	for conv, m := range all {
		ends := make([]time.Time, len(m.steps))
		base := began.Add(time.Duration(rnd.Int64N(int64(within))))
		for i, s := range m.steps {
			from := base
			for _, k := range s.after {
				if ends[k].After(from) {
					from = ends[k]
				}
			}
			start := from.Add(time.Duration(1+rnd.IntN(4000)) * time.Millisecond)
			ends[i] = start.Add(time.Duration(200+rnd.IntN(6000)) * time.Millisecond)
			out = append(out, placedAt{conv, i, start, ends[i]})
		}
	}
	slices.SortStableFunc(out, func(a, b placedAt) int { return a.end.Compare(b.end) })
	return out
}

func (m *maker) recording(i int) providerstest.Recording {
	s := m.steps[i]
	return providerstest.Recording{
		Name: m.name, Provider: m.wire.provider, Method: "POST", Target: s.path, Host: "api", Request: s.request, Status: s.status, Response: s.response,
		ResponseHeader: llm.Header("Content-Type: application/json\r\n"),
	}
}
