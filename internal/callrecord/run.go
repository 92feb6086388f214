package callrecord

import "github.com/spanwire/spanwire/llm"

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
}

// inferred is llm.Inferred; its parts are content.
type inferred struct {
	Operation string   `cbor:"1,keyasint,omitempty" json:"operation,omitempty"`
	Call      string   `cbor:"2,keyasint,omitempty" json:"call,omitempty"`
	Run       string   `cbor:"3,keyasint,omitempty" json:"run,omitempty"`
	Start     moment   `cbor:"4,keyasint,omitzero" json:"start,omitzero"`
	End       moment   `cbor:"5,keyasint,omitzero" json:"end,omitzero"`
	Evidence  []string `cbor:"6,keyasint,omitempty" json:"evidence,omitempty"`
}

func runOf(r *llm.Run) *run {
	if r == nil {
		return nil
	}
	return &run{
		ID: r.ID, Session: r.Session, Turn: r.Turn, RetryOf: r.RetryOf, RepeatOf: r.RepeatOf,
		ByCall: r.ByCall, ByTool: r.ByTool, Evidence: r.Evidence,
		Inferred: convert(r.Inferred, func(i llm.Inferred) inferred {
			return inferred{i.Operation, i.Call, i.Run, momentOf(i.Start), momentOf(i.End), i.Evidence}
		}),
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
			return llm.Inferred{Operation: i.Operation, Call: i.Call, Run: i.Run, Start: i.Start.time(), End: i.End.time(), Evidence: i.Evidence}
		}),
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
