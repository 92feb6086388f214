package store

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/llm"
)

// Bounds of a page.
const (
	usualPage   = 50
	longestPage = 1000
)

// ErrCursor says that a cursor is none that a page had as its Next.
var ErrCursor = errors.New("not a place in this list")

// cursor is where a page ends: the day, start and number of its last call.
type cursor struct {
	day      int64 // seconds since 1970
	start, n int64
}

func (c cursor) String() string {
	b := binary.AppendVarint(nil, c.day/86400)
	b = binary.AppendVarint(b, c.start)
	return base64.RawURLEncoding.EncodeToString(binary.AppendVarint(b, c.n))
}

func parseCursor(s string) (c cursor, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	for _, to := range []*int64{&c.day, &c.start, &c.n} {
		v, n := binary.Varint(b)
		if n <= 0 || err != nil {
			return cursor{}, ErrCursor
		}
		*to, b = v, b[n:]
	}
	if len(b) > 0 || c.day < -1<<20 || c.day > 1<<20 {
		return cursor{}, ErrCursor
	}
	c.day *= 86400
	return c, nil
}

// turn returns what a page is made of: how much it may hold, where it begins (nil for
// the first), and the days to look at.
func (r *Reader) turn(f llm.Filter, after string, limit int) (int, *cursor, []string, error) {
	if limit <= 0 {
		limit = usualPage
	}
	var at *cursor
	if after != "" {
		c, err := parseCursor(after)
		if err != nil {
			return 0, nil, nil, err
		}
		at = &c
	}
	days, err := r.days(f.From, f.To)
	return min(limit, longestPage), at, days, err
}

// Calls returns calls that f means, newest first: at most limit of them (0 means 50),
// after the place that the page before had as Next ("" for the first). With f.Text
// the newest are those that came in last, and a page may be shorter than asked for
// and not the last one.
func (r *Reader) Calls(ctx context.Context, f llm.Filter, after string, limit int) (llm.CallPage, error) {
	var page llm.CallPage
	limit, at, days, err := r.turn(f, after, limit)
	if err != nil {
		return page, err
	}
	effort := mostExamined
	for _, day := range days {
		first, _ := parseDay(day)
		if at != nil && first.Unix() > at.day {
			continue
		}
		l := listing{r: r, day: day, filter: &f, limit: limit - len(page.Calls), effort: &effort}
		if at != nil && first.Unix() == at.day {
			l.after = at
		}
		if err := l.read(ctx); err != nil && !errors.Is(err, os.ErrNotExist) {
			return page, fmt.Errorf("list calls of %s: %w", day, err)
		}
		page.Calls = append(page.Calls, l.rows...)
		if len(page.Calls) == limit || l.more {
			page.Next = cursor{first.Unix(), l.last.start, l.last.n}.String()
			return page, nil
		}
	}
	return page, nil
}

// listing is the part of a page that is from one day.
type listing struct {
	r      *Reader
	day    string
	filter *llm.Filter
	after  *cursor
	limit  int
	effort *int // how many more texts may be looked at

	rows []llm.CallRow
	ns   []int64
	last cursor
	more bool // it stopped before the end
}

func (l *listing) read(ctx context.Context) error {
	if l.limit <= 0 {
		return nil
	}
	var err error
	if l.filter.Text != "" {
		err = l.search(ctx)
	} else {
		err = l.r.withCalls(ctx, l.day, l.list)
	}
	if err != nil || len(l.rows) == 0 {
		return err
	}
	err = l.r.withBodies(ctx, l.day, l.previews)
	if errors.Is(err, os.ErrNotExist) {
		return nil // what was said is not kept as long
	}
	return err
}

