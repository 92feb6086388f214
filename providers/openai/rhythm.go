package openai

import (
	"math/bits"
	"slices"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// rhythm keeps the gaps between the pieces of a stream: each of them for the
// first few hundred, then their counts by size. Memory is bounded.
type rhythm struct {
	first, last time.Time
	n           int
	sum, max    time.Duration
	exact       []uint32 // microseconds
	hist        []uint32 // counts, once there are too many; see bucket
}

const exactGaps = 512

// piece notes a piece with content.
func (r *rhythm) piece(at time.Time) {
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

func (r *rhythm) chunks() llm.Chunks {
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
func (r *rhythm) p95() uint32 {
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
