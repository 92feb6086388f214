//go:build unix

package journal_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
)

// agentCall is a call of about 15 KB: a prompt of some messages and tools.
func agentCall(n int) *llm.Call {
	c := sinktest.Call(n)
	c.Input = nil
	for i := range 12 {
		role := []string{"user", "assistant", "tool"}[i%3]
		c.Input = append(c.Input, llm.Message{Role: role, Parts: []llm.Part{{Type: llm.PartText, Content: strings.Repeat("what was said before, ", 50)}}})
	}
	for i := range 4 {
		c.Tools = append(c.Tools, llm.Tool{Type: "function", Name: fmt.Sprint("tool", i), Description: strings.Repeat("d", 100), Parameters: strings.Repeat("{}", 120)})
	}
	return c
}

// cpu returns the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAppend is a call of 15 KB, in batches as the recorder makes them: the
// time to durability of a batch divides among its calls, the processor time is each
// call's own.
func BenchmarkAppend(b *testing.B) {
	for _, batch := range []int{1, 16, 256} {
		for _, followers := range []int{0, 1} {
			b.Run(fmt.Sprintf("batch=%d/followers=%d", batch, followers), func(b *testing.B) {
				j := open(b, b.TempDir())
				for n := range followers {
					follow(b, j, fmt.Sprint("f", n), func(context.Context, []*llm.Call) error { return nil })
				}
				calls := make([]*llm.Call, batch)
				for i := range calls {
					calls[i] = agentCall(i)
				}
				b.ReportAllocs()
				b.ResetTimer()
				began := cpu()
				for n := 0; n < b.N; n += batch {
					if err := j.Append(b.Context(), calls); err != nil {
						b.Fatal(err)
					}
				}
				used := cpu() - began
				b.StopTimer()
				b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-µs/op")
				b.ReportMetric(float64(j.Stats().AppendedBytes)/float64(j.Stats().Appended), "B/record")
				shut(b, j)
			})
		}
	}
}

// BenchmarkCatchUp is what a follower costs that reads from disk.
func BenchmarkCatchUp(b *testing.B) {
	dir := b.TempDir()
	j := open(b, dir)
	batch := make([]*llm.Call, 256)
	for i := range batch {
		batch[i] = agentCall(i)
	}
	for n := 0; n < b.N; n += len(batch) {
		if err := j.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	shut(b, j)
	j = open(b, dir)
	var got atomic.Int64
	all := make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	began := cpu()
	follow(b, j, "f", func(_ context.Context, calls []*llm.Call) error {
		if before := got.Load(); got.Add(int64(len(calls))) >= int64(b.N) && before < int64(b.N) {
			close(all)
		}
		return nil
	})
	<-all
	b.ReportMetric(float64((cpu()-began).Microseconds())/float64(b.N), "cpu-µs/op")
	b.StopTimer()
	shut(b, j)
}

// BenchmarkStrict is many who append a call each and wait for it: what a caller
// would wait for the last byte of an answer.
func BenchmarkStrict(b *testing.B) {
	cfg := config(b.TempDir())
	cfg.Mode = journal.ModeStrict
	j, err := journal.Open(cfg, journal.Settings{Log: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	call := []*llm.Call{agentCall(1)}
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := j.Append(b.Context(), call); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(j.Stats().Appended)/float64(j.Stats().Syncs), "calls/sync")
	shut(b, j)
}

// smallCall is a call of about 1.7 KB, such as a chat's first turn.
func smallCall(n int) *llm.Call {
	c := sinktest.Call(n)
	c.Input = []llm.Message{{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: strings.Repeat("what is asked ", 20)}}}}
	c.Output = []llm.Message{{Role: "assistant", FinishReason: "stop", Parts: []llm.Part{{Type: llm.PartText, Content: strings.Repeat("what is answered ", 12)}}}}
	return c
}

// BenchmarkAppendSmall is what keeping a small call costs the program, by how many
// calls share a write.
func BenchmarkAppendSmall(b *testing.B) {
	for _, batch := range []int{1, 4, 16, 64, 256} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			j := open(b, b.TempDir())
			calls := make([]*llm.Call, batch)
			for i := range calls {
				calls[i] = smallCall(i)
			}
			b.ReportAllocs()
			b.ResetTimer()
			began := cpu()
			for n := 0; n < b.N; n += batch {
				if err := j.Append(b.Context(), calls); err != nil {
					b.Fatal(err)
				}
			}
			used := cpu() - began
			b.StopTimer()
			b.ReportMetric(float64(used.Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(j.Stats().AppendedBytes)/float64(j.Stats().Appended), "B/record")
			shut(b, j)
		})
	}
}
