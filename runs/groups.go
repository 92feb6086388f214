package runs

import (
	"bytes"
	"slices"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// group is what one side said before the other side spoke again.
type group struct {
	model bool // said by the model, not to it
	// any says that something of it counts; a turn of the model stands for a change
	// of sides even when nothing does.
	any     bool
	texts   []string
	thought string   // beginning of what the model thought, where it is told
	asked   []asked  // model: tool calls
	results []result // not model
	ids     []string // of all parts, also those that do not count
	rest    []digest // results, calls and media, of which the order says nothing
}

// asked is a tool call of the model.
type asked struct {
	id, name, args string
	item           string // its other id, where it has one
	sum            digest // of name and arguments
	texts          []text // in the arguments
}

// result is the result of a tool call.
type result struct {
	id, name, text string
	failed         bool
}

// readGroups reads messages by an allow-list; whatever is not on it (reasoning,
// instructions, tools of the provider's own, marks of caches) is no reason to
// tell two conversations apart, for clients drop and change it.
func (m *memo) readGroups(messages []llm.Message) []group {
	into := make([]group, 0, len(messages))
	for _, msg := range messages {
		model := false
		switch msg.Role {
		case "system", "developer":
			continue
		case "assistant", "model", "chatbot", "CHATBOT":
			model = true
		}
		if n := len(into); n == 0 || into[n-1].model != model {
			into = append(into, group{model: model})
		}
		g := &into[len(into)-1]
		for i := range msg.Parts {
			m.take(g, &msg.Parts[i], msg.Name)
		}
		if !model && !g.any && len(g.ids) == 0 {
			into = into[:len(into)-1]
		}
	}
	return into
}

func (m *memo) take(g *group, p *llm.Part, name string) {
	if p.ID != "" {
		g.ids = append(g.ids, p.ID)
	}
	switch p.Type {
	case llm.PartText, llm.PartRefusal:
		if _, thought, ok := strings.Cut(p.Content, thinkOpen); ok && g.thought == "" {
			thought, _, _ = strings.Cut(thought, thinkEnd)
			g.thought = startOf(thought)
		}
		if strings.TrimSpace(p.Content) != "" {
			g.texts = append(g.texts, p.Content)
			g.any = true
		}
	case llm.PartReasoning:
		if g.thought == "" {
			g.thought = startOf(p.Content)
		}
	case llm.PartToolCall:
		m.ask(g, p)
	case llm.PartToolCallResponse:
		if g.model && g.withdraw(p.ID) {
			return
		}
		if p.Name != "" {
			name = p.Name
		}
		g.results = append(g.results, result{p.ID, name, p.Response, p.Failed})
		g.rest, g.any = append(g.rest, m.of('t', p.Response, plain).marked('r')), true
	case llm.PartServerToolCall, llm.PartServerToolCallResponse: // nobody sends a result of these
	case llm.PartBlob, llm.PartURI, llm.PartFile:
		g.rest, g.any = append(g.rest, chain(m.of('t', p.SHA256+p.Content, plain), 'm', m.of('t', p.URI+p.ID, plain))), true
	default:
		if g.model && p.ID != "" && p.Name != "" {
			m.ask(g, p) // a tool with a type of its own that the caller runs, such as a shell
		}
	}
}

// ask takes up what the model wants the caller to run.
func (m *memo) ask(g *group, p *llm.Part) {
	sum := m.call(p.Name, p.Arguments)
	g.asked = append(g.asked, asked{id: p.ID, name: p.Name, args: p.Arguments, item: p.Item, sum: sum})
	g.rest, g.any = append(g.rest, sum.marked('c')), true
}

// call is the digest of a tool call; no arguments at all are {}.
func (m *memo) call(name, args string) digest {
	if strings.TrimSpace(args) == "" {
		args = "{}"
	}
	return chain(m.of('t', name, plain), 'a', m.of('j', args, canonical))
}

// withdraw takes a tool call out that the provider ran itself: its result stands
// in the answer that asked for it, and clients may leave out both.
func (g *group) withdraw(id string) bool {
	i := slices.IndexFunc(g.asked, func(k asked) bool { return k.id == id && id != "" })
	if i < 0 {
		return false
	}
	if j := slices.Index(g.rest, g.asked[i].sum.marked('c')); j >= 0 {
		g.rest = slices.Delete(g.rest, j, j+1)
	}
	g.asked = slices.Delete(g.asked, i, i+1)
	g.any = len(g.texts)+len(g.rest) > 0
	return true
}

func (g *group) join(o group) {
	g.any = g.any || o.any
	if g.thought == "" {
		g.thought = o.thought
	}
	g.texts = append(g.texts, o.texts...)
	g.asked = append(g.asked, o.asked...)
	g.results = append(g.results, o.results...)
	g.ids = append(g.ids, o.ids...)
	g.rest = append(g.rest, o.rest...)
}

// sum is the digest of a group.
func (m *memo) sum(g *group) digest {
	d := m.of('t', g.text(), plain)
	rest := g.rest
	if len(rest) > 1 {
		rest = slices.Clone(rest)
		slices.SortFunc(rest, func(a, b digest) int { return bytes.Compare(a[:], b[:]) })
	}
	if len(rest) == 0 {
		return d
	}
	var room [8 * len(d)]byte
	all := append(room[:0], d[:]...)
	for i := range rest {
		all = append(all, rest[i][:]...)
	}
	return digestOf(all)
}

// size is about how much is said in a group, in bytes.
func (g *group) size() (n int) {
	for _, s := range g.texts {
		n += len(s)
	}
	for _, k := range g.asked {
		n += len(k.name) + len(k.args)
	}
	for _, r := range g.results {
		n += len(r.text)
	}
	return n
}

func (g *group) text() string {
	if len(g.texts) == 1 {
		return g.texts[0]
	}
	return strings.Join(g.texts, "")
}

// start is the beginning of a group's text, without what does not count.
func (g *group) start() string {
	text := g.text()
	if strings.Contains(text, thinkEnd) {
		text = withoutThoughts(text)
	}
	return startOf(text)
}

// startSize is how much of an answer is kept to know it again.
const startSize = 256

func startOf(s string) string {
	var room [4 * startSize]byte
	b := plain(room[:0], s[:min(len(s), 4*startSize)])
	return string(b[:min(len(b), startSize)])
}

// unique says whether an id looks as if nobody gives it out twice. "call_0" and
// "functions.add:0" do not: a piece of eight or more letters and digits in no
// order is asked for, beside the name of the tool.
func unique(id, tool string) bool {
	if tool != "" {
		id = strings.ReplaceAll(id, tool, "")
	}
	changes, size, last := 0, 0, byte(0)
	for i := 0; i < len(id); i++ {
		c := class(id[i])
		if c == 0 {
			continue
		}
		size++
		if last != 0 && c != last {
			changes++
		}
		last = c
	}
	return size >= 8 && changes >= 3
}

func class(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return 1
	case 'a' <= c && c <= 'z':
		return 2
	case 'A' <= c && c <= 'Z':
		return 3
	}
	return 0
}
