package runs

import (
	"iter"
	"slices"

	"github.com/spanwire/spanwire/llm"
)

// Words of evidence, as they stand in llm.Run.Evidence.
const (
	evResponse  = "previous_response_id" // named in the request
	evTool      = "tool_call_id"         // an id that an answer gave out came back
	evPrefix    = "prefix"               // request and answer are the beginning of the request
	evRequest   = "request_prefix"       // the request is, and an answer that was changed
	evAnswer    = "answer"               // the answer stands in the request, after something else
	evAmbiguous = "ambiguous"            // several calls of the run fit equally well
	evArgument  = "tool_argument"        // the opening holds an argument of a tool call
	evResult    = "tool_result"          // the answer stands in a tool's result
	evOrder     = "order"                // a result without a known id, in the order of the calls
	evRetry     = "retry"
	evInput     = "embedded_text" // the text embedded stands in what the user said
	evTold      = "client"        // the client says so itself
	evDuration  = "client_duration"
)

// asking is a call that looks for its place.
type asking struct {
	call    *llm.Call
	scope   *scope
	session digest // that the caller names; zero when it names none
	agent   digest // which of its agents asks; zero for the main one
	setting setting
	groups  []group
	seed    digest   // what the groups go on from
	sums    []digest // of each group
	heads   []digest // running digests: heads[i] is that of groups[:i+1]
	sizes   []int    // and how much was said in them, in bytes

	considered []Considered
}

// candidate is a call that may be the parent, and why.
type candidate struct {
	*node
	at       int // the group that holds its answer; -1 when none does
	score    int
	evidence []string
	crowded  bool // more calls fit than were looked at
}

// Weights of evidence: ids outweigh words, words the likeness of an answer.
const (
	scoreAnswer = 1
	scoreKnown  = 2 // and up: how alike a changed answer is
	scorePrefix = 16
	scoreID     = 32
)

// parent finds the call that a is the continuation of: the one whose answer stands
// latest. ambiguous says that several fit and none was taken.
func (x *index) parent(a *asking) (found candidate, ambiguous bool) {
	for _, look := range []func(*asking, int) []candidate{x.at, x.byWords} {
		for i := len(a.groups) - 1; i >= 0; i-- {
			if !a.groups[i].model && i > 0 {
				continue
			}
			found, ambiguous = a.best(look(a, i))
			if found.node != nil {
				return x.latest(a, found), false
			}
			if ambiguous {
				return found, true
			}
		}
	}
	return a.best(x.grown(a))
}

// latest looks for a later answer of the same conversation, once that is known: then
// few words are enough.
func (x *index) latest(a *asking, found candidate) candidate {
	for i := len(a.groups) - 1; i > max(found.at, 0); i-- {
		if !a.groups[i].model {
			continue
		}
		var cs []candidate
		for _, n := range x.find(a.scope, byText, a.sums[i]) {
			if n.of != nil && n.of.session == found.of.session {
				if c := (candidate{node: n, at: i, score: scoreAnswer, evidence: []string{evAnswer}}); a.allows(c) {
					cs = append(cs, c)
				}
			}
		}
		if later, _ := a.best(cs); later.node != nil {
			return later
		}
	}
	return found
}

// at returns the calls whose answer may be group i, or, where the request begins
// with results, may stand before it.
func (x *index) at(a *asking, i int) []candidate {
	at, from, to := i, i, i+1
	if !a.groups[i].model {
		at, to = i-1, i // the answer stands before it, or not in the request at all
	}
	var cs []candidate
	crowded := false
	add := func(n *node, score int, evidence string) {
		for j := range cs {
			if cs[j].node == n {
				cs[j].score += score
				if !slices.Contains(cs[j].evidence, evidence) {
					cs[j].evidence = append(cs[j].evidence, evidence)
				}
				return
			}
		}
		cs = append(cs, candidate{node: n, at: at, score: score, evidence: []string{evidence}, crowded: crowded})
	}
	for _, g := range a.groups[from:min(to+1, len(a.groups))] {
		for _, id := range g.ids {
			for _, n := range x.find(a.scope, byID, digestOf([]byte(id))) {
				if !slices.ContainsFunc(cs, func(c candidate) bool { return c.node == n && c.score >= scoreID }) {
					add(n, scoreID, evTool)
				}
			}
		}
	}
	if a.groups[i].model {
		crowded = x.crowded(a.scope, byAnswer, a.heads[i])
		for _, n := range x.find(a.scope, byAnswer, a.heads[i]) {
			add(n, scorePrefix, evPrefix)
		}
		before, size := a.seed, 0
		if i > 0 {
			before, size = a.heads[i-1], a.sizes[i-1]
		}
		crowded = x.crowded(a.scope, byRequest, before)
		for _, n := range x.find(a.scope, byRequest, before) {
			if slices.ContainsFunc(cs, func(c candidate) bool { return c.node == n && slices.Contains(c.evidence, evPrefix) }) {
				continue
			}
			// Of an unknown answer the provider at least is known.
			if n.silent() && !n.sealed && n.setting.route != a.setting.route {
				continue
			}
			if like := n.like(&a.groups[i], size); like > 0 {
				add(n, scoreKnown+like, evRequest)
			}
		}
	}
	return slices.DeleteFunc(cs, func(c candidate) bool { return !a.allows(c) })
}

// allows asks the guards.
func (a *asking) allows(c candidate) bool {
	guard := a.guard(c)
	if guard != "" {
		a.consider(c, guard)
	}
	return guard == ""
}

