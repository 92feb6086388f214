package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
)

func check(t testing.TB, r *store.Reader) store.Report {
	t.Helper()
	rep, err := r.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestCheckFindsNothingWrong(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	keep(t, s, traffic(200)...)
	keep(t, s, run(5000))
	for i, c := range sinktest.Hostile() {
		c.ID = sinktest.ID(6000 + i)
		keep(t, s, c)
	}
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	rep := check(t, s.Reader)
	if len(rep.Problems) > 0 || rep.Calls != 201+int64(len(sinktest.Hostile())) || rep.Pieces == 0 || rep.Spoken < 201 {
		t.Errorf("%+v", rep)
	}
}

func TestCheckFindsDamage(t *testing.T) {
	f := func(want, suffix, sql string) {
		t.Helper()
		dir := t.TempDir()
		s := open(t, dir)
		keep(t, s, numbered(0, 20)...)
		shut(t, s)
		number(t, dayFile(dir, suffix), sql)
		r, err := store.OpenReader(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if rep := check(t, r); !strings.Contains(strings.Join(rep.Problems, "\n"), want) {
			t.Errorf("%s: the problems are %q", sql, rep.Problems)
		}
	}
	f("the totals are those of 20 calls", ".db", "DELETE FROM call WHERE n = 7")
	f("costs", ".db", "UPDATE call SET cost = 1 WHERE n = 7")
	f("costs", ".db", "UPDATE call SET currency = 2 WHERE n = 7")
	f("the calls are 20 and cost $0.00012", ".db", "UPDATE usage SET currency = 2")
	f("call 00000000-0000-7000-8000-000000000006", ".db", "UPDATE call SET facts = x'00' WHERE n = 7")
	f("says that it is", ".db", "UPDATE call SET id = x'000102030405060708090a0b0c0d0e0f' WHERE n = 7")
	f("a piece is missing", ".bodies.db", "DELETE FROM pieces")
	f("not what its digest says", ".bodies.db", "UPDATE pieces SET hashes = CAST(substr(hashes, 1, 2) || x'0102030405060708090a0b0c0d0e0f00' || substr(hashes, 19) AS BLOB)")
	f("call number 3", ".bodies.db", "UPDATE said SET manifest = x'ff' WHERE n = 3")
}

// saveTo copies a store into a folder, and returns the marks of its files.
func saveTo(t *testing.T, r *store.Reader, to string) map[string]string {
	t.Helper()
	marks := map[string]string{}
	err := r.Backup(t.Context(), func(name, mark string, write func(string) error) error {
		marks[name] = mark
		path := filepath.Join(to, name)
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), write(path))
	})
	if err != nil {
		t.Fatal(err)
	}
	return marks
}

// A file that has not changed has the mark that it had; one that changed has another,
// and one that changed just now has none.
func TestBackupKnowsWhatChanged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	keep(t, s, traffic(200)...)
	shut(t, s)
	files, err := filepath.Glob(filepath.Join(dir, "calls", "*"))
	if err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	for _, f := range files {
		if err := os.Chtimes(f, long, long); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir, func(c *store.Config, _ *store.Settings) { c.FullText = false })
	first := saveTo(t, s.Reader, t.TempDir())
	c := sinktest.Call(9000)
	c.Start = noon()
	keep(t, s, c)
	second := saveTo(t, s.Reader, t.TempDir())
	for name, mark := range first {
		today := strings.HasPrefix(name, "calls/"+today) && !strings.HasSuffix(name, ".fts.db")
		switch {
		case name == "meta.db" && mark != "" || name != "meta.db" && mark == "":
			t.Errorf("%s has the mark %q", name, mark)
		case today && second[name] != "":
			t.Errorf("%s changed just now, and has the mark %q", name, second[name])
		case !today && second[name] != mark:
			t.Errorf("%s has the mark %q, and had %q", name, second[name], mark)
		}
	}
}

