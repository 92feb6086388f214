package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/llm"
)

// usualGroups is how many totals a question gets when it does not say.
const usualGroups = 100

// Totals adds up the calls that q means. Where totals of hours and days have the
// dimensions of q they are used, else calls are read: both give the same numbers,
// save that values past store.max_values of a day are only told apart by the latter.
// Totals come in the order of their buckets, then with the highest cost first.
func (r *Reader) Totals(ctx context.Context, q llm.TotalsQuery) ([]llm.Total, error) {
	if q.Limit <= 0 {
		q.Limit = usualGroups
	}
	a := adding{r: r, q: &q, groups: map[string]*group{}}
	if err := a.plan(); err != nil {
		return nil, fmt.Errorf("add up calls: %w", err)
	}
	if err := a.run(ctx); err != nil {
		return nil, fmt.Errorf("add up calls: %w", err)
	}
	return a.result()
}

// adding is one question for totals.
type adding struct {
	r      *Reader
	q      *llm.TotalsQuery
	axis   string // of the rows of totals that can answer it
	rows   bool   // there are such rows
	groups map[string]*group
	key    []byte
}

// plan finds out which rows of totals have the dimensions of the question.
func (a *adding) plan() error {
	if a.q.Bucket != llm.BucketNone && a.q.Bucket != llm.BucketHour && a.q.Bucket != llm.BucketDay {
		return fmt.Errorf("there is no bucket %q", a.q.Bucket)
	}
	f := &a.q.Filter
	a.rows = f.Session == "" && f.Run == "" && f.Trace == [16]byte{} && f.Status == 0 && f.MinCost == 0 && f.MinDuration == 0 && f.Text == ""
	dims := map[llm.Dimension]bool{}
	for _, d := range a.q.By {
		dims[d] = true
	}
	for d, values := range f.Is {
		if len(values) > 0 {
			dims[d] = true
		}
	}
	other := 0
	for d := range dims {
		if _, ok := columnsOf[d]; !ok {
			return fmt.Errorf("there is no dimension %q", d)
		}
		switch d {
		case llm.DimTeam, llm.DimOutcome:
		case llm.DimUser, llm.DimKey, llm.DimAgent, llm.DimTag:
			a.axis = columnsOf[d].kind
			other++
		case llm.DimError, llm.DimCostStatus:
			a.rows = false
		default:
			other++
		}
	}
	if f.Text != "" {
		return errors.New("totals of a text cannot be had")
	}
	if a.axis != axisAll {
		// These rows are split by one value, team and outcome, and have no percentiles.
		if other > 1 || a.q.Percentiles {
			a.rows = false
		}
	}
	return nil
}

func (a *adding) run(ctx context.Context) error {
	days, err := a.r.days(a.q.From, a.q.To)
	if err != nil {
		return err
	}
	done, err := a.summed(ctx)
	if err != nil {
		return err
	}
	for _, day := range days {
		if done[day] {
			continue
		}
		if err := a.day(ctx, day); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s: %w", day, err)
		}
	}
	return nil
}

// summed adds what meta.db has: days that are over and asked for whole. It returns
// them.
func (a *adding) summed(ctx context.Context) (map[string]bool, error) {
	done := map[string]bool{}
	if !a.rows || a.q.Bucket == llm.BucketHour {
		return done, nil
	}
	from, to := bound(a.q.From, dayUp), bound(a.q.To, dayDown)
	err := a.r.with(ctx, "meta.db", func(c *sqlite.Conn) error {
		// In one transaction, so that a day is not summed up in between.
		if err := run(c, "BEGIN"); err != nil {
			return err
		}
		defer rollback(c)
		shown, err := a.allShown(c)
		if err != nil || !shown {
			return err
		}
		var w where
		bounds(&w, "at", from, to)
		for i := range w.params {
			w.params[i] = w.params[i].(int64) / int64(time.Second)
		}
		err = queryOnce(c, "SELECT at FROM sealed"+w.String(), func(st *sqlite.Stmt) error {
			done[dayName(st.ColumnInt64(0))] = true
			return nil
		}, w.params...)
		if err != nil || len(done) == 0 {
			return err
		}
		w.add("at IN (SELECT at FROM sealed)")
		return a.add(c, w)
	})
	if errors.Is(err, os.ErrNotExist) {
		return done, nil
	}
	return done, err
}

