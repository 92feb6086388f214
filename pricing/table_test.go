package pricing_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

// table makes a small table around rows of the provider "acme".
func table(rows ...string) string {
	return tableOf(`"match":["acme"],"hosts":["api.acme.test","*.acme.test"],"strip":["-\\d{4}$"],"service_tiers":{"slow":"0.5","auto":null},`, rows...)
}

func tableOf(head string, rows ...string) string {
	return `{"schema":"spanwire.prices/1","as_of":"2026-11-21","currency":"USD","units":{},"rules":{},
"sources":{"me":{"what":"made up","date":"2026-11-21","license":"none"}},
"providers":[{"id":"acme","name":"Acme",` + head + `"models":[` + strings.Join(rows, ",\n") + `]}]}`
}

func TestBadTablesAreRefused(t *testing.T) {
	if _, err := pricing.New([]byte(table(`{"id":"m","price":{"input":1},"src":["me"]}`))); err != nil {
		t.Fatalf("the table that the others are made from: %v", err)
	}
	f := func(doc string, say ...string) {
		t.Helper()
		_, err := pricing.New([]byte(doc))
		wantError(t, err, append(say, "read price table")...)
	}
	row := func(body string) string { return table(`{"id":"bad-one",` + body + `,"src":["me"]}`) }
	f("", "EOF")
	f("{", "unexpected EOF")
	f("[]", "cannot unmarshal")
	f(strings.Replace(table(), "prices/1", "prices/9", 1), `schema "spanwire.prices/9"`)
	f(strings.Replace(table(), "USD", "euro", 1), `currency "euro"`)
	f(strings.Replace(table(), `"currency":"USD",`, "", 1), "no currency")
	f(strings.Replace(table(), "2026-11-21", "yesterday", 1), "as_of")
	f(strings.Replace(table(), `"rules"`, `"ruels"`, 1), "ruels")
	f(table()+"{}", "follows")
	// Rows: the error names the model.
	f(row(`"price":{"input":-1}`), "bad-one", "negative")
	f(row(`"price":{"input":"NaN"}`), "bad-one", "not a decimal")
	f(row(`"price":{"input":null}`), "bad-one", "input")
	f(row(`"price":{"input":[1]}`), "bad-one", "input")
	f(row(`"price":{"input":1,"input":2}`), "bad-one", "twice")
	f(row(`"price":{"inptu":1}`), "bad-one", "inptu", "not a rate")
	f(row(`"price":{"input":0.0000001}`), "bad-one", "finer than 1 pico-USD")
	f(row(`"price":{"input":5001}`), "bad-one", "above the bound")
	f(row(`"price":{}`), "bad-one", "no rate and no fee")
	f(row(`"price":[]`), "bad-one", "no rate and no fee")
	f(row(`"price":7`), "bad-one", "price")
	f(row(`"price":{"per_request":11}`), "bad-one", "per_request", "above the bound")
	f(row(`"price":{"input":1},"tools":{"web_search":100}`), "bad-one", "web_search", "above the bound")
	f(row(`"price":{"input":1},"tools":{"teleport":1}`), "bad-one", "teleport")
	f(row(`"price":{"input":1},"per_image":{"default":1000}`), "bad-one", "per_image")
	f(row(`"price":{"input":1},"retired":"soon"`), "bad-one", "retired")
	f(row(`"price":[{"from":"2026-02-01","input":1},{"from":"2026-01-01","input":2}]`), "bad-one", "ordered")
	f(row(`"price":{"from":"soon","input":1}`), "bad-one", "from")
	f(row(`"price":{"input":1,"long":[{"input":2}]}`), "bad-one", "min")
	f(row(`"price":{"input":1,"long":[{"min":9,"input":2},{"min":5,"input":3}]}`), "bad-one", "ordered by min")
	f(row(`"price":{"input":1,"windows":[{"windows_utc":["9-5"],"input":2}]}`), "bad-one", "9-5")
	f(row(`"price":{"input":1,"windows":[{"windows_utc":["22:00-02:00"],"input":2}]}`), "bad-one", "midnight")
	f(row(`"price":{"input":1,"windows":[{"windows_utc":["01:00-02:00"],"days":[0],"input":2}]}`), "bad-one", "weekday")
	f(row(`"price":{"input":1,"windows":[{"windows_utc":["01:00-02:00"],"holidays":"XX","input":2}]}`), "bad-one", "holidays")
	f(row(`"price":{"input":1,"output":1},"tiers":{"fast":{}}`), "bad-one", "fast", "no rates")
	f(row(`"price":{"input":1,"output":1,"cache_read":1},"tiers":{"fast":{"output":2}}`), "bad-one", "fast", "neither all rates")
	f(row(`"price":{"input":1.000003,"output":1,"cache_read":1},"tiers":{"fast":{"input":2.0000001,"output":2}}`), "bad-one", "fast")
	f(table(`{"id":"bad-one","price":{"input":1}}`), "bad-one", "provenance")
	f(table(`{"id":"bad-one","price":{"input":1},"src":["hearsay"]}`), "bad-one", "hearsay")
	f(table(`{"id":"*","price":{"input":1},"src":["me"]}`), "by name")
	f(table(`{"id":"a","price":{"input":1},"src":["me"]}`, `{"id":"A","price":{"input":2},"src":["me"]}`), `"a"`, "another row")
	f(table(`{"id":"a","price":{"input":1},"src":["me"]}`, `{"id":"b","aliases":["a"],"price":{"input":2},"src":["me"]}`), "b", `"a"`, "another row")
	// Providers.
	f(tableOf(`"strip":["("],`), "acme", "strip")
	f(tableOf(`"strip":["x*"],`), "acme", "does not name the end")
	f(tableOf(`"hosts":["*.a*.test"],`), "host pattern")
	f(tableOf(`"service_tiers":{"slow":"half"},`), "slow")
	f(tableOf(`"service_tiers":{"slow":0},`), "slow", "not positive")
	f(tableOf(`"fine_tune":"x",`), "fine_tune")
	f(tableOf(`"regions":[{"multiply":"1.1","models":".*"}],`), "everywhere")
	f(tableOf(`"regions":[{"host":["a.test"],"models":".*"}],`), "multiply")
	two := strings.Replace(table(), `"providers":[`, `"providers":[{"id":"other","match":["acme"],"models":[]},`, 1)
	f(two, `"acme" is other's`)
	two = strings.Replace(table(), `"providers":[`, `"providers":[{"id":"other","hosts":["*.eu.acme.test"],"models":[]},`, 1)
	f(two, "matches hosts of other")
}

