package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spanwire/spanwire/internal/callrecord"
	"github.com/spanwire/spanwire/internal/sealed"
	"github.com/spanwire/spanwire/llm"
)

const (
	// batchCalls is how many calls end the wait for more.
	batchCalls = 256
	// batchBytes is about how much is written at once. What comes in one Append is
	// not cut.
	batchBytes = 8 << 20
	// keepBuffer is how large the buffer of a batch may stay.
	keepBuffer = 4 << 20
)

// request is the calls of one Append.
type request struct {
	calls []*llm.Call
	done  chan error // has room for the one answer
}

// writer is what the goroutine that writes works with.
type writer struct {
	mu      sync.Mutex
	waiting []*request
	count   int // calls in waiting
	closed  bool
	wake    chan struct{} // one token: something of the above changed
	stopped chan struct{} // closed when nothing is written any more

	// Of the goroutine alone.
	file  *os.File // the last segment
	head  hash     // of the last durable record
	tail  bool     // there may be bytes after the last durable record
	out   bytes.Buffer
	calls callrecord.Encoder
	// What was said in one call, before and after it is encrypted.
	plain  bytes.Buffer
	cipher []byte
}

// put queues a request and waits for its answer.
func (w *writer) put(ctx context.Context, r *request) error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return ErrClosed
	}
	w.waiting = append(w.waiting, r)
	w.count += len(r.calls)
	w.mu.Unlock()
	w.poke()
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	if w.withdraw(r) {
		return ctx.Err()
	}
	return <-r.done // it is being written, which does not take long
}

// withdraw takes back a request that nobody has begun with.
func (w *writer) withdraw(r *request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, other := range w.waiting {
		if other == r {
			w.waiting = append(w.waiting[:i], w.waiting[i+1:]...)
			w.count -= len(r.calls)
			return true
		}
	}
	return false
}

func (w *writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.poke()
}

// state returns how many calls wait, and whether no more will come.
func (w *writer) state() (calls int, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count, w.closed
}

// take returns what waits: whole requests, up to a batch.
func (w *writer) take() []*request {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, calls := 0, 0
	for n < len(w.waiting) && (n == 0 || calls+len(w.waiting[n].calls) <= batchCalls) {
		calls += len(w.waiting[n].calls)
		n++
	}
	batch := append([]*request(nil), w.waiting[:n]...)
	rest := copy(w.waiting, w.waiting[n:])
	clear(w.waiting[rest:])
	w.waiting = w.waiting[:rest]
	w.count -= calls
	return batch
}

// write is the goroutine that writes: batch after batch until the journal is
// closed and nothing waits, then a last checkpoint.
func (j *Journal) write() {
	defer close(j.w.stopped)
	for {
		n, closed := j.w.state()
		switch {
		case n > 0:
			if !closed && n < batchCalls {
				j.linger()
			}
			j.commit(j.w.take())
		case closed:
			j.checkpoint(time.Now())
			return
		default:
			j.attend(time.Now())
			<-j.w.wake
		}
	}
}

// attend does what is to be done by the clock.
func (j *Journal) attend(now time.Time) {
	if j.due(now) {
		j.checkpoint(now)
	}
	if j.stale(now) {
		_ = j.room(now) // counted and logged; it is tried again
	}
}

// linger waits for more calls, for as long as users allow.
func (j *Journal) linger() {
	if j.cfg.SyncDelay == 0 {
		return
	}
	timer := time.NewTimer(j.cfg.SyncDelay)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-j.w.wake:
			if n, closed := j.w.state(); closed || n >= batchCalls {
				return
			}
		}
	}
}

// commit makes requests durable and answers them, in as many writes as their bytes
// need.
func (j *Journal) commit(requests []*request) {
	for len(requests) > 0 {
		now := time.Now()
		n := len(requests)
		e, err := j.encode(requests, now)
		if err == nil {
			n = e.requests
			err = j.persist(e, now)
		}
		for _, r := range requests[:n] {
			if err != nil {
				r.done <- err
			} else {
				r.done <- e.refused[r]
			}
		}
		requests = requests[n:]
		if j.due(now) {
			j.checkpoint(now)
		}
	}
}

// encoded is what the buffer holds.
type encoded struct {
	requests int    // how many of them are in it, whole
	records  uint64 // how many records
	calls    []*llm.Call
	bare     int64 // of these, how many without content because it was too large
	refused  map[*request]error
	sum      hash // of the last record
}

// encode fills the buffer with the records of the first requests, for a segment
// that has room.
func (j *Journal) encode(requests []*request, now time.Time) (encoded, error) {
	if err := j.room(now); err != nil {
		return encoded{}, err
	}
	j.w.out.Reset()
	at, salt := j.position()
	at.kind, at.at = kindCall, now
	var e encoded
	for _, req := range requests {
		for _, c := range req.calls {
			bare, err := j.w.encodeCall(&at, salt, c, j.set.Keys)
			if err != nil {
				if e.refused == nil {
					e.refused = map[*request]error{}
				}
				e.refused[req] = errors.Join(e.refused[req], fmt.Errorf("append to the journal: %w", err))
				continue
			}
			if bare {
				e.bare++
			}
			e.calls = append(e.calls, c)
		}
		e.requests++
		if j.w.out.Len() >= batchBytes {
			break
		}
	}
	e.records, e.sum = uint64(len(e.calls)), at.prev
	return e, nil
}

// position returns the place of the next record, and the salt of its segment.
func (j *Journal) position() (record, [16]byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return record{version: plainVersion, seq: j.durable, prev: j.w.head}, j.segments[len(j.segments)-1].salt
}

