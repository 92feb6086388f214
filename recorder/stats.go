package recorder

import "sync/atomic"

// reason says why an exchange did not become a call.
type reason int

const (
	droppedCount    reason = iota // too many exchanges were waiting
	droppedBytes                  // too many bytes were waiting
	droppedClosed                 // the recorder was closed before
	droppedShutdown               // the time to close ran out first
	droppedPanic                  // a stage panicked
	droppedUnread                 // the reader made no call of it
	reasons
)

// DropReasons returns the keys of Stats.Dropped in a fixed order.
func DropReasons() []string {
	return []string{"queue_count", "queue_bytes", "closed", "shutdown", "panic", "unread"}
}

// Stats is what a recorder did since it was made. Counts only grow, but for
// what is queued.
type Stats struct {
	Queued      int   // exchanges waiting or being read
	QueuedBytes int64 // captured bytes of these

	Recorded int64 // exchanges taken in
	Calls    int64 // of these, made into calls and handed to the sinks
	Runs     int64 // runs that ended and were handed to the sinks, beside the calls
	// Dropped counts the exchanges that were lost, by reason; every reason of
	// DropReasons has its entry.
	Dropped map[string]int64

	ReadProblems int64 // calls of which something could not be read
	Redacted     int64 // secrets that were replaced
	// DroppedBodies counts the calls whose request was not read, because too many
	// bytes were waiting: model and usage are then what the response tells.
	DroppedBodies int64

	Sinks []SinkStats // in the order of Stages.Sinks
}

// SinkStats is what one sink got.
type SinkStats struct {
	Name        string
	Queued      int   // calls waiting or being consumed
	QueuedBytes int64 // bytes of these
	Delivered   int64 // calls that the sink took
	Failed      int64 // calls of batches that it returned an error for, or panicked in
	Dropped     int64 // calls that it never saw: its queue was full, or the time to close ran out
}

type counters struct {
	recorded, calls, runs, problems, redacted, bodies atomic.Int64
	dropped                                           [reasons]atomic.Int64
}

// Stats returns a snapshot. It is cheap enough for every scrape.
func (r *Recorder) Stats() Stats {
	s := Stats{
		Recorded:     r.counters.recorded.Load(),
		Calls:        r.counters.calls.Load(),
		Runs:         r.counters.runs.Load(),
		ReadProblems: r.counters.problems.Load(),
		Redacted:     r.counters.redacted.Load(),
		Dropped:      make(map[string]int64, reasons),

		DroppedBodies: r.counters.bodies.Load(),
	}
	s.Queued, s.QueuedBytes = r.queue.depth()
	for i, name := range DropReasons() {
		s.Dropped[name] = r.counters.dropped[i].Load()
	}
	for _, d := range r.sinks {
		s.Sinks = append(s.Sinks, d.stats())
	}
	return s
}
