package store

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/llm"
)

// group is what one combination of bucket and values adds up to.
type group struct {
	at     int64 // seconds since 1970
	values []string
	failed int64
	others llm.Costs // in other currencies; those in US dollars are in the cell
	cell
}

// add adds sums of calls that are priced in one currency.
func (g *group) add(s *sums, currency string) {
	if currency != "" {
		g.others.Add(llm.Money{Amount: llm.Pico(s.cost), Currency: llm.Currency(currency)})
		own := *s
		own.cost = 0
		s = &own
	}
	g.sums.add(s)
}

// costs is what the calls cost in each currency.
func (g *group) costs() (costs llm.Costs) {
	costs = slices.Clone(g.others)
	costs.Add(llm.Money{Amount: llm.PicoUSD(g.cost)})
	return costs
}

// merge adds another group of the same time.
func (g *group) merge(o *group) error {
	g.failed += o.failed
	for _, m := range o.others {
		g.others.Add(m)
	}
	return g.cell.merge(&o.cell)
}

// values are texts of a dictionary, each read once.
type values struct {
	conn  *sqlite.Conn
	names map[int64]string
}

func (v *values) text(id int64) (string, error) {
	if s, ok := v.names[id]; ok {
		return s, nil
	}
	var s string
	err := query(v.conn, "SELECT value FROM dict WHERE id = ?", func(st *sqlite.Stmt) error {
		s = st.ColumnText(0)
		return nil
	}, id)
	v.names[id] = s
	return s, err
}

// mostGroups bounds what is told apart while adding up; past it everything new is
// put together.
const mostGroups = 200_000

// group returns the group of a time and of values.
func (a *adding) group(at int64, value func(i int) (string, error)) (*group, error) {
	switch a.q.Bucket {
	case llm.BucketHour:
		at -= mod(at, 3600)
	case llm.BucketDay:
		at -= mod(at, 86400)
	default:
		at = 0
	}
	texts := make([]string, len(a.q.By))
	a.key = fmt.Appendf(a.key[:0], "%d", at)
	for i := range texts {
		var err error
		if texts[i], err = value(i); err != nil {
			return nil, err
		}
		a.key = append(append(a.key, 0), texts[i]...)
	}
	if g := a.groups[string(a.key)]; g != nil {
		return g, nil
	}
	if len(a.groups) >= mostGroups {
		for i := range texts {
			texts[i] = llm.OtherValue
		}
		rest := fmt.Sprint(at, " rest")
		if a.groups[rest] == nil {
			a.groups[rest] = &group{at: at, values: texts}
		}
		return a.groups[rest], nil
	}
	g := &group{at: at, values: texts}
	a.groups[string(a.key)] = g
	return g, nil
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

// result puts groups past the limit together, and all in order.
func (a *adding) result() ([]llm.Total, error) {
	if err := a.limit(); err != nil {
		return nil, err
	}
	out := make([]llm.Total, 0, len(a.groups))
	for _, g := range a.groups {
		t := llm.Total{
			Values: g.values, Calls: g.calls, Failed: g.failed, Counted: g.counted, Input: g.input, Output: g.output,
			CacheRead: g.cacheRead, CacheWrite: g.cacheWrite, Reasoning: g.reasoning, Priced: g.priced, Cost: llm.PicoUSD(g.cost), Others: g.others, Duration: time.Duration(g.dur),
		}
		if a.q.Bucket != llm.BucketNone {
			t.At = time.Unix(g.at, 0).UTC()
		}
		var err error
		if t.Latency, err = percentiles(g.latency); err == nil {
			t.FirstToken, err = percentiles(g.ttft)
		}
		if err != nil {
			return nil, fmt.Errorf("add up calls: %w", err)
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(x, y llm.Total) int {
		if c := x.At.Compare(y.At); c != 0 {
			return c
		}
		if x.Cost != y.Cost {
			return compare(y.Cost, x.Cost)
		}
		if c := compareCosts(x.Others, y.Others); c != 0 {
			return c
		}
		if x.Calls != y.Calls {
			return compare(y.Calls, x.Calls)
		}
		return slices.Compare(x.Values, y.Values)
	})
	return out, nil
}

func compare[T ~int64](a, b T) int {
	if a < b {
		return -1
	}
	return 1
}

// compareCosts puts the higher amount first, in the first currency that they differ in.
func compareCosts(x, y llm.Costs) int {
	for i, j := 0, 0; i < len(x) || j < len(y); {
		var c int
		switch {
		case j == len(y):
			c = -1
		case i == len(x):
			c = 1
		default:
			c = strings.Compare(string(x[i].Currency), string(y[j].Currency))
		}
		var a, b llm.Pico
		if c <= 0 {
			a, i = x[i].Amount, i+1
		}
		if c >= 0 {
			b, j = y[j].Amount, j+1
		}
		if a != b {
			return compare(b, a)
		}
	}
	return 0
}

// limit keeps the combinations of values that matter most over all buckets.
func (a *adding) limit() error {
	type weight struct {
		cost, calls int64
		others      llm.Costs
	}
	weights := map[string]*weight{}
	for _, g := range a.groups {
		k := strings.Join(g.values, "\x00")
		w := weights[k]
		if w == nil {
			w = &weight{}
			weights[k] = w
		}
		w.cost, w.calls = addCost(w.cost, g.cost), w.calls+g.calls
		for _, m := range g.others {
			w.others.Add(m)
		}
	}
	if len(weights) <= a.q.Limit {
		return nil
	}
	order := make([]string, 0, len(weights))
	for k := range weights {
		order = append(order, k)
	}
	slices.SortFunc(order, func(x, y string) int {
		wx, wy := weights[x], weights[y]
		others := compareCosts(wx.others, wy.others)
		switch {
		case wx.cost != wy.cost:
			return compare(wy.cost, wx.cost)
		case others != 0:
			return others
		case wx.calls != wy.calls:
			return compare(wy.calls, wx.calls)
		}
		return strings.Compare(x, y)
	})
	kept := map[string]bool{}
	for _, k := range order[:a.q.Limit] {
		kept[k] = true
	}
	rest := map[int64]*group{}
	for key, g := range a.groups {
		if kept[strings.Join(g.values, "\x00")] {
			continue
		}
		delete(a.groups, key)
		if rest[g.at] == nil {
			for i := range g.values {
				g.values[i] = llm.OtherValue
			}
			rest[g.at] = g
			continue
		}
		if err := rest[g.at].merge(g); err != nil {
			return err
		}
	}
	for at, g := range rest {
		key := fmt.Sprint(at, " rest")
		if have := a.groups[key]; have != nil {
			if err := have.merge(g); err != nil {
				return err
			}
			continue
		}
		a.groups[key] = g
	}
	return nil
}

func percentiles(s *ddsketch.DDSketch) (p llm.Percentiles, err error) {
	if s == nil || s.IsEmpty() {
		return p, nil
	}
	v, err := s.GetValuesAtQuantiles([]float64{0.5, 0.9, 0.95, 0.99})
	if err != nil {
		return p, err
	}
	at := func(i int) time.Duration { return time.Duration(v[i] * float64(time.Second)) }
	return llm.Percentiles{P50: at(0), P90: at(1), P95: at(2), P99: at(3), Known: true}, nil
}
