package proxy

import (
	"sync"
	"time"
)

// maxHeld bounds the copies of pieces that wait for an older one to be shown.
const maxHeld = 256 << 10

// order shows the observer of a tunnel what went by in the order in which it did.
// Each direction writes first and shows after: an answer can be back before the
// question that it is to was shown. What overtook such a piece waits for it, not in
// the way of any byte: it is held as a copy, up to a bound.
type order struct {
	mu   sync.Mutex
	last uint64
	open [2]uint64 // what each direction is writing, by number; 0 is nothing
	held []heldPiece
	size int
	show func(way int, p []byte, at time.Time)
}

type heldPiece struct {
	way int
	p   []byte
	at  time.Time
}

// begin is called before a piece is written.
func (o *order) begin(way int) {
	o.mu.Lock()
	o.last++
	o.open[way] = o.last
	o.mu.Unlock()
}

// done is called after it was; p is not kept.
func (o *order) done(way int, p []byte, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	mine, other := o.open[way], o.open[1-way]
	o.open[way] = 0
	if other != 0 && other < mine && o.size+len(p) <= maxHeld {
		o.held = append(o.held, heldPiece{way, append([]byte(nil), p...), at})
		o.size += len(p)
		return
	}
	if len(o.held) > 0 && o.held[0].way == way { // older than this one
		o.release()
	}
	o.show(way, p, at)
	o.release()
}

// failed is called when it was not.
func (o *order) failed(way int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open[way] = 0
	o.release()
}

// release shows what was held. The mutex is held, or both directions have ended.
func (o *order) release() {
	for _, h := range o.held {
		o.show(h.way, h.p, h.at)
	}
	o.held, o.size = o.held[:0], 0
}
