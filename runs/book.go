package runs

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// book holds the runs that have a span of their own until they have ended. It sums
// their calls up from what goes out of the recorder, so that it never holds more of
// them than that: contents are limited and redacted when they come here.
type book struct {
	cfg Config
	max int64

	mu    sync.Mutex
	open  map[string]*entry // not handed out since their last call
	rest  map[string]*entry // handed out; further calls open them again
	bytes int64
	// order is that in which runs began, for when there are too many.
	order []*entry

	sessions sessions

	ended, early, late int64
}

// bookShare is the part of the memory of a linker that runs may take: one in four.
const bookShare = 4

// entry is a run and the sums of its calls.
type entry struct {
	of      *run
	pending int // calls that were placed and did not come yet

	start, end time.Time // of the first call; of the last
	waits      bool      // the last one asked for something, or failed
	last       time.Time // end of the last one placed
	sums       sums
	tools      int64
	models     []string
	turns      int
	context    llm.Count // input tokens of the last call
	session    *standing // nil when it is not known

	who              llm.Attribution // of the first call
	agent            string
	content          llm.ContentMode
	opening, closing []llm.Message
	first            llm.Run // of the first call
	errorType        string  // of the last
	size             int64
}

func newBook(cfg Config) *book {
	share := cfg.MaxBytes / bookShare
	return &book{cfg: cfg, max: share - share/sessionShare, sessions: newSessions(share / sessionShare), open: map[string]*entry{}, rest: map[string]*entry{}}
}

// placed announces a call that will come. in is the key of its session, which may be
// one that begins.
func (b *book) placed(of *run, c *llm.Call, waits bool, in digest, begins bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.sessions.placed(in, c.ID, begins); c.ID == of.id {
		of.begun(s, c)
	}
	if !of.own {
		return
	}
	e := b.open[of.id]
	if e == nil {
		if e = b.rest[of.id]; e != nil {
			delete(b.rest, of.id)
			b.late++
		} else {
			e = &entry{of: of}
			b.order = append(b.order, e)
			b.resize(e, entrySize)
		}
		b.open[of.id] = e
	}
	e.pending++
	if !c.End.Before(e.last) {
		e.last, e.waits = c.End, waits
	}
}

const (
	entrySize = 1 << 10 // about what an entry takes beside its texts
	bookText  = 8 << 10 // of the opening, and of the closing, of a run
)

func (b *book) resize(e *entry, size int64) {
	b.bytes += size - e.size
	e.size = size
}

// came adds up a call, as it goes to those who keep it.
func (b *book) came(c *llm.Call) {
	if c.Run == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	in := b.sessions.came(c)
	if c.Run.Root == (llm.SpanRef{}) {
		return
	}
	e := b.open[c.Run.ID]
	if e == nil {
		return // it was too old to wait for
	}
	e.pending--
	e.sum(c)
	if e.start.IsZero() || c.Start.Before(e.start) {
		e.begins(c)
	}
	if !c.End.Before(e.end) {
		e.end, e.errorType = c.End, c.ErrorType
		e.closing = texts(c.Output)
		e.context.N, e.context.Known = c.Usage.Input()
	}
	switch {
	case in == nil: // forgotten, or never known: what the run has is out of date
		e.session = nil
	case in == e.of.in:
		e.session = in.standing()
	}
	b.resize(e, entrySize+textSize(e.opening)+textSize(e.closing))
}

func (e *entry) sum(c *llm.Call) {
	e.sums.add(c)
	const most = 8
	if m := c.Model(); m != "" && len(e.models) < most && !slices.Contains(e.models, m) {
		e.models = append(e.models, strings.Clone(m))
	}
	e.turns = max(e.turns, c.Run.Turn)
	for i := range c.Run.Inferred {
		if c.Run.Inferred[i].Operation == "execute_tool" {
			e.tools++
		}
	}
}

// begins takes what the first call tells of the run.
func (e *entry) begins(c *llm.Call) {
	e.start, e.content, e.first = c.Start, c.Content, *c.Run
	e.first.Inferred = nil
	e.who = c.Attribution
	e.agent = agentOf(c)
	e.opening = nil
	if n := len(c.Input); n > 0 {
		e.opening = texts(c.Input[n-1:])
	}
}

// agentOf is the name of the agent that the traffic tells, else that of the program.
func agentOf(c *llm.Call) string {
	if c.Attribution.Agent != "" {
		return c.Attribution.Agent
	}
	for _, a := range c.Attrs {
		if ua, ok := a.Value.(string); ok && a.Key == "user_agent.original" {
			return strings.Clone(product(ua))
		}
	}
	return ""
}

