package openai_test

import "math/big"

// exact renders a number that a recording tells as a cost, in dollars, without
// rounding.
func exact(value, from string) string {
	r, ok := new(big.Rat).SetString(value)
	if !ok {
		return "not a number: " + value
	}
	if from == "cost_in_usd_ticks" {
		r.Quo(r, big.NewRat(10_000_000_000, 1))
	}
	s := r.FloatString(12)
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}
