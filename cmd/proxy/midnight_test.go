package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
)

// keeper is the journal and the store as the program puts them together, with a clock
// on which every call takes five minutes: some hundreds of them are a day.
type keeper struct {
	journal *journal.Journal
	store   *store.Store
	at      atomic.Int64 // calls so far
}

const callTime = 5 * time.Minute

// timeAfter is the time after n calls: soon it is midnight.
func timeAfter(n int64) time.Time {
	return time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC).Add(time.Duration(n) * callTime)
}

func openKeeper(dir string, from int64) (k *keeper, err error) {
	k = &keeper{}
	k.at.Store(from)
	log := slog.New(slog.DiscardHandler)
	cfg := store.DefaultConfig()
	cfg.KeepBodies, cfg.KeepCalls, cfg.KeepTotals = 0, 0, 0 // the days go by
	now := func() time.Time { return timeAfter(k.at.Load()) }
	if k.store, err = store.Open(dir, cfg, store.Settings{Log: log, Now: now}); err != nil {
		return nil, err
	}
	j := journal.DefaultConfig()
	j.Dir, j.SegmentBytes = filepath.Join(dir, "journal"), 1<<20
	if k.journal, err = journal.Open(j, journal.Settings{Retention: 24 * time.Hour, Log: log}); err != nil {
		return nil, err
	}
	return k, followStore(k.journal, k.store)
}

// call makes a call that ends now; every third began before the last midnight or long
// ago.
func (k *keeper) call(round int) *llm.Call {
	n := k.at.Add(1)
	c := sinktest.Call(int(n))
	c.ID = fmt.Sprintf("%d-%d", round, n)
	c.End = timeAfter(n)
	c.Start = c.End.Add(-time.Second)
	if n%3 == 0 {
		c.Start = c.End.Add(-time.Duration(n%40) * time.Hour)
	}
	c.FirstToken = c.Start.Add(time.Millisecond)
	return c
}

// asKeeper makes the test binary a keeper of calls that tells each one that is
// durable, until it is killed.
func asKeeper() bool {
	dir := os.Getenv("SPANWIRE_TEST_KEEPER")
	if dir == "" {
		return false
	}
	var round int
	var from int64
	if _, err := fmt.Sscan(os.Getenv("SPANWIRE_TEST_KEEPER_AT"), &round, &from); err != nil {
		fmt.Println(err)
		return true
	}
	k, err := openKeeper(dir, from)
	if err != nil {
		fmt.Println(err)
		return true
	}
	go func() { // what it does by itself every minute, which are days here
		for k.store.Tidy(context.Background()) == nil {
		}
	}()
	for {
		c := k.call(round)
		if err := k.journal.Append(context.Background(), []*llm.Call{c}); err != nil {
			fmt.Println(err)
			return true
		}
		fmt.Println("kept", c.ID)
	}
}

// Days begin and end while calls are kept and the program is killed: what was durable
// is in the store once, on the day on which it began, and the totals of days that were
// summed up too early or too late are those of their calls.
func TestKilledAcrossMidnight(t *testing.T) {
	dir := t.TempDir()
	var kept []string
	at := int64(0)
	for round := range *kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SPANWIRE_TEST_KEEPER="+dir, fmt.Sprintf("SPANWIRE_TEST_KEEPER_AT=%d %d", round, at))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		left := 100 + rand.IntN(500)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			id, ok := strings.CutPrefix(lines.Text(), "kept ")
			if !ok {
				t.Errorf("round %d: it says %q", round, lines.Text())
				break
			}
			kept = append(kept, id)
			if left--; left == 0 {
				_ = cmd.Process.Kill() // when it ended by itself the test says so below
			}
		}
		_ = cmd.Process.Kill()
		var exit *exec.ExitError
		if err := cmd.Wait(); left > 0 || !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("round %d: it ended by itself: %v", round, err)
		}
		last := kept[len(kept)-1]
		if at, err = strconv.ParseInt(last[strings.IndexByte(last, '-')+1:], 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	k, err := openKeeper(dir, at)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.journal.Close(t.Context()); err != nil { // when the store has everything
		t.Fatal(err)
	}
	k.at.Add(24 * 60) // all days are over
	if err := k.store.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored := storedOnce(t, dir, kept)
	days := map[int64]int64{}
	for after := ""; ; {
		page, err := k.store.Calls(t.Context(), llm.Filter{}, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Calls {
			days[row.Start.Truncate(24*time.Hour).Unix()]++
		}
		if after = page.Next; after == "" {
			break
		}
	}
	totals, err := k.store.Totals(t.Context(), llm.TotalsQuery{Bucket: llm.BucketDay, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(totals) != len(days) || len(days) < 2 {
		t.Errorf("there are totals of %d days and calls of %d", len(totals), len(days))
	}
	for _, d := range totals {
		if d.Calls != days[d.At.Unix()] {
			t.Errorf("of %v there are %d calls, the total says %d", d.At, days[d.At.Unix()], d.Calls)
		}
	}
	if err := k.store.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	sound(t, dir)
	t.Logf("%d kills, %d calls on %d days were durable, %d are in the store", *kills, len(kept), len(days), len(stored))
}
