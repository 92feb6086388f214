//go:build unix

package store_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
)

var (
	million     = flag.Bool("million", false, "run TestMillion")
	millionKeep = flag.String("million-dir", "", "where TestMillion makes its store, or finds it made")
)

// TestMillion asks the questions of the page of a store with a million calls in 30
// days, and says how long each took: by the first reader that opens the files, and
// when they are open. It is a measurement with bounds that no machine should miss.
func TestMillion(t *testing.T) {
	if !*million {
		t.Skip("questions to a million calls were not timed: it takes minutes and 3 GB; `make million` does it")
	}
	const calls, days = 1_000_000, 30
	dir := *millionKeep
	if dir == "" {
		dir = t.TempDir()
	}
	last := noon().Add(11 * time.Hour)
	clock := func(c *store.Config, set *store.Settings) {
		c.KeepBodies, c.KeepCalls, c.KeepTotals = 0, 0, 0
		set.Now = func() time.Time { return last }
	}
	if _, err := os.Stat(dir + "/meta.db"); err != nil {
		fillMillion(t, dir, calls, days, last, clock)
	}

	began := time.Now()
	s := open(t, dir, clock)
	t.Logf("open: %v", time.Since(began).Round(100*time.Microsecond))
	shut(t, s)

	from := last.Add(-30 * 24 * time.Hour).Truncate(24 * time.Hour)
	var some llm.CallRow
	questions := []struct {
		name string
		most time.Duration // warm
		ask  func(r *store.Reader) (int, error)
	}{
		{"newest 50", 50 * time.Millisecond, list(t, &some, llm.Filter{})},
		{"newest 50 of a team and model", 50 * time.Millisecond, list(t, nil, llm.Filter{Is: is{llm.DimTeam: {"team-3"}, llm.DimModel: {"model-2"}}})},
		{"newest 50 of a rare team", 50 * time.Millisecond, list(t, nil, llm.Filter{Is: is{llm.DimTeam: {"team-19"}}})},
		{"newest 50 errors", 50 * time.Millisecond, list(t, nil, llm.Filter{Is: is{llm.DimOutcome: {"error"}}})},
		{"newest 50 of a user", 50 * time.Millisecond, list(t, nil, llm.Filter{Is: is{llm.DimUser: {"user-77"}}})},
		{"50 calls of two weeks ago", 50 * time.Millisecond, list(t, nil, llm.Filter{To: last.Add(-14 * 24 * time.Hour)})},
		{"text, newest 50", 50 * time.Millisecond, list(t, nil, llm.Filter{Text: "needle7"})},
		{"a call with bodies", 50 * time.Millisecond, func(r *store.Reader) (int, error) {
			c, err := r.Call(t.Context(), some.ID)
			return len(c.Input), err
		}},
		{"a trace with bodies", 50 * time.Millisecond, func(r *store.Reader) (int, error) {
			cs, err := r.Trace(t.Context(), some.Trace)
			return len(cs), err
		}},
		{"newest 50 sessions", 50 * time.Millisecond, func(r *store.Reader) (int, error) {
			p, err := r.Sessions(t.Context(), llm.Filter{}, "", 50)
			return len(p.Sessions), err
		}},
		{"cost by day and team, 30 days", 500 * time.Millisecond, totals(t, llm.TotalsQuery{Filter: llm.Filter{From: from}, By: []llm.Dimension{llm.DimTeam}, Bucket: llm.BucketDay})},
		{"cost by day and model, 30 days", 500 * time.Millisecond, totals(t, llm.TotalsQuery{Filter: llm.Filter{From: from}, By: []llm.Dimension{llm.DimModel}, Bucket: llm.BucketDay})},
		{"cost by user, 30 days", 500 * time.Millisecond, totals(t, llm.TotalsQuery{Filter: llm.Filter{From: from}, By: []llm.Dimension{llm.DimUser}})},
		{"cost by source, 30 days", 500 * time.Millisecond, totals(t, llm.TotalsQuery{Filter: llm.Filter{From: from}, By: []llm.Dimension{llm.DimUsageSource, llm.DimCostSource}})},
		{"percentiles by model, 30 days", time.Second, totals(t, llm.TotalsQuery{Filter: llm.Filter{From: from}, By: []llm.Dimension{llm.DimModel}, Percentiles: true})},
		{"all totals of the last 24 hours", 500 * time.Millisecond, totals(t, llm.TotalsQuery{Filter: llm.Filter{From: last.Add(-24*time.Hour - 1234*time.Millisecond)}, Percentiles: true, Bucket: llm.BucketHour})},
	}
	for _, q := range questions {
		r, err := store.OpenReader(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		var took []time.Duration
		n := 0
		for range 11 {
			began := time.Now()
			if n, err = q.ask(r); err != nil {
				t.Fatalf("%s: %v", q.name, err)
			}
			took = append(took, time.Since(began))
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		warm := slices.Clone(took[1:])
		slices.Sort(warm)
		if n == 0 {
			t.Errorf("%s: nothing was found", q.name)
		}
		if warm[5] > q.most {
			t.Errorf("%s: %v", q.name, warm[5])
		}
		t.Logf("| %s | %d | %.1f ms | %.2f ms | %.2f ms |", q.name, n, ms(took[0]), ms(warm[5]), ms(warm[len(warm)-1]))
	}
}

// TestLoad keeps 2,000 calls of 5 KB a second while the page asks its questions, and
// says what that takes of a processor.
func TestLoad(t *testing.T) {
	if !*million {
		t.Skip("keeping 2,000 calls a second beside questions was not measured: it takes half a minute of both cores; `make million` does it")
	}
	const rate, seconds, batch = 2000, 20, 100
	dir := t.TempDir()
	s := open(t, dir)
	p := newProse(11)
	calls := make([]*llm.Call, 0, rate*seconds)
	for i := range rate * seconds {
		c := sinktest.Call(i)
		c.Start = noon().Add(time.Duration(i) * time.Second / rate)
		c.End = c.Start.Add(time.Second)
		c.Attribution.User = fmt.Sprint("user-", i%300)
		c.Place.Trace = [16]byte{9, byte(i >> 16), byte(i >> 8), byte(i)}
		c.Input = []llm.Message{{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: p.text(4000)}}}}
		c.Output = []llm.Message{{Role: "assistant", Parts: []llm.Part{{Type: llm.PartText, Content: p.text(800)}}}}
		calls = append(calls, c)
	}
	var row llm.CallRow
	asks := []func(*store.Reader) (int, error){
		list(t, &row, llm.Filter{}), list(t, nil, llm.Filter{Is: is{llm.DimUser: {"user-7"}}}), list(t, nil, llm.Filter{Text: "cats"}),
		totals(t, llm.TotalsQuery{By: []llm.Dimension{llm.DimTeam, llm.DimModel}, Percentiles: true, Bucket: llm.BucketHour}),
	}
	keep(t, s, calls[:batch]...)
	began, used := time.Now(), cpu()
	done := make(chan struct{})
	var slowest time.Duration
	asked := 0
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond) // 20 questions a second
		defer tick.Stop()
		for time.Since(began) < seconds*time.Second {
			<-tick.C
			at := time.Now()
			if _, err := asks[asked%len(asks)](s.Reader); err != nil {
				t.Error(err)
				return
			}
			slowest = max(slowest, time.Since(at))
			asked++
		}
	}()
	tick := time.NewTicker(time.Second * batch / rate)
	defer tick.Stop()
	for i := batch; i < len(calls); i += batch {
		<-tick.C
		keep(t, s, calls[i:i+batch]...)
	}
	<-done
	took := time.Since(began)
	t.Logf("%d calls in %v: %.0f calls/s; %d questions, the slowest %.1f ms; %.2f of a processor in all, the index included",
		len(calls), took.Round(time.Millisecond), float64(len(calls))/took.Seconds(), asked, ms(slowest), (cpu()-used).Seconds()/took.Seconds())
	if n := number(t, dayFile(dir, ".db"), "SELECT count(*) FROM call"); n != int64(len(calls)) {
		t.Errorf("%d calls are kept", n)
	}
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

