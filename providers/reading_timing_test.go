//go:build unix

package providers_test

import (
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/eventstream"
	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers"
)

var readingFile = flag.String("reading", "", "file that TestReadingCost writes its table to")

// conversation is one chat in a wire format: an answer in one piece, and a stream of
// as many pieces of text as are asked for, each as it is written by its vendor.
type conversation struct {
	name, row, target, streamed string
	request                     string
	answer                      string // "" where the format only streams
	media                       string // of streams
	head                        []string
	chunk                       func(i int) string
	tail                        []string
}

const asked = `"messages":[{"role":"user","content":"Hello, how are you?"}],"temperature":0.5,"max_tokens":512`

func conversations() []conversation {
	sse := func(s string) string { return "data: " + s + "\n\n" }
	named := func(name, s string) string { return "event: " + name + "\ndata: " + s + "\n\n" }
	frame := func(event, payload string) string {
		return string(eventstream.Append(nil, []byte(payload), ":event-type", event, ":content-type", "application/json", ":message-type", "event"))
	}
	inner := func(payload string) string {
		return frame("chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(payload))+`","p":"abcdefghijkl"}`)
	}
	const chatHead = `"id":"chatcmpl-mock00000000000000000000","object":"chat.completion.chunk","created":1763683200,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_mock"`
	const chatUsage = `"usage":{"prompt_tokens":42,"completion_tokens":128,"total_tokens":170,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}`
	const claudeUsage = `"usage":{"input_tokens":80,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":638}`
	const claudeStart = `{"type":"message_start","message":{"model":"claude-x","id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":null,` + claudeUsage + `}}`
	const blockStart = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}      }`
	const claudeDelta = `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},` + claudeUsage + `}`
	claudePiece := func(i int) string {
		return fmt.Sprintf(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word%d"}%*s}`, i, i%14, "")
	}
	const response = `"id":"resp_1","object":"response","created_at":1763683200,"model":"gpt-x","parallel_tool_calls":true,"store":true,"temperature":1.0,"tools":[]`
	const google = `"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":20,"totalTokenCount":30,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10}]},"modelVersion":"gemini-x","responseId":"r-1"`
	return []conversation{
		{
			name: "openai, chat", row: "openai", target: "/v1/chat/completions", request: `{"model":"m",` + asked + `}`,
			answer: `{` + chatHead + `,"choices":[{"index":0,"message":{"role":"assistant","content":"Hello there!","refusal":null},"finish_reason":"stop"}],` + chatUsage + `}`,
			head:   []string{sse(`{` + chatHead + `,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}`)},
			chunk: func(i int) string {
				return sse(fmt.Sprintf(`{`+chatHead+`,"choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"%s"}`, i, "abcdefghijklmn"[:i%14]))
			},
			tail: []string{sse(`{` + chatHead + `,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}`), sse(`{` + chatHead + `,"choices":[],` + chatUsage + `}`), "data: [DONE]\n\n"},
		},
		{
			name: "openai, Responses", row: "openai", target: "/v1/responses", request: `{"model":"m","input":"Hello, how are you?"}`,
			answer: `{` + response + `,"status":"completed","output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello there!","annotations":[]}]}],"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}`,
			head:   []string{named("response.created", `{"type":"response.created","sequence_number":0,"response":{`+response+`,"status":"in_progress","output":[],"usage":null}}`), named("response.output_item.added", `{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}`)},
			chunk: func(i int) string {
				return named("response.output_text.delta", fmt.Sprintf(`{"type":"response.output_text.delta","sequence_number":%d,"item_id":"msg_1","output_index":0,"content_index":0,"delta":" word%d","logprobs":[],"obfuscation":"%s"}`, i+2, i, "abcdefghijklmn"[:i%14]))
			},
			tail: []string{named("response.completed", `{"type":"response.completed","sequence_number":999,"response":{`+response+`,"status":"completed","output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello there!","annotations":[]}]}],"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}}`)},
		},
		{
			name: "anthropic, Messages", row: "anthropic", target: "/v1/messages", request: `{"model":"m",` + asked + `}`,
			answer: `{"model":"claude-x","id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hello there!"}],"stop_reason":"end_turn",` + claudeUsage + `}`,
			head:   []string{named("message_start", claudeStart), named("content_block_start", blockStart), named("ping", `{"type": "ping"}`)},
			chunk:  func(i int) string { return named("content_block_delta", claudePiece(i)) },
			tail:   []string{named("content_block_stop", `{"type":"content_block_stop","index":0 }`), named("message_delta", claudeDelta), named("message_stop", `{"type":"message_stop"  }`)},
		},
		{
			name: "gemini, generateContent", row: "gemini", target: "/v1beta/models/m:generateContent", streamed: "/v1beta/models/m:streamGenerateContent?alt=sse", request: `{"contents":[{"role":"user","parts":[{"text":"Hello, how are you?"}]}],"generationConfig":{"temperature":0.5}}`,
			answer: `{"candidates":[{"content":{"parts":[{"text":"Hello there!"}],"role":"model"},"finishReason":"STOP","index":0}],` + google + `}`,
			chunk: func(i int) string {
				return strings.ReplaceAll(sse(fmt.Sprintf(`{"candidates": [{"content": {"parts": [{"text": " word%d"}],"role": "model"},"index": 0}],`+google+`}`, i)), "\n", "\r\n")
			},
			tail: []string{sse(`{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],` + google + `}`)},
		},
		{
			name: "bedrock, Converse", row: "bedrock", target: "/model/amazon.nova-lite-v1:0/converse", streamed: "/model/amazon.nova-lite-v1:0/converse-stream", media: "application/vnd.amazon.eventstream", request: `{"messages":[{"role":"user","content":[{"text":"Hello, how are you?"}]}],"inferenceConfig":{"temperature":0.5}}`,
			answer: `{"metrics":{"latencyMs":604},"output":{"message":{"content":[{"text":"Hello there!"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":5,"outputTokens":7,"totalTokens":12}}`,
			head:   []string{frame("messageStart", `{"role":"assistant","p":"abc"}`)},
			chunk: func(i int) string {
				return frame("contentBlockDelta", fmt.Sprintf(`{"contentBlockIndex":0,"delta":{"text":" word%d"},"p":"%s"}`, i, "abcdefghijklmn"[:i%14]))
			},
			tail: []string{frame("messageStop", `{"stopReason":"end_turn"}`), frame("metadata", `{"metrics":{"latencyMs":604},"usage":{"inputTokens":5,"outputTokens":7,"totalTokens":12}}`)},
		},
		{
			name: "bedrock, invoke of Claude", row: "bedrock", target: "/model/anthropic.claude-x/invoke", streamed: "/model/anthropic.claude-x/invoke-with-response-stream", media: "application/vnd.amazon.eventstream", request: `{"anthropic_version":"bedrock-2023-05-31",` + asked + `}`,
			answer: `{"model":"claude-x","id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hello there!"}],"stop_reason":"end_turn",` + claudeUsage + `}`,
			head:   []string{inner(claudeStart), inner(blockStart)},
			chunk:  func(i int) string { return inner(claudePiece(i)) },
			tail:   []string{inner(claudeDelta), inner(`{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":80,"outputTokenCount":638,"invocationLatency":20,"firstByteLatency":10}}`)},
		},
		{
			name: "bedrock, invoke of Nova", row: "bedrock", target: "/model/amazon.nova-lite-v1:0/invoke", streamed: "/model/amazon.nova-lite-v1:0/invoke-with-response-stream", media: "application/vnd.amazon.eventstream", request: `{"messages":[{"role":"user","content":[{"text":"Hello, how are you?"}]}]}`,
			answer: `{"output":{"message":{"content":[{"text":"Hello there!"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":5,"outputTokens":7,"totalTokens":12}}`,
			head:   []string{inner(`{"messageStart":{"role":"assistant"}}`)},
			chunk: func(i int) string {
				return inner(fmt.Sprintf(`{"contentBlockDelta":{"delta":{"text":" word%d"},"contentBlockIndex":0}}`, i))
			},
			tail: []string{inner(`{"messageStop":{"stopReason":"end_turn"}}`), inner(`{"metadata":{"usage":{"inputTokens":5,"outputTokens":7,"totalTokens":12},"metrics":{},"trace":{}}}`)},
		},
		{
			name: "ollama, chat", row: "ollama", target: "/api/chat", media: "application/x-ndjson", request: `{"model":"m",` + asked + `}`,
			answer: `{"model":"m","created_at":"2026-11-21T00:00:00Z","message":{"role":"assistant","content":"Hello there!"},"done":true,"done_reason":"stop","total_duration":5191566416,"load_duration":2154458,"prompt_eval_count":26,"prompt_eval_duration":383809000,"eval_count":298,"eval_duration":4799921000}` + "\n",
			chunk: func(i int) string {
				return fmt.Sprintf(`{"model":"m","created_at":"2026-11-21T00:00:00.%06dZ","message":{"role":"assistant","content":" word%d"},"done":false}`+"\n", i, i)
			},
			tail: []string{`{"model":"m","created_at":"2026-11-21T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":5191566416,"load_duration":2154458,"prompt_eval_count":26,"prompt_eval_duration":383809000,"eval_count":298,"eval_duration":4799921000}` + "\n"},
		},
		{
			name: "cohere, chat v2", row: "cohere", target: "/v2/chat", request: `{"model":"m",` + asked + `}`,
			answer: `{"id":"c-1","message":{"role":"assistant","content":[{"type":"text","text":"Hello there!"}]},"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":12,"output_tokens":7},"tokens":{"input_tokens":507,"output_tokens":10}}}`,
			head:   []string{named("message-start", `{"id":"c-1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`), named("content-start", `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`)},
			chunk: func(i int) string {
				return named("content-delta", fmt.Sprintf(`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" word%d"}}}}`, i))
			},
			tail: []string{named("content-end", `{"type":"content-end","index":0}`), named("message-end", `{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":12,"output_tokens":7},"tokens":{"input_tokens":507,"output_tokens":10}}}}`), "data: [DONE]\n\n"},
		},
		{
			name: "watsonx, text generation", row: "watsonx", target: "/ml/v1/text/generation?version=1", streamed: "/ml/v1/text/generation_stream?version=1", request: `{"model_id":"m","input":"Hello, how are you?","parameters":{"temperature":0.5}}`,
			answer: `{"model_id":"m","results":[{"generated_text":"Hello there!","generated_token_count":2,"input_token_count":7,"stop_reason":"eos_token"}]}`,
			chunk: func(i int) string {
				return fmt.Sprintf("id: %d\nevent: message\ndata: {\"model_id\":\"m\",\"created_at\":\"2026-11-21T00:00:00.%03dZ\",\"results\":[{\"generated_text\":\" word%d\",\"generated_token_count\":%d,\"input_token_count\":0,\"stop_reason\":\"not_finished\"}]}\n\n", i, i, i, i)
			},
			tail: []string{sse(`{"results":[{"generated_text":"","generated_token_count":201,"input_token_count":8,"stop_reason":"eos_token"}]}`)},
		},
	}
}

