package store

import (
	"fmt"
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/store"
	"zombiezen.com/go/sqlite"
)

// Axes by which totals are split, beside the one of everything.
const axisAll = ""

// cellKey is a row of totals.
type cellKey struct {
	at                               int64 // start of the hour or the day, in seconds since 1970
	axis                             string
	value                            int64
	team, model, provider, operation int64
	failed                           int64
	usageSource, costSource          int64
	currency                         int64
}

// sums is what is added up.
type sums struct {
	calls, counted                                  int64 // counted: calls of which tokens are known
	input, output, cacheRead, cacheWrite, reasoning int64
	priced, cost                                    int64 // priced: calls of which the cost is known
	dur                                             int64
}

// mostAdded bounds what one call adds to a sum, so that a broken report cannot turn a
// total around: a thousand times what any call of today can be.
const mostAdded = 1 << 53

func plus(a, b int64) int64 {
	c := a + min(max(b, -mostAdded), mostAdded)
	if b > 0 && c < a {
		return math.MaxInt64
	}
	if b < 0 && c > a {
		return math.MinInt64
	}
	return c
}

func (s *sums) add(o *sums) {
	s.calls = plus(s.calls, o.calls)
	s.counted = plus(s.counted, o.counted)
	s.input = plus(s.input, o.input)
	s.output = plus(s.output, o.output)
	s.cacheRead = plus(s.cacheRead, o.cacheRead)
	s.cacheWrite = plus(s.cacheWrite, o.cacheWrite)
	s.reasoning = plus(s.reasoning, o.reasoning)
	s.priced = plus(s.priced, o.priced)
	s.cost = addCost(s.cost, o.cost)
	s.dur = plus(s.dur, o.dur)
}

// addCost adds money, without the bound of plus: it stops at the ends of its range.
func addCost(a, b int64) int64 {
	c := a + b
	switch {
	case b > 0 && c < a:
		return math.MaxInt64
	case b < 0 && c > a:
		return math.MinInt64
	}
	return c
}

// cell is a row of totals in memory.
type cell struct {
	sums
	latency, ttft *ddsketch.DDSketch // seconds; nil when there are none
	dirty         bool
}

// accuracy is how far a percentile may be off, as a share of itself.
const accuracy = 0.01

func newSketch() *ddsketch.DDSketch {
	s, err := ddsketch.NewDefaultDDSketch(accuracy)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return s
}

// Seconds beyond these bounds count as the bounds: a microsecond and four months.
const (
	shortest = 1e-6
	longest  = 1e7
)

func addTo(s **ddsketch.DDSketch, seconds float64) {
	if *s == nil {
		*s = newSketch()
	}
	if err := (*s).Add(min(max(seconds, shortest), longest)); err != nil {
		panic("BUG: add to a sketch: " + err.Error())
	}
}

func encodeSketch(s *ddsketch.DDSketch) any {
	if s == nil {
		return nil
	}
	var b []byte
	s.Encode(&b, false)
	return b
}

func decodeSketch(b []byte) (s *ddsketch.DDSketch, err error) {
	if len(b) == 0 {
		return nil, nil
	}
	if s, err = ddsketch.DecodeDDSketch(b, store.DefaultProvider, nil); err != nil {
		return nil, fmt.Errorf("read a sketch: %w", err)
	}
	return s, nil
}

// ledger is the totals of a file that is written to: rows are kept in memory and
// written when a transaction ends. Used by one goroutine.
type ledger struct {
	conn  *sqlite.Conn
	cells map[cellKey]*cell
	dirty []cellKey
	rows  map[rowsKey]int // how many rows an axis has at a time
	most  int             // … and may have before the rest is put together
	anew  bool            // what is in the file does not count: it is written over
}

type rowsKey struct {
	axis string
	at   int64
}

func newLedger(conn *sqlite.Conn, most int) *ledger {
	return &ledger{conn: conn, cells: map[cellKey]*cell{}, rows: map[rowsKey]int{}, most: most}
}

