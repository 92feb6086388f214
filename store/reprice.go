package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/llm"
)

// Repriced is what [Reprice] did.
type Repriced struct {
	Calls, Changed int64
	// Before and After are what the calls that changed cost, in each currency; calls
	// without a known price are in neither.
	Before, After llm.Costs
}

// ErrRepricing says that the prices of a store are being changed by somebody else.
var ErrRepricing = errors.New("another program prices this store anew")

// Reprice prices the calls of the days from a moment on anew, by price, which sets
// the cost of a call from everything else in it. The first figure that a call had is
// kept beside the new one. With try nothing is written.
//
// A program that keeps calls in the store may go on: what one call changes is written
// by the hour, together with the totals of that hour, and prepared before. What is
// done stays done when it fails halfway; doing it again is right. cfg is that of the
// program, for its bounds on totals.
func Reprice(ctx context.Context, dir string, cfg Config, from time.Time, price func(*llm.Call), try bool) (Repriced, error) {
	p := repricing{dir: dir, most: cfg.MaxValues, price: price, try: try}
	if p.most == 0 {
		p.most = DefaultConfig().MaxValues
	}
	if err := p.run(ctx, from); err != nil {
		return p.done, fmt.Errorf("reprice: %w", err)
	}
	return p.done, nil
}

// repricing is one run of Reprice.
type repricing struct {
	dir   string
	most  int
	price func(*llm.Call)
	try   bool
	meta  *sqlite.Conn // nil when nothing is written
	done  Repriced
}

func (p *repricing) run(ctx context.Context, from time.Time) (err error) {
	days, err := newReader(p.dir, nil).days(from, time.Time{})
	if err != nil {
		return err
	}
	if !p.try {
		held, err := os.OpenFile(filepath.Join(p.dir, "reprice.lock"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		defer held.Close()
		if err := lock(held); errors.Is(err, ErrLocked) {
			return fmt.Errorf("%s: %w", p.dir, ErrRepricing)
		} else if err != nil {
			return err
		}
		if p.meta, err = openWriter(filepath.Join(p.dir, "meta.db"), callsPage, metaSchema); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.meta.Close()) }()
	}
	for _, day := range days {
		if err := p.day(ctx, day); err != nil && !errors.Is(err, os.ErrNotExist) { // it may grow old meanwhile
			return fmt.Errorf("the calls of %s: %w", day, err)
		}
	}
	return nil
}