func dayUp(t time.Time) time.Time   { return t.Add(day - 1).Truncate(day) }
func dayDown(t time.Time) time.Time { return t.Truncate(day) }

// bound rounds a bound, unless there is none.
func bound(t time.Time, round func(time.Time) time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return round(t.UTC())
}

// allShown says whether the values that are asked for have totals of their own.
func (a *adding) allShown(c *sqlite.Conn) (bool, error) {
	for d, values := range a.q.Is {
		if _, shown, err := ids(c, d, values); err != nil || !shown {
			return false, err
		}
	}
	return true, nil
}

// day adds the calls of a day: whole hours by their totals, the rest one by one.
func (a *adding) day(ctx context.Context, name string) error {
	first, _ := parseDay(name)
	from, to := later(a.q.From, first), earlier(a.q.To, first.Add(day))
	if name == undated {
		from, to = a.q.From, a.q.To
	}
	return a.r.withCalls(ctx, name, func(c *sqlite.Conn) error {
		if err := run(c, "BEGIN"); err != nil {
			return err
		}
		defer rollback(c)
		shown, err := a.allShown(c)
		if err != nil {
			return err
		}
		if !a.rows || !shown {
			return a.scan(c, from, to)
		}
		up, down := from.Add(time.Hour-1).Truncate(time.Hour), to.Truncate(time.Hour)
		if name == undated {
			up, down = time.Time{}, time.Time{}
		} else if !up.Before(down) {
			return a.scan(c, from, to)
		}
		if from.Before(up) {
			err = a.scan(c, from, up)
		}
		if err == nil && down.Before(to) {
			err = a.scan(c, down, to)
		}
		if err != nil {
			return err
		}
		var w where
		if name != undated {
			w.add("at >= ? AND at < ?", up.Unix(), down.Unix())
		}
		return a.add(c, w)
	})
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || a.After(b) {
		return b
	}
	return a
}

// add adds rows of totals.
func (a *adding) add(c *sqlite.Conn, w where) error {
	filters := where{}
	for d, values := range a.q.Is {
		if len(values) == 0 {
			continue
		}
		found, _, err := ids(c, d, values)
		if err != nil {
			return err
		}
		filters.in(a.usageColumn(d), found)
	}
	if filters.none {
		return nil
	}
	return a.addRows(c, w, filters)
}

// usageColumn names the column of a dimension in rows of totals.
func (a *adding) usageColumn(d llm.Dimension) string {
	if a.axis != axisAll && columnsOf[d].kind == a.axis {
		return "value"
	}
	return columnsOf[d].column
}

// addRows adds the rows of the axis.
func (a *adding) addRows(c *sqlite.Conn, w, filters where) error {
	names := values{conn: c, names: map[int64]string{noValue: "", other: llm.OtherValue}}
	columns := "at, failed"
	for _, d := range a.q.By {
		columns += ", " + a.usageColumn(d)
	}
	from := 2 + len(a.q.By)
	all := where{}
	all.add("axis = ?", a.axis)
	all.add(strings.TrimPrefix(orTrue(w), " WHERE "), w.params...)
	all.add(strings.TrimPrefix(orTrue(filters), " WHERE "), filters.params...)
	sql := "SELECT " + columns + ", " + usageColumns + ", currency FROM usage" + all.String()
	return queryOnce(c, sql, func(st *sqlite.Stmt) error {
		at, isFailed := st.ColumnInt64(0), st.ColumnInt64(1)
		g, err := a.group(at, func(i int) (string, error) {
			id := st.ColumnInt64(2 + i)
			if a.q.By[i] == llm.DimOutcome {
				return outcome(id), nil
			}
			return names.text(id)
		})
		if err != nil {
			return err
		}
		s := readSums(st, from)
		currency, err := names.text(st.ColumnInt64(from + 12))
		if err != nil {
			return err
		}
		g.add(&s, currency)
		g.failed += isFailed * s.calls
		if !a.q.Percentiles {
			return nil
		}
		return errors.Join(into(&g.latency, column(st, from+10)), into(&g.ttft, column(st, from+11)))
	}, all.params...)
}

