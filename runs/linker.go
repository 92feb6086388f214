package runs

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Linker gives calls their place. Its methods may be called by several goroutines
// at a time. The order of calls matters: a call is found by those placed after it.
type Linker struct {
	mu    sync.Mutex
	memo  *memo
	index index
	stats Stats
	book  *book
	why   explanations
	seeds map[[2]string]digest // of scopes that were asked for lately
}

// New makes a linker that remembers nothing yet. The zero Config stands for
// [DefaultConfig].
func New(cfg Config) *Linker {
	if cfg == (Config{}) {
		cfg = DefaultConfig()
	}
	l := &Linker{memo: newMemo(), book: newBook(cfg)}
	cfg.MaxBytes -= cfg.MaxBytes / bookShare
	l.index = index{cfg: cfg, byKey: map[digest][]*node{}, crowds: map[digest]bool{}, scopes: map[digest]*scope{}, memo: l.memo, stats: &l.stats}
	return l
}

// Stats returns the counts so far.
func (l *Linker) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Remembered, s.Bytes = len(l.index.order)-l.index.first, l.index.bytes
	l.book.count(&s)
	return s
}

// Done takes a call that was placed as it goes to those who keep it: with its
// content limited and redacted. It may be called by several goroutines at a time, in
// any order, once for each call.
func (l *Linker) Done(c *llm.Call) { l.book.came(c) }

// Ended returns the runs that have ended by now, or with all every one that there
// is, each as a call of [llm.KindRun]. Their spans keep their ids: should another call
// follow, the run is returned once more, with more in it.
func (l *Linker) Ended(now time.Time, all bool) []*llm.Call { return l.book.due(now, all) }

