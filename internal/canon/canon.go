// Package canon keeps one copy of the short texts and numbers that come again with
// call after call: names of models, roles, the values of parameters. To meet one again
// costs no memory, also where it goes into an interface value.
//
// What is kept is bounded: a value that falls onto the place of another one replaces
// it. Texts may be kept for as long as anybody likes. All functions may be called by
// many goroutines.
package canon

import (
	"hash/maphash"
	"math"
	"sync/atomic"
)

// MaxText is how long a text may be to be kept, in bytes.
const MaxText = 64

// A value has its place in one of many sets of a few.
const (
	sets = 1 << 8
	ways = 4
)

type text struct {
	s     string
	boxed any
}

type number struct {
	bits  uint64
	boxed any
}

var (
	seed         = maphash.MakeSeed()
	texts        [sets][ways]atomic.Pointer[text]
	floats, ints numbers
	turn         atomic.Uint32 // whose place is taken next
)

type numbers [sets][ways]atomic.Pointer[number]

// Text returns b as a string.
func Text(b []byte) string {
	if len(b) == 0 || len(b) > MaxText {
		return string(b)
	}
	return find(b).s
}

// Any returns b as a string in an interface.
func Any(b []byte) any {
	if len(b) > MaxText {
		return string(b)
	}
	return find(b).boxed
}

func find(b []byte) *text {
	set := &texts[maphash.Bytes(seed, b)%sets]
	free := -1
	for i := range set {
		t := set[i].Load()
		if t == nil {
			free = i
			break // they are filled in order
		}
		if t.s == string(b) {
			return t
		}
	}
	if free < 0 {
		free = int(turn.Add(1) % ways)
	}
	t := &text{s: string(b)}
	t.boxed = t.s
	set[free].Store(t)
	return t
}

// Float returns f in an interface.
func Float(f float64) any {
	return floats.find(math.Float64bits(f), func(bits uint64) any { return math.Float64frombits(bits) })
}

// Int returns n in an interface.
func Int(n int64) any {
	return ints.find(uint64(n), func(bits uint64) any { return int64(bits) })
}

func (t *numbers) find(bits uint64, box func(uint64) any) any {
	// Most numbers differ in their upper or in their lower bits alone (Fibonacci hashing).
	set := &t[bits*0x9E3779B97F4A7C15>>56]
	free := -1
	for i := range set {
		n := set[i].Load()
		if n == nil {
			free = i
			break
		}
		if n.bits == bits {
			return n.boxed
		}
	}
	if free < 0 {
		free = int(turn.Add(1) % ways)
	}
	n := &number{bits, box(bits)}
	set[free].Store(n)
	return n.boxed
}
