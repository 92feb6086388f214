package tracing

import (
	"context"
	"sync"
	"time"
)

// queue holds encoded spans for one exporter until enough of them wait, or long
// enough, and hands them out in batches. It is bounded in bytes; spans that are
// handed out count until they are released.
type queue struct {
	batch Batch
	max   int64

	mu      sync.Mutex
	spans   [][]byte
	since   time.Time // when the first of spans came in
	waiting int64     // bytes of spans
	held    int64     // bytes of spans and of what is handed out and not released
	out     int       // spans handed out and not released
	closed  bool

	wake    chan struct{} // one place: something changed that run waits for
	batches chan [][]byte
}

func newQueue(b Batch, maxBytes int64) *queue {
	return &queue{batch: b, max: maxBytes, wake: make(chan struct{}, 1), batches: make(chan [][]byte)}
}

// put takes as many spans as there is room for, and returns how many it took. It
// never waits. The bytes belong to the queue from then on; the slice does not.
func (q *queue) put(spans [][]byte) (taken int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0
	}
	first := len(q.spans) == 0
	for _, s := range spans {
		// A span larger than the whole queue could never be sent.
		if q.held+int64(len(s)) > q.max {
			break
		}
		q.spans = append(q.spans, s)
		q.held += int64(len(s))
		q.waiting += int64(len(s))
		taken++
	}
	if first && taken > 0 {
		q.since = time.Now()
	}
	// Whoever sends is woken when it has something new to decide, not for each span.
	if taken > 0 && (first || q.full()) {
		q.poke()
	}
	return taken
}

func (q *queue) full() bool {
	return len(q.spans) >= q.batch.Spans || q.waiting >= int64(q.batch.Bytes)
}

func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// close lets what waits be handed out at once, and then ends run.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.poke()
}

// run hands out batches until the queue is closed and empty, or ctx is done. It
// closes the channel of batches when it returns.
func (q *queue) run(ctx context.Context) {
	defer close(q.batches)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		batch, wait, done := q.take()
		if done {
			return
		}
		if batch != nil {
			select {
			case q.batches <- batch:
				continue
			case <-ctx.Done():
				q.giveBack(batch)
				return
			}
		}
		timer.Reset(wait)
		select {
		case <-q.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// take returns the next batch when it is time for one, else how long to wait.
func (q *queue) take() (batch [][]byte, wait time.Duration, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.spans) == 0 {
		return nil, time.Hour, q.closed
	}
	wait = q.batch.Delay - time.Since(q.since)
	if !q.closed && !q.full() && wait > 0 {
		return nil, wait, false
	}
	n := q.batch.fit(q.spans)
	size := size(q.spans[:n])
	batch = append(batch, q.spans[:n]...)
	rest := copy(q.spans, q.spans[n:])
	clear(q.spans[rest:])
	q.spans = q.spans[:rest]
	q.waiting -= size
	q.out += n
	return batch, 0, false
}

// fit returns how many spans make a batch: as many as may be in one, at least one.
func (b Batch) fit(spans [][]byte) int {
	n, size := 0, 0
	for n < len(spans) && n < b.Spans {
		if n > 0 && size+len(spans[n]) > b.Bytes {
			break
		}
		size += len(spans[n])
		n++
	}
	return n
}

// giveBack puts a batch that nobody took back in front, to be counted as left over.
func (q *queue) giveBack(batch [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.out -= len(batch)
	q.waiting += size(batch)
	q.spans = append(batch, q.spans...)
}

// release says that a batch which was handed out is done with.
func (q *queue) release(batch [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.out -= len(batch)
	q.held -= size(batch)
}

// depth returns how many spans, and bytes of them, wait or are in flight.
func (q *queue) depth() (spans int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.spans) + q.out, q.held
}

// left empties the queue and returns how many spans were still waiting.
func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.spans)
	q.held -= q.waiting
	q.spans, q.waiting = nil, 0
	return n
}

func size(spans [][]byte) (n int64) {
	for _, s := range spans {
		n += int64(len(s))
	}
	return n
}