// cell returns the row of k, or the one that k is counted with when there are too
// many.
func (l *ledger) cell(k cellKey) (*cell, error) {
	c, err := l.find(k)
	if c != nil || err != nil {
		return l.touch(k, c), err
	}
	at := rowsKey{k.axis, k.at}
	n, ok := l.rows[at]
	if !ok && !l.anew {
		count, _, err := one(l.conn, "SELECT count(*) FROM usage WHERE axis = ? AND at = ?", k.axis, k.at)
		if err != nil {
			return nil, err
		}
		n = int(count)
	}
	if n >= l.most {
		rest := k
		rest.team, rest.model, rest.operation = other, other, other
		if k.value != noValue {
			rest.value = other
		}
		if rest != k {
			if c, err = l.find(rest); c != nil || err != nil {
				return l.touch(rest, c), err
			}
		}
		k = rest
	}
	l.rows[at] = n + 1
	c = &cell{}
	l.cells[k] = c
	return l.touch(k, c), nil
}

func (l *ledger) touch(k cellKey, c *cell) *cell {
	if c != nil && !c.dirty {
		c.dirty = true
		l.dirty = append(l.dirty, k)
	}
	return c
}

const usageColumns = "calls, counted, input, output, cache_read, cache_write, reasoning, priced, cost, dur, latency, ttft"

// find returns a row that is in memory or in the file, else nil.
func (l *ledger) find(k cellKey) (*cell, error) {
	if c, ok := l.cells[k]; ok || l.anew {
		return c, nil
	}
	var c *cell
	err := query(l.conn, "SELECT "+usageColumns+" FROM usage WHERE axis = ? AND at = ? AND value = ? AND team = ? AND model = ? AND provider = ? AND operation = ? AND failed = ? AND usage_source = ? AND cost_source = ? AND currency = ?",
		func(st *sqlite.Stmt) (err error) {
			c = &cell{}
			return c.read(st, 0)
		}, k.axis, k.at, k.value, k.team, k.model, k.provider, k.operation, k.failed, k.usageSource, k.costSource, k.currency)
	if err != nil || c == nil {
		return nil, err
	}
	l.cells[k] = c
	return c, nil
}

// read takes the columns of usageColumns, the first of which is at from.
func (c *cell) read(st *sqlite.Stmt, from int) (err error) {
	c.sums = readSums(st, from)
	if c.latency, err = decodeSketch(column(st, from+10)); err == nil {
		c.ttft, err = decodeSketch(column(st, from+11))
	}
	return err
}

func readSums(st *sqlite.Stmt, from int) (s sums) {
	for i, to := range [...]*int64{&s.calls, &s.counted, &s.input, &s.output, &s.cacheRead, &s.cacheWrite, &s.reasoning, &s.priced, &s.cost, &s.dur} {
		*to = st.ColumnInt64(from + i)
	}
	return s
}

// write writes the rows that changed. The transaction is open.
func (l *ledger) write() error {
	for _, k := range l.dirty {
		c := l.cells[k]
		c.dirty = false
		if err := writeCell(l.conn, k, c); err != nil {
			return err
		}
	}
	l.dirty = l.dirty[:0]
	const keep = 20_000
	if len(l.cells) > keep {
		clear(l.cells)
		clear(l.rows)
	}
	return nil
}

func writeCell(conn *sqlite.Conn, k cellKey, c *cell) error {
	return exec(conn, "INSERT OR REPLACE INTO usage (axis, at, value, team, model, provider, operation, failed, usage_source, cost_source, currency, "+usageColumns+") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		k.axis, k.at, k.value, k.team, k.model, k.provider, k.operation, k.failed, k.usageSource, k.costSource, k.currency,
		c.calls, c.counted, c.input, c.output, c.cacheRead, c.cacheWrite, c.reasoning, c.priced, c.cost, c.dur, encodeSketch(c.latency), encodeSketch(c.ttft))
}

// mergeSketches returns both in one, which may be either of them.
func mergeSketches(a, b *ddsketch.DDSketch) (*ddsketch.DDSketch, error) {
	if a == nil || b == nil {
		if a == nil {
			a = b
		}
		return a, nil
	}
	if err := a.MergeWith(b); err != nil {
		return nil, fmt.Errorf("add up sketches: %w", err)
	}
	return a, nil
}