// stream is a whole answer of n pieces of text, as its writes come.
func (v conversation) stream(n int) (pieces [][]byte) {
	for _, p := range v.head {
		pieces = append(pieces, []byte(p))
	}
	for i := range n {
		pieces = append(pieces, []byte(v.chunk(i)))
	}
	for _, p := range v.tail {
		pieces = append(pieces, []byte(p))
	}
	return pieces
}

// exchange is that of an answer in pieces.
func (v conversation) exchange(streamed bool) *llm.Exchange {
	target, media, request := v.target, "application/json", v.request
	if streamed {
		if media = v.media; media == "" {
			media = "text/event-stream; charset=utf-8"
		}
		if target = v.streamed; target == "" {
			target, request = v.target, request[:len(request)-1]+`,"stream":true}`
		}
	}
	x := providerstest.Fixture{Target: target, Host: "api.example", Request: []byte(request), ResponseHeader: llm.Header("Content-Type: " + media + "\r\nx-request-id: req_1\r\n")}.Exchange()
	x.Provider = v.row
	return x
}

// read is all that reading one call costs: watching its answer go by, and Table.Read.
func (v conversation) read(tab *providers.Table, x *llm.Exchange, pieces [][]byte) *llm.Call {
	own := *x
	own.Observer = tab.Row(v.row).Observe(&own)
	for _, p := range pieces {
		own.Observer.Wrote(p, own.FirstByte)
	}
	c, err := tab.Read(&own)
	if err != nil || len(c.Problems) > 0 || len(c.Output) != 1 || len(c.FinishReasons) != 1 || c.FinishReasons[0] == "" || !c.Usage.Known() {
		panic(fmt.Sprintf("%s: %v %s", v.name, err, providerstest.Show(c)))
	}
	return c
}

