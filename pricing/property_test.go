package pricing_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

// question is a random call of a random row.
type question struct {
	provider, model, host string
	at                    time.Time
	u                     llm.Usage
}

var regionalHosts = []string{"", "", "api.openai.com", "eu.api.openai.com", "us.api.openai.com", "us-east-1.api.x.ai"}

func ask(r *rand.Rand, o *oracle) question {
	p := o.providers[r.IntN(len(o.providers))]
	ms := p["models"].([]any)
	m := ms[r.IntN(len(ms))].(map[string]any)
	// Rows with more than plain rates are few; they are what can go wrong.
	for range 40 {
		_, dated := m["price"].([]any)
		price, _ := m["price"].(map[string]any)
		if dated || m["tiers"] != nil || m["tools"] != nil || price["long"] != nil || price["windows"] != nil || len(price) > 3 {
			break
		}
		m = ms[r.IntN(len(ms))].(map[string]any)
	}
	q := question{
		provider: p["id"].(string), model: m["id"].(string), host: regionalHosts[r.IntN(len(regionalHosts))],
		at: time.Unix(1_735_000_000+r.Int64N(70_000_000), 0),
	}
	count := func() int64 {
		switch r.IntN(8) {
		case 0:
			return r.Int64N(3)
		case 1:
			return 100_000 + r.Int64N(900_000)
		case 2: // around the steps that the table has
			return []int64{32_000, 128_000, 200_000, 256_000, 272_000, 512_000}[r.IntN(6)] + r.Int64N(3) - 1
		}
		return r.Int64N(20_000)
	}
	q.u.Set(llm.UncachedInput, count())
	q.u.Set(llm.OutputText, count())
	for _, k := range llm.UsageKinds() {
		if k.Tokens() && k != llm.UncachedInput && k != llm.OutputText && r.IntN(4) == 0 {
			q.u.Set(k, count())
		}
	}
	for _, k := range []llm.UsageKind{llm.WebSearches, llm.FileSearches, llm.CodeSessions, llm.Pages, llm.SearchUnits} {
		if r.IntN(12) == 0 {
			q.u.Set(k, r.Int64N(9))
		}
	}
	tiers := []string{"", "", "default", "flex", "priority", "auto", "batch", "on_demand", "no-such-tier"}
	q.u.Tier = tiers[r.IntN(len(tiers))]
	switch r.IntN(12) {
	case 0:
		q.u.Speed = "fast"
	case 1:
		q.u.Batch = true
	}
	q.u.Region = []string{"", "", "us", "global", "europe-west1"}[r.IntN(5)]
	if q.u.Region == "us" && q.host != "" {
		q.u.Region = "" // the name of a region and a host at once do not happen
	}
	return q
}

// agree compares the engine with the oracle and returns whether there was an amount.
func agree(t testing.TB, tab *pricing.Table, o *oracle, q question) bool {
	t.Helper()
	host := q.host
	if q.u.Region == "us" {
		host = map[string]string{"openai": "us.api.openai.com", "xai": "us.api.x.ai"}[q.provider]
	}
	want := o.cost(q.provider, q.model, q.at, q.u, host)
	got := tab.Cost(&pricing.Query{Provider: q.provider, Host: q.host, ResponseModel: q.model, At: q.at, Usage: q.u})
	switch {
	case want == nil && !got.Known():
		return false
	case want == nil || !got.Known() || want.Cmp(big.NewInt(int64(got.Total))) != 0:
		t.Fatalf("%s/%s at %s on %q, usage %+v: got %s (%s %s), the oracle says %v pico-USD",
			q.provider, q.model, q.at.UTC().Format(time.RFC3339), q.host, q.u, got.Total, got.Source, got.Status, want)
	case got.Input+got.Output+got.CacheRead+got.CacheWrite+got.Tools != got.Total:
		t.Fatalf("%s/%s: parts of %+v do not sum up", q.provider, q.model, got)
	}
	return true
}

func TestEveryRowAgreesWithTheOracle(t *testing.T) {
	tab, o := defaultTable(t), newOracle(t)
	r := rand.New(rand.NewPCG(1, 2))
	known := 0
	const n = 60_000
	for range n {
		if agree(t, tab, o, ask(r, o)) {
			known++
		}
	}
	if known < n/4 {
		t.Errorf("only %d of %d questions had an amount: the test looks at too little", known, n)
	}
	t.Logf("%d questions, %d with an amount", n, known)
}

