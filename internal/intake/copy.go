package intake

import (
	"io"
	"time"
)

// Bounds on the copy of a body.
const (
	maxHead   = 1 << 20 // beginning of a body
	maxTail   = 64 << 10
	maxPacked = 4 << 20 // body under a content-encoding, which can only be read from its start
	maxMarks  = 2048
)

// bounded is the copy of a body: its beginning, and past that its end, as usage
// stands last.
type bounded struct {
	head []byte
	tail []byte // ring, allocated when the head is full
	at   int    // where the ring goes on
	full bool   // the ring has wrapped
}

func (c *bounded) add(p []byte) {
	if room := maxHead - len(c.head); room > 0 {
		n := min(room, len(p))
		c.head = append(c.head, p[:n]...)
		p = p[n:]
	}
	if len(p) == 0 {
		return
	}
	if c.tail == nil {
		c.tail = make([]byte, maxTail)
	}
	if len(p) >= maxTail {
		copy(c.tail, p[len(p)-maxTail:])
		c.at, c.full = 0, true
		return
	}
	n := copy(c.tail[c.at:], p)
	if n < len(p) {
		copy(c.tail, p[n:])
		c.full = true
	}
	if c.at += len(p); c.at >= maxTail {
		c.at, c.full = c.at-maxTail, true
	}
}

// end returns what was kept behind the head. gap says that bytes are missing
// between the two.
func (c *bounded) end() (tail []byte, gap bool) {
	if !c.full {
		return c.tail[:c.at], false
	}
	return append(append(make([]byte, 0, maxTail), c.tail[c.at:]...), c.tail[:c.at]...), true
}

// packed is the bounded copy of a body that is still under its content-encoding,
// with the times at which its pieces came: decoded later, it reads as it would
// have then.
type packed struct {
	data   []byte
	marks  []mark
	stride int // pieces a mark, once there were many
	since  int
	cut    bool // the body is longer than the copy
}

type mark struct {
	end int // of the piece in data
	at  time.Time
}

func (k *packed) add(p []byte, at time.Time) {
	if room := maxPacked - len(k.data); len(p) > room {
		p, k.cut = p[:room], true
	}
	if len(p) == 0 {
		return
	}
	k.data = append(k.data, p...)
	if k.stride == 0 {
		k.stride = 1
	}
	if k.since++; k.since < k.stride && len(k.marks) > 0 {
		k.marks[len(k.marks)-1].end = len(k.data)
		return
	}
	k.since = 0
	if len(k.marks) == maxMarks {
		for i := range maxMarks / 2 {
			k.marks[i] = mark{k.marks[2*i+1].end, k.marks[2*i].at}
		}
		k.marks = k.marks[:maxMarks/2]
		k.stride *= 2
	}
	k.marks = append(k.marks, mark{len(k.data), at})
}

// replay reads the pieces again, never across a mark, and knows when the one
// that was read last had come.
type replay struct {
	k    *packed
	i, n int // next byte, next mark
	at   time.Time
}

func (r *replay) Read(p []byte) (int, error) {
	if r.i == len(r.k.data) {
		return 0, io.EOF
	}
	for r.k.marks[r.n].end <= r.i {
		r.n++
	}
	m := r.k.marks[r.n]
	n := copy(p, r.k.data[r.i:m.end])
	r.i, r.at = r.i+n, m.at
	return n, nil
}
