package runstest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers"
	"github.com/spanwire/spanwire/runs"
)

// play puts all conversations through one linker, taken in turns at random: the
// order within each is kept. perKey gives every recording a key of its own.
func play(t testing.TB, all []providerstest.Conversation, seed uint64, perKey bool) (map[string]providerstest.Placed, *runs.Linker) {
	t.Helper()
	table, err := providers.New(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(seed, 1))
	linker := runs.New(runs.DefaultConfig())
	at := make([]int, len(all))
	open := rnd.Perm(len(all))
	out := map[string]providerstest.Placed{}
	now := time.Unix(1_800_000_000, 0)
	for len(open) > 0 {
		k := rnd.IntN(len(open))
		conv := open[k]
		i := at[conv]
		at[conv]++
		if at[conv] == len(all[conv].Calls) {
			open = slices.Delete(open, k, k+1)
		}
		key := "one"
		if perKey {
			key = fmt.Sprint(conv, "/", all[conv].Calls[i].Recording)
		}
		now = now.Add(3 * time.Second)
		c := read(t, table, all[conv].Exchanges[i], callID(conv, i), now)
		c.Attribution = llm.Attribution{Key: key}
		linker.Place(c)
		out[c.ID] = providerstest.Placed{Conversation: conv, Index: i, Call: c}
	}
	return out, linker
}

// crowd adds the recorded single exchanges, which belong to nobody, but for those
// that are part of a conversation or of a provider that the table does not name:
// two calls for every three of the conversations.
func crowd(t testing.TB, all []providerstest.Conversation) []providerstest.Conversation {
	t.Helper()
	table, err := providers.New(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, c := range all {
		for _, x := range c.Exchanges {
			known[string(x.Request)] = true
		}
	}
	alone := slices.Clone(all[0].Calls[:1])
	alone[0].Parent, alone[0].Root, alone[0].Kind = nil, nil, "stranger"
	stranger := func(r providerstest.Recording) bool {
		return r.Request != nil && table.Row(r.Provider) != nil && !known[string(r.Request)]
	}
	for _, r := range providerstest.Recordings(t, stranger) {
		all = append(all, providerstest.Conversation{Name: r.Name, Exchanges: []providerstest.Recording{r}, Calls: alone})
	}
	return all
}

func callID(conv, i int) string { return fmt.Sprintf("%d.%d", conv, i) }

// read reads a recording as the proxy does. Headers are left out: they could hold
// a session, and what is judged is what can be found without.
func read(t testing.TB, table *providers.Table, r providerstest.Recording, id string, at time.Time) *llm.Call {
	t.Helper()
	x := r.Exchange()
	if table.Row(r.Provider) == nil {
		t.Fatalf("%s: no provider is called %s", r.Name, r.Provider)
	}
	x.ID, x.Provider, x.RequestHeader = id, r.Provider, nil
	x.Start, x.Sent, x.FirstByte, x.FirstWrite, x.End = at, at, at.Add(time.Second), at.Add(time.Second), at.Add(2*time.Second)
	x.Response = llm.Body{Data: r.Response, Size: int64(len(r.Response))}
	c, err := table.Read(x)
	if c == nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	return c
}
