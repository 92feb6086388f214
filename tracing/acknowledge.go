package tracing

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/spanwire/spanwire/llm"
)

// Where a journal keeps the calls, Consume is not used: Count is called once for
// each call, and Deliver for each exporter, by whoever keeps the calls until the
// exporter has them.

// Count counts calls in metrics and sends nothing. It is safe for concurrent use.
func (t *Tracing) Count(calls []*llm.Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	for _, c := range calls {
		t.metrics.record(c)
		if t.skips(c) {
			t.unsampled.Add(1)
		}
	}
}

// skips says whether c gets no span, since its caller did not sample the trace.
func (t *Tracing) skips(c *llm.Call) bool {
	return t.cfg.HonourSampled && c.Place.Remote && c.Place.Flags&1 == 0
}

// Names returns the names of the exporters, for Deliver.
func (t *Tracing) Names() []string {
	var names []string
	for _, x := range t.exporters {
		names = append(names, x.name)
	}
	return names
}

// Deliver sends calls by one exporter. It returns nil once the receiver has
// accepted them, or refused them for good, which is counted. After an error the
// same calls may be delivered again: their spans keep their ids, and those that
// were accepted already come twice. There is one attempt; a receiver that asks for
// a pause gets it first. It does not use the exporter's queue, so that nothing is
// dropped for want of room or time. Calls are not kept. One goroutine at a time may
// deliver by an exporter.
func (t *Tracing) Deliver(ctx context.Context, exporter string, calls []*llm.Call) error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	x := t.exporter(exporter)
	if x == nil {
		t.mu.Unlock()
		return fmt.Errorf("there is no exporter %s", exporter)
	}
	x.done.Add(1) // Close waits, and cancels when its time is over
	defer x.done.Done()
	spans := make([]span, 0, len(calls))
	for _, c := range calls {
		if !t.skips(c) {
			spans = t.encode(spans, x.format, c)
		}
	}
	t.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(x.ctx, cancel)()
	err := x.once(ctx, bytesOf(spans), t.cfg.Batch)
	if !x.sender.keeps() {
		release(spans)
	}
	if err != nil {
		return fmt.Errorf("export by %s: %w", x.name, err)
	}
	return nil
}

func (t *Tracing) exporter(name string) *exporter {
	for _, x := range t.exporters {
		if x.name == name {
			return x
		}
	}
	return nil
}

// once sends spans in batches of the configured size, as many at a time as the
// exporter may have in flight, each once.
func (e *exporter) once(ctx context.Context, spans [][]byte, limits Batch) error {
	slots := make(chan struct{}, e.senders)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for len(spans) > 0 {
		n, _ := limits.fit(func(i int) int { return len(spans[i]) }, len(spans))
		batch := spans[:n]
		spans = spans[n:]
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := e.onceEach(ctx, batch); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
			}
		})
	}
	wg.Wait()
	return failed
}

func (e *exporter) onceEach(ctx context.Context, batch [][]byte) error {
	told := e.attempt(ctx, batch)
	switch {
	case told == nil:
		return nil
	case ctx.Err() != nil:
		return told
	case told.tooBig:
		return e.smaller(batch, told, func(part [][]byte) error { return e.onceEach(ctx, part) })
	}
	e.counts.retries.Add(1) // there will be another one
	if told.after > 0 {
		sleep(ctx, told.after)
	}
	return told
}
