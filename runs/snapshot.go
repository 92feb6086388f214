package runs

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// A snapshot is lines of JSON: the first names the format, each further one is a
// session, a run or a call, sessions before their runs and these before their calls. It holds ids, names of
// tools, models and routes, times, sums and digests, and nothing that was said. So
// after a restart an answer that came back changed is not recognised, and a tool
// call that started a run neither; everything else is.
const snapshotFormat = "spanwire-runs/1"

// Bounds of a snapshot, of what it is worth to write and to read.
const (
	snapshotAge   = time.Hour
	snapshotCalls = 1 << 16
	snapshotLine  = 1 << 20
)

type savedLine struct {
	Format string     `json:"format,omitempty"`
	Run    *savedRun  `json:"run,omitempty"`
	Call   *savedCall `json:"call,omitempty"`

	Session *savedSession `json:"session,omitempty"`
}

type savedRun struct {
	ID      string   `json:"id"`
	Session string   `json:"session"`
	Trace   hexBytes `json:"trace,omitempty"`
	Flags   byte     `json:"flags,omitempty"`
	Top     hexBytes `json:"top,omitempty"`
	Above   hexBytes `json:"above,omitempty"`
	Own     bool     `json:"own,omitempty"`
	Foreign bool     `json:"foreign,omitempty"`

	In  hexBytes `json:"in,omitempty"` // key of its session
	Nth int      `json:"nth,omitempty"`

	Sums *savedSums `json:"sums,omitempty"`
}

// savedSums is an entry of the book without its texts.
type savedSums struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	savedTotals
	Tools    int64           `json:"tools,omitempty"`
	Models   []string        `json:"models,omitempty"`
	Turns    int             `json:"turns,omitempty"`
	Who      llm.Attribution `json:"who"`
	Agent    string          `json:"agent,omitempty"`
	Content  llm.ContentMode `json:"content,omitempty"`
	ByCall   string          `json:"by_call,omitempty"`
	ByTool   string          `json:"by_tool,omitempty"`
	Evidence []string        `json:"evidence,omitempty"`
	Open     bool            `json:"open,omitempty"` // its span was not handed out yet
	Waits    bool            `json:"waits,omitempty"`
}

type savedCall struct {
	ID       string          `json:"id"`
	Scope    hexBytes        `json:"scope"`
	Run      string          `json:"run"`
	Turn     int             `json:"turn"`
	After    string          `json:"after,omitempty"` // the call that it goes on from
	Trace    hexBytes        `json:"trace,omitempty"`
	Span     hexBytes        `json:"span,omitempty"`
	Started  time.Time       `json:"started"`
	Answered time.Time       `json:"answered"`
	Ended    time.Time       `json:"ended"`
	Caller   hexBytes        `json:"caller,omitempty"`
	Agent    hexBytes        `json:"agent,omitempty"`
	System   hexBytes        `json:"system,omitempty"`
	Tools    hexBytes        `json:"tools,omitempty"`
	Model    string          `json:"model,omitempty"`
	Route    string          `json:"route,omitempty"`
	Head     hexBytes        `json:"head,omitempty"`
	Request  hexBytes        `json:"request,omitempty"`
	Opening  hexBytes        `json:"opening,omitempty"`
	Failed   bool            `json:"failed,omitempty"`
	Refused  bool            `json:"refused,omitempty"`
	Hidden   llm.ContentMode `json:"hidden,omitempty"`
	Asked    []savedTool     `json:"asked,omitempty"`
	ToolIDs  []string        `json:"tool_ids,omitempty"`
	Held     []string        `json:"held,omitempty"`
	Keys     []hexBytes      `json:"keys"`
}

type savedTool struct {
	ID   string   `json:"id,omitempty"`
	Item string   `json:"item,omitempty"`
	Name string   `json:"name"`
	Sum  hexBytes `json:"sum"`
	Done bool     `json:"done,omitempty"`
}

// hexBytes are written as hex; nothing, when they are all zero.
type hexBytes []byte

// MarshalText writes hex.
func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads hex.
func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