func TestEveryMistakeIsNamedAtOnce(t *testing.T) {
	_, err := pricing.New([]byte(table(`{"id":"one","price":{"input":-1},"src":["me"]}`, `{"id":"two","price":{"x":1},"src":["me"]}`)))
	wantError(t, err, "one", "two", "acme")
}

func cost(t *testing.T, tab *pricing.Table, q pricing.Query) string {
	t.Helper()
	q.At = noon
	if !q.Usage.Known() {
		q.Usage = usage(map[llm.UsageKind]int64{llm.UncachedInput: 1_000_000})
	}
	c := tab.Cost(&q)
	if !c.Known() {
		return string(c.Status)
	}
	return c.Total.String() + " " + string(c.Source)
}

func TestProviderIsTheConfiguredNameElseTheHost(t *testing.T) {
	tab := defaultTable(t)
	f := func(q pricing.Query, want string) {
		t.Helper()
		if got := cost(t, tab, q); got != want {
			t.Errorf("%+v: %s, want %s", q, got, want)
		}
	}
	f(pricing.Query{Provider: "azure.ai.openai", ResponseModel: "gpt-4o"}, "2.5 table")
	f(pricing.Query{Route: "Groq", Provider: "openai", ResponseModel: "llama-3.1-8b-instant"}, "0.05 table")
	f(pricing.Query{Route: "my route", Host: "api.groq.com", ResponseModel: "llama-3.1-8b-instant"}, "0.05 table")
	f(pricing.Query{Host: "contoso.openai.azure.com", ResponseModel: "gpt-4o-2024-08-06"}, "2.5 table")
	f(pricing.Query{Host: "bedrock-runtime.us-east-1.amazonaws.com", RequestModel: "amazon.nova-lite-v1:0"}, "0.06 table")
	f(pricing.Query{Host: "bedrock-runtime..evil.test", RequestModel: "amazon.nova-lite-v1:0"}, "unknown_model")
	f(pricing.Query{Host: "openai.azure.com", ResponseModel: "gpt-4o"}, "unknown_model")
	// The model that answered goes before the one that was asked.
	f(pricing.Query{Provider: "openai", ResponseModel: "gpt-4o", RequestModel: "gpt-4o-mini"}, "2.5 table")
	f(pricing.Query{Provider: "openai", ResponseModel: "prod-7", RequestModel: "gpt-4o-mini"}, "0.15 table")
}

