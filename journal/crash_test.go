package journal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
)

// childDir makes the test binary a program that appends to a journal until it is
// killed, and tells each call once it is durable.
const childDir = "JOURNAL_TEST_CHILD"

// child runs that program, when this process is one.
func child() bool {
	dir := os.Getenv(childDir)
	if dir == "" {
		return false
	}
	cfg := config(dir)
	cfg.SegmentBytes, cfg.MaxBytes = 64<<10, 1<<30
	key, err := journal.SigningKey(strings.Repeat("ab", 32))
	if err != nil {
		panic(err)
	}
	j, err := journal.Open(cfg, journal.Settings{SigningKey: key, Retention: 24 * time.Hour, Log: quiet()})
	if err != nil {
		fmt.Println("open:", err)
		return true
	}
	// This follower takes everything, so that segments may be removed and cursors move.
	if err := j.Follow("taker", func(context.Context, []*llm.Call) error { return nil }); err != nil {
		panic(err)
	}
	round := os.Getenv(childDir + "_ROUND")
	lines := make(chan string, 64)
	for worker := range 4 {
		go func() {
			for n := 0; ; n++ {
				calls := make([]*llm.Call, 1+n%5)
				for i := range calls {
					calls[i] = sinktest.Call(n)
					calls[i].ID = fmt.Sprintf("%s/%d/%d/%d", round, worker, n, i)
					calls[i].System[0].Content = strings.Repeat("x", n%9*700)
				}
				if err := j.Append(context.Background(), calls); err != nil {
					lines <- "error: " + err.Error()
					return
				}
				for _, c := range calls {
					lines <- c.ID
				}
			}
		}()
	}
	for l := range lines {
		// One write a line: what the parent reads was durable before.
		if _, err := os.Stdout.WriteString(l + "\n"); err != nil {
			return true
		}
	}
	return true
}

// The program is killed again and again while it writes: whatever it said is
// durable must be there, and the chain must hold.
func TestKill(t *testing.T) {
	const kills = 40
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s_ROUND=%d", childDir, round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The moment is random: after so many lines, and then some.
		left := 1 + rand.IntN(120)
		var kill *time.Timer
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if line := lines.Text(); strings.HasPrefix(line, fmt.Sprint(round)+"/") {
				acknowledged[line] = true
			} else {
				t.Fatalf("round %d: the program says %q", round, line)
			}
			if left--; left == 0 {
				kill = time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { cmd.Process.Kill() })
			}
		}
		err = cmd.Wait()
		if kill == nil {
			t.Fatalf("round %d: the program ended by itself: %v", round, err)
		}
		kill.Stop()
		report, err := journal.Verify(t.Context(), dir, journal.Range{}, nil)
		if err != nil || report.Broken != nil {
			t.Fatalf("round %d: %v, %v", round, err, report.Broken)
		}
	}
	seen := map[string]int{}
	for _, c := range contents(t, dir) {
		seen[c.ID]++
	}
	for id := range acknowledged {
		if seen[id] != 1 {
			t.Errorf("call %s was acknowledged and is there %d times", id, seen[id])
		}
	}
	report, err := journal.Verify(t.Context(), dir, journal.Range{}, nil)
	if err != nil || report.Broken != nil || report.Calls != int64(len(seen)) || report.Checkpoints == 0 {
		t.Errorf("verify: %+v, %v", report, err)
	}
	t.Logf("%d kills, %d calls acknowledged, %d in the journal", kills, len(acknowledged), len(seen))
}

// One journal has one writer.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	if _, err := journal.Open(config(dir), journal.Settings{Log: quiet()}); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("a second Open: %v", err)
	}
	shut(t, j)
	shut(t, open(t, dir))
}
