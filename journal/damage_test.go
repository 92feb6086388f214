package journal_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
)

// segments returns the files of a journal in order.
func segments(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil || len(files) == 0 {
		t.Fatalf("segments of %s: %v, %v", dir, files, err)
	}
	slices.Sort(files)
	return files
}

func size(t testing.TB, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// written makes a journal of calls, each appended on its own, and returns where
// each record ends.
func written(t testing.TB, dir string, calls []*llm.Call) (ends []int64) {
	t.Helper()
	j := open(t, dir)
	for _, c := range calls {
		if err := j.Append(t.Context(), []*llm.Call{c}); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, size(t, segments(t, dir)[0]))
	}
	shut(t, j)
	return ends
}

// whole verifies a journal of which nothing may be broken.
func whole(t testing.TB, dir string) journal.Report {
	t.Helper()
	r, err := journal.Verify(t.Context(), dir, journal.Range{}, nil)
	if err != nil || r.Broken != nil {
		t.Fatalf("verify: %v, broken %v", err, r.Broken)
	}
	return r
}

// A write can break off after any byte. What was acknowledged before is there, the
// rest is cut off and said, and the journal goes on.
func TestTornAtEveryByte(t *testing.T) {
	source := t.TempDir()
	ends := written(t, source, numbered(0, 3))
	file := segments(t, source)[0]
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for cut := ends[1]; cut < ends[2]; cut++ {
		for _, tail := range [][]byte{nil, make([]byte, ends[2]-cut)} { // a file that is short, and one whose end is zeros
			dir := t.TempDir()
			torn := append(data[:cut:cut], tail...)
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), torn, 0o600); err != nil {
				t.Fatal(err)
			}
			if r := whole(t, dir); r.Calls != 2 || r.Tail != int64(len(torn))-ends[1] {
				t.Fatalf("cut at %d: %+v", cut, r)
			}
			j := open(t, dir)
			if got := j.Stats().TornBytes; got != int64(len(torn))-ends[1] {
				t.Fatalf("cut at %d: %d bytes were cut off", cut, got)
			}
			if cut%61 > 0 { // each of these is a write to the disk
				shut(t, j)
				continue
			}
			if err := j.Append(t.Context(), []*llm.Call{sinktest.Call(7)}); err != nil {
				t.Fatal(err)
			}
			shut(t, j)
			if got := ids(contents(t, dir)); !slices.Equal(got, []string{sinktest.ID(0), sinktest.ID(1), sinktest.ID(7)}) {
				t.Fatalf("cut at %d: %v", cut, got)
			}
			whole(t, dir)
		}
	}
}

// Of a batch that broke off nothing was acknowledged, even when the disk kept its
// end and lost its middle. It is no damage.
func TestTornInTheMiddleOfABatch(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	if err := j.Append(t.Context(), numbered(0, 5)); err != nil {
		t.Fatal(err)
	}
	before := size(t, segments(t, dir)[0])
	if err := j.Append(t.Context(), numbered(5, 25)); err != nil {
		t.Fatal(err)
	}
	shut(t, j)
	scratch(t, segments(t, dir)[0], before+100, make([]byte, 2000))
	if r := whole(t, dir); r.Calls != 5 || r.Tail == 0 {
		t.Errorf("verify: %+v", r)
	}
	if got := contents(t, dir); len(got) != 5 {
		t.Errorf("%d calls are there", len(got))
	}
	whole(t, dir)
}

