package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/sealed"
	"github.com/spanwire/spanwire/llm"
)

// Deliver takes calls in the order in which they were appended. When it returns
// nil they are safe with it: the cursor moves on. After an error it gets the same
// calls again, later. It may block, until ctx is done. Neither the slice nor the
// calls may be changed.
type Deliver func(ctx context.Context, calls []*llm.Call) error

// What one call of Deliver gets at most.
const (
	deliverCalls = 256
	deliverBytes = 4 << 20
)

// follower brings the calls to one Deliver on a goroutine of its own.
type follower struct {
	name    string
	deliver Deliver
	flush   func() error // nil: what deliver took is safe
	pending uint64       // where the cursor goes once it can: flushed, and written; of the goroutine
	began   time.Time    // when it got calls last; of the goroutine
	cursor  *cursor
	reader  reader
	ctx     context.Context // of deliver; done when closing takes too long
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // of the cursor at the end; read after done

	// Guarded by the journal's mutex.
	next    uint64    // the record that it gets next
	holds   uint64    // the record after the calls that it is busy with
	synced  uint64    // the same, as it would be after a crash of the machine
	seg     uint64    // first record of the segment that it reads, and …
	off     int64     // … how far it is there; 0 when it is not known
	since   time.Time // when the record that it is at was appended; zero when it has all
	stat    FollowerStats
	syncing time.Time // when the cursor was made durable last
}

// Follow starts a follower. It goes on where a follower of that name was: after
// the last calls that it took, or at the oldest record when there was none. It
// runs until the journal is closed. The name becomes a file's.
func (j *Journal) Follow(name string, deliver Deliver) error {
	return j.follow(name, deliver, nil)
}

// FollowFlushed is [Journal.Follow] for who takes calls before they are safe with it:
// the cursor moves on after flush has returned nil, every second while calls come.
// What was taken and not flushed when the program ends comes again. Calls are gathered
// for a quarter of a second, so that a transaction a batch is one of many calls.
func (j *Journal) FollowFlushed(name string, deliver Deliver, flush func() error) error {
	return j.follow(name, deliver, flush)
}

