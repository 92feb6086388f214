package proxy

import (
	"io"
	"sync"

	"github.com/spanwire/spanwire/llm"
)

// tailBytes is how much of the end of a body is kept when it exceeds its limit.
const tailBytes = 64 << 10

// capture keeps a bounded copy of a body: all of it up to limit, beyond that
// its head and its last tailBytes.
type capture struct {
	limit int
	data  []byte // the head
	tail  []byte // a ring once it is full
	at    int    // next place in the ring
	size  int64
}

func (c *capture) reset(limit int) { *c = capture{limit: limit} }

// expect makes room for a body of n bytes. It trusts n only up to maxTrusted: a
// length is easily claimed.
func (c *capture) expect(n int64) {
	want := min(n, int64(c.limit), maxTrusted)
	if want <= int64(cap(c.data)) {
		return
	}
	if want > smallBody {
		if b, ok := copies.Get().(*[]byte); ok && int64(cap(*b)) >= want {
			c.data = append((*b)[:0], c.data...)
			return
		}
	}
	c.data = append(make([]byte, 0, want), c.data...)
}

const (
	maxTrusted = 1 << 20
	smallBody  = 4 << 10 // copies up to here are always worth their room
)

// copies are buffers of bodies that were not recorded.
var copies sync.Pool

// recycle gives the buffer back; nobody may use the copy any more.
func (c *capture) recycle() {
	if cap(c.data) > smallBody && cap(c.data) <= maxTrusted {
		b := c.data[:0]
		copies.Put(&b)
	}
	c.data = nil
}

func (c *capture) write(p []byte) {
	c.size += int64(len(p))
	if room := c.limit - len(c.data); room > 0 {
		n := min(room, len(p))
		c.data = append(c.data, p[:n]...)
		p = p[n:]
	}
	if len(p) > tailBytes {
		p = p[len(p)-tailBytes:]
	}
	for len(p) > 0 {
		if len(c.tail) < tailBytes {
			n := min(tailBytes-len(c.tail), len(p))
			c.tail = append(c.tail, p[:n]...)
			p = p[n:]
			continue
		}
		n := copy(c.tail[c.at:], p)
		c.at = (c.at + n) % tailBytes
		p = p[n:]
	}
}

// whole says whether nothing is missing from data.
func (c *capture) whole() bool { return c.size == int64(len(c.data)) }

func (c *capture) body() llm.Body {
	if c.whole() {
		return llm.Body{Data: c.data, Size: c.size}
	}
	b := llm.Body{Head: len(c.data), Size: c.size, Truncated: c.size > int64(len(c.data)+len(c.tail))}
	b.Data = append(append(c.data[:len(c.data):len(c.data)], c.tail[c.at:]...), c.tail[:c.at]...)
	if !b.Truncated {
		b.Head = 0
	}
	return b
}

// shrink drops what a whole body has beyond limit, as if no more had been kept.
func (c *capture) shrink(limit int) {
	if len(c.data) <= limit {
		return
	}
	all := c.data
	c.reset(limit)
	c.write(all)
}

// room says whether n more bytes can be kept whole.
func (c *capture) room(n int64) bool { return c.whole() && c.size+n <= int64(c.limit) }

// readFrom reads once from r, at most n bytes, into a body that is kept whole.
func (c *capture) readFrom(r io.Reader, n int64) (int, error) {
	if len(c.data) == cap(c.data) { // twice as much, but no more than is to come
		more := min(int64(len(c.data))+bufSize, n)
		c.data = append(make([]byte, 0, int64(len(c.data))+more), c.data...)
	}
	free := c.data[len(c.data):cap(c.data)]
	if int64(len(free)) > n {
		free = free[:n]
	}
	got, err := r.Read(free)
	c.data = c.data[:len(c.data)+got]
	c.size += int64(got)
	return got, err
}
