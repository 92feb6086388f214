package providers_test

import (
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// shapes are answers that are known by their shape, at paths that nobody listed or that
// mean several things. want begins with the operation.
var shapes = []variant{
	{name: "a chat at a path of Databricks", row: "stranger", target: "/serving-endpoints/m/invocations", media: "application/json",
		body: `{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,
		want: `chat id=x model=m 0.text=a 0.finish=stop uncached_input=1 output_text=2`},
	{name: "a stream of Snowflake without an end mark or a reason", row: "stranger", target: "/api/v2/cortex/inference:complete", body: events(
		`{"id":"x","model":"m","choices":[{"delta":{"type":"text","content":"He","content_list":[{"type":"text","text":"He"}],"text":"He"}}],"usage":{}}`,
		`{"id":"x","model":"m","choices":[{"delta":{"type":"text","content":"y","text":"y"}}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}`),
		want: `chat id=x model=m 0.text=Hey uncached_input=10 output_text=2`},
	{name: "texts of an old endpoint", row: "openai", target: "/v1/edits", media: "application/json",
		body: `{"object":"edit","created":1,"choices":[{"text":"fixed","index":0}],"usage":{"prompt_tokens":25,"completion_tokens":32,"total_tokens":57}}`,
		want: `text_completion 0.text=fixed uncached_input=25 output_text=32`},
	{name: "choices that no model wrote", row: "openai", target: "/v1/polls", media: "application/json",
		body: `{"id":"p","choices":[{"text":"yes","index":0},{"text":"no","index":1}]}`, want: ` id=p`},
	{name: "a model on Vertex that speaks as OpenAI's do", row: "vertex", target: "/v1/projects/p/locations/l/publishers/ai21/models/jamba:rawPredict", media: "application/json",
		body: `{"id":"x","model":"jamba","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,
		want: `chat id=x model=jamba 0.text=a 0.finish=stop uncached_input=1 output_text=2`},
	{name: "choices that are all number 0", row: "openai", target: chat, media: "application/json",
		body: `{"id":"x","model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"},{"index":0,"message":{"content":"b"},"finish_reason":"length"}]}`,
		want: `chat id=x model=m 0.text=a 1.text=b 0.finish=stop 1.finish=length`},
	{name: "reasoning as a part with a summary", row: "stranger", target: "/serving-endpoints/chat/completions", media: "application/json",
		body: `{"id":"x","model":"m","choices":[{"index":0,"message":{"content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"why","signature":"s"}]},{"type":"text","text":"a"}]},"finish_reason":"stop"}]}`,
		want: `chat id=x model=m 0.reasoning=why 0.text=a 0.finish=stop`},
	{name: "vectors of text and images", row: "voyage", target: "/v1/multimodalembeddings", media: "application/json",
		body: `{"object":"list","data":[{"object":"embedding","embedding":[0.1,0.2],"index":0}],"model":"voyage-multimodal-3","usage":{"text_tokens":5,"image_pixels":2000000,"total_tokens":3576}}`,
		want: `embeddings model=voyage-multimodal-3 uncached_input=3576`},
	{name: "audio in seconds and in the total", row: "mistral", target: "/v1/audio/transcriptions", media: "application/json",
		body: `{"model":"voxtral","text":"hi","language":null,"segments":[],"usage":{"prompt_audio_seconds":5,"prompt_tokens":7,"total_tokens":470,"completion_tokens":88}}`,
		want: `transcription model=voxtral 0.text=hi uncached_input=7 audio_input=375 output_text=88 audio_in_ms=5000`},
	{name: "vectors of Titan", row: "bedrock", target: "/model/amazon.titan-embed-text-v2:0/invoke", media: "application/json",
		body: `{"embedding":[0.1,0.2],"inputTextTokenCount":3}`, want: `embeddings uncached_input=3`},
	{name: "scores of Cohere on Bedrock", row: "bedrock", target: "/model/cohere.rerank-v3-5:0/invoke", media: "application/json",
		body: `{"results":[{"index":0,"relevance_score":0.9}]}`, want: `rerank`},
	{name: "an image on Bedrock", row: "bedrock", target: "/model/stability.sd3-large-v1:0/invoke", media: "application/json",
		body: `{"seeds":[1],"finish_reasons":[null],"images":["aGVsbG8="]}`, want: `image_generation images=1`},
	{name: "Cohere's plan in pieces, and as a whole", row: "cohere", target: "/v1/chat", media: "application/stream+json",
		body: `{"is_finished":false,"event_type":"stream-start","generation_id":"g"}
{"is_finished":false,"event_type":"tool-calls-chunk","text":"I "}
{"is_finished":false,"event_type":"tool-calls-chunk","text":"will"}
{"is_finished":false,"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"name":"f"}}
{"is_finished":false,"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"parameters":"{\"a\":1}"}}
{"is_finished":false,"event_type":"tool-calls-generation","text":"I will","tool_calls":[{"name":"f","parameters":{"a":1}}]}
{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":{"response_id":"r","text":"I will","generation_id":"g","tool_calls":[{"name":"f","parameters":{"a":1}}],"meta":{"billed_units":{"input_tokens":53,"output_tokens":9}}}}
`,
		want: `chat id=g 0.text=I will 0.call=:f{"a":1} 0.finish=COMPLETE uncached_input=53 output_text=9`},
}

func TestShapes(t *testing.T) {
	tab := table(t)
	for _, v := range shapes {
		t.Run(v.name, func(t *testing.T) {
			media := v.media
			if media == "" {
				media = "text/event-stream"
			}
			row := v.row
			if tab.Row(row) == nil {
				row = "openai" // what a stranger's row is taken for
			}
			for _, n := range []int{1, 7, 333, len(v.body)} {
				f := providerstest.Fixture{Target: v.target, Response: []byte(v.body), ResponseHeader: llm.Header("Content-Type: " + media + "\r\n")}
				c, err := through(tab, row).Read(f.Exchange(), providerstest.Cut(f.Response, n)...)
				if err != nil {
					t.Fatal(err)
				}
				if got := c.Operation + " " + said(c); got != v.want && got != v.want+" " {
					t.Fatalf("pieces of %d:\ngot  %s\nwant %s", n, got, v.want)
				}
				if llmCall := c.Kind == llm.KindLLM; llmCall != (c.Operation != "") {
					t.Fatalf("%s call of operation %q", c.Kind, c.Operation)
				}
			}
		})
	}
}

// The request of a chat at a path that nobody listed is read as one.
func TestRequestOfAnUnlistedChat(t *testing.T) {
	x := exchange("openai", "/serving-endpoints/m/invocations", 200)
	x.Request.Data = []byte(`{"messages":[{"role":"user","content":"hi"}],"max_tokens":5,"tools":[{"type":"function","function":{"name":"f"}}]}`)
	c := show(t, table(t), x, `{"model":"m","choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}`)
	if len(c.Input) != 1 || len(c.Input[0].Parts) != 1 || c.Input[0].Parts[0].Content != "hi" || len(c.Tools) != 1 || attr(c, "gen_ai.request.max_tokens") != int64(5) {
		t.Errorf("%+v", c)
	}
	// What is only fetched once more was billed when it was made.
	x = exchange("openai", "/v1/chat/completions/chatcmpl-1", 200)
	x.Method = "GET"
	if c = show(t, table(t), x, `{"id":"chatcmpl-1","model":"m","choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`); c.Kind != llm.KindHTTP || len(c.Output) > 0 {
		t.Errorf("a stored chat: %+v", c)
	}
	x = exchange("xai", "/v1/chat/deferred-completion/r1", 200)
	x.Method = "GET"
	if c = show(t, table(t), x, `{"id":"d","model":"m","choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`); c.Kind != llm.KindLLM || c.UsageOf != "d" || len(c.Output) != 1 {
		t.Errorf("a deferred chat: %+v", c)
	}
}