func TestBackupIsAStore(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	s := open(t, dir)
	calls := traffic(300)
	keep(t, s, calls[:200]...)
	if err := errors.Join(s.Index(t.Context()), s.Tidy(t.Context())); err != nil {
		t.Fatal(err)
	}
	keep(t, s, calls[200:]...)
	n := saveTo(t, s.Reader, to)
	if len(n) < 7 {
		t.Fatalf("%d files", len(n))
	}
	keep(t, s, sinktest.Call(8000)) // after it
	b := open(t, to)                // restored
	if rep := check(t, b.Reader); rep.Calls != 300 || len(rep.Problems) > 0 {
		t.Errorf("%+v", rep)
	}
	for _, c := range calls {
		if got := get(t, b.Reader, c.ID); !same(got, c) {
			t.Fatalf("came back as\n%+v\nwant\n%+v", got, c)
		}
	}
	keep(t, b, sinktest.Call(8001))
}

func TestReprice(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	calls := traffic(300)
	keep(t, s, calls...)
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	from := noon().Add(-24 * time.Hour).Truncate(24 * time.Hour)
	price := func(c *llm.Call) {
		if in, ok := c.Usage.Input(); ok {
			c.Cost = llm.Cost{Total: llm.PicoUSD(in) * 1000, Input: llm.PicoUSD(in) * 1000, Source: llm.CostOverride, Status: llm.CostOK, Currency: []llm.Currency{llm.USD, "EUR"}[in%2]}
		} else {
			c.Cost = llm.Cost{Source: llm.CostUnset, Status: llm.CostNoUsage}
		}
	}
	tried, err := store.Reprice(t.Context(), dir, store.DefaultConfig(), from, price, true)
	if err != nil || tried.Changed == 0 {
		t.Fatalf("%+v, %v", tried, err)
	}
	var sum llm.Costs
	for _, c := range calls {
		if c.Cost.Known() {
			sum.Add(c.Cost.Money())
		}
	}
	total := func() llm.Costs {
		t.Helper()
		got, err := s.Totals(t.Context(), llm.TotalsQuery{})
		if err != nil {
			t.Fatal(err)
		}
		return append(llm.Costs{{Amount: got[0].Cost}}, got[0].Others...)
	}
	if got := total(); !slices.Equal(got, sum) {
		t.Errorf("after trying only the total is %v, want %v", got, sum)
	}
	done, err := store.Reprice(t.Context(), dir, store.DefaultConfig(), from, price, false)
	if err != nil || !reflect.DeepEqual(done, tried) || len(done.Before) != 3 || len(done.After) != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	was := map[string]llm.Cost{}
	sum = nil
	for _, c := range calls {
		was[c.ID] = c.Cost
		if !c.Start.Before(from) {
			price(c)
		}
		if c.Cost.Known() {
			sum.Add(c.Cost.Money())
		}
	}
	for _, when := range []string{"at once", "after days were summed up"} {
		if got := total(); !slices.Equal(got, sum) {
			t.Errorf("%s: the total is %v, want %v", when, got, sum)
		}
		for i, f := range filters() {
			checkTotals(t, when, s.Reader, llm.TotalsQuery{Filter: f, By: []llm.Dimension{llm.DimTeam, llm.DimCostSource}, Bucket: llm.BucketDay, Limit: 1000}, calls)
			_ = i
		}
		if err := s.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	page, err := s.Calls(t.Context(), llm.Filter{From: from}, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range page.Calls {
		if old := was[row.ID]; row.CostWas.Known != old.Known() || old.Known() && (row.CostWas.N != int64(old.Total) || row.CurrencyWas != old.Currency) {
			t.Errorf("call %s cost %v before, and the row says %+v", row.ID, old, row.CostWas)
		}
	}
	if rep := check(t, s.Reader); len(rep.Problems) > 0 {
		t.Errorf("%q", rep.Problems)
	}
	// Sessions are those of a store that was told the new prices at once.
	anew := open(t, t.TempDir())
	keep(t, anew, calls...)
	got, err := s.Sessions(t.Context(), llm.Filter{}, "", 100)
	want, err2 := anew.Sessions(t.Context(), llm.Filter{}, "", 100)
	if err != nil || err2 != nil || len(got.Sessions) == 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("sessions are\n%+v\nwant\n%+v (%v, %v)", got, want, err, err2)
	}
	if again, err := store.Reprice(t.Context(), dir, store.DefaultConfig(), from, price, false); err != nil || again.Changed != 0 {
		t.Errorf("once more: %+v, %v", again, err)
	}
}

// The program has totals in memory when somebody else prices the calls anew: what it
// keeps after is added to the totals that are in the file.
func TestKeepAfterReprice(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for round := range 3 {
		for i := range 10 {
			c := sinktest.Call(10*round + i)
			c.Start = noon().Add(time.Duration(i) * time.Second)
			keep(t, s, c)
		}
		done, err := store.Reprice(t.Context(), dir, store.DefaultConfig(), time.Time{}, func(c *llm.Call) {
			c.Cost = llm.Cost{Total: llm.Pico(1000 + round), Source: llm.CostOverride, Status: llm.CostOK}
		}, false)
		if err != nil || done.Changed != int64(11*round+10) {
			t.Fatalf("%+v, %v", done, err)
		}
		keep(t, s, sinktest.Call(100+round))
		got, err := s.Totals(t.Context(), llm.TotalsQuery{})
		if err != nil || got[0].Calls != int64(11*round+11) {
			t.Errorf("totals are %+v, %v", got, err)
		}
		if rep := check(t, s.Reader); len(rep.Problems) > 0 {
			t.Errorf("round %d: %q", round, rep.Problems)
		}
	}
}

// Calls are priced anew while others come, on days that are over and on the day that
// is not: each run leaves totals that are those of the calls, and no call is lost.
func TestRepriceBesideTheProgram(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	calls := traffic(600)
	keep(t, s, calls[:100]...)
	begun, rest, kept := make(chan struct{}), calls[100:], make(chan error, 1)
	go func() {
		for i := 0; i < len(rest); i += 5 {
			if err := s.Consume(context.Background(), rest[i:i+5]); err != nil {
				kept <- err
				return
			}
			if i == 0 {
				close(begun)
			}
			if i%50 == 0 {
				if err := s.Tidy(context.Background()); err != nil {
					kept <- err
					return
				}
			}
		}
		kept <- nil
	}()
	<-begun
	reprice := func(rate int64) store.Repriced {
		t.Helper()
		done, err := store.Reprice(t.Context(), dir, store.DefaultConfig(), time.Time{}, func(c *llm.Call) {
			c.Cost = llm.Cost{Total: llm.Pico(rate), Source: llm.CostOverride, Status: llm.CostOK}
		}, false)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	runs := 0
	for done := false; !done; runs++ {
		select {
		case err := <-kept:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
			reprice(int64(7 + runs))
		}
	}
	if done := reprice(1000); done.Calls != 600 || done.Changed != 600 {
		t.Errorf("%+v", done)
	}
	for range 2 { // before and after days were summed up
		got, err := s.Totals(t.Context(), llm.TotalsQuery{})
		if err != nil || got[0].Calls != 600 || got[0].Priced != 600 || got[0].Cost != 600_000 {
			t.Errorf("totals are %+v, %v", got, err)
		}
		if rep := check(t, s.Reader); rep.Calls != 600 || len(rep.Problems) > 0 {
			t.Errorf("%+v", rep)
		}
		if err := s.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d runs beside 500 calls", runs)
}

// clock is a time that a test sets while a store runs.
type clock struct{ at atomic.Int64 }

func (c *clock) set(t time.Time) { c.at.Store(t.UnixNano()) }
func (c *clock) now() time.Time  { return time.Unix(0, c.at.Load()).UTC() }

// Files of old days go: bodies first, then calls; their totals stay until they are
// old as well.
func TestOldDaysGo(t *testing.T) {
	dir := t.TempDir()
	var now clock
	now.set(noon())
	s := open(t, dir, func(c *store.Config, set *store.Settings) {
		c.KeepBodies, c.KeepCalls, c.KeepTotals = 2*24*time.Hour, 5*24*time.Hour, 10*24*time.Hour
		set.Now = now.now
	})
	for i := range 8 {
		c := sinktest.Call(i)
		now.set(noon().Add(time.Duration(i) * 24 * time.Hour))
		c.Start, c.End = now.now(), now.now().Add(time.Second)
		keep(t, s, c)
		if err := s.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	files := func(pattern string) int {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(dir, "calls", pattern))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	if calls, bodies := files("????-??-??.db"), files("*.bodies.db"); calls != 6 || bodies != 3 {
		t.Errorf("there are calls of %d days and bodies of %d", calls, bodies)
	}
	got, err := s.Totals(t.Context(), llm.TotalsQuery{})
	if err != nil || got[0].Calls != 8 {
		t.Errorf("%+v, %v", got, err)
	}
	if c := get(t, s.Reader, sinktest.ID(3)); c.Input != nil || c.Usage == (llm.Usage{}) {
		t.Errorf("a call whose bodies are gone: %+v", c)
	}
	page, err := s.Calls(t.Context(), llm.Filter{}, "", 0)
	if err != nil || len(page.Calls) != 6 || page.Calls[0].Preview == "" || page.Calls[5].Preview != "" {
		t.Errorf("%+v, %v", page, err)
	}
	// A call that comes after its day went is counted, and makes no day anew.
	late := sinktest.Call(1)
	late.Start = noon().Add(24 * time.Hour)
	keep(t, s, late)
	if files("????-??-??.db") != 6 || s.Stats().Expired != 1 {
		t.Errorf("a late call: %+v", s.Stats())
	}
	// Bodies of a day whose bodies are gone are not kept.
	late = sinktest.Call(90)
	late.Start = noon().Add(3 * 24 * time.Hour)
	keep(t, s, late)
	if files("*.bodies.db") != 3 || len(stored(t, dir)) != 7 {
		t.Error("a late call brought bodies back")
	}
	now.set(now.now().Add(8 * 24 * time.Hour))
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err = s.Totals(t.Context(), llm.TotalsQuery{}); err != nil || got[0].Calls >= 9 || got[0].Calls == 0 {
		t.Errorf("totals that are old: %+v, %v", got, err)
	}
	if files("*") != 0 {
		t.Errorf("%d files are left", files("*"))
	}
}

func TestSizeIsBounded(t *testing.T) {
	dir := t.TempDir()
	var now clock
	now.set(noon())
	change := func(c *store.Config, set *store.Settings) {
		c.MaxBytes = 64 << 20
		set.Now = now.now
	}
	s := open(t, dir, change)
	for i := range 5 {
		now.set(noon().Add(time.Duration(i) * 24 * time.Hour))
		c := sinktest.Call(i)
		c.Start = now.now()
		keep(t, s, c)
	}
	shut(t, s)
	for i := range 4 { // as large as days of many calls, without writing them
		name := noon().Add(time.Duration(i)*24*time.Hour).Format(time.DateOnly) + ".bodies.db"
		if err := os.Truncate(filepath.Join(dir, "calls", name), 25<<20); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir, change)
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats().Bytes; n > 64<<20 {
		t.Errorf("%d bytes are left", n)
	}
	if n := len(stored(t, dir)); n != 5 {
		t.Errorf("%d calls are left", n)
	}
	found, err := filepath.Glob(filepath.Join(dir, "calls", "*.bodies.db"))
	if err != nil || len(found) != 3 || !strings.Contains(found[0], "2026-11-23") {
		t.Errorf("bodies are left of %v", found) // the oldest go first
	}
}
