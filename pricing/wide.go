package pricing

import "math/bits"

// wide is an unsigned 128-bit sum. lost is set once it did not fit.
type wide struct {
	hi, lo uint64
	lost   bool
}

// addProduct adds a × b.
func (w *wide) addProduct(a, b uint64) {
	hi, lo := bits.Mul64(a, b)
	w.add(wide{hi: hi, lo: lo})
}

func (w *wide) add(o wide) {
	var carry uint64
	w.lo, carry = bits.Add64(w.lo, o.lo, 0)
	w.hi, carry = bits.Add64(w.hi, o.hi, carry)
	w.lost = w.lost || o.lost || carry != 0
}

// times returns w × b.
func (w wide) times(b uint64) wide {
	if b == 1 {
		return w
	}
	over, hi := bits.Mul64(w.hi, b)
	carry, lo := bits.Mul64(w.lo, b)
	var c uint64
	hi, c = bits.Add64(hi, carry, 0)
	return wide{hi, lo, w.lost || over != 0 || c != 0}
}

// over returns w ÷ d rounded half up; ok is false when that is no int64.
func (w wide) over(d uint64) (n int64, ok bool) {
	if w.lost || w.hi >= d {
		return 0, false
	}
	q, r := w.lo, uint64(0)
	if d != 1 || w.hi != 0 {
		q, r = bits.Div64(w.hi, w.lo, d)
	}
	if r >= d-r && r != 0 {
		q++
	}
	return int64(q), q <= 1<<63-1
}
