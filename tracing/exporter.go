package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// exporterKind is one way to hand spans out: a row of the table below and a file.
type exporterKind struct {
	format  format
	ordered bool // one batch at a time, in the order of the calls
	check   func(Exporter) error
	open    func(Exporter, environment, Settings, envelope) (sender, error)
}

// exporterKinds is every type of exporter there is.
var exporterKinds map[string]exporterKind

func init() { // a literal would be an initialisation cycle through Config.Validate
	exporterKinds = map[string]exporterKind{
		"otlp":   {format: formatOTLP, check: checkOTLP, open: openOTLP},
		"stdout": {format: formatText, ordered: true, check: checkStdout, open: openStdout},
		"file":   {format: formatOTLP, ordered: true, check: checkFile, open: openFile},
	}
}

func exporterNames() []string { return slices.Sorted(maps.Keys(exporterKinds)) }

// format is how a call is encoded for an exporter: once for all of the same format.
type format uint8

const (
	formatOTLP format = iota // bytes of an OTLP Span message
	formatText               // lines for people
	formats_
)

// sender hands one batch out. Methods are called by several goroutines unless the
// kind is ordered.
type sender interface {
	// send makes one attempt. It does not keep spans, unless keeps says so. rejected is how many spans a
	// receiver took note of and did not accept; an error means that it accepted
	// none, and is a *sendError when more is known about it.
	send(ctx context.Context, spans [][]byte) (rejected int64, err error)
	// keeps says whether spans that were sent may still be read.
	keeps() bool
	// close frees what the sender holds; nothing is in flight.
	close() error
	String() string // where it sends to, for people; without keys
}

// sendError says what may be done about a batch that was not accepted.
type sendError struct {
	err    error
	retry  bool          // it may be accepted later
	after  time.Duration // not before this long; 0 when not told
	tooBig bool          // it may be accepted in parts
}

func (e *sendError) Error() string { return e.err.Error() }
func (e *sendError) Unwrap() error { return e.err }

// Reasons for which spans are dropped, as in spanwire.exporter.dropped.
const (
	dropQueueFull = "queue_full"  // the receiver is too slow, or away for too long
	dropPermanent = "permanent"   // the receiver refused them for good
	dropExpired   = "max_elapsed" // retried for as long as allowed
	dropRejected  = "rejected"    // partial success
	dropTooLarge  = "too_large"   // too large even without its content
	dropShutdown  = "shutdown"    // not delivered in the time that closing had
)

var dropReasons = []string{dropQueueFull, dropPermanent, dropExpired, dropRejected, dropTooLarge, dropShutdown}

// counters count spans, except where they say otherwise.
type counters struct {
	sent      atomic.Int64
	retries   atomic.Int64 // attempts after the first
	splits    atomic.Int64 // batches that were split
	shortened atomic.Int64 // spans whose content was cut to be accepted
	dropped   map[string]*atomic.Int64
}

func newCounters() *counters {
	c := &counters{dropped: map[string]*atomic.Int64{}}
	for _, r := range dropReasons {
		c.dropped[r] = new(atomic.Int64)
	}
	return c
}

// exporter is a queue, the senders that empty it, and what they counted.
type exporter struct {
	name   string
	format format
	retry  Retry
	queue  *queue
	sender sender
	// senders is how many batches may be in flight.
	senders int
	counts  *counters
	log     *slog.Logger
	quiet   atomic.Int64 // unix nanoseconds before which no further failure is logged

	ctx    context.Context // done when closing has no time left
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func startExporter(name string, kind exporterKind, cfg Config, s sender, log *slog.Logger) *exporter {
	e := &exporter{
		name: name, format: kind.format, retry: cfg.Retry, queue: newQueue(cfg.Batch, cfg.QueueBytes),
		sender: s, senders: cfg.Batch.Senders, counts: newCounters(), log: log,
	}
	if kind.ordered {
		e.senders = 1
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.done.Go(func() { e.queue.run(e.ctx) })
	for range e.senders {
		e.done.Go(func() {
			for batch := range e.queue.batches {
				e.deliver(bytesOf(batch))
				e.queue.finished(batch)
				if !e.sender.keeps() {
					release(batch)
				}
			}
		})
	}
	return e
}

// put queues spans, and counts those that there is no room for.
func (e *exporter) put(spans []span) {
	if taken := e.queue.put(spans); taken < len(spans) {
		e.drop(dropQueueFull, len(spans)-taken, nil)
	}
}

// close hands out what waits, within ctx, and stops. What is left is counted.
func (e *exporter) close(ctx context.Context) error {
	e.queue.close()
	finished := make(chan struct{})
	go func() { e.done.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-ctx.Done():
		e.cancel()
		<-finished
	}
	e.cancel()
	e.counts.dropped[dropShutdown].Add(int64(e.queue.left()))
	err := e.sender.close()
	if n := e.counts.dropped[dropShutdown].Load(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d spans were not delivered in time", n))
	}
	if err != nil {
		return fmt.Errorf("close exporter %s: %w", e.name, err)
	}
	return nil
}

// drop counts spans that are lost and says so in the log, once a minute.
func (e *exporter) drop(reason string, n int, err error) {
	e.counts.dropped[reason].Add(int64(n))
	now := time.Now().UnixNano()
	quiet := e.quiet.Load()
	if now < quiet || !e.quiet.CompareAndSwap(quiet, now+int64(time.Minute)) {
		return
	}
	attrs := []any{"exporter", e.name, "reason", reason, "spans", n}
	if err != nil {
		attrs = append(attrs, "error", err.Error())
	}
	e.log.Warn("spans dropped; further ones are counted in spanwire.exporter.dropped", attrs...)
}

// ExporterStats is how one exporter gets on. Counts only grow.
type ExporterStats struct {
	Name, To    string // To is where it sends to, without keys
	Queued      int    // spans that wait or are in flight
	QueuedBytes int64  // of these, encoded

	Sent    int64 // spans that the receiver accepted
	Retries int64 // attempts after the first
	// Dropped counts the spans that were lost, by reason; every reason has its entry.
	Dropped map[string]int64
}

// ExporterStats returns a snapshot of every exporter, in the order of the configuration.
func (t *Tracing) ExporterStats() []ExporterStats {
	var out []ExporterStats
	for _, x := range t.exporters {
		s := ExporterStats{Name: x.name, To: x.sender.String(), Sent: x.counts.sent.Load(), Retries: x.counts.retries.Load(), Dropped: map[string]int64{}}
		s.Queued, s.QueuedBytes = x.queue.depth()
		for _, reason := range dropReasons {
			s.Dropped[reason] = x.counts.dropped[reason].Load()
		}
		out = append(out, s)
	}
	return out
}
