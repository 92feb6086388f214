package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
)

// Reader answers questions about a store, also one that another program writes to.
// Its methods may be called by many goroutines.
type Reader struct {
	dir  string
	seal Sealer

	mu     sync.Mutex
	idle   map[string][]*sqlite.Conn // by file
	age    map[string]uint64         // when a file was asked for last
	clock  uint64
	gone   map[string]uint64 // connections opened before this are not kept
	open   int
	closed bool
}

// mostIdle is how many connections are kept for the next question: a month of days,
// and some to read at the same time.
const mostIdle = 48

// OpenReader opens a store for reading only.
func OpenReader(dir string, seal Sealer) (*Reader, error) {
	if _, err := os.Stat(filepath.Join(dir, "meta.db")); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w in %s", ErrNone, dir)
		}
		return nil, fmt.Errorf("open store: %w", err)
	}
	return newReader(dir, seal), nil
}

func newReader(dir string, seal Sealer) *Reader {
	return &Reader{dir: dir, seal: seal, idle: map[string][]*sqlite.Conn{}, age: map[string]uint64{}, gone: map[string]uint64{}}
}

// Close closes what is open.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	var errs []error
	for file := range r.idle {
		errs = append(errs, r.closeIdle(file))
	}
	return errors.Join(errs...)
}

// closeIdle closes the connections of a file. The mutex is held.
func (r *Reader) closeIdle(file string) error {
	var errs []error
	for _, c := range r.idle[file] {
		errs = append(errs, c.Close())
		r.open--
	}
	delete(r.idle, file)
	return errors.Join(errs...)
}

// forget closes the connections of a day whose files are removed.
func (r *Reader) forget(day string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, suffix := range []string{callsSuffix, bodiesSuffix, ftsSuffix} {
		file := filepath.Join(callsFolder, day+suffix)
		_ = r.closeIdle(file) // read only
		r.clock++
		r.gone[file] = r.clock
	}
}

// with calls f with a connection to a file, which ctx interrupts. The error is
// os.ErrNotExist when there is no such file.
func (r *Reader) with(ctx context.Context, file string, f func(*sqlite.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, since, err := r.take(file)
	if err != nil {
		return err
	}
	restore := interruptible(ctx, c)
	err = f(c)
	restore()
	r.give(file, c, since)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (r *Reader) withCalls(ctx context.Context, day string, f func(*sqlite.Conn) error) error {
	return r.with(ctx, filepath.Join(callsFolder, day+callsSuffix), f)
}

func (r *Reader) withBodies(ctx context.Context, day string, f func(*sqlite.Conn) error) error {
	return r.with(ctx, filepath.Join(callsFolder, day+bodiesSuffix), f)
}

func (r *Reader) take(file string) (*sqlite.Conn, uint64, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, 0, ErrClosed
	}
	r.clock++
	since := r.clock
	r.age[file] = since
	if cs := r.idle[file]; len(cs) > 0 {
		c := cs[len(cs)-1]
		r.idle[file] = cs[:len(cs)-1]
		r.open--
		r.mu.Unlock()
		return c, since, nil
	}
	r.mu.Unlock()
	c, err := openReader(filepath.Join(r.dir, file))
	return c, since, err
}

func (r *Reader) give(file string, c *sqlite.Conn, since uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Who has a file of an earlier version open sees it as it was.
	version, _, err := one(c, "PRAGMA user_version")
	if r.closed || r.gone[file] > since || err != nil || version != schemaVersion {
		_ = c.Close()
		return
	}
	r.idle[file] = append(r.idle[file], c)
	r.open++
	for r.open > mostIdle {
		oldest := ""
		for f, cs := range r.idle {
			if len(cs) > 0 && (oldest == "" || r.age[f] < r.age[oldest]) {
				oldest = f
			}
		}
		_ = r.closeIdle(oldest)
	}
}

// days returns the days that overlap a time range, newest first. A zero time is no
// bound.
func (r *Reader) days(from, to time.Time) ([]string, error) {
	all, err := listDays(r.dir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	var days []string
	for i := len(all) - 1; i >= 0; i-- {
		at, _ := parseDay(all[i])
		if !from.IsZero() && !at.Add(day).After(from) || !to.IsZero() && !at.Before(to) {
			continue
		}
		days = append(days, all[i])
	}
	return days, nil
}

// Dir returns the folder of the store.
func (r *Reader) Dir() string { return r.dir }
