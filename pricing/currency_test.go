package pricing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

// A price is in the currency of its row, else of its provider, else of the file, and so
// is the cost.
func TestCurrencyIsThatOfTheRow(t *testing.T) {
	doc := strings.Replace(tableOf(`"match":["acme"],"currency":"CNY","tools":{"web_search":0.5},`,
		`{"id":"own","currency":"EUR","price":{"input":2,"output":3},"src":["me"]}`,
		`{"id":"dollars","currency":"USD","price":{"input":4},"src":["me"]}`,
		`{"id":"provider","price":{"input":8.000001},"src":["me"]}`), `"currency":"USD"`, `"currency":"GBP"`, 1)
	doc = strings.Replace(doc, `"providers":[`, `"providers":[{"id":"other","models":[{"id":"m","price":{"input":9,"per_request":0.25},"src":["me"]}]},`, 1)
	tab, err := pricing.New([]byte(doc),
		pricing.WithOverlay([]byte(`{"currency":"JPY","providers":[{"id":"house","models":[{"id":"m","price":{"input":600}}]}]}`)),
		pricing.WithOverrides([]pricing.Override{
			{Provider: "acme", Model: "mine", Currency: "SEK", Rates: map[string]string{"input": "10"}},
			{Provider: "acme", Model: "plain", Rates: map[string]string{"input": "11"}},
		}))
	if err != nil {
		t.Fatal(err)
	}
	f := func(provider, model, want string, more ...llm.UsageKind) {
		t.Helper()
		counts := map[llm.UsageKind]int64{llm.UncachedInput: 1_000_000}
		for _, k := range more {
			counts[k] = 1
		}
		c := tab.Cost(&pricing.Query{Provider: provider, ResponseModel: model, At: noon, Usage: usage(counts)})
		got := string(c.Status)
		if c.Known() {
			got = c.Money().String()
		}
		if got != want || c.Known() && c.Input+c.Tools != c.Total {
			t.Errorf("%s/%s: %s (%+v), want %s", provider, model, got, c, want)
		}
	}
	f("acme", "own", "2 EUR")
	f("acme", "dollars", "$4")
	f("acme", "provider", "8.000001 CNY")
	f("acme", "mine", "10 SEK")
	f("acme", "plain", "$11")
	f("other", "m", "9.25 GBP")
	f("house", "m", "600 JPY")
	// The fee of a tool in another currency cannot be part of the sum.
	f("acme", "provider", "8.500001 CNY", llm.WebSearches)
	f("acme", "own", "tool_unpriced", llm.WebSearches)

	if got := strings.Join(tab.Summary().Currencies, " "); got != "CNY EUR GBP JPY SEK USD" {
		t.Errorf("the table is in %s", got)
	}
	card := tab.Cards("acme", "own")[0]
	if card.Currency != "EUR" || card.Prices[0].Rates[0] != (pricing.CardRate{Name: "input", Amount: "2", Per: "1M tokens", Currency: "EUR"}) {
		t.Errorf("%+v", card)
	}
	if tools := card.Prices[1].Rates; tools[0].Amount != "0.5" || tools[0].Currency != "CNY" {
		t.Errorf("%+v", tools)
	}
}

func TestWrongCurrenciesAreRefused(t *testing.T) {
	f := func(want string, opts ...pricing.Option) {
		t.Helper()
		_, err := pricing.Default(opts...)
		wantError(t, err, want, "three capital letters")
	}
	f(`"yuan"`, pricing.WithOverlay([]byte(`{"currency":"yuan","providers":[]}`)))
	f(`"¥"`, pricing.WithOverlay([]byte(`{"providers":[{"id":"x","currency":"¥","models":[]}]}`)))
	f(`"eur"`, pricing.WithOverrides([]pricing.Override{{Provider: "x", Model: "m", Currency: "eur", Rates: map[string]string{"input": "1"}}}))
	_, err := pricing.Default(pricing.WithOverrides([]pricing.Override{{Provider: "x", Model: "m", Currency: "KRW", Rates: map[string]string{"input": "90001"}}}))
	wantError(t, err, `"90001" KRW per 1,000,000 tokens`, "bound of 90000")
	if _, err := pricing.Default(pricing.WithOverrides([]pricing.Override{{Provider: "x", Model: "m", Currency: "KRW", Rates: map[string]string{"input": "90000", "per_request": "180"}}})); err != nil {
		t.Error(err)
	}
}