func TestModelIDsAreNormalised(t *testing.T) {
	tab := defaultTable(t)
	f := func(provider, model, want string) {
		t.Helper()
		c := tab.Cost(&pricing.Query{Provider: provider, ResponseModel: model, At: noon, Usage: usage(map[llm.UsageKind]int64{llm.UncachedInput: 1})})
		if want != "" {
			want += "@" + tab.AsOf()
		}
		if c.Price != want {
			t.Errorf("%s %q: matched %q, want %q", provider, model, c.Price, want)
		}
	}
	f("openai", "GPT-4o", "openai/gpt-4o")
	f("openai", "gpt-5.2-2025-12-11", "openai/gpt-5.2")
	f("openai", "gpt-5.2-2025-12-11-2025-12-11", "openai/gpt-5.2")
	f("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc123", "openai/ft:gpt-4o-mini")
	f("openai", "ft:gpt-4o-2024-11-20:acme:name:abc123", "openai/ft:gpt-4o-2024-11-20")
	f("openai", "ft:gpt-5:acme::abc123", "") // never as its base
	f("openai", "gpt-5.4-mini-high", "")
	f("openai", " gpt-4o", "")
	f("openai", "models/gpt-4o", "")
	f("openai", strings.Repeat("gpt-4o", 100), "")
	f("openai", "-2024-01-01", "")
	f("anthropic", "claude-opus-5-5[1m]", "anthropic/claude-opus-5-5")
	f("anthropic", "claude-opus-4-8-20260401", "anthropic/claude-opus-4-8")
	f("google", "models/gemini-2.5-flash-001", "google/gemini-2.5-flash")
	f("google-vertex", "publishers/anthropic/models/claude-opus-5-5@default", "google-vertex/claude-opus-5-5@default")
	f("google-vertex", "claude-sonnet-4-5-20250929", "google-vertex/claude-sonnet-4-5@20250929")
	f("aws-bedrock", "eu.amazon.nova-lite-v1:0", "aws-bedrock/eu.amazon.nova-lite-v1:0")
	f("aws-bedrock", "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0", "aws-bedrock/amazon.nova-lite-v1:0")
	f("aws-bedrock", "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0", "aws-bedrock/eu.amazon.nova-lite-v1:0")
	f("aws-bedrock", "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/amazon.nova-lite-v1:0", "") // a name of the caller's
	f("aws-bedrock", "arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/abc123", "")
	f("fireworks", "accounts/fireworks/models/kimi-k3", "fireworks/kimi-k3")
	f("openrouter", "openai/gpt-5.4:nitro", "openrouter/openai/gpt-5.4")
	f("openrouter", "anyone/anything:free", "openrouter/anyone/anything:free")
	f("openrouter", ":free", "")
	f("xai", "grok-4.3-latest", "xai/grok-4.3")
}

