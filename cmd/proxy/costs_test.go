package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
	"github.com/spanwire/spanwire/providers"
	"github.com/spanwire/spanwire/tokenizer"
)

// TestAnswersCostWhatTheVectorsSay reads each answer of the cost vectors as it comes
// off the wire and prices it: what the pricing package's own test is given as counts
// must also come out of the readers.
func TestAnswersCostWhatTheVectorsSay(t *testing.T) {
	file := filepath.Join(filepath.Dir(filepath.Dir(recordings(t))), "cost-vectors.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("NOT TESTED: that answers cost what the vectors say. Set SPANWIRE_DATA to the folder of the shared data. (%v)", err)
	}
	var vectors struct {
		Vectors []struct {
			ID, Provider, Model, Flavor string
			At                          time.Time
			Response                    json.RawMessage
			ExpectUSD                   *string `json:"expect_usd"`
		}
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	table, err := providers.New(nil, "openai")
	if err != nil {
		t.Fatal(err)
	}
	prices, err := pricing.Default()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{"google": "gemini", "aws-bedrock": "bedrock", "google-vertex": "vertex"}
	known := map[string]bool{}
	for _, r := range table.Rows() {
		known[r.Name] = true
	}
	read := 0
	for _, v := range vectors.Vectors {
		if len(v.Response) == 0 {
			continue
		}
		row := v.Provider
		if rows[row] != "" {
			row = rows[row]
		}
		if !known[row] {
			t.Errorf("%s: no provider %s", v.ID, row)
			continue
		}
		target := map[string]string{
			"anthropic": "/v1/messages", "gemini": "/v1beta/models/" + v.Model + ":generateContent",
			"bedrock": "/model/" + v.Model + "/converse", "cohere": "/v2/chat",
		}[row]
		if target == "" {
			target = "/v1/chat/completions"
		}
		if v.Flavor == "responses" {
			target = "/v1/responses"
		}
		x := &llm.Exchange{
			ID: v.ID, Provider: row, Method: "POST", Target: target, UpstreamTarget: target, Scheme: "https", Status: 200,
			RequestHeader: llm.Header("Content-Type: application/json\r\n"), ResponseHeader: llm.Header("Content-Type: application/json\r\n"),
			Response: llm.Body{Data: v.Response, Size: int64(len(v.Response))},
			Start:    v.At, Sent: v.At, FirstByte: v.At, FirstWrite: v.At, End: v.At.Add(time.Second), Ended: llm.EndComplete,
		}
		call, err := table.Read(x)
		if err != nil {
			t.Logf("%s: %v", v.ID, err)
		}
		prices.Price(call)
		got, want := "unset", "unset"
		if call.Cost.Known() {
			got = call.Cost.Total.String()
		}
		if v.ExpectUSD != nil {
			want = *v.ExpectUSD
		}
		if got != want {
			t.Errorf("%s: %s/%s: %s (%s %s), want %s; usage %+v", v.ID, v.Provider, v.Model, got, call.Cost.Price, call.Cost.Status, want, call.Usage)
		}
		read++
	}
	if read < 16 {
		t.Errorf("only %d answers", read)
	}
}

// TestUsageShapesCost: the figures are worked out by hand from what the vendors say that
// their counts include, and from the rows of the table. "" is unset.
func TestUsageShapesCost(t *testing.T) {
	table, err := providers.New(nil, "openai")
	if err != nil {
		t.Fatal(err)
	}
	prices, err := pricing.Default()
	if err != nil {
		t.Fatal(err)
	}
	const chat, messages, generate = "/v1/chat/completions", "/v1/messages", "/v1beta/models/m:generateContent"
	for _, c := range []struct{ name, row, target, answer, want string }{
		{"cache beside the input, two lives, searches", "anthropic", messages, `{"type":"message","model":"claude-sonnet-4-5","usage":{"input_tokens":1000,"cache_creation_input_tokens":3000,
			"cache_read_input_tokens":10000,"cache_creation":{"ephemeral_5m_input_tokens":1000,"ephemeral_1h_input_tokens":2000},"output_tokens":500,"server_tool_use":{"web_search_requests":2}}}`, "0.04925"},
		{"batch tier", "anthropic", messages, `{"type":"message","model":"claude-sonnet-4-5","usage":{"input_tokens":1000,"output_tokens":1000,"service_tier":"batch"}}`, "0.009"},
		{"priority has no price", "anthropic", messages, `{"type":"message","model":"claude-sonnet-4-5","usage":{"input_tokens":1000,"output_tokens":1000,"service_tier":"priority"}}`, ""},
		{"in the US", "anthropic", messages, `{"type":"message","model":"claude-opus-5-5","usage":{"input_tokens":1000,"output_tokens":100,"inference_geo":"us"}}`, "0.0066"},
		{"anywhere", "anthropic", messages, `{"type":"message","model":"claude-opus-5-5","usage":{"input_tokens":1000,"output_tokens":100,"inference_geo":"global"}}`, "0.006"},
		{"fast", "anthropic", messages, `{"type":"message","model":"claude-opus-5-5","usage":{"input_tokens":1000,"output_tokens":100,"speed":"fast","service_tier":"standard"}}`, "0.012"},
		{"modalities, cached too", "gemini", generate, `{"modelVersion":"gemini-2.5-flash","candidates":[],"usageMetadata":{"promptTokenCount":10000,"cachedContentTokenCount":4000,"candidatesTokenCount":200,
			"thoughtsTokenCount":100,"totalTokenCount":10300,"promptTokensDetails":[{"modality":"TEXT","tokenCount":6000},{"modality":"AUDIO","tokenCount":4000}],
			"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":1000},{"modality":"TEXT","tokenCount":3000}]}}`, "0.00484"},
		{"what tools found makes the prompt long", "gemini", generate, `{"modelVersion":"gemini-2.5-pro","usageMetadata":{"promptTokenCount":199000,"toolUsePromptTokenCount":1001,"candidatesTokenCount":10,"totalTokenCount":200011}}`, "0.5001525"},
		{"not long yet", "gemini", generate, `{"modelVersion":"gemini-2.5-pro","usageMetadata":{"promptTokenCount":199000,"toolUsePromptTokenCount":1000,"candidatesTokenCount":10,"totalTokenCount":200010}}`, "0.2501"},
		{"Vertex's flex traffic", "gemini", generate, `{"modelVersion":"gemini-2.5-pro","usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":10,"totalTokenCount":1010,"trafficType":"ON_DEMAND_FLEX"}}`, "0.000675"},
		{"lives of the cache", "bedrock", "/model/us.anthropic.claude-opus-5-5/converse", `{"output":{"message":{"role":"assistant","content":[{"text":"a"}]}},"stopReason":"end_turn","usage":{"inputTokens":100,"outputTokens":10,"totalTokens":1110,
			"cacheWriteInputTokens":1000,"cacheDetails":[{"ttl":"5m","inputTokens":600},{"ttl":"1h","inputTokens":400}]}}`, "0.00748"},
		{"by its ARN", "bedrock", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-opus-5-5/converse",
			`{"output":{"message":{"role":"assistant","content":[{"text":"a"}]}},"usage":{"inputTokens":100,"outputTokens":10,"totalTokens":110}}`, "0.00066"},
		{"flex", "openai", chat, `{"object":"chat.completion","model":"gpt-5-2025-08-07","service_tier":"flex","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,
			"prompt_tokens_details":{"cached_tokens":400},"completion_tokens_details":{"reasoning_tokens":50}}}`, "0.0009"},
		{"priority", "openai", chat, `{"object":"chat.completion","model":"gpt-5","service_tier":"priority","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"prompt_tokens_details":{"cached_tokens":400}}}`, "0.0036"},
		{"fine-tuned", "openai", chat, `{"object":"chat.completion","model":"ft:gpt-4o-mini-2024-07-18:acme::a1","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}`, "0.00042"},
		{"all zero is 0", "openai", chat, `{"object":"chat.completion","model":"gpt-4o","choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}`, "0"},
		{"no usage is not 0", "openai", chat, `{"object":"chat.completion","model":"gpt-4o","choices":[]}`, ""},
		{"nor is an unknown model", "openai", chat, `{"object":"chat.completion","model":"gpt-4o-new","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20}}`, ""},
		{"input alone", "openai", "/v1/embeddings", `{"object":"list","model":"text-embedding-3-small","data":[],"usage":{"prompt_tokens":1000,"total_tokens":1000}}`, "0.00002"},
		{"as a deployment", "azure", "/openai/deployments/mine/chat/completions?api-version=1", `{"object":"chat.completion","model":"gpt-4o-2024-11-20","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}`, "0.0035"},
		{"reasoning within the output", "xai", chat, `{"object":"chat.completion","model":"grok-4.3","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"completion_tokens_details":{"reasoning_tokens":80}}}`, "0.0015"},
		{"reasoning beside the output", "xai", chat, `{"object":"chat.completion","model":"grok-4.3","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1180,"completion_tokens_details":{"reasoning_tokens":80}}}`, "0.0017"},
		{"within the output of responses", "xai", "/v1/responses", `{"object":"response","status":"completed","model":"grok-4.3","output":[],"usage":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100,"output_tokens_details":{"reasoning_tokens":80}}}`, "0.0015"},
		{"tools that ran, code in one container", "openai", "/v1/responses", `{"object":"response","status":"completed","model":"gpt-5","tools":[{"type":"web_search"},{"type":"code_interpreter"},{"type":"file_search"}],
			"output":[{"type":"web_search_call","id":"w","status":"completed","action":{"type":"search","query":"x"}},{"type":"code_interpreter_call","id":"c","status":"completed","container_id":"k","code":"1"},
			{"type":"code_interpreter_call","id":"d","status":"completed","container_id":"k","code":"2"},{"type":"file_search_call","id":"f","status":"completed","queries":["a"]}],
			"usage":{"input_tokens":100,"output_tokens":10,"total_tokens":110}}`, "0.042725"},
		{"tools that did not run", "openai", "/v1/responses", `{"object":"response","status":"completed","model":"gpt-5","tools":[{"type":"web_search"},{"type":"code_interpreter"}],"output":[],"usage":{"input_tokens":100,"output_tokens":10,"total_tokens":110}}`, "0.000225"},
		{"cached at DeepSeek", "deepseek", chat, `{"object":"chat.completion","model":"deepseek-flash","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"prompt_cache_hit_tokens":400,"prompt_cache_miss_tokens":600}}`, "0.0001512"},
		{"billed units of version 1", "cohere", "/v1/chat", `{"text":"a","generation_id":"g","finish_reason":"COMPLETE","meta":{"billed_units":{"input_tokens":812,"output_tokens":144},"tokens":{"input_tokens":1403,"output_tokens":150}}}`, "0.00347"},
		{"told", "perplexity", chat, `{"object":"chat.completion","model":"sonar","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20,"cost":{"input_tokens_cost":0.001,"total_cost":0.0123}}}`, "0.0123"},
		// A research call as Perplexity bills it: 33 × 2 + 7163 × 8 + 73997 × 3 + 20016 × 2 per million, and 18 searches.
		{"citations and searches", "perplexity", chat, `{"object":"chat.completion","model":"sonar-deep-research","choices":[],"usage":{"prompt_tokens":33,"completion_tokens":7163,"total_tokens":7196,
			"citation_tokens":20016,"num_search_queries":18,"reasoning_tokens":73997}}`, "0.409393"},
		{"searches that the table has no price for", "perplexity", chat, `{"object":"chat.completion","model":"sonar","choices":[],"usage":{"prompt_tokens":33,"completion_tokens":10,"total_tokens":43,"num_search_queries":3}}`, ""},
		{"pages", "mistral", "/v1/ocr", `{"pages":[],"model":"mistral-ocr-2512","usage_info":{"pages_processed":3,"doc_size_bytes":9}}`, "0.006"},
		{"pages that are annotated", "mistral", "/v1/ocr", `{"pages":[],"model":"mistral-ocr-2512","document_annotation":"{}","usage_info":{"pages_processed":3,"doc_size_bytes":9}}`, "0.009"},
		{"told by a broker", "openrouter", "/api/v1/chat/completions", `{"object":"chat.completion","model":"openai/gpt-4o","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20,"cost":0.05,"is_byok":false,"cost_details":{"upstream_inference_cost":0.05}}}`, "0.05"},
		{"and paid elsewhere", "openrouter", "/api/v1/chat/completions", `{"object":"chat.completion","model":"openai/gpt-4o","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20,"cost":0.05,"is_byok":true,"cost_details":{"upstream_inference_cost":0.2}}}`, "0.25"},
	} {
		request := ""
		switch {
		case c.row == "cohere":
			request = `{"model":"command-a-03-2025","message":"a"}`
		case c.name == "pages that are annotated":
			request = `{"model":"mistral-ocr-2512","document":{"type":"document_url","document_url":"https://x.test/a.pdf"},"document_annotation_format":{"type":"json_schema"},"bbox_annotation_format":null}`
		}
		call, err := table.Read(&llm.Exchange{
			Provider: c.row, Method: "POST", Target: c.target, UpstreamTarget: c.target, Scheme: "https", Status: 200, Ended: llm.EndComplete,
			Request: llm.Body{Data: []byte(request), Size: int64(len(request))}, Response: llm.Body{Data: []byte(c.answer), Size: int64(len(c.answer))},
			Start: weekend, End: weekend.Add(time.Second),
		})
		if err != nil {
			t.Logf("%s: %v", c.name, err) // of requests without a body
		}
		if prices.Price(call); !call.Cost.Known() != (c.want == "") || call.Cost.Known() && call.Cost.Total.String() != c.want {
			t.Errorf("%s, %s: %s (%s %s), want %q; usage %+v", c.row, c.name, call.Cost.Total, call.Cost.Status, call.Cost.Price, c.want, call.Usage)
		}
	}
}

// weekend is at an hour without a price of its own.
var weekend = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// TestImagesOfARequestAreCounted: how large an image is, and in what detail it is looked
// at, comes off the wire and is what its tokens depend on.
func TestImagesOfARequestAreCounted(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1024, 1024))); err != nil {
		t.Fatal(err)
	}
	data := "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
	table, err := providers.New(nil, "openai")
	if err != nil {
		t.Fatal(err)
	}
	chat := `{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"hello"},{"type":"image_url","image_url":{"url":%q%s}}]}]}`
	responses := `{"model":"gpt-4o","input":[{"role":"user","content":[{"type":"input_text","text":"hello"},{"type":"input_image","image_url":%q%s}]}]}`
	for _, c := range []struct {
		target, body, link, detail string
		image                      int64
		source                     llm.UsageSource
	}{
		{"/v1/chat/completions", chat, data, "", 85 + 4*170, llm.UsageRule},
		{"/v1/chat/completions", chat, data, `,"detail":"high"`, 85 + 4*170, llm.UsageRule},
		{"/v1/chat/completions", chat, data, `,"detail":"low"`, 85, llm.UsageRule},
		{"/v1/chat/completions", chat, "https://x.test/a.png", `,"detail":"low"`, 85, llm.UsageRule},
		{"/v1/chat/completions", chat, "https://x.test/a.png", "", 85, llm.UsageEstimated}, // nobody fetches it
		{"/v1/responses", responses, data, "", 85 + 4*170, llm.UsageRule},
		{"/v1/responses", responses, data, `,"detail":"low"`, 85, llm.UsageRule},
	} {
		body := fmt.Appendf(nil, c.body, c.link, c.detail)
		answer := []byte(`{"object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hi"}}]}`)
		if c.target == "/v1/responses" {
			answer = []byte(`{"object":"response","model":"gpt-4o","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]}]}`)
		}
		call, err := table.Read(&llm.Exchange{
			Provider: "openai", Method: "POST", Target: c.target, UpstreamTarget: c.target, Status: 200, Ended: llm.EndComplete,
			Request: llm.Body{Data: body, Size: int64(len(body))}, Response: llm.Body{Data: answer, Size: int64(len(answer))},
		})
		if err != nil {
			t.Fatal(err)
		}
		tokenizer.New().Count(call)
		// 3, and for the message 3, its role and its text.
		if n, _ := call.Usage.Input(); n != 3+3+1+1+c.image || call.Usage.Source != c.source {
			t.Errorf("%s %.20s %s: %d (%s), want %d (%s)", c.target, c.link, c.detail, n, call.Usage.Source, 8+c.image, c.source)
		}
	}
}
