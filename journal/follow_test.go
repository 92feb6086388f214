package journal_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
)

// taker is a follower that can be down, and keeps the ids of what it took.
type taker struct {
	mu    sync.Mutex
	down  bool
	tries int
	ids   []string
}

var errDown = errors.New("down")

func (f *taker) take(_ context.Context, calls []*llm.Call) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	if f.down {
		return errDown
	}
	f.ids = append(f.ids, ids(calls)...)
	return nil
}

func (f *taker) set(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

func (f *taker) got() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ids)
}

func follow(t testing.TB, j *journal.Journal, name string, deliver journal.Deliver) {
	t.Helper()
	if err := j.Follow(name, deliver); err != nil {
		t.Fatal(err)
	}
}

// add appends calls from the numbers given, in batches.
func add(t testing.TB, j *journal.Journal, from, to int) {
	t.Helper()
	for ; from < to; from += 20 {
		if err := j.Append(t.Context(), numbered(from, min(from+20, to))); err != nil {
			t.Fatal(err)
		}
	}
}

// One follower is down, for a long time and over a restart; the other one gets
// everything at once. Then the first one catches up, in order and without a gap.
func TestOneFollowerIsDown(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(small(dir), journal.Settings{Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		up, down := &taker{}, &taker{down: true}
		follow(t, j, "up", up.take)
		follow(t, j, "down", down.take)
		add(t, j, 0, 2000)
		time.Sleep(time.Hour)
		if got := up.got(); len(got) != 2000 {
			t.Errorf("the follower that is up got %d", len(got))
		}
		s := j.Stats()
		d, u := s.Followers[0], s.Followers[1]
		if d.Name != "down" || d.LagRecords != 2000 || d.LagBytes < 2000*400 || d.Lag < time.Hour || d.Retries < 50 || d.LastError != "down" {
			t.Errorf("the follower that is down: %+v", d)
		}
		if u.LagRecords != 0 || u.LagBytes != 0 || u.Lag != 0 || u.Retries != 0 || u.Delivered != 2000 {
			t.Errorf("the follower that is up: %+v", u)
		}
		if s.Segments < 5 || s.DroppedCalls != 0 || s.DroppedBodies != 0 {
			t.Errorf("journal: %+v", s)
		}
		shut(t, j)
	})
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(small(dir), journal.Settings{Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		up, down := &taker{}, &taker{down: true}
		follow(t, j, "up", up.take)
		follow(t, j, "down", down.take)
		add(t, j, 2000, 2100)
		time.Sleep(time.Minute)
		down.set(false)
		time.Sleep(time.Minute)
		if got := up.got(); !slices.Equal(got, ids(numbered(2000, 2100))) {
			t.Errorf("the follower that was up got %d calls again", len(got)-100)
		}
		if got := down.got(); !slices.Equal(got, ids(numbered(0, 2100))) {
			t.Errorf("the follower that was down got %d calls", len(got))
		}
		time.Sleep(3 * time.Hour) // what nobody needs goes
		if s := j.Stats(); s.Segments > 2 || s.Followers[0].LagBytes != 0 {
			t.Errorf("all have everything, and there is still %+v", s)
		}
		shut(t, j)
	})
}

