package store_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
)

// versionOne makes files as they were before there were currencies.
const versionOne = `
DROP TABLE IF EXISTS session_cost;
CREATE TABLE usage_1 (
 at INTEGER NOT NULL, axis TEXT NOT NULL, value INTEGER NOT NULL, team INTEGER NOT NULL, model INTEGER NOT NULL, provider INTEGER NOT NULL,
 operation INTEGER NOT NULL, failed INTEGER NOT NULL, usage_source INTEGER NOT NULL, cost_source INTEGER NOT NULL,
 calls INTEGER NOT NULL, counted INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL, reasoning INTEGER NOT NULL,
 priced INTEGER NOT NULL, cost INTEGER NOT NULL, dur INTEGER NOT NULL, latency BLOB, ttft BLOB,
 PRIMARY KEY (axis, at, value, team, model, provider, operation, failed, usage_source, cost_source)) WITHOUT ROWID;
INSERT INTO usage_1 SELECT at, axis, value, team, model, provider, operation, failed, usage_source, cost_source,
 calls, counted, input, output, cache_read, cache_write, reasoning, priced, cost, dur, latency, ttft FROM usage;
DROP TABLE usage;
ALTER TABLE usage_1 RENAME TO usage;
PRAGMA user_version = 1;
`

const callsOne = `
DROP VIEW call_text;
ALTER TABLE call DROP COLUMN currency;
ALTER TABLE call DROP COLUMN currency_was;
CREATE VIEW call_text AS SELECT n FROM call;
`

func downgrade(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "calls", "*.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, filepath.Join(dir, "meta.db")) {
		c, err := sqlite.OpenConn(file, sqlite.OpenReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		has := func(table string) (yes bool) {
			err = errors.Join(err, sqlitex.ExecuteTransient(c, "SELECT 1 FROM sqlite_schema WHERE name = '"+table+"'", &sqlitex.ExecOptions{ResultFunc: func(*sqlite.Stmt) error { yes = true; return nil }}))
			return yes
		}
		script := "PRAGMA user_version = 1;"
		if has("usage") {
			script = versionOne
		}
		if has("call") {
			script = callsOne + script
		}
		if err = errors.Join(err, sqlitex.ExecuteScript(c, script, nil), c.Close()); err != nil {
			t.Fatal(file, err)
		}
	}
}

// A store of the first version is read as it is, and written to after it was brought
// up to date.
func TestStoreOfVersionOne(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	calls := traffic(90)
	for _, c := range calls {
		c.Cost.Currency = llm.USD
	}
	keep(t, s, calls[:60]...)
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	downgrade(t, dir)

	ask := func(what string, r *store.Reader, calls []*llm.Call) {
		t.Helper()
		if rep := check(t, r); len(rep.Problems) > 0 {
			t.Errorf("%s: %q", what, rep.Problems)
		}
		// All there is; some hours, so that calls are read one by one; and by an index.
		for i, f := range []llm.Filter{{}, {From: noon().Add(-17*time.Hour - 3*time.Minute)}, {Is: is{llm.DimUser: {"u1"}}}} {
			checkList(t, what, r, f, calls)
			by := [][]llm.Dimension{{llm.DimTeam, llm.DimCostSource}, {llm.DimTag}, {llm.DimUser}}[i]
			checkTotals(t, what, r, llm.TotalsQuery{Filter: f, By: by, Bucket: llm.BucketDay, Limit: 1000}, calls)
		}
		page, err := r.Sessions(t.Context(), llm.Filter{}, "", 0)
		if err != nil || len(page.Sessions) == 0 {
			t.Errorf("%s: %v, %v", what, page, err)
		}
	}
	r, err := store.OpenReader(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ask("read only", r, calls[:60])
	if v := number(t, dayFile(dir, ".db"), "PRAGMA user_version"); v != 1 {
		t.Errorf("reading has made the file one of version %d", v)
	}
	s = open(t, dir)
	ask("open for writing", s.Reader, calls[:60])
	for _, c := range calls[60:] {
		if c.Cost.Known() {
			c.Cost.Currency = "CNY"
		}
	}
	keep(t, s, calls[60:]...)
	ask("written to", s.Reader, calls)
	ask("by who had it open before", r, calls)
	if v := number(t, dayFile(dir, ".db"), "PRAGMA user_version"); v != 3 {
		t.Errorf("the file is of version %d", v)
	}
	if n := number(t, dayFile(dir, ".db"), "SELECT count(*) FROM call_text WHERE currency = 'CNY' AND usd IS NULL"); n == 0 {
		t.Error("no call in the view for people is in CNY")
	}
}