// Place sets c.Run and, where the call goes on from an earlier one,
// c.Place.ParentCall; one that is set already stays. It reads the messages as they
// were sent, so it comes before content is limited, and keeps nothing of c. Calls
// that have no messages, and embeddings, get no Run: embeddings are named by the
// call that used them.
func (l *Linker) Place(c *llm.Call) {
	if c.Kind != llm.KindLLM {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.index.forget(c.End)
	seed := l.scopeOf(c)
	s := l.index.scopes[seed]
	switch {
	case c.Operation == "embeddings":
		l.index.embed(l.index.scope(seed), c)
		return
	case len(c.Input) == 0 && c.Method == "GET":
		if s != nil {
			l.poll(s, c)
		}
		return
	case len(c.Input) == 0 && before(c) == "":
		return
	}
	a := l.read(c, l.index.scope(seed))
	l.place(a)
}

// scopeOf is what a link never crosses.
func (l *Linker) scopeOf(c *llm.Call) digest {
	who := [2]string{c.Attribution.Key, c.Attribution.Team}
	if d, ok := l.seeds[who]; ok {
		return d
	}
	d := chain(digestOf([]byte(who[0])), 's', digestOf([]byte(who[1])))
	const most = 1024
	if l.seeds == nil || len(l.seeds) == most {
		l.seeds = map[[2]string]digest{}
	}
	l.seeds[[2]string{strings.Clone(who[0]), strings.Clone(who[1])}] = d
	return d
}

func (l *Linker) read(c *llm.Call, s *scope) *asking {
	a := &asking{call: c, scope: s, groups: l.memo.readGroups(c.Input), session: digestOf([]byte(c.Attribution.Session)), agent: digestOf([]byte(c.Told.Agent))}
	a.setting = setting{system: l.instructions(c), route: c.Route, model: c.RequestModel}
	for _, t := range c.Tools {
		d := chain(l.memo.of('t', t.Name, plain), 't', l.memo.of('t', t.Description, plain))
		a.setting.tools = chain(a.setting.tools, 't', chain(d, 'p', l.memo.of('t', t.Parameters, plain)))
	}
	return a
}

// instructions is the digest of all that is left out of groups for being said by
// whoever made the program, but for the time of day: two calls of the same minute are
// not more alike than two of one conversation.
func (l *Linker) instructions(c *llm.Call) (d digest) {
	add := func(ps []llm.Part) {
		for i := range ps {
			d = chain(d, 's', l.memo.of('s', ps[i].Content, timeless))
		}
	}
	add(c.System)
	for _, m := range c.Input {
		if m.Role == "system" || m.Role == "developer" {
			add(m.Parts)
		}
	}
	return d
}

// hash runs along the groups, from what they go on from.
func (l *Linker) hash(a *asking, seed digest) {
	a.seed = seed
	digests := make([]digest, 2*len(a.groups))
	a.sums, a.heads, a.sizes = digests[:len(a.groups)], digests[len(a.groups):], make([]int, len(a.groups))
	d, size := seed, 0
	for i := range a.groups {
		a.sums[i] = l.memo.sum(&a.groups[i])
		d = chain(d, side(a.groups[i].model), a.sums[i])
		a.heads[i] = d
		size += a.groups[i].size()
		a.sizes[i] = size
	}
}

func side(model bool) byte {
	if model {
		return 'a'
	}
	return 'u'
}

func (l *Linker) place(a *asking) {
	c, seed := a.call, digest{}
	named := l.index.named(a)
	if named.node != nil {
		a.consider(named, verdictTaken)
	}
	if named.node != nil && named.head != (digest{}) {
		seed = named.head
	}
	l.hash(a, seed)
	found, ambiguous := named, false
	if found.node == nil {
		found, ambiguous = l.index.parent(a)
	}
	n := l.node(a)
	r := &llm.Run{Turn: 1}
	var of *run // nil: one begins
	session := c.ID
	if found.node != nil {
		of, session = l.follow(a, found, n, r), found.of.session
	} else if ambiguous {
		l.stats.Ambiguous++
	}
	before := found.node
	if before != nil {
		n.after = before.id
	}
	again := l.again(a, n, r)
	if again != nil && found.node == nil && r.RetryOf != "" {
		of, before, r.Turn, n.spawn = again.of, again, again.turn, again.spawn
		r.Evidence = append(r.Evidence, evRetry)
	}
	if told := l.index.toldRun(a); of == nil && told != nil {
		of, r.Turn, n.spawn = told.of, told.turn+1, told.spawn
		r.Evidence = append(r.Evidence, evTold)
		if before == nil {
			before = told
		}
	}
	if found.node == nil && of == nil && n.spawn == nil && !c.Told.Aside {
		l.index.start(a, n, r)
	}
	if of == nil && found.node == nil {
		session = l.index.sessionOf(a, session)
	}
	used := l.index.retrieved(a, r)
	if of == nil {
		of = begin(a, n, r, session, used)
	}
	r.ID, r.Session, n.of, n.turn = of.id, of.session, of, r.Turn
	r.Confidence = confidence(r.Evidence)
	of.take(c, n, r, before)
	c.Run = r
	l.stats.Calls++
	l.stats.Tools += int64(len(r.Inferred) - len(used))
	l.explain(a, r, of, ambiguous)
	l.remember(a, n)
	in, begins := sessionOf(a, of)
	l.book.placed(of, c, len(n.asked) > 0 || n.failed, in, begins)
}

// named is the call that the request says it goes on from.
func (x *index) named(a *asking) candidate {
	if id := before(a.call); id != "" {
		for _, n := range slices.Backward(x.find(a.scope, byResponse, digestOf([]byte(id)))) {
			return candidate{node: n, at: -1, evidence: []string{evResponse}}
		}
	}
	return candidate{}
}

// before is the id of the response that the request names as the one before it.
func before(c *llm.Call) string {
	for _, at := range c.Attrs {
		if id, ok := at.Value.(string); ok && at.Key == "gen_ai.request.previous_response.id" {
			return id
		}
	}
	return ""
}

// follow takes the place after a call, and returns the run of that call when it
// goes on.
func (l *Linker) follow(a *asking, p candidate, n *node, r *llm.Run) (of *run) {
	l.stats.Linked++
	r.Evidence = p.evidence
	if a.call.Place.ParentCall == "" {
		a.call.Place.ParentCall = p.id
	}
	new := a.groups[p.at+1:]
	results, said := 0, false
	for i := range new {
		results += len(new[i].results)
		said = said || !new[i].model && len(new[i].texts) > 0
	}
	// A run ends with an answer that asks for nothing, or when somebody says
	// something instead of what was asked for. Programs that write their tools'
	// results into the answer itself go on.
	if len(p.asked) > 0 && results > 0 || !said || l.wroteOn(a, p) {
		of, r.Turn, n.spawn = p.of, p.turn+1, p.spawn
	}
	l.index.tools(a, p, new, r)
	return of
}

func (l *Linker) wroteOn(a *asking, p candidate) bool {
	return p.at >= 0 && slices.Contains(p.evidence, evRequest) && slices.ContainsFunc(p.starts, func(s string) bool {
		start := a.groups[p.at].start()
		return s != "" && len(start) > len(s) && strings.HasPrefix(start, s)
	})
}

// node is what will be remembered of the call.
func (l *Linker) node(a *asking) *node {
	c := a.call
	n := &node{
		id: c.ID, scope: a.scope, started: c.Start, answered: c.FirstByte, ended: c.End, setting: a.setting,
		caller: a.session, agent: a.agent, request: a.request(), failed: failed(c),
	}
	if n.answered.IsZero() {
		n.answered = c.Start
	}
	for i := range c.Output {
		for _, g := range l.memo.readGroups(asModel(c.Output[i])) {
			n.starts = append(n.starts, g.start())
			if n.thought == "" {
				n.thought = g.thought
			}
			for _, k := range g.asked {
				k.id, k.item, k.name, k.args = strings.Clone(k.id), strings.Clone(k.item), strings.Clone(k.name), strings.Clone(k.args)
				k.texts = a.textsIn(k.args)
				n.asked = append(n.asked, k)
			}
		}
	}
	n.done, n.hidden = make([]bool, len(n.asked)), hidden(c)
	for _, k := range n.asked {
		if k.id != "" {
			if n.toolID == nil {
				n.toolID = map[string]bool{}
			}
			n.toolID[k.id] = true
			if c.ResponseID != "" {
				n.toolID[joined(c, k.id)] = true
			}
		}
	}
	if len(a.sums) > 0 {
		n.opening = a.sums[0]
	}
	n.refused = c.Status == 400 || c.Status == 422
	for i := len(a.groups) - 1; i >= 0 && len(n.held) < maxHeld; i-- {
		for id := range a.groups[i].toolIDs() {
			if len(n.held) < maxHeld && !slices.Contains(n.held, id) {
				n.held = append(n.held, strings.Clone(id))
			}
		}
	}
	return n
}

// maxHeld is how many tool call ids of a request are kept to tell it from another
// of the same words.
const maxHeld = 8

// joined is what clients make of ids that are not unique: the id of the response
// comes before them.
func joined(c *llm.Call, id string) string { return c.ResponseID + ":" + id }

// asModel is an answer as a message of the model, whatever its role is called.
func asModel(m llm.Message) []llm.Message {
	m.Role = "assistant"
	return []llm.Message{m}
}

// failed says that whoever asked has reason to ask the same again.
func failed(c *llm.Call) bool {
	switch c.Status {
	case 0, 408, 409, 425, 429:
		return true
	}
	return c.Status >= 500 || c.Ended != llm.EndComplete && c.Ended != "" && c.ErrorType != ""
}

// remember makes the call one that others can go on from.
func (l *Linker) remember(a *asking, n *node) {
	l.index.add(n)
	l.index.put(n, bySame, a.same())
	l.index.putTold(a, n)
	if a.call.ResponseID != "" {
		l.index.put(n, byResponse, digestOf([]byte(a.call.ResponseID)))
	}
	if a.call.Status >= 400 && !n.refused {
		return // nobody goes on from a refusal
	}
	if n.request != (digest{}) { // nothing said is the beginning of everything
		l.index.put(n, byRequest, n.request)
	}
	l.learn(n, a.groups, a.seed, a.call)
	if prompt := a.promptOf(); prompt != "" {
		n.scope.prompted(n, prompt)
	}
	if len(n.asked) > 0 {
		n.scope.wait(n)
	}
	if n.spawn != nil && len(n.starts) > 0 {
		n.spawn.answer = n.starts[0]
	}
}

// learn takes in the answers to a request.
func (l *Linker) learn(n *node, groups []group, seed digest, c *llm.Call) {
	output := c.Output
	for i := range output {
		for _, p := range output[i].Parts {
			for _, id := range [...]string{p.ID, p.Item} {
				if unique(id, p.Name) {
					l.index.put(n, byID, digestOf([]byte(id)))
				}
			}
			if p.ID != "" && c.ResponseID != "" {
				l.index.put(n, byID, digestOf([]byte(joined(c, p.ID))))
			}
		}
		said := l.memo.readGroups(asModel(output[i]))
		if len(said) == 0 || !said[0].any {
			continue
		}
		g := said[0]
		before := n.request
		if k := len(groups) - 1; k >= 0 && groups[k].model { // the request began the answer
			whole := groups[k]
			whole.texts, whole.rest = slices.Clip(whole.texts), slices.Clip(whole.rest)
			whole.join(g)
			g, before = whole, seed
			for j := range groups[:k] {
				before = chain(before, side(groups[j].model), l.memo.sum(&groups[j]))
			}
		}
		sum := l.memo.sum(&g)
		head := chain(before, 'a', sum)
		if i == 0 {
			n.head = head
		}
		l.index.put(n, byAnswer, head)
		l.index.put(n, byText, sum)
		if len(g.texts) > 0 && len(g.asked) > 0 { // words beside calls are dropped by some
			calls := group{model: true, rest: g.rest}
			l.index.put(n, byText, l.memo.sum(&calls))
		}
		if !g.tells() {
			if d, ok := l.memo.turn(groups, &g, sum); ok {
				l.index.put(n, byTurn, d)
			}
		}
	}
}

// poll learns the answer of a call that was answered later.
func (l *Linker) poll(s *scope, c *llm.Call) {
	if c.ResponseID == "" || len(c.Output) == 0 {
		return
	}
	for _, n := range slices.Backward(l.index.find(s, byResponse, digestOf([]byte(c.ResponseID)))) {
		if n.head != (digest{}) {
			return // known already
		}
		heard := l.node(&asking{call: c, scope: s})
		n.asked, n.done, n.hidden = heard.asked, heard.done, heard.hidden
		n.starts, n.toolID, n.ended = heard.starts, heard.toolID, c.End
		l.learn(n, nil, digest{}, c)
		if len(n.asked) > 0 {
			s.wait(n)
		}
		return
	}
}
