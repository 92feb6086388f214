package tracing_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/tracing"
)

// TestMemoryOfSpansIsUsedAgainOnlyWhenNobodyReadsIt sends to three receivers at
// once. One answers before it has read a request, so that its transport may still
// be writing when the attempt is over, and goes on reading then. Each of the others
// gets every span, with the text that belongs to it.
func TestMemoryOfSpansIsUsedAgainOnlyWhenNobodyReadsIt(t *testing.T) {
	const rounds, calls = 100, 40
	var early atomic.Int64
	hasty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		_ = c.Flush()
		early.Add(1)
		_, _ = io.CopyN(io.Discard, r.Body, 100<<10)
	}))
	defer hasty.Close()
	good := [...]*receiver{newReceiver(), newReceiver()}
	tr := start(t, quick(
		tracing.Exporter{Type: "otlp", Endpoint: good[0].serveHTTP(t), SkipMetrics: true},
		tracing.Exporter{Type: "otlp", Endpoint: hasty.URL, SkipMetrics: true},
		tracing.Exporter{Type: "otlp", Endpoint: good[1].serveHTTP(t), SkipMetrics: true},
	), tracing.Settings{})
	text := func(id string) string { return strings.Repeat(id+" ", 60) }
	for round := range rounds {
		batch := make([]*llm.Call, calls)
		for i := range batch {
			c := sinktest.Call(round*calls + i)
			c.Input[0].Parts[0].Content = text(c.ID)
			batch[i] = c
		}
		consume(t, tr, batch...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tr.Close(ctx)
	for i, r := range good {
		spans := r.spans()
		seen := map[string]bool{} // one may come again: an attempt that took too long is made once more
		for _, s := range spans {
			a := attrs(s)
			id := a["spanwire.call.id"].GetStringValue()
			seen[id] = true
			if !strings.Contains(a["gen_ai.input.messages"].GetStringValue(), fmt.Sprintf("%q", text(id))) {
				t.Errorf("receiver %d: %s has the text of another call", i, id)
			}
		}
		if len(seen) != rounds*calls {
			t.Errorf("receiver %d: %d calls, want %d", i, len(seen), rounds*calls)
		}
	}
	if early.Load() == 0 {
		t.Error("nobody answered early")
	}
}
