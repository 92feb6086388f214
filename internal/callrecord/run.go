package callrecord

import (
	"encoding/hex"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// run is llm.Run, without what was said.
type run struct {
	ID       string     `cbor:"1,keyasint,omitempty" json:"id,omitempty"`
	Session  string     `cbor:"2,keyasint,omitempty" json:"session,omitempty"`
	Turn     int        `cbor:"3,keyasint,omitempty" json:"turn,omitempty"`
	RetryOf  string     `cbor:"4,keyasint,omitempty" json:"retry_of,omitempty"`
	RepeatOf string     `cbor:"5,keyasint,omitempty" json:"repeat_of,omitempty"`
	ByCall   string     `cbor:"6,keyasint,omitempty" json:"by_call,omitempty"`
	ByTool   string     `cbor:"7,keyasint,omitempty" json:"by_tool,omitempty"`
	Evidence []string   `cbor:"8,keyasint,omitempty" json:"evidence,omitempty"`
	Inferred []inferred `cbor:"9,keyasint,omitempty" json:"inferred,omitempty"`

	Confidence string    `cbor:"10,keyasint,omitempty" json:"confidence,omitempty"`
	Root       spanRef   `cbor:"11,keyasint,omitzero" json:"root,omitzero"`
	Above      spanID    `cbor:"12,keyasint,omitzero" json:"above,omitzero"`
	Links      []spanRef `cbor:"13,keyasint,omitempty" json:"links,omitempty"`
}

type spanID [8]byte

// MarshalText writes an id as hex, for the export.
func (s spanID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// spanRef is llm.SpanRef.
type spanRef struct {
	Trace traceID `cbor:"1,keyasint,omitzero" json:"trace"`
	Span  spanID  `cbor:"2,keyasint,omitzero" json:"span,omitzero"`
}

type traceID [16]byte

// MarshalText writes an id as hex, for the export.
func (t traceID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, t[:]), nil }

func refOf(r llm.SpanRef) spanRef  { return spanRef{traceID(r.Trace), spanID(r.Span)} }
func (r spanRef) llm() llm.SpanRef { return llm.SpanRef{Trace: r.Trace, Span: r.Span} }

// inferred is llm.Inferred; its parts are content.
type inferred struct {
	Operation string   `cbor:"1,keyasint,omitempty" json:"operation,omitempty"`
	Call      string   `cbor:"2,keyasint,omitempty" json:"call,omitempty"`
	Run       string   `cbor:"3,keyasint,omitempty" json:"run,omitempty"`
	Start     moment   `cbor:"4,keyasint,omitzero" json:"start,omitzero"`
	End       moment   `cbor:"5,keyasint,omitzero" json:"end,omitzero"`
	Evidence  []string `cbor:"6,keyasint,omitempty" json:"evidence,omitempty"`

	Confidence string        `cbor:"7,keyasint,omitempty" json:"confidence,omitempty"`
	Span       spanRef       `cbor:"8,keyasint,omitzero" json:"span,omitzero"`
	Above      spanID        `cbor:"9,keyasint,omitzero" json:"above,omitzero"`
	Duration   time.Duration `cbor:"10,keyasint,omitempty" json:"duration_ns,omitempty"`
}

func runOf(r *llm.Run) *run {
	if r == nil {
		return nil
	}
	return &run{
		ID: r.ID, Session: r.Session, Turn: r.Turn, RetryOf: r.RetryOf, RepeatOf: r.RepeatOf,
		ByCall: r.ByCall, ByTool: r.ByTool, Evidence: r.Evidence,
		Inferred: convert(r.Inferred, func(i llm.Inferred) inferred {
			return inferred{i.Operation, i.Call, i.Run, momentOf(i.Start), momentOf(i.End), i.Evidence, i.Confidence, refOf(i.Span), i.Above, i.Duration}
		}),
		Confidence: r.Confidence, Root: refOf(r.Root), Above: r.Above, Links: convert(r.Links, refOf),
	}
}

func (r *run) llm() *llm.Run {
	if r == nil {
		return nil
	}
	return &llm.Run{
		ID: r.ID, Session: r.Session, Turn: r.Turn, RetryOf: r.RetryOf, RepeatOf: r.RepeatOf,
		ByCall: r.ByCall, ByTool: r.ByTool, Evidence: r.Evidence,
		Inferred: convert(r.Inferred, func(i inferred) llm.Inferred {
			return llm.Inferred{
				Operation: i.Operation, Call: i.Call, Run: i.Run, Start: i.Start.time(), End: i.End.time(), Duration: i.Duration,
				Evidence: i.Evidence, Confidence: i.Confidence, Span: i.Span.llm(), Above: i.Above,
			}
		}),
		Confidence: r.Confidence, Root: r.Root.llm(), Above: r.Above, Links: convert(r.Links, spanRef.llm),
	}
}

// hasParts says whether any inferred piece of a run holds content.
func hasParts(r *llm.Run) bool {
	if r != nil {
		for i := range r.Inferred {
			if len(r.Inferred[i].Parts) > 0 {
				return true
			}
		}
	}
	return false
}

// inferredParts are the parts of each inferred piece of a run, in order.
func (e *Encoder) inferredParts(r *llm.Run) [][]part {
	if !hasParts(r) {
		return nil
	}
	return convert(r.Inferred, func(i llm.Inferred) []part { return e.partsOf(i.Parts) })
}

// giveParts puts content back into the inferred pieces of a run.
func giveParts(r *llm.Run, parts [][]part) {
	if r == nil {
		return
	}
	for i := range r.Inferred {
		if i < len(parts) {
			r.Inferred[i].Parts = partsOf(parts[i])
		}
	}
}
