package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/llm"
)

// Names of the files of a day.
const (
	callsSuffix  = ".db"
	bodiesSuffix = ".bodies.db"
	ftsSuffix    = ".fts.db"
	callsFolder  = "calls"
)

// undated is the day of calls whose start makes no sense.
const undated = "1970-01-01"

// dayOf returns the day whose file a call is in, which depends on nothing else than
// the call: so the file of that day knows whether it has it.
func dayOf(c *llm.Call) string {
	t := c.Start.UTC()
	if y := t.Year(); y < 2020 || y > 2199 {
		return undated
	}
	return t.Format(time.DateOnly)
}

// parseDay returns the first moment of a day.
func parseDay(name string) (time.Time, bool) {
	t, err := time.Parse(time.DateOnly, name)
	return t, err == nil
}

// dayName returns the day that begins so many seconds after 1970.
func dayName(at int64) string { return time.Unix(at, 0).UTC().Format(time.DateOnly) }

// writing is the files of a day that is written to. Used by one goroutine.
type writing struct {
	name   string
	calls  *sqlite.Conn
	bodies *sqlite.Conn // nil when the bodies of the day are gone and stay so
	dict   *dict
	totals *ledger
	speak  speaker
	next   int64 // number of the next call
	seen   int64 // SQLite's count of what others changed in the file of calls

	// Of the transaction at hand: what is not written yet, and a buffer.
	facts, pieces, hashes block
	frame                 []byte
}

const (
	callsPage  = 4096
	bodiesPage = 8192 // most rows are of one to four kilobytes
	// knownPieces is how many pieces are remembered: twice that, at 50 bytes each.
	knownPieces = 200_000
)

// openDay opens a day for writing. What a crash left in one of its files and not in
// the other is made one again: calls are delivered again until both are durable.
// speaks says whether what was said is kept.
func openDay(dir, name string, most int, speaks bool) (_ *writing, err error) {
	w := &writing{name: name}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the day %s: %w", name, err), w.close())
		}
	}()
	path := filepath.Join(dir, callsFolder, name)
	if w.calls, err = openWriter(path+callsSuffix, callsPage, callsSchema); err != nil {
		return nil, err
	}
	if speaks {
		if w.bodies, err = openWriter(path+bodiesSuffix, bodiesPage, bodiesSchema); err != nil {
			return nil, err
		}
	}
	if w.dict, err = openDict(w.calls, most); err != nil {
		return nil, err
	}
	w.totals = newLedger(w.calls, 4*most)
	last, _, err := one(w.calls, "SELECT max(n) FROM call")
	if err != nil {
		return nil, err
	}
	w.next = last + 1
	w.speak.known = newKnown(knownPieces)
	if !speaks {
		return w, nil
	}
	return w, errors.Join(w.trim(last), w.recall(last))
}

// refresh lets go of totals in memory when somebody else changed the file, which is
// who prices calls anew. The transaction is open.
func (w *writing) refresh() error {
	v, _, err := one(w.calls, "PRAGMA data_version")
	if err == nil && v != w.seen {
		w.seen, w.totals = v, newLedger(w.calls, w.totals.most)
	}
	return err
}

// trim removes what was said in calls that are not there.
func (w *writing) trim(last int64) error {
	beyond, ok, err := one(w.bodies, "SELECT max(n) FROM said")
	if err != nil || !ok || beyond <= last {
		return err
	}
	return atomically(w.bodies, func() error {
		return errors.Join(exec(w.bodies, "DELETE FROM said WHERE n > ?", last),
			exec(w.bodies, "DELETE FROM pieces WHERE n > ?", last), // a block is of one transaction
			exec(w.bodies, "DELETE FROM piece WHERE id >= ?", pieceID(last+1, 0)),
			exec(w.bodies, "DELETE FROM large WHERE id >= ?", pieceID(last+1, 0)))
	})
}

// recall remembers the pieces that came last.
func (w *writing) recall(last int64) error {
	type row struct {
		first  int64
		hashes []byte
	}
	var rows []row
	held := 0
	err := query(w.bodies, "SELECT n, hashes FROM pieces WHERE hashes IS NOT NULL ORDER BY n DESC", func(st *sqlite.Stmt) error {
		b := column(st, 1)
		rows = append(rows, row{st.ColumnInt64(0), b})
		if held += len(b) / len(pieceHash{}); held >= knownPieces {
			return errStop
		}
		return nil
	})
	if err == nil && held < knownPieces {
		err = w.recallSingle(knownPieces - held)
	}
	for i, r := range slices.Backward(rows) {
		if err != nil {
			return err
		}
		until := last // what is said of a call in two blocks, the later one says
		if i > 0 {
			until = rows[i-1].first - 1
		}
		err = splitBlock(r.first, r.hashes, func(n int64, sums []byte) error {
			for at := 0; n <= until && len(sums) >= len(pieceHash{}); at++ {
				w.speak.known.put(pieceHash(sums), pieceID(n, int64(at)))
				sums = sums[len(pieceHash{}):]
			}
			return nil
		})
	}
	return err
}

// recallSingle remembers those of pieces whose hashes have rows of their own.
func (w *writing) recallSingle(most int) error {
	return query(w.bodies, "SELECT id, hash FROM (SELECT id, hash FROM piece ORDER BY id DESC LIMIT ?) ORDER BY id", func(st *sqlite.Stmt) error {
		var h pieceHash
		if st.ColumnBytes(1, h[:]) == len(h) {
			w.speak.known.put(h, st.ColumnInt64(0))
		}
		return nil
	}, most)
}

func (w *writing) close() error {
	var errs []error
	for _, c := range []*sqlite.Conn{w.calls, w.bodies} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	w.calls, w.bodies = nil, nil
	return errors.Join(errs...)
}

// syncLog makes the write-ahead log of a file durable, which is where commits are
// until SQLite has moved them into the file and synced that. SQLite holds no lock on
// the log, which is why it may be opened and closed here; the file itself may not.
func syncLog(path string) error {
	f, err := os.OpenFile(path+"-wal", os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // moved whole
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// idOf returns an id as it is kept: 16 bytes for a UUID in its usual form, else text.
// It is nil for "".
func idOf(s string) any {
	if s == "" {
		return nil
	}
	if b, ok := uuidBytes(s); ok {
		return b
	}
	return clip(s)
}

func uuidBytes(s string) ([]byte, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return nil, false
	}
	b := make([]byte, 0, 16)
	for _, part := range [...]string{s[:8], s[9:13], s[14:18], s[19:23], s[24:]} {
		for i := 0; i < len(part); i++ {
			if c := part[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return nil, false // upper case would not come back
			}
		}
		var err error
		if b, err = hex.AppendDecode(b, []byte(part)); err != nil {
			return nil, false
		}
	}
	return b, true
}

// idText returns the id of a column of idOf.
func idText(st *sqlite.Stmt, i int) string {
	switch st.ColumnType(i) {
	case sqlite.TypeNull:
		return ""
	case sqlite.TypeBlob:
		return uuidText(column(st, i))
	}
	return st.ColumnText(i)
}

func uuidText(b []byte) string {
	if len(b) != 16 {
		return hex.EncodeToString(b)
	}
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
