package runs

import (
	"time"

	"github.com/spanwire/spanwire/llm"
)

// savedSession is a session as it goes into a snapshot.
type savedSession struct {
	Key   hexBytes  `json:"key"`
	Start time.Time `json:"start"`
	Runs  int       `json:"runs"`
	savedTotals
}

// savedTotals are sums.
type savedTotals struct {
	Calls    int64       `json:"calls"`
	Failed   int64       `json:"failed,omitempty"`
	Input    int64       `json:"input,omitempty"`
	Output   int64       `json:"output,omitempty"`
	Untold   int64       `json:"untold,omitempty"`
	Cost     llm.PicoUSD `json:"cost_pico_usd,omitempty"`
	Others   []llm.Money `json:"costs_pico,omitempty"` // in other currencies
	Unpriced int64       `json:"unpriced,omitempty"`
}

func (s *sums) save() savedTotals {
	return savedTotals{
		Calls: s.calls, Failed: s.failed, Input: s.input, Output: s.output, Untold: s.untold,
		Cost: s.costs.In(llm.USD), Others: others(s.costs), Unpriced: s.unpriced,
	}
}

func (m *savedTotals) load() sums {
	return sums{calls: m.Calls, failed: m.Failed, input: m.Input, output: m.Output, untold: m.Untold, costs: m.costs(), unpriced: m.Unpriced}
}

// others are the sums in other currencies than US dollars.
func others(costs llm.Costs) (out []llm.Money) {
	for _, m := range costs {
		if m.Currency != llm.USD {
			out = append(out, m)
		}
	}
	return out
}

// costs are all sums. One in dollars is left out where there is another one and it is
// nothing: it was not spent.
func (m *savedTotals) costs() (costs llm.Costs) {
	if m.Cost != 0 || len(m.Others) == 0 && m.Unpriced < m.Calls {
		costs.Add(llm.Money{Amount: m.Cost})
	}
	for _, o := range m.Others {
		costs.Add(o)
	}
	return costs
}

func (b *book) loadSession(s *savedSession) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var key digest
	copy(key[:], s.Key)
	of := b.sessions.make(key)
	of.start, of.runs, of.sums = s.Start, s.Runs, s.load()
}
