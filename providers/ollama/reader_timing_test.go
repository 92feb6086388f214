package ollama_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/ollama"
)

// BenchmarkRead reads a whole answer and a stream of 200 lines, request and end
// included.
func BenchmarkRead(b *testing.B) {
	last := `"done_reason":"stop","done":true,"total_duration":313801125,"load_duration":41717917,"prompt_eval_count":15,"prompt_eval_duration":27758541,"eval_count":50,"eval_duration":243926334}` + "\n"
	var lines [][]byte
	for i := range 200 {
		lines = append(lines, fmt.Appendf(nil, `{"model":"gemma3:1b","created_at":"2025-08-20T13:48:23.241046Z","message":{"role":"assistant","content":" word%d"},"done":false}`+"\n", i))
	}
	lines = append(lines, []byte(`{"model":"gemma3:1b","created_at":"2025-08-20T13:48:23.241046Z","message":{"role":"assistant","content":""},`+last))
	bench := func(name, media string, pieces [][]byte) {
		b.Run(name, func(b *testing.B) {
			x := providerstest.Fixture{
				Target: "/api/chat", ResponseHeader: llm.Header("Content-Type: " + media + "\r\n"),
				Request: []byte(`{"model":"gemma3:1b","messages":[{"role":"user","content":"Hello, how are you?"}],"options":{"temperature":0}}`),
			}.Exchange()
			at := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				c := &llm.Call{}
				if err := (ollama.Dialect{}).ReadRequest(c, x); err != nil {
					b.Fatal(err)
				}
				r := ollama.Dialect{}.NewReader(x)
				for _, p := range pieces {
					r.Wrote(p, at)
				}
				if err := r.Finish(c, x); err != nil || len(c.Output) != 1 {
					b.Fatal(err)
				}
			}
		})
	}
	bench("answer", "application/json", [][]byte{[]byte(`{"model":"gemma3:1b","message":{"role":"assistant","content":"Hello there!"},` + last)})
	bench("stream", "application/x-ndjson", lines)
}
