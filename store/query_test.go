package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
)

// traffic returns calls of three days, of which something is known of some only.
func traffic(n int) []*llm.Call {
	rng := rand.New(rand.NewPCG(3, 5))
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	var calls []*llm.Call
	for i := range n {
		c := sinktest.Call(i)
		c.Start = noon().Add(-time.Duration(rng.Int64N(int64(60 * time.Hour))))
		c.End = c.Start.Add(time.Duration(rng.ExpFloat64() * float64(2*time.Second)))
		c.FirstToken = c.Start.Add(c.End.Sub(c.Start) / 3)
		c.RequestModel, c.ResponseModel = pick("gpt-4o", "claude-sonnet-4-5", "gemini-2.5-pro"), ""
		c.Provider = pick("openai", "anthropic")
		c.Attribution = llm.Attribution{Team: pick("", "search", "ads", "o'neill"), User: pick("", "u1", "u2", "u3"), Key: pick("", "k1"), Agent: pick("", "coder"), Session: pick("", "s1", "s2")}
		for range rng.IntN(3) {
			c.Attribution.Tags = append(c.Attribution.Tags, pick("prod", "test", "x"))
		}
		c.Attribution.Tags = slices.Compact(slices.Sorted(slices.Values(c.Attribution.Tags)))
		c.ErrorType = pick("", "", "", "rate_limit")
		c.Usage = llm.Usage{Source: llm.UsageMissing}
		if rng.IntN(4) > 0 {
			c.Usage.Set(llm.UncachedInput, rng.Int64N(5000))
			c.Usage.Set(llm.OutputText, rng.Int64N(500))
			c.Usage.Source = llm.UsageSource(pick("reported", "estimated"))
		}
		c.Cost = llm.Cost{Source: llm.CostUnset, Status: llm.CostUnknownModel}
		if rng.IntN(3) > 0 {
			c.Cost = llm.Cost{Source: llm.CostTable, Status: llm.CostOK, Total: llm.Pico(rng.Int64N(1e12)), Currency: []llm.Currency{llm.USD, llm.USD, llm.USD, "CNY", "EUR"}[i%5]}
		}
		c.Input = []llm.Message{{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: fmt.Sprintf("question number%d about %s", i, pick("cats", "dogs and cats", "日本の猫"))}}}}
		calls = append(calls, c)
	}
	return calls
}

// valuesOf are the values of a call in a dimension.
func valuesOf(c *llm.Call, d llm.Dimension) []string {
	one := map[llm.Dimension]string{
		llm.DimTeam: c.Attribution.Team, llm.DimModel: c.Model(), llm.DimProvider: c.Provider, llm.DimOperation: c.Operation,
		llm.DimUser: c.Attribution.User, llm.DimKey: c.Attribution.Key, llm.DimAgent: c.Attribution.Agent, llm.DimError: c.ErrorType,
		llm.DimUsageSource: string(c.Usage.Source), llm.DimCostSource: string(c.Cost.Source), llm.DimCostStatus: string(c.Cost.Status),
	}
	switch d {
	case llm.DimOutcome:
		if c.ErrorType != "" {
			return []string{"error"}
		}
		return []string{"ok"}
	case llm.DimTag:
		if len(c.Attribution.Tags) == 0 {
			return []string{""}
		}
		return c.Attribution.Tags
	}
	return []string{one[d]}
}

// means says whether a filter means a call, by reading it.
func means(f llm.Filter, c *llm.Call) bool {
	if !f.From.IsZero() && c.Start.Before(f.From) || !f.To.IsZero() && !c.Start.Before(f.To) {
		return false
	}
	for d, want := range f.Is {
		if !slices.ContainsFunc(valuesOf(c, d), func(v string) bool { return slices.Contains(want, v) }) {
			return false
		}
	}
	return (f.Session == "" || f.Session == c.Attribution.Session) && (f.Status == 0 || f.Status == c.Status) &&
		(f.MinCost == 0 || c.Cost.Known() && c.Cost.Currency == llm.USD && c.Cost.Total >= f.MinCost) && (f.MinDuration == 0 || c.End.Sub(c.Start) >= f.MinDuration)
}

type is = map[llm.Dimension][]string

