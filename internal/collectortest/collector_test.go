package collectortest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/tracing"
)

// patience bounds how long anything may take.
const patience = 2 * time.Minute

// backend is what stands behind the collector: it keeps what comes.
type backend struct {
	collector.UnimplementedTraceServiceServer
	collectormetrics.UnimplementedMetricsServiceServer
	mu      sync.Mutex
	spans   map[string]*tracepb.Span // by call id
	twice   int
	metrics map[string]bool
	came    chan struct{}
}

type metricsBackend struct {
	collectormetrics.UnimplementedMetricsServiceServer
	b *backend
}

func (m metricsBackend) Export(_ context.Context, req *collectormetrics.ExportMetricsServiceRequest) (*collectormetrics.ExportMetricsServiceResponse, error) {
	m.b.mu.Lock()
	for _, rm := range req.ResourceMetrics {
		for _, sm := range rm.ScopeMetrics {
			for _, metric := range sm.Metrics {
				m.b.metrics[metric.Name] = true
			}
		}
	}
	m.b.mu.Unlock()
	m.b.tell()
	return &collectormetrics.ExportMetricsServiceResponse{}, nil
}

type traceBackend struct {
	collector.UnimplementedTraceServiceServer
	b *backend
}

func (s traceBackend) Export(_ context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	s.b.mu.Lock()
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, span := range ss.Spans {
				id := callID(span)
				if s.b.spans[id] != nil {
					s.b.twice++
				}
				s.b.spans[id] = span
			}
		}
	}
	s.b.mu.Unlock()
	s.b.tell()
	return &collector.ExportTraceServiceResponse{}, nil
}

func (b *backend) tell() {
	select {
	case b.came <- struct{}{}:
	default:
	}
}

// wait returns when enough holds.
func (b *backend) wait(t *testing.T, enough func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		b.mu.Lock()
		ok := enough()
		b.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-b.came:
		case <-deadline:
			t.Fatalf("only %d spans and the metrics %v came through the collector", len(b.spans), b.metrics)
		}
	}
}

func callID(s *tracepb.Span) string {
	for _, kv := range s.Attributes {
		if kv.Key == "spanwire.call.id" {
			return kv.Value.GetStringValue()
		}
	}
	return ""
}

func startBackend(t *testing.T) (*backend, string) {
	t.Helper()
	b := &backend{spans: map[string]*tracepb.Span{}, metrics: map[string]bool{}, came: make(chan struct{}, 1)}
	s := grpc.NewServer(grpc.MaxRecvMsgSize(256 << 20))
	collector.RegisterTraceServiceServer(s, traceBackend{b: b})
	collectormetrics.RegisterMetricsServiceServer(s, metricsBackend{b: b})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return b, l.Addr().String()
}

// freeAddress returns an address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "collector")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "collector")
	out, err := exec.Command("go", "build", "-o", bin, "./collector").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the collector: %w\n%s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

// startCollector runs a collector as a process of its own, with its default
// limits, and returns the addresses of its receivers.
func startCollector(t *testing.T, behind string) (httpAddr, grpcAddr string) {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	httpAddr, grpcAddr = freeAddress(t), freeAddress(t)
	cmd := exec.Command(bin, fmt.Sprintf(`{
receivers: {otlp: {protocols: {http: {endpoint: "%s"}, grpc: {endpoint: "%s"}}}},
exporters: {otlp: {endpoint: "%s", tls: {insecure: true}, sending_queue: {enabled: false}}},
service: {
  telemetry: {metrics: {level: none}, logs: {level: warn}},
  pipelines: {
    traces: {receivers: [otlp], exporters: [otlp]},
    metrics: {receivers: [otlp], exporters: [otlp]}}}}`, httpAddr, grpcAddr, behind))
	cmd.Stderr = testLog{t}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	return httpAddr, grpcAddr
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log("collector: " + strings.TrimSpace(string(p)))
	return len(p), nil
}

