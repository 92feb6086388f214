package tracing

import (
	"sync"
	"sync/atomic"
)

// chunkBytes is how much memory for spans is taken at once.
const chunkBytes = 64 << 10

// chunk is memory that spans lie in until they were sent. It is used again when
// nobody holds it any more: Tracing holds the one that it writes to, and whoever
// has a span holds the span's chunk. What is never let go of is left to the garbage
// collector, so to forget one costs memory and does no harm; to let go of one twice
// would send the bytes of other spans.
type chunk struct {
	b    []byte
	held atomic.Int32
}

var chunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, chunkBytes)} }}

func newChunk() *chunk {
	c := chunks.Get().(*chunk)
	c.b = c.b[:0]
	c.held.Store(1)
	return c
}

func (c *chunk) release() {
	if c != nil && c.held.Add(-1) == 0 {
		chunks.Put(c)
	}
}

// span is an encoded span, which nobody changes.
type span struct {
	b  []byte
	in *chunk // nil for one with an array of its own
}

func (s span) hold() {
	if s.in != nil {
		s.in.held.Add(1)
	}
}

// release lets go of spans: their bytes must not be read from then on.
func release(spans []span) {
	for _, s := range spans {
		s.in.release()
	}
}

// bytesOf returns the bytes of spans.
func bytesOf(spans []span) [][]byte {
	out := make([][]byte, len(spans))
	for i, s := range spans {
		out[i] = s.b
	}
	return out
}

// writer has the memory that spans are written to: to write one elsewhere and copy
// it there would cost twice. Used by one goroutine at a time.
type writer struct {
	now  *chunk // being written to
	last int    // length of the last span
}

// room returns empty memory for a span, which is taken to be about as long as the
// last one.
func (w *writer) room() []byte {
	room := w.last + w.last/4 + 1<<10
	if room > chunkBytes/4 {
		return make([]byte, 0, room)
	}
	if w.now == nil || room > cap(w.now.b)-len(w.now.b) {
		w.now.release()
		w.now = newChunk()
	}
	return w.now.b[len(w.now.b):]
}

// wrote makes a span of what was appended to the last room, held for the caller.
func (w *writer) wrote(b []byte) span {
	w.last = len(b)
	if w.now == nil || len(b) == 0 {
		return span{b: b}
	}
	free := w.now.b[len(w.now.b):cap(w.now.b)]
	if len(b) > len(free) || &b[0] != &free[0] { // it outgrew the chunk or was too long for one
		return span{b: b}
	}
	w.now.b = w.now.b[:len(w.now.b)+len(b)]
	s := span{b: b[:len(b):len(b)], in: w.now}
	s.hold()
	return s
}
