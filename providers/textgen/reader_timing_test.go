package textgen_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/textgen"
)

// BenchmarkRead reads a whole answer and a stream of 200 pieces, request and end
// included.
func BenchmarkRead(b *testing.B) {
	var events [][]byte
	for i := range 200 {
		events = append(events, fmt.Appendf(nil, "id: %d\nevent: message\ndata: {\"model_id\":\"google/flan-ul2\",\"created_at\":\"2024-03-10T14:40:37.709Z\",\"results\":[{\"generated_text\":\" word%d\",\"generated_token_count\":%d,\"input_token_count\":0,\"stop_reason\":\"not_finished\"}]}\n\n", i, i, i))
	}
	events = append(events, []byte("data: {\"results\":[{\"generated_text\":\"\",\"generated_token_count\":201,\"input_token_count\":8,\"stop_reason\":\"eos_token\"}]}\n\n"))
	bench := func(name, media string, pieces [][]byte) {
		b.Run(name, func(b *testing.B) {
			x := providerstest.Fixture{
				Target: "/ml/v1/text/generation_stream", ResponseHeader: llm.Header("Content-Type: " + media + "\r\n"),
				Request: []byte(`{"model_id":"google/flan-ul2","input":"Hello, how are you?","parameters":{"temperature":0.5}}`),
			}.Exchange()
			at := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				c := &llm.Call{}
				if err := (textgen.Dialect{}).ReadRequest(c, x); err != nil {
					b.Fatal(err)
				}
				r := textgen.Dialect{}.NewReader(x)
				for _, p := range pieces {
					r.Wrote(p, at)
				}
				if err := r.Finish(c, x); err != nil || len(c.Output) != 1 {
					b.Fatal(err)
				}
			}
		})
	}
	bench("answer", "application/json", [][]byte{[]byte(`{"model_id":"google/flan-ul2","results":[{"generated_text":"2","generated_token_count":2,"input_token_count":7,"stop_reason":"eos_token"}]}`)})
	bench("stream", "text/event-stream", events)
}
