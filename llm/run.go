package llm

import "time"

// Run says where a call stands in what an agent did, as far as the calls
// themselves tell. All of it is inferred. The ids are those of calls.
type Run struct {
	// ID is the call that began the run: from what a user said to the answer that
	// asks for no tool.
	ID string
	// Session is the call that began the conversation which the run is part of. It is
	// never the caller's own session id, which is in Attribution.
	Session string
	Turn    int // the call's place in its run, from 1

	RetryOf  string // the same was asked in that call, which failed; "" when it is no retry
	RepeatOf string // the same was asked in that call, which was answered; "" when it was not
	// ByCall and ByTool are the call and the id of the tool call that started this run,
	// which is then that of a sub-agent; "" when none is known. ByTool is "" also where
	// the provider gives no ids.
	ByCall, ByTool string

	// Evidence is what the link to Place.ParentCall, or to ByCall, rests on, and
	// Confidence how sure it is: certain or likely; "" where there is no link.
	Evidence   []string
	Confidence string
	// Inferred is what happened between that call and this one.
	Inferred []Inferred

	// Root is the span of the run itself, which is above those of its calls, and Above
	// the span over it. Root is zero where the run has none of its own: its calls are in
	// the caller's traces, or nothing tells that they are those of an agent.
	Root  SpanRef
	Above [8]byte
	// Links are spans of other traces that this call goes on from.
	Links []SpanRef
}

// How sure a link is.
const (
	Certain = "certain" // by ids, or word by word
	Likely  = "likely"  // something was changed on the way, or is not told
)

// SpanRef names a span. The zero value names none.
type SpanRef struct {
	Trace [16]byte
	Span  [8]byte
}

// Inferred is a piece of work that nobody observed: its traces are in the calls
// before and after it.
type Inferred struct {
	Operation string // gen_ai.operation.name: execute_tool, retrieval
	Call      string // the call that asked for it
	Run       string // the run of a sub-agent whose answer is the result; "" when none is known
	// Start and End are the widest that it can have lasted: from the end of the call
	// that asked to the start of the call that carries the result.
	Start, End time.Time
	// Parts are, for a tool, the tool call and its response: content, to be limited and
	// redacted as the parts of messages are.
	Parts []Part
	// Duration is how long it took, as the client told; 0 when it did not. Start and
	// End then fit to it.
	Duration   time.Duration
	Evidence   []string
	Confidence string // Certain or Likely
	// Span is that of the piece, and Above the one over it. Both are zero where there
	// is to be no span: the caller has a trace of its own.
	Span  SpanRef
	Above [8]byte
}
