package pricing_test

import (
	"os"
	"testing"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

// A table is refused or works: no panic, no negative amount, parts that sum up.
func FuzzTable(f *testing.F) {
	f.Add([]byte(table(`{"id":"m","price":{"input":1,"output":2,"long":[{"min":5,"input":2}],"windows":[{"windows_utc":["00:00-24:00"],"input":3}]},"tiers":{"slow":{"input":3,"output":4}},"src":["me"]}`)))
	f.Add([]byte(table(`{"id":"m","price":[{"input":1e2},{"from":"2026-01-01","per_page":0.5}],"per_image":{"default":1},"src":["me"]}`)))
	f.Add([]byte(`{`))
	f.Add([]byte(``))
	if data, err := os.ReadFile("prices.json"); err == nil {
		f.Add(data[:3000])
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		check := func(tab *pricing.Table, err error) {
			if (tab == nil) == (err == nil) {
				t.Fatalf("a table and an error, or neither: %v", err)
			}
			if err != nil {
				return
			}
			u := usage(map[llm.UsageKind]int64{llm.UncachedInput: 7, llm.CacheWrite12h: 3, llm.OutputText: 1 << 40, llm.AudioOutput: 5, llm.Images: 2, llm.Pages: 1})
			for _, tier := range []string{"", "slow", "auto"} {
				u.Tier = tier
				c := tab.Cost(&pricing.Query{Provider: "acme", ResponseModel: "m", At: noon, Usage: u})
				if c.Total < 0 || c.Input+c.Output+c.CacheRead+c.CacheWrite+c.Tools != c.Total {
					t.Fatalf("%+v", c)
				}
			}
		}
		check(pricing.New(doc))
		check(pricing.New([]byte(table(`{"id":"m","price":{"input":1},"src":["me"]}`)), pricing.WithOverlay(doc)))
	})
}

// Any id, of any provider, matches a row of the table or nothing.
func FuzzModelID(f *testing.F) {
	for _, s := range []string{"gpt-4o", "ft:gpt-4o:x::y", "models/models/gemini-2.5-pro", "a-2024-01-01-2024-01-01", ":free", "@20250101", "\xff", "ft:", "-v1:0-v1:0"} {
		f.Add(uint8(0), s)
	}
	tab, o := defaultTable(f), newOracle(f)
	f.Fuzz(func(t *testing.T, n uint8, id string) {
		p := o.providers[int(n)%len(o.providers)]
		q := pricing.Query{Provider: p["id"].(string), ResponseModel: id, Usage: usage(map[llm.UsageKind]int64{llm.UncachedInput: 1})}
		first, second := tab.Cost(&q), tab.Cost(&q)
		if first != second {
			t.Fatalf("%q: cold %+v, warm %+v", id, first, second)
		}
		if first.Known() != (first.Price != "" && first.Status != llm.CostUnknownModel && first.Status != llm.CostToolUnpriced) {
			t.Fatalf("%q: %+v", id, first)
		}
	})
}
