package gemini_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/gemini"
)

const chunkFrame = `data: {"candidates": [{"content": {"parts": [{"text": "%s"}],"role": "model"},"index": 0%s}],"usageMetadata": {"promptTokenCount": 26,"candidatesTokenCount": %d,"totalTokenCount": %d,"promptTokensDetails": [{"modality": "TEXT","tokenCount": 26}],"thoughtsTokenCount": 61},"modelVersion": "gemini-2.5-flash","responseId": "Ub-FarbpCtHmnsEP--XY8Qg"}` + "\r\n\r\n"

// longStream is a stream of n chunks with text, as the Gemini API sends it.
func longStream(n int) (pieces [][]byte) {
	for i := range n {
		finish := ""
		if i == n-1 {
			finish = `,"finishReason": "STOP"`
		}
		pieces = append(pieces, fmt.Appendf(nil, chunkFrame, fmt.Sprintf(" word%d and some more", i), finish, 5*i, 87+5*i))
	}
	return pieces
}

func streamExchange() *llm.Exchange {
	return providerstest.Fixture{
		Target: "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", ResponseHeader: llm.Header("Content-Type: text/event-stream\r\n"),
		Request: []byte(`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`),
	}.Exchange()
}

func readStream(b testing.TB, x *llm.Exchange, pieces [][]byte) *llm.Call {
	c, at := &llm.Call{}, x.FirstByte
	if err := (gemini.Dialect{}).ReadRequest(c, x); err != nil {
		b.Fatal(err)
	}
	r := gemini.Dialect{}.NewReader(x)
	for _, p := range pieces {
		r.Wrote(p, at)
	}
	if err := r.Finish(c, x); err != nil || len(c.Output) != 1 {
		b.Fatal(err)
	}
	return c
}

// BenchmarkStream reads a whole stream of 200 chunks, request and end included.
func BenchmarkStream(b *testing.B) {
	whole := bytes.Join(longStream(200), nil)
	for name, pieces := range map[string][][]byte{"chunks": longStream(200), "in 64 byte pieces": providerstest.Cut(whole, 64)} {
		b.Run(name, func(b *testing.B) {
			x := streamExchange()
			b.ReportAllocs()
			for b.Loop() {
				readStream(b, x, pieces)
			}
		})
	}
}

// BenchmarkChunk reads one chunk more of a stream.
func BenchmarkChunk(b *testing.B) {
	r := gemini.Dialect{}.NewReader(streamExchange())
	chunk, at := longStream(2)[0], time.Now()
	b.ReportAllocs()
	for b.Loop() {
		r.Wrote(chunk, at)
	}
}

// BenchmarkPlain reads one plain answer of 2 KB.
func BenchmarkPlain(b *testing.B) {
	x := streamExchange()
	x.Target, x.UpstreamTarget = "/v1beta/models/gemini-2.5-flash:generateContent", ""
	x.ResponseHeader = llm.Header("Content-Type: application/json\r\n")
	body := fmt.Appendf(nil, `{"candidates":[{"content":{"parts":[{"text":"%s"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"totalTokenCount":3},"modelVersion":"m","responseId":"r"}`, bytes.Repeat([]byte("word "), 400))
	b.ReportAllocs()
	for b.Loop() {
		readStream(b, x, [][]byte{body})
	}
}