func list(t *testing.T, first *llm.CallRow, f llm.Filter) func(*store.Reader) (int, error) {
	return func(r *store.Reader) (int, error) {
		p, err := r.Calls(t.Context(), f, "", 50)
		if first != nil && len(p.Calls) > 0 {
			*first = p.Calls[0]
		}
		return len(p.Calls), err
	}
}

func totals(t *testing.T, q llm.TotalsQuery) func(*store.Reader) (int, error) {
	return func(r *store.Reader) (int, error) {
		got, err := r.Totals(t.Context(), q)
		return len(got), err
	}
}

// fillMillion makes calls of sessions of ten turns, of 20 teams, 12 models and 500
// users, spread over the days.
func fillMillion(t *testing.T, dir string, calls, days int, last time.Time, clock func(*store.Config, *store.Settings)) {
	s := open(t, dir, clock)
	rng := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rng, 1.3, 2, 19)
	p := newProse(4)
	var texts []string
	for range 4000 {
		texts = append(texts, p.text(400))
	}
	begin, cpuBegin := time.Now(), cpu()
	batch := make([]*llm.Call, 0, 256)
	first := last.Add(-time.Duration(days)*24*time.Hour + time.Hour)
	var session *llm.Call
	for i := range calls {
		c := sinktest.Call(i)
		turn := i % 10
		at := first.Add(last.Sub(first) / time.Duration(calls) * time.Duration(i))
		c.ID = fmt.Sprintf("%012x-%04x-7%03x-8000-%012x", at.UnixMilli(), 0, 0, i)
		c.ID = c.ID[:8] + "-" + c.ID[8:12] + "-7000-8000-" + fmt.Sprintf("%012x", i)
		c.Start = at
		c.FirstToken = at.Add(time.Duration(rng.ExpFloat64() * 4e8))
		c.End = c.FirstToken.Add(time.Duration(rng.ExpFloat64() * 3e9))
		if turn == 0 {
			session = c
			c.Attribution = llm.Attribution{Team: fmt.Sprint("team-", zipf.Uint64()), User: fmt.Sprint("user-", rng.IntN(500)), Key: fmt.Sprint("key-", rng.IntN(40)), Session: fmt.Sprint("session-", i/10)}
			c.ResponseModel = fmt.Sprint("model-", rng.IntN(12))
			c.Input = nil
		} else {
			c.Attribution, c.ResponseModel = session.Attribution, session.ResponseModel
			c.Input = session.Input
		}
		c.Place.Trace = [16]byte{1, byte(i / 10 >> 16), byte(i / 10 >> 8), byte(i / 10)}
		c.Input = append(c.Input[:len(c.Input):len(c.Input)], llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: fmt.Sprint("needle", i%5000, " ", texts[rng.IntN(len(texts))][:300])}}})
		c.Output = []llm.Message{{Role: "assistant", FinishReason: "stop", Parts: []llm.Part{{Type: llm.PartText, Content: fmt.Sprint(i, texts[rng.IntN(len(texts))])}}}}
		session.Input = append(slices.Clone(c.Input), c.Output[0])
		if turn == 0 {
			kept := *c
			kept.Input, session = session.Input, &kept
			c.Input = c.Input[:1]
		}
		if rng.IntN(30) == 0 {
			c.ErrorType, c.Status = "rate_limit", 429
		}
		if batch = append(batch, c); len(batch) == cap(batch) || i == calls-1 {
			keep(t, s, batch...)
			batch = batch[:0]
		}
	}
	took, used := time.Since(begin), cpu()-cpuBegin
	t.Logf("filled with %d calls in %v: %.0f calls/s, %.0f µs of processor time a call, the index that runs beside it included", calls, took.Round(time.Second), float64(calls)/took.Seconds(), float64(used.Microseconds())/float64(calls))
	began := time.Now()
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("summed up in %v", time.Since(began).Round(time.Millisecond))
	began, cpuBegin = time.Now(), cpu()
	if err := s.Index(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("indexed in %v, %v of processor time", time.Since(began).Round(time.Second), (cpu() - cpuBegin).Round(time.Second))
	shut(t, s)
	for _, pattern := range []string{"meta.db", "calls/????-??-??.db", "calls/*.bodies.db", "calls/*.fts.db"} {
		t.Logf("%s: %d MB", pattern, size(t, dir, pattern)>>20)
	}
}