// filters are questions that use every path: totals of days, of hours, of axes, and
// reading calls.
func filters() []llm.Filter {
	return []llm.Filter{
		{},
		{From: noon().Add(-30*time.Hour - 17*time.Minute), To: noon().Add(-5*time.Hour + time.Second)},
		{From: noon().Add(-36 * time.Hour), To: noon().Add(-12 * time.Hour)}, // a whole day
		{From: noon().Add(-20 * time.Minute)},
		{Is: is{llm.DimTeam: {"search"}}},
		{Is: is{llm.DimTeam: {"o'neill", ""}, llm.DimModel: {"gpt-4o", "gemini-2.5-pro"}}},
		{Is: is{llm.DimTeam: {"nobody'; DROP TABLE call; --"}}},
		{Is: is{llm.DimOutcome: {"error"}}, From: noon().Add(-40 * time.Hour)},
		{Is: is{llm.DimUser: {"u1"}}},
		{Is: is{llm.DimUser: {"u1", ""}, llm.DimTeam: {"ads"}}},
		{Is: is{llm.DimUser: {"u2"}, llm.DimModel: {"gpt-4o"}}},
		{Is: is{llm.DimTag: {"prod"}}},
		{Is: is{llm.DimTag: {"test", "x"}, llm.DimKey: {"k1"}}},
		{Is: is{llm.DimError: {"rate_limit"}}, MinDuration: time.Second},
		{Is: is{llm.DimCostSource: {"unset"}}},
		{Session: "s1", MinCost: 5e11},
		{Is: is{llm.DimAgent: {"coder"}, llm.DimOutcome: {"ok"}}, Status: 200},
	}
}

func TestListsAndTotalsAreThoseOfTheCalls(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	calls := traffic(250)
	keep(t, s, calls...)
	asked := 0
	check := func(when string) {
		for i, f := range filters() {
			checkList(t, fmt.Sprintf("%s, filter %d", when, i), s.Reader, f, calls)
			for _, by := range [][]llm.Dimension{
				nil, {llm.DimTeam}, {llm.DimTeam, llm.DimModel}, {llm.DimUser}, {llm.DimTeam, llm.DimUser}, {llm.DimTag}, {llm.DimKey, llm.DimModel},
				{llm.DimUsageSource}, {llm.DimCostSource, llm.DimCostStatus}, {llm.DimOutcome}, {llm.DimError, llm.DimTag}, {llm.DimAgent},
			} {
				asked++
				for _, bucket := range []llm.Bucket{llm.BucketNone, llm.BucketDay, llm.BucketHour} {
					if bucket == llm.BucketHour && asked%5 != 0 {
						continue // many totals each, by the same rows as those of days
					}
					checkTotals(t, fmt.Sprintf("%s, filter %d by %v each %q", when, i, by, bucket), s.Reader, llm.TotalsQuery{Filter: f, By: by, Bucket: bucket, Limit: 10_000}, calls)
				}
			}
		}
	}
	check("before days are summed up")
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after days were summed up")
	// A late call makes the totals of its day old.
	late := sinktest.Call(9000)
	late.Start = noon().Add(-30 * time.Hour)
	calls = append(calls, late)
	keep(t, s, late)
	check("after a late call")
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after its day was summed up again")
}

