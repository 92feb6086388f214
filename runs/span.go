package runs

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/spanwire/spanwire/llm"
)

// run is what the calls of one run have in common.
type run struct {
	id, session string
	trace       [16]byte
	flags       byte
	// top is the span that its calls are under: one of its own, which the book hands
	// out when the run has ended; else the first call's, or what that call is under.
	top   [8]byte
	above [8]byte // over top, when that is its own
	own   bool
	// foreign: the caller told a trace of its own, where each call stands as it said
	// and nothing is added.
	foreign bool

	in  *session // that it began in, and as the how manieth there; nil when not known. Of the book
	nth int
}

// begun takes the run's place in its session.
func (r *run) begun(in *session, c *llm.Call) {
	if r.in = in; in != nil && c.Run.ByCall == "" {
		in.runs++
		r.nth = in.runs
	}
}

// spans says whether spans may be added to the run's trace.
func (r *run) spans() bool { return !r.foreign && r.trace != [16]byte{} }

// begin makes the run that a call begins.
func begin(a *asking, n *node, r *llm.Run, session string, used []embedded) *run {
	c := a.call
	of := &run{id: c.ID, session: session, trace: c.Place.Trace, flags: c.Place.Flags}
	if n.spawn != nil {
		of.session = n.spawn.from.session
	}
	switch {
	case c.Place.Remote:
		of.foreign = true
	case c.Place.Parent != [8]byte{}:
		of.top = c.Place.Parent
	case n.spawn != nil && n.spawn.from.spans():
		of.own, of.trace, of.flags, of.above = true, n.spawn.from.trace, n.spawn.from.flags, n.spawn.above
	case isAgents(a, n, r):
		of.own = true
		for _, e := range used {
			if e.trace != [16]byte{} {
				of.trace, of.flags = e.trace, e.flags
				break
			}
		}
	default:
		of.top = c.Place.Span
	}
	if of.own {
		of.top = spanID("run", of.id, 0)
	}
	return of
}

// isAgents says whether a call is one of an agent's. Of others, which are most of
// what programs send, nothing follows: they need no span above them.
func isAgents(a *asking, n *node, r *llm.Run) bool {
	return len(a.call.Tools) > 0 || len(n.asked) > 0 || len(r.Inferred) > 0 ||
		slices.ContainsFunc(a.groups, func(g group) bool { return len(g.results) > 0 })
}

// take puts a call, and what was inferred before it, into the trace of its run.
func (r *run) take(c *llm.Call, n *node, to *llm.Run, before *node) {
	if r.trace == ([16]byte{}) {
		return // whoever asks has no spans
	}
	if r.spans() && !c.Place.Remote && c.Place.Parent == [8]byte{} {
		c.Place.Trace, c.Place.Flags = r.trace, r.flags
		if c.Place.Span != r.top {
			c.Place.Parent = r.top
		}
	}
	if r.own {
		to.Root, to.Above = llm.SpanRef{Trace: r.trace, Span: r.top}, r.above
	}
	if before != nil && before.span.Trace != c.Place.Trace && before.span != (llm.SpanRef{}) {
		to.Links = append(to.Links, before.span)
	}
	for i := range to.Inferred {
		if inf := &to.Inferred[i]; inf.Operation == "retrieval" && r.spans() {
			inf.Span = llm.SpanRef{Trace: r.trace, Span: spanID("retrieval "+inf.Call, c.ID, i)}
			inf.Above = r.top
		}
	}
	n.span = llm.SpanRef{Trace: c.Place.Trace, Span: c.Place.Span}
}

// spanID is an id for a span that nobody observed: the same whenever it is made.
func spanID(kind, id string, i int) (s [8]byte) {
	d := digestOf(strconv.AppendInt(append(append([]byte(kind), 0), id...), int64(i), 10))
	copy(s[:], d[:])
	return s
}

func toolSpan(n *node, i int) [8]byte { return spanID("tool", n.id, i) }

// confidence is how sure evidence makes.
func confidence(evidence []string) string {
	sure := ""
	for _, e := range evidence {
		switch e {
		case evResponse, evTool, evPrefix, evTold:
			sure = llm.Certain
		case evAmbiguous:
			return llm.Likely
		default:
			if sure == "" {
				sure = llm.Likely
			}
		}
	}
	return sure
}

// hidden says how much of an answer may be told later, beside another call.
func hidden(c *llm.Call) llm.ContentMode {
	switch {
	case c.OmitOutput:
		return llm.ContentOff
	case c.Content == llm.ContentFull:
		return ""
	}
	return c.Content
}

// hide leaves the arguments out that the call with the answer was not to keep: the
// one that brings the result may have another content mode.
func hide(p llm.Part, mode llm.ContentMode) llm.Part {
	switch {
	case mode == "":
	case mode == llm.ContentMetadata && p.Arguments != "":
		sum := sha256.Sum256([]byte(p.Arguments))
		p.Size, p.SHA256, p.Arguments = int64(len(p.Arguments)), hex.EncodeToString(sum[:]), ""
	default:
		p.Arguments = ""
	}
	return p
}

// toldTimes are durations of tools as the client tells them: by name, in order.
type toldTimes []llm.ToolTime

// apply gives a tool its duration, within the bounds that are known.
func (t *toldTimes) apply(inf *llm.Inferred) {
	i := slices.IndexFunc(*t, func(k llm.ToolTime) bool { return k.Name == inf.Parts[0].Name })
	if i < 0 {
		return
	}
	inf.Duration = (*t)[i].Time
	*t = slices.Delete(slices.Clone(*t), i, i+1)
	if end := inf.Start.Add(inf.Duration); end.Before(inf.End) {
		inf.End = end
	}
	inf.Evidence = append(inf.Evidence, evDuration)
}
