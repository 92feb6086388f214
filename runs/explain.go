package runs

import (
	"slices"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Explanation says why a call was placed where it is. Nothing in it was said in a
// call.
type Explanation struct {
	Call       string       `json:"call"`
	Start      time.Time    `json:"start"`
	Parent     string       `json:"parent,omitempty"` // the call that it goes on from
	Run        string       `json:"run"`
	Session    string       `json:"session"`
	Turn       int          `json:"turn"`
	Evidence   []string     `json:"evidence,omitempty"`
	Confidence string       `json:"confidence,omitempty"`
	RetryOf    string       `json:"retry_of,omitempty"`
	RepeatOf   string       `json:"repeat_of,omitempty"`
	ByCall     string       `json:"by_call,omitempty"` // the call whose tool call started the run
	ByTool     string       `json:"by_tool,omitempty"`
	Tools      []string     `json:"tools,omitempty"` // that ran before it
	Root       bool         `json:"root"`            // the run has a span of its own
	Foreign    bool         `json:"foreign"`         // its caller sent trace context, which won
	Turns      int          `json:"turns"`           // changes of sides in its messages
	Known      int          `json:"known"`           // calls of the same credential and team that were remembered
	Ambiguous  bool         `json:"ambiguous,omitempty"`
	Considered []Considered `json:"considered,omitempty"`
}

// Considered is a call that was looked at.
type Considered struct {
	Call     string   `json:"call"`
	Run      string   `json:"run"`
	Evidence []string `json:"evidence"`
	Score    int      `json:"score"`
	Verdict  string   `json:"verdict"` // taken, or the guard or rule that spoke against it
}

// Verdicts. A guard is a reason that no evidence outweighs but ids that are unique.
const (
	verdictTaken     = "taken"
	verdictWeaker    = "another has stronger evidence"
	verdictOther     = "another was asked with the same settings, or is younger"
	verdictAmbiguous = "fits as well as one of another run: not guessed"
	verdictCrowded   = "more fit as well than are looked at: not guessed"
	guardTime        = "guard: it was answered after this call began"
	guardSession     = "guard: its caller named another session"
	guardAgent       = "guard: its caller named another agent"
	guardIssued      = "guard: its answer gave out tool call ids, and others came back"
	guardHeld        = "guard: the same words with other tool call ids in the history"
)

const (
	keptExplanations = 4096 // the last so many
	mostConsidered   = 24   // of each
)

// explanations are those of the last calls.
type explanations struct {
	ring []Explanation
	next int
	at   map[string]int
}

func (e *explanations) keep(x Explanation) {
	if e.at == nil {
		e.at = map[string]int{}
	}
	if len(e.ring) < keptExplanations {
		e.at[x.Call] = len(e.ring)
		e.ring = append(e.ring, x)
		return
	}
	if old := e.ring[e.next].Call; e.at[old] == e.next {
		delete(e.at, old)
	}
	e.at[x.Call] = e.next
	e.ring[e.next] = x
	e.next = (e.next + 1) % keptExplanations
}

// Explain says why a call was placed as it was. The last few thousand are known.
func (l *Linker) Explain(call string) (Explanation, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := l.why.at[call]
	if !ok {
		return Explanation{}, false
	}
	return l.why.ring[i], true
}

// explain keeps what led to a place.
func (l *Linker) explain(a *asking, r *llm.Run, of *run, ambiguous bool) {
	x := Explanation{
		Call: a.call.ID, Start: a.call.Start, Parent: a.call.Place.ParentCall, Run: r.ID, Session: r.Session, Turn: r.Turn,
		Evidence: r.Evidence, Confidence: r.Confidence, RetryOf: r.RetryOf, RepeatOf: r.RepeatOf, ByCall: r.ByCall, ByTool: r.ByTool,
		Root: of.own, Foreign: of.foreign, Turns: len(a.groups), Known: a.scope.nodes, Ambiguous: ambiguous, Considered: a.considered,
	}
	for i := range r.Inferred {
		if inf := &r.Inferred[i]; len(inf.Parts) > 0 {
			x.Tools = append(x.Tools, inf.Parts[0].Name)
		}
	}
	l.why.keep(x)
}

// consider notes a verdict; what was said before of the same call at another place
// stays beside it.
func (a *asking) consider(c candidate, verdict string) {
	if len(a.considered) >= mostConsidered || c.of == nil {
		return
	}
	a.considered = append(a.considered, Considered{c.id, c.of.id, slices.Clone(c.evidence), c.score, verdict})
}
