package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
)

// keepTime is how often the store looks what is over and what is old.
const keepTime = time.Minute

// lateTime is how long after its end a day is taken to be over: calls are kept by
// the day on which they began, and end later.
const lateTime = 15 * time.Minute

// keep makes totals of days that are over and removes what is old. It flushes as well,
// for those who hand calls over and do not.
func (s *Store) keep(ctx context.Context) {
	tick := time.NewTicker(keepTime)
	defer tick.Stop()
	for {
		if err := errors.Join(s.Flush(), s.Tidy(ctx)); err != nil && ctx.Err() == nil {
			s.log.Error("keep the store in order", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Tidy makes totals of days that are over, and removes what is older or larger than
// the configuration allows. The store does it by itself, every minute.
func (s *Store) Tidy(ctx context.Context) error {
	days, err := listDays(s.dir)
	if err != nil {
		return err
	}
	for _, day := range days {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.seal(day); err != nil {
			return fmt.Errorf("sum up %s: %w", day, err)
		}
	}
	return errors.Join(s.expire(days), s.shrink(), s.forgetTotals())
}

// listDays returns the days of which there are calls, oldest first.
func listDays(dir string) ([]string, error) {
	files, err := os.ReadDir(filepath.Join(dir, callsFolder))
	if err != nil {
		return nil, err
	}
	var days []string
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), callsSuffix); ok {
			if _, ok := parseDay(name); ok {
				days = append(days, name)
			}
		}
	}
	slices.Sort(days)
	return days, nil
}

// unseal says that the totals of a day in meta.db do not hold any more. The mutex is
// held.
func (s *Store) unseal(day string) error {
	at, _ := parseDay(day)
	if err := exec(s.meta, "DELETE FROM sealed WHERE at = ?", at.Unix()); err != nil {
		return fmt.Errorf("mark totals as old: %w", err)
	}
	s.unsealed[day] = true
	return nil
}

// seal puts the totals of a day that is over into meta.db.
func (s *Store) seal(day string) error {
	at, _ := parseDay(day)
	if s.now().Before(at.Add(24*time.Hour + lateTime)) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if _, done, err := one(s.meta, "SELECT calls FROM sealed WHERE at = ?", at.Unix()); err != nil || done {
		return err
	}
	// Nothing is written to the day while the mutex is held.
	c, err := openReader(s.path(day, callsSuffix))
	if err != nil {
		return err
	}
	defer c.Close()
	calls, _, err := one(c, "SELECT count(*) FROM call")
	if err != nil {
		return err
	}
	err = atomically(s.meta, func() error {
		if err := exec(s.meta, "DELETE FROM usage WHERE at = ?", at.Unix()); err != nil {
			return err
		}
		if err := sumUp(c, s.meta, at.Unix()); err != nil {
			return err
		}
		return exec(s.meta, "INSERT OR REPLACE INTO sealed (at, calls) VALUES (?, ?)", at.Unix(), calls)
	})
	if err == nil {
		delete(s.unsealed, day)
	}
	return err
}

// sumUp adds the hours of a day up to one row for each combination of values, with
// the numbers of another dictionary.
func sumUp(from, to *sqlite.Conn, at int64) error {
	d, err := openDict(to, math.MaxInt)
	if err != nil {
		return err
	}
	ids := map[int64]int64{noValue: noValue, other: other}
	type row struct{ kind, value string }
	var failed error
	translate := func(id int64) int64 {
		if n, ok := ids[id]; ok || failed != nil {
			return n
		}
		var r row
		err := query(from, "SELECT kind, value FROM dict WHERE id = ?", func(st *sqlite.Stmt) error {
			r = row{st.ColumnText(0), st.ColumnText(1)}
			return nil
		}, id)
		e := entry{}
		if err == nil {
			e, err = d.id(r.kind, r.value)
		}
		if err != nil {
			failed = err
		}
		ids[id] = e.id
		return e.id
	}
	cells := map[cellKey]*cell{}
	err = query(from, "SELECT axis, value, team, model, provider, operation, failed, usage_source, cost_source, currency, "+usageColumns+" FROM usage", func(st *sqlite.Stmt) error {
		k := cellKey{
			at: at, axis: st.ColumnText(0), value: translate(st.ColumnInt64(1)), team: translate(st.ColumnInt64(2)), model: translate(st.ColumnInt64(3)),
			provider: translate(st.ColumnInt64(4)), operation: translate(st.ColumnInt64(5)), failed: st.ColumnInt64(6),
			usageSource: translate(st.ColumnInt64(7)), costSource: translate(st.ColumnInt64(8)), currency: translate(st.ColumnInt64(9)),
		}
		var hour cell
		if err := hour.read(st, 10); err != nil {
			return err
		}
		c := cells[k]
		if c == nil {
			cells[k] = &hour
			return failed
		}
		return errors.Join(failed, c.merge(&hour))
	})
	if err != nil {
		return err
	}
	for k, c := range cells {
		if err := writeCell(to, k, c); err != nil {
			return err
		}
	}
	return nil
}

// merge adds another row. It may keep the sketches of o.
func (c *cell) merge(o *cell) (err error) {
	c.sums.add(&o.sums)
	if c.latency, err = mergeSketches(c.latency, o.latency); err == nil {
		c.ttft, err = mergeSketches(c.ttft, o.ttft)
	}
	return err
}

// expire removes files of days that are older than what is kept.
func (s *Store) expire(days []string) error {
	var errs []error
	for _, day := range days {
		if day == undated {
			continue
		}
		if s.cfg.KeepCalls > 0 && day < dayBefore(s.now(), s.cfg.KeepCalls) {
			errs = append(errs, s.unlink(day, callsSuffix, bodiesSuffix, ftsSuffix))
		} else if !s.speaks(day) {
			errs = append(errs, s.unlink(day, bodiesSuffix, ftsSuffix))
		}
	}
	return errors.Join(errs...)
}

// shrink removes the oldest files while all of them are larger than allowed: bodies
// of every day but the last one first, then calls.
func (s *Store) shrink() error {
	if s.cfg.MaxBytes == 0 {
		return nil
	}
	days, err := listDays(s.dir)
	if err != nil || len(days) < 2 {
		return err
	}
	for _, suffixes := range [][]string{{bodiesSuffix, ftsSuffix}, {callsSuffix, bodiesSuffix, ftsSuffix}} {
		for _, day := range days[:len(days)-1] {
			if s.Stats().Bytes <= s.cfg.MaxBytes {
				return nil
			}
			if err := s.unlink(day, suffixes...); err != nil {
				return err
			}
		}
	}
	return nil
}

// unlink removes files of a day. Who reads them goes on until it is done.
func (s *Store) unlink(day string, suffixes ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.days {
		if w.name == day {
			s.drop(w)
			break
		}
	}
	s.Reader.forget(day)
	var errs []error
	for _, suffix := range suffixes {
		path := s.path(day, suffix)
		err := os.Remove(path)
		if err == nil {
			s.counts.unlinked.Add(1)
			s.log.Info("removed from the store", "file", base(path))
		}
		// The log last: without its file it is nothing.
		for _, e := range []error{err, os.Remove(path + "-wal"), os.Remove(path + "-shm")} {
			if e != nil && !errors.Is(e, os.ErrNotExist) {
				errs = append(errs, e)
			}
		}
	}
	return errors.Join(errs...)
}

// forgetTotals removes totals that are older than what is kept.
func (s *Store) forgetTotals() error {
	if s.cfg.KeepTotals == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	before := s.now().Add(-s.cfg.KeepTotals).Unix()
	if n, _, err := one(s.meta, "SELECT count(*) FROM sealed WHERE at < ?", before); err != nil || n == 0 {
		return err
	}
	return atomically(s.meta, func() error {
		return errors.Join(exec(s.meta, "DELETE FROM usage WHERE at < ?", before), exec(s.meta, "DELETE FROM sealed WHERE at < ?", before))
	})
}
