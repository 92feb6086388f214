package intake

import (
	"math/bits"
	"slices"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Rhythm keeps the gaps between the pieces of a stream: each of them for the
// first few hundred, then their counts by size. Memory is bounded.
type Rhythm struct {
	first, last time.Time
	n           int
	sum, max    time.Duration
	exact       []uint32 // microseconds
	hist        []uint32 // counts, once there are too many; see bucket
}

const exactGaps = 512

// Piece notes a piece with content.
func (r *Rhythm) Piece(at time.Time) {
	r.n++
	if r.n == 1 {
		r.first, r.last = at, at
		return
	}
	gap := max(at.Sub(r.last), 0)
	r.last = at
	r.sum += gap
	r.max = max(r.max, gap)
	us := uint32(min(gap/time.Microsecond, 1<<32-1))
	if r.hist != nil {
		r.hist[bucket(us)]++
		return
	}
	if r.exact = append(r.exact, us); len(r.exact) == exactGaps {
		r.hist = make([]uint32, bucket(1<<32-1)+1)
		for _, us := range r.exact {
			r.hist[bucket(us)]++
		}
		r.exact = nil
	}
}

// bucket has eight steps an octave: a quantile read off it is at most 7 % off.
func bucket(us uint32) int {
	if us < 8 {
		return int(us)
	}
	e := bits.Len32(us) - 4
	return e<<3 + int(us>>e)
}

// floor is the smallest value of a bucket.
func floor(b int) uint32 {
	if b < 16 {
		return uint32(b)
	}
	e := b>>3 - 1
	return uint32(b&7|8) << e
}

// First returns when the first piece came; the zero time when none has.
func (r *Rhythm) First() time.Time { return r.first }

// Chunks returns the figures.
func (r *Rhythm) Chunks() llm.Chunks {
	c := llm.Chunks{Count: r.n}
	if r.n < 2 {
		return c
	}
	c.GapMax = r.max
	c.GapMean = r.sum / time.Duration(r.n-1)
	c.GapP95 = time.Duration(r.p95()) * time.Microsecond
	return c
}

// p95 is the smallest gap that 95 % of the gaps do not exceed.
func (r *Rhythm) p95() uint32 {
	rank := ((r.n-1)*95 + 99) / 100
	if r.hist == nil {
		sorted := slices.Sorted(slices.Values(r.exact))
		return sorted[rank-1]
	}
	for b, n := range r.hist {
		if rank -= int(n); rank <= 0 {
			return floor(b)
		}
	}
	return floor(len(r.hist) - 1)
}

// Text is a text that grows within a bound shared by all texts of an answer. It
// is kept as it stands between its quotes and unescaped at the end: that is
// cheaper while the stream passes, and it mends characters whose surrogates came
// in two pieces.
type Text struct {
	Raw  []byte
	Seen int // bytes seen, kept or not
}

// MaxText bounds the text that is kept of one answer, in bytes.
const MaxText = 1 << 20

// Room is what an answer may still keep.
type Room struct{ Used, Lost int }

// Add appends raw, which is the inside of a JSON string, and reports whether
// there was any.
func (t *Text) Add(room *Room, raw []byte) bool {
	if len(raw) == 0 {
		return false
	}
	t.Seen += len(raw)
	n := min(len(raw), MaxText-room.Used)
	t.Raw = append(t.Raw, raw[:n]...)
	room.Used += n
	room.Lost += len(raw) - n
	return true
}

// Hold sets the text to raw itself, which nobody writes to any more; to one that has
// begun it is added. It reports whether there was any.
func (t *Text) Hold(room *Room, raw []byte) bool {
	if t.Seen > 0 || len(raw) > MaxText-room.Used {
		return t.Add(room, raw)
	}
	t.Raw, t.Seen = raw[:len(raw):len(raw)], len(raw)
	room.Used += len(raw)
	return len(raw) > 0
}
