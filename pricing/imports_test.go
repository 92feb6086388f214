package pricing_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/pricing"
)

func embeddedTable(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("prices.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func imported(t *testing.T, format, list string) *pricing.Import {
	t.Helper()
	in, err := pricing.ImportFrom([]byte(list), embeddedTable(t), pricing.ImportOptions{Format: format, AsOf: "2026-11-22", What: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pricing.New(in.Table); err != nil {
		t.Fatalf("the result is not valid: %v", err)
	}
	return in
}

// changed writes the changes of rows, one a line; those of the head are left out.
func changed(in *pricing.Import) string {
	var b strings.Builder
	for _, c := range in.Changes {
		b.WriteString(c.Provider + "/" + c.Model + " " + c.Field + ": " + c.From + " > " + c.To + "\n")
	}
	return b.String()
}

const litellmList = `{
 "sample_spec": {"litellm_provider": "one of", "input_cost_per_token": 0.0},
 "gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1.1e-05},
 "gpt-4o-mini": {"litellm_provider": "openai", "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07},
 "gpt-9-new": {"litellm_provider": "openai", "input_cost_per_token": 3e-06, "output_cost_per_token": 1e-05, "input_cost_per_token_above_200k_tokens": 6e-06},
 "gpt-4.1": {"litellm_provider": "openai", "input_cost_per_token": 8, "output_cost_per_token": 1e-05},
 "gpt-4.1-mini": {"litellm_provider": "openai", "input_cost_per_token": 3.0000000000000004e-07},
 "deepseek/deepseek-v4-pro": {"litellm_provider": "deepseek", "input_cost_per_token": 9e-06, "output_cost_per_token": 1e-05},
 "a/b": {"litellm_provider": "nobody", "input_cost_per_token": 1e-06},
 "dall-e-9": {"litellm_provider": "openai", "output_cost_per_image": 0.04}
}`

func TestImportLiteLLM(t *testing.T) {
	in := imported(t, "litellm", litellmList)
	want := "openai/gpt-4o price.output: 10 > 11\n" +
		"openai/gpt-4o src: "
	if got := changed(in); !strings.HasPrefix(got, want) {
		t.Errorf("changes:\n%swant\n%s", got, want)
	}
	if got := changed(in); !strings.Contains(got, "openai/gpt-9-new :  > input 3, long[200001].input 6, long[200001].min 200001, output 10\n") || strings.Count(got, "\n") != 3 {
		t.Errorf("changes:\n%s", got)
	}
	skipped := strings.Join(in.Skipped, "\n")
	for _, w := range []string{
		"openai/gpt-4.1: input: 8000000 USD per 1,000,000 tokens is above the bound",
		"openai/gpt-4.1-mini: input: ", "finer than 1 pico-USD",
		"deepseek/deepseek/deepseek-v4-pro: differs, and the row's price has dates or hours",
		"openai/dall-e-9: no price for tokens", "nobody: 1 models of a provider that the table does not have",
	} {
		if !strings.Contains(skipped, w) {
			t.Errorf("not among the skipped: %q\n%s", w, skipped)
		}
	}
	if len(in.Skipped) != 5 || in.Same != 1 {
		t.Errorf("%d skipped, %d the same", len(in.Skipped), in.Same)
	}
}

// What an import does not touch is the same line as before.
func TestImportChangesTheLinesOfItsRowsOnly(t *testing.T) {
	before := bytes.Split(embeddedTable(t), []byte("\n"))
	known := map[string]bool{}
	for _, l := range before {
		known[string(l)] = true
	}
	var fresh []string
	for _, l := range bytes.Split(imported(t, "litellm", litellmList).Table, []byte("\n")) {
		if !known[string(l)] {
			fresh = append(fresh, string(l))
		}
	}
	if len(fresh) != 4 || !strings.Contains(fresh[0], "as_of") || !strings.Contains(fresh[1], `"litellm-20261122":{"what":"a test","date":"2026-11-22"}`) ||
		!strings.Contains(fresh[2], `{"id":"gpt-4o",`) || !strings.Contains(fresh[3], `{"id":"gpt-9-new","price":{"input":3,"output":10,"long":[{"min":200001,"input":6}]},"src":["litellm-20261122"]}`) {
		t.Errorf("new lines:\n%s", strings.Join(fresh, "\n"))
	}
}

func TestImportModelsDev(t *testing.T) {
	in := imported(t, "models.dev", `{
 "openai": {"id": "openai", "models": {
  "gpt-4o": {"id": "gpt-4o", "cost": {"input": 2.5, "output": 10, "cache_read": 1}},
  "gpt-odd": {"cost": {"input": 1, "output": 2, "tiers": [{"input": 3, "tier": {"type": "time", "size": 3}}]}},
  "gpt-none": {}}},
 "google": {"models": {"gemini-9": {"cost": {"input": 1, "output": 2, "context_over_200k": {"input": 2, "output": 4}}},
  "gemini-10": {"cost": {"input": 1, "output": 2, "tiers": [{"input": 3, "output": 5, "tier": {"type": "context", "size": 128000}}]}}}},
 "xai": {"models": {"grok-9": {"cost": {"input": 0, "output": 0}}}}
}`)
	want := "google/gemini-10 :  > input 1, long[128001].input 3, long[128001].min 128001, long[128001].output 5, output 2\n" +
		"google/gemini-9 :  > input 1, long[200001].input 2, long[200001].min 200001, long[200001].output 4, output 2\n" +
		"openai/gpt-4o price.cache_read: 1.25 > 1\n"
	if got := changed(in); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "xai/grok-9 :  > input 0, output 0\n") {
		t.Errorf("changes:\n%s", got)
	}
	if len(in.Skipped) != 2 {
		t.Errorf("skipped: %q", in.Skipped)
	}
}

func TestImportGenaiPrices(t *testing.T) {
	in := imported(t, "genai-prices", `[
 {"id": "openai", "models": [
  {"id": "gpt-4o", "match": {"equals": "gpt-4o"}, "prices": {"input_mtok": 2.5, "output_mtok": 10, "requests_kcount": 3}},
  {"id": "gpt-9", "prices": [{"prices": {"input_mtok": 9, "output_mtok": 9}}, {"constraint": {"start_date": "2026-01-01"}, "prices": {"input_mtok": {"base": 1, "tiers": [{"start": 200000, "price": 2}]}, "output_mtok": 3}}]},
  {"id": "gpt-8", "prices": [{"prices": {"input_mtok": 9}}, {"constraint": {"type": "time_of_date", "start_time": "00:30:00Z"}, "prices": {"input_mtok": 1}}]},
  {"id": "gpt-7", "prices": {"input_mtok": "free"}}]},
 {"id": "avian", "models": [{"id": "x", "prices": {"input_mtok": 1}}]}
]`)
	if got := changed(in); got != "openai/gpt-9 :  > input 1, long[200001].input 2, long[200001].min 200001, output 3\n" {
		t.Errorf("changes:\n%s", got)
	}
	if len(in.Skipped) != 3 || in.Same != 1 {
		t.Errorf("%d the same, skipped: %q", in.Same, in.Skipped)
	}
}

func TestImportOfNothingNewIsTheSameTable(t *testing.T) {
	in := imported(t, "litellm", `{"gpt-4o-2024-08-06": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}}`)
	if !bytes.Equal(in.Table, embeddedTable(t)) || len(in.Changes) != 0 || in.Same != 1 {
		t.Errorf("%d changes, %d the same", len(in.Changes), in.Same)
	}
}

func TestImportNarrowed(t *testing.T) {
	in, err := pricing.ImportFrom([]byte(litellmList), embeddedTable(t), pricing.ImportOptions{Format: "litellm", AsOf: "2026-11-22", What: "x", Providers: []string{"gemini"}})
	if err != nil || len(in.Changes) != 0 {
		t.Errorf("%v, %v", in, err)
	}
}

func TestBadImportsAreRefused(t *testing.T) {
	f := func(format, list, asOf, want string, providers ...string) {
		t.Helper()
		_, err := pricing.ImportFrom([]byte(list), embeddedTable(t), pricing.ImportOptions{Format: format, AsOf: asOf, What: "x", Providers: providers})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %.40q: %v, want %q", format, list, err, want)
		}
	}
	f("csv", "{}", "2026-11-22", "litellm")
	f("litellm", "[]", "2026-11-22", "read litellm")
	f("litellm", "{}", "2026-11-22", "no models")
	f("models.dev", "{", "2026-11-22", "read models.dev")
	f("genai-prices", "{}", "2026-11-22", "read genai-prices")
	f("litellm", litellmList, "today", "date")
	f("litellm", litellmList, "2026-11-22", "no provider", "acme")
}

func FuzzImport(f *testing.F) {
	table, err := os.ReadFile("prices.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(1), []byte(litellmList))
	f.Add(uint8(0), []byte(`[{"id":"openai","models":[{"id":"m","prices":{"input_mtok":{"base":1,"tiers":[{"start":5,"price":2}]}}}]}]`))
	f.Add(uint8(2), []byte(`{"openai":{"models":{"m":{"cost":{"input":1,"tiers":[{"input":2,"tier":{"type":"context","size":9}}]}}}}}`))
	f.Fuzz(func(t *testing.T, format uint8, list []byte) {
		in, err := pricing.ImportFrom(list, table, pricing.ImportOptions{Format: pricing.Formats[int(format)%3], AsOf: "2026-11-22", What: "x"})
		if err != nil {
			return
		}
		if _, err := pricing.New(in.Table); err != nil {
			t.Errorf("the result is not valid: %v", err)
		}
	})
}

func TestDiff(t *testing.T) {
	head := `{"schema":"spanwire.prices/1","as_of":"2026-01-01","currency":"USD","sources":{"s":{"what":"w","date":"2026-01-01"}},"providers":[`
	row := func(s string) []byte { return []byte(head + `{"id":"p","hosts":["a.b"],"models":[` + s + `]}]}`) }
	f := func(a, b, want string) {
		t.Helper()
		got, err := pricing.Diff(row(a), row(b))
		if err != nil {
			t.Fatal(err)
		}
		if text := changed(&pricing.Import{Changes: got}); text != want {
			t.Errorf("%s, %s: %q, want %q", a, b, text, want)
		}
	}
	m := `{"id":"m","price":{"input":2.50,"output":1e1},"src":["s"]}`
	f(m, m, "")
	f(m, `{"src":["s"],"id":"m","price":[{"output":"10","input":2.5}]}`, "")
	f(m, `{"id":"m","price":{"input":2.5,"output":12},"src":["s"]}`, "p/m price.output: 10 > 12\n")
	f(m, `{"id":"m","price":{"input":2.5,"output":10,"cache_read":0},"src":["s"]}`, "p/m price.cache_read:  > 0\n")
	f(m, m+`,{"id":"n","price":{"input":1},"src":["s"]}`, "p/n :  > input 1\n")
	f(m+`,{"id":"n","price":{"input":1},"src":["s"]}`, m, "p/n : input 1 > \n")
	f(m, `{"id":"m","price":[{"input":2.5,"output":10},{"from":"2026-05-01","input":3,"output":10}],"src":["s"]}`,
		"p/m price[2026-05-01].from:  > \"2026-05-01\"\np/m price[2026-05-01].input:  > 3\np/m price[2026-05-01].output:  > 10\n")
	if _, err := pricing.Diff(row(m), []byte("{}")); err == nil || !strings.Contains(err.Error(), "new table") {
		t.Errorf("an invalid table: %v", err)
	}
}

func TestCards(t *testing.T) {
	tab, err := pricing.Default(
		pricing.WithOverrides([]pricing.Override{{Provider: "local", Model: "*", Rates: map[string]string{"per_gpu_hour": "2.5", "gpus": "2"}}}),
		pricing.WithModels(map[string]string{"prod-chat": "openai/gpt-4o"}))
	if err != nil {
		t.Fatal(err)
	}
	text := func(provider, model string) string {
		var b strings.Builder
		for _, c := range tab.Cards(provider, model) {
			b.WriteString("# " + c.Provider + "/" + c.Model + " " + string(c.Source) + "\n")
			for _, p := range c.Prices {
				b.WriteString("[" + p.When + "]\n")
				for _, r := range p.Rates {
					b.WriteString(r.Name + " " + r.Amount + " " + r.Per + "\n")
				}
			}
		}
		return b.String()
	}
	f := func(provider, model string, want ...string) {
		t.Helper()
		got := text(provider, model)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s/%s: no %q in\n%s", provider, model, w, got)
			}
		}
	}
	f("openai", "gpt-4.1-mini-2025-04-14", "# openai/gpt-4.1-mini-2025-04-14 table\n[]\ninput 0.4 1M tokens\n", "output 1.6 1M tokens\n", "[service tier flex]\ntokens × 0.5 \n", "web_search 0.01 call\n")
	f("minimax", "MiniMax-M3", "[prompts of 512001 tokens and more]\ninput 0.6 1M tokens\n")
	f("deepseek", "deepseek-v4-pro", "Mon Tue Wed Thu Fri, 01:00-04:00 and 06:00-10:00 UTC, holidays left out]\n", "[from 2026-08-16 16:00 UTC]\n")
	f("openai", "dall-e-3", "hd/1024x1024 0.08 image\n")
	f("openrouter", "anything/new:free", "everything 0 call\n")
	f("openai", "prod-chat", "# openai/gpt-4o table\n")
	f("", "gpt-4o", "# azure/gpt-4o", "# openai/gpt-4o")
	if got := text("openai", "gpt-4o-nothing"); got != "" {
		t.Errorf("a model that nobody has: %s", got)
	}
	f("local", "llama", "# local/* override\n[]\nper_gpu_hour 5 hour of the call, all GPUs\n")
}

func TestSummary(t *testing.T) {
	s := defaultTable(t).Summary()
	if s.AsOf != "2026-11-21" || s.Providers != 24 || s.Models < 2100 || s.Names < s.Models || s.Dated == 0 || s.Long == 0 || s.Tiers == 0 || s.Free == 0 || len(s.Sources) != 4 {
		t.Errorf("%+v", s)
	}
	tab, err := pricing.Default(pricing.WithOverrides([]pricing.Override{{Provider: "local", Model: "*", Rates: map[string]string{"input": "0"}}}))
	if err != nil {
		t.Fatal(err)
	}
	if o := tab.Summary(); o.Models != s.Models+1 || o.Free != s.Free+1 || o.Providers != s.Providers+1 {
		t.Errorf("%+v with an override more than %+v", o, s)
	}
}
