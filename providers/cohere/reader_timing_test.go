package cohere_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/cohere"
)

// BenchmarkRead reads a whole answer and a stream of 200 pieces, request and end
// included.
func BenchmarkRead(b *testing.B) {
	var events [][]byte
	for i := range 200 {
		events = append(events, fmt.Appendf(nil, "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\" word%d\"}}}}\n\n", i))
	}
	events = append(events, []byte("event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":12,\"output_tokens\":7},\"tokens\":{\"input_tokens\":507,\"output_tokens\":10},\"cached_tokens\":448}}}\n\ndata: [DONE]\n\n"))
	bench := func(name, media string, pieces [][]byte) {
		b.Run(name, func(b *testing.B) {
			x := providerstest.Fixture{
				Target: "/v2/chat", ResponseHeader: llm.Header("Content-Type: " + media + "\r\n"),
				Request: []byte(`{"model":"command-a-03-2025","messages":[{"role":"user","content":"Hello, how are you?"}],"temperature":0}`),
			}.Exchange()
			at := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				c := &llm.Call{}
				if err := (cohere.Dialect{}).ReadRequest(c, x); err != nil {
					b.Fatal(err)
				}
				r := cohere.Dialect{}.NewReader(x)
				for _, p := range pieces {
					r.Wrote(p, at)
				}
				if err := r.Finish(c, x); err != nil || len(c.Output) != 1 {
					b.Fatal(err)
				}
			}
		})
	}
	bench("answer", "application/json", [][]byte{[]byte(`{"id":"c-1","message":{"role":"assistant","content":[{"type":"text","text":"Hello there!"}]},"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":12,"output_tokens":7},"tokens":{"input_tokens":507,"output_tokens":10}}}`)})
	bench("stream", "text/event-stream", events)
}
