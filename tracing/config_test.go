package tracing_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/tracing"
)

// TestEnvironment holds the standard variables to what they do at a receiver.
func TestEnvironment(t *testing.T) {
	// f starts tracing with variables, in which URL stands for the receiver, and
	// returns the head of the request that arrived.
	f := func(vars map[string]string, exporters ...tracing.Exporter) http.Header {
		t.Helper()
		r := newReceiver()
		url := r.serveHTTP(t)
		if strings.HasSuffix(vars["OTEL_EXPORTER_OTLP_PROTOCOL"], "grpc") {
			url = "http://" + r.serveGRPC(t, nil)
		}
		all := map[string]string{}
		for k, v := range vars {
			all[k] = strings.ReplaceAll(v, "URL", url)
		}
		for i := range exporters {
			exporters[i].Endpoint = strings.ReplaceAll(exporters[i].Endpoint, "URL", url)
		}
		tr := start(t, quick(exporters...), tracing.Settings{Env: envOf(all)})
		consume(t, tr, sinktest.Call(1))
		closeNow(t, tr)
		if len(r.headers) == 0 {
			return nil
		}
		return r.headers[0]
	}
	expect := func(h http.Header, key, want string) {
		t.Helper()
		if h == nil {
			t.Error("nothing arrived")
		} else if got := h.Get(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	// A base has the path added, the one for traces is taken as it is.
	expect(f(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL"}), "test-path", "/v1/traces")
	expect(f(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL/otel/"}), "test-path", "/otel/v1/traces")
	expect(f(map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "URL/in"}), "test-path", "/in")
	expect(f(map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "URL/in", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}), "test-path", "/in")
	expect(f(nil, tracing.Exporter{Type: "otlp", Endpoint: "URL/api/public/otel/v1/traces"}), "test-path", "/api/public/otel/v1/traces")
	// Headers are percent-encoded; one for traces wins.
	h := f(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20YWJj%3D, x-a = b+c"})
	expect(h, "Authorization", "Basic YWJj=")
	expect(h, "x-a", "b+c")
	h = f(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_EXPORTER_OTLP_HEADERS": "x=general", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x=traces"})
	expect(h, "x", "traces")
	// Compression is off unless it is switched on, as in the specification.
	expect(f(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL"}), "Content-Encoding", "")
	expect(f(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}), "Content-Encoding", "gzip")
	// Protocols.
	expect(f(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}), "Content-Type", "application/json")
	expect(f(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_HEADERS": "x=g"}), "x", "g")
	// An exporter without an endpoint takes it from the environment, one with an
	// endpoint takes nothing: a key must not reach another receiver.
	expect(f(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_EXPORTER_OTLP_HEADERS": "x=env"}, tracing.Exporter{Type: "otlp"}), "x", "env")
	expect(f(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_HEADERS": "x=env"}, tracing.Exporter{Type: "otlp", Endpoint: "URL"}), "x", "")
	// Switched off.
	for _, off := range []map[string]string{
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_EXPORTER": "none"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_SDK_DISABLED": "true"},
		{},
	} {
		if f(off) != nil {
			t.Errorf("%v: spans were exported", off)
		}
	}
}

func TestEnvironmentTimeout(t *testing.T) {
	r := newReceiver()
	release := make(chan struct{})
	r.answer = func(attempt int, _ *collector.ExportTraceServiceRequest, _ int) verdict {
		if attempt == 1 {
			return verdict{wait: release}
		}
		return verdict{}
	}
	tr := start(t, quick(), tracing.Settings{Env: envOf(map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": r.serveHTTP(t), "OTEL_EXPORTER_OTLP_TIMEOUT": "50", "OTEL_METRICS_EXPORTER": "none",
	})})
	consume(t, tr, sinktest.Call(1))
	<-r.came
	<-r.came // the second attempt comes though the first was never answered
	close(release)
	closeNow(t, tr)
}

func TestResourceEnvironment(t *testing.T) {
	r := newReceiver()
	cfg := quick(tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t)})
	cfg.Resource = map[string]string{"team": "config"}
	tr := start(t, cfg, tracing.Settings{Env: envOf(map[string]string{
		"OTEL_RESOURCE_ATTRIBUTES": "service.name=lost,deployment.environment.name=a%20b,team=lost", "OTEL_SERVICE_NAME": "edge",
	})})
	consume(t, tr, sinktest.Call(1))
	closeNow(t, tr)
	got := map[string]string{}
	for _, kv := range r.requests[0].ResourceSpans[0].Resource.Attributes {
		got[kv.Key] = kv.Value.GetStringValue()
	}
	for key, want := range map[string]string{"service.name": "edge", "deployment.environment.name": "a b", "team": "config"} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	f := func(change func(*tracing.Config), want string) {
		t.Helper()
		cfg := tracing.DefaultConfig()
		change(&cfg)
		err := cfg.Validate()
		if !errors.Is(err, tracing.ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
		if _, err := tracing.New(cfg, tracing.Settings{Env: noEnv}); err == nil {
			t.Errorf("New takes what Validate does not: %s", want)
		}
	}
	add := func(e tracing.Exporter) func(*tracing.Config) {
		return func(c *tracing.Config) { c.Exporters = append(c.Exporters, tracing.Exporter{Type: "stdout"}, e) }
	}
	f(func(c *tracing.Config) { c.Batch.Bytes = 0 }, "batch.bytes must be more than 0")
	f(func(c *tracing.Config) { c.QueueBytes = -1 }, "queue_bytes")
	f(func(c *tracing.Config) { c.Retry.MaxElapsed = 0 }, "retry.max_elapsed")
	f(func(c *tracing.Config) { c.Limits.ContentBytes = 1 }, "limits.content_bytes")
	f(func(c *tracing.Config) { c.Limits.Attributes = 1 }, "limits.attributes")
	f(add(tracing.Exporter{Type: "oltp"}), `exporters[1]: type "oltp" is not one of file, otlp, stdout`)
	f(add(tracing.Exporter{Type: "otlp", Protocol: "http"}), `protocol "http"`)
	f(add(tracing.Exporter{Type: "otlp", Compression: "lz4"}), `compression "lz4"`)
	f(add(tracing.Exporter{Type: "otlp", Endpoint: "localhost:4318"}), "has no scheme")
	f(add(tracing.Exporter{Type: "otlp", Endpoint: "ftp://x"}), `scheme "ftp"`)
	f(add(tracing.Exporter{Type: "otlp", Endpoint: "http://"}), "names no host")
	f(add(tracing.Exporter{Type: "otlp", TLS: tracing.TLS{CertFile: "x"}}), "belong together")
	f(add(tracing.Exporter{Type: "otlp", Headers: map[string]string{"a b": "x"}}), `header "a b"`)
	f(add(tracing.Exporter{Type: "file"}), "path is missing")
	f(add(tracing.Exporter{Type: "otlp", Timeout: -1}), "must not be negative")
	if err := tracing.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no", "such", "file")
	noPEM := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(noPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(e tracing.Exporter, vars map[string]string, want string) {
		t.Helper()
		cfg := tracing.DefaultConfig()
		if e.Type != "" {
			cfg.Exporters = []tracing.Exporter{{Type: "otlp", Endpoint: "http://127.0.0.1:1"}, e}
		}
		_, err := tracing.New(cfg, tracing.Settings{Env: envOf(vars), Log: quietLog})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
	f(tracing.Exporter{Type: "file", Path: missing}, nil, "open span file")
	f(tracing.Exporter{Type: "otlp", Endpoint: "https://h", TLS: tracing.TLS{CAFile: missing}}, nil, "read trusted certificates")
	f(tracing.Exporter{Type: "otlp", Endpoint: "https://h", SkipMetrics: true, TLS: tracing.TLS{CAFile: noPEM}}, nil, "no PEM certificate")
	f(tracing.Exporter{Type: "otlp", Endpoint: "https://h", TLS: tracing.TLS{CertFile: missing, KeyFile: missing}}, nil, "read client certificate")
	env := func(k, v string) map[string]string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", k: v}
	}
	f(tracing.Exporter{}, env("OTEL_EXPORTER_OTLP_HEADERS", "sesame"), "OTEL_EXPORTER_OTLP_HEADERS: pair 1 has no equals sign")
	f(tracing.Exporter{}, env("OTEL_EXPORTER_OTLP_HEADERS", "a=%zz"), "not percent-encoded")
	f(tracing.Exporter{}, env("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), "not a number of milliseconds")
	f(tracing.Exporter{}, env("OTEL_EXPORTER_OTLP_PROTOCOL", "smoke"), `protocol "smoke"`)
	f(tracing.Exporter{}, env("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost"), "has no scheme")
	f(tracing.Exporter{}, env("OTEL_RESOURCE_ATTRIBUTES", "a"), "OTEL_RESOURCE_ATTRIBUTES")
}

func TestExporterNames(t *testing.T) {
	cfg := tracing.DefaultConfig()
	cfg.Exporters = []tracing.Exporter{
		{Type: "otlp", Endpoint: "http://collector:4318"}, {Type: "otlp", Endpoint: "collector:4317", Protocol: "grpc", Insecure: true},
		{Type: "otlp", Name: "langfuse", TracesEndpoint: "https://pk:sk@cloud.langfuse.com/api/public/otel/v1/traces?key=x"}, {Type: "stdout"},
	}
	tr := start(t, cfg, tracing.Settings{})
	want := []string{
		"otlp → http://collector:4318/v1/traces (http/protobuf)", "otlp-2 → http://collector:4317 (grpc)",
		"langfuse → https://cloud.langfuse.com/api/public/otel/v1/traces (http/protobuf)", "stdout → standard output",
	}
	if got := tr.Exporters(); !slices.Equal(got, want) {
		t.Errorf("exporters are %q", got)
	}
}

func TestFileRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "spans[1].jsonl")
	if err := os.WriteFile(filepath.Join(dir, "spans[1]-other.jsonl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := quick(tracing.Exporter{Type: "file", Path: path, RotateBytes: 20_000, RotateKeep: 3})
	cfg.Batch.Spans = 1
	tr := start(t, cfg, tracing.Settings{})
	for n := range 100 {
		consume(t, tr, sinktest.Call(n))
	}
	closeNow(t, tr)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 5 {
		t.Fatalf("files are %v, %v; want the current one, 3 old ones and one that is not ours", files, err)
	}
	ids := map[string]bool{}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Size() > 20_000 {
			t.Errorf("%s has %d bytes, %v", file, info.Size(), err)
		}
		for _, id := range readFile(t, file).ids() {
			ids[id] = true
		}
	}
	if !ids[sinktest.ID(99)] || ids[sinktest.ID(0)] || len(ids) < 10 {
		t.Errorf("%d spans are left, the last one %v, the first one %v", len(ids), ids[sinktest.ID(99)], ids[sinktest.ID(0)])
	}
}

// TestFileAppends shows that a restart does not lose what was written before.
func TestFileAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spans.jsonl")
	for n := range 2 {
		tr := start(t, quick(tracing.Exporter{Type: "file", Path: path}), tracing.Settings{})
		consume(t, tr, sinktest.Call(n))
		closeNow(t, tr)
	}
	if ids := readFile(t, path).ids(); !slices.Equal(ids, []string{sinktest.ID(0), sinktest.ID(1)}) {
		t.Errorf("the file holds %v", ids)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, %v: prompts are nobody else's", info.Mode(), err)
	}
}

func TestClosed(t *testing.T) {
	tr := start(t, tracing.DefaultConfig(), tracing.Settings{})
	closeNow(t, tr)
	if err := tr.Consume(context.Background(), nil); !errors.Is(err, tracing.ErrClosed) {
		t.Errorf("error is %v", err)
	}
}
