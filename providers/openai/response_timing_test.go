package openai_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/openai"
)

// responseStream is a stream of n pieces of text, as OpenAI sends it.
func responseStream(n int) [][]byte {
	object := func(status, rest string) string {
		return `{"id":"resp_060f468708eb0ff90069f3e2f104d881938387382c02f5868c","object":"response","created_at":1777591025,"status":"` + status + `","background":false,"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"model":"gpt-5.4-2026-03-05","parallel_tool_calls":true,"reasoning":{"effort":"none","summary":null},"service_tier":"default","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"top_p":0.98` + rest + `}`
	}
	event := func(kind, rest string) []byte {
		return fmt.Appendf(nil, "event: %s\ndata: {\"type\":\"%s\",%s}\n\n", kind, kind, rest)
	}
	pieces := [][]byte{
		event("response.created", `"response":`+object("in_progress", `,"output":[]`)),
		event("response.in_progress", `"response":`+object("in_progress", `,"output":[]`)),
		event("response.output_item.added", `"item":{"id":"msg_1","type":"message","status":"in_progress","content":[],"role":"assistant"},"output_index":0,"sequence_number":2`),
	}
	text := ""
	for i := range n {
		word := fmt.Sprintf(" word%d", i)
		text += word
		pieces = append(pieces, event("response.output_text.delta", fmt.Sprintf(`"content_index":0,"delta":"%s","item_id":"msg_060f468708eb0ff90069f3e2f2bb00819398117e5b32b4a3de","logprobs":[],"obfuscation":"AjHRfe4YCQKBhR","output_index":0,"sequence_number":%d`, word, i+3)))
	}
	item := fmt.Sprintf(`{"id":"msg_1","type":"message","status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"%s"}],"role":"assistant"}`, text)
	return append(pieces,
		event("response.output_text.done", fmt.Sprintf(`"content_index":0,"item_id":"msg_1","output_index":0,"text":"%s"`, text)),
		event("response.output_item.done", `"item":`+item+`,"output_index":0`),
		event("response.completed", `"response":`+object("completed", `,"output":[`+item+`],"usage":{"input_tokens":600,"input_tokens_details":{"cached_tokens":0},"output_tokens":47,"output_tokens_details":{"reasoning_tokens":21},"total_tokens":647}`)))
}

// BenchmarkResponseStream reads a whole stream of 200 pieces, request and end included.
func BenchmarkResponseStream(b *testing.B) {
	x := providerstest.Fixture{Target: "/v1/responses", ResponseHeader: llm.Header("Content-Type: text/event-stream\r\n"), Request: []byte(`{"model":"gpt-5.4","stream":true,"input":"hi"}`)}.Exchange()
	pieces, at := responseStream(200), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		c := &llm.Call{}
		if err := (openai.Dialect{}).ReadRequest(c, x); err != nil {
			b.Fatal(err)
		}
		r := openai.Dialect{}.Watch(x)
		for _, p := range pieces {
			r.Wrote(p, at)
		}
		if err := r.Finish(c, x); err != nil || len(c.Output) != 1 || c.Chunks.Count != 200 {
			b.Fatal(err, c.Chunks)
		}
	}
}

// BenchmarkResponsePiece reads one piece more of a stream.
func BenchmarkResponsePiece(b *testing.B) {
	x := providerstest.Fixture{Target: "/v1/responses", ResponseHeader: llm.Header("Content-Type: text/event-stream\r\n")}.Exchange()
	pieces, at := responseStream(1), time.Now()
	r := openai.Dialect{}.Watch(x)
	for _, p := range pieces[:4] {
		r.Wrote(p, at)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Wrote(pieces[3], at)
	}
}

// BenchmarkResponsePlain reads one plain answer.
func BenchmarkResponsePlain(b *testing.B) {
	x := providerstest.Fixture{Target: "/v1/responses", ResponseHeader: llm.Header("Content-Type: application/json\r\n"), Request: []byte(`{"model":"gpt-5.4","input":"hi"}`)}.Exchange()
	body := []byte(`{"id":"resp_1","object":"response","status":"completed","model":"gpt-5","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Some words that were said."}]}],"usage":{"input_tokens":5,"output_tokens":9,"total_tokens":14}}`)
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		c := &llm.Call{}
		_ = openai.Dialect{}.ReadRequest(c, x)
		r := openai.Dialect{}.Watch(x)
		r.Wrote(body, at)
		if err := r.Finish(c, x); err != nil || len(c.Output) != 1 {
			b.Fatal(err)
		}
	}
}
