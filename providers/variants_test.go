package providers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// variant is an answer in a shape that a vendor has, or may have (wire reference,
// sections 3, 4, 13, 14 and 16), and what it says.
type variant struct {
	name, row, target, media, body string
	want                           string
}

// events makes a stream of events of chunks.
func events(chunks ...string) string {
	var b strings.Builder
	for _, c := range chunks {
		if strings.Contains(c, "\n") || strings.HasPrefix(c, ":") || strings.HasPrefix(c, "event:") || strings.HasPrefix(c, "error:") {
			b.WriteString(c + "\n\n")
			continue
		}
		b.WriteString("data: " + c + "\n\n")
	}
	return b.String()
}

// said renders what matters of a call on one line.
func said(c *llm.Call) string {
	var out []string
	add := func(k, v string) {
		if v != "" {
			out = append(out, k+"="+v)
		}
	}
	add("id", c.ResponseID)
	add("model", c.ResponseModel)
	for i, m := range c.Output {
		for _, p := range m.Parts {
			switch p.Type {
			case llm.PartToolCall:
				add(fmt.Sprint(i, ".call"), p.ID+":"+p.Name+p.Arguments)
			case llm.PartText, llm.PartReasoning, llm.PartRefusal:
				add(fmt.Sprint(i, ".", p.Type), p.Content)
			}
		}
	}
	for i, f := range c.FinishReasons {
		add(fmt.Sprint(i, ".finish"), f)
	}
	for _, k := range llm.UsageKinds() {
		if n, ok := c.Usage.Get(k); ok && (n > 0 || k == llm.UncachedInput || k == llm.OutputText) {
			add(k.String(), fmt.Sprint(n))
		}
	}
	if c.Usage.Inconsistent {
		add("usage", "inconsistent")
	}
	if c.Cost.Source == llm.CostProvider {
		add("cost", c.Cost.Total.String())
	}
	add("error", c.ErrorType)
	return strings.Join(out, " ")
}

const chat = "/v1/chat/completions"