func saved[T ~[16]byte | ~[8]byte](v T) hexBytes {
	var zero T
	if v == zero {
		return nil
	}
	switch v := any(v).(type) {
	case [16]byte:
		return v[:]
	case [8]byte:
		return v[:]
	case digest:
		return v[:]
	}
	return nil
}

// Save writes what is remembered of the last hour, so that conversations go on
// after a restart. hide takes out of a line what must not be on a disk: calls are
// placed as they came, and a caller may have put a key where a model's name or an id
// belongs. A line that is none any more without it is left out. It holds up the
// placing of calls only while it copies.
func (l *Linker) Save(to io.Writer, hide func(string) string) error {
	lines := l.snapshot()
	w := bufio.NewWriter(to)
	for i := range lines {
		b, err := json.Marshal(&lines[i])
		if err != nil {
			return fmt.Errorf("save runs: %w", err)
		}
		if line := hide(string(b)); json.Valid([]byte(line)) {
			_, _ = w.WriteString(line) // told by Flush
			_ = w.WriteByte('\n')
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("save runs: %w", err)
	}
	return nil
}

func (l *Linker) snapshot() []savedLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	nodes := l.index.order[l.index.first:]
	nodes = nodes[max(0, len(nodes)-snapshotCalls):]
	if len(nodes) > 0 {
		oldest := nodes[len(nodes)-1].ended.Add(-snapshotAge)
		nodes = nodes[slices.IndexFunc(nodes, func(n *node) bool { return !n.ended.Before(oldest) }):]
	}
	lines := make([]savedLine, 1, 2*len(nodes)+1)
	lines[0].Format = snapshotFormat
	seen, in := map[*run]bool{}, map[*session]bool{}
	for _, n := range nodes {
		if n.of == nil || seen[n.of] {
			continue
		}
		seen[n.of] = true
		r, s := l.book.save(n.of)
		if s != nil && !in[n.of.in] {
			in[n.of.in] = true
			lines = append(lines, savedLine{Session: s})
		}
		lines = append(lines, savedLine{Run: r})
	}
	for _, n := range nodes {
		if n.of != nil {
			lines = append(lines, savedLine{Call: n.save()})
		}
	}
	return lines
}

func (n *node) save() *savedCall {
	s := &savedCall{
		ID: n.id, Scope: saved(n.scope.seed), Run: n.of.id, Turn: n.turn, After: n.after, Trace: saved(n.span.Trace), Span: saved(n.span.Span),
		Started: n.started, Answered: n.answered, Ended: n.ended, Caller: saved(n.caller), Agent: saved(n.agent),
		System: saved(n.setting.system), Tools: saved(n.setting.tools), Model: n.setting.model, Route: n.setting.route,
		Head: saved(n.head), Request: saved(n.request), Opening: saved(n.opening), Failed: n.failed, Refused: n.refused, Hidden: n.hidden,
		Held: slices.Clone(n.held),
	}
	for i, k := range n.asked {
		s.Asked = append(s.Asked, savedTool{k.id, k.item, k.name, saved(k.sum), n.done[i]})
	}
	for id := range n.toolID {
		s.ToolIDs = append(s.ToolIDs, id)
	}
	slices.Sort(s.ToolIDs)
	for _, k := range n.keys {
		s.Keys = append(s.Keys, saved(k))
	}
	return s
}

// Load takes in what Save wrote. It is called before the first call is placed. What
// can be read before an error stays.
func (l *Linker) Load(from io.Reader) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 64<<10), snapshotLine)
	of := map[string]*run{}
	for n := 0; lines.Scan(); n++ {
		var s savedLine
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return fmt.Errorf("load runs: line %d: %w", n+1, err)
		}
		switch {
		case n == 0 && s.Format != snapshotFormat:
			return errors.New("load runs: it is not a snapshot of runs, or of another version")
		case s.Session != nil:
			l.book.loadSession(s.Session)
		case s.Run != nil && len(of) < snapshotCalls:
			of[s.Run.ID] = l.book.load(s.Run)
		case s.Call != nil && of[s.Call.Run] != nil && len(l.index.order) < snapshotCalls:
			l.load(s.Call, of[s.Call.Run])
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("load runs: %w", err)
	}
	return nil
}

