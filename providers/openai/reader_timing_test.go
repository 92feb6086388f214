package openai_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/openai"
)

const chunkFrame = `data: {"id":"chatcmpl-B1c2D3e4F5g6H7i8J9k0","object":"chat.completion.chunk","created":1762000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_0ba0d124f1","choices":[{"index":0,"delta":{%s},"logprobs":null,"finish_reason":%s}],"usage":%s%s}` + "\n\n"

// longStream is a stream of n chunks with text, as OpenAI sends it.
func longStream(n int, padding bool) [][]byte {
	pieces := [][]byte{fmt.Appendf(nil, chunkFrame, `"role":"assistant","content":"","refusal":null`, "null", "null", "")}
	for i := range n {
		pad := ""
		if padding {
			pad = fmt.Sprintf(`,"obfuscation":"%0*d"`, 1+i%13, i%10)
		}
		pieces = append(pieces, fmt.Appendf(nil, chunkFrame, fmt.Sprintf(`"content":" word%d"`, i), "null", "null", pad))
	}
	return append(pieces,
		fmt.Appendf(nil, chunkFrame, ``, `"stop"`, "null", ""),
		[]byte(`data: {"id":"chatcmpl-B1c2D3e4F5g6H7i8J9k0","object":"chat.completion.chunk","created":1762000000,"model":"gpt-4o-mini-2024-07-18","choices":[],"usage":{"prompt_tokens":26,"completion_tokens":200,"total_tokens":226,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}`+"\n\n"),
		[]byte("data: [DONE]\n\n"))
}

func streamExchange() *llm.Exchange {
	return providerstest.Fixture{
		Target: "/v1/chat/completions", ResponseHeader: llm.Header("Content-Type: text/event-stream\r\n"),
		Request: []byte(`{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}`),
	}.Exchange()
}

// BenchmarkStream reads a whole stream of 200 chunks, request and end included.
func BenchmarkStream(b *testing.B) {
	bench := func(name string, pieces [][]byte) {
		b.Run(name, func(b *testing.B) {
			x, at := streamExchange(), time.Now()
			b.ReportAllocs()
			for b.Loop() {
				c := &llm.Call{}
				if err := (openai.Dialect{}).ReadRequest(c, x); err != nil {
					b.Fatal(err)
				}
				r := openai.Dialect{}.NewReader(x)
				for _, p := range pieces {
					r.Wrote(p, at)
				}
				if err := r.Finish(c, x); err != nil || len(c.Output) != 1 {
					b.Fatal(err)
				}
			}
		})
	}
	bench("plain", longStream(200, false))
	bench("padded", longStream(200, true))
	bench("in 64 byte pieces", providerstest.Cut(bytes.Join(longStream(200, false), nil), 64))
}

// BenchmarkChunk reads one chunk more of a stream.
func BenchmarkChunk(b *testing.B) {
	usage := []byte(`data: {"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":45,"completion_tokens":1,"total_tokens":46}}` + "\n\n")
	tool := []byte(`data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]},"logprobs":null,"finish_reason":null}]}` + "\n\n")
	for name, chunk := range map[string][]byte{"text": longStream(1, false)[1], "with usage": usage, "tool call": tool} {
		b.Run(name, func(b *testing.B) {
			r := openai.Dialect{}.NewReader(streamExchange())
			at := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				r.Wrote(chunk, at)
			}
		})
	}
}

// BenchmarkPlain reads one plain answer of 2 KB.
func BenchmarkPlain(b *testing.B) {
	x := streamExchange()
	x.ResponseHeader = llm.Header("Content-Type: application/json\r\n")
	body := fmt.Appendf(nil, `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`, bytes.Repeat([]byte("word "), 400))
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		c := &llm.Call{}
		_ = openai.Dialect{}.ReadRequest(c, x)
		r := openai.Dialect{}.NewReader(x)
		r.Wrote(body, at)
		if err := r.Finish(c, x); err != nil || len(c.Output) != 1 {
			b.Fatal(err)
		}
	}
}

func BenchmarkEdit(b *testing.B) {
	body := fmt.Appendf(nil, `{"model":"m","messages":[{"role":"user","content":"%s"}],"stream":true}`, bytes.Repeat([]byte("word "), 40_000))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, insert, _ := (openai.Dialect{}).Edit(body); insert == "" {
			b.Fatal("no edit")
		}
	}
}
