package canon_test

import (
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/spanwire/spanwire/internal/canon"
)

func TestValues(t *testing.T) {
	long := strings.Repeat("x", canon.MaxText+1)
	for _, s := range []string{"", "user", "gpt-4o-mini", long[1:], long} {
		b := []byte(s)
		text, boxed := canon.Text(b), canon.Any(b)
		for i := range b {
			b[i] = '!' // what was given may be written to again
		}
		if text != s || boxed != any(s) {
			t.Errorf("%q: %q and %v", s, text, boxed)
		}
	}
	for _, f := range []float64{0, 0.7, -1, 1e300, math.Inf(1)} {
		if canon.Float(f) != any(f) {
			t.Errorf("%v: %v", f, canon.Float(f))
		}
	}
	if f, ok := canon.Float(math.Copysign(0, -1)).(float64); !ok || !math.Signbit(f) {
		t.Error("-0 is another number than 0")
	}
	for _, n := range []int64{0, 1, -1, 512, math.MaxInt64, math.MinInt64} {
		if canon.Int(n) != any(n) {
			t.Errorf("%v: %v", n, canon.Int(n))
		}
	}
}

// What was met before costs no memory.
func TestNoAllocation(t *testing.T) {
	b := []byte("gpt-4o-mini-2024-07-18")
	n := testing.AllocsPerRun(100, func() {
		_, _, _, _ = canon.Text(b), canon.Any(b), canon.Float(0.7), canon.Int(4096)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Many goroutines that push each other's values out get their own.
func TestTogether(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			b := []byte("model-a-0000")
			for i := range 20_000 {
				b[6], b[11] = byte('a'+g), byte(i)
				b[10] = byte(i >> 8)
				if s := canon.Text(b); s != string(b) {
					t.Errorf("got %q, want %q", s, b)
				}
				if n := int64(g*20_000 + i); canon.Int(n) != any(n) {
					t.Errorf("got %v, want %d", canon.Int(n), n)
				}
			}
		})
	}
	wg.Wait()
}