func TestConfiguredNamesGoFirst(t *testing.T) {
	tab := defaultTable(t, pricing.WithModels(map[string]string{
		"Prod-Chat": "gpt-4o-mini", "azure/gpt-4o": "gpt-4", "house": "openai/gpt-4o", "vllm/llama": "groq/llama-3.1-8b-instant",
	}))
	f := func(q pricing.Query, want string) {
		t.Helper()
		if got := cost(t, tab, q); got != want {
			t.Errorf("%+v: %s, want %s", q, got, want)
		}
	}
	f(pricing.Query{Provider: "azure", RequestModel: "prod-chat"}, "0.15 table")
	f(pricing.Query{Provider: "azure", ResponseModel: "gpt-4o-2024-08-06", RequestModel: "PROD-CHAT"}, "0.15 table")
	f(pricing.Query{Provider: "azure", ResponseModel: "gpt-4o"}, "30 table")
	f(pricing.Query{Provider: "openai", ResponseModel: "gpt-4o"}, "2.5 table")
	f(pricing.Query{Provider: "nobody knows", ResponseModel: "house"}, "2.5 table")
	f(pricing.Query{Route: "vllm", ResponseModel: "llama"}, "0.05 table")
	// What counts tokens is told the same.
	stands := func(want, route, provider, name string) {
		t.Helper()
		if got := tab.Stands(&llm.Call{Route: route, Provider: provider}, name); got != want {
			t.Errorf("%s %s %s stands for %q, want %q", route, provider, name, got, want)
		}
	}
	stands("gpt-4o-mini", "azure", "azure.ai.openai", "PROD-CHAT")
	stands("gpt-4", "mine", "azure.ai.openai", "gpt-4o") // by the table's name of the provider
	stands("", "openai", "openai", "gpt-4o")
	stands("openai/gpt-4o", "", "nobody knows", "house")
	stands("groq/llama-3.1-8b-instant", "vllm", "", "llama")
	stands("", "", "openai", "")
	stands("", "", "openai", strings.Repeat("prod-chat", 100))
	_, err := pricing.Default(pricing.WithModels(map[string]string{"prod": "no-such-model"}))
	wantError(t, err, "prod", "no-such-model")
	_, err = pricing.Default(pricing.WithModels(map[string]string{"": "gpt-4o"}))
	wantError(t, err, "both names")
}

func TestOverridesGoBeforeTheTable(t *testing.T) {
	tab := defaultTable(t,
		pricing.WithOverrides([]pricing.Override{
			{Provider: "azure.ai.openai", Model: "gpt-4o", Rates: map[string]string{"input": "2", "output": "8"}},
			{Provider: "ollama", Model: "*", Rates: map[string]string{"input": "0", "output": "0"}},
			{Provider: "ollama", Model: "dear", Rates: map[string]string{"input": "3"}},
		}),
		pricing.WithOverlay([]byte(`{"providers":[
			{"id":"openai","service_tiers":{"priority":"2"},"models":[{"id":"gpt-4o-mini","price":{"input":"0.1","output":"0.4"}}]},
			{"id":"house","match":["my-vllm"],"hosts":["llm.corp.test"],"models":[{"id":"m","price":{"input":1,"output":2}}]}]}`)),
	)
	f := func(q pricing.Query, want string) {
		t.Helper()
		if got := cost(t, tab, q); got != want {
			t.Errorf("%+v: %s, want %s", q, got, want)
		}
	}
	f(pricing.Query{Provider: "azure", ResponseModel: "gpt-4o"}, "2 override")
	f(pricing.Query{Provider: "azure", ResponseModel: "gpt-4"}, "30 table")
	f(pricing.Query{Provider: "ollama", ResponseModel: "whatever"}, "0 override")
	f(pricing.Query{Provider: "ollama", ResponseModel: "dear"}, "3 override")
	f(pricing.Query{Provider: "ollama", ResponseModel: "*"}, "0 override")
	f(pricing.Query{Provider: "openai", ResponseModel: "gpt-4o-mini"}, "0.1 override")
	f(pricing.Query{Provider: "my-vllm", ResponseModel: "m"}, "1 override")
	f(pricing.Query{Host: "llm.corp.test", ResponseModel: "m"}, "1 override")
	f(pricing.Query{Provider: "house", ResponseModel: "x"}, "unknown_model")
	_, err := pricing.Default(pricing.WithOverlay([]byte(`{"providers":[{"id":"openai","modles":[]}]}`)))
	wantError(t, err, "overlay", "modles")
	_, err = pricing.Default(pricing.WithOverlay([]byte(`{"providers":[{"id":"x","match":["openai"]}]}`)))
	wantError(t, err, "overlay", "openai")
}

