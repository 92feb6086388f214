package recorder_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/recorder"
)

// BenchmarkRecord is what the recorder itself costs a call, its stages being
// empty: queue, wake-ups, batches, one sink, and the redaction of 4 KB of text.
func BenchmarkRecord(b *testing.B) {
	for _, c := range []struct {
		name string
		call func(*llm.Exchange) (*llm.Call, error)
	}{
		{"empty", readID},
		{"4KB of content", func(ex *llm.Exchange) (*llm.Call, error) {
			c := talk("")
			c.ID, c.Input[0].Parts[0].Content = ex.ID, text4K
			return c, nil
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := &sink{}
			s.consume = func(_ context.Context, _ []*llm.Call) error { s.batches = s.batches[:0]; return nil }
			r := recorder.New(recorder.Config{}, recorder.Stages{Reader: reader(c.call), Place: place, Sinks: named(s)})
			ex := exchange(1)
			b.ReportAllocs()
			for b.Loop() {
				for !r.Record(ex) {
					runtime.Gosched() // the queue is full: the workers are the limit
				}
			}
			if err := r.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

var text4K = prose(4096)
