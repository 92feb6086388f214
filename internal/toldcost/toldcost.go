// Package toldcost reads what a provider says that a call cost, exactly: in its
// usage object, or in a header.
package toldcost

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/llm"
)

// Of reads what a provider says that the call cost (wire reference, section 13),
// exactly, in the currency that it names and else in US dollars. usage is its usage
// object, empty when there is none. ok is false when it says nothing, or nothing that
// can be believed.
func Of(usage []byte, h llm.Header) (cost llm.Cost, ok bool) {
	told := func(m llm.Money) llm.Cost {
		return llm.Cost{Total: m.Amount, Currency: m.Currency, Source: llm.CostProvider, Status: llm.CostOK}
	}
	if bytes.Contains(usage, []byte("cost")) { // most say nothing
		if m, ok, final := costIn(usage); final {
			if !ok {
				return llm.Cost{}, false
			}
			return told(m), true
		}
	}
	if v := h.Get("x-litellm-response-cost"); v != "" {
		if total, ok := decimal(v, 12); ok {
			return told(llm.Money{Amount: total}), true
		}
	}
	return llm.Cost{}, false
}

// costIn reads the cost that a usage object tells. final says that nothing else
// is to be asked.
func costIn(usage []byte) (m llm.Money, ok, final bool) {
	u := gjson.ParseBytes(usage)
	total := llm.Pico(0)
	if cost := u.Get("cost"); cost.IsObject() {
		currency, err := llm.ParseCurrency(strings.ToUpper(cost.Get("currency").String()))
		if err != nil {
			return m, false, true
		}
		if total, ok = money(cost.Get("total_cost"), 12); ok {
			return llm.Money{Amount: total, Currency: currency}, true, true
		}
	} else if total, ok = money(cost, 12); ok {
		// With a key of the caller's own the vendor bills its fee alone, and the
		// provider behind it the rest.
		if u.Get("is_byok").Bool() {
			if up, told := money(u.Get("cost_details.upstream_inference_cost"), 12); told {
				total += up
			}
		}
		return llm.Money{Amount: total}, total >= 0, true
	}
	// A tick is 10⁻¹⁰ USD. 0 stands where another one bills (Grok on Azure).
	if total, ok = money(u.Get("cost_in_usd_ticks"), 2); ok && total > 0 {
		return llm.Money{Amount: total}, true, true
	}
	return m, false, false
}

// money reads a number, or a text of one, in units of 10^scale pico.
func money(v gjson.Result, scale int) (llm.Pico, bool) {
	switch v.Type {
	case gjson.Number:
		return decimal(v.Raw, scale)
	case gjson.String:
		return decimal(v.Str, scale)
	}
	return 0, false
}

// decimal reads a decimal number without a detour over floats and returns it
// times 10^scale, rounded half up. ok is false for anything else: signs, words,
// more than Pico holds.
func decimal(s string, scale int) (total llm.Pico, ok bool) {
	s = strings.TrimSpace(s)
	mantissa, exp, hasExp := strings.Cut(strings.ToLower(s), "e")
	shift := scale
	if hasExp {
		e, ok := exponent(exp)
		if !ok {
			return 0, false
		}
		shift += e
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	all := whole + frac
	if !digits(all) || len(all) > 64 {
		return 0, false
	}
	// all × 10^(shift - len(frac)) is the result.
	keep := len(all) - len(frac) + shift
	var n int64
	for i := range max(keep, 0) {
		d := int64(0)
		if i < len(all) {
			d = int64(all[i] - '0')
		}
		if n > (1<<63-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if keep >= 0 && keep < len(all) && all[keep] >= '5' {
		n++
	}
	return llm.Pico(n), n >= 0
}

func exponent(s string) (int, bool) {
	neg := strings.HasPrefix(s, "-")
	if neg || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if !digits(s) {
		return 0, false
	}
	if s = strings.TrimLeft(s, "0"); len(s) > 3 {
		return 0, false
	}
	n, err := strconv.Atoi("0" + s)
	if neg {
		n = -n
	}
	return n, err == nil
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
