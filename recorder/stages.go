package recorder

import (
	"context"
	"log/slog"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Stages is what a [Recorder] works with. Reader and Place are needed; another
// stage that is nil is left out. All stages but the sinks are called by several
// goroutines at a time.
type Stages struct {
	Reader     Reader
	Tracer     Tracer
	Attributor Attributor
	Counter    Counter
	Pricer     Pricer
	Redactor   Redactor
	KeepRaw    bool // calls carry their bodies as they went over the wire

	// Credentials returns those that an exchange was made with. They are replaced
	// wherever they stand in the call, also where nothing tells them from a word.
	Credentials func(*llm.Exchange) []string

	// Place completes the place that Tracer found, which may be the zero Place: it
	// returns one whose Trace and Span are set.
	Place func(llm.Place) llm.Place

	// Runs finds out which calls belong together.
	Runs Runs

	// Sinks each get every call. A name stands in logs and statistics.
	Sinks []NamedSink

	Log *slog.Logger // nil: slog.Default()
}

// NamedSink is a sink and what to call it.
type NamedSink struct {
	Name string
	Sink Sink
}

// Reader turns an exchange into a call. It returns a call whenever it can, even
// beside an error: what could not be read is also listed in Call.Problems.
type Reader interface {
	Read(*llm.Exchange) (*llm.Call, error)
}

// Attributor says whom a call is for: it sets Call.Attribution, Call.Content,
// Call.OmitInput, Call.OmitOutput and Call.Retry from the request's headers and
// from what was read of its body.
type Attributor interface {
	Attribute(*llm.Call, *llm.Exchange)
}

// Tracer reads the trace context that a caller sent. It returns the zero Place
// when there is none; else Trace, Parent, Flags, State and Remote are set.
type Tracer interface {
	Parent(llm.Header) llm.Place
}

// Counter counts the tokens that a provider did not report: it sets Call.Usage,
// with its source, unless the usage was reported whole.
type Counter interface {
	Count(*llm.Call)
}

// Pricer sets the cost of a call from its usage, models and start. A cost that a
// provider told (Call.Cost.Source is already CostProvider) stays.
type Pricer interface {
	Price(*llm.Call)
}

// Runs finds the place of calls in what an agent did.
type Runs interface {
	// Place sets Call.Run, and moves Call.Place to where the call belongs. It is called
	// with one call at a time, in the order in which the exchanges were recorded, and
	// sees content as it was sent. It must be quick: all workers wait for it.
	Place(*llm.Call)
	// Done gets every call that was placed once more, as it goes to the sinks: in any
	// order, several at a time. It must not change it.
	Done(*llm.Call)
	// Ended returns runs that ended by a time, or all that there are, as calls for the sinks.
	Ended(now time.Time, all bool) []*llm.Call
}

// Redactor takes out of a call what its users do not want to be kept. Credentials are
// out of it already.
type Redactor interface {
	Redact(*llm.Call)
}

// Sink takes finished calls. Consume may block; it must not keep or change the
// slice, and must not change the calls. It is called by one goroutine at a time.
// An error of Consume counts the whole batch as failed: it is not sent again.
type Sink interface {
	Consume(ctx context.Context, calls []*llm.Call) error
	Close(ctx context.Context) error // flushes, then stops
}
