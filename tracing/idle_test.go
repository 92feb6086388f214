package tracing_test

import (
	"bufio"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/tracing"
)

// Receivers and what stands before them close connections that have been idle, and
// say nothing: a batch that meets the end of one is sent again, whole and once.
func TestConnectionsThatDieIdle(t *testing.T) {
	for _, compression := range []string{"none", "gzip"} {
		t.Run(compression, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			names := make(chan string, 100)
			var served sync.WaitGroup
			served.Go(func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					served.Go(func() { answerOnce(t, c, names) })
				}
			})
			defer served.Wait()
			defer ln.Close()
			tr := start(t, quick(tracing.Exporter{Type: "otlp", Endpoint: "http://" + ln.Addr().String(), Compression: compression, SkipMetrics: true}), tracing.Settings{})
			seen := map[string]bool{}
			for i := range 60 {
				consume(t, tr, sinktest.Call(i+1))
				select {
				case id := <-names:
					if seen[id] {
						t.Fatalf("span %s came twice", id)
					}
					seen[id] = true
				case <-time.After(20 * time.Second):
					t.Fatalf("batch %d did not come", i+1)
				}
			}
			closeNow(t, tr)
		})
	}
}

// answerOnce serves one request and ends the connection, without having said so.
func answerOnce(t *testing.T, c net.Conn, ids chan<- string) {
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	var req collector.ExportTraceServiceRequest
	from := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		if from, err = gzip.NewReader(r.Body); err != nil {
			t.Error(err)
			return
		}
	}
	body, err := io.ReadAll(from)
	if err == nil {
		err = proto.Unmarshal(body, &req)
	}
	if err != nil {
		t.Errorf("a batch is not whole: %v", err)
		return
	}
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				ids <- string(s.SpanId)
			}
		}
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
}
