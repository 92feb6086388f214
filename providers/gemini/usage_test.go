package gemini_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// answered reads a plain answer of generateContent with these members.
func answered(t *testing.T, target, members string) *llm.Call {
	t.Helper()
	c, err := dialect.Read(providerstest.Fixture{Target: target, Request: []byte(`{}`)}.Exchange(), []byte("{"+members+"}"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	geminiTarget = "/v1beta/models/gemini-2.5-flash:generateContent"
	vertexTarget = "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:generateContent"
)

func kinds(u llm.Usage) string {
	var all []string
	for _, k := range llm.UsageKinds() {
		if n, ok := u.Get(k); ok {
			all = append(all, fmt.Sprintf("%s=%d", k, n))
		}
	}
	if u.Inconsistent {
		all = append(all, "inconsistent")
	}
	return strings.Join(all, " ")
}

// The parts of a usage are disjoint, whatever contains what (wire reference,
// sections 8.3 and 13).
func TestUsage(t *testing.T) {
	f := func(usage, want string) {
		t.Helper()
		c := answered(t, geminiTarget, `"usageMetadata":{`+usage+`}`)
		if got := kinds(c.Usage); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", usage, got, want)
		}
	}
	f(`"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15`, "uncached_input=10 output_text=5")
	f(`"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,"toolUsePromptTokenCount":3,"totalTokenCount":25`, "uncached_input=10 tool_use_input=3 output_text=5 reasoning=7")
	// The total says that thoughts, or tools, are inside.
	f(`"promptTokenCount":10,"candidatesTokenCount":9,"thoughtsTokenCount":7,"totalTokenCount":19`, "uncached_input=10 output_text=2 reasoning=7")
	f(`"promptTokenCount":10,"candidatesTokenCount":9,"thoughtsTokenCount":7,"toolUsePromptTokenCount":3,"totalTokenCount":26`, "uncached_input=7 tool_use_input=3 output_text=9 reasoning=7")
	// Live does not count thoughts in its total.
	f(`"promptTokenCount":10,"responseTokenCount":9,"thoughtsTokenCount":7,"totalTokenCount":19`, "uncached_input=10 output_text=9 reasoning=7")
	// Zeros are left out; what the total tells is known.
	f(`"promptTokenCount":10,"thoughtsTokenCount":7,"totalTokenCount":17`, "uncached_input=10 output_text=0 reasoning=7")
	f(`"promptTokenCount":10`, "uncached_input=10")
	f(`"promptTokenCount":"10","candidatesTokenCount":5.0`, "uncached_input=10 output_text=5")
	f(`"promptTokenCount":-1,"candidatesTokenCount":null`, "")
	f(`"prompt_token_count":10,"candidates_token_count":5`, "uncached_input=10 output_text=5")
	f(`"trafficType":"ON_DEMAND"`, "")
	// Modalities.
	f(`"promptTokenCount":100,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":30},{"modality":3,"tokenCount":20},{"modality":"TEXT","tokenCount":50}]`, "uncached_input=50 audio_input=30 video_input=20")
	f(`"promptTokenCount":100,"cachedContentTokenCount":60,"promptTokensDetails":[{"modality":"IMAGE","tokenCount":80},{"modality":"TEXT","tokenCount":20}],"cacheTokensDetails":[{"modality":"IMAGE","tokenCount":50},{"modality":"TEXT","tokenCount":10}]`, "uncached_input=10 cache_read=10 cache_read_image=50 image_input=30")
	f(`"promptTokenCount":100,"cachedContentTokenCount":60,"promptTokensDetails":[{"modality":"IMAGE","tokenCount":80},{"modality":"TEXT","tokenCount":20}]`, "uncached_input=0 cache_read=20 cache_read_image=40 image_input=40")
	f(`"promptTokenCount":50,"cachedContentTokenCount":60`, "uncached_input=0 cache_read=50 inconsistent")
	f(`"candidatesTokenCount":100,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":90},{"modality":"AUDIO","tokenCount":4}]`, "output_text=6 audio_output=4 image_output=90")
}

func TestTiers(t *testing.T) {
	f := func(usage, want string) {
		t.Helper()
		if c := answered(t, vertexTarget, `"usageMetadata":{"promptTokenCount":1,`+usage+`}`); c.Usage.Tier != want {
			t.Errorf("%s: %q", usage, c.Usage.Tier)
		}
	}
	f(`"trafficType":"ON_DEMAND"`, "standard")
	f(`"trafficType":1`, "standard")
	f(`"trafficType":"ON_DEMAND_PRIORITY"`, "priority")
	f(`"trafficType":"PROVISIONED_THROUGHPUT"`, "provisioned_throughput")
	f(`"serviceTier":"SERVICE_TIER_FLEX","trafficType":"ON_DEMAND"`, "flex")
	f(`"serviceTier":"unspecified"`, "")
}

// Searches are billed each since Gemini 3, and by the prompt before.
func TestSearches(t *testing.T) {
	f := func(model, queries, want string) {
		t.Helper()
		c := answered(t, geminiTarget, `"modelVersion":"`+model+`","candidates":[{"groundingMetadata":{"webSearchQueries":[`+queries+`]}}]`)
		if got := kinds(c.Usage); got != want {
			t.Errorf("%s %s: %s", model, queries, got)
		}
	}
	f("gemini-2.5-flash", `"a","b"`, "web_searches=1")
	f("gemini-3-flash", `"a","b","a",""`, "web_searches=2")
	f("gemini-3-flash", ``, "")
}

// Numbers of finish reasons mean what they mean in the API that sent them.
func TestFinishReasons(t *testing.T) {
	f := func(target, told, raw, want string) {
		t.Helper()
		c := answered(t, target, `"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":`+told+`}]`)
		if c.FinishReasons[0] != raw || c.Output[0].FinishReason != want {
			t.Errorf("%s: %q %q", told, c.FinishReasons, c.Output[0].FinishReason)
		}
	}
	f(geminiTarget, `"STOP"`, "STOP", "stop")
	f(geminiTarget, `2`, "2", "length")
	f(geminiTarget, `6`, "6", "error")
	f(vertexTarget, `6`, "6", "content_filter")
	f(geminiTarget, `"IMAGE_SAFETY"`, "IMAGE_SAFETY", "content_filter")
	f(geminiTarget, `"UNEXPECTED_TOOL_CALL"`, "UNEXPECTED_TOOL_CALL", "error")
	f(geminiTarget, `"SOMETHING_NEW"`, "SOMETHING_NEW", "SOMETHING_NEW")
	f(geminiTarget, `99`, "99", "99")
}