// encodeCall appends the record of c and moves at on. A call that is too large is
// tried once more without what was said in it, and is bare then.
func (w *writer) encodeCall(at *record, salt [16]byte, c *llm.Call, keys *sealed.Keys) (bare bool, err error) {
	said := func(out *bytes.Buffer) error { return w.calls.Said(out, c) }
	if keys != nil {
		at.version = sealedVersion
		said = func(out *bytes.Buffer) error { return w.sealed(out, c, keys, at.place()) }
	}
	sum, err := appendFrame(&w.out, salt, *at, func(out *bytes.Buffer) error { return w.calls.Facts(out, c) }, said)
	if errors.Is(err, ErrTooLarge) {
		bare = true
		less := *c
		less.Problems = append(less.Problems[:len(less.Problems):len(less.Problems)], "journal: the content was too large and was left out")
		less.Attrs = append(less.Attrs[:len(less.Attrs):len(less.Attrs)], llm.Attr{Key: contentDropped, Value: true})
		said = func(*bytes.Buffer) error { return nil }
		sum, err = appendFrame(&w.out, salt, *at, func(out *bytes.Buffer) error { return w.calls.Facts(out, &less) }, said)
	}
	if err != nil {
		return bare, err
	}
	at.prev = sum
	at.seq++
	at.ago++
	return bare, nil
}

// sealed appends what was said in a call, encrypted.
func (w *writer) sealed(out *bytes.Buffer, c *llm.Call, keys *sealed.Keys, place string) error {
	w.plain.Reset()
	if err := w.calls.Said(&w.plain, c); err != nil || w.plain.Len() == 0 {
		return err
	}
	text, err := keys.Seal(w.cipher[:0], w.plain.Bytes(), place)
	if err != nil {
		return err
	}
	out.Write(text)
	if w.cipher = text; cap(text) > keepBuffer {
		w.cipher, w.plain = nil, bytes.Buffer{}
	}
	return nil
}

// room cuts off what a failed write left, and begins a new segment when the last
// one is full.
func (j *Journal) room(now time.Time) error {
	j.mu.Lock()
	last := j.segments[len(j.segments)-1]
	size := last.size
	j.mu.Unlock()
	if j.w.tail {
		if err := j.w.file.Truncate(size); err != nil {
			return j.failed(fmt.Errorf("take back an unfinished write: %w", err))
		}
		j.w.tail = false
	}
	if size < j.cfg.SegmentBytes && !(now.Sub(last.created) > segmentTime && size > segmentHead) {
		return nil
	}
	if err := j.roll(now); err != nil {
		return j.failed(err)
	}
	return nil
}

// persist writes the buffer and makes it durable; only then it counts.
func (j *Journal) persist(e encoded, now time.Time) error {
	w := &j.w
	j.mu.Lock()
	last := j.segments[len(j.segments)-1]
	offset := last.size
	j.mu.Unlock()
	if e.records > 0 {
		w.tail = true
		if _, err := w.file.WriteAt(w.out.Bytes(), offset); err != nil {
			return j.failed(fmt.Errorf("write to the journal: %w", err))
		}
		// After a failure nothing is known of the pages of the file: the retry writes
		// them again and does not only sync again.
		if err := datasync(w.file); err != nil {
			return j.failed(fmt.Errorf("make the journal durable: %w", err))
		}
		w.tail = false
		w.head = e.sum
	}
	j.publish(last, e, now)
	if w.out.Cap() > keepBuffer {
		w.out = bytes.Buffer{}
	}
	return nil
}

// publish shows followers what became durable.
func (j *Journal) publish(last *segment, e encoded, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stat.DroppedBodies += e.bare
	j.stat.Refused += int64(len(e.refused))
	if e.records == 0 {
		return
	}
	size := int64(j.w.out.Len())
	last.size += size
	if len(j.followers) > 0 {
		b := batch{calls: e.calls, next: j.durable + e.records, segment: last.first, offset: last.size, at: now}
		j.recent.add(recentBatch{batch: b, first: j.durable, bytes: size})
	}
	j.durable += e.records
	j.unsigned += len(e.calls)
	j.stat.Syncs++
	j.stat.Appended += int64(len(e.calls))
	j.stat.AppendedBytes += size
	if j.stat.failing != nil {
		j.log.Info("the journal can be written to again")
		j.stat.failing = nil
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

// failed counts a failure to write, and says so once until it works again.
func (j *Journal) failed(err error) error {
	j.mu.Lock()
	first := j.stat.failing == nil
	j.stat.failing = err
	j.stat.Failures++
	j.mu.Unlock()
	if first {
		j.log.Error("the journal cannot be written to; calls wait in memory until it can", "error", err)
	}
	return err
}

// roll ends the last segment and begins a new one.
func (j *Journal) roll(now time.Time) error {
	j.mu.Lock()
	h := header{first: j.durable, created: now, prev: j.w.head, id: j.id}
	j.mu.Unlock()
	if _, err := rand.Read(h.salt[:]); err != nil {
		return fmt.Errorf("begin a segment: %w", err)
	}
	path := filepath.Join(j.dir, segmentName(h.first))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("begin a segment: %w", err)
	}
	err = func() error {
		if _, err := f.Write(h.bytes()); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		return syncDir(j.dir)
	}()
	if err != nil {
		f.Close()
		os.Remove(path) // nothing was written to it; Open removes it otherwise
		return fmt.Errorf("begin a segment: %w", err)
	}
	if j.w.file != nil {
		j.w.file.Close() // all of it is durable
	}
	j.w.file = f
	j.mu.Lock()
	defer j.mu.Unlock()
	j.segments = append(j.segments, &segment{path: path, header: h, size: segmentHead})
	select {
	case j.rolled <- struct{}{}:
	default:
	}
	return nil
}
