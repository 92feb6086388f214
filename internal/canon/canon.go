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

const places = 1 << 10

type text struct {
	s     string
	boxed any
}

type number struct {
	bits  uint64
	boxed any
}

var (
	seed   = maphash.MakeSeed()
	texts  [places]atomic.Pointer[text]
	floats [places]atomic.Pointer[number]
	ints   [places]atomic.Pointer[number]
)

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
	at := &texts[maphash.Bytes(seed, b)%places]
	t := at.Load()
	if t == nil || t.s != string(b) {
		t = &text{s: string(b)}
		t.boxed = t.s
		at.Store(t)
	}
	return t
}

// Float returns f in an interface.
func Float(f float64) any {
	bits := math.Float64bits(f)
	at := &floats[place(bits)]
	if n := at.Load(); n != nil && n.bits == bits {
		return n.boxed
	}
	n := &number{bits, f}
	at.Store(n)
	return n.boxed
}

// Int returns n in an interface.
func Int(n int64) any {
	at := &ints[place(uint64(n))]
	if v := at.Load(); v != nil && v.bits == uint64(n) {
		return v.boxed
	}
	v := &number{uint64(n), n}
	at.Store(v)
	return v.boxed
}

// place spreads numbers, most of which differ in their upper or in their lower bits
// alone (Fibonacci hashing).
func place(bits uint64) uint64 { return bits * 0x9E3779B97F4A7C15 >> 54 }
