package store_test

import (
	"os"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
)

// turn returns the calls of testdata/version-1.sql.
func turn(n int) *llm.Call {
	c := sinktest.Call(n)
	c.Input = nil
	for i := range 2*n + 1 {
		c.Input = append(c.Input, llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: "what is kept, " + string(rune('a'+i))}}})
	}
	return c
}

// Files of version 1, with six calls, are read as they are, and go on being written to.
func TestVersion1(t *testing.T) {
	dir := t.TempDir()
	shut(t, open(t, dir)) // a store without calls
	for _, kind := range []string{"", ".bodies"} {
		script, err := os.ReadFile("testdata/version-1" + kind + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		conn, err := sqlite.OpenConn(dayFile(dir, kind+".db"))
		if err != nil {
			t.Fatal(err)
		}
		if err := sqlitex.ExecuteScript(conn, string(script), nil); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	whole := func(r *store.Reader, calls int) {
		t.Helper()
		for n := range calls {
			if got, want := get(t, r, sinktest.ID(n)), turn(n); !same(got, want) {
				t.Errorf("came back as\n%+v\nwant\n%+v", got, want)
			}
		}
	}
	r, err := store.OpenReader(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole(r, 6)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for round := range 2 { // the second finds both kinds
		s := open(t, dir)
		for n := range 8 + round {
			keep(t, s, turn(n))
		}
		whole(s.Reader, 8+round)
		// Each call has one question, two of them from the second on, and an answer; the
		// instruction and the tool are known from the first on.
		if rep := check(t, s.Reader); rep.Calls != 8+int64(round) || rep.Pieces != 3*(8+int64(round))+1 || len(rep.Problems) > 0 {
			t.Errorf("%+v", rep)
		}
		if p, err := s.Calls(t.Context(), llm.Filter{}, "", 50); err != nil || len(p.Calls) != 8+round {
			t.Errorf("%d calls, %v", len(p.Calls), err)
		}
		shut(t, s)
	}
}
