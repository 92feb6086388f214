package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/recorder"
	"github.com/spanwire/spanwire/tokenizer"
	"github.com/spanwire/spanwire/tracing"
)

// BenchmarkCold is what a call costs off the data path, from the finished exchange
// to the receiver of its span: watch, read, attribute, count, price, redact,
// encode, export over HTTP. The receiver is in the process and counts as well.
func BenchmarkCold(b *testing.B) {
	for _, size := range []int{1 << 10, 200 << 10} {
		b.Run(fmt.Sprintf("%d KB prompt", size>>10), func(b *testing.B) {
			const around = 300        // bytes of a request that are no span, nearly
			var received atomic.Int64 // bytes of spans
			more := make(chan struct{}, 1)
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n, err := io.Copy(io.Discard, r.Body)
				if err != nil {
					b.Error(err)
				}
				received.Add(n - around)
				select {
				case more <- struct{}{}:
				default:
				}
			}))
			defer receiver.Close()
			cfg := defaultConfig()
			cfg.Tracing.Exporters = []tracing.Exporter{{Type: "otlp", Endpoint: receiver.URL, Compression: "none", SkipMetrics: true}}
			cfg.Tracing.Batch.Delay = 20 * time.Millisecond
			live, err := newLive(cfg, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			traces, err := tracing.New(cfg.Tracing, tracing.Settings{Env: func(string) (string, bool) { return "", false }})
			if err != nil {
				b.Fatal(err)
			}
			rec := recorder.New(cfg.Recorder, recorder.Stages{
				Reader: live, Tracer: traces, Attributor: live, Counter: tokenizer.New(), Pricer: live,
				Place: traces.Place, Sinks: []recorder.NamedSink{{Name: "tracing", Sink: traces}},
			})
			request := []byte(`{"model":"gpt-4o-mini","temperature":0.2,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"` + prose(size) + `"}]}`)
			answer := []byte(`{"id":"chatcmpl-B1c2D3e4F5g6H7i8J9k0","object":"chat.completion","created":1762000000,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"` +
				prose(1700) + `","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":26,"completion_tokens":200,"total_tokens":226,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_0ba0d124f1"}`)
			row, _, err := live.parts.Load().table.Route("POST", "/openai/v1/chat/completions")
			if err != nil {
				b.Fatal(err)
			}
			call := func() {
				now := time.Now()
				x := &llm.Exchange{
					ID: "0199a3c2-7d4e-7000-8000-0123456789ab", Provider: row.Name, Method: "POST", Target: "/v1/chat/completions", UpstreamTarget: "/v1/chat/completions",
					Host: row.Host, Port: row.Port, Scheme: row.Scheme, Status: 200, Ended: llm.EndComplete,
					Start: now, Sent: now, FirstByte: now, FirstWrite: now, End: now,
					RequestHeader:  llm.Header("Host: localhost:8080\r\nAuthorization: Bearer sk-bench-0123456789abcdefghij\r\nContent-Type: application/json\r\nUser-Agent: OpenAI/Python 1.99.0\r\nAccept: application/json\r\n"),
					ResponseHeader: llm.Header("Content-Type: application/json\r\nx-request-id: req_0123456789abcdef\r\nopenai-processing-ms: 412\r\nx-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n"),
					Request:        llm.Body{Data: append([]byte(nil), request...), Size: int64(len(request))},
					Response:       llm.Body{Size: int64(len(answer))},
				}
				if x.Observer = row.Observe(x); x.Observer != nil {
					x.Observer.Wrote(answer, now)
				}
				if !rec.Record(x) {
					b.Fatal("the queue is full")
				}
			}
			call()
			<-more
			one := received.Load()
			fed, ahead := one, min(16<<20, 2000*one)
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				for fed-received.Load() > ahead {
					<-more
				}
				fed += one
				call()
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := rec.Close(ctx); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
			if s := rec.Stats(); s.Sinks[0].Delivered != s.Recorded || received.Load() < fed*9/10 {
				b.Fatalf("%d of %d exchanges became calls, %d of %d bytes came", s.Sinks[0].Delivered, s.Recorded, received.Load(), fed)
			}
		})
	}
}

// prose is n bytes of English as JSON writes it.
func prose(n int) string {
	const text = `The quick brown fox jumps over the lazy dog. \"Why?\" asked Bob - it was a Monday in January, and nobody had an idea.\n`
	s := strings.Repeat(text, n/len(text)+1)[:n]
	return strings.TrimRight(s, `\`)
}

// cpuTime is what this process has used so far: on a busy machine the wall clock
// measures its neighbours.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
