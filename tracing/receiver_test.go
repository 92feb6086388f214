package tracing_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/tracing"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// receiver is a receiver of OTLP on loopback, over HTTP and gRPC.
type receiver struct {
	mu       sync.Mutex
	requests []*collector.ExportTraceServiceRequest
	headers  []http.Header
	metrics  []*collectormetrics.ExportMetricsServiceRequest
	attempts int
	// answer decides about a request before it is kept; nil accepts everything.
	answer func(attempt int, r *collector.ExportTraceServiceRequest, size int) verdict
	came   chan struct{} // has one element for each attempt
	kept   chan struct{} // has one element for each request that was accepted
}

// verdict is how a receiver answers a request.
type verdict struct {
	status   int // HTTP; 0 accepts
	header   http.Header
	body     string
	err      error // gRPC
	rejected int64
	wait     <-chan struct{}
}

func newReceiver() *receiver {
	return &receiver{came: make(chan struct{}, 10_000), kept: make(chan struct{}, 10_000)}
}

func (r *receiver) judge(req *collector.ExportTraceServiceRequest, h http.Header, size int) verdict {
	r.mu.Lock()
	r.attempts++
	attempt, answer := r.attempts, r.answer
	r.mu.Unlock()
	r.came <- struct{}{}
	var v verdict
	if answer != nil {
		v = answer(attempt, req, size)
	}
	if v.wait != nil {
		<-v.wait
	}
	if v.status == 0 && v.err == nil {
		r.mu.Lock()
		r.requests = append(r.requests, req)
		r.headers = append(r.headers, h)
		r.mu.Unlock()
		r.kept <- struct{}{}
	}
	return v
}

func partial(v verdict) *collector.ExportTraceServiceResponse {
	resp := &collector.ExportTraceServiceResponse{}
	if v.rejected > 0 {
		resp.PartialSuccess = &collector.ExportTracePartialSuccess{RejectedSpans: v.rejected, ErrorMessage: "no"}
	}
	return resp
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(req.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if strings.HasSuffix(req.URL.Path, "/v1/metrics") {
		m := &collectormetrics.ExportMetricsServiceRequest{}
		if err := proto.Unmarshal(raw, m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		r.metrics = append(r.metrics, m)
		r.mu.Unlock()
		return
	}
	msg := &collector.ExportTraceServiceRequest{}
	if req.Header.Get("Content-Type") == "application/json" {
		err = unmarshalOTLPJSON(raw, msg)
	} else {
		err = proto.Unmarshal(raw, msg)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	head := req.Header.Clone()
	head.Set("test-path", req.URL.Path)
	v := r.judge(msg, head, len(raw))
	for k, vs := range v.header {
		w.Header()[k] = vs
	}
	if v.status != 0 {
		w.WriteHeader(v.status)
		io.WriteString(w, v.body)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	out, _ := proto.Marshal(partial(v))
	w.Write(out)
}

func (r *receiver) spans() (spans []*tracepb.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, req := range r.requests {
		for _, rs := range req.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				spans = append(spans, ss.Spans...)
			}
		}
	}
	return spans
}

func (r *receiver) ids() (ids []string) {
	for _, s := range r.spans() {
		ids = append(ids, attrs(s)["spanwire.call.id"].GetStringValue())
	}
	return ids
}

func attrs(s *tracepb.Span) map[string]*commonpb.AnyValue {
	m := map[string]*commonpb.AnyValue{}
	for _, kv := range s.Attributes {
		m[kv.Key] = kv.Value
	}
	return m
}

// serveHTTP starts the receiver over HTTP and returns its base URL.
func (r *receiver) serveHTTP(t testing.TB) string {
	t.Helper()
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return s.URL
}

type traceService struct {
	collector.UnimplementedTraceServiceServer
	r *receiver
}

func (s traceService) Export(ctx context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	head := http.Header{}
	md, _ := metadata.FromIncomingContext(ctx)
	for k, vs := range md {
		for _, v := range vs {
			head.Add(k, v)
		}
	}
	v := s.r.judge(req, head, proto.Size(req))
	if v.err != nil {
		return nil, v.err
	}
	return partial(v), nil
}

type metricsService struct {
	collectormetrics.UnimplementedMetricsServiceServer
	r *receiver
}

func (s metricsService) Export(_ context.Context, req *collectormetrics.ExportMetricsServiceRequest) (*collectormetrics.ExportMetricsServiceResponse, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.metrics = append(s.r.metrics, req)
	return &collectormetrics.ExportMetricsServiceResponse{}, nil
}

// serveGRPC starts the receiver over gRPC and returns its address.
func (r *receiver) serveGRPC(t testing.TB, cert *tls.Certificate) string {
	t.Helper()
	var opts []grpc.ServerOption
	if cert != nil {
		opts = append(opts, grpc.Creds(credentials.NewServerTLSFromCert(cert)))
	}
	s := grpc.NewServer(opts...)
	collector.RegisterTraceServiceServer(s, traceService{r: r})
	collectormetrics.RegisterMetricsServiceServer(s, metricsService{r: r})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return l.Addr().String()
}

// unmarshalOTLPJSON reads OTLP's JSON: protobuf's, apart from ids in hex.
func unmarshalOTLPJSON(raw []byte, msg *collector.ExportTraceServiceRequest) error {
	var doc any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return err
	}
	hexToBase64(doc)
	again, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	return protoJSON.Unmarshal(again, msg)
}

func hexToBase64(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			hexToBase64(e)
		}
	case map[string]any:
		for k, e := range v {
			if k == "traceId" || k == "spanId" || k == "parentSpanId" {
				raw, err := hex.DecodeString(e.(string))
				if err == nil {
					v[k] = raw // json.Marshal writes base64
				}
				continue
			}
			hexToBase64(e)
		}
	}
}

// noEnv is an environment without variables.
func noEnv(string) (string, bool) { return "", false }

func envOf(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

// quick is a configuration that sends at once and retries soon.
func quick(exporters ...tracing.Exporter) tracing.Config {
	cfg := tracing.DefaultConfig()
	cfg.Exporters = exporters
	cfg.Batch.Delay = 5 * time.Millisecond
	cfg.Retry.Initial = 2 * time.Millisecond
	cfg.Retry.Max = 20 * time.Millisecond
	return cfg
}

func start(t testing.TB, cfg tracing.Config, s tracing.Settings) *tracing.Tracing {
	t.Helper()
	if s.Env == nil {
		s.Env = noEnv
	}
	if s.Log == nil {
		s.Log = quietLog
	}
	tr, err := tracing.New(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // a test that wants to flush has closed it by itself
		tr.Close(ctx)
	})
	return tr
}

func closeNow(t testing.TB, tr *tracing.Tracing) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := tr.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func consume(t testing.TB, tr *tracing.Tracing, calls ...*llm.Call) {
	t.Helper()
	if err := tr.Consume(context.Background(), calls); err != nil {
		t.Fatal(err)
	}
}
