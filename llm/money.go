package llm

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Currency is what money is counted in, by its code of ISO 4217: "CNY", "EUR". The
// zero value is the US dollar, which prices are in unless they say otherwise.
type Currency string

// USD is the US dollar.
const USD Currency = ""

// ParseCurrency reads a code of ISO 4217; "" and "USD" are the US dollar.
func ParseCurrency(code string) (Currency, error) {
	if code == "" || code == "USD" {
		return USD, nil
	}
	if len(code) != 3 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return USD, fmt.Errorf("currency %.20q is not a code of three capital letters, such as CNY", code)
	}
	return Currency(strings.Clone(code)), nil
}

// String returns the code, that of the US dollar too.
func (c Currency) String() string {
	if c == USD {
		return "USD"
	}
	return string(c)
}

// Money is an exact amount in a currency. The zero value is nothing, in US dollars.
type Money struct {
	Amount   Pico
	Currency Currency
}

// String returns the amount for people: "$0.00031", "0.0021 CNY".
func (m Money) String() string {
	if m.Currency == USD {
		return "$" + m.Amount.String()
	}
	return m.Amount.String() + " " + m.Currency.String()
}

// Costs is what was spent in each currency. Amounts in different currencies are never
// added up: what one is worth in the other is not in the traffic. There is one amount
// for each currency, US dollars first and the others by their codes.
type Costs []Money

// Add adds an amount to those of its currency. A sum stops at the ends of its range.
func (c *Costs) Add(m Money) {
	i, found := slices.BinarySearchFunc(*c, m.Currency, func(have Money, want Currency) int { return strings.Compare(string(have.Currency), string(want)) })
	if !found {
		*c = slices.Insert(*c, i, Money{Currency: m.Currency})
	}
	have := &(*c)[i].Amount
	switch sum := *have + m.Amount; {
	case m.Amount > 0 && sum < *have:
		*have = math.MaxInt64
	case m.Amount < 0 && sum > *have:
		*have = math.MinInt64
	default:
		*have = sum
	}
}

// In returns the amount in one currency; 0 where nothing was spent in it.
func (c Costs) In(currency Currency) Pico {
	for _, m := range c {
		if m.Currency == currency {
			return m.Amount
		}
	}
	return 0
}

// String returns all amounts, "$0.1 + 2.5 CNY", and "$0" when there are none.
func (c Costs) String() string {
	if len(c) == 0 {
		return Money{}.String()
	}
	texts := make([]string, len(c))
	for i, m := range c {
		texts[i] = m.String()
	}
	return strings.Join(texts, " + ")
}
