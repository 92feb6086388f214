package pricing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

func million(k llm.UsageKind, more ...llm.UsageKind) llm.Usage {
	m := map[llm.UsageKind]int64{k: 1_000_000, llm.OutputText: 0}
	for _, k := range more {
		m[k] = 1_000_000
	}
	return usage(m)
}

func multiplied(t *testing.T, rules ...pricing.Multiplier) *pricing.Table {
	t.Helper()
	tab, err := pricing.Default(
		pricing.WithOverrides([]pricing.Override{{Provider: "openai", Model: "gpt-4.1", Rates: map[string]string{"input": "1", "output": "1"}}}),
		pricing.WithMultipliers(rules))
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestMultipliers(t *testing.T) {
	tab := multiplied(t,
		pricing.Multiplier{Team: "research", Provider: "openai", Model: "gpt-4o*", From: "2026-11-01", To: "2026-11-30", Multiply: "0.85"},
		pricing.Multiplier{Provider: "openai", Model: "gpt-4o", From: "2026-12-01T12:00:00Z", To: "2026-12-02T12:00:00Z", Multiply: "1/3"},
		pricing.Multiplier{Team: "research", Multiply: "0.5"},
		pricing.Multiplier{Provider: "gemini", Multiply: "2"},
	)
	f := func(team, provider, model, at, want string, source llm.CostSource) {
		t.Helper()
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		got := tab.Cost(&pricing.Query{Provider: provider, ResponseModel: model, At: when, Team: team, Usage: million(llm.UncachedInput)})
		if got.Total.String() != want || got.Source != source || got.Status != llm.CostOK || got.Input != got.Total {
			t.Errorf("%s %s/%s at %s: %s (%s, %s), want %s (%s)", team, provider, model, at, got.Total, got.Source, got.Status, want, source)
		}
	}
	f("research", "openai", "gpt-4o", "2026-11-15T00:00:00Z", "2.125", llm.CostOverride)
	f("research", "openai", "gpt-4o-2024-08-06", "2026-11-15T00:00:00Z", "2.125", llm.CostOverride)
	// The first rule that holds is applied, and no other.
	f("research", "openai", "gpt-4o-mini", "2026-11-30T23:59:59Z", "0.1275", llm.CostOverride)
	f("research", "openai", "gpt-4o", "2026-12-01T00:00:00Z", "1.25", llm.CostOverride)
	f("research", "openai", "gpt-4o", "2026-10-31T23:59:59Z", "1.25", llm.CostOverride)
	f("", "openai", "gpt-4o", "2026-11-15T00:00:00Z", "2.5", llm.CostTable)
	// A third is exact until the one rounding.
	f("", "openai", "gpt-4o", "2026-12-01T12:00:00Z", "0.833333333333", llm.CostOverride)
	f("", "openai", "gpt-4o", "2026-12-02T12:00:00Z", "2.5", llm.CostTable)
	// A provider's other names, and prices of one's own.
	f("", "gcp.gemini", "gemini-2.5-flash-lite", "2026-11-15T00:00:00Z", "0.2", llm.CostOverride)
	f("research", "openai", "gpt-4.1", "2026-11-15T00:00:00Z", "0.5", llm.CostOverride)
}

func TestMultiplierTakesFeesAndPartsAlong(t *testing.T) {
	tab := multiplied(t, pricing.Multiplier{Provider: "anthropic", Multiply: "0.9"})
	u := million(llm.UncachedInput, llm.CacheRead)
	u.Set(llm.WebSearches, 10)
	got := tab.Cost(&pricing.Query{Provider: "anthropic", ResponseModel: "claude-sonnet-4-6", At: noon, Usage: u})
	list := defaultTable(t).Cost(&pricing.Query{Provider: "anthropic", ResponseModel: "claude-sonnet-4-6", At: noon, Usage: u})
	if got.Total != list.Total/10*9 || got.Tools != list.Tools/10*9 || got.CacheRead != list.CacheRead/10*9 {
		t.Errorf("%+v, the list says %+v", got, list)
	}
	if sum := got.Input + got.Output + got.CacheRead + got.CacheWrite + got.Tools; sum != got.Total {
		t.Errorf("the parts make %s of %s", sum, got.Total)
	}
}

func TestMultiplierLeavesToldCostsAlone(t *testing.T) {
	tab := multiplied(t, pricing.Multiplier{Multiply: "0.5"})
	c := llm.Call{Kind: llm.KindLLM, Provider: "openai", ResponseModel: "gpt-4o", Start: noon, Usage: million(llm.UncachedInput),
		Cost: llm.Cost{Source: llm.CostProvider, Total: 7}}
	tab.Price(&c)
	if c.Cost.Total != 7 || c.Cost.Source != llm.CostProvider || c.Cost.Table.String() != "1.25" || !c.Cost.HasTable {
		t.Errorf("%+v", c.Cost)
	}
}

func TestMultiplierOfACallIsItsTeams(t *testing.T) {
	tab := multiplied(t, pricing.Multiplier{Team: "research", Multiply: "2"})
	c := llm.Call{Kind: llm.KindLLM, Provider: "openai", ResponseModel: "gpt-4o", Start: noon, Usage: million(llm.UncachedInput),
		Attribution: llm.Attribution{Team: "research"}}
	if tab.Price(&c); c.Cost.Total.String() != "5" {
		t.Errorf("%+v", c.Cost)
	}
}

func TestBadMultipliersAreRefused(t *testing.T) {
	f := func(r pricing.Multiplier, want string) {
		t.Helper()
		_, err := pricing.Default(pricing.WithMultipliers([]pricing.Multiplier{{Multiply: "1"}, r}))
		if err == nil || !strings.Contains(err.Error(), "multiplier 2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
	f(pricing.Multiplier{}, "multiply")
	f(pricing.Multiplier{Multiply: "0"}, "not positive")
	f(pricing.Multiplier{Multiply: "-0.5"}, "negative")
	f(pricing.Multiplier{Multiply: "1/0"}, "not positive")
	f(pricing.Multiplier{Multiply: "85%"}, "decimal")
	f(pricing.Multiplier{Multiply: "0.123456"}, "4 decimals")
	f(pricing.Multiplier{Multiply: "1", From: "soon"}, "from")
	f(pricing.Multiplier{Multiply: "1", To: "2026-13-01"}, "to")
	f(pricing.Multiplier{Multiply: "1", From: "2026-02-01", To: "2026-01-01"}, "ends before")
}

func hourly(t *testing.T, rates map[string]string) *pricing.Table {
	t.Helper()
	tab, err := pricing.Default(pricing.WithOverrides([]pricing.Override{{Provider: "local", Model: "*", Rates: rates}}))
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestPricesByTheHour(t *testing.T) {
	f := func(rates map[string]string, took time.Duration, u llm.Usage, want string, status llm.CostStatus) {
		t.Helper()
		got := hourly(t, rates).Cost(&pricing.Query{Route: "local", ResponseModel: "llama", At: noon, Took: took, Usage: u})
		if got.Known() && got.Total.String() != want || !got.Known() && want != "" || got.Status != status {
			t.Errorf("%v for %s: %+v, want %s (%s)", rates, took, got, want, status)
		}
	}
	tokens := usage(map[llm.UsageKind]int64{llm.UncachedInput: 1000, llm.OutputText: 1000})
	f(map[string]string{"per_gpu_hour": "3.60"}, time.Second, tokens, "0.001", llm.CostOK)
	f(map[string]string{"per_gpu_hour": "3.60", "gpus": "8"}, 1500*time.Millisecond, tokens, "0.012", llm.CostOK)
	// A server that works on four calls at once.
	f(map[string]string{"per_gpu_hour": "3.60", "gpus": "1/4"}, time.Second, tokens, "0.00025", llm.CostOK)
	f(map[string]string{"per_gpu_hour": "1"}, 400*time.Microsecond, tokens, "0", llm.CostOK)
	// The time is enough: whether tokens were counted does not matter.
	f(map[string]string{"per_gpu_hour": "3.60"}, time.Second, llm.Usage{Source: llm.UsageMissing}, "0.001", llm.CostOK)
	f(map[string]string{"per_gpu_hour": "3.60"}, time.Second, usage(map[llm.UsageKind]int64{llm.Images: 3}), "0.001", llm.CostOK)
	// Without the time there is no amount.
	f(map[string]string{"per_gpu_hour": "3.60"}, 0, tokens, "", llm.CostNoUsage)
	// Both: the hour and a rate for tokens.
	f(map[string]string{"per_gpu_hour": "3.60", "input": "1", "output": "2"}, time.Second, tokens, "0.004", llm.CostOK)
}

func TestPriceByTheHourOfACallIsOfItsDuration(t *testing.T) {
	c := llm.Call{Kind: llm.KindLLM, Route: "local", ResponseModel: "llama", Start: noon, End: noon.Add(2 * time.Second)}
	if hourly(t, map[string]string{"per_gpu_hour": "3.60"}).Price(&c); c.Cost.Total.String() != "0.002" || c.Cost.Source != llm.CostOverride {
		t.Errorf("%+v", c.Cost)
	}
	c.Steps = []llm.Step{{Usage: million(llm.UncachedInput)}, {Usage: million(llm.UncachedInput)}}
	c.Cost = llm.Cost{}
	if hourly(t, map[string]string{"per_gpu_hour": "3.60"}).Price(&c); c.Cost.Total.String() != "0.002" {
		t.Errorf("the time of a call was charged for each of its steps: %+v", c.Cost)
	}
}

func TestBadPricesByTheHourAreRefused(t *testing.T) {
	for _, rates := range []map[string]string{
		{"gpus": "8"}, {"per_gpu_hour": "5000"}, {"per_gpu_hour": "1", "gpus": "0"}, {"per_gpu_hour": "1", "gpus": "many"}, {"per_gpu_hour": "-1"},
	} {
		if _, err := pricing.Default(pricing.WithOverrides([]pricing.Override{{Provider: "local", Model: "*", Rates: rates}})); err == nil {
			t.Errorf("%v is taken", rates)
		}
	}
}
