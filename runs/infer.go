package runs

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

const (
	maxPending  = 256 // calls of a scope of which tool calls wait for their results
	maxEmbedded = 32  // embeddings of a scope that may still be used
	maxOpening  = 64 << 10
	maxText     = 2048

	// Of an argument, or an answer, that is found within another text: shorter ones
	// are found by chance.
	quoteFrom = 16
	embedFrom = 8
	// embedFor is how long after it was made an embedding is waited for to be used.
	embedFor = 5 * time.Minute
)

// tools pairs the tool calls of a call with the results in what followed: by id,
// else by order among those of its name, for providers that give no ids and
// clients that give their own.
func (x *index) tools(a *asking, p candidate, new []group, r *llm.Run) {
	if len(p.asked) == 0 {
		return
	}
	used := make([]bool, len(p.asked))
	done := 0
	told := toldTimes(a.call.Told.Tools)
	for i := range new {
		for _, res := range new[i].results {
			k, evidence := pair(p.asked, used, res)
			if k < 0 {
				continue
			}
			used[k] = true
			done++
			if p.done[k] {
				continue // it came before, in a request that failed or in a branch
			}
			p.done[k] = true
			call := p.asked[k]
			if p.sealed {
				call.args = a.argsOf(p, call)
			}
			inf := llm.Inferred{
				Operation: "execute_tool", Call: p.id, Start: p.ended, End: a.call.Start, Evidence: []string{evidence},
				Parts: []llm.Part{
					hide(llm.Part{Type: llm.PartToolCall, ID: call.id, Name: call.name, Arguments: call.args}, p.hidden),
					{Type: llm.PartToolCallResponse, ID: res.id, Name: call.name, Response: res.text, Failed: res.failed},
				},
				Confidence: confidence([]string{evidence}),
			}
			if inf.Start.After(inf.End) {
				inf.Start = inf.End
			}
			told.apply(&inf)
			if p.of.spans() {
				inf.Span = llm.SpanRef{Trace: p.of.trace, Span: toolSpan(p.node, k)}
				inf.Above = p.of.top
			}
			if run := p.scope.answeredBy(p.node, call.id, res.text); run != "" {
				inf.Run, inf.Evidence = run, append(inf.Evidence, evResult)
			}
			r.Inferred = append(r.Inferred, inf)
		}
	}
	if done == len(p.asked) {
		p.scope.settle(p.node)
	}
}

// argsOf returns the arguments of a tool call as the request repeats them.
func (a *asking) argsOf(p candidate, call asked) string {
	if p.at >= 0 {
		for _, k := range a.groups[p.at].asked {
			if k.sum == call.sum || call.id != "" && sameID(call.id, k.id) {
				return k.args
			}
		}
	}
	return ""
}

func pair(calls []asked, used []bool, res result) (int, string) {
	for i := range calls {
		if !used[i] && (sameID(calls[i].id, res.id) || calls[i].item != "" && calls[i].item == res.id) {
			return i, evTool
		}
	}
	for i := range calls {
		named := res.name == "" || res.name == calls[i].name
		if !used[i] && named && (res.id == "" || calls[i].id == "") {
			return i, evOrder
		}
	}
	return -1, ""
}

// sameID says that an id came back, as it was or behind that of the response.
func sameID(given, back string) bool {
	return given != "" && (given == back || strings.HasSuffix(back, ":"+given))
}

// answeredBy returns the run, started by a tool call, whose answer is in the result.
func (s *scope) answeredBy(call *node, tool, text string) string {
	for _, sp := range slices.Backward(call.spawned) {
		if sp.tool == tool && len(sp.answer) >= quoteFrom && strings.Contains(string(plain(nil, text)), sp.answer) {
			return sp.run
		}
	}
	return ""
}

// start finds the tool call that started a run: its opening holds an argument.
// The longest argument wins, then one that started no run yet, then the youngest; of
// callers of several conversations that gave out the same work none is taken. An agent
// that opens with the same words as the call that asked is not its sub-agent: models
// put what they were told into arguments.
func (x *index) start(a *asking, n *node, r *llm.Run) {
	if len(a.scope.pending) == 0 || len(a.groups) != 1 || a.groups[0].model {
		return
	}
	text := a.groups[0].text()
	opening := string(plain(nil, text[:min(len(text), maxOpening)]))
	from, at := a.quotes(opening)
	tool, words := "", from != nil
	if words {
		tool = from.asked[at].id
	}
	if asks, i := a.toldParent(from); asks != nil {
		if asks != from {
			from, at, tool, words = asks, i, asks.asked[i].id, false
		}
		r.Evidence = append(r.Evidence, evTold)
	}
	if from == nil {
		return
	}
	n.spawn = &spawn{run: a.call.ID, tool: tool, from: from.of, above: toolSpan(from, at)}
	if len(from.spawned) < maxPending {
		from.spawned = append(from.spawned, n.spawn)
	}
	r.ByCall, r.ByTool = from.id, tool
	if words {
		r.Evidence = append(r.Evidence, evArgument)
	}
	x.stats.SubAgents++
}

