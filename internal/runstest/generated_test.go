package runstest

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers"
	"github.com/spanwire/spanwire/runs"
)

var seeds = flag.Uint64("seeds", 2, "how often conversations are made up: with as many as there are clients each meets each API and shape")

// users says how many have conversations of one kind side by side, and what is equal
// in them beside that.
type users struct {
	name            string
	many            int
	question, facts bool
}

// TestMadeRuns plays conversations that were made up, in every API, of programs that
// keep, change and cut what they send again, and of users who say the same at the same
// time. No call may be put into another's conversation; where every user says something
// else, none is missed but after a client that keeps too little.
func TestMadeRuns(t *testing.T) {
	f := func(u users, seed uint64) {
		all := conversations(u, seed)
		calls := playMade(t, all, seed)
		s := providerstest.JudgeRuns(truths(all), calls)
		t.Logf("%s, seed %d: %d conversations: %v", u.name, seed, len(all), s)
		lost := missed(s.Notes, func(name string) bool { return u.many > 1 || loses(name) })
		if s.WrongRun+s.FalseLinks+s.SameRun+s.ToolsExtra+s.Unread > 0 || u.many == 1 && s.AgentsRight < s.Agents || len(lost) > 0 {
			t.Errorf("%s, seed %d: want none wrong, and none missed that can be found:\n%s", u.name, seed, strings.Join(append(wrong(s.Notes), lost...), "\n"))
		}
		if notes := strangers(all, calls); len(notes) > 0 {
			t.Errorf("%s, seed %d: calls in the run of a stranger:\n%s", u.name, seed, strings.Join(notes[:min(len(notes), 20)], "\n"))
		}
	}
	for seed := range *seeds {
		f(users{name: "users of their own words", many: 1}, seed)
		f(users{name: "users of equal questions", many: 2, question: true}, seed)
		f(users{name: "users of equal words and answers", many: 2, question: true, facts: true}, seed)
	}
}

// conversations are those of some users. Each shape meets each API; clients take turns.
func conversations(u users, seed uint64) (all []*maker) {
	number := uint64(0)
	for wi, w := range wires() {
		for si, s := range shapes {
			if u.many > 1 && s.failing {
				continue // who asks again what failed for two is not known
			}
			turn := wi + si
			if s.common {
				turn = 0 // users of one program: it does to all of them what it does to one
			}
			c := clients[(turn+int(seed))%len(clients)]
			if c.name == "previous response" && w.name != "responses" {
				c = clients[0]
			}
			kind := number
			for k := range u.many {
				number++
				words, facts := kind, number
				if !u.question {
					words = number
				}
				if u.facts {
					facts = kind
				}
				m := &maker{
					name: fmt.Sprintf("%s / %s / %s / %d", w.name, s.name, c.name, k), number: number << 16, wire: w, client: c,
					words: rand.New(rand.NewPCG(words, seed)), facts: rand.New(rand.NewPCG(facts, seed)), ids: rand.New(rand.NewPCG(number, 1<<32+seed)),
					system: "You are helpful.", last: -1,
				}
				s.play(m)
				m.truth.Name = m.name
				all = append(all, m)
			}
		}
	}
	return all
}

func truths(all []*maker) (out []providerstest.Conversation) {
	for _, m := range all {
		out = append(out, m.truth)
	}
	return out
}

// playMade puts conversations through one linker, side by side.
func playMade(t testing.TB, all []*maker, seed uint64) map[string]providerstest.Placed {
	t.Helper()
	table, err := providers.New(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	linker := runs.New(runs.DefaultConfig())
	out := map[string]providerstest.Placed{}
	for _, p := range schedule(all, rand.New(rand.NewPCG(seed, 3))) {
		r := all[p.conv].recording(p.index)
		x := r.Exchange()
		x.ID, x.Provider, x.Ended = callID(p.conv, p.index), r.Provider, all[p.conv].steps[p.index].ended
		x.Start, x.Sent, x.FirstByte, x.FirstWrite, x.End = p.start, p.start, p.end.Add(-50*time.Millisecond), p.end.Add(-50*time.Millisecond), p.end
		x.Response = llm.Body{Data: r.Response, Size: int64(len(r.Response))}
		c, err := table.Read(x)
		if err != nil && x.Ended == llm.EndComplete {
			t.Fatalf("%s: %v", r.Name, err)
		}
		c.Attribution = llm.Attribution{Key: "one"}
		linker.Place(c)
		out[c.ID] = providerstest.Placed{Conversation: p.conv, Index: p.index, Call: c}
	}
	return out
}

// strangers lists calls that stand in anything of another conversation.
func strangers(all []*maker, calls map[string]providerstest.Placed) (notes []string) {
	for _, id := range slices.Sorted(maps.Keys(calls)) {
		p := calls[id]
		r := p.Call.Run
		if r == nil {
			continue
		}
		refs := []string{r.ID, r.Session, r.ByCall, r.RetryOf}
		for i := range r.Inferred {
			refs = append(refs, r.Inferred[i].Call)
		}
		for _, ref := range refs {
			if other, ok := calls[ref]; ok && other.Conversation != p.Conversation {
				notes = append(notes, fmt.Sprintf("%s call %d is with %s, by %v", all[p.Conversation].name, p.Index, all[other.Conversation].name, r.Evidence))
			}
		}
	}
	return notes
}

// missed counts what was missed by conversation, but for those that but selects.
func missed(notes []string, but func(name string) bool) []string {
	n := map[string]int{}
	for _, s := range notes {
		name, what, _ := strings.Cut(s, ": ")
		name, _, _ = strings.Cut(name, " call ")
		if !but(name) {
			what, _, _ = strings.Cut(what, ":")
			n[name+": "+what]++
		}
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(n)) {
		out = append(out, fmt.Sprint(n[k], " ", k))
	}
	return out
}

func loses(name string) bool {
	return slices.ContainsFunc(clients, func(c client) bool { return c.loses && strings.Contains(name, " / "+c.name+" / ") }) ||
		slices.ContainsFunc(shapes, func(s shape) bool { return s.common && strings.Contains(name, " / "+s.name+" / ") })
}

// wrong lists what is worse than missed.
func wrong(notes []string) []string {
	return slices.DeleteFunc(slices.Clone(notes), func(s string) bool {
		return strings.Contains(s, ": missed: ") || strings.Contains(s, " without a span: ")
	})
}