var variants = []variant{
	{name: "Together: text beside delta, eos", row: "together", target: chat, body: events(
		`{"id":"t","object":"chat.completion.chunk","model":"m","prompt":[],"choices":[{"index":0,"text":"He","delta":{"token_id":1,"role":"assistant","content":"He"},"finish_reason":null}],"usage":null}`,
		`{"id":"t","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"text":"y","delta":{"content":"y"},"finish_reason":"eos"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"cached_tokens":4}}`, `[DONE]`),
		want: `id=t model=m 0.text=Hey 0.finish=eos uncached_input=6 cache_read=4 output_text=2`},
	{name: "vLLM: calls under one index", row: "vllm", target: chat, body: events(
		`{"id":"v","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}]}`,
		`{"id":"v","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]}}]}`,
		`{"id":"v","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},"finish_reason":"tool_calls","stop_reason":128008}]}`, `[DONE]`),
		want: `id=v model=m 0.call=a:f{"x":1} 0.call=b:g{} 0.finish=tool_calls`},
	{name: "names and ids in every piece, null arguments", row: "writer", target: "/v1/chat", body: events(
		`{"id":"w","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":null}}]}}]}`,
		`{"id":"w","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}]}}]}`,
		`{"id":"w","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":":1}"}}]}}]}`,
		`{"id":"w","model":"m","choices":[{"index":0,"delta":{"content":""},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_token_details":{"cached_tokens":1}}}`),
		want: `id=w model=m 0.call=a:f{"x":1} 0.finish=tool_calls uncached_input=2 cache_read=1 output_text=4`},
	{name: "Mistral: calls without index, thinking parts, usage unasked", row: "mistral", target: chat, body: events(
		`{"id":"i","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]},"finish_reason":null}],"p":"abc"}`,
		`{"id":"i","model":"m","choices":[{"index":0,"delta":{"content":[{"type":"text","text":"so"}]},"finish_reason":null}]}`,
		`{"id":"i","model":"m","choices":[{"index":0,"delta":{"content":"","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":20,"total_tokens":31,"completion_tokens":8,"prompt_tokens_details":{"cached_tokens":5,"audio_tokens":3}}}`, `[DONE]`),
		want: `id=i model=m 0.reasoning=hm 0.text=so 0.call=a:f{} 0.call=b:g{"y":2} 0.finish=tool_calls uncached_input=15 cache_read=5 audio_input=3 output_text=8`},
	{name: "Perplexity: usage and the text so far in every chunk, no end mark", row: "perplexity", target: "/chat/completions", body: strings.ReplaceAll(events(
		`: ping - 2026-11-21`,
		`{"id":"p","model":"sonar","citations":["u"],"choices":[{"index":0,"message":{"role":"assistant","content":"He"},"delta":{"role":"assistant","content":"He"},"finish_reason":null}],"usage":{"prompt_tokens":7,"completion_tokens":1,"total_tokens":8}}`,
		`{"id":"p","model":"sonar","citations":["u"],"choices":[{"index":0,"message":{"role":"assistant","content":"Hey"},"delta":{"content":"y"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"cost":{"input_tokens_cost":0.000007,"output_tokens_cost":0.000002,"request_cost":0.005,"total_cost":0.005009}}}`), "\n", "\r\n"),
		want: `id=p model=sonar 0.text=Hey 0.finish=stop uncached_input=7 output_text=2 cost=0.005009`},
	{name: "usage null, then alone, then a chunk behind it", row: "openai", target: chat, body: events(
		`{"id":"o","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null}`,
		`{"id":"o","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}`,
		`{"id":"o","model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6,"prompt_tokens_details":{"cached_tokens":1,"cache_write_tokens":3,"cache_write_tokens_details":{"30m":1,"12h":2}}}}`,
		`{"id":"o","model":"m","choices":[],"moderation":{"results":[]},"usage":null}`, `[DONE]`),
		want: `id=o model=m 0.text=a 0.finish=stop uncached_input=1 cache_read=1 cache_write=1 cache_write_12h=2 output_text=1`},
	{name: "Groq: the same usage twice", row: "groq", target: "/openai/v1/chat/completions", body: events(
		`{"id":"g","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"a","channel":"final"},"finish_reason":null}],"x_groq":{"id":"req"}}`,
		`{"id":"g","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"req","usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6,"queue_time":0.1}}}`,
		`{"id":"g","model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6,"queue_time":0.1}}`, `[DONE]`),
		want: `id=g model=m 0.text=a 0.finish=stop uncached_input=5 output_text=1`},
	{name: "Groq: an error as an event", row: "groq", target: "/openai/v1/chat/completions", body: events(
		`{"id":"g","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}`,
		"event: error\ndata: {\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\",\"failed_generation\":\"x\",\"status_code\":400}}"),
		want: `id=g model=m 0.text=a 0.finish=error error=tool_use_failed`},
	{name: "OpenRouter: comments, the choice twice, cost", row: "openrouter", target: "/api/v1/chat/completions", body: events(
		`: OPENROUTER PROCESSING`, `: OPENROUTER PROCESSING`,
		`{"id":"gen","provider":"P","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]},"finish_reason":null}]}`,
		`{"id":"gen","provider":"P","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop","native_finish_reason":"STOP"}]}`,
		`{"id":"gen","provider":"P","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop","native_finish_reason":"STOP"}],"usage":{"prompt_tokens":5,"completion_tokens":9,"total_tokens":14,"cost":0.00012,"is_byok":false,"prompt_tokens_details":{"cached_tokens":2,"cache_write_tokens":1},"completion_tokens_details":{"reasoning_tokens":8}}}`, `[DONE]`),
		want: `id=gen model=m 0.reasoning=hm 0.text=a 0.finish=stop uncached_input=2 cache_read=2 cache_write=1 output_text=1 reasoning=8 cost=0.00012`},
	{name: "OpenRouter: an error inside a chunk", row: "openrouter", target: "/api/v1/chat/completions", body: events(
		`{"id":"gen","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}`,
		`{"id":"gen","model":"m","error":{"code":502,"message":"upstream"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","native_finish_reason":null}]}`, `[DONE]`),
		want: `id=gen model=m 0.text=a 0.finish=error error=502`},
	{name: "GPUStack: an error as an unknown field", row: "gpustack", target: chat, body: events(
		`{"id":"s","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}`,
		`error: {"code":500,"message":"out of memory","type":"server_error"}`),
		want: `id=s model=m 0.text=a 0.finish=error error=server_error`},
	{name: "vLLM: running totals", row: "vllm", target: chat, body: events(
		`{"id":"v","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":5,"completion_tokens":0,"total_tokens":5}}`,
		`{"id":"v","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop","stop_reason":null}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}`,
		`{"id":"v","model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":null}}`, `[DONE]`),
		want: `id=v model=m 0.text=a 0.finish=stop uncached_input=5 output_text=2`},
	{name: "LiteLLM: a chunk behind the usage", row: "litellm", target: "/chat/completions", body: events(
		`{"id":"l","model":"m","choices":[{"index":0,"delta":{"content":"a"}}],"stream_options":{"include_usage":true}}`,
		`{"id":"l","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}`,
		`{"id":"l","model":"m","choices":[{"index":0,"delta":{}}]}`, `[DONE]`),
		want: `id=l model=m 0.text=a 0.finish=stop uncached_input=5 output_text=1`},
	{name: "llama.cpp: timings", row: "openai", target: chat, body: events(
		`{"id":"c","model":"m","system_fingerprint":"b7010","choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}`,
		`{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}`,
		`{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7},"timings":{"prompt_n":5,"predicted_n":2,"predicted_ms":3.5}}`, `[DONE]`),
		want: `id=c model=m 0.reasoning=hm 0.text=a 0.finish=stop uncached_input=5 output_text=2`},
	{name: "Vercel: reasoning outside, cost", row: "vercel", target: chat, body: events(
		`{"id":"x","model":"google/gemini","choices":[{"index":0,"delta":{"reasoning":"hm","provider_metadata":{"gateway":{"cost":"0.001"}}}}]}`,
		`{"id":"x","model":"google/gemini","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":10,"total_tokens":15,"completion_tokens_details":{"reasoning_tokens":96},"cost":0.0005,"cache_creation_input_tokens":0,"market_cost":0.0005}}`, `[DONE]`),
		want: `id=x model=google/gemini 0.reasoning=hm 0.text=a 0.finish=stop uncached_input=5 output_text=10 reasoning=96 cost=0.0005`},
	{name: "Azure: filters before and behind, an empty delta", row: "azure", target: "/openai/deployments/d/chat/completions?api-version=1", body: events(
		`{"id":"","object":"","created":0,"model":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}],"choices":[]}`,
		`{"id":"z","model":"gpt","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}`,
		`{"id":"","model":"","choices":[{"index":0,"finish_reason":null,"content_filter_results":{},"content_filter_offsets":{"check_offset":1}}]}`,
		`{"id":"z","model":"gpt","choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}`, `[DONE]`),
		want: `id=z model=gpt 0.text=a 0.finish=content_filter`},
	{name: "Grok on Azure: more cached than asked", row: "azure", target: chat, media: "application/json",
		body: `{"id":"k","model":"grok","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":163}}}`,
		want: `id=k model=grok 0.text=a 0.finish=stop uncached_input=0 cache_read=7 output_text=2 usage=inconsistent`},
	{name: "xAI: reasoning outside", row: "xai", target: chat, media: "application/json",
		body: `{"id":"k","model":"grok","choices":[{"index":0,"message":{"role":"assistant","content":"a","reasoning_content":"hm"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":109,"completion_tokens_details":{"reasoning_tokens":100},"num_sources_used":0,"cost_in_usd_ticks":6543500}}`,
		want: `id=k model=grok 0.reasoning=hm 0.text=a 0.finish=stop uncached_input=7 output_text=2 reasoning=100 cost=0.00065435`},
	{name: "Gemini copy: thoughts in the total only", row: "gemini", target: "/v1beta/openai/chat/completions", media: "application/json",
		body: `{"id":"k","model":"gemini","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":35,"completion_tokens":12,"total_tokens":109}}`,
		want: `id=k model=gemini 0.text=a 0.finish=stop uncached_input=35 output_text=12 reasoning=62`},
	{name: "DashScope: explicit caching", row: "alibaba", target: "/compatible-mode/v1/chat/completions", media: "application/json",
		body: `{"id":"q","model":"qwen","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":2,"total_tokens":102,"prompt_tokens_details":{"cached_tokens":10,"cache_creation_input_tokens":80,"cache_type":"ephemeral","cache_creation":{"ephemeral_5m_input_tokens":80}}}}`,
		want: `id=q model=qwen 0.text=a 0.finish=stop uncached_input=10 cache_read=10 cache_write=80 output_text=2`},
	{name: "DeepSeek: hits and misses alone", row: "deepseek", target: "/chat/completions", body: events(
		`: keep-alive`,
		`{"id":"d","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":"hm"},"finish_reason":null}],"usage":null}`,
		`{"id":"d","model":"m","choices":[{"index":0,"delta":{"content":"a","reasoning_content":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6,"completion_tokens_details":{"reasoning_tokens":3}}}`, `[DONE]`),
		want: `id=d model=m 0.reasoning=hm 0.text=a 0.finish=stop uncached_input=6 cache_read=4 output_text=2 reasoning=3`},
	{name: "a function called in the old way", row: "openai", target: chat, body: events(
		`{"id":"f","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}}]}`,
		`{"id":"f","model":"m","choices":[{"index":0,"delta":{"function_call":{"arguments":"{}"}}}]}`,
		`{"id":"f","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"function_call"}]}`, `[DONE]`),
		want: `id=f model=m 0.call=:f{} 0.finish=function_call`},
	{name: "choices without numbers, lines that end in CR, an end without its blank line", row: "openai", target: chat,
		body: "\ufeff" + strings.ReplaceAll("data:{\"id\":\"b\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\nid: 7\nretry: 9\ndata:{\"id\":\"b\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}],\ndata:\"usage\":{\"prompt_tokens\":\"5\",\"completion_tokens\":2.0}}", "\n", "\r"),
		want: `id=b model=m 0.text=ab 0.finish=stop uncached_input=5 output_text=2`},
	{name: "an answer as a whole under the type of a stream", row: "openai", target: chat,
		body: "\n {\"id\":\"j\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}",
		want: `id=j model=m 0.text=a 0.finish=stop uncached_input=5 output_text=2`},
	{name: "a stream under the type of an answer", row: "openai", target: chat, media: "application/json", body: events(
		`{"id":"j","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}`, `[DONE]`),
		want: `id=j model=m 0.text=a 0.finish=stop`},
	{name: "an answer without a type", row: "openai", target: chat, media: "-",
		body: `{"id":"j","model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}`,
		want: `id=j model=m 0.text=a 0.finish=stop`},
	{name: "an error after content", row: "openai", target: chat, body: events(
		`{"id":"e","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}`, `{"error":{"message":"no","type":"server_error","param":null,"code":null}}`),
		want: `id=e model=m 0.text=a 0.finish=error error=server_error`},
	{name: "an error as a text after content", row: "ollama", target: chat, body: events(
		`{"id":"e","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}`, `{"error":"no"}`),
		want: `id=e model=m 0.text=a 0.finish=error error=_OTHER`},
	{name: "two choices, the calls of each", row: "openai", target: chat, body: events(
		`{"id":"n","model":"m","choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"{"}}]}},{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}}]}`,
		`{"id":"n","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}},{"index":1,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}`,
		`{"id":"n","model":"m","choices":[{"index":1,"delta":{},"finish_reason":"tool_calls"}]}`, `{"id":"n","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, `[DONE]`),
		want: `id=n model=m 0.call=a:f{} 1.call=b:g{} 0.finish=stop 1.finish=tool_calls`},
	{name: "Anthropic's shape from somebody else, without types of events", row: "openrouter", target: "/api/v1/messages", body: events(
		`{"type":"message_start","message":{"id":"a","type":"message","role":"assistant","model":"claude","content":[],"usage":{"input_tokens":3,"cache_read_input_tokens":2,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"ping"}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5,"cache_read_input_tokens":0}}`,
		`{"type":"message_stop"}`),
		want: `id=a model=claude 0.text=a 0.finish=end_turn uncached_input=3 output_text=5`},
	{name: "Anthropic: overloaded in the middle", row: "anthropic", target: "/v1/messages", body: events(
		`{"type":"message_start","message":{"id":"a","type":"message","role":"assistant","model":"claude","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}`,
		"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no\"}}"),
		want: `id=a model=claude 0.finish=error uncached_input=3 output_text=1 error=overloaded_error`},
	{name: "Gemini: a prompt count that falls, an end without candidates, numbers for words", row: "gemini", target: "/v1beta/models/g:streamGenerateContent", media: "application/json",
		body: "[{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hm\",\"thought\":true}]}}],\"usageMetadata\":{\"promptTokenCount\":20,\"totalTokenCount\":20},\"modelVersion\":\"g-1\",\"responseId\":\"r\"}\n,\r\n{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":1}],\"usageMetadata\":{\"promptTokenCount\":9}}\n,\r\n{\"usageMetadata\":{\"promptTokenCount\":8,\"candidatesTokenCount\":1,\"thoughtsTokenCount\":4,\"toolUsePromptTokenCount\":3,\"cachedContentTokenCount\":2,\"totalTokenCount\":16}}]",
		want: `id=r model=g-1 0.reasoning=hm 0.text=a 0.finish=1 uncached_input=6 cache_read=2 tool_use_input=3 output_text=1 reasoning=4`},
	{name: "Gemini: an error under the type of a stream", row: "gemini", target: "/v1beta/models/g:streamGenerateContent?alt=sse",
		body: `{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`,
		want: `error=UNAVAILABLE`},
	{name: "Gemini: an error as a piece", row: "gemini", target: "/v1beta/models/g:streamGenerateContent?alt=sse", body: events(
		`{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"modelVersion":"g"}`, `{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`),
		want: `model=g 0.text=a 0.finish=error error=UNAVAILABLE`},
	{name: "Ollama: no counts, an error line", row: "ollama", target: "/api/chat", media: "application/x-ndjson",
		body: "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n{\"error\":\"gone\"}\n",
		want: `model=m 0.text=a 0.finish=error error=_OTHER`},
	{name: "Responses: an error that stands alone, then failed", row: "openai", target: "/v1/responses", body: events(
		`{"type":"response.created","sequence_number":0,"response":{"id":"resp","model":"m","status":"in_progress","output":[]}}`,
		`{"type":"error","sequence_number":1,"code":"server_error","message":"no","param":null}`,
		`{"type":"response.failed","sequence_number":2,"response":{"id":"resp","model":"m","status":"failed","error":{"code":"server_error","message":"no"},"output":[],"usage":null}}`),
		want: `id=resp model=m 0.finish=failed error=server_error`},
	{name: "Responses: cut before its end", row: "openai", target: "/v1/responses", body: events(
		`{"type":"response.created","response":{"id":"resp","model":"m","status":"in_progress","output":[]}}`,
		`{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":""}}`,
		`{"type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc","delta":"{\"a\""}`),
		want: `id=resp model=m 0.call=c:f{"a" 0.finish=error`},
	{name: "Moonshot: usage in the choice", row: "moonshot", target: chat, body: events(
		`{"id":"k","model":"kimi","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"hm"},"finish_reason":null}]}`,
		`{"id":"k","model":"kimi","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}`,
		`{"id":"k","model":"kimi","choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"cached_tokens":4}}]}`, `[DONE]`),
		want: `id=k model=kimi 0.reasoning=hm 0.text=a 0.finish=stop uncached_input=5 cache_read=4 output_text=3`},
	{name: "MiniMax: an error inside an answer", row: "openai", target: chat, media: "application/json",
		body: `{"id":"","model":"","choices":null,"usage":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}`,
		want: `error=1008`},
	{name: "Mistral on Vertex", row: "vertex", target: "/v1/projects/p/locations/l/publishers/mistralai/models/mistral-x:streamRawPredict", body: events(
		`{"id":"x","model":"mistral-x","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`, `[DONE]`),
		want: `id=x model=mistral-x 0.text=a 0.finish=stop uncached_input=5 output_text=2`},
	{name: "Hugging Face before its router", row: "huggingface", target: "/models/org/m", media: "application/json",
		body: `[{"generated_text":"a"}]`, want: `0.text=a`},
	{name: "Hugging Face's server at a stranger's", row: "litellm", target: "/generate", media: "application/json",
		body: `{"generated_text":"a","details":{"finish_reason":"length","generated_tokens":9,"input_length":5}}`, want: `0.text=a 0.finish=length uncached_input=5 output_text=9`},
	{name: "usage by a total alone", row: "openai", target: "/v1/embeddings", media: "application/json",
		body: `{"object":"list","model":"e","data":[{"embedding":[1,2],"index":0}],"usage":{"total_tokens":4}}`,
		want: `model=e uncached_input=4`},
	{name: "usage in Anthropic's words in OpenAI's shape", row: "litellm", target: chat, media: "application/json",
		body: `{"id":"u","model":"claude","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":2,"total_tokens":102,"cache_creation_input_tokens":30,"cache_read_input_tokens":50,"prompt_tokens_details":{"cached_tokens":50}}}`,
		want: `id=u model=claude 0.text=a 0.finish=stop uncached_input=20 cache_read=50 cache_write=30 output_text=2`},
	{name: "usage by input and output in chat", row: "openai", target: chat, media: "application/json",
		body: `{"id":"u","model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"input_tokens":10,"output_tokens":2,"total_tokens":12}}`,
		want: `id=u model=m 0.text=a 0.finish=stop uncached_input=10 output_text=2`},
}

func TestVariants(t *testing.T) {
	tab := table(t)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			media := v.media
			if media == "" {
				media = "text/event-stream; charset=utf-8"
			}
			for _, n := range []int{1, 2, 3, 7, 13, 333, len(v.body)} {
				f := providerstest.Fixture{Target: v.target, Request: []byte(`{"model":"asked","stream":true,"messages":[]}`), Response: []byte(v.body)}
				if media != "-" {
					f.ResponseHeader = llm.Header("Content-Type: " + media + "\r\n")
				}
				c, err := through(tab, v.row).Read(f.Exchange(), providerstest.Cut(f.Response, n)...)
				if err != nil {
					t.Fatal(err)
				}
				if got := said(c); got != v.want {
					t.Fatalf("pieces of %d:\ngot  %s\nwant %s", n, got, v.want)
				}
			}
		})
	}
}