func TestAProviderToldCostStays(t *testing.T) {
	call := &llm.Call{Kind: llm.KindLLM, Provider: "openrouter", ResponseModel: "openai/gpt-5.4", Start: noon,
		Usage: usage(map[llm.UsageKind]int64{llm.UncachedInput: 1_000_000, llm.OutputText: 0}),
		Cost:  llm.Cost{Total: 7, Source: llm.CostProvider}}
	tab := defaultTable(t)
	tab.Price(call)
	if c := call.Cost; c.Total != 7 || c.Source != llm.CostProvider || c.Status != llm.CostOK || !c.HasTable || c.Table == 7 || c.Input != 0 || c.Price == "" {
		t.Errorf("%+v", c)
	}
	call.ResponseModel, call.Cost = "nobody/knows", llm.Cost{Total: 7, Source: llm.CostProvider}
	tab.Price(call)
	if c := call.Cost; c.Total != 7 || c.HasTable || c.Table != 0 || c.Price != "" {
		t.Errorf("unknown to the table: %+v", c)
	}
}

func TestWhatIsNotACallOfAModelIsLeftAlone(t *testing.T) {
	call := &llm.Call{Kind: llm.KindHTTP, Provider: "openai", RequestModel: "gpt-4o"}
	defaultTable(t).Price(call)
	if call.Cost != (llm.Cost{}) {
		t.Errorf("%+v", call.Cost)
	}
	call.Kind = llm.KindLLM
	defaultTable(t).Price(call)
	if call.Cost.Source != llm.CostUnset || call.Cost.Status != llm.CostNoUsage {
		t.Errorf("%+v", call.Cost)
	}
}

func TestReplaceWhilePricing(t *testing.T) {
	one, err := pricing.New([]byte(table(`{"id":"m","price":{"input":1},"src":["me"]}`)))
	if err != nil {
		t.Fatal(err)
	}
	two, err := pricing.New([]byte(table(`{"id":"m","price":{"input":2},"src":["me"]}`)))
	if err != nil {
		t.Fatal(err)
	}
	tab, err := pricing.New([]byte(table()))
	if err != nil {
		t.Fatal(err)
	}
	tab.Replace(one)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				// Ids from outside, more than the cache keeps, beside the real one.
				tab.Cost(&pricing.Query{Provider: "acme", ResponseModel: strings.Repeat("x", i%100), RequestModel: string(rune('a' + i))})
				if got := cost(t, tab, pricing.Query{Provider: "acme", ResponseModel: "m"}); got != "1 table" && got != "2 table" {
					t.Errorf("%s", got)
					return
				}
			}
		})
	}
	for range 100 {
		tab.Replace(two)
		tab.Replace(one)
	}
	wg.Wait()
	tab.Replace(two)
	if got := cost(t, tab, pricing.Query{Provider: "acme", ResponseModel: "m"}); got != "2 table" {
		t.Errorf("after the last replacement: %s", got)
	}
}

func TestWarmPriceDoesNotAllocate(t *testing.T) {
	tab := defaultTable(t)
	call := warmCall()
	tab.Price(call)
	if n := testing.AllocsPerRun(200, func() { tab.Price(call) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func warmCall() *llm.Call {
	return &llm.Call{Kind: llm.KindLLM, Route: "openai", Provider: "openai", ServerAddress: "api.openai.com",
		RequestModel: "gpt-5.6-sol", ResponseModel: "gpt-5.6-sol-2026-07-09", Start: noon,
		Usage: usage(map[llm.UsageKind]int64{llm.UncachedInput: 1000, llm.CacheRead: 4000, llm.CacheWrite: 500, llm.OutputText: 700, llm.Reasoning: 300})}
}
