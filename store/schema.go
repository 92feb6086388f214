package store

import (
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"
)

// schemaVersion is the version of the files, kept as SQLite's user_version. A file
// of a later version is not opened. Files of earlier versions are read as they are
// or brought up to date when they are opened for writing: migrate is the place.
const schemaVersion = 3

// applicationID marks the files as ours for file(1) and the like: "SpWi".
const applicationID = 0x53705769

// ErrVersion says that a file was written by a later version of the program.
var ErrVersion = errors.New("the file is of a later version of this program")

// callsSchema is that of the file with the calls of a day. Times are nanoseconds
// since 1970 in UTC, durations nanoseconds, money is in 10⁻¹² of its currency. A
// number that is not known is NULL. Columns that are named in the view call_text are
// numbers of dictionary rows; 0 is for none, which as a currency is the US dollar.
//
// What a session cost is in its row in US dollars, and in session_cost in other
// currencies. An id is 16 bytes when it is a UUID in its usual form, else text. A session is text
// when the caller told it, and the id of the call that began the conversation when it
// was inferred.
const callsSchema = `
CREATE TABLE info (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE dict (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, shown INTEGER NOT NULL, UNIQUE (kind, value));
INSERT INTO dict VALUES (0, '', '', 1), (1, '', 'other', 1);
CREATE TABLE call (
 n INTEGER PRIMARY KEY, id NOT NULL UNIQUE,
 start INTEGER NOT NULL, dur INTEGER NOT NULL, ttft INTEGER,
 trace BLOB NOT NULL, span BLOB NOT NULL, parent BLOB, run, session,
 team INTEGER NOT NULL, model INTEGER NOT NULL, provider INTEGER NOT NULL, operation INTEGER NOT NULL,
 key INTEGER NOT NULL, user INTEGER NOT NULL, agent INTEGER NOT NULL,
 status INTEGER NOT NULL, failed INTEGER NOT NULL, error INTEGER NOT NULL, stream INTEGER NOT NULL,
 input INTEGER, output INTEGER, cache_read INTEGER, cache_write INTEGER, reasoning INTEGER, usage_source INTEGER NOT NULL,
 cost INTEGER, cost_source INTEGER NOT NULL, cost_status INTEGER NOT NULL, cost_was INTEGER,
 facts BLOB NOT NULL, currency INTEGER NOT NULL DEFAULT 0, currency_was INTEGER NOT NULL DEFAULT 0);
CREATE INDEX call_start ON call (start);
CREATE INDEX call_team ON call (team, start) WHERE team > 0;
CREATE INDEX call_model ON call (model, start) WHERE model > 0;
CREATE INDEX call_user ON call (user, start) WHERE user > 0;
CREATE INDEX call_failed ON call (start) WHERE failed;
CREATE INDEX call_session ON call (session, start) WHERE session IS NOT NULL;
CREATE INDEX call_run ON call (run) WHERE run IS NOT NULL;
CREATE INDEX call_trace ON call (trace);
CREATE TABLE tagged (tag INTEGER, start INTEGER, n INTEGER, PRIMARY KEY (tag, start, n)) WITHOUT ROWID;
CREATE TABLE session (id NOT NULL PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, calls INTEGER NOT NULL, failed INTEGER NOT NULL,
 input INTEGER NOT NULL, output INTEGER NOT NULL, cost INTEGER NOT NULL, priced INTEGER NOT NULL,
 team INTEGER NOT NULL, user INTEGER NOT NULL, agent INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX session_last ON session (last);
` + factsTable + sessionCostTable + usageTable + callText

const callText = `
CREATE VIEW call_text AS SELECT n, CASE typeof(id) WHEN 'blob' THEN lower(hex(id)) ELSE id END AS id,
 strftime('%Y-%m-%dT%H:%M:%fZ', start/1e9, 'unixepoch') AS start, dur/1e6 AS ms, ttft/1e6 AS ttft_ms, lower(hex(trace)) AS trace,
 CASE typeof(session) WHEN 'blob' THEN lower(hex(session)) ELSE session END AS session,
 (SELECT value FROM dict WHERE id = team) AS team, (SELECT value FROM dict WHERE id = model) AS model,
 (SELECT value FROM dict WHERE id = provider) AS provider, (SELECT value FROM dict WHERE id = operation) AS operation,
 (SELECT value FROM dict WHERE id = key) AS key, (SELECT value FROM dict WHERE id = user) AS user, (SELECT value FROM dict WHERE id = agent) AS agent,
 status, (SELECT value FROM dict WHERE id = error) AS error, stream, input, output, cache_read, cache_write, reasoning,
 (SELECT value FROM dict WHERE id = usage_source) AS usage_source, CASE currency WHEN 0 THEN cost/1e12 END AS usd,
 cost/1e12 AS cost, CASE WHEN cost IS NULL THEN NULL WHEN currency = 0 THEN 'USD' ELSE (SELECT value FROM dict WHERE id = currency) END AS currency,
 (SELECT value FROM dict WHERE id = cost_source) AS cost_source, (SELECT value FROM dict WHERE id = cost_status) AS cost_status FROM call;
`

const sessionCostTable = `
CREATE TABLE session_cost (id NOT NULL, currency INTEGER NOT NULL, cost INTEGER NOT NULL, PRIMARY KEY (id, currency)) WITHOUT ROWID;
`