func checkList(t *testing.T, what string, r *store.Reader, f llm.Filter, calls []*llm.Call) {
	t.Helper()
	var want []*llm.Call
	for _, c := range calls {
		if means(f, c) {
			want = append(want, c)
		}
	}
	slices.SortStableFunc(want, func(a, b *llm.Call) int { return b.Start.Compare(a.Start) })
	var got []llm.CallRow
	for after := ""; ; {
		page, err := r.Calls(t.Context(), f, after, 37)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got = append(got, page.Calls...)
		if after = page.Next; after == "" {
			break
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d calls are listed, want %d", what, len(got), len(want))
	}
	for i, row := range got {
		c := want[i]
		in, known := c.Usage.Input()
		if row.ID != c.ID || !row.Start.Equal(c.Start) || row.Team != c.Attribution.Team || row.Model != c.Model() || row.Input != (llm.Count{N: in, Known: known}) ||
			row.Cost.Known != c.Cost.Known() || row.Cost.N != int64(c.Cost.Total) || row.Currency != c.Cost.Currency || row.Error != c.ErrorType || row.Trace != c.Place.Trace || !strings.HasPrefix(row.Preview, c.Input[0].Parts[0].Content[:8]) {
			t.Fatalf("%s: row %d is\n%+v\nwant\n%+v", what, i, row, c)
		}
	}
}

func checkTotals(t *testing.T, what string, r *store.Reader, q llm.TotalsQuery, calls []*llm.Call) {
	t.Helper()
	want := map[string]llm.Total{}
	for _, c := range calls {
		if !means(q.Filter, c) {
			continue
		}
		var at time.Time
		switch q.Bucket {
		case llm.BucketDay:
			at = c.Start.Truncate(24 * time.Hour)
		case llm.BucketHour:
			at = c.Start.Truncate(time.Hour)
		}
		for _, values := range combinations(q, c) {
			key := fmt.Sprintf("%v %q", at.Unix(), values)
			w := want[key]
			w.At, w.Values = at, values
			w.Calls++
			in, known := c.Usage.Input()
			out, _ := c.Usage.Output()
			w.Input, w.Output = w.Input+in, w.Output+out
			if known {
				w.Counted++
			}
			if c.Cost.Known() {
				w.Priced++
				if c.Cost.Currency == llm.USD {
					w.Cost += c.Cost.Total
				} else {
					w.Others.Add(c.Cost.Money())
				}
			}
			if c.ErrorType != "" {
				w.Failed++
			}
			w.Duration += c.End.Sub(c.Start)
			want[key] = w
		}
	}
	got, err := r.Totals(t.Context(), q)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	seen := map[string]bool{}
	for _, g := range got {
		key := fmt.Sprintf("%v %q", g.At.Unix(), g.Values)
		w, ok := want[key]
		if len(q.By) == 0 && w.Values == nil {
			w.Values = g.Values
		}
		g.CacheRead, g.CacheWrite, g.Reasoning = 0, 0, 0
		if !ok || fmt.Sprintf("%+v", g) != fmt.Sprintf("%+v", w) {
			t.Fatalf("%s: got\n%+v\nwant\n%+v", what, g, w)
		}
		seen[key] = true
	}
	if len(seen) != len(want) {
		for k := range want {
			if !seen[k] {
				t.Fatalf("%s: %s is missing of %d", what, k, len(want))
			}
		}
	}
}

// combinations are the values that a call is counted under: each of its tags that is
// meant once.
func combinations(q llm.TotalsQuery, c *llm.Call) [][]string {
	all := [][]string{{}}
	for _, d := range q.By {
		var next [][]string
		for _, v := range valuesOf(c, d) {
			if want := q.Is[d]; d == llm.DimTag && len(want) > 0 && !slices.Contains(want, v) {
				continue
			}
			for _, head := range all {
				next = append(next, append(slices.Clone(head), v))
			}
		}
		all = next
	}
	return all
}

func TestPercentilesAreClose(t *testing.T) {
	s := open(t, t.TempDir())
	calls := traffic(3000)
	keep(t, s, calls...)
	check := func(f llm.Filter) {
		t.Helper()
		got, err := s.Totals(t.Context(), llm.TotalsQuery{Filter: f, Percentiles: true})
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		var took []time.Duration
		for _, c := range calls {
			if means(f, c) {
				took = append(took, c.End.Sub(c.Start))
			}
		}
		slices.Sort(took)
		for q, p := range map[float64]time.Duration{0.5: got[0].Latency.P50, 0.9: got[0].Latency.P90, 0.95: got[0].Latency.P95, 0.99: got[0].Latency.P99} {
			want := took[int(q*float64(len(took)-1))].Seconds()
			if math.Abs(p.Seconds()-want) > 0.011*want {
				t.Errorf("%v of %d calls is %v, want %vs", q, len(took), p, want)
			}
		}
		if !got[0].FirstToken.Known {
			t.Error("nothing is known of the first token")
		}
	}
	check(llm.Filter{})
	check(llm.Filter{Is: is{llm.DimTeam: {"ads"}}})
	check(llm.Filter{Is: is{llm.DimUser: {"u1"}}, From: noon().Add(-17 * time.Hour)})
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(llm.Filter{})
}

func TestLimitPutsTheRestTogether(t *testing.T) {
	s := open(t, t.TempDir())
	calls := traffic(400)
	keep(t, s, calls...)
	var sum, costs llm.Costs
	for _, c := range calls {
		if c.Cost.Known() {
			sum.Add(c.Cost.Money())
		}
	}
	got, err := s.Totals(t.Context(), llm.TotalsQuery{By: []llm.Dimension{llm.DimTeam, llm.DimModel}, Limit: 3})
	if err != nil || len(got) != 4 {
		t.Fatalf("%v, %v", got, err)
	}
	var n int64
	rest := 0
	for _, g := range got {
		n += g.Calls
		costs.Add(llm.Money{Amount: g.Cost})
		for _, m := range g.Others {
			costs.Add(m)
		}
		if slices.Equal(g.Values, []string{llm.OtherValue, llm.OtherValue}) {
			rest++
		}
	}
	if n != 400 || !slices.Equal(costs, sum) || rest != 1 {
		t.Errorf("%d calls, %v of %v, %d times the rest", n, costs, sum, rest)
	}
}

// Groups of calls that cost nothing in dollars are in order by what they cost.
func TestTotalsAreInOrderInEachCurrency(t *testing.T) {
	s := open(t, t.TempDir())
	for i, team := range []string{"a", "b", "c", "d", "e"} {
		c := sinktest.Call(i)
		c.Attribution.Team = team
		c.Cost = llm.Cost{Source: llm.CostTable, Status: llm.CostOK, Total: []llm.Pico{5, 30, 1, 7, 9}[i], Currency: []llm.Currency{"CNY", "CNY", "", "EUR", "CNY"}[i]}
		keep(t, s, c)
	}
	for limit, want := range map[int]string{100: "c b e a d", 3: "c b e (other)"} {
		got, err := s.Totals(t.Context(), llm.TotalsQuery{By: []llm.Dimension{llm.DimTeam}, Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		var teams []string
		for _, g := range got {
			teams = append(teams, g.Values[0])
		}
		if limit == 3 { // of the rest some is in euros: it stands where its amounts say
			slices.SortFunc(teams, func(a, b string) int {
				return cmp.Compare(strings.Index(want, a), strings.Index(want, b))
			})
			for _, g := range got {
				if g.Values[0] == llm.OtherValue && g.Others.String() != "0.000000000005 CNY + 0.000000000007 EUR" {
					t.Errorf("the rest costs %s", g.Others)
				}
			}
		}
		if strings.Join(teams, " ") != want {
			t.Errorf("at most %d: %q, want %s", limit, teams, want)
		}
	}
}

// What a session cost is told in each currency, over days as well.
func TestSessionCosts(t *testing.T) {
	s := open(t, t.TempDir())
	for i, currency := range []llm.Currency{"CNY", "", "EUR", "CNY", "CNY"} {
		c := sinktest.Call(i)
		c.Start = noon().Add(-time.Duration(i) * 9 * time.Hour)
		c.End = c.Start.Add(time.Second)
		c.Cost = llm.Cost{Source: llm.CostTable, Status: llm.CostOK, Total: llm.Pico(1 + i), Currency: currency}
		keep(t, s, c)
	}
	page, err := s.Sessions(t.Context(), llm.Filter{}, "", 0)
	if err != nil || len(page.Sessions) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	if r := page.Sessions[0]; r.Cost != 2 || r.Others.String() != "0.00000000001 CNY + 0.000000000003 EUR" || r.Priced != 5 {
		t.Errorf("%+v", r)
	}
}

func TestWhatBelongsTogether(t *testing.T) {
	s := open(t, t.TempDir())
	var calls []*llm.Call
	for i := range 6 {
		c := sinktest.Call(i)
		c.Start = time.Date(2026, 11, 20, 23, 59, 57, 0, time.UTC).Add(time.Duration(i) * time.Second) // across midnight
		c.End = c.Start.Add(time.Second)
		c.Place.Trace = [16]byte{7}
		c.Attribution.Session = ""
		c.Run = &llm.Run{ID: sinktest.ID(0), Session: sinktest.ID(0), Turn: i + 1}
		calls = append(calls, c)
	}
	lone := sinktest.Call(50)
	keep(t, s, append(slices.Clone(calls), lone)...)
	for what, f := range map[string]func(context.Context) ([]*llm.Call, error){
		"trace":   func(ctx context.Context) ([]*llm.Call, error) { return s.Trace(ctx, [16]byte{7}) },
		"run":     func(ctx context.Context) ([]*llm.Call, error) { return s.Run(ctx, sinktest.ID(0)) },
		"session": func(ctx context.Context) ([]*llm.Call, error) { return s.Session(ctx, sinktest.ID(0)) },
	} {
		got, err := f(t.Context())
		if err != nil || len(got) != 6 {
			t.Fatalf("%s: %d calls, %v", what, len(got), err)
		}
		for i := range got {
			if !same(got[i], calls[i]) {
				t.Errorf("%s: call %d is\n%+v\nwant\n%+v", what, i, got[i], calls[i])
			}
		}
	}
	if got, err := s.Session(t.Context(), "s-1"); err != nil || len(got) != 1 || got[0].ID != lone.ID {
		t.Errorf("a session that was told: %v, %v", got, err)
	}
	if _, err := s.Trace(t.Context(), [16]byte{9}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no trace: %v", err)
	}
	page, err := s.Sessions(t.Context(), llm.Filter{}, "", 0)
	if err != nil || len(page.Sessions) != 2 || page.Next != "" {
		t.Fatalf("%+v, %v", page, err)
	}
	slices.SortFunc(page.Sessions, func(a, b llm.SessionRow) int { return cmp.Compare(a.ID, b.ID) })
	if a := page.Sessions[0]; a.ID != sinktest.ID(0) || !a.Inferred || a.Calls != 6 || !a.First.Equal(calls[0].Start) || !a.Last.Equal(calls[5].End) || a.Cost != 36_000_000 {
		t.Errorf("%+v", a)
	}
	if b := page.Sessions[1]; b.ID != "s-1" || b.Inferred || b.Calls != 1 || b.Team != "search" {
		t.Errorf("%+v", b)
	}
}

func TestSearch(t *testing.T) {
	s := open(t, t.TempDir())
	calls := traffic(300)
	keep(t, s, calls...)
	if err := s.Index(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := func(text string, fits func(string) bool, more ...is) {
		t.Helper()
		want := map[string]bool{}
		filter := llm.Filter{Text: text}
		for _, m := range more {
			filter.Is = m
		}
		for _, c := range calls {
			if fits(c.Input[0].Parts[0].Content) && means(llm.Filter{Is: filter.Is}, c) {
				want[c.ID] = true
			}
		}
		got := map[string]bool{}
		for after := ""; ; {
			page, err := s.Calls(t.Context(), filter, after, 23)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range page.Calls {
				got[row.ID] = true
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %d calls were found, want %d", text, len(got), len(want))
		}
	}
	has := func(s string) func(string) bool { return func(in string) bool { return strings.Contains(in, s) } }
	f("dogs", has("dogs"))
	f("DOGS cats", has("dogs"))
	f(`"dogs and cats"`, has("dogs and cats"))
	f(`"cats and dogs"`, has("cats and dogs"))
	f("number17", has("number17 "))
	f("number17*", has("number17"))
	f("日本", has("日本"))
	f("本日", has("本日"))
	f("dogs", has("dogs"), is{llm.DimTeam: {"ads"}, llm.DimTag: {"prod"}})
	f(`" OR NEAR( ) AND * ' "`, has("no such thing"))
	f("zebra", has("zebra"))
}

func TestQuestionsThatMakeNoSense(t *testing.T) {
	s := open(t, t.TempDir())
	keep(t, s, traffic(10)...)
	for _, after := range []string{"x", "!!!", "AAAA", strings.Repeat("_", 100)} {
		if _, err := s.Calls(t.Context(), llm.Filter{}, after, 5); !errors.Is(err, store.ErrCursor) && !errors.Is(err, nil) {
			t.Errorf("%q: %v", after, err)
		}
	}
	if _, err := s.Totals(t.Context(), llm.TotalsQuery{By: []llm.Dimension{"colour"}}); err == nil || !strings.Contains(err.Error(), "colour") {
		t.Error(err)
	}
	if _, err := s.Totals(t.Context(), llm.TotalsQuery{Bucket: "week"}); err == nil || !strings.Contains(err.Error(), "week") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Calls(ctx, llm.Filter{}, "", 5); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