// A follower that is slow holds neither appending nor the other one, however far
// it is behind.
func TestASlowFollowerHoldsNobody(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(small(dir), journal.Settings{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	hold := make(chan struct{})
	slow, quick := &taker{}, &taker{}
	follow(t, j, "slow", func(ctx context.Context, calls []*llm.Call) error {
		<-hold
		return slow.take(ctx, calls)
	})
	all := make(chan struct{})
	follow(t, j, "quick", func(ctx context.Context, calls []*llm.Call) error {
		err := quick.take(ctx, calls)
		if len(quick.got()) == 12_000 {
			close(all)
		}
		return err
	})
	add(t, j, 0, 12_000) // more than is kept in memory
	<-all
	close(hold)
	shut(t, j)
	if !slices.Equal(slow.got(), ids(numbered(0, 12_000))) {
		t.Errorf("the slow one got %d calls", len(slow.got()))
	}
}

// A cursor moves when its follower took the calls, and not before: whatever moment
// the process ends at, the follower gets the rest, and nothing twice but the batch
// that it was busy with.
func TestCursorIsWhereTheFollowerIs(t *testing.T) {
	dir := t.TempDir()
	written(t, dir, numbered(0, 10))
	busy := make(chan struct{})
	j := open(t, dir)
	follow(t, j, "f", func(ctx context.Context, calls []*llm.Call) error {
		close(busy)
		<-ctx.Done() // it never gets to an end
		return ctx.Err()
	})
	<-busy
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Close(ctx); err != nil {
		t.Fatal(err)
	}
	for round, want := range []int{10, 0, 5} {
		j := open(t, dir)
		f := &taker{}
		if round == 2 {
			add(t, j, 10, 15)
		}
		follow(t, j, "f", f.take)
		shut(t, j)
		if got := f.got(); len(got) != want {
			t.Errorf("round %d: %d calls, want %d", round, len(got), want)
		}
	}
}

// A cursor has two slots: a write that breaks off leaves the one before, and what
// cannot be read at all means everything once more, never less.
func TestBrokenCursor(t *testing.T) {
	f := func(name string, change func(file string), most int) {
		t.Helper()
		dir := t.TempDir()
		j := open(t, dir)
		follow(t, j, "f", (&taker{}).take)
		for n := range 6 {
			add(t, j, n*10, n*10+10)
		}
		shut(t, j)
		change(filepath.Join(dir, "cursors", "f"))
		j = open(t, dir)
		again := &taker{}
		add(t, j, 60, 70)
		follow(t, j, "f", again.take)
		shut(t, j)
		got := again.got()
		if want := ids(numbered(70-len(got), 70)); len(got) < 10 || len(got) > most || !slices.Equal(got, want) {
			t.Errorf("%s: %d calls", name, len(got))
		}
	}
	f("nothing", func(string) {}, 10)
	f("the first slot", func(file string) { scratch(t, file, 12, []byte{0xff}) }, 70)
	f("the second slot", func(file string) { scratch(t, file, 4096+12, []byte{0xff}) }, 70)
	f("both slots", func(file string) {
		scratch(t, file, 12, []byte{0xff})
		scratch(t, file, 4096+12, []byte{0xff})
	}, 70)
	f("an empty file", func(file string) {
		if err := os.Truncate(file, 0); err != nil {
			t.Fatal(err)
		}
	}, 70)
}

// The journal was removed and the cursor stayed: it must not keep calls back.
func TestCursorPastTheEnd(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	follow(t, j, "f", (&taker{}).take)
	add(t, j, 0, 100)
	shut(t, j)
	for _, file := range segments(t, dir) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	j = open(t, dir)
	f := &taker{}
	add(t, j, 0, 5)
	follow(t, j, "f", f.take)
	shut(t, j)
	if len(f.got()) != 5 {
		t.Errorf("%d calls", len(f.got()))
	}
}

// A follower that panics is one that failed.
func TestFollowerPanics(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, dir)
		n := 0
		f := &taker{}
		follow(t, j, "f", func(ctx context.Context, calls []*llm.Call) error {
			if n++; n < 3 {
				panic("odd call")
			}
			return f.take(ctx, calls)
		})
		add(t, j, 0, 3)
		time.Sleep(time.Minute)
		if s := j.Stats().Followers[0]; len(f.got()) != 3 || s.Retries != 2 {
			t.Errorf("%d calls, %+v", len(f.got()), s)
		}
		shut(t, j)
	})
}

func TestFollowRefuses(t *testing.T) {
	j := open(t, t.TempDir())
	for _, name := range []string{"", "../x", "a/b", "A", ".", "-"} {
		if err := j.Follow(name, (&taker{}).take); err == nil {
			t.Errorf("%q follows", name)
		}
	}
	follow(t, j, "f", (&taker{}).take)
	if err := j.Follow("f", (&taker{}).take); err == nil {
		t.Error("two followers of one name")
	}
	shut(t, j)
	if err := j.Follow("g", (&taker{}).take); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := j.Append(t.Context(), numbered(0, 1)); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
}

// Close returns in time, whatever a follower does.
func TestCloseWithAFollowerThatHangs(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	let := make(chan struct{})
	busy := make(chan struct{})
	follow(t, j, "f", func(context.Context, []*llm.Call) error {
		close(busy)
		<-let
		return errDown
	})
	add(t, j, 0, 1)
	<-busy
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	if err := j.Close(ctx); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("Close took %v and says %v", time.Since(began), err)
	}
	close(let)
	if got := contents(t, dir); len(got) != 1 {
		t.Errorf("%d calls are left", len(got))
	}
}
