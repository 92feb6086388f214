package journal_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
)

// large returns a call with n bytes of prompt.
func large(id, n int) *llm.Call {
	c := sinktest.Call(id)
	c.Input[0].Parts[0].Content = strings.Repeat("x", n)
	return c
}

// At the size cap contents go first, oldest first, then calls, oldest first. The
// chain holds through all of it, and everything is counted.
func TestSizeCap(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg := small(dir)
		cfg.MaxBytes = 1 << 20
		j, err := journal.Open(cfg, journal.Settings{Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		down := &taker{down: true}
		follow(t, j, "down", down.take)
		put := func(from, to int) {
			for n := from; n < to; n++ {
				if err := j.Append(t.Context(), []*llm.Call{large(n, 15_000)}); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if s := j.Stats(); s.Bytes > cfg.MaxBytes+32<<10 { // a batch more
				t.Errorf("the journal has %d bytes", s.Bytes)
			}
		}
		put(0, 500)
		s := j.Stats()
		if s.DroppedBodies < 300 || s.DroppedBodies > 500 || s.DroppedCalls != 0 {
			t.Errorf("after 7.5 MB: %d bodies, %d calls dropped", s.DroppedBodies, s.DroppedCalls)
		}
		r := whole(t, dir)
		if r.Stripped != s.DroppedBodies || r.Calls != 500 {
			t.Errorf("verify: %+v", r)
		}
		put(500, 2000)
		s = j.Stats()
		if s.DroppedCalls < 300 {
			t.Errorf("after 30 MB: %+v", s)
		}
		whole(t, dir)
		down.set(false)
		time.Sleep(time.Minute)
		// What it was busy with it had in memory; the rest is what is still there.
		got := down.got()
		f := j.Stats().Followers[0]
		if f.Dropped != s.DroppedCalls || int64(len(got))+f.Dropped != 2000 || !slices.IsSorted(got) || got[len(got)-1] != sinktest.ID(1999) {
			t.Errorf("%d calls delivered, %d dropped there, %d here", len(got), f.Dropped, s.DroppedCalls)
		}
		shut(t, j)
	})
}

// A call whose content was dropped says so, and has everything else.
func TestCallWithoutItsContent(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg := small(dir)
		cfg.MaxBytes = 192 << 10
		j, err := journal.Open(cfg, journal.Settings{Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 12 {
			if err := j.Append(t.Context(), []*llm.Call{large(n, 15_000)}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		shut(t, j)
	})
	// Before contents: what everybody has had may go.
	var out bytes.Buffer
	if _, err := journal.Export(t.Context(), dir, journal.Range{}, nil, &out); err != nil || !strings.Contains(out.String(), `"content_dropped":true`) {
		t.Errorf("the export says nothing of it: %v", err)
	}
	calls := contents(t, dir)
	if len(calls) != 12 {
		t.Fatalf("%d calls", len(calls))
	}
	first, last := calls[0], calls[11]
	marked := slices.ContainsFunc(first.Attrs, func(a llm.Attr) bool { return a.Key == "spanwire.content.dropped" && a.Value == true })
	if !marked || first.Input != nil || first.Output != nil || first.Usage != last.Usage || first.Cost != last.Cost || len(first.Problems) != 2 {
		t.Errorf("the first call: %+v", first)
	}
	if len(last.Input) != 1 || len(last.Input[0].Parts[0].Content) != 15_000 {
		t.Errorf("the last call has no content")
	}
}

// Segments stay while retention is not over, though everybody has their calls; and
// go when it is.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(small(dir), journal.Settings{Log: quiet(), Retention: 30 * 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		f := &taker{}
		follow(t, j, "f", f.take)
		add(t, j, 0, 1000)
		time.Sleep(29 * 24 * time.Hour)
		if s := j.Stats(); len(f.got()) != 1000 || s.Segments < 5 {
			t.Errorf("%d calls delivered; %+v", len(f.got()), s)
		}
		if r := whole(t, dir); r.Calls != 1000 {
			t.Errorf("verify: %+v", r)
		}
		time.Sleep(2 * 24 * time.Hour)
		if s := j.Stats(); s.Segments != 1 || s.DroppedCalls != 0 {
			t.Errorf("after retention: %+v", s)
		}
		shut(t, j)
	})
}

// Calls that nobody fetches go when they are too old, counted.
func TestMaxAge(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg := small(dir)
		cfg.MaxAge = 24 * time.Hour
		j, err := journal.Open(cfg, journal.Settings{Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		down := &taker{down: true}
		follow(t, j, "down", down.take)
		add(t, j, 0, 1000)
		time.Sleep(23 * time.Hour)
		add(t, j, 1000, 1100)
		if s := j.Stats(); s.DroppedCalls != 0 {
			t.Errorf("too early: %+v", s)
		}
		time.Sleep(4 * time.Hour)
		s := j.Stats()
		if s.DroppedCalls == 0 || s.DroppedCalls > 1000 {
			t.Errorf("too late: %+v", s)
		}
		down.set(false)
		time.Sleep(time.Minute)
		if f := j.Stats().Followers[0]; f.Dropped != s.DroppedCalls || f.Delivered+f.Dropped != 1100 {
			t.Errorf("%+v, %+v", f, s)
		}
		shut(t, j)
	})
}

// Nobody follows: what is appended stays until it is too old.
func TestNobodyFollows(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(small(dir), journal.Settings{Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		add(t, j, 0, 1000)
		time.Sleep(48 * time.Hour)
		f := &taker{}
		follow(t, j, "late", f.take)
		time.Sleep(time.Minute)
		if len(f.got()) != 1000 {
			t.Errorf("%d calls", len(f.got()))
		}
		shut(t, j)
	})
}

// Calls that come in slowly share a write when they are allowed to wait.
func TestSyncDelay(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg := small(dir)
		cfg.SyncDelay = 50 * time.Millisecond
		j, err := journal.Open(cfg, journal.Settings{Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		done := make(chan error, 300)
		put := func(n int) { go func() { done <- j.Append(t.Context(), numbered(n, n+1)) }() }
		for n := range 10 {
			put(n)
			time.Sleep(2 * time.Millisecond)
		}
		for range 10 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if s := j.Stats(); s.Syncs != 1 || time.Since(began) != 50*time.Millisecond {
			t.Errorf("%d writes in %v", s.Syncs, time.Since(began))
		}
		// A full batch does not wait.
		began = time.Now()
		for n := range 256 {
			put(n)
		}
		for range 256 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(began) != 0 {
			t.Errorf("a full batch waited %v", time.Since(began))
		}
		shut(t, j)
	})
}
