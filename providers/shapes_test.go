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
	{name: "vectors of a model of Azure's catalogue", row: "azure-ai", target: "/models/embeddings?api-version=2024-05-01-preview", media: "application/json",
		body: `{"id":"x","object":"list","data":[{"index":0,"object":"embedding","embedding":[0.1,0.2]}],"model":"embed","usage":{"prompt_tokens":1,"completion_tokens":0,"total_tokens":1}}`,
		want: `embeddings id=x model=embed uncached_input=1 output_text=0`},
	{name: "a delta with a number and no content beside its text", row: "together", target: "/v1/completions", body: events(
		`{"id":"x","model":"m","choices":[{"index":0,"text":"He","delta":{"token_id":1},"finish_reason":null}]}`,
		`{"id":"x","model":"m","choices":[{"index":0,"text":"y","delta":{"token_id":2,"content":"y"},"finish_reason":"length"}]}`, `[DONE]`),
		want: `text_completion id=x model=m 0.text=Hey 0.finish=length`},
	{name: "a message at the end that the deltas were", row: "openai", target: "/v1/text/chatcompletion_v2", body: events(
		`{"id":"x","model":"m","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"He","role":"assistant"}}]}`,
		`{"id":"x","model":"m","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"y"},"finish_reason":"stop"}]}`,
		`{"id":"x","model":"m","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"content":"Hey","role":"assistant"}}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}`),
		want: `chat id=x model=m 0.text=Hey 0.finish=stop uncached_input=7 output_text=3`},
	{name: "a message in a stream that has no deltas", row: "openai", target: chat, body: events(
		`{"id":"x","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"content":"Hey","role":"assistant"}}]}`, `[DONE]`),
		want: `chat id=x model=m 0.text=Hey 0.finish=stop`},
	{name: "a conversation of Mistral's", row: "mistral", target: "/v1/conversations", media: "application/json",
		body: `{"object":"conversation.response","conversation_id":"conv","usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"connectors":null},"outputs":[{"type":"tool.execution","id":"t","name":"web_search","arguments":"{}"},{"type":"function.call","id":"fc","tool_call_id":"a","name":"f","arguments":"{\"x\":1}"},{"type":"function.call","id":"fd","tool_call_id":"b","name":"g","arguments":"{}"},{"type":"message.output","model":"m","content":[{"type":"text","text":"see"},{"type":"tool_reference","tool":"web_search","title":"T"}]}]}`,
		want: `chat id=conv model=m 0.text=see 0.call=a:f{"x":1} 0.call=b:g{} uncached_input=10 output_text=5`},
	{name: "a conversation of Mistral's in pieces", row: "mistral", target: "/v1/conversations", body: events(
		`{"type":"conversation.response.started","conversation_id":"conv"}`,
		`{"type":"message.output.delta","output_index":0,"id":"msg","content_index":0,"model":"m","role":"assistant","content":"He"}`,
		`{"type":"message.output.delta","output_index":0,"id":"msg","content_index":0,"model":"m","role":"assistant","content":{"type":"text","text":"y"}}`,
		`{"type":"function.call.delta","output_index":1,"id":"fc","model":"m","name":"f","tool_call_id":"a","arguments":"{\"x\""}`,
		`{"type":"function.call.delta","output_index":1,"id":"fc","model":"m","name":"f","tool_call_id":"a","arguments":":1}"}`,
		`{"type":"conversation.response.done","usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`),
		want: `chat id=conv model=m 0.text=Hey 0.call=a:f{"x":1} uncached_input=10 output_text=5`},
	{name: "a conversation of Mistral's that failed", row: "mistral", target: "/v1/conversations", body: events(
		`{"type":"conversation.response.started","conversation_id":"conv"}`,
		`{"type":"conversation.response.error","message":"boom","code":3000}`),
		want: ` id=conv error=conversation.response.error`},
	{name: "llama.cpp's own completion", row: "llamacpp", target: "/completion", body: events(
		`{"index":0,"content":"He","tokens":[1],"stop":false,"id_slot":-1,"tokens_predicted":1,"tokens_evaluated":4}`,
		`{"index":0,"content":"y","tokens":[1],"stop":false,"id_slot":-1,"tokens_predicted":2,"tokens_evaluated":4}`,
		`{"index":0,"content":"","tokens":[],"stop":true,"model":"m.gguf","tokens_predicted":2,"tokens_evaluated":4,"generation_settings":{},"stop_type":"limit","timings":{"prompt_n":4}}`),
		want: `text_completion model=m.gguf 0.text=Hey 0.finish=limit uncached_input=4 output_text=2`},
	{name: "DashScope's own API, all of the text in each piece", row: "alibaba", target: "/api/v1/services/aigc/text-generation/generation",
		body: events("id:1\nevent:result\n:HTTP_STATUS/200\ndata:"+`{"output":{"choices":[{"message":{"content":"He","role":"assistant"},"finish_reason":"null"}]},"usage":{"total_tokens":2,"output_tokens":1,"input_tokens":1},"request_id":"r"}`,
			"id:2\nevent:result\n:HTTP_STATUS/200\ndata:"+`{"output":{"choices":[{"message":{"content":"Hey","role":"assistant"},"finish_reason":"stop"}]},"usage":{"total_tokens":3,"output_tokens":2,"input_tokens":1},"request_id":"r"}`),
		want: `chat 0.text=Hey 0.finish=stop uncached_input=1 output_text=2`},
	{name: "Cloudflare's own API", row: "cloudflare", target: "/client/v4/accounts/a/ai/run/@cf/m", media: "application/json",
		body: `{"result":{"response":"a","tool_calls":[{"name":"f","arguments":{"x":1}}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}},"success":true,"errors":[],"messages":[]}`,
		want: `chat 0.text=a 0.call=:f{"x":1} uncached_input=1 output_text=2`},
	{name: "Cloudflare's own API in pieces", row: "cloudflare", target: "/client/v4/accounts/a/ai/run/@cf/m", body: events(
		`{"response":"He","p":"abc"}`, `{"response":"y","p":"abcdef"}`, `{"response":"","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`, `[DONE]`),
		want: `chat 0.text=Hey uncached_input=1 output_text=2`},
	{name: "vectors of Hugging Face", row: "huggingface", target: "/hf-inference/models/org/m/pipeline/feature-extraction", media: "application/json",
		body: `[[0.1,-0.2],[0.3,0.4]]`, want: `embeddings`},
	{name: "one vector of Hugging Face", row: "huggingface", target: "/hf-inference/models/org/m/pipeline/feature-extraction", media: "application/json",
		body: `[-0.1,0.2]`, want: `embeddings`},
	{name: "scores of Hugging Face's server", row: "huggingface", target: "/rerank", media: "application/json",
		body: `[{"index":0,"score":0.9},{"index":1,"score":0.1}]`, want: `rerank`},
	{name: "an error event that is a text", row: "openai", target: chat, body: events(
		`{"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}`, "event: error\ndata: Internal Server Error"),
		want: `chat id=x model=m 0.text=a 0.finish=error error=_OTHER`},
	{name: "a stream under the type of a text", row: "openai", target: chat, media: "text/plain; charset=utf-8", body: events(
		`{"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}`, `[DONE]`),
		want: `chat id=x model=m 0.text=a 0.finish=stop`},
	{name: "a stream under the type of anything", row: "gemini", target: "/v1beta/models/g:streamGenerateContent?alt=sse", media: "application/octet-stream", body: events(
		`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"modelVersion":"g"}`),
		want: `generate_content model=g 0.text=a 0.finish=STOP`},
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

