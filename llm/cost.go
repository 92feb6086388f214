package llm

import "strconv"

// Pico is an amount of money in 10⁻¹² of the unit of its currency. Every rate and every
// sum is a whole number of them, so money is exact. The range is ± 9.2 million units.
type Pico int64

// PicoUSD is an amount that is in US dollars wherever the name stands. Where the
// currency may be another one the type is [Pico], and a [Currency] is beside it.
type PicoUSD = Pico

// USD returns the amount in units, for conventions that want a double of dollars.
func (p Pico) USD() float64 { return float64(p) / 1e12 }

// String returns the exact decimal text in units without trailing zeros: "0.000351", "-2", "0".
func (p Pico) String() string {
	const digits = 12
	var buf [40]byte
	neg := p < 0
	u := uint64(p)
	if neg {
		u = -u
	}
	s := strconv.AppendUint(buf[:0], u, 10)
	for len(s) <= digits {
		s = append(s, 0)
		copy(s[1:], s)
		s[0] = '0'
	}
	out := string(s[:len(s)-digits])
	frac := s[len(s)-digits:]
	for len(frac) > 0 && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	if len(frac) > 0 {
		out += "." + string(frac)
	}
	if neg {
		out = "-" + out
	}
	return out
}

// Cost is what a call cost. With Source CostUnset no amount is known and Status
// says why; unset is not 0. An amount of 0 with another source means free.
type Cost struct {
	Total Pico
	// Parts of the total; their sum is Total when the table made it, and they
	// are all 0 when a provider told only the total.
	Input, Output, CacheRead, CacheWrite, Tools Pico
	// Currency is that of every amount here.
	Currency Currency

	Source CostSource
	Status CostStatus
	Price  string // matched price id and table date: "openai/gpt-4o@2026-11-21"; "" when none

	// Table is what the table says when the provider told the cost: kept so that
	// the difference can be watched. HasTable is false when the table could not say,
	// or said it in another currency.
	Table    Pico
	HasTable bool
}

// CostSource says where the amount is from (spanwire.cost.source).
type CostSource string

// The sources of a cost. The zero value counts as unset.
const (
	CostProvider CostSource = "provider"
	CostTable    CostSource = "table"
	CostOverride CostSource = "override"
	CostUnset    CostSource = "unset"
)

// Money returns the total with its currency.
func (c Cost) Money() Money { return Money{c.Total, c.Currency} }

// Known says whether there is an amount.
func (c Cost) Known() bool { return c.Source != "" && c.Source != CostUnset }

// CostStatus qualifies the amount, or says why there is none (spanwire.cost.status).
type CostStatus string

// The statuses of a cost.
const (
	CostOK                CostStatus = "ok"
	CostEstimated         CostStatus = "estimated"
	CostUnknownModel      CostStatus = "unknown_model"
	CostTierUnpriced      CostStatus = "tier_unpriced"
	CostToolUnpriced      CostStatus = "tool_unpriced"
	CostInconsistentUsage CostStatus = "inconsistent_usage"
	CostNoUsage           CostStatus = "no_usage"
	CostMixedCurrencies   CostStatus = "mixed_currencies" // parts of the call are priced in different ones
)
