package tracing_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/tracing"
)

// failing makes n attempts fail in some way, and accepts what comes after.
func failing(n int, v verdict) func(int, *collector.ExportTraceServiceRequest, int) verdict {
	return func(attempt int, _ *collector.ExportTraceServiceRequest, _ int) verdict {
		if attempt <= n {
			return v
		}
		return verdict{}
	}
}

func TestRetriesWhatMayBeAcceptedLater(t *testing.T) {
	f := func(protocol string, v verdict, want bool) {
		t.Helper()
		r := newReceiver()
		r.answer = failing(3, v)
		e := tracing.Exporter{Type: "otlp", Protocol: protocol, SkipMetrics: true}
		if protocol == "grpc" {
			e.Endpoint = "http://" + r.serveGRPC(t, nil)
		} else {
			e.Endpoint = r.serveHTTP(t)
		}
		tr := start(t, quick(e), tracing.Settings{})
		consume(t, tr, sinktest.Call(1), sinktest.Call(2))
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		tr.Close(ctx)
		if delivered := len(r.ids()) == 2; delivered != want {
			t.Errorf("%s %d %v: delivered %v, want %v", protocol, v.status, v.err, delivered, want)
		}
	}
	for _, code := range []int{429, 502, 503, 504} {
		f("http/protobuf", verdict{status: code}, true)
	}
	f("http/protobuf", verdict{status: 503, header: http.Header{"Retry-After": {"0"}}}, true)
	for _, code := range []int{301, 400, 401, 403, 404, 500, 501} {
		f("http/protobuf", verdict{status: code}, false)
	}
	for _, code := range []codes.Code{codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss} {
		f("grpc", verdict{err: status.Error(code, "later")}, true)
	}
	for _, code := range []codes.Code{codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented, codes.Internal, codes.ResourceExhausted} {
		f("grpc", verdict{err: status.Error(code, "never")}, false)
	}
	quota, err := status.New(codes.ResourceExhausted, "quota").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	f("grpc", verdict{err: quota.Err()}, true)
}

// TestRetryAfter shows that a receiver's word on when to come back is kept.
func TestRetryAfter(t *testing.T) {
	r := newReceiver()
	var mu sync.Mutex
	var at []time.Time
	r.answer = func(attempt int, _ *collector.ExportTraceServiceRequest, _ int) verdict {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, time.Now())
		if attempt == 1 {
			return verdict{status: 503, header: http.Header{"Retry-After": {"1"}}}
		}
		return verdict{}
	}
	tr := start(t, quick(tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t), SkipMetrics: true}), tracing.Settings{})
	consume(t, tr, sinktest.Call(1))
	closeNow(t, tr)
	if len(at) != 2 || at[1].Sub(at[0]) < time.Second {
		t.Errorf("attempts at %v, want two with a second between them", at)
	}
}

func TestGivesUpAfterMaxElapsed(t *testing.T) {
	r := newReceiver()
	r.answer = failing(1<<30, verdict{status: 503})
	cfg := quick(tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t), SkipMetrics: true})
	cfg.Retry.MaxElapsed = 30 * time.Millisecond
	dropped := make(lines, 10)
	tr := start(t, cfg, tracing.Settings{Log: slog.New(slog.NewTextHandler(dropped, nil))})
	consume(t, tr, sinktest.Call(1), sinktest.Call(2))
	said := <-dropped
	if !strings.Contains(said, "reason=max_elapsed") || !strings.Contains(said, "status 503") {
		t.Errorf("log says %q", said)
	}
	hasLine(t, scrape(t, tr), `spanwire_exporter_dropped_total{exporter="otlp",reason="max_elapsed"} 2`)
}

// lines is a writer that hands on what is written.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

