package journal_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
)

// A follower that is flushed gets the first call at once, and of a steady stream what
// came in a quarter of a second together; when many wait it gets them without delay,
// and the rest when the journal is closed.
func TestCallsAreGathered(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(config(dir), journal.Settings{Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		var got taker
		var sizes []int
		flushed := 0
		deliver := func(ctx context.Context, calls []*llm.Call) error {
			sizes = append(sizes, len(calls))
			return got.take(ctx, calls)
		}
		if err := j.FollowFlushed("f", deliver, func() error { flushed++; return nil }); err != nil {
			t.Fatal(err)
		}
		expect := func(what string, want ...int) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(sizes, want) {
				t.Errorf("%s: batches of %v calls, want %v", what, sizes, want)
			}
		}
		add(t, j, 0, 1)
		expect("the first call", 1)
		time.Sleep(5 * time.Millisecond)
		for n := 1; n < 51; n++ { // one every 10 ms
			add(t, j, n, n+1)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(250 * time.Millisecond)
		expect("half a second of calls", 1, 25, 25)
		add(t, j, 51, 52)
		expect("a pause", 1, 25, 25, 1)
		add(t, j, 52, 1600)
		expect("more than a thousand", 1, 25, 25, 1, 1020)
		shut(t, j)
		expect("the end", 1, 25, 25, 1, 1020, 528)
		if !slices.Equal(got.got(), ids(numbered(0, 1600))) {
			t.Errorf("%d calls", len(got.got()))
		}
		if flushed == 0 {
			t.Error("nothing was flushed")
		}
	})
}
