package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/llm"
)

// Repriced is what [Store.Reprice] did.
type Repriced struct {
	Calls, Changed int64
	// Before and After are what the calls that changed cost, in each currency; calls
	// without a known price are in neither.
	Before, After llm.Costs
}

// Reprice prices the calls of the days from a moment on anew, by price, which sets
// the cost of a call from everything else in it. The first figure that a call had is
// kept beside the new one. Totals are made anew for days on which something changed.
// With try nothing is written.
func (s *Store) Reprice(ctx context.Context, from time.Time, price func(*llm.Call), try bool) (Repriced, error) {
	var done Repriced
	days, err := s.Reader.days(from, time.Time{})
	if err != nil {
		return done, fmt.Errorf("reprice: %w", err)
	}
	for _, day := range days {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		if err := s.repriceDay(day, price, try, &done); err != nil {
			return done, fmt.Errorf("reprice the calls of %s: %w", day, err)
		}
	}
	return done, nil
}

func (s *Store) repriceDay(day string, price func(*llm.Call), try bool, done *Repriced) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	w, err := s.day(day)
	if err != nil {
		return err
	}
	if !try {
		if err := s.unseal(day); err != nil {
			return err
		}
	}
	// Whatever happens, what is in memory is not what is in the file then.
	defer s.drop(w)
	if err := run(w.calls, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer rollback(w.calls)
	r := recording{w: w, sessions: map[any]*sessionRow{}}
	before := done.Changed
	err = w.each(func(n int64, c *llm.Call) error {
		done.Calls++
		before := c.Cost
		changed, err := r.reprice(n, c, price, try)
		if changed {
			done.Changed++
			done.add(before, c.Cost)
		}
		return err
	})
	if err != nil || try || done.Changed == before {
		return err
	}
	if err := r.sumAnew(); err != nil {
		return err
	}
	s.unsynced[day] = true
	return run(w.calls, "COMMIT")
}

// each calls f with every call of the day, without what was said.
func (w *writing) each(f func(n int64, c *llm.Call) error) error {
	const some = 500
	last := int64(0)
	for {
		var calls []numbered
		facts := records{conn: w.calls}
		err := query(w.calls, "SELECT n, facts FROM call WHERE n > ? ORDER BY n LIMIT ?", func(st *sqlite.Stmt) error {
			n := st.ColumnInt64(0)
			c, err := facts.call(n, column(st, 1))
			calls = append(calls, numbered{n, c})
			return err
		}, last, some)
		if err != nil || len(calls) == 0 {
			return err
		}
		for _, c := range calls {
			if err := f(c.n, c.call); err != nil {
				return err
			}
			last = c.n
		}
	}
}

func (d *Repriced) add(before, after llm.Cost) {
	if before.Known() {
		d.Before.Add(before.Money())
	}
	if after.Known() {
		d.After.Add(after.Money())
	}
}

// reprice prices one call anew, and says whether its cost changed.
func (r *recording) reprice(n int64, c *llm.Call, price func(*llm.Call), try bool) (changed bool, err error) {
	old := c.Cost
	if old.Source != llm.CostProvider {
		c.Cost = llm.Cost{}
	}
	price(c)
	if c.Cost == old || same(c.Cost, old) {
		return false, nil
	}
	if try {
		return true, nil
	}
	facts, err := r.facts(c)
	if err != nil {
		return false, err
	}
	source, err := r.w.dict.id(dictCostSource, string(c.Cost.Source))
	if err != nil {
		return false, err
	}
	status, err := r.w.dict.id(dictCostStatus, string(c.Cost.Status))
	if err != nil {
		return false, err
	}
	currency, err := r.w.dict.id(dictCurrency, string(c.Cost.Currency))
	if err != nil {
		return false, err
	}
	var cost any
	if c.Cost.Known() {
		cost = int64(c.Cost.Total)
	}
	return true, exec(r.w.calls, `UPDATE call SET currency_was = CASE WHEN cost_was IS NULL THEN currency ELSE currency_was END, cost_was = coalesce(cost_was, cost),
 cost = ?, currency = ?, cost_source = ?, cost_status = ?, facts = ? WHERE n = ?`, cost, currency.id, source.id, status.id, facts, n)
}

// same says whether costs are the same but for the date of the table.
func same(a, b llm.Cost) bool {
	a.Price, b.Price = "", ""
	return a == b
}

// sumAnew makes the totals of the day anew from its calls.
func (r *recording) sumAnew() error {
	if err := errors.Join(exec(r.w.calls, "DELETE FROM usage"), exec(r.w.calls, "DELETE FROM session"), exec(r.w.calls, "DELETE FROM session_cost")); err != nil {
		return err
	}
	r.w.totals = newLedger(r.w.calls, r.w.totals.most)
	err := r.w.each(func(_ int64, c *llm.Call) error {
		e, err := r.entries(c)
		if err != nil {
			return err
		}
		r.session(c, &e)
		return r.add(c, &e)
	})
	return errors.Join(err, r.w.totals.write(), r.writeSessions())
}