// TestDeadReceiver shows that one that never answers costs neither time nor
// memory beyond the queue, and that every lost span is counted.
func TestDeadReceiver(t *testing.T) {
	r := newReceiver()
	release := make(chan struct{})
	r.answer = func(int, *collector.ExportTraceServiceRequest, int) verdict { return verdict{wait: release} }
	other := newReceiver()
	cfg := quick(
		tracing.Exporter{Type: "otlp", Name: "dead", Endpoint: r.serveHTTP(t), SkipMetrics: true, Timeout: time.Hour},
		tracing.Exporter{Type: "otlp", Name: "alive", Endpoint: other.serveHTTP(t), SkipMetrics: true},
	)
	cfg.QueueBytes = 100_000
	tr := start(t, cfg, tracing.Settings{})
	begin := time.Now()
	total := 0
	for range 50 {
		var calls []*llm.Call
		for range 20 {
			calls = append(calls, sinktest.Call(total))
			total++
		}
		consume(t, tr, calls...)
		for len(other.spans()) < total {
			<-other.kept
		}
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("1000 calls took %v beside a dead receiver", took)
	}
	page := scrape(t, tr)
	var dropped, waiting, held float64
	for line := range strings.SplitSeq(page, "\n") {
		switch {
		case strings.HasPrefix(line, `spanwire_exporter_dropped_total{exporter="dead",reason="queue_full"}`):
			fmt.Sscan(line[strings.LastIndexByte(line, ' '):], &dropped)
		case strings.HasPrefix(line, `spanwire_exporter_queue_spans{exporter="dead"}`):
			fmt.Sscan(line[strings.LastIndexByte(line, ' '):], &waiting)
		case strings.HasPrefix(line, `spanwire_exporter_queue_size_bytes{exporter="dead"}`):
			fmt.Sscan(line[strings.LastIndexByte(line, ' '):], &held)
		}
	}
	if dropped == 0 || waiting == 0 || dropped+waiting != float64(total) {
		t.Errorf("%v dropped and %v waiting of %d", dropped, waiting, total)
	}
	if held <= 0 || held > 100_000 {
		t.Errorf("%v bytes are held, of at most 100000", held)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	begin = time.Now()
	if err := tr.Close(ctx); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%v spans were not delivered", waiting)) {
		t.Errorf("Close says %v, want that %v spans were not delivered", err, waiting)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Close took %v without any time to take", took)
	}
	close(release)
}

// TestTooBig shows that what is too big for a receiver arrives in parts, and one
// span alone with its content cut.
func TestTooBig(t *testing.T) {
	const most = 60_000
	f := func(name string, open func(*testing.T, *receiver) tracing.Exporter, refuse verdict) {
		t.Run(name, func(t *testing.T) {
			r := newReceiver()
			r.answer = func(_ int, _ *collector.ExportTraceServiceRequest, size int) verdict {
				if size > most {
					return refuse
				}
				return verdict{}
			}
			tr := start(t, quick(open(t, r)), tracing.Settings{})
			var calls []*llm.Call
			for n := range 100 {
				calls = append(calls, sinktest.Call(n))
			}
			large := sinktest.Call(100)
			large.Input[0].Parts[0].Content = strings.Repeat("a long \"prompt\"\n", 50_000)
			consume(t, tr, append(calls, large)...)
			closeNow(t, tr)
			ids := r.ids()
			if len(ids) != 101 {
				t.Fatalf("%d spans of 101 arrived", len(ids))
			}
			for _, s := range r.spans() {
				a := attrs(s)
				if a["spanwire.call.id"].GetStringValue() != large.ID {
					continue
				}
				text := a["gen_ai.input.messages"].GetStringValue()
				if !json.Valid([]byte(text)) || len(text) < 1000 {
					t.Errorf("cut content is %d bytes, valid %v", len(text), json.Valid([]byte(text)))
				}
				if a["spanwire.content.truncated"].GetIntValue() < 100_000 || a["gen_ai.usage.input_tokens"].GetIntValue() != 12 {
					t.Error("the span does not say what was cut, or lost more than content")
				}
			}
		})
	}
	f("http", func(t *testing.T, r *receiver) tracing.Exporter {
		return tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t), SkipMetrics: true}
	}, verdict{status: 413})
	f("grpc", func(t *testing.T, r *receiver) tracing.Exporter {
		return tracing.Exporter{Type: "otlp", Protocol: "grpc", Endpoint: "http://" + r.serveGRPC(t, nil), SkipMetrics: true}
	}, verdict{err: status.Error(codes.ResourceExhausted, "grpc: received message larger than max (5000000 vs. 4194304)")})
}

func TestPartialSuccess(t *testing.T) {
	r := newReceiver()
	r.answer = func(int, *collector.ExportTraceServiceRequest, int) verdict { return verdict{rejected: 2} }
	said := make(lines, 1)
	tr := start(t, quick(tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t), SkipMetrics: true}), tracing.Settings{Log: slog.New(slog.NewTextHandler(said, nil))})
	consume(t, tr, sinktest.Call(1), sinktest.Call(2), sinktest.Call(3))
	<-said
	page := scrape(t, tr)
	hasLine(t, page, `spanwire_exporter_dropped_total{exporter="otlp",reason="rejected"} 2`)
	hasLine(t, page, `spanwire_exporter_sent_total{exporter="otlp"} 1`)
}