func orTrue(w where) string {
	if s := w.String(); s != "" {
		return s
	}
	return "TRUE"
}

// into adds an encoded sketch.
func into(to **ddsketch.DDSketch, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if *to == nil {
		s, err := decodeSketch(b)
		*to = s
		return err
	}
	if err := (*to).DecodeAndMergeWith(b); err != nil {
		return fmt.Errorf("add up sketches: %w", err)
	}
	return nil
}

func outcome(failed int64) string {
	if failed != 0 {
		return outcomeError
	}
	return outcomeOK
}

// scan adds calls one by one.
func (a *adding) scan(c *sqlite.Conn, from, to time.Time) error {
	f := a.q.Filter
	f.From, f.To = from, to
	w, tags, err := conditions(c, &f)
	if err != nil || w.none {
		return err
	}
	table, columns := "call", "call.start, call.failed"
	byTag := slices.Contains(a.q.By, llm.DimTag)
	switch {
	case byTag:
		table += " LEFT JOIN tagged ON tagged.n = call.n AND tagged.start = call.start"
		if tags != nil {
			w.in("tagged.tag", tags)
		}
	case tags != nil:
		var t where
		t.in("tag", tags)
		w.add("call.n IN (SELECT n FROM tagged"+t.String()+")", t.params...)
	}
	for _, d := range a.q.By {
		column := "call." + columnsOf[d].column
		if d == llm.DimTag {
			column = "coalesce(tagged.tag, 0)"
		}
		columns += ", " + column
	}
	at := 2 + len(a.q.By)
	names := values{conn: c, names: map[int64]string{noValue: "", other: llm.OtherValue}}
	sql := "SELECT " + columns + ", input, output, cache_read, cache_write, reasoning, cost, dur, ttft, currency FROM " + table + w.String()
	return queryOnce(c, sql, func(st *sqlite.Stmt) error {
		g, err := a.group(st.ColumnInt64(0)/int64(time.Second), func(i int) (string, error) {
			id := st.ColumnInt64(2 + i)
			if a.q.By[i] == llm.DimOutcome {
				return outcome(id), nil
			}
			return names.text(id)
		})
		if err != nil {
			return err
		}
		s := sums{calls: 1, input: max(st.ColumnInt64(at), 0), output: max(st.ColumnInt64(at+1), 0), cacheRead: max(st.ColumnInt64(at+2), 0), cacheWrite: max(st.ColumnInt64(at+3), 0),
			reasoning: max(st.ColumnInt64(at+4), 0), cost: st.ColumnInt64(at + 5), priced: flag(!st.ColumnIsNull(at + 5)), dur: st.ColumnInt64(at + 6)}
		s.counted = flag(!st.ColumnIsNull(at) || !st.ColumnIsNull(at+1))
		currency, err := names.text(st.ColumnInt64(at + 8))
		if err != nil {
			return err
		}
		g.add(&s, currency)
		g.failed += st.ColumnInt64(1)
		if a.q.Percentiles {
			if d := st.ColumnInt64(at + 6); d > 0 {
				addTo(&g.latency, time.Duration(d).Seconds())
			}
			if d := st.ColumnInt64(at + 7); d > 0 {
				addTo(&g.ttft, time.Duration(d).Seconds())
			}
		}
		return nil
	}, w.params...)
}