// product is the name of the first product of a user agent, without its version:
// OpenAI/Python of "OpenAI/Python 1.99.1", curl of "curl/8.5.0".
func product(ua string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(ua), " ")
	if i := strings.LastIndexByte(name, '/'); i > 0 && i+1 < len(name) {
		if v := strings.TrimPrefix(name[i+1:], "v"); v != "" && v[0] >= '0' && v[0] <= '9' {
			name = name[:i]
		}
	}
	const most = 64
	if len(name) > most {
		return ""
	}
	return name
}

// texts are the texts of messages, a copy of bounded length.
func texts(ms []llm.Message) []llm.Message {
	room := bookText
	var out []llm.Message
	for _, m := range ms {
		kept := llm.Message{Role: strings.Clone(m.Role), FinishReason: m.FinishReason}
		for i := range m.Parts {
			p := &m.Parts[i]
			if p.Type != llm.PartText && p.Type != llm.PartRefusal || p.Content == "" && p.Size == 0 || room <= 0 {
				continue
			}
			text := p.Content
			if len(text) > room {
				text = strings.ToValidUTF8(text[:room], "") + "…"
			}
			room -= len(text)
			kept.Parts = append(kept.Parts, llm.Part{Type: p.Type, Content: strings.Clone(text), Size: p.Size, SHA256: p.SHA256})
		}
		if len(kept.Parts) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

func textSize(ms []llm.Message) (n int64) {
	for i := range ms {
		for k := range ms[i].Parts {
			n += int64(len(ms[i].Parts[k].Content)) + 160
		}
	}
	return n
}

func (b *book) count(s *Stats) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.RunsEnded, s.RunsEarly, s.RunsLate = b.ended, b.early, b.late
	s.RunsOpen, s.RunBytes, s.ForgottenSessions = len(b.open), b.bytes+b.sessions.bytes(), b.sessions.forgotten
}

// due returns the runs that have ended at a time, or all that there are.
func (b *book) due(now time.Time, all bool) (calls []*llm.Call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, e := range b.open {
		patience := b.cfg.Settle
		if e.waits {
			patience = b.cfg.Idle
		}
		if e.sums.calls == 0 || !all && (e.pending > 0 || now.Sub(e.last) < patience) {
			continue
		}
		calls = append(calls, b.close(id, e))
	}
	kept := b.order[:0]
	for _, e := range b.order {
		old := now.Sub(e.last) > b.cfg.MaxAge
		if old || b.bytes > b.max && e.pending == 0 && e.sums.calls > 0 {
			if _, ok := b.open[e.of.id]; ok && e.sums.calls > 0 {
				b.early++
				calls = append(calls, b.close(e.of.id, e))
			}
			delete(b.open, e.of.id)
			delete(b.rest, e.of.id)
			b.resize(e, 0)
			continue
		}
		kept = append(kept, e)
	}
	clear(b.order[len(kept):])
	b.order = kept
	slices.SortFunc(calls, func(p, q *llm.Call) int { return p.Start.Compare(q.Start) })
	return calls
}

// close hands a run out. What was summed up stays for a while: when a call comes
// after all, the run is handed out once more, under the same ids.
func (b *book) close(id string, e *entry) *llm.Call {
	delete(b.open, id)
	b.rest[id] = e
	b.ended++
	return e.call()
}

// call is the run as a call. Tokens and cost are attributes, so that whoever sums
// usage up does not count those of the calls twice.
func (e *entry) call() *llm.Call {
	r := e.first
	r.Turn = e.turns
	c := &llm.Call{
		ID: "run-" + e.of.id, Kind: llm.KindRun, Operation: "invoke_agent",
		Start: e.start, End: e.end, ErrorType: e.errorType,
		Place:       llm.Place{Trace: e.of.trace, Span: e.of.top, Parent: e.of.above, Flags: e.of.flags},
		Attribution: e.who, Run: &r, Content: e.content, Input: e.opening, Output: e.closing,
	}
	c.Attribution.Agent = e.agent
	e.sums.setAttrs(c, "spanwire.run")
	if e.tools > 0 {
		c.SetAttr("spanwire.run.tools", e.tools)
	}
	if len(e.models) > 0 {
		c.SetAttr("spanwire.run.models", slices.Clone(e.models))
	}
	e.setSession(c)
	return c
}

// setSession tells how the session stood by the end of the run. They are no usage:
// the same tokens are in every run of it. A sub-agent's run is a part of another.
func (e *entry) setSession(c *llm.Call) {
	if e.first.ByCall != "" {
		return
	}
	if e.context.Known {
		c.SetAttr("spanwire.run.context.input_tokens", e.context.N)
	}
	if e.session == nil {
		return
	}
	c.SetAttr("spanwire.session.start", e.session.start.UTC().Format(time.RFC3339Nano))
	if e.of.nth > 0 {
		c.SetAttr("spanwire.session.run", int64(e.of.nth))
	}
	e.session.sums.setAttrs(c, "spanwire.session")
}