// rowColumns are what readRow reads.
const rowColumns = `call.n, call.id, call.start, call.dur, call.ttft, call.trace, call.span, call.parent, call.run, call.session,
 (SELECT value FROM dict WHERE id = call.team), (SELECT value FROM dict WHERE id = call.model), (SELECT value FROM dict WHERE id = call.provider), (SELECT value FROM dict WHERE id = call.operation),
 (SELECT value FROM dict WHERE id = call.key), (SELECT value FROM dict WHERE id = call.user), (SELECT value FROM dict WHERE id = call.agent),
 call.status, call.failed, (SELECT value FROM dict WHERE id = call.error), call.stream,
 call.input, call.output, call.cache_read, call.cache_write, call.reasoning, (SELECT value FROM dict WHERE id = call.usage_source),
 call.cost, (SELECT value FROM dict WHERE id = call.cost_source), (SELECT value FROM dict WHERE id = call.cost_status), call.cost_was,
 (SELECT value FROM dict WHERE id = call.currency), (SELECT value FROM dict WHERE id = call.currency_was)`

func readRow(st *sqlite.Stmt) (row llm.CallRow) {
	row.ID = idText(st, 1)
	row.Start = time.Unix(0, st.ColumnInt64(2)).UTC()
	row.Duration, row.FirstToken = time.Duration(st.ColumnInt64(3)), time.Duration(st.ColumnInt64(4))
	st.ColumnBytes(5, row.Trace[:])
	st.ColumnBytes(6, row.Span[:])
	st.ColumnBytes(7, row.Parent[:])
	row.Run, row.Session = idText(st, 8), idText(st, 9)
	row.SessionInferred = st.ColumnType(9) == sqlite.TypeBlob
	for i, to := range [...]*string{&row.Team, &row.Model, &row.Provider, &row.Operation, &row.Key, &row.User, &row.Agent} {
		*to = st.ColumnText(10 + i)
	}
	row.Status, row.Failed, row.Error, row.Stream = st.ColumnInt(17), st.ColumnBool(18), st.ColumnText(19), st.ColumnBool(20)
	for i, to := range [...]*llm.Count{&row.Input, &row.Output, &row.CacheRead, &row.CacheWrite, &row.Reasoning} {
		*to = countOf(st, 21+i)
	}
	row.UsageSource = llm.UsageSource(st.ColumnText(26))
	row.Cost, row.CostWas = countOf(st, 27), countOf(st, 30)
	row.CostSource, row.CostStatus = llm.CostSource(st.ColumnText(28)), llm.CostStatus(st.ColumnText(29))
	row.Currency, row.CurrencyWas = llm.Currency(st.ColumnText(31)), llm.Currency(st.ColumnText(32))
	return row
}

func countOf(st *sqlite.Stmt, i int) llm.Count {
	return llm.Count{N: st.ColumnInt64(i), Known: !st.ColumnIsNull(i)}
}

func (l *listing) add(st *sqlite.Stmt) {
	l.rows = append(l.rows, readRow(st))
	l.ns = append(l.ns, st.ColumnInt64(0))
	l.last = cursor{start: st.ColumnInt64(2), n: st.ColumnInt64(0)}
}

func (l *listing) list(c *sqlite.Conn) error {
	w, tags, err := conditions(c, l.filter)
	if err != nil || w.none {
		return err
	}
	from, start, n := "call", "call.start", "call.n"
	if tags != nil {
		// The rows of a tag are in order; those of several are not, and may be twice.
		if len(tags) == 1 {
			from, start, n = "tagged CROSS JOIN call ON call.n = tagged.n", "tagged.start", "tagged.n"
			w.add("tagged.tag = ?", tags[0])
		} else {
			var t where
			t.in("tag", tags)
			w.add("call.n IN (SELECT n FROM tagged"+t.String()+")", t.params...)
		}
	}
	if l.after != nil {
		w.add("("+start+", "+n+") < (?, ?)", l.after.start, l.after.n)
	}
	sql := "SELECT " + rowColumns + " FROM " + from + w.String() + " ORDER BY " + start + " DESC, " + n + " DESC LIMIT ?"
	return queryOnce(c, sql, func(st *sqlite.Stmt) error { l.add(st); return nil }, append(w.params, l.limit)...)
}