func (j *Journal) follow(name string, deliver Deliver, flush func() error) error {
	if !followerName.MatchString(name) {
		return fmt.Errorf("follow journal: %q cannot be a name: use a-z, 0-9, dots, _ and -", name)
	}
	c, lost, err := openCursor(j.dir, name)
	if err != nil {
		return fmt.Errorf("follow journal as %s: %w", name, err)
	}
	if lost {
		j.log.Warn("the cursor of a follower cannot be read; it gets everything that is there once more", "follower", name)
	}
	if err := j.readable(c.next); err != nil {
		c.file.Close()
		return fmt.Errorf("follow journal as %s: what waits for it cannot be read: %w; give that key beside the new one", name, err)
	}
	f := &follower{name: name, deliver: deliver, flush: flush, cursor: c, reader: reader{keys: j.set.Keys}, next: c.next, synced: c.next, done: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.stat.Name = name
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.admit(f); err != nil {
		f.cancel()
		c.file.Close()
		return fmt.Errorf("follow journal as %s: %w", name, err)
	}
	go f.run(j)
	return nil
}

// readable says whether what a follower gets first from disk is encrypted with a key
// that is not there: that is told at the start, not found out in the end.
func (j *Journal) readable(next uint64) error {
	j.mu.Lock()
	next = max(next, j.segments[0].first)
	if next >= j.durable {
		j.mu.Unlock()
		return nil
	}
	p := j.plan(next)
	j.mu.Unlock()
	r := reader{keys: j.set.Keys}
	defer r.close()
	if _, err := r.read(p, next); errors.Is(err, sealed.ErrNoKey) {
		return err
	}
	return nil // anything else the follower tells
}

// admit adds a follower. The mutex is held.
func (j *Journal) admit(f *follower) error {
	if j.closed {
		return ErrClosed
	}
	if slices.ContainsFunc(j.followers, func(o *follower) bool { return o.name == f.name }) {
		return errors.New("there is one of that name")
	}
	if f.next > j.durable {
		j.log.Error("the end of the journal is gone, or it was replaced: a follower had more than there is, and begins anew",
			"follower", f.name, "cursor", f.next, "end", j.durable, "records", f.next-j.durable)
		j.stat.LostRecords = max(j.stat.LostRecords, int64(f.next-j.durable))
		f.next, f.synced, f.cursor.next = 1, 1, 1
	}
	// The first record of a journal is number 1; those before the oldest one are gone
	// for good, and a new follower never missed them.
	if oldest := j.segments[0].first; f.next == 1 && f.cursor.times == 0 {
		f.next = max(f.next, oldest)
	}
	j.followers = append(j.followers, f)
	slices.SortFunc(j.followers, func(a, b *follower) int { return strings.Compare(a.name, b.name) })
	return nil
}

// run delivers until the journal is closed and there is nothing left, or it fails
// while closing.
func (f *follower) run(j *Journal) {
	defer close(f.done)
	for {
		b, ok := f.batch(j)
		if !ok {
			break
		}
		if len(b.calls) > 0 && !f.bring(j, b.calls) {
			break
		}
		f.advance(j, b)
	}
	f.reader.close()
	f.err = f.settle()
	if err := f.cursor.file.Close(); f.err == nil {
		f.err = err
	}
}

// batch waits for the next calls. ok is false when there will be none.
func (f *follower) batch(j *Journal) (b batch, ok bool) {
	for {
		j.mu.Lock()
		f.catchUp(j)
		if f.next < j.durable {
			if early := f.early(j); early > 0 {
				changed := j.changed
				j.mu.Unlock()
				f.gather(j, changed, early)
				continue
			}
			if b, ok := j.recent.from(f.next, f.most()); ok {
				f.since, f.holds = b.at, b.next
				f.began = time.Now()
				j.mu.Unlock()
				f.reader.close()
				return b, true
			}
			plan := j.plan(f.next)
			j.mu.Unlock()
			b, err := f.reader.read(plan, f.next)
			if err == nil {
				j.mu.Lock()
				f.since, f.holds = b.at, b.next
				j.mu.Unlock()
				return b, true
			}
			if !f.pause(j, fmt.Errorf("read the journal: %w", err), firstPause) {
				return batch{}, false
			}
			continue
		}
		f.since = time.Time{}
		changed := j.changed
		j.mu.Unlock()
		if !f.wait(j, changed) {
			return batch{}, false
		}
	}
}

// catchUp passes over records that are gone. The mutex is held.
func (f *follower) catchUp(j *Journal) {
	if oldest := j.segments[0].first; f.next < oldest {
		gone := int64(oldest - f.next)
		f.stat.Dropped += gone
		f.next, f.off = oldest, 0
		j.log.Error("calls were dropped from the journal before a follower had them", "follower", f.name, "records", gone)
	}
}

// wait waits for more to follow. An idle follower makes its cursor durable.
func (f *follower) wait(j *Journal, changed <-chan struct{}) bool {
	select {
	case <-changed:
		return true
	case <-j.closing:
		j.mu.Lock()
		defer j.mu.Unlock()
		return f.next < j.durable
	case <-f.idle():
		f.sync(j)
		return true
	case <-f.ctx.Done():
		return false
	}
}

// syncTime is how often a cursor is made durable. What it is behind after a crash
// of the machine is delivered twice.
const syncTime = time.Second

// idle fires when a cursor that is not durable has been so for long enough.
func (f *follower) idle() <-chan time.Time {
	if !f.cursor.dirty && f.pending <= f.cursor.next {
		return nil
	}
	return time.After(syncTime)
}

// bring delivers calls, as often as it takes. It returns false when the journal is
// closed first.
func (f *follower) bring(j *Journal, calls []*llm.Call) bool {
	pause := firstPause
	for {
		err := f.attempt(calls)
		if err == nil {
			j.mu.Lock()
			f.stat.Delivered += int64(len(calls))
			f.stat.LastError = ""
			j.mu.Unlock()
			return true
		}
		if !f.pause(j, err, pause) {
			return false
		}
		pause = min(2*pause, 6*longestPause)
		j.mu.Lock()
		f.stat.Retries++
		j.mu.Unlock()
	}
}

func (f *follower) attempt(calls []*llm.Call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %.200v\n%s", p, debug.Stack())
		}
	}()
	return f.deliver(f.ctx, calls)
}