// Damage before records that were acknowledged is kept, passed over and reported;
// what stands behind it is not lost.
func TestDamageInTheMiddle(t *testing.T) {
	f := func(name string, at int, change func(file string, ends []int64)) {
		t.Helper()
		dir := t.TempDir()
		ends := written(t, dir, numbered(0, 10))
		change(segments(t, dir)[0], ends)
		var log bytes.Buffer
		j, err := journal.Open(config(dir), journal.Settings{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.Contains(log.String(), "damaged") {
			t.Errorf("%s: the log says nothing: %s", name, log.String())
		}
		var got []string
		err = j.Follow("f", func(_ context.Context, calls []*llm.Call) error {
			got = append(got, ids(calls)...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Append(t.Context(), numbered(10, 11)); err != nil {
			t.Fatal(err)
		}
		shut(t, j)
		want := append(ids(numbered(0, at)), ids(numbered(at+1, 11))...)
		if !slices.Equal(got, want) {
			t.Errorf("%s: delivered %v", name, got)
		}
		if s := j.Stats().Followers[0]; s.Dropped != 1 || s.Delivered != 10 {
			t.Errorf("%s: %+v", name, s)
		}
		// Verify names the very record.
		r, err := journal.Verify(t.Context(), dir, journal.Range{}, nil)
		if err != nil || r.Broken == nil || r.Broken.Record != uint64(at+1) {
			t.Errorf("%s: verify: %v, broken %v", name, err, r.Broken)
		}
		var out bytes.Buffer
		if n, err := journal.Export(t.Context(), dir, journal.Range{}, nil, &out); n != 10 || err == nil {
			t.Errorf("%s: exported %d, %v", name, n, err)
		}
	}
	f("a flipped bit", 4, func(file string, ends []int64) { scratch(t, file, ends[3]+300, []byte{0xff}) })
	f("a flipped bit, an even number of records before the end", 5, func(file string, ends []int64) { scratch(t, file, ends[4]+300, []byte{0xff}) })
	f("a length that is too long", 4, func(file string, ends []int64) { scratch(t, file, ends[3], []byte{0xff, 0xff, 0xff, 0xff}) })
	f("a length of nothing", 0, func(file string, ends []int64) { scratch(t, file, 128, []byte{0, 0, 0, 0}) })
	f("a length a little off", 4, func(file string, ends []int64) { scratch(t, file, ends[3], []byte{0xff}) })
	f("a record that is gone", 4, func(file string, ends []int64) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(data[:ends[3]:ends[3]], data[ends[4]:]...), 0o600); err != nil {
			t.Fatal(err)
		}
	})
}

// A last segment without a header is damage like any other: its records are passed over
// and counted, and their numbers are not used again.
func TestLastSegmentWithoutAHeader(t *testing.T) {
	for name, damage := range map[string]func(file string, ends []int64){
		"the header alone":        func(file string, _ []int64) { scratch(t, file, 0, make([]byte, 128)) },
		"and records":             func(file string, ends []int64) { scratch(t, file, 0, make([]byte, ends[3]+10)) },
		"and the end of the last": func(file string, ends []int64) { scratch(t, file, 0, make([]byte, 20)); cut(t, file, ends[9]-5) },
	} {
		dir := t.TempDir()
		ends := written(t, dir, numbered(0, 10))
		damage(segments(t, dir)[0], ends)
		for round := range 2 { // once as the last segment, once as one before it
			var got []string
			j := open(t, dir)
			err := j.Follow("f", func(_ context.Context, calls []*llm.Call) error {
				got = append(got, ids(calls)...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Append(t.Context(), numbered(20+round, 21+round)); err != nil {
				t.Fatal(err)
			}
			shut(t, j)
			s := j.Stats()
			if want := ids(numbered(20+round, 21+round)); !slices.Equal(got, want) {
				t.Errorf("%s: delivered %v", name, got)
			}
			if dropped := s.Followers[0].Dropped; round == 0 && (name == "the header alone" && dropped != 10 || dropped < 1) || round > 0 && dropped != 0 {
				t.Errorf("%s: round %d: %+v", name, round, s.Followers[0])
			}
		}
		r, err := journal.Verify(t.Context(), dir, journal.Range{}, nil)
		if err != nil || r.Broken == nil || r.Broken.Record != 1 {
			t.Errorf("%s: verify: %v, broken %v", name, err, r.Broken)
		}
	}
}

func cut(t testing.TB, file string, at int64) {
	t.Helper()
	if err := os.Truncate(file, at); err != nil {
		t.Fatal(err)
	}
}

func scratch(t testing.TB, file string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// small makes segments as small as they can be, so that a few hundred calls fill some.
func small(dir string) journal.Config {
	cfg := config(dir)
	cfg.SegmentBytes = 64 << 10
	return cfg
}

// many makes a journal of several segments, of n calls.
func many(t testing.TB, dir string, n int, set journal.Settings) {
	t.Helper()
	set.Log = quiet()
	j, err := journal.Open(small(dir), set)
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < n; from += 20 {
		if err := j.Append(t.Context(), numbered(from, min(from+20, n))); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, j)
}

// Segments are links of the chain too.
func TestVerifyNamesWhatIsMissing(t *testing.T) {
	f := func(name, want string, change func(files []string)) {
		t.Helper()
		dir := t.TempDir()
		many(t, dir, 400, journal.Settings{})
		files := segments(t, dir)
		if len(files) < 4 {
			t.Fatalf("only %d segments", len(files))
		}
		whole(t, dir)
		change(files)
		r, err := journal.Verify(t.Context(), dir, journal.Range{}, nil)
		if err != nil || r.Broken == nil || !strings.Contains(r.Broken.Error(), want) {
			t.Errorf("%s: verify: %v, broken %v", name, err, r.Broken)
		}
		// A journal in any state opens, and gives what it has.
		if got := contents(t, dir); len(got) < 100 {
			t.Errorf("%s: only %d calls are left", name, len(got))
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f("a segment is removed", "missing", func(files []string) { must(os.Remove(files[1])) })
	f("a segment is another's", "does not continue", func(files []string) {
		other := t.TempDir()
		many(t, other, 400, journal.Settings{})
		data, err := os.ReadFile(segments(t, other)[1])
		must(err)
		if segments(t, other)[1][len(other):] != files[1][len(filepath.Dir(files[1])):] {
			t.Fatal("the segments of two journals of the same calls differ in number")
		}
		must(os.WriteFile(files[1], data, 0o600))
	})
	f("a header is overwritten", "does not begin", func(files []string) { scratch(t, files[1], 20, []byte("xxxx")) })
	f("a segment is cut", "ends within a record", func(files []string) { must(os.Truncate(files[1], size(t, files[1])/2)) })
	f("two segments are swapped", "does not begin", func(files []string) {
		must(os.Rename(files[1], files[1]+".x"))
		must(os.Rename(files[2], files[1]))
		must(os.Rename(files[1]+".x", files[2]))
	})
}

// The first segment may have been removed by retention: the chain begins where the
// journal does.
func TestVerifyWithoutTheBeginning(t *testing.T) {
	dir := t.TempDir()
	many(t, dir, 400, journal.Settings{})
	files := segments(t, dir)
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if r := whole(t, dir); r.First == 1 || r.Last != 400 {
		t.Errorf("verify: %+v", r)
	}
}

// What is in the folder and not the journal's is left alone.
func TestOtherFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	written(t, dir, numbered(0, 3))
	for _, name := range []string{"README", "1.journal", "0000000000000000000x.journal", "00000000000000000000.journal"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := contents(t, dir); len(got) != 3 {
		t.Errorf("%d calls", len(got))
	}
	for _, name := range []string{"README", "1.journal", "0000000000000000000x.journal", "00000000000000000000.journal"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); string(data) != "mine" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}