// quotes finds the tool call of which an argument stands in an opening.
func (a *asking) quotes(opening string) (from *node, at int) {
	if a.call.Start.Before(a.scope.crowded.pending) {
		return nil, 0
	}
	longest, free, several := quoteFrom-1, false, false
	for _, p := range slices.Backward(a.scope.pending) {
		if p.ended.After(a.call.Start) || p.opening == a.sums[0] {
			continue
		}
		for i, k := range p.asked {
			q := k.quoted(opening)
			if q < tellsFrom && p.setting.tools != (digest{}) && p.setting.tools == a.setting.tools && p.setting.system == a.setting.system {
				continue // another user of the same program, with a like question
			}
			unused := !p.done[i] && !p.spawnedBy(i)
			switch {
			case q > longest:
				from, at, longest, free, several = p, i, q, unused, false
			case q < longest || from == nil:
			case p.of.session != from.of.session:
				several = true
			case unused && !free:
				from, at, free = p, i, true
			}
		}
	}
	if several {
		return nil, 0
	}
	return from, at
}

// quoted is the length of the longest text in the arguments that stands in an opening.
func (k *asked) quoted(opening string) (n int) {
	for _, t := range k.texts {
		if len(t.plain) > n && (!t.copied || 2*len(t.plain) >= len(opening)) && strings.Contains(opening, t.plain) {
			n = len(t.plain)
		}
	}
	return n
}

// text is a text in the arguments of a tool call. One that was copied from what the
// model was told says less: whatever else is made of the question holds it too.
type text struct {
	plain  string
	copied bool
}

// textsIn are the texts in arguments that are long enough to be found in others.
func (a *asking) textsIn(args string) []text {
	if len(args) < quoteFrom || len(args) > maxOpening {
		return nil
	}
	var v any
	if json.Unmarshal([]byte(args), &v) != nil {
		return nil
	}
	texts := appendTexts(nil, v)
	for i := len(a.groups) - 1; i >= 0 && len(texts) > 0; i-- {
		if g := &a.groups[i]; !g.model && len(g.texts) > 0 {
			told := g.text()
			told = string(plain(nil, told[:min(len(told), maxOpening)]))
			for k := range texts {
				texts[k].copied = strings.Contains(told, texts[k].plain)
			}
			break
		}
	}
	return texts
}

func appendTexts(to []text, v any) []text {
	switch v := v.(type) {
	case string:
		if s := string(plain(nil, v)); len(s) >= quoteFrom {
			to = append(to, text{plain: s})
		}
	case []any:
		for _, e := range v {
			to = appendTexts(to, e)
		}
	case map[string]any:
		for _, e := range v {
			to = appendTexts(to, e)
		}
	}
	return to
}

// embed remembers what was embedded.
func (x *index) embed(s *scope, c *llm.Call) {
	if c.Status >= 400 {
		return
	}
	// The scope lives as long as a call of it is remembered.
	x.add(&node{id: c.ID, scope: s, ended: c.End})
	for _, m := range c.Input {
		for _, p := range m.Parts {
			text := string(plain(nil, p.Content[:min(len(p.Content), maxText)]))
			if len(text) < embedFrom || len(p.Content) > maxText {
				continue // a document for an index, not a question
			}
			e := embedded{call: c.ID, text: text, start: c.Start, end: c.End}
			if c.Place.Parent == ([8]byte{}) {
				e.trace, e.flags = c.Place.Trace, c.Place.Flags
			}
			x.bytes += e.size()
			if s.embedded = append(s.embedded, e); len(s.embedded) > maxEmbedded {
				x.bytes -= s.embedded[0].size()
				s.embedded = slices.Delete(s.embedded, 0, 1)
			}
		}
	}
}

// retrieved finds the embeddings that were used in what was said last.
func (x *index) retrieved(a *asking, r *llm.Run) (used []embedded) {
	if len(a.scope.embedded) == 0 || len(a.groups) == 0 {
		return nil
	}
	last := &a.groups[len(a.groups)-1]
	if last.model || len(last.texts) == 0 {
		return nil
	}
	text := last.text()
	said := string(plain(nil, text[:min(len(text), maxOpening)]))
	keep := a.scope.embedded[:0]
	for _, e := range a.scope.embedded {
		gap := a.call.Start.Sub(e.end)
		switch {
		case gap > embedFor:
			x.bytes -= e.size()
		case gap >= 0 && strings.Contains(said, e.text):
			x.bytes -= e.size()
			r.Inferred = append(r.Inferred, llm.Inferred{
				Operation: "retrieval", Call: e.call, Start: e.end, End: a.call.Start, Evidence: []string{evInput}, Confidence: llm.Likely,
			})
			used = append(used, e)
		default:
			keep = append(keep, e)
		}
	}
	clear(a.scope.embedded[len(keep):])
	a.scope.embedded = keep
	return used
}