// previews puts the beginnings of what was said into the rows.
func (l *listing) previews(c *sqlite.Conn) error {
	b := newBodies(c, l.day, l.r.seal)
	for i, n := range l.ns {
		err := query(c, "SELECT preview FROM said WHERE n = ?", func(st *sqlite.Stmt) error {
			text, err := b.unsealed(column(st, 0), placePreview, n)
			if errors.Is(err, ErrSealed) {
				return nil
			}
			l.rows[i].Preview = string(text)
			return err
		}, n)
		if err != nil {
			return err
		}
	}
	return nil
}

// mostTogether bounds the calls of one trace, run or session that are read at once.
const mostTogether = 5000

// Trace returns the calls of a trace with what was said, in the order in which they
// began. Of one with more than 5,000 calls it returns the last ones.
func (r *Reader) Trace(ctx context.Context, trace [16]byte) ([]*llm.Call, error) {
	return r.together(ctx, fmt.Sprintf("trace %x", trace), llm.Filter{Trace: trace})
}

// Run returns the calls of a run, as Trace does.
func (r *Reader) Run(ctx context.Context, run string) ([]*llm.Call, error) {
	return r.together(ctx, fmt.Sprintf("run %.64q", run), llm.Filter{Run: run})
}

// Session returns the calls of a session, told or inferred, as Trace does.
func (r *Reader) Session(ctx context.Context, session string) ([]*llm.Call, error) {
	return r.together(ctx, fmt.Sprintf("session %.64q", session), llm.Filter{Session: session})
}

// apart is for how many days calls that belong together are looked for after a day
// that has none.
const apart = 7

func (r *Reader) together(ctx context.Context, what string, f llm.Filter) ([]*llm.Call, error) {
	days, err := r.days(f.From, f.To)
	if err != nil {
		return nil, err
	}
	var calls []*llm.Call // newest first
	without := 0
	for _, day := range days {
		found, err := r.togetherOn(ctx, day, &f, mostTogether-len(calls))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read %s: %w", what, err)
		}
		calls = append(calls, found...)
		if len(found) > 0 {
			without = 0
		} else if len(calls) > 0 {
			without++
		}
		if len(calls) >= mostTogether || without >= apart {
			break
		}
	}
	if len(calls) == 0 {
		return nil, fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	for i, j := 0, len(calls)-1; i < j; i, j = i+1, j-1 {
		calls[i], calls[j] = calls[j], calls[i]
	}
	return calls, nil
}

