package runs

import (
	"iter"
	"slices"
	"strings"

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

	considered []Considered
}

// candidate is a call that may be the parent, and why.
type candidate struct {
	*node
	at       int // the group that holds its answer; -1 when none does
	score    int
	evidence []string
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
	for i := len(a.groups) - 1; i >= 0; i-- {
		if !a.groups[i].model && i > 0 {
			continue
		}
		found, ambiguous = a.best(x.at(a, i))
		if found.node != nil || ambiguous {
			return found, ambiguous
		}
	}
	return a.best(x.byAnswerAlone(a))
}

// at returns the calls whose answer may be group i, or, where the request begins
// with results, may stand before it.
func (x *index) at(a *asking, i int) []candidate {
	at, from, to := i, i, i+1
	if !a.groups[i].model {
		at, to = i-1, i // the answer stands before it, or not in the request at all
	}
	var cs []candidate
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
		cs = append(cs, candidate{node: n, at: at, score: score, evidence: []string{evidence}})
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
		for _, n := range x.find(a.scope, byAnswer, a.heads[i]) {
			add(n, scorePrefix, evPrefix)
		}
		before := a.seed
		if i > 0 {
			before = a.heads[i-1]
		}
		for _, n := range x.find(a.scope, byRequest, before) {
			if slices.ContainsFunc(cs, func(c candidate) bool { return c.node == n && slices.Contains(c.evidence, evPrefix) }) {
				continue
			}
			// Of an unknown answer the provider at least is known.
			if n.silent() && !n.sealed && n.setting.route != a.setting.route {
				continue
			}
			if like := n.like(&a.groups[i]); like > 0 {
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

// byAnswerAlone looks for a call whose answer is the last turn of the model,
// though what stands before it was changed or cut.
func (x *index) byAnswerAlone(a *asking) []candidate {
	for i := len(a.groups) - 1; i >= 0; i-- {
		if !a.groups[i].model {
			continue
		}
		var cs []candidate
		if a.groups[i].tells() {
			for _, n := range x.find(a.scope, byText, a.sums[i]) {
				if c := (candidate{node: n, at: i, score: scoreAnswer, evidence: []string{evAnswer}}); a.allows(c) {
					cs = append(cs, c)
				}
			}
		}
		return cs
	}
	return nil
}

// guard says what speaks against a candidate, if anything does.
func (a *asking) guard(c candidate) string {
	if c.answered.After(a.call.Start) {
		return guardTime
	}
	if slices.Contains(c.evidence, evTool) {
		return ""
	}
	none := digest{}
	switch {
	case a.session != none && c.caller != none && a.session != c.caller:
		return guardSession
	case a.session != none && a.session == c.caller && a.agent != c.agent:
		return guardAgent
	case !a.sharesIssued(c):
		return guardIssued
	case !a.sharesHeld(c):
		return guardHeld
	}
	return ""
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

// likeFrom is how much of two answers must be equal to take one for the other.
const likeFrom = 12

// like says how alike a turn of the model is to what the call answered: 0 when it
// is another answer, up to 12 when only little was changed.
func (n *node) like(g *group) int {
	if len(n.asked) > 0 && len(g.asked) > 0 {
		same, names := 0, 0
		for _, k := range g.asked {
			if slices.ContainsFunc(n.asked, func(o asked) bool { return o.sum == k.sum }) {
				same++
			}
			if slices.ContainsFunc(n.asked, func(o asked) bool { return o.name == k.name }) {
				names++
			}
		}
		switch {
		case same > 0:
			return 12
		case names == len(g.asked):
			return 6
		}
		return 0
	}
	if n.sealed && n.head != (digest{}) {
		return 0
	}
	if n.head == (digest{}) || n.silent() {
		return n.likeThought(g) // what was answered is not known
	}
	start := g.start()
	for _, k := range n.asked { // a tool call that was sent back as a text
		if args := string(canonical(nil, k.args)); len(args) >= likeFrom && strings.Contains(string(plain(nil, g.text())), args) {
			return 8
		}
	}
	best := 0
	for _, s := range n.starts {
		common := 0
		for common < len(s) && common < len(start) && s[common] == start[common] {
			common++
		}
		switch whole := min(len(s), len(start)); {
		case common == 0 || whole == 0:
		case common == whole: // cut, or written on
			best = max(best, 10)
		case common >= likeFrom:
			best = max(best, 2+6*common/whole)
		}
	}
	return best
}

// likeThought is like for calls of which at most the thoughts are known.
func (n *node) likeThought(g *group) int {
	size := min(len(n.thought), len(g.thought))
	switch {
	case size >= likeFrom && n.thought[:size] == g.thought[:size]:
		return 9
	case size > 0:
		return 0
	case n.refused:
		return 2
	}
	return 1
}

// silent says that nothing readable was answered.
func (n *node) silent() bool {
	return len(n.asked) == 0 && !slices.ContainsFunc(n.starts, func(s string) bool { return s != "" })
}

// tells says that an answer is long enough to be known by itself.
func (g *group) tells() bool { return len(g.start()) >= 40 }