func (p *repricing) day(ctx context.Context, name string) (err error) {
	path := filepath.Join(p.dir, callsFolder, name+callsSuffix)
	if _, err := os.Stat(path); err != nil {
		return err
	}
	w := &writing{name: name}
	if p.try {
		w.calls, err = openReader(path)
	} else {
		w.calls, err = openWriter(path, callsPage, callsSchema)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.calls.Close()) }()
	defer interruptible(ctx, w.calls)()
	if w.dict, err = openDict(w.calls, p.most); err != nil {
		return err
	}
	var hours []int64
	err = query(w.calls, "SELECT DISTINCT start / ? FROM call", func(st *sqlite.Stmt) error {
		hours = append(hours, st.ColumnInt64(0))
		return nil
	}, int64(time.Hour))
	for _, h := range hours {
		if err == nil {
			err = p.hour(w, name, h)
		}
	}
	if err == nil && !p.try {
		err = syncLog(path)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// changed is a call whose cost changed.
type changed struct {
	n             int64
	session       any
	before, after llm.Cost
	facts         []byte
}

// hourly is the calls of an hour, priced anew.
type hourly struct {
	r       recording // its totals are those of the hour
	calls   int64
	changed []changed
}

// hour prices the calls of an hour. Most of the work is done before others have to
// wait: what is kept already does not change, and what comes meanwhile is little.
func (p *repricing) hour(w *writing, day string, h int64) error {
	upto, _, err := one(w.calls, "SELECT max(n) FROM call")
	if err != nil {
		return err
	}
	w.totals = newLedger(w.calls, 4*p.most)
	w.totals.anew = true
	do := &hourly{r: recording{w: w}}
	if err := p.calls(do, h, 0, upto); err != nil {
		return err
	}
	if len(do.changed) > 0 && !p.try {
		if err := p.commit(do, day, h, upto); err != nil {
			return err
		}
	}
	p.done.Calls += do.calls
	p.done.Changed += int64(len(do.changed))
	for i := range do.changed {
		p.done.add(do.changed[i].before, do.changed[i].after)
	}
	return nil
}

// commit writes an hour, with the calls that came after upto.
func (p *repricing) commit(do *hourly, day string, h, upto int64) error {
	if err := p.unseal(day); err != nil {
		return err
	}
	defer rollback(p.meta)
	w := do.r.w
	if err := run(w.calls, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer rollback(w.calls)
	if err := p.calls(do, h, upto, math.MaxInt64); err != nil {
		return err
	}
	for i := range do.changed {
		if err := do.r.change(&do.changed[i]); err != nil {
			return err
		}
	}
	if err := exec(w.calls, "DELETE FROM usage WHERE at = ?", h*int64(time.Hour/time.Second)); err != nil {
		return err
	}
	if err := w.totals.write(); err != nil {
		return err
	}
	return run(w.calls, "COMMIT")
}

// unseal takes the totals of a day in meta.db out of force, and holds the file: until
// the transaction ends nobody can sum the day up.
func (p *repricing) unseal(day string) error {
	at, _ := parseDay(day)
	for {
		if err := run(p.meta, "BEGIN IMMEDIATE"); err != nil {
			return err
		}
		n, _, err := one(p.meta, "SELECT count(*) FROM sealed WHERE at = ?", at.Unix())
		if err == nil && n == 0 {
			return nil
		}
		if err == nil {
			err = exec(p.meta, "DELETE FROM sealed WHERE at = ?", at.Unix())
		}
		if err == nil {
			err = run(p.meta, "COMMIT")
		}
		if err == nil { // durable before the calls change
			err = syncLog(filepath.Join(p.dir, "meta.db"))
		}
		if err != nil {
			rollback(p.meta)
			return err
		}
	}
}

// calls prices the calls of an hour whose numbers are above one and up to another.
func (p *repricing) calls(do *hourly, h, above, upto int64) error {
	conn := do.r.w.calls
	first, last := hourBounds(h)
	var ns []int64
	err := query(conn, "SELECT n FROM call WHERE start BETWEEN ? AND ? AND +n > ? AND +n <= ?", func(st *sqlite.Stmt) error {
		ns = append(ns, st.ColumnInt64(0))
		return nil
	}, first, last, above, upto)
	if err != nil {
		return err
	}
	slices.Sort(ns) // as they were written, so that each block is read once
	facts := records{conn: conn}
	for _, n := range ns {
		var own []byte
		err := query(conn, "SELECT facts FROM call WHERE n = ?", func(st *sqlite.Stmt) error {
			own = column(st, 0)
			return nil
		}, n)
		if err != nil {
			return err
		}
		c, err := facts.call(n, own)
		if err == nil {
			err = p.call(do, n, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hourBounds returns the first and the last nanosecond of an hour, by the division of
// integers, which rounds towards zero.
func hourBounds(h int64) (first, last int64) {
	const hour = int64(time.Hour)
	first, last = h*hour, h*hour+hour-1
	if h <= 0 {
		first = h*hour - hour + 1
	}
	if h < 0 {
		last = h * hour
	}
	return first, last
}

// call prices one call and adds it to the totals of its hour.
func (p *repricing) call(do *hourly, n int64, c *llm.Call) error {
	do.calls++
	before := c.Cost
	if before.Source != llm.CostProvider {
		c.Cost = llm.Cost{}
	}
	p.price(c)
	other := c.Cost != before && !same(c.Cost, before)
	if !other {
		c.Cost = before
	}
	x := changed{n: n, session: sessionOf(c), before: before, after: c.Cost}
	if !p.try {
		e, err := do.r.entries(c)
		if err == nil {
			err = do.r.add(c, &e)
		}
		if err == nil && other {
			x.facts, err = do.r.facts(c)
		}
		if err != nil {
			return err
		}
	}
	if other {
		do.changed = append(do.changed, x)
	}
	return nil
}

func (d *Repriced) add(before, after llm.Cost) {
	if before.Known() {
		d.Before.Add(before.Money())
	}
	if after.Known() {
		d.After.Add(after.Money())
	}
}

// same says whether costs are the same but for the date of the table.
func same(a, b llm.Cost) bool {
	a.Price, b.Price = "", ""
	return a == b
}

// change writes the new cost of a call.
func (r *recording) change(x *changed) error {
	var ids [3]int64
	for i, word := range [...]word{{dictCostSource, string(x.after.Source)}, {dictCostStatus, string(x.after.Status)}, {dictCurrency, string(x.after.Currency)}} {
		e, err := r.w.dict.id(word.kind, word.value)
		if err != nil {
			return err
		}
		ids[i] = e.id
	}
	var cost any
	if x.after.Known() {
		cost = int64(x.after.Total)
	}
	err := exec(r.w.calls, `UPDATE call SET currency_was = CASE WHEN cost_was IS NULL THEN currency ELSE currency_was END, cost_was = coalesce(cost_was, cost),
 cost = ?, currency = ?, cost_source = ?, cost_status = ?, facts = ? WHERE n = ?`, cost, ids[2], ids[0], ids[1], x.facts, x.n)
	if err != nil || x.session == nil {
		return err
	}
	return errors.Join(r.changeSession(x.session, x.before, -1), r.changeSession(x.session, x.after, 1))
}

// changeSession adds a cost to that of a session, or takes it away.
func (r *recording) changeSession(id any, c llm.Cost, sign int64) error {
	if !c.Known() {
		return nil
	}
	amount := sign * min(max(int64(c.Total), -mostCost), mostCost)
	if err := exec(r.w.calls, "UPDATE session SET priced = priced + ? WHERE id = ?", sign, id); err != nil {
		return err
	}
	currency, err := r.w.dict.id(dictCurrency, string(c.Currency))
	if err != nil {
		return err
	}
	if currency.id == noValue {
		return exec(r.w.calls, "UPDATE session SET cost = cost + ? WHERE id = ?", amount, id)
	}
	return errors.Join(exec(r.w.calls, upsertSessionCost, id, currency.id, amount),
		exec(r.w.calls, "DELETE FROM session_cost WHERE id = ? AND currency = ? AND cost = 0", id, currency.id))
}