// Lines of Cohere's are lines under any type, where a stream was asked for.
func TestLinesUnderAnotherType(t *testing.T) {
	x := exchange("cohere", "/v1/chat", 200)
	x.ResponseHeader = llm.Header("Content-Type: application/json\r\n")
	x.Request.Data = []byte(`{"message":"x","stream":true}`)
	c := show(t, table(t), x, "{\"event_type\":\"text-generation\",\"text\":\"a\"}\n{\"event_type\":\"stream-end\",\"is_finished\":true,\"finish_reason\":\"COMPLETE\",\"response\":{\"text\":\"a\",\"generation_id\":\"g\"}}\n")
	if got := said(c); got != "id=g 0.text=a 0.finish=COMPLETE" {
		t.Error(got)
	}
}

// Vectors and scores of Hugging Face's are lists, and count.
func TestListsOfHuggingFace(t *testing.T) {
	tab := table(t)
	f := func(target, body, key string, count, dimensions any) {
		t.Helper()
		c := show(t, tab, exchange("huggingface", target, 200), body)
		if attr(c, key) != count || attr(c, "gen_ai.embeddings.dimension.count") != dimensions || len(c.Problems) > 0 || len(c.Output) > 0 {
			t.Errorf("%s %s: %v %v %q", target, body, attr(c, key), attr(c, "gen_ai.embeddings.dimension.count"), c.Problems)
		}
	}
	const vectors, scores = "spanwire.embeddings.count", "spanwire.rerank.count"
	f("/hf-inference/models/org/m/pipeline/feature-extraction", `[[0.1,-0.2,3e-5],[0.3,0.4,0.5]]`, vectors, int64(2), int64(3))
	f("/hf-inference/models/org/m/pipeline/feature-extraction", `[-0.1,0.2]`, vectors, int64(1), int64(2))
	f("/hf-inference/models/org/m", `[[0.1,-0.2],[0.3,0.4]]`, vectors, int64(2), int64(2))
	f("/embed", `[[0.1,-0.2]]`, vectors, int64(1), int64(2))
	f("/rerank", `[{"index":0,"score":0.9},{"index":1,"score":0.1}]`, scores, int64(2), nil)
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
	x = exchange("alibaba", "/api/v1/services/aigc/text-generation/generation", 200)
	x.Request.Data = []byte(`{"model":"qwen","input":{"messages":[{"role":"user","content":"hi"}]},"parameters":{"incremental_output":true}}`)
	c = show(t, table(t), x, events(`{"output":{"text":"He","finish_reason":"null"},"usage":{"output_tokens":1,"input_tokens":1}}`, `{"output":{"text":"y","finish_reason":"stop"},"usage":{"output_tokens":2,"input_tokens":1}}`))
	if got := said(c); got != "0.text=Hey 0.finish=stop uncached_input=1 output_text=2" || len(c.Input) != 1 || c.RequestModel != "qwen" {
		t.Errorf("pieces that bring what is new: %s %+v", got, c.Input)
	}
	x = exchange("xai", "/v1/chat/deferred-completion/r1", 200)
	x.Method = "GET"
	if c = show(t, table(t), x, `{"id":"d","model":"m","choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`); c.Kind != llm.KindLLM || c.UsageOf != "d" || len(c.Output) != 1 {
		t.Errorf("a deferred chat: %+v", c)
	}
}
