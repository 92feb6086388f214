package recorder

import (
	"sync"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// A wake-up of an idle worker costs more than all else that the recorder does
// with an exchange. So a worker is woken when the delay of a batch has passed
// since the first exchange came, or earlier when so many wait that reading them
// should not be put off.
const (
	wakeAt   = 128 // exchanges
	takeMost = 16  // exchanges a worker takes at once: the rest is left for the others
)

// queue is the bounded queue between the data path and the workers. What a
// worker took stays charged until it was released.
type queue struct {
	maxCount int
	maxBytes int64
	wakeAt   int
	delay    time.Duration

	mu        sync.Mutex
	items     []item // items[head:] wait
	head      int
	waiting   int64  // bytes of these
	count     int    // exchanges waiting and taken
	bytes     int64  // bytes of these
	taken     uint64 // how many were taken out so far
	closed    bool
	abandoned bool

	timer *time.Timer   // runs while something waits
	early chan struct{} // one token: do not wait for the timer
	done  chan struct{} // closed by close
}

type item struct {
	ex    *llm.Exchange
	bytes int64
	bare  bool   // its request body was left out
	turn  uint64 // its place in the order, from 0; set when it is taken
}

// Past half of its bytes the queue takes exchanges without their request bodies,
// unless they are small: what a call cost and how it went is known without its
// prompt, and of these a hundred times as many have room. Only when that is not
// enough are exchanges lost.
const smallBody = 4 << 10

// strip leaves the copy of the request body out when there is no room for it.
// The mutex is held.
func (q *queue) strip(it *item) {
	body := &it.ex.Request
	if body.Data == nil && body.Truncated {
		it.bare = true // the relay has left it out: see Pressed
		return
	}
	if q.bytes+it.bytes <= q.maxBytes/2 || cap(body.Data) <= smallBody {
		return
	}
	it.bytes -= int64(cap(body.Data))
	it.bare = true
	body.Data, body.Head, body.Truncated = nil, 0, true
}

func newQueue(maxCount int, maxBytes int64, delay time.Duration) *queue {
	q := &queue{
		maxCount: maxCount,
		maxBytes: maxBytes,
		wakeAt:   min(wakeAt, maxCount/4+1),
		delay:    delay,
		timer:    time.NewTimer(delay),
		early:    make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
	q.timer.Stop()
	return q
}

// pressed says whether bodies are being left out.
func (q *queue) pressed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes > q.maxBytes/2-largeBody
}

// largeBody is about what a body brings that makes the difference.
const largeBody = 64 << 10

// put adds an exchange, or says why not. It never waits.
func (q *queue) put(ex *llm.Exchange) (no reason, ok bool) {
	it := item{ex: ex, bytes: exchangeBytes(ex)}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.strip(&it)
	switch {
	case q.closed:
		return droppedClosed, false
	case q.count >= q.maxCount:
		return droppedCount, false
	case q.bytes+it.bytes > q.maxBytes:
		return droppedBytes, false
	}
	if q.head > 0 && len(q.items) == cap(q.items) {
		q.compact()
	}
	q.items = append(q.items, it)
	q.count++
	q.bytes += it.bytes
	q.waiting += it.bytes
	switch n := len(q.items) - q.head; {
	case n >= q.wakeAt, q.waiting > q.maxBytes/4:
		q.wake()
	case n == 1:
		q.timer.Reset(q.delay)
	}
	return 0, true
}

// take moves some of what waits into buf. When nothing does it calls idle and
// blocks until something comes. It returns 0 when the queue was closed and
// nothing is left.
func (q *queue) take(buf []item, idle func()) int {
	for {
		n, closed := q.pop(buf)
		if n > 0 || closed {
			return n
		}
		idle()
		select {
		case <-q.timer.C:
		case <-q.early:
		case <-q.done:
		}
	}
}

func (q *queue) pop(buf []item) (n int, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = copy(buf, q.items[q.head:])
	for i := range buf[:n] {
		q.waiting -= buf[i].bytes
		buf[i].turn = q.taken
		q.taken++
	}
	clear(q.items[q.head : q.head+n])
	q.head += n
	switch {
	case q.head < len(q.items):
		if n > 0 {
			q.wake() // another worker, if one is idle
		}
	case n > 0:
		q.items, q.head = q.items[:0], 0
		q.timer.Stop()
	}
	return n, q.closed
}

// release takes an exchange off the charge. It returns false when the queue was
// abandoned meanwhile: then it is already counted as lost.
func (q *queue) release(bytes int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.abandoned {
		return false
	}
	q.count--
	q.bytes -= bytes
	return true
}

// close lets nothing more in. What waits is still taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		q.timer.Stop()
		close(q.done)
	}
}

// rest returns how many times the usual rest is due after an item of so many bytes,
// with a large body or without.
func (q *queue) rest(bytes int64, large bool) float64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return 0
	case q.bytes > q.maxBytes/2-bytes && large:
		return restPressed
	}
	return 1
}

// abandon gives up what waits and what workers still hold, and returns how many
// exchanges that was.
func (q *queue) abandon() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.count
	clear(q.items)
	q.items, q.head, q.waiting, q.count, q.bytes, q.abandoned = nil, 0, 0, 0, 0, true
	return n
}

func (q *queue) depth() (count int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count, q.bytes
}

func (q *queue) wake() {
	select {
	case q.early <- struct{}{}:
	default:
	}
}

func (q *queue) compact() {
	n := copy(q.items, q.items[q.head:])
	clear(q.items[n:])
	q.items, q.head = q.items[:n], 0
}

// exchangeBytes is what an exchange holds in memory, or more. What an observer
// keeps cannot be seen from here: at most all that went by, and no more than
// the bound that readers of responses keep to.
func exchangeBytes(ex *llm.Exchange) int64 {
	const fixed, observed = 1 << 10, 4 << 20
	n := int64(fixed + len(ex.Target) + len(ex.UpstreamTarget) + len(ex.RequestHeader) + len(ex.ResponseHeader) +
		cap(ex.Request.Data) + cap(ex.Response.Data))
	if ex.Observer != nil {
		n += min(ex.Response.Size, observed)
	}
	return n
}
