package openai_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// answer reads a plain answer with this usage.
func answered(t *testing.T, usage string, head ...string) *llm.Call {
	t.Helper()
	f := providerstest.Fixture{
		Target: "/v1/chat/completions", ResponseHeader: llm.Header("Content-Type: application/json\r\n" + strings.Join(head, "")),
		Request:  []byte(`{"model":"m","messages":[]}`),
		Response: fmt.Appendf(nil, `{"id":"x","model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":%s}`, usage),
	}
	c, err := dialect.Read(f.Exchange(), f.Response)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Wire reference, section 13: which number contains which.
func TestUsage(t *testing.T) {
	f := func(usage, want string, inconsistent bool) {
		t.Helper()
		c := answered(t, usage)
		var got []string
		for _, k := range llm.UsageKinds() {
			if n, ok := c.Usage.Get(k); ok && n > 0 {
				got = append(got, fmt.Sprintf("%s=%d", k, n))
			}
		}
		if g := strings.Join(got, " "); g != want || c.Usage.Inconsistent != inconsistent {
			t.Errorf("%s:\ngot  %s (inconsistent %v)\nwant %s (%v)", usage, g, c.Usage.Inconsistent, want, inconsistent)
		}
		if c.UsageRaw != usage {
			t.Errorf("raw: %s, want %s", c.UsageRaw, usage)
		}
	}
	// OpenAI: everything is inside.
	f(`{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":40,"audio_tokens":10,"cache_write_tokens":20},"completion_tokens_details":{"reasoning_tokens":30,"audio_tokens":5,"rejected_prediction_tokens":4}}`,
		"uncached_input=30 cache_read=40 cache_write=20 audio_input=10 output_text=11 reasoning=30 audio_output=5 rejected_prediction=4", false)
	f(`{"prompt_tokens":1220,"completion_tokens":1,"total_tokens":1221,"prompt_tokens_details":{"cache_write_tokens":1217,"cache_write_tokens_details":{"1h":17,"12h":200}}}`,
		"uncached_input=3 cache_write=1000 cache_write_1h=17 cache_write_12h=200 output_text=1", false)
	// Grok on Azure: more cached than asked.
	f(`{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":163}}`, "cache_read=7 output_text=3", true)
	// xAI: reasoning beside the output.
	f(`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35,"completion_tokens_details":{"reasoning_tokens":20}}`, "uncached_input=10 output_text=5 reasoning=20", false)
	// DeepSeek.
	f(`{"prompt_tokens":30,"completion_tokens":5,"total_tokens":35,"prompt_cache_hit_tokens":20,"prompt_cache_miss_tokens":10}`, "uncached_input=10 cache_read=20 output_text=5", false)
	// Mistral: audio beside the input; an older name of the cache.
	f(`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":55,"prompt_tokens_details":{"audio_tokens":40}}`, "uncached_input=10 audio_input=40 output_text=5", false)
	f(`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"num_cached_tokens":4}`, "uncached_input=6 cache_read=4 output_text=5", false)
	f(`{"prompt_tokens":13,"completion_tokens":151,"total_tokens":164,"prompt_audio_seconds":36}`, "uncached_input=13 output_text=151 audio_in_ms=36000", false)
	// Together.
	f(`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"cached_tokens":3}`, "uncached_input=7 cache_read=3 output_text=5", false)
	// Vercel's gateway: reasoning beside the output, though the total does not say so.
	f(`{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20,"market_cost":0.1,"cache_creation_input_tokens":2,"completion_tokens_details":{"reasoning_tokens":96}}`, "uncached_input=8 cache_write=2 output_text=10 reasoning=96", false)
	// OpenRouter: one more by rounding.
	f(`{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20,"completion_tokens_details":{"reasoning_tokens":11},"server_tool_use_details":{"web_search_requests":3}}`, "uncached_input=10 reasoning=10 web_searches=3", true)
	// Gemini's copy: thoughts in the total alone.
	f(`{"prompt_tokens":35,"completion_tokens":12,"total_tokens":109}`, "uncached_input=35 output_text=12 reasoning=62", false)
	// Cached images count as both only once.
	f(`{"prompt_tokens":265,"completion_tokens":1,"total_tokens":266,"prompt_tokens_details":{"cached_tokens":170,"image_tokens":256}}`, "cache_read=9 cache_read_image=161 image_input=95 output_text=1", false)
	// Numbers as floats and texts, nulls, details that are none.
	f(`{"prompt_tokens":"12","completion_tokens":188.0,"total_tokens":null,"prompt_tokens_details":null,"completion_tokens_details":[]}`, "uncached_input=12 output_text=188", false)
	// Only one side, or the total.
	f(`{"prompt_tokens":3,"total_tokens":8}`, "uncached_input=3 output_text=5", false)
	f(`{"completion_tokens":3,"total_tokens":8}`, "uncached_input=5 output_text=3", false)
	f(`{"total_tokens":8}`, "uncached_input=8", false)
	// More parts than whole.
	f(`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"image_tokens":8,"audio_tokens":7}}`, "audio_input=2 image_input=8 output_text=5", true)
}

func TestNoUsageIsUnknownAndNotZero(t *testing.T) {
	for _, usage := range []string{`null`, `{}`, `[]`, `"x"`, `{"prompt_tokens":-1}`, `{"prompt_tokens":1e300}`, `{"other":1}`} {
		if c := answered(t, usage); c.Usage.Known() || c.Usage.Source != "" || c.Cost.Known() {
			t.Errorf("%s: %+v", usage, c.Usage)
		}
	}
}

func TestProviderCost(t *testing.T) {
	f := func(usage, want string, head ...string) {
		t.Helper()
		got := "unknown"
		if c := answered(t, usage, head...).Cost; c.Known() {
			got = strings.TrimPrefix(c.Money().String(), "$")
		}
		if got != want {
			t.Errorf("%s %v: %s, want %s", usage, head, got, want)
		}
	}
	f(`{"prompt_tokens":1,"cost":0.066407}`, "0.066407")
	f(`{"prompt_tokens":1,"cost":1.4e-07}`, "0.00000014")
	f(`{"prompt_tokens":1,"cost":"0.5"}`, "0.5")
	f(`{"prompt_tokens":1,"cost":0}`, "0")
	f(`{"prompt_tokens":1,"cost":12E+1}`, "120")
	f(`{"prompt_tokens":1,"cost":0.0000000000005}`, "0.000000000001")
	f(`{"prompt_tokens":1,"cost":0.1234567890123456789}`, "0.123456789012")
	f(`{"prompt_tokens":1,"cost":0.001,"is_byok":true,"cost_details":{"upstream_inference_cost":0.02}}`, "0.021")
	f(`{"prompt_tokens":1,"cost":0.001,"is_byok":false,"cost_details":{"upstream_inference_cost":0.001}}`, "0.001")
	f(`{"prompt_tokens":1,"cost":{"input_tokens_cost":0.00002,"total_cost":0.00503}}`, "0.00503")
	f(`{"prompt_tokens":1,"cost":{"currency":"EUR","total_cost":0.00503}}`, "0.00503 EUR")
	f(`{"prompt_tokens":1,"cost":{"currency":"tokens","total_cost":0.00503}}`, "unknown")
	f(`{"prompt_tokens":1,"cost_in_usd_ticks":6543500}`, "0.00065435")
	f(`{"prompt_tokens":1,"cost_in_usd_ticks":0}`, "unknown")
	f(`{"prompt_tokens":1}`, "0.00031", "x-litellm-response-cost: 3.1e-4\r\n")
	// What cannot be believed is not told.
	f(`{"prompt_tokens":1,"cost":-1}`, "unknown")
	f(`{"prompt_tokens":1,"cost":1e400}`, "unknown")
	f(`{"prompt_tokens":1,"cost":99999999999}`, "unknown")
	f(`{"prompt_tokens":1,"cost":null}`, "unknown")
	f(`{"prompt_tokens":1}`, "unknown", "x-litellm-response-cost: None\r\n")
	f(`{"prompt_tokens":1}`, "unknown", "x-litellm-response-cost: 1e-\r\n")
}

// The schema that an answer must follow, in the words of those who take one.
func TestOutputSchema(t *testing.T) {
	f := func(target, body, want string) {
		t.Helper()
		c := &llm.Call{}
		x := providerstest.Fixture{Target: target, Request: []byte(body)}.Exchange()
		if err := dialect.ReadRequest(c, x); err != nil || c.OutputSchema != want {
			t.Errorf("%s: %q (%v), want %q", body, c.OutputSchema, err, want)
		}
	}
	const chat, schema = "/v1/chat/completions", `{"type":"object"}`
	f(chat, `{"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type": "object"}}}}`, schema)
	f(chat, `{"response_format":{"type":"json_object","schema":{"type":"object"}}}`, schema)
	f(chat, `{"response_format":{"type":"json_object"}}`, "")
	f(chat, `{"response_format":{"type":"text"}}`, "")
	f(chat, `{"guided_json":{"type":"object"}}`, schema)
	f("/v1/responses", `{"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}}`, schema)
	f("/v1/threads/t/runs", `{"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object"}}}}`, schema)
}
