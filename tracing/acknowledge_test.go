package tracing_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/tracing"
)

func numbered(n int) []*llm.Call {
	var cs []*llm.Call
	for i := range n {
		cs = append(cs, sinktest.Call(i))
	}
	return cs
}

// What Deliver returns without an error for is at the receiver, and what it
// returns an error for is not counted as lost.
func TestDeliverSaysWhatArrived(t *testing.T) {
	r := newReceiver()
	r.answer = failing(2, verdict{status: 503})
	cfg := quick(tracing.Exporter{Type: "otlp", Name: "far", Endpoint: r.serveHTTP(t), SkipMetrics: true})
	cfg.Batch.Spans = 10
	tr := start(t, cfg, tracing.Settings{})
	defer tr.Close(t.Context())
	if names := tr.Names(); !slices.Equal(names, []string{"far"}) {
		t.Fatalf("exporters %v", names)
	}
	failures := 0
	for tr.Deliver(t.Context(), "far", numbered(35)) != nil {
		if failures++; failures > 2 {
			t.Fatal("it does not get through")
		}
	}
	got := slices.Compact(slices.Sorted(slices.Values(r.ids())))
	if failures == 0 || len(got) != 35 {
		t.Errorf("%d failures, and then %d calls", failures, len(got))
	}
	if err := tr.Deliver(t.Context(), "near", numbered(1)); err == nil {
		t.Error("an exporter that is not there took a call")
	}
}

// A receiver that refuses for good must not stop whoever keeps the calls.
func TestDeliverGivesUpWhatIsRefused(t *testing.T) {
	r := newReceiver()
	r.answer = failing(1000, verdict{status: http.StatusBadRequest})
	tr := start(t, quick(tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t), SkipMetrics: true}), tracing.Settings{})
	defer tr.Close(t.Context())
	if err := tr.Deliver(t.Context(), "otlp", numbered(3)); err != nil {
		t.Errorf("refused for good: %v", err)
	}
}

func TestDeliverCutsWhatIsTooBig(t *testing.T) {
	r := newReceiver()
	r.answer = func(_ int, req *collector.ExportTraceServiceRequest, _ int) verdict {
		if len(req.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()) > 4 {
			return verdict{status: http.StatusRequestEntityTooLarge}
		}
		return verdict{}
	}
	tr := start(t, quick(tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t), SkipMetrics: true}), tracing.Settings{})
	defer tr.Close(t.Context())
	if err := tr.Deliver(t.Context(), "otlp", numbered(20)); err != nil || len(r.ids()) != 20 {
		t.Errorf("%d calls arrived, %v", len(r.ids()), err)
	}
}

func TestDeliverEnds(t *testing.T) {
	// Nobody listens there.
	tr := start(t, quick(tracing.Exporter{Type: "otlp", Endpoint: "http://127.0.0.1:1", SkipMetrics: true}), tracing.Settings{})
	if err := tr.Deliver(t.Context(), "otlp", numbered(3)); err == nil {
		t.Error("calls arrived nowhere")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.Deliver(ctx, "otlp", numbered(3)); err == nil {
		t.Error("calls arrived with a context that is done")
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Errorf("nothing was queued, and closing says: %v", err)
	}
	if err := tr.Deliver(t.Context(), "otlp", numbered(3)); !errors.Is(err, tracing.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// The files that Deliver and Consume write are the same but for how the calls are
// put together.
func TestDeliverKeepsTheOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spans.jsonl")
	cfg := quick(tracing.Exporter{Type: "file", Path: path})
	cfg.Batch.Spans = 3
	tr := start(t, cfg, tracing.Settings{})
	if err := tr.Deliver(t.Context(), "file", numbered(20)); err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := make([]string, 20)
	for i := range want {
		want[i] = sinktest.ID(i)
	}
	if got := readFile(t, path).ids(); !slices.Equal(got, want) {
		t.Errorf("the file holds %v", got)
	}
}
