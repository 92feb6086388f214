package llm_test

import (
	"math"
	"slices"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

func TestParseCurrency(t *testing.T) {
	f := func(code, want string, ok bool) {
		t.Helper()
		c, err := llm.ParseCurrency(code)
		if c.String() != want || (err == nil) != ok {
			t.Errorf("%q: %v, %v", code, c, err)
		}
	}
	f("", "USD", true)
	f("USD", "USD", true)
	f("CNY", "CNY", true)
	f("usd", "USD", false)
	f("EURO", "USD", false)
	f("€", "USD", false)
	f("E R", "USD", false)
	if c, _ := llm.ParseCurrency("USD"); c != llm.USD {
		t.Error("there are two US dollars")
	}
}

func TestCostsAreNeverMixed(t *testing.T) {
	var c llm.Costs
	if c.String() != "$0" || c.In("CNY") != 0 {
		t.Error(c)
	}
	for _, m := range []llm.Money{{Amount: 2_500_000_000_000, Currency: "EUR"}, {Amount: 1, Currency: "CNY"}, {Amount: 100_000_000_000}, {Amount: 500_000_000_000, Currency: "EUR"}} {
		c.Add(m)
	}
	if got, want := c.String(), "$0.1 + 0.000000000001 CNY + 3 EUR"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if c.In(llm.USD) != 100_000_000_000 || c.In("EUR") != 3_000_000_000_000 || c.In("GBP") != 0 {
		t.Error(c)
	}
	c = nil
	for _, n := range []llm.Pico{math.MaxInt64, 1} {
		c.Add(llm.Money{Amount: n})
	}
	for _, n := range []llm.Pico{math.MinInt64, -1} {
		c.Add(llm.Money{Amount: n, Currency: "CNY"})
	}
	if !slices.Equal(c, llm.Costs{{Amount: math.MaxInt64}, {Amount: math.MinInt64, Currency: "CNY"}}) {
		t.Error("a sum has gone around: ", c)
	}
}