// traffic is small calls and large ones: more than 4 MiB, which is what the
// collector takes at once over gRPC, and more than 20 MiB, its limit over HTTP.
func traffic() []*llm.Call {
	var calls []*llm.Call
	for n := range 600 {
		c := sinktest.Call(n)
		switch {
		case n%10 == 0: // 60 of 400 KB
			c.Input[0].Parts[0].Content = strings.Repeat(fmt.Sprintf("Paragraph %d of a long prompt, \"quoted\" and with ünïcode.\n", n), 7000)
		case n == 1: // several attributes at their limit
			long := strings.Repeat("x", 2<<20)
			c.Input[0].Parts[0].Content, c.Output[0].Parts[0].Content, c.System[0].Content = long, long, long
		}
		calls = append(calls, c)
	}
	for i, c := range sinktest.Hostile() {
		c.ID = sinktest.ID(5000 + i)
		calls = append(calls, c)
	}
	return calls
}

func TestCollector(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "http/json", "grpc"} {
		for _, compression := range []string{"gzip", "none"} {
			t.Run(protocol+" "+compression, func(t *testing.T) {
				b, behind := startBackend(t)
				httpAddr, grpcAddr := startCollector(t, behind)
				endpoint := "http://" + httpAddr
				if protocol == "grpc" {
					endpoint = "http://" + grpcAddr
				}
				checkCollector(t, b, tracing.Exporter{Type: "otlp", Protocol: protocol, Compression: compression, Endpoint: endpoint})
			})
		}
	}
}

// checkCollector exports traffic to a collector, and to a file beside it, and
// compares what comes out of both.
func checkCollector(t *testing.T, b *backend, e tracing.Exporter) {
	path := filepath.Join(t.TempDir(), "spans.jsonl")
	cfg := tracing.DefaultConfig()
	cfg.Exporters = []tracing.Exporter{e, {Type: "file", Path: path}}
	cfg.QueueBytes = 256 << 20
	cfg.Retry.Initial = 20 * time.Millisecond // the collector is only starting
	tr, err := tracing.New(cfg, tracing.Settings{Env: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	calls := traffic()
	if err := tr.Consume(context.Background(), calls); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := tr.Close(ctx); err != nil {
		t.Fatal(err)
	}
	b.wait(t, func() bool { return len(b.spans) >= len(calls) && b.metrics["gen_ai.client.operation.duration"] })
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.twice > 0 || len(b.spans) != len(calls) {
		t.Errorf("%d spans of %d calls came, %d of them twice", len(b.spans), len(calls), b.twice)
	}
	want := readFile(t, path)
	for _, c := range calls {
		got := b.spans[c.ID]
		if got == nil {
			t.Fatalf("call %s did not come", c.ID)
		}
		if !proto.Equal(got, want[c.ID]) && !hasNaN(got) {
			t.Errorf("span of %s differs: %d attributes, want %d", c.ID, len(got.Attributes), len(want[c.ID].GetAttributes()))
		}
	}
}

// hasNaN says whether a span holds a number that does not equal itself.
func hasNaN(s *tracepb.Span) bool {
	for _, kv := range s.Attributes {
		if v := kv.Value.GetDoubleValue(); v != v {
			return true
		}
	}
	return false
}

// readFile reads the file exporter's lines as the Collector's otlpjsonfile
// receiver does.
func readFile(t *testing.T, path string) map[string]*tracepb.Span {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	spans := map[string]*tracepb.Span{}
	for line := range strings.Lines(string(raw)) {
		traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(line))
		if err != nil {
			t.Fatalf("the collector cannot read a line of the span file: %v", err)
		}
		wire, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
		if err != nil {
			t.Fatal(err)
		}
		data := &tracepb.TracesData{}
		if err := proto.Unmarshal(wire, data); err != nil {
			t.Fatal(err)
		}
		for _, rs := range data.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					spans[callID(s)] = s
				}
			}
		}
	}
	return spans
}
