package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/fakellm"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

// writeIn writes a file into a new folder and returns its path.
func writeIn(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// dearer is the table that comes with the program, with another price of the output
// of the model that the fake provider answers as.
func dearer(t *testing.T) string {
	t.Helper()
	row := `{"id":"gpt-4o-mini-2024-07-18","price":{"input":0.15,"output":0.6`
	table := string(pricing.Embedded())
	if !strings.Contains(table, row) {
		t.Fatal("the table has no such row any more")
	}
	return strings.Replace(table, row, strings.Replace(row, "0.6", "0.66", 1), 1)
}

func TestPricesCommands(t *testing.T) {
	other := writeIn(t, "other.json", dearer(t))
	broken := writeIn(t, "broken.json", strings.Replace(dearer(t), `"input":0.15`, `"input":-1`, 1))
	list := writeIn(t, "list.json", `{"gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1.1e-05},
		"x": {"litellm_provider": "openai", "input_cost_per_token": 8}}`)
	own := writeConfig(t, "pricing:\n  overrides: [{provider: local, model: '*', rates: {per_gpu_hour: '2.5', gpus: '8'}}]\n"+
		"  multipliers: [{team: research, provider: openai, from: 2026-01-01, to: 2026-06-30, multiply: '0.85'}]\n")
	t.Chdir(t.TempDir())
	f := func(ok bool, want []string, args ...string) {
		t.Helper()
		out, errOut, err := cli(t, append([]string{"prices"}, args...)...)
		if (err == nil) != ok {
			t.Errorf("%q: error %v, said %q and %q", args, err, out, errOut)
		}
		for _, w := range want {
			if !strings.Contains(out+errOut, w) {
				t.Errorf("%q: does not say %q:\n%s%s", args, w, out, errOut)
			}
		}
	}
	f(true, []string{"check", "diff", "import", "of"})
	f(true, []string{"the configured table is valid: as of ", "24 providers", "\nsources\n", "genai-prices", "checked against public price pages, 2026-"}, "check")
	f(true, []string{"25 providers"}, "check", "--config", own)
	f(true, []string{other + " is valid"}, "check", other)
	f(false, []string{broken, "gpt-4o-mini", "negative"}, "check", broken)
	f(false, []string{"no such file"}, "check", "missing.json")
	f(true, []string{"changed  openai/gpt-4o-mini-2024-07-18: price.output: 0.6 -> 0.66\n1 differences in 1 models\n"}, "diff", other)
	f(false, []string{"the new table", "negative"}, "diff", broken)
	f(true, []string{"no differences"}, "diff", other, "--config", writeConfig(t, "pricing: {file: '"+other+"'}\n"))

	f(true, []string{"openai/gpt-4o\n", "input", "2.5", "USD per 1M tokens", "table of 2026-11-21", "service tier flex:", "× 0.5", "web_search", "\nsources\n", "models.dev"}, "of", "gpt-4o", "--provider", "openai")
	f(true, []string{"openai/gpt-4o\n", "azure/gpt-4o\n"}, "of", "gpt-4o")
	f(true, []string{"negotiated for team research from 2026-01-01 before 2026-07-01:", "× 0.85"}, "of", "gpt-4o", "--config", own)
	f(true, []string{"local/*", "the configuration's own row", "per_gpu_hour", "20"}, "of", "llama", "--provider", "local", "--config", own)
	f(false, []string{"no price is known", "pricing.overrides"}, "of", "gpt-nothing")

	imports := []string{"import", "--from", "litellm", list, "--as-of", "2026-11-22"}
	f(true, []string{"skipped  openai/x: input: 8000000 USD", "changed  openai/gpt-4o: price.output: 10 -> 11\n", "nothing is written"}, imports...)
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 0 {
		t.Errorf("something was written: %v, %v", entries, err)
	}
	f(true, []string{"written to new.json"}, append(imports, "--write", "new.json")...)
	f(true, []string{"new.json is valid: as of 2026-11-22", "litellm-20261122"}, "check", "new.json")
	f(true, []string{"changed  openai/gpt-4o: price.output: 10 -> 11\n"}, "diff", "new.json")
	f(true, []string{"0 models say the same, 0 were skipped"}, append(imports, "--provider", "mistral")...)
	f(false, []string{"no provider"}, append(imports, "--provider", "acme")...)
	f(false, []string{"names the list itself"}, append(imports, "--write", list)...)
	f(false, []string{"required flag"}, "import", list)
	f(false, []string{"genai-prices, litellm, models.dev"}, "import", "--from", "csv", list)
	if b, err := os.ReadFile(list); err != nil || !bytes.Contains(b, []byte("litellm_provider")) {
		t.Errorf("the list was changed: %v", err)
	}
}

// TestPricesReload: a changed price table is taken up while the program runs, one
// that is not valid is refused, and the old prices stay.
func TestPricesReload(t *testing.T) {
	table := writeIn(t, "prices.json", string(pricing.Embedded()))
	p := start(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+
		"pricing:\n  file: '"+table+"'\n  multipliers: [{team: research, multiply: '1/2'}]\n")
	cost := func(team string) llm.Cost {
		t.Helper()
		resp, _, err := send(t, "POST", p.url+chatPath, chatBody("gpt-4o-mini", ""), "X-Spanwire-Team", team)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("answer %d, %v", resp.StatusCode, err)
		}
		return p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id")).Cost
	}
	before := cost("search")
	if half := cost("research"); half.Total != before.Total/2 || half.Source != llm.CostOverride || before.Source != llm.CostTable {
		t.Errorf("a team at half the price: %+v, others %+v", half, before)
	}
	replace(t, table, dearer(t))
	if err := p.reload(t); err != nil {
		t.Fatal(err)
	}
	after := cost("search")
	if after.Output != before.Output/10*11 || after.Input != before.Input {
		t.Errorf("after the reload %+v, before %+v", after, before)
	}
	replace(t, table, strings.Replace(dearer(t), `"input":0.15`, `"input":"free"`, 1))
	if err := p.reload(t); err == nil || !strings.Contains(err.Error(), "gpt-4o-mini") {
		t.Errorf("an invalid table gives %v", err)
	}
	if still := cost("search"); still != after {
		t.Errorf("an invalid table changed the price: %+v, %+v", still, after)
	}
}