// Chance seldom hits an edge: here every date, hour and step of every row is asked for
// just before it, on it and just after it, at each tier.
func TestEveryEdgeAgreesWithTheOracle(t *testing.T) {
	tab, o := defaultTable(t), newOracle(t)
	edges := 0
	for _, p := range o.providers {
		for _, m := range p["models"].([]any) {
			m := m.(map[string]any)
			prices, ok := m["price"].([]any)
			if !ok {
				prices = []any{m["price"]}
			}
			for _, price := range prices {
				price := price.(map[string]any)
				at := tableDay
				if from, ok := price["from"].(string); ok {
					at = instant(from)
				}
				times := []time.Time{at.Add(-time.Nanosecond), at, at.Add(time.Second)}
				if _, ok := price["windows"]; ok {
					for hour := range 24 * 8 {
						on := at.Add(time.Duration(hour) * time.Hour)
						times = append(times, on.Add(-time.Second), on)
					}
				}
				lengths := []int64{1000}
				long, _ := price["long"].([]any)
				for _, step := range long {
					n := rat(step.(map[string]any)["min"]).Num().Int64()
					lengths = append(lengths, n-1, n, n+1)
				}
				for _, at := range times {
					for _, n := range lengths {
						for _, tier := range []string{"", "flex", "priority", "batch", "fast"} {
							q := question{provider: p["id"].(string), model: m["id"].(string), at: at}
							q.u.Set(llm.CacheRead, n/2)
							q.u.Set(llm.CacheWrite, n/8)
							q.u.Set(llm.UncachedInput, n-n/2-n/8)
							q.u.Set(llm.OutputText, 333)
							q.u.Set(llm.Reasoning, 77)
							if q.u.Tier = tier; tier == "fast" {
								q.u.Speed = tier
							}
							agree(t, tab, o, q)
							edges++
						}
					}
				}
			}
		}
	}
	if edges < 30_000 {
		t.Errorf("only %d questions", edges)
	}
}

// tableDay is a day on which rows without dates have their price.
var tableDay = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

func FuzzCostAgreesWithTheOracle(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, seed*7)
	}
	tab, o := defaultTable(f), newOracle(f)
	f.Fuzz(func(t *testing.T, a, b uint64) {
		agree(t, tab, o, ask(rand.New(rand.NewPCG(a, b)), o))
	})
}

// Every row has a price at the table's date under its id and its aliases.
func TestEveryRowIsFoundByItsNames(t *testing.T) {
	tab, o := defaultTable(t), newOracle(t)
	names := 0
	for _, p := range o.providers {
		for _, m := range p["models"].([]any) {
			m := m.(map[string]any)
			ids := []string{m["id"].(string)}
			aliases, _ := m["aliases"].([]any)
			for _, a := range aliases {
				ids = append(ids, a.(string))
			}
			want := p["id"].(string) + "/" + m["id"].(string) + "@" + tab.AsOf()
			for _, id := range ids {
				var u llm.Usage
				u.Set(llm.UncachedInput, 0)
				got := tab.Cost(&pricing.Query{Provider: p["id"].(string), RequestModel: id, Usage: u})
				names++
				// An id that ends in ":batch" or has the form of a fine-tune is found as any other.
				if got.Price != want {
					t.Errorf("%s %s: matched %q", p["id"], id, got.Price)
				}
			}
		}
	}
	if names < 2400 {
		t.Errorf("only %d names", names)
	}
}

func TestTableHasProvenanceAndOneModelALine(t *testing.T) {
	o := newOracle(t)
	n := 0
	for _, p := range o.providers {
		for _, m := range p["models"].([]any) {
			m := m.(map[string]any)
			src, _ := m["src"].([]any)
			if ev, _ := m["evidence"].(string); len(src) == 0 && ev == "" {
				t.Errorf("%s/%s has no provenance", p["id"], m["id"])
			}
			n++
			if b, err := json.Marshal(m); err != nil || len(b) > 2000 {
				t.Errorf("%s/%s: a row of %d bytes (%v)", p["id"], m["id"], len(b), err)
			}
		}
	}
	if n < 2200 {
		t.Errorf("%d rows", n)
	}
	// One model a line, so that a change of a price is a diff of one line.
	data, err := os.ReadFile("prices.json")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(data, []byte("\n    {\"id\":")); lines != n {
		t.Errorf("%d rows stand on %d lines", n, lines)
	}
}
