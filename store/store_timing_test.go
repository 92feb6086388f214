//go:build unix

package store_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/spanwire/spanwire/internal/callrecord"
	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
)

// cpu returns the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// prose is text with the statistics of text: words by Zipf's law, some of them code.
type prose struct {
	rng   *rand.Rand
	zipf  *rand.Zipf
	words []string
}

func newProse(seed uint64) *prose {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := &prose{rng: rng, zipf: rand.NewZipf(rng, 1.1, 4, 8000)}
	for range 8001 {
		var w []byte
		for range 2 + rng.IntN(8) {
			w = append(w, "etaoinshrdlucmfwypvbgkjqxz"[min(rng.IntN(26), rng.IntN(26))])
		}
		p.words = append(p.words, string(w))
	}
	return p
}

func (p *prose) text(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(p.words[p.zipf.Uint64()])
		b.WriteString([]string{" ", " ", " ", " ", ". ", ", ", "\n", "(", ") ", " = "}[p.rng.IntN(10)])
	}
	return b.String()
}

// agent returns the calls of an agent: a growing conversation over turns, with an
// instruction and tools, that is 46 KB of prompt on average.
func agent(p *prose, first, turns int) []*llm.Call {
	system := []llm.Part{{Type: llm.PartText, Content: p.text(6000)}}
	var tools []llm.Tool
	for i := range 12 {
		tools = append(tools, llm.Tool{Type: "function", Name: fmt.Sprintf("tool_%d", i), Description: p.text(250),
			Parameters: fmt.Sprintf(`{"type":"object","properties":{"path":{"type":"string","description":%q},"limit":{"type":"integer","description":%q}},"required":["path"]}`, p.text(90), p.text(60))})
	}
	var history []llm.Message
	var calls []*llm.Call
	each := 30_700 / turns // of answer, tool call and result of a turn
	for turn := range turns {
		c := sinktest.Call(first + turn)
		c.ID = fmt.Sprintf("019aa5b3-%04x-7000-8000-%012d", p.rng.IntN(1<<16), first+turn)
		p.rng.Uint64()
		for i := range c.Place.Trace {
			c.Place.Trace[i] = byte(first>>(i%8) + i)
			c.Place.Span[i%8] = byte(p.rng.Uint32())
		}
		c.Attribution.Session = fmt.Sprint("agent-", first)
		if turn == 0 {
			history = append(history, llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: p.text(400)}}})
		}
		c.System, c.Tools = system, tools
		c.Input = history[:len(history):len(history)]
		id := fmt.Sprintf("call_%016x", p.rng.Uint64())
		answer := llm.Message{Role: "assistant", FinishReason: "tool_call", Parts: []llm.Part{
			{Type: llm.PartText, Content: p.text(each / 6)},
			{Type: llm.PartToolCall, ID: id, Name: fmt.Sprintf("tool_%d", p.rng.IntN(12)), Arguments: fmt.Sprintf(`{"path":%q,"limit":%d}`, p.text(40), p.rng.IntN(100))},
		}}
		c.Output = []llm.Message{answer}
		in := answer
		in.FinishReason = ""
		history = append(history, in, llm.Message{Role: "tool", Parts: []llm.Part{{Type: llm.PartToolCallResponse, ID: id, Response: p.text(each * 2 / 3)}}})
		calls = append(calls, c)
	}
	return calls
}

