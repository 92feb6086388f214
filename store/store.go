package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/llm"
)

// Errors that callers may tell apart.
var (
	// ErrClosed is returned for calls that come after Close.
	ErrClosed = errors.New("the store is closed")
	// ErrLocked says that another program writes to the same folder.
	ErrLocked = errors.New("another program uses this store")
	// ErrNone says that there is no store in a folder.
	ErrNone = errors.New("there is no store")
)

// Store is an open store, for writing and for reading. Its methods may be called by
// many goroutines.
type Store struct {
	*Reader // answers questions

	cfg  Config
	set  Settings
	dir  string
	log  *slog.Logger
	now  func() time.Time
	lock *os.File

	mu   sync.Mutex // of what is below: one writer at a time
	meta *sqlite.Conn
	days []*writing // open for writing, the one used last at the end
	// unsealed are the days that meta.db has no totals of any more; unsynced those with
	// commits that are not durable.
	unsealed, unsynced map[string]bool
	closed             bool

	counts counters

	stop  context.CancelFunc
	work  sync.WaitGroup
	wake  chan struct{} // one token: there is something to index
	close sync.Once
	err   error // of Close
}

// Open opens the store in a folder, or makes one there, and takes it for this
// process. Zero values in cfg switch bounds off; see [DefaultConfig].
func Open(dir string, cfg Config, set Settings) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if cfg.MaxValues == 0 {
		cfg.MaxValues = DefaultConfig().MaxValues
	}
	s := &Store{cfg: cfg, set: set, dir: dir, log: set.Log, now: set.Now, unsealed: map[string]bool{}, unsynced: map[string]bool{}, wake: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.release())
	}
	s.Reader = newReader(dir, set.Sealer)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.work.Go(func() { s.keep(ctx) })
	if cfg.FullText && set.Sealer == nil {
		s.work.Go(func() { s.index(ctx) })
	}
	return s, nil
}

func (s *Store) open() error {
	if s.dir == "" {
		return errors.New("no folder is given")
	}
	// Prompts and answers are nobody else's.
	if err := os.MkdirAll(filepath.Join(s.dir, callsFolder), 0o700); err != nil {
		return err
	}
	var err error
	if s.lock, err = os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := lock(s.lock); err != nil {
		return fmt.Errorf("%s: %w", s.dir, err)
	}
	s.meta, err = openWriter(s.metaPath(), callsPage, metaSchema)
	return err
}

// release lets go of everything that is open.
func (s *Store) release() error {
	var errs []error
	for _, w := range s.days {
		errs = append(errs, w.close())
	}
	s.days = nil
	if s.meta != nil {
		errs = append(errs, s.meta.Close())
		s.meta = nil
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	return errors.Join(errs...)
}

// Consume keeps calls. Those that it has already it does not keep twice. When it
// returns nil they outlive the process, and after [Store.Flush] the machine. After an
// error some of them may be there; consuming them again is right. Neither the slice
// nor the calls are kept or changed.
func (s *Store) Consume(ctx context.Context, calls []*llm.Call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	oldest := ""
	if s.cfg.KeepCalls > 0 {
		oldest = dayBefore(s.now(), s.cfg.KeepCalls)
	}
	for len(calls) > 0 {
		day := dayOf(calls[0])
		n := 1
		for n < len(calls) && dayOf(calls[n]) == day {
			n++
		}
		if day < oldest && day != undated {
			// Its day is gone, and its totals must not be made anew.
			s.counts.expired.Add(int64(n))
		} else if err := s.consume(day, calls[:n]); err != nil {
			s.counts.failures.Add(1)
			return fmt.Errorf("store %d calls: %w", len(calls), err)
		}
		calls = calls[n:]
	}
	return nil
}

// consume keeps calls of one day. The mutex is held.
func (s *Store) consume(day string, calls []*llm.Call) error {
	w, err := s.day(day)
	if err != nil {
		return err
	}
	if !s.unsealed[day] {
		if err := s.unseal(day); err != nil {
			return err
		}
	}
	began := time.Now()
	done, err := w.write(calls, s.set.Sealer)
	if err != nil {
		s.drop(w)
		return err
	}
	s.unsynced[day] = true
	s.counts.add(done, time.Since(began))
	s.poke()
	return nil
}

// openDays is how many days are kept open for writing: calls end on another day than
// they began, and late ones come.
const openDays = 3

// day returns the files of a day, open for writing. The mutex is held.
func (s *Store) day(name string) (*writing, error) {
	for i, w := range s.days {
		if w.name == name {
			s.days = append(slices.Delete(s.days, i, i+1), w)
			return w, nil
		}
	}
	if len(s.days) == openDays {
		s.drop(s.days[0])
	}
	w, err := openDay(s.dir, name, s.cfg.MaxValues, s.speaks(name))
	if err != nil {
		return nil, err
	}
	s.days = append(s.days, w)
	return w, nil
}

// drop closes the files of a day. The mutex is held.
func (s *Store) drop(w *writing) {
	s.days = slices.DeleteFunc(s.days, func(o *writing) bool { return o == w })
	if err := w.close(); err != nil {
		s.log.Warn("close a day of the store", "day", w.name, "error", err)
	}
}

// Flush makes everything that was consumed durable: it outlives the machine then.
func (s *Store) Flush() error {
	s.mu.Lock()
	days := slices.Collect(maps.Keys(s.unsynced))
	clear(s.unsynced)
	s.mu.Unlock()
	if len(days) == 0 {
		return nil
	}
	err := syncLog(s.metaPath())
	for _, day := range days {
		// What was said first: it may be there without its call, and not the other way.
		err = errors.Join(err, syncLog(s.path(day, bodiesSuffix)), syncLog(s.path(day, callsSuffix)))
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, day := range days {
			s.unsynced[day] = true
		}
		return fmt.Errorf("make the store durable: %w", err)
	}
	return nil
}

func (s *Store) path(day, suffix string) string { return filepath.Join(s.dir, callsFolder, day+suffix) }
func (s *Store) metaPath() string               { return filepath.Join(s.dir, "meta.db") }

// speaks says whether what was said on a day is kept.
func (s *Store) speaks(day string) bool {
	return s.cfg.KeepBodies == 0 || day == undated || day >= dayBefore(s.now(), s.cfg.KeepBodies)
}

// dayBefore returns the day that was a time ago.
func dayBefore(now time.Time, ago time.Duration) string {
	return now.Add(-ago).UTC().Format(time.DateOnly)
}

// Close takes no more calls and ends what runs in the background. Further calls
// return the same.
func (s *Store) Close(context.Context) error {
	s.close.Do(func() {
		s.stop()
		s.work.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = true
		// Closing the last connection of a file moves its log into it and syncs it.
		if err := errors.Join(s.Reader.Close(), s.release()); err != nil {
			s.err = fmt.Errorf("close store: %w", err)
		}
	})
	return s.err
}

func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
