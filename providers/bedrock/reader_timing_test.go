package bedrock_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/bedrock"
)

// BenchmarkRead reads a whole answer and streams of 200 pieces, request and end
// included.
func BenchmarkRead(b *testing.B) {
	bench := func(name, target, media string, pieces [][]byte) {
		b.Run(name, func(b *testing.B) {
			x := providerstest.Fixture{
				Target: target, ResponseHeader: llm.Header("Content-Type: " + media + "\r\n"),
				Request: []byte(`{"messages":[{"role":"user","content":[{"text":"Hello, how are you?"}]}],"inferenceConfig":{"temperature":0}}`),
			}.Exchange()
			at := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				c := &llm.Call{}
				if err := (bedrock.Dialect{}).ReadRequest(c, x); err != nil {
					b.Fatal(err)
				}
				r := bedrock.Dialect{}.NewReader(x)
				for _, p := range pieces {
					r.Wrote(p, at)
				}
				if err := r.Finish(c, x); err != nil || len(c.Output) != 1 {
					b.Fatal(err)
				}
			}
		})
	}
	lines := func(frame func(i int) string, last string) (pieces [][]byte) {
		for i := range 200 {
			pieces = append(pieces, decode([]byte(frame(i))))
		}
		return append(pieces, decode([]byte(last)))
	}
	const end = "event messageStop {\"stopReason\":\"end_turn\"}\nevent metadata {\"usage\":{\"inputTokens\":5,\"outputTokens\":7,\"totalTokens\":12}}\n"
	const stream = "application/vnd.amazon.eventstream"
	bench("converse", "/model/amazon.nova-lite-v1:0/converse", "application/json", [][]byte{[]byte(`{"metrics":{"latencyMs":604},"output":{"message":{"content":[{"text":"Hello"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":946,"outputTokens":37,"totalTokens":983}}`)})
	bench("converse-stream", "/model/amazon.nova-lite-v1:0/converse-stream", stream, lines(func(i int) string {
		return fmt.Sprintf(`event contentBlockDelta {"contentBlockIndex":0,"delta":{"text":" word%d"},"p":"%s"}`, i, strings.Repeat("a", i%40))
	}, end))
	bench("invoke-stream", "/model/amazon.nova-lite-v1:0/invoke-with-response-stream", stream, lines(func(i int) string {
		return fmt.Sprintf(`chunk {"contentBlockDelta":{"delta":{"text":" word%d"},"contentBlockIndex":0}}`, i)
	}, `chunk {"messageStop":{"stopReason":"end_turn"}}`))
}