// size returns the bytes of a folder, write-ahead logs left out.
func size(t testing.TB, dir string, pattern string) (n int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

// BenchmarkAgent is what a call of an agent of 200 turns costs, beside keeping each
// call's content compressed as a whole.
func BenchmarkAgent(b *testing.B) {
	const turns = 200
	p := newProse(7)
	agents := [][]*llm.Call{agent(p, 0, turns), agent(p, turns, turns), agent(p, 2*turns, turns), agent(p, 3*turns, turns)}
	var calls []*llm.Call // as they come: turn by turn of each
	for turn := range turns {
		for _, a := range agents {
			calls = append(calls, a[turn])
		}
	}
	var e callrecord.Encoder
	var raw bytes.Buffer
	for _, c := range calls {
		if err := e.Said(&raw, c); err != nil {
			b.Fatal(err)
		}
	}
	kb := float64(raw.Len()) / float64(len(calls)) / 1000
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprintf("store/batch=%d", batch), func(b *testing.B) {
			var used time.Duration
			var bytes, n int64
			for b.Loop() {
				dir := b.TempDir()
				s := open(b, dir, func(c *store.Config, _ *store.Settings) { c.FullText = false })
				began := cpu()
				for i := 0; i < len(calls); i += batch {
					keep(b, s, calls[i:min(i+batch, len(calls))]...)
				}
				used += cpu() - began
				n += int64(len(calls))
				shut(b, s)
				bytes += size(b, dir, "calls/*.db")
			}
			b.ReportMetric(float64(used.Microseconds())/float64(n), "cpu-µs/call")
			b.ReportMetric(float64(bytes)/float64(n), "B/call")
			b.ReportMetric(kb, "KB-said/call")
		})
	}
	b.Run("zstd-per-body", func(b *testing.B) {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			b.Fatal(err)
		}
		var used time.Duration
		var size, n int64
		var buf bytes.Buffer
		var out []byte
		for b.Loop() {
			began := cpu()
			for _, c := range calls {
				buf.Reset()
				if err := e.Said(&buf, c); err != nil {
					b.Fatal(err)
				}
				out = enc.EncodeAll(buf.Bytes(), out[:0])
				size += int64(len(out))
			}
			used += cpu() - began
			n += int64(len(calls))
		}
		b.ReportMetric(float64(used.Microseconds())/float64(n), "cpu-µs/call")
		b.ReportMetric(float64(size)/float64(n), "B/call")
	})
}

// small returns a call of 1.5 KB: a prompt and an answer of a chat, new ones or such
// as were there before.
func small(p *prose, n int, fresh bool) *llm.Call {
	c := sinktest.Call(n)
	c.ID = fmt.Sprintf("019aa5b3-%04x-7000-8000-%012d", p.rng.IntN(1<<16), n)
	for i := range c.Place.Trace {
		c.Place.Trace[i] = byte(p.rng.Uint32())
		c.Place.Span[i%8] = byte(p.rng.Uint32())
	}
	c.Attribution.Session, c.Attribution.User = fmt.Sprint("s-", n/10), fmt.Sprint("u-", n%50)
	asked, answered := benchAsked, benchAnswered
	if fresh {
		asked, answered = p.text(900), p.text(500)
	}
	c.Input = []llm.Message{{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: asked}}}}
	c.Output = []llm.Message{{Role: "assistant", FinishReason: "stop", Parts: []llm.Part{{Type: llm.PartText, Content: answered}}}}
	return c
}

var benchAsked, benchAnswered = newProse(3).text(900), newProse(4).text(500)

// BenchmarkSmall is what a small call costs, by how many are kept at once, with texts
// that are new and with one that was there, without and with its full text.
func BenchmarkSmall(b *testing.B) {
	for _, kind := range []string{"same", "new", "new+index"} {
		for _, batch := range []int{16, 64, 256, 1024} {
			b.Run(fmt.Sprintf("%s/batch=%d", kind, batch), func(b *testing.B) {
				p := newProse(11)
				dir := b.TempDir()
				s := open(b, dir, func(c *store.Config, _ *store.Settings) { c.FullText = false })
				calls := make([]*llm.Call, b.N)
				for i := range calls {
					calls[i] = small(p, i, kind != "same")
				}
				b.ReportAllocs()
				b.ResetTimer()
				began := cpu()
				for i := 0; i < len(calls); i += batch {
					keep(b, s, calls[i:min(i+batch, len(calls))]...)
				}
				if kind == "new+index" {
					if err := s.Index(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				used := cpu() - began
				b.StopTimer()
				shut(b, s)
				b.ReportMetric(float64(used.Nanoseconds())/1000/float64(b.N), "cpu-µs/call")
				b.ReportMetric(float64(size(b, dir, "calls/*.db"))/float64(b.N), "B/call")
			})
		}
	}
}