// usageTable holds sums: of each hour in a day's file, of each day in meta.db. A row
// is of one combination of values. With an empty axis all calls are split by team, model,
// provider, operation, outcome and sources; with another axis (user, key, agent, tag)
// they are split by its value, by team and by outcome only, the other columns being 0.
// Calls priced in different currencies are never in one row.
const usageTable = `
CREATE TABLE usage (
 at INTEGER NOT NULL, axis TEXT NOT NULL, value INTEGER NOT NULL, team INTEGER NOT NULL, model INTEGER NOT NULL, provider INTEGER NOT NULL,
 operation INTEGER NOT NULL, failed INTEGER NOT NULL, usage_source INTEGER NOT NULL, cost_source INTEGER NOT NULL, currency INTEGER NOT NULL,
 calls INTEGER NOT NULL, counted INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL, reasoning INTEGER NOT NULL,
 priced INTEGER NOT NULL, cost INTEGER NOT NULL, dur INTEGER NOT NULL, latency BLOB, ttft BLOB,
 PRIMARY KEY (axis, at, value, team, model, provider, operation, failed, usage_source, cost_source, currency)) WITHOUT ROWID;
`

// bodiesSchema is that of the file with what was said on a day. said has a row for
// each call with content, by the number of the call: which pieces it consists of, and
// those that were new with it. Unless they are many these are in a block, in pieces,
// where their hashes are in any case. piece has the hashes of files of versions 1 and 2,
// and of calls that were made whole later.
const bodiesSchema = `
CREATE TABLE info (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE said (n INTEGER PRIMARY KEY, preview BLOB, manifest BLOB NOT NULL, pieces BLOB);
CREATE TABLE piece (id INTEGER PRIMARY KEY, hash BLOB NOT NULL);
CREATE TABLE large (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
` + piecesTable

// metaSchema is that of meta.db: the totals of days that are over, and which those
// are. calls is how many calls the day had when its totals were made.
const metaSchema = `
CREATE TABLE info (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE dict (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, shown INTEGER NOT NULL, UNIQUE (kind, value));
INSERT INTO dict VALUES (0, '', '', 1), (1, '', 'other', 1);
CREATE TABLE sealed (at INTEGER PRIMARY KEY, calls INTEGER NOT NULL);
` + usageTable

// migrate makes the tables of a new file, brings one of an earlier version up to date
// and refuses one of a later version.
func migrate(c *sqlite.Conn, schema string) error {
	if err := checkVersion(c); err != nil {
		return err
	}
	return atomically(c, func() error {
		v, _, err := one(c, "PRAGMA user_version")
		if err != nil || v == schemaVersion {
			return err
		}
		if v > 0 {
			if schema, err = upgrade(c, v); err != nil {
				return err
			}
		}
		return run(c, schema+fmt.Sprintf(";PRAGMA application_id=%d; PRAGMA user_version=%d;", applicationID, schemaVersion))
	})
}

// Version 2 has currencies: until then everything was in US dollars.
const (
	callUpgrade = `
ALTER TABLE call ADD COLUMN currency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE call ADD COLUMN currency_was INTEGER NOT NULL DEFAULT 0;
DROP VIEW IF EXISTS call_text;
` + sessionCostTable + callText
	usageUpgrade = `
ALTER TABLE usage RENAME TO usage_1;
` + usageTable + `
INSERT INTO usage (axis, at, value, team, model, provider, operation, failed, usage_source, cost_source, currency, ` + usageColumns + `)
 SELECT axis, at, value, team, model, provider, operation, failed, usage_source, cost_source, 0, ` + usageColumns + ` FROM usage_1;
DROP TABLE usage_1;
`
)

// Version 3 has blocks: until then the facts of a call were in its row, and its new
// pieces in its row of said. factsTable has everything else about calls, from the call
// of a number on; the column of that name is empty, or holds what counts in its place:
// the facts of a call that was changed.
const (
	factsTable  = "\nCREATE TABLE IF NOT EXISTS facts (n INTEGER PRIMARY KEY, calls BLOB NOT NULL);\n"
	piecesTable = "\nCREATE TABLE IF NOT EXISTS pieces (n INTEGER PRIMARY KEY, hashes BLOB, calls BLOB);\n"
)

// upgrade says what makes a file of an earlier version one of now.
func upgrade(c *sqlite.Conn, version int64) (script string, err error) {
	for _, x := range []struct {
		until         int64
		table, script string
	}{{1, "call", callUpgrade}, {1, "usage", usageUpgrade}, {2, "call", factsTable}, {2, "said", piecesTable}} {
		if version > x.until {
			continue
		}
		has, _, err := one(c, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?", x.table)
		if err != nil {
			return "", err
		}
		if has > 0 {
			script += x.script
		}
	}
	return script, nil
}

// asNow shows the tables of a file of version 1 to one reader as those of now: nothing
// is written to it. To set temp_store anew later would remove them again.
const asNow = `
PRAGMA temp_store=MEMORY;
CREATE TEMP VIEW call AS SELECT *, 0 AS currency, 0 AS currency_was FROM main.call;
CREATE TEMP VIEW usage AS SELECT *, 0 AS currency FROM main.usage;
CREATE TEMP VIEW session_cost AS SELECT NULL AS id, NULL AS currency, NULL AS cost WHERE FALSE;
`

func checkVersion(c *sqlite.Conn) error {
	v, _, err := one(c, "PRAGMA user_version")
	if err == nil && v > schemaVersion {
		err = fmt.Errorf("%w: %d, and this one knows %d", ErrVersion, v, schemaVersion)
	}
	return err
}