// Sums at the bounds of what a table can say fit.
func TestWeakCurrenciesHaveRoom(t *testing.T) {
	doc := `{"providers":[{"id":"acme","currency":"KRW","hosts":["a.test"],"service_tiers":{"fast":"10000"},"regions":[{"host":["a.test"],"multiply":"10000","models":"."}],
"models":[{"id":"m","price":{"input":90000,"output":90000}}]}]}`
	tab, err := pricing.Default(pricing.WithOverlay([]byte(doc)))
	if err != nil {
		t.Fatal(err)
	}
	u := usage(map[llm.UsageKind]int64{llm.UncachedInput: 1, llm.OutputText: 1})
	u.Tier = "fast"
	c := tab.Cost(&pricing.Query{Host: "a.test", ResponseModel: "m", At: noon, Usage: u})
	if c.Money().String() != "18000000 KRW" && c.Status != llm.CostInconsistentUsage {
		t.Errorf("%s %+v", c.Money(), c)
	}
}

// Steps of one call that are priced in different currencies have no sum.
func TestStepsInSeveralCurrencies(t *testing.T) {
	tab := defaultTable(t, pricing.WithOverrides([]pricing.Override{
		{Provider: "acme", Model: "a", Currency: "CNY", Rates: map[string]string{"input": "1"}},
		{Provider: "acme", Model: "b", Currency: "CNY", Rates: map[string]string{"input": "2"}},
		{Provider: "acme", Model: "c", Rates: map[string]string{"input": "3"}},
	}))
	f := func(second, want string) {
		t.Helper()
		u := usage(map[llm.UsageKind]int64{llm.UncachedInput: 1_000_000})
		call := &llm.Call{Kind: llm.KindLLM, Provider: "acme", RequestModel: "a", Start: noon, Usage: u,
			Steps: []llm.Step{{Usage: u}, {Model: second, Usage: u}}}
		tab.Price(call)
		got := string(call.Cost.Status)
		if call.Cost.Known() {
			got = call.Cost.Money().String()
		}
		if got != want {
			t.Errorf("and %s: %s, want %s", second, got, want)
		}
	}
	f("b", "3 CNY")
	f("c", "mixed_currencies")
}

// What a provider told is compared with the table only in its own currency.
func TestToldInAnotherCurrency(t *testing.T) {
	tab := defaultTable(t, pricing.WithOverrides([]pricing.Override{{Provider: "acme", Model: "m", Currency: "EUR", Rates: map[string]string{"input": "1"}}}))
	f := func(told llm.Currency, beside bool) {
		t.Helper()
		call := &llm.Call{Kind: llm.KindLLM, Provider: "acme", RequestModel: "m", Start: noon, Usage: usage(map[llm.UsageKind]int64{llm.UncachedInput: 1}),
			Cost: llm.Cost{Total: 7, Source: llm.CostProvider, Currency: told}}
		tab.Price(call)
		if c := call.Cost; c.Total != 7 || c.Currency != told || c.HasTable != beside || c.Price == "" {
			t.Errorf("told in %s: %+v", told, c)
		}
	}
	f("EUR", true)
	f("CNY", false)
	f(llm.USD, false)
}

// An import never takes dollars for another currency, and a diff shows a change of it.
func TestImportsAndDiffsKnowCurrencies(t *testing.T) {
	doc := strings.Replace(tableOf(`"match":["acme"],`, `{"id":"m","currency":"CNY","price":{"input":2},"src":["me"]}`, `{"id":"n","price":{"input":2},"src":["me"]}`),
		`"providers":[`, `"providers":[{"id":"east","currency":"CNY","models":[{"id":"o","price":{"input":2},"src":["me"]}]},`, 1)
	list := `{"acme/m":{"litellm_provider":"acme","input_cost_per_token":2e-06},"acme/n":{"litellm_provider":"acme","input_cost_per_token":3e-06},
"east/o":{"litellm_provider":"east","input_cost_per_token":2e-06},"east/new":{"litellm_provider":"east","input_cost_per_token":2e-06}}`
	in, err := pricing.ImportFrom([]byte(list), []byte(doc), pricing.ImportOptions{Format: "litellm", AsOf: time.Now().Format(time.DateOnly), What: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if got := changed(in); got != "acme/n price.input: 2 > 3\nacme/n src: [\"me\"] > [\"me\",\"litellm-"+time.Now().Format("20060102")+"\"]\n" {
		t.Errorf("changed: %q", got)
	}
	if len(in.Skipped) != 3 || in.Same != 0 || strings.Count(strings.Join(in.Skipped, "\n"), "CNY") != 3 {
		t.Errorf("skipped %q, %d the same", in.Skipped, in.Same)
	}
	for was, is := range map[string]string{`"id":"m","currency":"CNY"`: `"id":"m","currency":"EUR"`, `"id":"east","currency":"CNY"`: `"id":"east"`} {
		changes, err := pricing.Diff([]byte(doc), []byte(strings.Replace(doc, was, is, 1)))
		if err != nil || len(changes) == 0 {
			t.Errorf("%s: %v, %v", is, changes, err)
		}
		for _, c := range changes {
			if c.Field != "currency" || c.From != `"CNY"` {
				t.Errorf("%s: %+v", is, c)
			}
		}
	}
}
