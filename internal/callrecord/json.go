package callrecord

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"

	"github.com/spanwire/spanwire/llm"
)

// MarshalJSON writes RFC 3339, or the seconds since 1970 of a year that it cannot write.
func (m moment) MarshalJSON() ([]byte, error) {
	t := m.time()
	if y := t.Year(); y < 0 || y > 9999 {
		return json.Marshal(m.Sec)
	}
	return json.Marshal(t)
}

// MarshalJSON writes the counts by kind, beside where they are from.
func (u usage) MarshalJSON() ([]byte, error) {
	counts := map[string]int64{}
	u.each(func(k llm.UsageKind, n int64) { counts[k.String()] = n })
	return json.Marshal(struct {
		Counts       map[string]int64 `json:"counts,omitempty"`
		Source       llm.UsageSource  `json:"source,omitempty"`
		Tier         string           `json:"tier,omitempty"`
		Speed        string           `json:"speed,omitempty"`
		Region       string           `json:"region,omitempty"`
		ImageForm    string           `json:"image_form,omitempty"`
		Batch        bool             `json:"batch,omitempty"`
		Inconsistent bool             `json:"inconsistent,omitempty"`
	}{counts, u.Source, u.Tier, u.Speed, u.Region, u.ImageForm, u.Batch, u.Inconsistent})
}

// MarshalJSON writes amounts as decimal text, in US dollars under names that say so and
// in other currencies with the currency beside them. What is not known is not there.
func (c cost) MarshalJSON() ([]byte, error) {
	out := map[string]any{"source": c.Source, "status": c.Status}
	suffix := "_usd"
	if c.Currency != llm.USD {
		suffix = ""
		out["currency"] = c.Currency
	}
	if llm.Cost(c).Known() {
		for name, amount := range map[string]llm.Pico{
			"total": c.Total, "input": c.Input, "output": c.Output,
			"cache_read": c.CacheRead, "cache_write": c.CacheWrite, "tools": c.Tools,
		} {
			if amount != 0 || name == "total" {
				out[name+suffix] = amount.String()
			}
		}
	}
	if c.Price != "" {
		out["price"] = c.Price
	}
	if c.HasTable {
		out["table"+suffix] = c.Table.String()
	}
	return json.Marshal(out)
}

// MarshalJSON writes ids as hex digits.
func (p place) MarshalJSON() ([]byte, error) {
	id := func(b []byte) string {
		for _, c := range b {
			if c != 0 {
				return hex.EncodeToString(b)
			}
		}
		return ""
	}
	return json.Marshal(struct {
		Trace      string `json:"trace,omitempty"`
		Span       string `json:"span,omitempty"`
		Parent     string `json:"parent,omitempty"`
		Flags      byte   `json:"flags,omitempty"`
		State      string `json:"state,omitempty"`
		Remote     bool   `json:"remote,omitempty"`
		ParentCall string `json:"parent_call,omitempty"`
	}{id(p.Trace[:]), id(p.Span[:]), id(p.Parent[:]), p.Flags, p.State, p.Remote, p.ParentCall})
}

// MarshalJSON writes key and value. A number that JSON does not have is text.
func (a attr) MarshalJSON() ([]byte, error) {
	v := a.llm().Value
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		v = fmt.Sprint(f)
	}
	return json.Marshal(struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	}{a.Key, v})
}
