package runs

import (
	"slices"
	"strings"
)

const (
	// likeFrom is how much of two answers must be equal to take one for the other.
	likeFrom = 12
	// tellsFrom is how much must be equal in all to know it again: many say "hi", and
	// are asked how they may be helped.
	tellsFrom = 40
	// asksFrom is how long a question must be to know it again without its answer.
	asksFrom = 24
)

// like says how alike a turn of the model is to what the call answered: 0 when it
// is another answer, up to 12 when only little was changed. before is how much was
// said before it.
func (n *node) like(g *group, before int) int {
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
		case names == len(g.asked) && before >= tellsFrom:
			return 6
		}
		return 0
	}
	if n.sealed && n.head != (digest{}) {
		return 0
	}
	if n.head == (digest{}) || n.silent() {
		return n.likeThought(g, before) // what was answered is not known
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
		case common == 0 || before+common < tellsFrom:
		case common == whole: // cut, or written on
			best = max(best, 10)
		case common >= tellsFrom && 2*common >= whole:
			best = max(best, 2+6*common/whole)
		}
	}
	return best
}

// likeThought is like for calls of which at most the thoughts are known.
func (n *node) likeThought(g *group, before int) int {
	size := min(len(n.thought), len(g.thought))
	switch {
	case size >= likeFrom && before+size >= tellsFrom && n.thought[:size] == g.thought[:size]:
		return 9
	case size > 0 || before < asksFrom:
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
func (g *group) tells() bool {
	size := len(g.start())
	for _, k := range g.asked {
		size += len(k.name) + len(k.args)
	}
	return size >= tellsFrom
}