func (r *Reader) togetherOn(ctx context.Context, day string, f *llm.Filter, limit int) ([]*llm.Call, error) {
	var rows []numbered
	err := r.withCalls(ctx, day, func(c *sqlite.Conn) error {
		w, _, err := conditions(c, f)
		if err != nil || w.none {
			return err
		}
		sql := "SELECT call.n, facts FROM call" + w.String() + " ORDER BY call.start DESC, call.n DESC LIMIT ?"
		facts := records{conn: c}
		return queryOnce(c, sql, func(st *sqlite.Stmt) error {
			n := st.ColumnInt64(0)
			call, err := facts.call(n, column(st, 1))
			rows = append(rows, numbered{n, call})
			return err
		}, append(w.params, limit)...)
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if err := r.fill(ctx, day, rows); err != nil {
		return nil, err
	}
	calls := make([]*llm.Call, len(rows))
	for i := range rows {
		calls[i] = rows[i].call
	}
	return calls, nil
}

// Sessions returns sessions whose last call of a day began or ended from f.From on
// and before f.To, those with the last calls first, at most limit of them (0 means
// 50), after the place that the page before had as Next. Of f it looks at the times,
// and at team, user and agent. A session of several days is listed once for each of
// the days that the page covers, and then put together.
func (r *Reader) Sessions(ctx context.Context, f llm.Filter, after string, limit int) (llm.SessionPage, error) {
	var page llm.SessionPage
	limit, at, days, err := r.turn(f, after, limit)
	if err != nil {
		return page, err
	}
	seen := map[string]int{}
	for _, day := range days {
		first, _ := parseDay(day)
		if at != nil && first.Unix() > at.day {
			continue
		}
		skip := int64(0)
		if at != nil && first.Unix() == at.day {
			skip = at.n
		}
		got := int64(0)
		err := r.withCalls(ctx, day, func(c *sqlite.Conn) error {
			return sessionsOn(c, &f, limit-len(page.Sessions), skip, func(s llm.SessionRow) {
				got++
				if i, ok := seen[s.ID]; ok {
					mergeSessions(&page.Sessions[i], &s)
					return
				}
				seen[s.ID] = len(page.Sessions)
				page.Sessions = append(page.Sessions, s)
			})
		})
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return page, fmt.Errorf("list sessions of %s: %w", day, err)
		}
		if len(page.Sessions) >= limit {
			page.Next = cursor{day: first.Unix(), n: skip + got}.String()
			break
		}
	}
	return page, nil
}

func sessionsOn(c *sqlite.Conn, f *llm.Filter, limit int, skip int64, row func(llm.SessionRow)) error {
	var w where
	bounds(&w, "last", f.From, time.Time{})
	bounds(&w, "first", time.Time{}, f.To)
	for _, d := range []llm.Dimension{llm.DimTeam, llm.DimUser, llm.DimAgent} {
		if values := f.Is[d]; len(values) > 0 {
			found, _, err := ids(c, d, values)
			if err != nil {
				return err
			}
			w.in(columnsOf[d].column, found)
		}
	}
	if w.none {
		return nil
	}
	sql := `SELECT id, first, last, calls, failed, input, output, cost, priced,
 (SELECT value FROM dict WHERE dict.id = team), (SELECT value FROM dict WHERE dict.id = user), (SELECT value FROM dict WHERE dict.id = agent),
 (SELECT json_group_object((SELECT value FROM dict WHERE dict.id = currency), session_cost.cost) FROM session_cost WHERE session_cost.id = session.id)
 FROM session` + w.String() + " ORDER BY last DESC LIMIT ? OFFSET ?"
	return queryOnce(c, sql, func(st *sqlite.Stmt) error {
		others, err := readCosts(st, 12)
		if err != nil {
			return err
		}
		row(llm.SessionRow{
			ID: idText(st, 0), Inferred: st.ColumnType(0) == sqlite.TypeBlob,
			First: time.Unix(0, st.ColumnInt64(1)).UTC(), Last: time.Unix(0, st.ColumnInt64(2)).UTC(),
			Calls: st.ColumnInt64(3), Failed: st.ColumnInt64(4), Input: st.ColumnInt64(5), Output: st.ColumnInt64(6),
			Cost: llm.PicoUSD(st.ColumnInt64(7)), Others: others, Priced: st.ColumnInt64(8),
			Team: st.ColumnText(9), User: st.ColumnText(10), Agent: st.ColumnText(11),
		})
		return nil
	}, append(w.params, limit, skip)...)
}

// readCosts reads an object of amounts by currency.
func readCosts(st *sqlite.Stmt, i int) (costs llm.Costs, err error) {
	var by map[llm.Currency]llm.Pico
	if err := json.Unmarshal(column(st, i), &by); err != nil {
		return nil, fmt.Errorf("read the costs of a session: %w", err)
	}
	for currency, amount := range by {
		costs.Add(llm.Money{Amount: amount, Currency: currency})
	}
	return costs, nil
}

// mergeSessions adds an earlier day of a session.
func mergeSessions(s, earlier *llm.SessionRow) {
	s.First = earlier.First
	s.Calls += earlier.Calls
	s.Failed += earlier.Failed
	s.Input += earlier.Input
	s.Output += earlier.Output
	s.Cost += earlier.Cost
	for _, m := range earlier.Others {
		s.Others.Add(m)
	}
	s.Priced += earlier.Priced
}
