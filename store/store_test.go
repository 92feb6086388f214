package store_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// today is the day of the calls of sinktest.
const today = "2026-11-21"

func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// open opens a store that is closed when the test ends.
func open(t testing.TB, dir string, change ...func(*store.Config, *store.Settings)) *store.Store {
	t.Helper()
	cfg, set := store.DefaultConfig(), store.Settings{Now: noon, Log: quiet()}
	for _, f := range change {
		f(&cfg, &set)
	}
	s, err := store.Open(dir, cfg, set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func keep(t testing.TB, s *store.Store, calls ...*llm.Call) {
	t.Helper()
	if err := s.Consume(t.Context(), calls); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, s *store.Reader, id string) *llm.Call {
	t.Helper()
	c, err := s.Call(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// number runs a query with one number as its result on a file of a store, as
// somebody with sqlite3 would.
func number(t testing.TB, file, sql string) (n int64) {
	t.Helper()
	c, err := sqlite.OpenConn(file, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = sqlitex.ExecuteTransient(c, sql, &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		n = st.ColumnInt64(0)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func dayFile(dir, suffix string) string { return filepath.Join(dir, "calls", today+suffix) }

func numbered(from, to int) []*llm.Call {
	var calls []*llm.Call
	for n := from; n < to; n++ {
		calls = append(calls, sinktest.Call(n))
	}
	return calls
}

// same compares calls as the journal's encoding keeps them: lists that are empty come
// back as none, and values of attributes as one of the kinds that they may have.
func same(a, b *llm.Call) bool { return reflect.DeepEqual(plain(a), plain(b)) }

func plain(c *llm.Call) llm.Call {
	out := *c
	for _, t := range []*time.Time{&out.Start, &out.FirstByte, &out.FirstToken, &out.End} {
		*t = t.UTC()
	}
	out.Attrs = slices.Clone(c.Attrs)
	for i, a := range out.Attrs {
		switch v := a.Value.(type) {
		case float64:
			if math.IsNaN(v) {
				out.Attrs[i].Value = "NaN"
			}
		case string, int64, bool, []string, nil:
		default:
			out.Attrs[i].Value = fmt.Sprint(v)
		}
	}
	return out
}

func TestStoreIsASink(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		dir := t.TempDir()
		s := open(t, dir)
		return sinktest.Subject{Sink: s, Delivered: func(t *testing.T) []string {
			return stored(t, dir)
		}}
	})
}

// stored returns the ids of all calls in a store.
func stored(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "calls", "????-??-??.db"))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range files {
		c, err := sqlite.OpenConn(f, sqlite.OpenReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		err = sqlitex.ExecuteTransient(c, "SELECT id FROM call_text ORDER BY n", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
			h := st.ColumnText(0)
			if len(h) == 32 {
				h = h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
			}
			ids = append(ids, h)
			return nil
		}})
		if cerr := c.Close(); err != nil || cerr != nil {
			t.Fatal(err, cerr)
		}
	}
	return ids
}

func TestCallsComeBackWhole(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	calls := append(sinktest.Hostile(), sinktest.Call(1), sinktest.Call(2), run(3))
	for i, c := range calls {
		c.ID = sinktest.ID(100 + i)
		keep(t, s, c)
	}
	for _, want := range calls {
		if got := get(t, s.Reader, want.ID); !same(got, want) {
			t.Errorf("came back as\n%.2000s\nwant\n%.2000s", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
		}
	}
	shut(t, s)
	// Another program reads, and one that comes later.
	r, err := store.OpenReader(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, want := range calls {
		if got := get(t, r, want.ID); !same(got, want) {
			t.Errorf("after a restart: came back as\n%.2000s\nwant\n%.2000s", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
		}
	}
	if _, err := r.Call(t.Context(), sinktest.ID(99)); err == nil || !strings.Contains(err.Error(), "not in the store") {
		t.Errorf("a call that is not there: %v", err)
	}
}

// run is a call with an inferred tool, one piece of it without parts.
func run(n int) *llm.Call {
	c := sinktest.Call(n)
	c.OutputSchema = `{"type":"object"}`
	c.Run = &llm.Run{ID: sinktest.ID(1), Session: sinktest.ID(0), Turn: 2, Evidence: []string{"e"}, Inferred: []llm.Inferred{
		{Operation: "execute_tool", Call: sinktest.ID(1), Start: c.Start, End: c.End},
		{Operation: "execute_tool", Call: sinktest.ID(1), Start: c.Start, End: c.End, Parts: []llm.Part{{Type: llm.PartToolCall, Name: "f", Arguments: "{}"}, {Type: llm.PartToolCallResponse, Response: "42"}}},
	}}
	return c
}

func TestCallsAreKeptOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for range 3 {
		keep(t, s, numbered(0, 50)...)
		keep(t, s, append(numbered(20, 30), numbered(45, 60)...)...)
	}
	keep(t, s, sinktest.Call(70), sinktest.Call(70))
	if n := len(stored(t, dir)); n != 61 {
		t.Errorf("%d calls are stored", n)
	}
	calls := "SELECT sum(calls) FROM usage WHERE axis = ''"
	if n := number(t, dayFile(dir, ".db"), calls); n != 61 {
		t.Errorf("%d calls are counted", n)
	}
	if n := number(t, dayFile(dir, ".db"), "SELECT sum(calls) FROM session"); n != 61 {
		t.Errorf("%d calls are counted in sessions", n)
	}
	shut(t, s)
	s = open(t, dir)
	keep(t, s, numbered(0, 61)...)
	if n := number(t, dayFile(dir, ".db"), calls); n != 62 {
		t.Errorf("after a restart %d calls are counted", n)
	}
	if st := s.Stats(); st.Stored != 1 || st.Again != 60 {
		t.Errorf("%+v", st)
	}
}

// Only what is new with a turn is written, also after a restart.
func TestMessagesAreKeptOnce(t *testing.T) {
	dir := t.TempDir()
	var calls []*llm.Call
	for turn := range 40 {
		c := sinktest.Call(turn)
		c.Input = nil
		for i := range 2*turn + 1 {
			c.Input = append(c.Input, llm.Message{Role: []string{"user", "assistant"}[i%2], Parts: []llm.Part{{Type: llm.PartText, Content: fmt.Sprintf("message %d", i)}}})
		}
		calls = append(calls, c)
	}
	for i := 0; i < len(calls); i += 10 {
		s := open(t, dir)
		keep(t, s, calls[i:i+10]...)
		shut(t, s)
	}
	// 79 messages of the prompts, 40 answers, an instruction, a tool.
	s := open(t, dir)
	if rep := check(t, s.Reader); rep.Pieces != 79+40+2 || len(rep.Problems) > 0 {
		t.Errorf("%+v", rep)
	}
	for _, want := range calls {
		if got := get(t, s.Reader, want.ID); !same(got, want) {
			t.Errorf("came back as\n%+v\nwant\n%+v", got, want)
		}
	}
}

// A call without its bodies, or bodies without their call, is what is left when the
// machine goes down between the two files. What is delivered again makes them whole.
func TestHalvesAreMadeWhole(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, part := range [][2]int{{0, 3}, {3, 5}, {5, 10}} { // a transaction is there or not, as a whole
		keep(t, s, numbered(part[0], part[1])...)
	}
	shut(t, s)
	for _, sql := range []string{"DELETE FROM said WHERE n > 5", "DELETE FROM pieces WHERE n > 5"} {
		number(t, dayFile(dir, ".bodies.db"), sql)
	}
	s = open(t, dir)
	keep(t, s, numbered(4, 12)...)
	for _, want := range numbered(0, 12) {
		if got := get(t, s.Reader, want.ID); !same(got, want) {
			t.Errorf("came back as\n%+v\nwant\n%+v", got, want)
		}
	}
	shut(t, s)
	for _, sql := range []string{"DELETE FROM call WHERE n > 3", "DELETE FROM facts WHERE n > 3", "DELETE FROM tagged WHERE n > 3"} {
		number(t, dayFile(dir, ".db"), sql)
	}
	s = open(t, dir)
	keep(t, s, numbered(0, 12)...)
	for _, want := range numbered(0, 12) {
		if got := get(t, s.Reader, want.ID); !same(got, want) {
			t.Errorf("came back as\n%+v\nwant\n%+v", got, want)
		}
	}
}

func TestOneProgramWrites(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := store.Open(dir, store.DefaultConfig(), store.Settings{Log: quiet()})
	if err == nil || !strings.Contains(err.Error(), "another program uses this store") {
		t.Errorf("a second program: %v", err)
	}
}

func TestLaterVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	keep(t, s, sinktest.Call(1))
	shut(t, s)
	number(t, dayFile(dir, ".db"), "PRAGMA user_version = 99")
	s = open(t, dir)
	if err := s.Consume(t.Context(), numbered(2, 3)); err == nil || !strings.Contains(err.Error(), "later version") {
		t.Errorf("%v", err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := open(t, dir)
	keep(t, s, sinktest.Call(1))
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		info, ierr := d.Info()
		if err != nil || ierr != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