// byWords returns the calls whose answer is group i, though what stands before it was
// changed or cut: by the answer alone, or with the words that it answered.
func (x *index) byWords(a *asking, i int) (cs []candidate) {
	g := &a.groups[i]
	if !g.model {
		return nil
	}
	kind, d, ok := byte(byText), a.sums[i], true
	if !g.tells() {
		kind = byTurn
		d, ok = x.memo.turn(a.groups[:i], g, d)
	}
	if !ok {
		return nil
	}
	crowded := x.crowded(a.scope, kind, d)
	for _, n := range x.find(a.scope, kind, d) {
		if c := (candidate{node: n, at: i, score: scoreAnswer, evidence: []string{evAnswer}, crowded: crowded}); a.allows(c) {
			cs = append(cs, c)
		}
	}
	return cs
}

// turn is the digest of an answer that is too short to be known by itself, and of what
// was said last before it, without what tools did between them: that is what programs
// keep of a conversation that keep little. sum is that of the answer; ok says that both
// are enough to know them again.
func (m *memo) turn(before []group, g *group, sum digest) (d digest, ok bool) {
	if len(g.rest) > 0 || len(g.texts) == 0 {
		return d, false
	}
	for i := len(before) - 1; i >= 0; i-- {
		if b := &before[i]; !b.model && len(b.texts) > 0 {
			asked := b.text()
			if len(asked)+len(g.text()) < tellsFrom {
				return d, false
			}
			return chain(m.of('t', asked, plain), 'u', sum), true
		}
	}
	return d, false
}

// guard says what speaks against a candidate, if anything does.
func (a *asking) guard(c candidate) string {
	if c.answered.After(a.call.Start) {
		return guardTime
	}
	if slices.Contains(c.evidence, evTool) {
		return ""
	}
	switch {
	case a.otherSession(c.node):
		return guardSession
	case a.otherAgent(c.node):
		return guardAgent
	case !a.sharesIssued(c):
		return guardIssued
	case !a.sharesHeld(c):
		return guardHeld
	}
	return ""
}

// otherSession and otherAgent say that the callers themselves tell two calls apart.
func (a *asking) otherSession(n *node) bool {
	return a.session != digest{} && n.caller != digest{} && a.session != n.caller
}

func (a *asking) otherAgent(n *node) bool {
	return a.session != digest{} && a.session == n.caller && a.agent != n.agent
}

// sharesIssued says whether ids that the answer gave to tool calls came back, as
// far as there are any.
func (a *asking) sharesIssued(c candidate) bool {
	if len(c.asked) == 0 {
		return true
	}
	back := false
	for i := max(c.at, 0); i <= c.at+1 && i < len(a.groups); i++ {
		for id := range a.groups[i].toolIDs() {
			if c.toolID[id] {
				return true
			}
			back = true
		}
	}
	// A client gives ids of its own where the provider gives none. But what comes
	// back to another provider had better be known by more than common words.
	return !back || len(c.toolID) == 0 && c.setting.route == a.setting.route
}

// sharesHeld says the same of the ids in the requests: equal words with other ids
// are another conversation.
func (a *asking) sharesHeld(c candidate) bool {
	if len(c.held) == 0 || c.at < 0 {
		return true
	}
	other := false
	for i := c.at; i >= 0; i-- {
		for id := range a.groups[i].toolIDs() {
			if slices.Contains(c.held, id) {
				return true
			}
			other = other || !c.toolID[id]
		}
	}
	return !other
}

// toolIDs yields the ids of a group's tool calls and results.
func (g *group) toolIDs() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, k := range g.asked {
			if k.id != "" && !yield(k.id) {
				return
			}
		}
		for _, r := range g.results {
			if r.id != "" && !yield(r.id) {
				return
			}
		}
	}
}

// best chooses among candidates of one position.
func (a *asking) best(cs []candidate) (candidate, bool) {
	if len(cs) == 0 {
		return candidate{}, false
	}
	top := slices.MaxFunc(cs, func(p, q candidate) int { return p.score - q.score }).score
	without := func(cs []candidate, verdict string, drop func(candidate) bool) []candidate {
		return slices.DeleteFunc(cs, func(c candidate) bool {
			if !drop(c) {
				return false
			}
			a.consider(c, verdict)
			return true
		})
	}
	cs = without(cs, verdictWeaker, func(c candidate) bool { return c.score < top })
	for _, same := range []func(candidate) bool{
		func(c candidate) bool { return c.caller == a.session },
		func(c candidate) bool { return c.setting.system == a.setting.system },
		func(c candidate) bool { return c.setting.tools == a.setting.tools },
		func(c candidate) bool { return c.setting.route == a.setting.route },
		func(c candidate) bool { return c.setting.model == a.setting.model },
	} {
		if len(cs) == 1 {
			break
		}
		if slices.ContainsFunc(cs, same) {
			cs = without(cs, verdictOther, func(c candidate) bool { return !same(c) })
		}
	}
	last := slices.MaxFunc(cs, func(p, q candidate) int { return p.ended.Compare(q.ended) })
	if last.crowded && !slices.Contains(last.evidence, evTool) && (a.session == digest{} || last.caller != a.session) {
		a.consider(last, verdictCrowded)
		return candidate{}, true
	}
	if len(cs) > 1 {
		for _, c := range cs {
			if c.of != last.of {
				for _, c := range cs {
					a.consider(c, verdictAmbiguous)
				}
				return candidate{}, true
			}
		}
		last.evidence = append(last.evidence, evAmbiguous)
	}
	for _, c := range cs {
		if c.node != last.node {
			a.consider(c, verdictOther)
		}
	}
	a.consider(last, verdictTaken)
	return last, false
}
