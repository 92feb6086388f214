package pricing

import (
	"maps"
	"slices"
)

// Summary is what a table holds, in numbers.
type Summary struct {
	AsOf      string
	Providers int
	Models    int // rows
	Names     int // ids and aliases that are priced
	Dated     int // rows whose price has changed, or is to change
	Long      int // rows with another price for long prompts
	Tiers     int // rows with service tiers of their own
	Free      int // rows that cost nothing
	Sources   []string
	// Currencies has the codes of what rows are priced in, USD among them.
	Currencies []string
}

// Source says what a source is that rows name, and of which date; "" where there is none
// of that name.
func (t *Table) Source(name string) string { return t.now.Load().sources[name] }

// Summary counts the rows in force, those of overlays and overrides included.
func (t *Table) Summary() Summary {
	c := t.now.Load()
	s := Summary{AsOf: c.asOf, Providers: len(c.ids), Sources: slices.Sorted(maps.Keys(c.sources))}
	currencies := map[string]bool{}
	for _, p := range c.ids {
		seen := map[*model]bool{}
		s.Names += len(p.models)
		for _, m := range p.models {
			if seen[m] {
				continue
			}
			seen[m] = true
			currencies[m.currency.String()] = true
			s.Models++
			s.Dated += count(len(m.periods) > 1 || len(m.periods) > 0 && !m.periods[0].from.IsZero())
			s.Long += count(slices.ContainsFunc(m.periods, func(p period) bool { return len(p.long) > 0 }))
			s.Tiers += count(len(m.tiers) > 0)
			s.Free += count(m.free())
		}
	}
	s.Currencies = slices.Sorted(maps.Keys(currencies))
	return s
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// free says that the row's last price is 0 throughout.
func (m *model) free() bool {
	if len(m.perImage) > 0 || len(m.periods) == 0 {
		return false
	}
	p := &m.periods[len(m.periods)-1]
	return p.base.v == [tokenRates]int64{} && p.fees.v == [fees]int64{}
}
