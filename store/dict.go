package store

import (
	"zombiezen.com/go/sqlite"
)

// Kinds of values in a dictionary.
const (
	dictTeam        = "team"
	dictModel       = "model"
	dictProvider    = "provider"
	dictOperation   = "operation"
	dictKey         = "key"
	dictUser        = "user"
	dictAgent       = "agent"
	dictTag         = "tag"
	dictError       = "error"
	dictUsageSource = "usage_source"
	dictCostSource  = "cost_source"
	dictCostStatus  = "cost_status"
	dictCurrency    = "currency"
)

// Rows that every dictionary has.
const (
	noValue = 0 // nothing was told
	other   = 1 // a value without totals of its own
)

type word struct{ kind, value string }

// entry is a row of a dictionary. One that is not shown is counted as other.
type entry struct {
	id    int64
	shown bool
}

// dict is the dictionary of a file that is written to. Used by one goroutine.
type dict struct {
	conn  *sqlite.Conn
	rows  map[word]entry
	shown map[string]int // how many of a kind have totals of their own
	most  int
}

// dictRows is how many rows are kept in memory.
const dictRows = 50_000

func openDict(conn *sqlite.Conn, most int) (*dict, error) {
	d := &dict{conn: conn, rows: map[word]entry{}, shown: map[string]int{}, most: most}
	err := query(conn, "SELECT kind, count(*) FROM dict WHERE shown AND id > 1 GROUP BY kind", func(st *sqlite.Stmt) error {
		d.shown[st.ColumnText(0)] = st.ColumnInt(1)
		return nil
	})
	return d, err
}

// id returns the row of a value, a new one when there is none.
func (d *dict) id(kind, value string) (entry, error) {
	if value == "" {
		return entry{noValue, true}, nil
	}
	k := word{kind, clip(value)}
	if e, ok := d.rows[k]; ok {
		return e, nil
	}
	e, err := d.find(k)
	if err == nil && e.id == 0 {
		e, err = d.add(k)
	}
	if err != nil {
		return entry{}, err
	}
	if len(d.rows) >= dictRows {
		clear(d.rows)
	}
	d.rows[k] = e
	return e, nil
}

func (d *dict) find(k word) (e entry, err error) {
	err = query(d.conn, "SELECT id, shown FROM dict WHERE kind = ? AND value = ?", func(st *sqlite.Stmt) error {
		e = entry{st.ColumnInt64(0), st.ColumnBool(1)}
		return nil
	}, k.kind, k.value)
	return e, err
}

func (d *dict) add(k word) (entry, error) {
	e := entry{shown: d.shown[k.kind] < d.most}
	if err := exec(d.conn, "INSERT OR IGNORE INTO dict (kind, value, shown) VALUES (?, ?, ?)", k.kind, k.value, e.shown); err != nil {
		return e, err
	}
	if d.conn.Changes() == 0 {
		return d.find(k) // who prices calls anew was first
	}
	if e.shown {
		d.shown[k.kind]++
	}
	e.id = d.conn.LastInsertRowID()
	return e, nil
}
