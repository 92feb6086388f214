package tracing

import (
	"context"
	"sync"
	"time"
)

// queue holds encoded spans for one exporter until enough of them wait, or long
// enough, and hands them out in batches. It is bounded in bytes; spans that are
// handed out count until they are finished.
type queue struct {
	batch Batch
	max   int64

	mu      sync.Mutex
	spans   []span
	since   time.Time // when the first of spans came in
	waiting int64     // bytes of spans
	held    int64     // bytes of spans and of what is handed out and not finished
	out     int       // spans handed out and not finished
	closed  bool

	wake    chan struct{} // one place: something changed that run waits for
	batches chan []span
}

func newQueue(b Batch, maxBytes int64) *queue {
	return &queue{batch: b, max: maxBytes, wake: make(chan struct{}, 1), batches: make(chan []span)}
}

// put takes as many spans as there is room for, and returns how many it took. It
// never waits. It holds them from then on; the slice stays the caller's.
func (q *queue) put(spans []span) (taken int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0
	}
	first := len(q.spans) == 0
	for _, s := range spans {
		// A span larger than the whole queue could never be sent.
		if q.held+int64(len(s.b)) > q.max {
			break
		}
		s.hold()
		q.spans = append(q.spans, s)
		q.held += int64(len(s.b))
		q.waiting += int64(len(s.b))
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
func (q *queue) take() (batch []span, wait time.Duration, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.spans) == 0 {
		return nil, time.Hour, q.closed
	}
	wait = q.batch.Delay - time.Since(q.since)
	if !q.closed && !q.full() && wait > 0 {
		return nil, wait, false
	}
	n, size := q.batch.fit(func(i int) int { return len(q.spans[i].b) }, len(q.spans))
	batch = append(batch, q.spans[:n]...)
	rest := copy(q.spans, q.spans[n:])
	clear(q.spans[rest:])
	q.spans = q.spans[:rest]
	q.waiting -= size
	q.out += n
	return batch, 0, false
}

// fit returns how many of so many spans make a batch, as many as may be in one and
// at least one, and their bytes.
func (b Batch) fit(length func(i int) int, spans int) (n int, size int64) {
	for n < spans && n < b.Spans {
		one := int64(length(n))
		if n > 0 && size+one > int64(b.Bytes) {
			break
		}
		size += one
		n++
	}
	return n, size
}

// giveBack puts a batch that nobody took back in front, to be counted as left over.
func (q *queue) giveBack(batch []span) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.out -= len(batch)
	q.waiting += size(batch)
	q.spans = append(batch, q.spans...)
}

// finished says that a batch which was handed out is done with.
func (q *queue) finished(batch []span) {
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

func size(spans []span) (n int64) {
	for _, s := range spans {
		n += int64(len(s.b))
	}
	return n
}
