package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Errors that callers may tell apart.
var (
	// ErrClosed is returned for calls that come after Close.
	ErrClosed = errors.New("the journal is closed")
	// ErrLocked says that another program writes to the same folder.
	ErrLocked = errors.New("another program uses this journal")
	// ErrTooLarge says that a call does not fit into a record, its content left out.
	ErrTooLarge = errors.New("the call is too large for a record")
)

// Journal is an open journal. Its methods may be called by many goroutines.
type Journal struct {
	cfg Config
	set Settings
	dir string
	log *slog.Logger
	id  [16]byte

	lock *os.File

	mu        sync.Mutex
	segments  []*segment // oldest first; the last one is written to
	durable   uint64     // number of the next record; those before it are durable
	changed   chan struct{}
	followers []*follower
	recent    recent
	stat      Stats
	checked   time.Time // when the last checkpoint was made
	unsigned  int       // calls after it
	closed    bool

	w       writer
	rolled  chan struct{}  // one token: a segment was ended
	work    sync.WaitGroup // writer and keeper
	stop    context.CancelFunc
	close   sync.Once
	closing chan struct{} // closed: followers end when they have everything
	err     error         // of Close
}

// Open opens the journal in cfg.Dir, or makes one there, and takes it for this
// process. Those who follow it do so before the first Append, or within a minute. Of a
// crash it finds what was not finished at the end of the last
// segment, cuts that off and says so. The journal runs until Close.
func Open(cfg Config, set Settings) (*Journal, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	cfg = cfg.orDefaults()
	j := &Journal{
		cfg: cfg, set: set, dir: cfg.Dir, log: set.Log,
		changed: make(chan struct{}), closing: make(chan struct{}),
		rolled: make(chan struct{}, 1),
	}
	j.w.wake, j.w.stopped = make(chan struct{}, 1), make(chan struct{})
	if j.log == nil {
		j.log = slog.Default()
	}
	if err := j.open(); err != nil {
		j.release()
		return nil, fmt.Errorf("open journal: %w", err)
	}
	select {
	case <-j.rolled: // a segment that Open itself began
	default:
	}
	ctx, stop := context.WithCancel(context.Background())
	j.stop = stop
	j.work.Go(j.write)
	j.work.Go(func() { j.keep(ctx) })
	return j, nil
}

func (j *Journal) open() error {
	if j.dir == "" {
		return errors.New("no folder is given")
	}
	// Prompts and answers are nobody else's.
	if err := os.MkdirAll(filepath.Join(j.dir, cursorFolder), 0o700); err != nil {
		return err
	}
	var err error
	if j.lock, err = os.OpenFile(filepath.Join(j.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := lock(j.lock); err != nil {
		return fmt.Errorf("%s: %w", j.dir, err)
	}
	leftovers, _ := filepath.Glob(filepath.Join(j.dir, "*"+temporary)) // the pattern is right
	for _, name := range leftovers {
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("remove what a crash left: %w", err)
		}
	}
	if j.segments, err = listSegments(j.dir); err != nil {
		return err
	}
	return j.recover()
}

// release lets go of the folder.
func (j *Journal) release() {
	if j.w.file != nil {
		j.w.file.Close()
	}
	if j.lock != nil {
		j.lock.Close()
	}
}

// Append makes calls durable and returns then. Those who append at the same time
// share a write. When it returns an error the calls may be durable all the same:
// what was written and could not be confirmed is taken back as far as possible. A
// call that fits into no record is left out and reported by [ErrTooLarge]; the
// others are durable.
//
// Neither the slice nor, before it returns, the calls may be changed; afterwards
// the calls belong to the followers too, for reading.
func (j *Journal) Append(ctx context.Context, calls []*llm.Call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(calls) == 0 {
		return nil
	}
	return j.w.put(ctx, &request{calls: calls, done: make(chan error, 1)})
}

// Pauses before a write is tried again.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// Consume is Append for a sink that must not lose anything: while the disk is full
// or fails it tries again, until ctx is done.
func (j *Journal) Consume(ctx context.Context, calls []*llm.Call) error {
	pause := firstPause
	for {
		err := j.Append(ctx, calls)
		if err == nil || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrClosed) || ctx.Err() != nil {
			return err
		}
		if sleep(ctx, pause) != nil {
			return fmt.Errorf("append to the journal, in vain until the end: %w", err)
		}
		pause = min(2*pause, longestPause)
	}
}

// Close takes no more calls, writes what waits, and lets the followers go on until
// they have everything, one of them fails, or ctx is done. What a follower did not
// get it gets after the next Open: that is no error. Further calls return the same.
func (j *Journal) Close(ctx context.Context) error {
	j.close.Do(func() { j.err = j.shut(ctx) })
	return j.err
}

func (j *Journal) shut(ctx context.Context) error {
	j.w.close()
	<-j.w.stopped
	j.stop()
	j.work.Wait()
	close(j.closing)
	j.mu.Lock()
	j.closed = true
	followers := j.followers
	j.mu.Unlock()
	var errs []error
	for _, f := range followers {
		f.end(ctx)
	}
	for _, f := range followers {
		if err := f.close(); err != nil {
			errs = append(errs, err)
		}
		if n := f.stats(j).LagRecords; n > 0 {
			j.log.Info("a follower of the journal gets the rest at the next start", "follower", f.name, "calls", n)
		}
	}
	if err := j.w.file.Close(); err != nil {
		errs = append(errs, err)
	}
	if err := j.lock.Close(); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// sleep waits, or returns the error of ctx when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