func timedTable(t testing.TB) *providers.Table {
	return table(t, providers.Entry{Name: "bedrock", BaseURL: "https://bedrock-runtime.us-east-1.amazonaws.com"}, providers.Entry{Name: "watsonx", BaseURL: "https://eu-de.ml.cloud.ibm.com"})
}

// BenchmarkReading reads a whole call of each dialect: an answer in one piece, and a
// stream of 200 chunks.
func BenchmarkReading(b *testing.B) {
	tab := timedTable(b)
	for _, v := range conversations() {
		for _, streamed := range []bool{false, true} {
			name, pieces := v.name+"/answer", [][]byte{[]byte(v.answer)}
			if streamed {
				name, pieces = v.name+"/200 chunks", v.stream(200)
			}
			b.Run(name, func(b *testing.B) {
				x := v.exchange(streamed)
				b.ReportAllocs()
				for b.Loop() {
					v.read(tab, x, pieces)
				}
			})
		}
	}
}

// TestReadingCost: a chunk costs no allocation, whatever the dialect. The text that
// is kept grows by doubling, so that a thousand chunks more cost a few allocations.
// `make reading` writes what all of it costs to bench/results/reading.md.
func TestReadingCost(t *testing.T) {
	tab := timedTable(t)
	for _, v := range conversations() {
		x := v.exchange(true)
		allocations := func(n int) float64 {
			pieces := v.stream(n)
			return testing.AllocsPerRun(10, func() { v.read(tab, x, pieces) })
		}
		few, many := allocations(200), allocations(1200)
		if many-few > 24 {
			t.Errorf("%s: %v allocations for 200 chunks and %v for 1200", v.name, few, many)
		}
	}
	if *readingFile == "" {
		return
	}
	var out strings.Builder
	out.WriteString(readingHead)
	for _, v := range conversations() {
		answer, stream, more := v.cost(tab, -1), v.cost(tab, 200), v.cost(tab, 1200)
		fmt.Fprintf(&out, "| %s | %.1f | %.0f | %.0f | %.0f | %.2f | %.3f |\n", v.name, answer.micros, answer.allocations, stream.micros, stream.allocations,
			(more.micros-stream.micros)/1000, max(0, more.allocations-stream.allocations)/1000)
	}
	fmt.Fprintf(&out, "\n%s, %s/%s, %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, time.Now().UTC().Format(time.DateOnly))
	if err := os.WriteFile(*readingFile, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

const readingHead = `# What reading a call costs

Written by ` + "`make reading`" + `: CPU time, garbage collection included, the least of 21 runs. A call is read from its heads and
bodies to the record: watching the answer go by, which is on the data path, and all that is done off it. A stream has 200
chunks, each written by itself; what a chunk costs is the difference to one of 1,200. The text that is kept grows by doubling.

| format | answer, µs | allocations | stream, µs | allocations | chunk, µs | allocations |
|---|---:|---:|---:|---:|---:|---:|
`

// spent is what reading one call takes.
type spent struct{ micros, allocations float64 }

// cost measures reading a stream of n chunks, or an answer where n is -1, in CPU time
// of the whole process: what else the machine does only adds to the time that passes.
func (v conversation) cost(tab *providers.Table, n int) (best spent) {
	x, pieces := v.exchange(n >= 0), [][]byte{[]byte(v.answer)}
	if n >= 0 {
		pieces = v.stream(n)
	}
	times := 60_000 / (len(pieces) + 20)
	for range 21 {
		runtime.GC()
		before := cpu()
		for range times {
			v.read(tab, x, pieces)
		}
		took := float64((cpu() - before).Nanoseconds()) / 1000 / float64(times)
		if best.micros == 0 || took < best.micros {
			best.micros = took
		}
	}
	best.allocations = testing.AllocsPerRun(20, func() { v.read(tab, x, pieces) })
	return best
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
