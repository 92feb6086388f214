package recorder

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// delivery brings batches to one sink, in order, on a goroutine of its own.
type delivery struct {
	name string
	sink Sink
	max  int64
	log  *slog.Logger
	ctx  context.Context // of Consume; ends when closing takes too long

	mu     sync.Mutex
	stat   SinkStats
	queue  []batch
	closed bool
	end    context.Context // of the sink's Close; set with closed

	wake  chan struct{} // one token: queue or closed changed
	done  chan struct{} // closed when the sink is closed
	err   error         // of the sink's Close; read after done
	limit throttle
}

func newDelivery(ctx context.Context, s NamedSink, max int64, log *slog.Logger) *delivery {
	d := &delivery{
		name: s.Name, sink: s.Sink, max: max, log: log, ctx: ctx,
		stat: SinkStats{Name: s.Name},
		wake: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
	go d.run()
	return d
}

// push adds a batch, or counts its calls as dropped. It never waits.
func (d *delivery) push(b batch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.stat.QueuedBytes+b.bytes > d.max {
		d.stat.Dropped += int64(len(b.calls))
		return
	}
	d.queue = append(d.queue, b)
	d.stat.Queued += len(b.calls)
	d.stat.QueuedBytes += b.bytes
	d.notify()
}

// run consumes batches until the delivery is closed and empty, then closes the sink.
func (d *delivery) run() {
	defer close(d.done)
	p := newPace(1)
	for {
		b, end := d.next()
		if end != nil {
			d.err = d.closeSink(end)
			return
		}
		began := time.Now()
		err := d.consume(b)
		if more := d.finished(b, err); more {
			p.add(time.Since(began), 1)
		}
	}
}

// next blocks until there is a batch; when there will be none it returns the
// context to close the sink with.
func (d *delivery) next() (batch, context.Context) {
	for {
		d.mu.Lock()
		if len(d.queue) > 0 {
			b := d.queue[0]
			d.queue[0] = batch{}
			d.queue = d.queue[1:]
			d.mu.Unlock()
			return b, nil
		}
		closed, end := d.closed, d.end
		d.mu.Unlock()
		if closed {
			return batch{}, end
		}
		<-d.wake
	}
}

func (d *delivery) consume(b batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", clip(p), debug.Stack())
		}
	}()
	return d.sink.Consume(d.ctx, b.calls)
}

func (d *delivery) closeSink(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", clip(p))
		}
	}()
	return d.sink.Close(ctx)
}

// finished counts a batch and says whether more wait while the delivery is open.
func (d *delivery) finished(b batch, err error) (more bool) {
	d.mu.Lock()
	d.stat.Queued -= len(b.calls)
	d.stat.QueuedBytes -= b.bytes
	if err == nil {
		d.stat.Delivered += int64(len(b.calls))
	} else {
		d.stat.Failed += int64(len(b.calls))
	}
	more = len(d.queue) > 0 && !d.closed
	d.mu.Unlock()
	if err == nil {
		return more
	}
	if n, ok := d.limit.open(); ok {
		d.log.Error("a sink did not take a batch", "sink", d.name, "calls", len(b.calls), "error", err, "more", n)
	}
	return more
}

// close lets no batch in any more. The sink is closed with ctx after the last.
func (d *delivery) close(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed, d.end = true, ctx
	d.notify()
}

// wait returns the error of closing the sink. When ctx ends first, the batches
// that still wait are counted as dropped.
func (d *delivery) wait(ctx context.Context) error {
	select {
	case <-d.done:
	case <-ctx.Done():
		n := d.abandon()
		select {
		case <-d.done: // it ended as well
		default:
			return fmt.Errorf("close sink %s: %d calls were not delivered: %w", d.name, n, context.Cause(ctx))
		}
	}
	if d.err != nil {
		return fmt.Errorf("close sink %s: %w", d.name, d.err)
	}
	return nil
}

// abandon drops what waits, and returns how many calls the sink did not take,
// the batch that it is busy with included.
func (d *delivery) abandon() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := d.stat.Queued
	for _, b := range d.queue {
		d.stat.Queued -= len(b.calls)
		d.stat.QueuedBytes -= b.bytes
		d.stat.Dropped += int64(len(b.calls))
	}
	d.queue = nil
	return left
}

func (d *delivery) stats() SinkStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stat
}

func (d *delivery) notify() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// throttle lets one message a minute through and counts those between.
type throttle struct {
	mu   sync.Mutex
	next time.Time
	held int
}

// open says whether to log now, and how many messages were held since the last.
func (t *throttle) open() (held int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if now.Before(t.next) {
		t.held++
		return 0, false
	}
	held, t.held, t.next = t.held, 0, now.Add(time.Minute)
	return held, true
}