// TestAnotherCurrency: a price in another currency is told as such by the span, the
// metrics, the store and the commands, and is in no sum of dollars.
func TestAnotherCurrency(t *testing.T) {
	dir := t.TempDir()
	config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + fmt.Sprintf("data_dir: %q\n", dir) +
		"pricing: {overrides: [{provider: openai, model: gpt-4o-mini-2024-07-18, currency: CNY, rates: {input: \"1\", output: \"2\"}}]}\n"
	p := start(t, config)
	resp, _, err := send(t, "POST", p.url+chatPath, chatBody("gpt-4o-mini", ""))
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	id := resp.Header.Get("X-Spanwire-Call-Id")
	cost := p.calls.call(t, id).Cost
	if cost.Currency != "CNY" || cost.Total <= 0 || cost.Source != llm.CostOverride {
		t.Fatalf("%+v", cost)
	}
	amount := cost.Total.String()
	file := writeConfig(t, config)
	f := func(want []string, not string, args ...string) {
		t.Helper()
		out, errOut, err := cli(t, append(args, "--config", file)...)
		if err != nil || strings.Contains(out, not) {
			t.Errorf("%v: %v, %s%s", args, err, out, errOut)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%v: no %q in %s", args, w, out)
			}
		}
	}
	for out := ""; !strings.Contains(out, id); {
		out, _, _ = cli(t, "calls", "--config", file)
	}
	f([]string{amount + " CNY"}, "$", "calls")
	f([]string{`"cost":"` + amount + `"`, `"cost_currency":"CNY"`}, "cost_usd", "calls", "--json")
	f([]string{amount + " CNY", "output " + cost.Output.String() + " CNY"}, "$", "call", id)
	f([]string{"CNY per 1M tokens"}, "1  USD", "prices", "of", "gpt-4o-mini-2024-07-18", "--provider", "openai")
	f([]string{"in CNY, USD"}, "invalid", "prices", "check")
	f([]string{"everything fits"}, "PROBLEM", "store", "check")
	p.stop(t)
	if err := os.WriteFile(file, []byte(strings.Replace(config, "currency: CNY", "currency: EUR", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	f([]string{"1 cost something else now: " + amount + " CNY before, " + amount + " EUR after"}, "$", "reprice", "--since", "1d")
	f([]string{`"cost_was_currency":"CNY"`, `"cost_currency":"EUR"`}, "cost_usd", "calls", "--json")
	f([]string{"everything fits"}, "PROBLEM", "store", "check")
}

// TestDeploymentsAreCountedAsTheirModels: what a name is priced as it is counted as, from
// a reload on too.
func TestDeploymentsAreCountedAsTheirModels(t *testing.T) {
	config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + "pricing: {models: {prod-chat: openai/gpt-4o}}\n"
	config = strings.Replace(config, "name: openai", "name: openai, usage: count", 1)
	file := writeConfig(t, config)
	p := startFile(t, file)
	f := func(model string, want llm.UsageSource) {
		t.Helper()
		resp, _, err := send(t, "POST", p.url+chatPath, chatBody(model, `,"stream":true`))
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		c := p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id"))
		if c.Usage.Source != want || (want == llm.UsageRule) != c.Cost.Known() {
			t.Errorf("%s is counted as %s (%+v)", model, c.Usage.Source, c.Cost)
		}
	}
	f("prod-chat", llm.UsageRule)
	f("new-chat", llm.UsageEstimated)
	replace(t, file, strings.Replace(config, "prod-chat", "new-chat", 1))
	if err := p.reload(t); err != nil {
		t.Fatal(err)
	}
	f("new-chat", llm.UsageRule)
	f("prod-chat", llm.UsageEstimated)
}

// TestCalibrationIsKept: what the counter learns is there after a restart.
func TestCalibrationIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "calibration.json")
	config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + "tokenizer: {calibration_file: '" + file + "'}\n"
	p := start(t, config)
	resp, _, err := send(t, "POST", p.url+chatPath, chatBody("mistral-large-latest", ""))
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("answer %d, %v", resp.StatusCode, err)
	}
	p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id"))
	p.stop(t)
	if b, err := os.ReadFile(file); err != nil || !bytes.Contains(b, []byte(`"model":"mistral-large-latest","calls":1`)) {
		t.Errorf("%v, %s", err, b)
	}
	again := start(t, config)
	again.stop(t)
	if err := os.WriteFile(file, []byte("listen: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errOut, err := cli(t, "--check", "--config", writeConfig(t, config)); err == nil || !strings.Contains(errOut, "tokenizer: calibration_file") {
		t.Errorf("a file that is something else: %v, %s", err, errOut)
	}
}
