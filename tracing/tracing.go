package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"github.com/spanwire/spanwire/llm"
)

// ErrClosed is returned for calls that come after Close.
var ErrClosed = errors.New("tracing is closed")

// Tracing is the sink that turns calls into spans and metrics.
type Tracing struct {
	cfg       Config
	exporters []*exporter
	metrics   *metrics

	mu      sync.Mutex // holds Consume and Close apart
	closed  bool
	spans   *encoder
	text    *textWriter
	written writer
	batches [formats_][]span
	formats [formats_]bool

	unsampled atomic.Int64

	closeOnce sync.Once
	closeErr  error
}

// New starts tracing: its exporters connect when they have something to send, so a
// receiver that is away is no error. It fails on a configuration that makes no
// sense, on certificates and files that cannot be opened.
func New(cfg Config, s Settings) (*Tracing, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	env := environment(os.LookupEnv)
	if s.Env != nil {
		env = s.Env
	}
	if s.Log == nil {
		s.Log = slog.Default()
	}
	if len(cfg.Exporters) == 0 && env.wantsExporter() {
		cfg.Exporters = []Exporter{{Type: "otlp"}}
	}
	resource, err := resourceOf(cfg, s.Version, env)
	if err != nil {
		return nil, err
	}
	t := &Tracing{
		cfg:   cfg,
		spans: newEncoder(cfg),
		text:  &textWriter{colour: wantsColour(stdoutOf(s), env)},
	}
	t.spans.room = t.written.room
	if t.metrics, err = newMetrics(cfg, env, s, resource); err != nil {
		return nil, err
	}
	if err := t.open(env, s, newEnvelope(resource, s.Version)); err != nil {
		// Nothing was sent yet: there is nothing to wait for.
		t.Close(done())
		return nil, err
	}
	return t, nil
}

// open starts the exporters and publishes what they count.
func (t *Tracing) open(env environment, s Settings, around envelope) error {
	names := map[string]int{}
	for i, e := range t.cfg.Exporters {
		kind := exporterKinds[e.Type]
		name := first(e.Name, e.Type)
		if names[name]++; names[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, names[name])
		}
		out, err := kind.open(e, env, s, around)
		if err != nil {
			return fmt.Errorf("open exporters[%d] (%s): %w", i, name, err)
		}
		x := startExporter(name, kind, t.cfg, out, s.Log)
		t.exporters = append(t.exporters, x)
		t.formats[kind.format] = true
		if err := t.publish(x); err != nil {
			return err
		}
	}
	return t.Counter("spanwire.spans.unsampled", "{span}", "Spans left out because their caller did not sample the trace.", t.unsampled.Load)
}

// publish makes an exporter's counts metrics.
func (t *Tracing) publish(x *exporter) error {
	who := llm.Attr{Key: "exporter", Value: x.name}
	errs := []error{
		t.Gauge("spanwire.exporter.queue.spans", "{span}", "Spans that wait or are in flight.", func() int64 {
			n, _ := x.queue.depth()
			return int64(n)
		}, who),
		t.Gauge("spanwire.exporter.queue.size", "By", "Encoded size of the spans that wait or are in flight.", func() int64 {
			_, n := x.queue.depth()
			return n
		}, who),
		t.Counter("spanwire.exporter.sent", "{span}", "Spans that the receiver accepted.", x.counts.sent.Load, who),
		t.Counter("spanwire.exporter.retries", "{attempt}", "Attempts after the first.", x.counts.retries.Load, who),
		t.Counter("spanwire.exporter.splits", "{batch}", "Batches that were too big for the receiver and were split.", x.counts.splits.Load, who),
		t.Counter("spanwire.exporter.shortened", "{span}", "Cuts of a single span's content because the receiver found it too big.", x.counts.shortened.Load, who),
	}
	for _, reason := range dropReasons {
		errs = append(errs, t.Counter("spanwire.exporter.dropped", "{span}", "Spans that were lost.",
			x.counts.dropped[reason].Load, who, llm.Attr{Key: "reason", Value: reason}))
	}
	return errors.Join(errs...)
}

// Consume counts calls in metrics, encodes them and queues them for each
// exporter. It never waits for a receiver: what there is no room for is dropped
// and counted, so the error is nil unless tracing is closed. Neither the slice nor
// the calls are kept. It is safe for concurrent use.
func (t *Tracing) Consume(_ context.Context, calls []*llm.Call) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	for _, c := range calls {
		t.metrics.record(c)
		if t.skips(c) {
			t.unsampled.Add(1)
			continue
		}
		for f, wanted := range t.formats {
			if wanted {
				t.batches[f] = t.encode(t.batches[f], format(f), c)
			}
		}
	}
	for _, x := range t.exporters {
		x.put(t.batches[x.format])
	}
	for f := range t.batches {
		release(t.batches[f])
		clear(t.batches[f])
		t.batches[f] = t.batches[f][:0]
	}
	return nil
}

// encode appends the spans of a call for exporters of a format.
func (t *Tracing) encode(spans []span, f format, c *llm.Call) []span {
	if f == formatText {
		t.text.each(c, func(block []byte) {
			spans = append(spans, t.written.wrote(append(t.written.room(), block...)))
		})
	} else {
		t.spans.each(c, func(b []byte) { spans = append(spans, t.written.wrote(b)) })
	}
	return spans
}

// Close sends what is queued, within ctx, and stops. It returns an error that says
// how many spans were not delivered. Further calls return the same.
func (t *Tracing) Close(ctx context.Context) error {
	t.closeOnce.Do(func() {
		t.mu.Lock()
		t.closed = true
		t.mu.Unlock()
		errs := make([]error, len(t.exporters)+1)
		var wg sync.WaitGroup
		for i, x := range t.exporters {
			wg.Go(func() { errs[i] = x.close(ctx) })
		}
		wg.Wait()
		// Last, so that the final counts of the exporters are told.
		errs[len(t.exporters)] = t.metrics.close(ctx)
		t.closeErr = errors.Join(errs...)
	})
	return t.closeErr
}

// Handler serves the metrics in the Prometheus formats.
func (t *Tracing) Handler() http.Handler { return t.metrics.handler }

// Exporters returns what the exporters are and where they send to, for people. It
// holds no key.
func (t *Tracing) Exporters() []string {
	var out []string
	for _, x := range t.exporters {
		out = append(out, x.name+" → "+x.sender.String())
	}
	return out
}
