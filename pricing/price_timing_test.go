package pricing_test

import (
	"testing"

	"github.com/spanwire/spanwire/pricing"
)

// Warm lookup and cost together; the goal is 200 ns and no allocation.
func BenchmarkPrice(b *testing.B) {
	tab := defaultTable(b)
	call := warmCall()
	b.ReportAllocs()
	for b.Loop() {
		tab.Price(call)
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := pricing.Default(); err != nil {
			b.Fatal(err)
		}
	}
}