// TestBatches are bounded in bytes and in count, and a span that waits for others
// does not wait for long.
func TestBatches(t *testing.T) {
	r := newReceiver()
	var mu sync.Mutex
	most, spans := 0, 0
	r.answer = func(_ int, req *collector.ExportTraceServiceRequest, size int) verdict {
		mu.Lock()
		defer mu.Unlock()
		most = max(most, size)
		spans = max(spans, len(req.ResourceSpans[0].ScopeSpans[0].Spans))
		return verdict{}
	}
	cfg := quick(tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t), SkipMetrics: true})
	cfg.Batch.Bytes, cfg.Batch.Spans = 200_000, 50
	tr := start(t, cfg, tracing.Settings{})
	for n := range 40 {
		c := sinktest.Call(n)
		c.Input[0].Parts[0].Content = strings.Repeat("p", 60_000)
		consume(t, tr, c)
	}
	var calls []*llm.Call
	for n := range 400 {
		calls = append(calls, sinktest.Call(40+n))
	}
	consume(t, tr, calls...)
	for len(r.spans()) < 440 {
		<-r.kept
	}
	mu.Lock()
	defer mu.Unlock()
	if most > 210_000 || spans > 50 || spans < 40 {
		t.Errorf("the largest batch had %d bytes, the longest %d spans", most, spans)
	}
}

func TestTLS(t *testing.T) {
	r := newReceiver()
	s := httptest.NewUnstartedServer(r)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // refused handshakes are what is tested
	s.StartTLS()
	defer s.Close()
	ca := writePEM(t, s.Certificate())
	f := func(e tracing.Exporter, want int) {
		t.Helper()
		cfg := quick(e)
		cfg.Retry.MaxElapsed = 20 * time.Millisecond
		tr := start(t, cfg, tracing.Settings{})
		before := len(r.spans())
		consume(t, tr, sinktest.Call(1))
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		tr.Close(ctx)
		if got := len(r.spans()) - before; got != want {
			t.Errorf("%s with %+v: %d spans arrived, want %d", e.Protocol, e.TLS, got, want)
		}
	}
	grpcAddr := r.serveGRPC(t, &tls.Certificate{Certificate: s.TLS.Certificates[0].Certificate, PrivateKey: s.TLS.Certificates[0].PrivateKey})
	for protocol, endpoint := range map[string]string{"http/protobuf": s.URL, "grpc": "https://" + grpcAddr} {
		e := tracing.Exporter{Type: "otlp", Protocol: protocol, Endpoint: endpoint, SkipMetrics: true}
		f(e, 0) // nobody vouches for the certificate
		e.TLS.CAFile = ca
		f(e, 1)
		e.TLS = tracing.TLS{SkipVerify: true}
		f(e, 1)
	}
}

// TestKeysStayInside shows that what a header holds is in no log and no error,
// even if the receiver repeats it, and that redirects do not take it elsewhere.
func TestKeysStayInside(t *testing.T) {
	const key = "sesame-open-4711"
	r := newReceiver()
	elsewhere := newReceiver()
	far := elsewhere.serveHTTP(t)
	r.answer = func(attempt int, _ *collector.ExportTraceServiceRequest, _ int) verdict {
		if attempt == 1 {
			return verdict{status: 307, header: http.Header{"Location": {far + "/v1/traces"}}}
		}
		return verdict{status: 401, body: "unknown key Bearer " + key + " or " + key}
	}
	var log bytes.Buffer
	said := make(lines, 10)
	cfg := quick(tracing.Exporter{
		Type: "otlp", Endpoint: strings.Replace(r.serveHTTP(t), "http://", "http://user:"+key+"@", 1) + "/?k=" + key,
		Headers: map[string]string{"Authorization": "Bearer " + key, "x-key": key}, SkipMetrics: true,
	})
	tr := start(t, cfg, tracing.Settings{Log: slog.New(slog.NewTextHandler(both{&log, said}, nil))})
	consume(t, tr, sinktest.Call(1))
	<-said
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	consume(t, tr, sinktest.Call(2))
	err := tr.Close(ctx)
	if len(elsewhere.spans()) > 0 {
		t.Error("a redirect was followed")
	}
	for what, text := range map[string]string{"log": log.String(), "error": fmt.Sprint(err), "names": fmt.Sprint(tr.Exporters())} {
		if strings.Contains(text, key) {
			t.Errorf("%s holds the key: %s", what, text)
		}
	}
	_, err = tracing.New(quick(tracing.Exporter{Type: "otlp", Endpoint: "http://h", Headers: map[string]string{"x": key + "\n"}}), tracing.Settings{Env: noEnv})
	if !errors.Is(err, tracing.ErrConfig) || strings.Contains(err.Error(), key) {
		t.Errorf("error is %v", err)
	}
}

type both struct {
	keep *bytes.Buffer
	tell lines
}

func (b both) Write(p []byte) (int, error) {
	b.keep.Write(p)
	return b.tell.Write(p)
}
func writePEM(t *testing.T, cert *x509.Certificate) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
