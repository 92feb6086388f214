package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/fakellm"
)

// The last segment of the journal is damaged while the store does not have its calls
// yet. The program starts, the store gets what can be read and goes on with new calls;
// what is lost is in the log and in the metrics, and the chain names the first record
// that is not as it was.
func TestDamagedLastSegment(t *testing.T) {
	const calls = 12
	f := func(name string, damage func(data []byte, ends []int) []byte, lost []int, broken int, count, says string) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") +
				fmt.Sprintf("data_dir: %q\njournal: {mode: strict, strict_timeout: 10m}\naudit: {retention: 24h}\ntracing: {exporters: []}\n", dir)
			p := start(t, config)
			var ids []string
			for range calls { // each a batch of its own, one after the other
				ids = append(ids, p.call(t))
			}
			p.stop(t)
			// The store is behind: it lost its disk.
			for _, gone := range []string{"calls", "meta.db", "journal/cursors/store"} {
				if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
					t.Fatal(err)
				}
			}
			segments, err := filepath.Glob(filepath.Join(dir, "journal", "*.journal"))
			if err != nil || len(segments) != 1 {
				t.Fatal(segments, err)
			}
			data, err := os.ReadFile(segments[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(segments[0], damage(data, frameEnds(data)), 0o600); err != nil {
				t.Fatal(err)
			}

			p = start(t, config)
			var want []string
			for i, id := range ids {
				if !slices.Contains(lost, i) {
					want = append(want, id)
				}
			}
			want = append(want, p.call(t), p.call(t))
			waitStored(t, dir, want)
			if _, page := p.get(t, "/metrics"); !regexp.MustCompile(`(?m)^` + count + `$`).MatchString(page) {
				t.Errorf("/metrics does not say %s", count)
			}
			if !strings.Contains(p.err.String(), says) {
				t.Errorf("the log does not say %q: %s", says, p.err.String())
			}
			p.stop(t)
			stored := storedOnce(t, dir, want)
			if len(stored) != len(want) {
				t.Errorf("%d calls are in the store, want %d", len(stored), len(want))
			}
			if out, _, err := cli(t, "store", "check", "--dir", dir); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			out, _, err := cli(t, "audit", "verify", "--dir", filepath.Join(dir, "journal"))
			if broken == 0 && err != nil || broken > 0 && (err == nil || !strings.Contains(out, fmt.Sprintf("BROKEN at record %d ", broken))) {
				t.Errorf("verify: %v\n%s", err, out)
			}
			out, _, _ = cli(t, "audit", "export", "--dir", filepath.Join(dir, "journal")) // an error where it is broken
			if exported := exportedIDs(t, out); !slices.Equal(exported, want) {
				t.Errorf("exported are %d calls, want %d", len(exported), len(want))
			}
		})
	}
	dropped := func(n int) string {
		return fmt.Sprintf(`spanwire_journal_follower_dropped_total\{follower="store"\} %d`, n)
	}
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	f("flipped bits", func(data []byte, ends []int) []byte {
		data[ends[4]+200] ^= 0x10
		return data
	}, []int{5}, 6, dropped(1), "the last segment of the journal is damaged")
	f("a hole of several records", func(data []byte, ends []int) []byte {
		clear(data[ends[2]+5 : ends[6]-5])
		return data
	}, []int{3, 4, 5, 6}, 4, dropped(4), "the last segment of the journal is damaged")
	f("a header of noise", func(data []byte, _ []int) []byte {
		for i := range 64 {
			data[i] ^= 0xa5
		}
		return data
	}, all, 1, dropped(calls), "the last segment of the journal is damaged")
	f("cut within a record", func(data []byte, ends []int) []byte {
		return data[:ends[9]-7]
	}, []int{9, 10, 11}, 0, `spanwire_journal_torn_bytes_total [1-9]\d*`, "the unfinished batch is cut off")
	f("zeros behind it", func(data []byte, _ []int) []byte {
		return append(data, make([]byte, 100_000)...)
	}, nil, 0, `spanwire_journal_torn_bytes_total 100000`, "the unfinished batch is cut off")
}

// frameEnds returns where each record of a segment ends.
func frameEnds(data []byte) (ends []int) {
	for at := 128; at+8 <= len(data); {
		at += 8 + int(data[at]) + int(data[at+1])<<8 + int(data[at+2])<<16
		ends = append(ends, at)
	}
	return ends
}

// exportedIDs returns the ids of the calls of an export, in order.
func exportedIDs(t *testing.T, out string) (ids []string) {
	t.Helper()
	for line := range strings.Lines(out) {
		var record struct{ Call *struct{ ID string } }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v: %.200s", err, line)
		}
		if record.Call != nil {
			ids = append(ids, record.Call.ID)
		}
	}
	return ids
}

// A follower that had more than the journal has says that its end is gone.
func TestJournalLostItsEnd(t *testing.T) {
	dir := t.TempDir()
	config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") +
		fmt.Sprintf("data_dir: %q\njournal: {mode: strict, strict_timeout: 10m}\naudit: {retention: 24h}\ntracing: {exporters: []}\n", dir)
	p := start(t, config)
	var ids []string
	for range 6 {
		ids = append(ids, p.call(t))
	}
	p.stop(t)
	segments, err := filepath.Glob(filepath.Join(dir, "journal", "*.journal"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	data, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(segments[0], int64(frameEnds(data)[3])); err != nil { // nothing is torn: it looks whole
		t.Fatal(err)
	}
	p = start(t, config)
	ids = append(ids, p.call(t))
	waitStored(t, dir, ids)
	if _, page := p.get(t, "/metrics"); !strings.Contains(page, "\nspanwire_journal_lost_total 2\n") {
		t.Error("/metrics does not say that two records are gone")
	}
	if !strings.Contains(p.err.String(), "the end of the journal is gone") {
		t.Errorf("the log says nothing: %s", p.err.String())
	}
	p.stop(t)
	storedOnce(t, dir, ids)
	p = start(t, config) // once said is enough: the cursor is right again
	if _, page := p.get(t, "/metrics"); !strings.Contains(page, "\nspanwire_journal_lost_total 0\n") {
		t.Error("the next start finds records gone again")
	}
	p.stop(t)
	sound(t, dir)
}