// pause waits before another attempt. While the journal is being closed there is
// none: the rest is delivered after the next start.
func (f *follower) pause(j *Journal, err error, d time.Duration) bool {
	j.mu.Lock()
	first := f.stat.LastError == ""
	f.stat.LastError = err.Error()
	j.mu.Unlock()
	if first && f.ctx.Err() == nil {
		j.log.Warn("a follower of the journal did not take calls; they are kept and tried again", "follower", f.name, "error", err)
	}
	third := int64(d / 3)
	timer := time.NewTimer(d - time.Duration(third) + time.Duration(rand.Int64N(2*third+1)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-j.closing:
	case <-f.ctx.Done():
	}
	return false
}

// advance moves the cursor behind a batch that was taken.
func (f *follower) advance(j *Journal, b batch) {
	f.pending = b.next
	if f.flush == nil {
		f.note(j, f.cursor.save(b.next)) // settle tries again
	}
	j.mu.Lock()
	f.next = max(f.next, b.next)
	f.seg, f.off = b.segment, b.offset
	f.stat.Dropped += b.missing
	f.stat.Unread += b.unread
	j.forget()
	due := time.Since(f.syncing) >= syncTime
	j.mu.Unlock()
	if b.missing > 0 {
		j.log.Error("records of the journal cannot be read", "follower", f.name, "records", b.missing, "before", b.next, "error", b.err)
	}
	if due {
		f.sync(j)
	}
}

// note keeps an error of the cursor, and says the first: until it can be written,
// calls come twice after a restart.
func (f *follower) note(j *Journal, err error) {
	if err == nil {
		return
	}
	j.mu.Lock()
	first := f.stat.LastError == ""
	f.stat.LastError = err.Error()
	j.mu.Unlock()
	if first {
		j.log.Error("the cursor of a follower cannot be moved on; it is tried again", "follower", f.name, "error", err)
	}
}

// settle makes what was taken safe, and the cursor after it.
func (f *follower) settle() error {
	if f.pending > f.cursor.next {
		if f.flush != nil {
			if err := f.flush(); err != nil {
				return fmt.Errorf("flush a follower: %w", err)
			}
		}
		if err := f.cursor.save(f.pending); err != nil {
			return err
		}
	}
	return f.cursor.sync()
}

// sync makes the cursor durable.
func (f *follower) sync(j *Journal) {
	err := f.settle()
	f.note(j, err)
	j.mu.Lock()
	defer j.mu.Unlock()
	f.syncing = time.Now()
	if err == nil {
		f.synced = f.cursor.next
	}
}

// forget lets go of the calls in memory that every follower has. The mutex is held.
func (j *Journal) forget() {
	least := j.durable
	for _, f := range j.followers {
		least = min(least, f.next)
	}
	j.recent.passed(least)
}

// end waits until the follower has ended by itself, or ctx does.
func (f *follower) end(ctx context.Context) {
	select {
	case <-f.done:
	case <-ctx.Done():
		f.cancel()
	}
}

// parting is how long a follower that was told to stop may take to do so.
const parting = 2 * time.Second

func (f *follower) close() error {
	defer f.cancel()
	select {
	case <-f.done:
		return f.err
	case <-time.After(parting):
		return fmt.Errorf("follower %s does not stop", f.name)
	}
}

func (f *follower) stats(j *Journal) FollowerStats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return f.statsLocked(j, time.Now())
}

// statsLocked returns the statistics. The journal's mutex is held.
func (f *follower) statsLocked(j *Journal, now time.Time) FollowerStats {
	s := f.stat
	if f.next >= j.durable {
		return s
	}
	s.LagRecords = int64(j.durable - f.next)
	s.LagBytes = f.lagBytes(j)
	if !f.since.IsZero() {
		s.Lag = max(now.Sub(f.since), 0)
	}
	return s
}

// lagBytes returns the bytes from the follower's place to the end.
func (f *follower) lagBytes(j *Journal) (n int64) {
	for i, seg := range j.segments {
		switch last := i+1 == len(j.segments); {
		case seg.first > f.next:
			n += seg.size - segmentHead
		case last || j.segments[i+1].first > f.next: // the one that it is in
			n += seg.size - segmentHead
			if seg.first == f.seg && f.off > segmentHead {
				n -= min(f.off, seg.size) - segmentHead
			}
		}
	}
	return n
}
