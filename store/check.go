package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/internal/callrecord"
	"github.com/spanwire/spanwire/llm"
)

// Report is what [Reader.Check] found.
type Report struct {
	Days, Calls, Spoken, Pieces int64 // Spoken: calls of which what was said is kept
	Sealed                      int64 // of these, those that could not be looked into without a key
	// Orphans are calls of which only what was said is there: a crash left them, and
	// they go when the day is written to again.
	Orphans  int64
	Problems []string // at most a hundred, with a last line that counts the others
	more     int
}

const mostProblems = 100

func (r *Report) problem(format string, args ...any) {
	if len(r.Problems) >= mostProblems {
		r.more++
		return
	}
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// Check reads everything in a store and says what does not fit: files that SQLite
// finds damaged, calls that cannot be read, pieces that are missing or are not what
// their digest says, totals that are not those of the calls. It may run beside the
// program that writes; the error is that of not being able to look.
func (r *Reader) Check(ctx context.Context) (Report, error) {
	var rep Report
	days, err := listDays(r.dir)
	if err != nil {
		return rep, fmt.Errorf("check store: %w", err)
	}
	for _, day := range days {
		c := checking{r: r, rep: &rep, day: day}
		if err := c.run(ctx); err != nil {
			if ctx.Err() != nil {
				return rep, ctx.Err()
			}
			rep.problem("%s: %v", day, err)
		}
		rep.Days++
	}
	if err := r.checkTotals(ctx, &rep); err != nil {
		rep.problem("meta.db: %v", err)
	}
	if rep.more > 0 {
		rep.Problems = append(rep.Problems, fmt.Sprintf("and %d more", rep.more))
	}
	return rep, nil
}

// checking is the check of one day.
type checking struct {
	r   *Reader
	rep *Report
	day string
}

func (c *checking) run(ctx context.Context) error {
	last := int64(0)
	err := c.r.withCalls(ctx, c.day, func(conn *sqlite.Conn) error {
		// One moment of the file: a program may write to it.
		if err := run(conn, "BEGIN"); err != nil {
			return err
		}
		defer rollback(conn)
		var err error
		last, err = c.calls(conn)
		return err
	})
	if err != nil {
		return err
	}
	err = c.r.withBodies(ctx, c.day, func(conn *sqlite.Conn) error {
		if err := run(conn, "BEGIN"); err != nil {
			return err
		}
		defer rollback(conn)
		return c.bodies(conn, last)
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// sound asks SQLite whether a file is.
func (c *checking) sound(conn *sqlite.Conn, suffix string) error {
	return query(conn, "PRAGMA quick_check(10)", func(st *sqlite.Stmt) error {
		if s := st.ColumnText(0); s != "ok" {
			c.rep.problem("%s%s: %s", c.day, suffix, s)
		}
		return nil
	})
}

// calls checks the calls and their totals, and returns the number of the last.
func (c *checking) calls(conn *sqlite.Conn) (last int64, err error) {
	if err := c.sound(conn, callsSuffix); err != nil {
		return 0, err
	}
	var want group
	facts := records{conn: conn}
	err = query(conn, "SELECT n, id, facts, cost, (SELECT value FROM dict WHERE dict.id = currency) FROM call ORDER BY n", func(st *sqlite.Stmt) error {
		last = st.ColumnInt64(0)
		c.rep.Calls++
		call, err := facts.call(last, column(st, 2))
		if err != nil {
			c.rep.problem("%s: call %s: %v", c.day, idText(st, 1), err)
			return nil
		}
		if id := idText(st, 1); id != call.ID && id != clip(call.ID) {
			c.rep.problem("%s: call %s says that it is %.64q", c.day, id, call.ID)
		}
		cost := countOf(st, 3)
		money := llm.Money{Amount: llm.Pico(cost.N), Currency: llm.Currency(st.ColumnText(4))}
		if cost.Known != call.Cost.Known() || cost.Known && money != call.Cost.Money() {
			c.rep.problem("%s: call %s costs %s in one place and %s in another", c.day, call.ID, money, call.Cost.Money())
		}
		s := sumsOf(call)
		want.add(&s, string(call.Cost.Currency))
		return nil
	})
	if err != nil {
		return last, err
	}
	var got group
	err = query(conn, "SELECT "+usageColumns+", (SELECT value FROM dict WHERE dict.id = currency) FROM usage WHERE axis = ''", func(st *sqlite.Stmt) error {
		s := readSums(st, 0)
		got.add(&s, st.ColumnText(12))
		return nil
	})
	if err == nil && (got.sums != want.sums || !slices.Equal(got.others, want.others)) {
		c.rep.problem("%s: the totals are those of %d calls that cost %s; the calls are %d and cost %s", c.day, got.calls, got.costs(), want.calls, want.costs())
	}
	return last, err
}

// bodies checks what was said. Calls after the last one that was looked at came
// meanwhile, or are orphans.
func (c *checking) bodies(conn *sqlite.Conn, last int64) error {
	if err := c.sound(conn, bodiesSuffix); err != nil {
		return err
	}
	var ns []int64
	err := query(conn, "SELECT n FROM said ORDER BY n", func(st *sqlite.Stmt) error {
		if n := st.ColumnInt64(0); n > last {
			c.rep.Orphans++
		} else {
			ns = append(ns, n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	b := newBodies(conn, c.day, c.r.seal)
	for _, n := range ns {
		c.rep.Spoken++
		if err := c.said(b, n); errors.Is(err, ErrSealed) {
			c.rep.Sealed++
		} else if err != nil {
			c.rep.problem("%s: what was said in call number %d: %v", c.day, n, err)
		}
	}
	return nil
}

// said checks what was said in one call: that all of it is there, and that what was
// new is what its digests say.
func (c *checking) said(b *bodies, n int64) error {
	var call llm.Call
	call.Run = &llm.Run{}
	m, _, err := b.manifest(n)
	if err != nil {
		return err
	}
	call.Run.Inferred = make([]llm.Inferred, len(m[secInferred]))
	var h hasher
	for s, ids := range m {
		for i, id := range ids {
			p, err := b.piece(id)
			if err != nil {
				return err
			}
			if id>>ordinalBits != n {
				continue
			}
			c.rep.Pieces++
			sum, err := hashOf(&h, section(s), p)
			if err != nil {
				return err
			}
			want, err := b.hash(id)
			if err != nil {
				return err
			}
			if want != nil && !bytes.Equal(want, sum[:]) {
				return fmt.Errorf("piece %d of section %d is not what its digest says", i, s)
			}
		}
	}
	return nil
}

// hashOf returns the hash of a piece from its bytes.
func hashOf(h *hasher, s section, p []byte) (sum pieceHash, err error) {
	switch s {
	case secSystem, secInferred:
		ps, err := callrecord.DecodeParts(p)
		return h.list(ps), err
	case secTools:
		t, err := callrecord.DecodeTool(p)
		return h.tool(&t), err
	case secInput, secOutput:
		m, err := callrecord.DecodeMessage(p)
		return h.message(&m), err
	}
	kind := byte(pieceText)
	switch s {
	case secRequest, secResponse:
		kind = pieceRaw
	case secRaw:
		r, err := callrecord.DecodeRawFlags(p)
		return h.plain(pieceFlags, fmt.Sprint(r.RequestCut, r.ResponseCut, r.RequestRedacted, r.ResponseRedacted)), err
	}
	return h.plain(kind, string(p)), nil
}

// checkTotals compares the totals of days that are over with those of their hours.
func (r *Reader) checkTotals(ctx context.Context, rep *Report) error {
	type sealed struct{ at, calls int64 }
	var days []sealed
	err := r.with(ctx, "meta.db", func(c *sqlite.Conn) error {
		return query(c, "SELECT at, (SELECT coalesce(sum(calls), 0) FROM usage WHERE usage.at = sealed.at AND axis = '') FROM sealed", func(st *sqlite.Stmt) error {
			days = append(days, sealed{st.ColumnInt64(0), st.ColumnInt64(1)})
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, d := range days {
		name := dayName(d.at)
		err := r.withCalls(ctx, name, func(c *sqlite.Conn) error {
			n, _, err := one(c, "SELECT count(*) FROM call")
			if err == nil && n != d.calls {
				rep.problem("meta.db: %s has %d calls, and its totals are those of %d", name, n, d.calls)
			}
			return err
		})
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
