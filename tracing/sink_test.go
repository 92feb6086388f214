package tracing_test

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/tracing"
)

var (
	quietLog  = slog.New(slog.DiscardHandler)
	protoJSON = protojson.UnmarshalOptions{}
)

// TestSink runs the suite of all sinks on each kind of exporter.
func TestSink(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "http/json"} {
		for _, compression := range []string{"gzip", "none"} {
			t.Run("otlp "+protocol+" "+compression, func(t *testing.T) {
				sinktest.Run(t, func(t *testing.T) sinktest.Subject {
					r := newReceiver()
					tr := start(t, quick(tracing.Exporter{Type: "otlp", Protocol: protocol, Endpoint: r.serveHTTP(t), Compression: compression}), tracing.Settings{})
					return sinktest.Subject{Sink: tr, Delivered: func(*testing.T) []string { return r.ids() }}
				})
			})
		}
	}
	t.Run("otlp grpc", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Subject {
			r := newReceiver()
			tr := start(t, quick(tracing.Exporter{Type: "otlp", Protocol: "grpc", Endpoint: "http://" + r.serveGRPC(t, nil)}), tracing.Settings{})
			return sinktest.Subject{Sink: tr, Delivered: func(*testing.T) []string { return r.ids() }}
		})
	})
	t.Run("file", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Subject {
			path := filepath.Join(t.TempDir(), "spans.jsonl")
			tr := start(t, quick(tracing.Exporter{Type: "file", Path: path}), tracing.Settings{})
			return sinktest.Subject{Sink: tr, Ordered: true, Delivered: func(t *testing.T) []string { return readFile(t, path).ids() }}
		})
	})
	t.Run("stdout", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Subject {
			var out bytes.Buffer
			tr := start(t, quick(tracing.Exporter{Type: "stdout"}), tracing.Settings{Stdout: &out})
			return sinktest.Subject{Sink: tr, Ordered: true, Delivered: func(*testing.T) (ids []string) {
				for _, m := range regexp.MustCompile(`call ([0-9a-f-]{36})`).FindAllStringSubmatch(out.String(), -1) {
					ids = append(ids, m[1])
				}
				return ids
			}}
		})
	})
	t.Run("several", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Subject {
			r := newReceiver()
			path := filepath.Join(t.TempDir(), "spans.jsonl")
			tr := start(t, quick(
				tracing.Exporter{Type: "stdout"}, tracing.Exporter{Type: "file", Path: path},
				tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t)}, tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t)},
			), tracing.Settings{Stdout: io.Discard})
			return sinktest.Subject{Sink: tr, Ordered: true, Delivered: func(t *testing.T) []string {
				ids := readFile(t, path).ids()
				if got := len(r.ids()); got != 2*len(ids) {
					t.Errorf("two receivers got %d spans, want twice the %d of the file", got, len(ids))
				}
				return ids
			}}
		})
	})
}

// readFile reads a file of OTLP JSON lines back into a receiver.
func readFile(t *testing.T, path string) *receiver {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := newReceiver()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		msg := &collector.ExportTraceServiceRequest{}
		if err := unmarshalOTLPJSON(lines.Bytes(), msg); err != nil {
			t.Fatalf("a line of the span file is no OTLP JSON: %v", err)
		}
		r.requests = append(r.requests, msg)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return r
}
