package pricing_test

import (
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

// Each test here is a way in which a tool of this kind billed wrongly. The figures
// are worked out by hand from the rows of the table.

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func usage(counts map[llm.UsageKind]int64) llm.Usage {
	u := llm.Usage{Source: llm.UsageReported}
	for k, n := range counts {
		u.Set(k, n)
	}
	return u
}

func costs(t *testing.T, provider, model string, u llm.Usage, want string) llm.Cost {
	t.Helper()
	got := defaultTable(t).Cost(&pricing.Query{Provider: provider, ResponseModel: model, At: noon, Usage: u})
	s := got.Total.String()
	if !got.Known() {
		s = string(got.Status)
	}
	if s != want {
		t.Errorf("%s/%s: %s (%s), want %s", provider, model, s, got.Status, want)
	}
	return got
}

func TestCachedTokensAreNotCountedTwice(t *testing.T) {
	c := costs(t, "openai", "gpt-4o", usage(map[llm.UsageKind]int64{llm.UncachedInput: 200_000, llm.CacheRead: 800_000, llm.OutputText: 0}), "1.5")
	if c.Input.String() != "0.5" || c.CacheRead.String() != "1" {
		t.Errorf("parts %+v", c)
	}
}

func TestCachedTokensAreNotFree(t *testing.T) {
	// No cache_read on the row: cached tokens cost what input costs.
	costs(t, "openai", "gpt-4o-2024-05-13", usage(map[llm.UsageKind]int64{llm.CacheRead: 1_000_000}), "5")
}

func TestOneHourWritesAreNotChargedAtTheFiveMinuteRate(t *testing.T) {
	costs(t, "anthropic", "claude-opus-5-5", usage(map[llm.UsageKind]int64{llm.CacheWrite: 1_000_000}), "5")
	costs(t, "anthropic", "claude-opus-5-5", usage(map[llm.UsageKind]int64{llm.CacheWrite1h: 1_000_000}), "8")
}

func TestReasoningIsChargedOnce(t *testing.T) {
	costs(t, "openai", "gpt-5", usage(map[llm.UsageKind]int64{llm.OutputText: 400_000, llm.Reasoning: 600_000}), "10")
	costs(t, "perplexity", "sonar-deep-research", usage(map[llm.UsageKind]int64{llm.OutputText: 1_000_000, llm.Reasoning: 1_000_000}), "11")
}

func TestServedTierPricesNotTheRequestedOne(t *testing.T) {
	u := usage(map[llm.UsageKind]int64{llm.UncachedInput: 1_000_000, llm.OutputText: 0})
	u.Tier = "default" // as served, whatever was asked
	costs(t, "openai", "gpt-5", u, "1.25")
	u.Tier = "priority"
	costs(t, "openai", "gpt-5", u, "2.5")
	u.Tier = "auto" // not an answer
	costs(t, "openai", "gpt-5", u, string(llm.CostTierUnpriced))
	u.Tier = "no such tier"
	costs(t, "openai", "gpt-5", u, string(llm.CostTierUnpriced))
}

func TestATierScalesTheRatesThatItDoesNotList(t *testing.T) {
	u := usage(map[llm.UsageKind]int64{llm.CacheWrite12h: 100_000})
	u.Tier = "priority" // lists input 2 for 1, and no cache writes: 2.5 becomes 5
	costs(t, "openai", "gpt-6.1-terra", u, "0.5")
	// A long prompt on that tier: twice the long rate, not the tier's short one.
	u = usage(map[llm.UsageKind]int64{llm.UncachedInput: 300_000})
	u.Tier = "priority"
	costs(t, "openai", "gpt-6.1-terra", u, "1.2")
}

func TestLongContextBoundary(t *testing.T) {
	in := func(n int64) llm.Usage {
		return usage(map[llm.UsageKind]int64{llm.UncachedInput: n, llm.OutputText: 0})
	}
	costs(t, "openai", "gpt-5.4", in(272_000), "0.68")     // more than 272,000 is long
	costs(t, "openai", "gpt-5.4", in(272_001), "1.360005") // and then all of it is
	costs(t, "xai", "grok-4.6", in(199_999), "0.399998")   // reaching 200,000 is long
	costs(t, "xai", "grok-4.6", in(200_000), "0.8")
	// Cached tokens count towards the length of the prompt.
	costs(t, "openai", "gpt-5.4", usage(map[llm.UsageKind]int64{llm.CacheRead: 272_001, llm.OutputText: 0}), "0.1360005")
}

func TestRegionalUplift(t *testing.T) {
	tab := defaultTable(t)
	u := usage(map[llm.UsageKind]int64{llm.UncachedInput: 200_000, llm.OutputText: 0})
	f := func(want string, q pricing.Query) {
		t.Helper()
		q.At, q.Usage = noon, u
		if got := tab.Cost(&q); got.Total.String() != want {
			t.Errorf("%+v: %s, want %s", q, got.Total, want)
		}
	}
	f("0.5", pricing.Query{Provider: "openai", Host: "api.openai.com", ResponseModel: "gpt-5.4"})
	f("0.55", pricing.Query{Provider: "openai", Host: "EU.api.openai.com", ResponseModel: "gpt-5.4"})
	f("0.5", pricing.Query{Provider: "openai", Host: "eu.api.openai.com", ResponseModel: "gpt-4o"}) // not among the models
	u.Region = "us"
	f("0.88", pricing.Query{Provider: "anthropic", ResponseModel: "claude-opus-5-5"})
	u.Region = "global"
	f("0.8", pricing.Query{Provider: "anthropic", ResponseModel: "claude-opus-5-5"})
	u.Region = ""
	f("0.33", pricing.Query{Host: "europe-west4-aiplatform.googleapis.com", ResponseModel: "gemini-3.5-flash"})
	f("0.33", pricing.Query{Host: "aiplatform.eu.rep.googleapis.com", ResponseModel: "gemini-3.5-flash"})
	f("0.3", pricing.Query{Host: "aiplatform.googleapis.com", ResponseModel: "gemini-3.5-flash"})
	// Fees are not multiplied.
	u = usage(map[llm.UsageKind]int64{llm.UncachedInput: 0, llm.OutputText: 0, llm.WebSearches: 3})
	f("0.03", pricing.Query{Provider: "openai", Host: "eu.api.openai.com", ResponseModel: "gpt-5.4"})
}

func TestToolFeeIsForExecutedCallsOnly(t *testing.T) {
	call := &llm.Call{
		Kind: llm.KindLLM, Provider: "anthropic", ResponseModel: "claude-opus-5-5", Start: noon,
		Tools: []llm.Tool{{Type: "web_search_20250305", Name: "web_search"}},
		Usage: usage(map[llm.UsageKind]int64{llm.UncachedInput: 1_000_000, llm.OutputText: 0}),
	}
	tab := defaultTable(t)
	if tab.Price(call); call.Cost.Total.String() != "4" || call.Cost.Tools != 0 {
		t.Errorf("declared: %+v", call.Cost)
	}
	call.Usage.Set(llm.WebSearches, 2)
	call.Usage.Set(llm.WebFetches, 5) // an explicit 0 in the table
	if tab.Price(call); call.Cost.Total.String() != "4.02" || call.Cost.Tools.String() != "0.02" {
		t.Errorf("executed: %+v", call.Cost)
	}
}

func TestAToolWithoutAPriceLeavesTheCostUnset(t *testing.T) {
	costs(t, "groq", "llama-3.1-8b-instant", usage(map[llm.UsageKind]int64{llm.UncachedInput: 5, llm.WebSearches: 1}), string(llm.CostToolUnpriced))
	costs(t, "openrouter", "a/b:free", usage(map[llm.UsageKind]int64{llm.UncachedInput: 5, llm.WebSearches: 1}), string(llm.CostToolUnpriced))
}

func TestAnAbortedStreamIsBilledAsEstimated(t *testing.T) {
	u := usage(map[llm.UsageKind]int64{llm.UncachedInput: 1_000_000, llm.OutputText: 10})
	u.Source = llm.UsagePartial
	if c := costs(t, "anthropic", "claude-opus-5-5", u, "4.0002"); c.Status != llm.CostEstimated {
		t.Errorf("status %s", c.Status)
	}
}

func TestAnUnknownModelIsUnsetAndNeverFree(t *testing.T) {
	u := usage(map[llm.UsageKind]int64{llm.UncachedInput: 1000, llm.OutputText: 1000})
	for _, model := range []string{"gpt-99", "gpt-4o-nope", "gpt-4", "", "*", "gpt-4o-2024-05-13-extra", "ft:gpt-99:org::1"} {
		got := defaultTable(t).Cost(&pricing.Query{Provider: "openai", ResponseModel: model, At: noon, Usage: u})
		if model == "gpt-4" {
			if !got.Known() {
				t.Error("gpt-4 has a row")
			}
			continue
		}
		if got.Known() || got.Total != 0 || got.Status != llm.CostUnknownModel {
			t.Errorf("%q: %+v", model, got)
		}
	}
	costs(t, "nobody", "gpt-4o", u, string(llm.CostUnknownModel))
	costs(t, "openai", "gpt-4o", llm.Usage{}, string(llm.CostNoUsage))
}

func TestAPricePerTokenIsRefused(t *testing.T) {
	f := func(rate string) {
		t.Helper()
		_, err := pricing.Default(pricing.WithOverrides([]pricing.Override{{Provider: "openai", Model: "mine", Rates: map[string]string{"input": rate}}}))
		wantError(t, err, "per 1,000,000 tokens", "openai/mine", "is it a price per token?")
	}
	f("8000000")  // 8 USD a token
	f("0.000002") // 2 USD per million, written per token
	f("1e-9")
	f("99999999999999")
}

func TestAPerImagePriceIsNotAddedToTokens(t *testing.T) {
	costs(t, "google", "gemini-2.0-flash-exp-image-generation", usage(map[llm.UsageKind]int64{llm.UncachedInput: 0, llm.OutputText: 1_000_000, llm.Images: 1}), "0.4")
	if c := costs(t, "openai", "dall-e-3", usage(map[llm.UsageKind]int64{llm.Images: 2}), "0.08"); c.Status != llm.CostEstimated {
		t.Errorf("quality and size are not known, yet the status is %s", c.Status)
	}
	costs(t, "google", "imagen-4.0-generate-001", usage(map[llm.UsageKind]int64{llm.Images: 2}), "0.08")
}

// Images that are sold apiece cost what their quality and size do.
func TestImagesByQualityAndSize(t *testing.T) {
	f := func(model, form, want string, status llm.CostStatus) {
		t.Helper()
		u := usage(map[llm.UsageKind]int64{llm.Images: 2})
		u.ImageForm = form
		if c := costs(t, "openai", model, u, want); c.Status != status {
			t.Errorf("%s, %s: %s, want %s", model, form, c.Status, status)
		}
	}
	f("dall-e-3", "hd/1024x1792", "0.24", llm.CostOK)
	f("dall-e-3", "HD/default", "0.16", llm.CostOK)
	f("dall-e-3", "default/1024x1024", "0.08", llm.CostOK)
	f("dall-e-2", "default/256x256", "0.032", llm.CostOK)
	f("dall-e-3", "hd/9x9", "0.08", llm.CostEstimated) // not listed: the default is a guess
	f("dall-e-3", "", "0.08", llm.CostEstimated)
}

func TestHoursOfTheDayAndHolidays(t *testing.T) {
	tab := defaultTable(t)
	f := func(at, want string, status llm.CostStatus) {
		t.Helper()
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		got := tab.Cost(&pricing.Query{Provider: "deepseek", ResponseModel: "deepseek-flash", At: when, Usage: usage(map[llm.UsageKind]int64{llm.UncachedInput: 1_000_000, llm.OutputText: 0})})
		if got.Total.String() != want || got.Status != status {
			t.Errorf("%s: %s (%s), want %s (%s)", at, got.Total, got.Status, want, status)
		}
	}
	f("2026-11-19T00:59:59Z", "0.15", llm.CostOK)
	f("2026-11-19T01:00:00Z", "0.3", llm.CostOK)
	f("2026-11-19T09:59:59+08:00", "0.3", llm.CostOK) // 01:59:59 UTC
	f("2026-11-19T05:00:00Z", "0.15", llm.CostOK)
	f("2026-11-22T02:00:00Z", "0.15", llm.CostOK)        // Sunday
	f("2026-10-01T02:00:00Z", "0.15", llm.CostEstimated) // a Thursday, and a holiday, whose date nobody has checked
	f("2026-10-01T05:00:00Z", "0.15", llm.CostOK)        // not a peak hour: no holiday matters
	// A year whose holidays are not known: the working day is a guess.
	f("2027-03-01T02:00:00Z", "0.3", llm.CostEstimated)
	f("2026-09-09T23:59:59Z", "0", llm.CostUnknownModel) // before its first price
}

func TestARowOfZeroIsFreeNotUnknown(t *testing.T) {
	u := usage(map[llm.UsageKind]int64{llm.UncachedInput: 1000, llm.OutputText: 1000})
	c := costs(t, "openrouter", "meta-llama/llama-3.3-70b-instruct:free", u, "0")
	if c.Source != llm.CostTable || c.Status != llm.CostOK {
		t.Errorf("%+v", c)
	}
}

func TestInconsistentUsageIsMarked(t *testing.T) {
	u := usage(map[llm.UsageKind]int64{llm.UncachedInput: 0, llm.CacheRead: 1_000_000, llm.OutputText: 0})
	u.Inconsistent = true
	if c := costs(t, "openai", "gpt-4o", u, "1.25"); c.Status != llm.CostInconsistentUsage || !c.Known() {
		t.Errorf("%+v", c)
	}
	// Counts that no model can have made are no amount at all.
	u = usage(map[llm.UsageKind]int64{llm.UncachedInput: 1 << 62, llm.OutputText: 1 << 62})
	if c := costs(t, "openai", "gpt-4o", u, string(llm.CostInconsistentUsage)); c.Known() {
		t.Errorf("%+v", c)
	}
}

func TestAModelWithoutARateForWhatWasUsedIsUnset(t *testing.T) {
	u := usage(map[llm.UsageKind]int64{llm.UncachedInput: 10, llm.OutputText: 10})
	if c := costs(t, "openai", "gpt-4o-mini-tts", u, string(llm.CostUnknownModel)); c.Price == "" {
		t.Errorf("the row that matched is not named: %+v", c)
	}
}

func TestInputAloneIsALowerBound(t *testing.T) {
	if c := costs(t, "openai", "gpt-4o", usage(map[llm.UsageKind]int64{llm.UncachedInput: 1_000_000}), "2.5"); c.Status != llm.CostEstimated {
		t.Errorf("nobody counted the output, yet the status is %s", c.Status)
	}
	if c := costs(t, "voyage", "voyage-4-large", usage(map[llm.UsageKind]int64{llm.UncachedInput: 1_000_000}), "0.12"); c.Status != llm.CostOK {
		t.Errorf("an embedding has no output: %s", c.Status)
	}
}

func TestFeesPerUnit(t *testing.T) {
	costs(t, "openai", "whisper-1", usage(map[llm.UsageKind]int64{llm.AudioInMillis: 1}), "0.0000001")
	costs(t, "perplexity", "sonar", usage(map[llm.UsageKind]int64{llm.UncachedInput: 1000, llm.OutputText: 1000}), "0.014")
	costs(t, "cohere", "rerank-v3.5", usage(map[llm.UsageKind]int64{llm.SearchUnits: 3}), "0.006")
	costs(t, "openai", "tts-1", usage(map[llm.UsageKind]int64{llm.Characters: 1000, llm.UncachedInput: 250}), "0.015")
	costs(t, "google", "veo-2.0-generate-001", usage(map[llm.UsageKind]int64{llm.VideoMillis: 8000}), "2.8")
	costs(t, "mistral", "mistral-ocr-latest", usage(map[llm.UsageKind]int64{llm.Pages: 12}), "0.048")
}
