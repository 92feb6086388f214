package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Recorder turns exchanges into calls and hands them to sinks. Its methods may
// be called by many goroutines.
type Recorder struct {
	stages   Stages
	log      *slog.Logger
	counters counters
	panics   throttle
	unread   throttle
	once     once
	line     line

	queue *queue
	batch *batcher
	sinks []*delivery

	workers sync.WaitGroup
	cancel  context.CancelFunc // ends Consume of every sink
	runs    watch

	closing  sync.Once
	closeErr error
}

// New starts a recorder. Zero values in cfg mean the defaults. The recorder owns
// the sinks from here on: Close closes them.
func New(cfg Config, stages Stages) *Recorder {
	if stages.Reader == nil || stages.Place == nil {
		panic("BUG: recorder.New: Reader and Place are needed")
	}
	cfg = cfg.orDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	r := &Recorder{
		stages: stages,
		log:    stages.Log,
		queue:  newQueue(cfg.QueueExchanges, cfg.QueueBytes, cfg.BatchDelay),
		cancel: cancel,
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	for _, s := range stages.Sinks {
		r.sinks = append(r.sinks, newDelivery(ctx, s, cfg.SinkQueueBytes, r.log))
	}
	r.batch = newBatcher(cfg.BatchCalls, cfg.BatchDelay, r.sinks)
	if stages.Runs != nil {
		r.runs.start(func(now time.Time) { r.ended(now, false) })
	}
	for range cfg.Workers {
		r.workers.Go(func() { r.work(newPace(cfg.Workers)) })
	}
	return r
}

// Record takes a finished exchange, which the caller does not touch any more. It
// never waits: it returns false, and counts why, when there is no room or the
// recorder was closed.
func (r *Recorder) Record(ex *llm.Exchange) bool {
	no, ok := r.queue.put(ex)
	if !ok {
		r.counters.dropped[no].Add(1)
		return false
	}
	r.counters.recorded.Add(1)
	return true
}

// Pressed says that the copy of a large request body would be left out now: who
// has one may keep its memory. It never waits for more than a few instructions.
func (r *Recorder) Pressed() bool { return r.queue.pressed() }

// Close takes nothing more, reads what waits, hands it to the sinks and closes
// them: each when it got its last batch, so that a slow sink does not use up the
// time of another. When ctx ends first, what is left is counted as lost, sinks
// are told by their context, and Close returns without waiting for them. A second
// Close returns what the first one did.
func (r *Recorder) Close(ctx context.Context) error {
	r.closing.Do(func() { r.closeErr = r.close(ctx) })
	return r.closeErr
}

func (r *Recorder) close(ctx context.Context) error {
	defer context.AfterFunc(ctx, r.cancel)()
	r.queue.close()
	var errs []error
	if !wait(ctx, r.workers.Wait) {
		n := r.queue.abandon()
		r.counters.dropped[droppedShutdown].Add(int64(n))
		errs = append(errs, fmt.Errorf("close recorder: %d exchanges were not read: %w", n, context.Cause(ctx)))
	}
	r.runs.stop()
	if r.stages.Runs != nil {
		r.ended(time.Now(), true)
	}
	r.batch.close()
	for _, d := range r.sinks {
		d.close(ctx)
	}
	for _, d := range r.sinks {
		errs = append(errs, d.wait(ctx))
	}
	if ctx.Err() == nil {
		r.cancel()
	}
	return errors.Join(errs...)
}

// wait runs f and returns whether it ended before ctx did.
func wait(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