func (l *Linker) load(s *savedCall, of *run) {
	var seed digest
	copy(seed[:], s.Scope)
	n := &node{
		id: s.ID, scope: l.index.scope(seed), of: of, turn: s.Turn, after: s.After, started: s.Started, answered: s.Answered, ended: s.Ended,
		failed: s.Failed, refused: s.Refused, hidden: s.Hidden, held: s.Held, sealed: true,
		setting: setting{model: s.Model, route: s.Route},
	}
	copy(n.span.Trace[:], s.Trace)
	copy(n.span.Span[:], s.Span)
	copy(n.caller[:], s.Caller)
	copy(n.agent[:], s.Agent)
	copy(n.setting.system[:], s.System)
	copy(n.setting.tools[:], s.Tools)
	copy(n.head[:], s.Head)
	copy(n.request[:], s.Request)
	copy(n.opening[:], s.Opening)
	waits := false
	for _, k := range s.Asked {
		var sum digest
		copy(sum[:], k.Sum)
		n.asked = append(n.asked, asked{id: k.ID, item: k.Item, name: k.Name, sum: sum})
		n.done = append(n.done, k.Done)
		waits = waits || !k.Done
	}
	for _, id := range s.ToolIDs {
		if n.toolID == nil {
			n.toolID = map[string]bool{}
		}
		n.toolID[id] = true
	}
	l.index.add(n)
	for _, k := range s.Keys {
		var key digest
		copy(key[:], k)
		l.index.putKey(n, key)
	}
	if waits {
		n.scope.wait(n)
	}
}

// save is a run as it goes into a snapshot, and its session when that is known.
func (b *book) save(r *run) (s *savedRun, in *savedSession) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s = &savedRun{
		ID: r.id, Session: r.session, Trace: saved(r.trace), Flags: r.flags, Top: saved(r.top), Above: saved(r.above), Own: r.own, Foreign: r.foreign, Nth: r.nth,
	}
	if r.in != nil && r.in.at != nil {
		s.In, in = saved(r.in.key), &savedSession{Key: saved(r.in.key), Start: r.in.start, Runs: r.in.runs, savedTotals: r.in.sums.save()}
	}
	e, open := b.open[r.id]
	if !open {
		e = b.rest[r.id]
	}
	if e == nil || e.sums.calls == 0 {
		return s, in
	}
	s.Sums = &savedSums{
		Start: e.start, End: e.end, savedTotals: e.sums.save(), Tools: e.tools, Models: slices.Clone(e.models), Turns: e.turns, Who: e.who, Agent: e.agent, Content: e.content,
		ByCall: e.first.ByCall, ByTool: e.first.ByTool, Evidence: e.first.Evidence,
		Open: open, Waits: e.waits,
	}
	return s, in
}

// load is a run as it comes out of one. After a crash its span was not handed out,
// and is when it has ended.
func (b *book) load(s *savedRun) *run {
	r := &run{id: s.ID, session: s.Session, flags: s.Flags, own: s.Own, foreign: s.Foreign}
	copy(r.trace[:], s.Trace)
	copy(r.top[:], s.Top)
	copy(r.above[:], s.Above)
	b.mu.Lock()
	defer b.mu.Unlock()
	var key digest
	copy(key[:], s.In)
	if r.in = b.sessions.of[key]; r.in != nil {
		r.nth = s.Nth
	}
	if s.Sums == nil || !r.own {
		return r
	}
	m := s.Sums
	e := &entry{
		of: r, start: m.Start, end: m.End, last: m.End, sums: m.load(), tools: m.Tools, models: m.Models, turns: m.Turns, who: m.Who, agent: m.Agent, content: m.Content,
		first: llm.Run{
			ID: s.ID, Session: s.Session, Turn: 1, ByCall: m.ByCall, ByTool: m.ByTool, Evidence: m.Evidence, Confidence: confidence(m.Evidence),
			Root: llm.SpanRef{Trace: r.trace, Span: r.top}, Above: r.above,
		},
	}
	if e.waits = m.Waits; m.Open {
		b.open[r.id] = e
	} else {
		b.rest[r.id] = e
	}
	b.order = append(b.order, e)
	b.resize(e, entrySize)
	return r
}
