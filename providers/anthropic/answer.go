package anthropic

import (
	"bytes"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// Bounds on what is kept of one answer. What is past them is counted and left out.
const (
	maxBlocks = 1024
	maxUsage  = 256 << 10 // a list of iterations is long
	maxName   = 1024      // ids, models, reasons
	maxJSON   = 2048      // objects and addresses that are carried as they are
)

// answer is what is joined from a response: from the one message of a plain one,
// from the events of a stream (wire reference, sections 7.2 to 7.4).
type answer struct {
	id, model, role    []byte
	finish, sequence   []byte // stop_reason, stop_sequence
	details, container []byte // JSON
	context            []byte // JSON: context_management
	requestID          []byte // of an error
	usage              overlay
	blocks             []*block
	last               *block
	err                *apierror.Error
	errorCode          []byte

	room   intake.Room
	rhythm intake.Rhythm

	// cumulative: each event of a legacy completion has the text so far.
	cumulative bool
	legacy     bool // a text completion
	events     int
	unreadable int
	lastBad    int  // number of the last unreadable event
	settled    bool // the final usage came
	done       bool // the end mark came
	more       bool // blocks past the bound
}

// block is one content block while it passes.
type block struct {
	index   int
	start   []byte      // the block as it began, JSON
	text    intake.Text // what its deltas added: text, thinking, summary, or the JSON of an input
	input   bool        // it is the JSON of an input
	kind    string      // type, where the start did not come
	cites   [][]byte    // citations that came by themselves
	stopped bool
}

// Event reads one event, given as its JSON. It is for framings other than
// server-sent events, whose readers do not use Wrote. at is when it came; data is
// not kept.
func (r *Reader) Event(data []byte, at time.Time) { r.answer.event(data, at) }

// event reads one event; what is no whole JSON object is counted and left out.
func (a *answer) event(data []byte, at time.Time) {
	var e eventFields
	a.events++
	m := jsonwalk.Object(data)
	for m.Next() {
		e.take(m.Key, m.Val)
	}
	if !m.Whole() {
		a.unreadable++
		a.lastBad = a.events
		return
	}
	switch string(e.kind) {
	case "content_block_delta":
		a.delta(number(e.index), e.delta, at)
	case "content_block_start":
		a.start(number(e.index), e.block, at)
	case "content_block_stop":
		if b := a.find(number(e.index)); b != nil {
			b.stopped = true
		}
	case "message_start":
		a.message(e.message)
	case "message_delta":
		a.messageDelta(&e)
	case "message_stop":
		a.done = true
	case "ping":
	case "error":
		a.setError(data)
	case "message":
		a.message(data)
	default:
		a.unnamed(&e, data, at)
	}
}

// eventFields are the members that events have.
type eventFields struct {
	kind, index, delta, block, message, usage, context, err, completion []byte
}

func (e *eventFields) take(key, val []byte) {
	switch string(key) {
	case "type":
		e.kind = jsonwalk.Inner(val)
	case "index":
		e.index = val
	case "delta":
		e.delta = val
	case "content_block":
		e.block = val
	case "message":
		e.message = val
	case "usage":
		e.usage = val
	case "context_management":
		e.context = val
	case "error":
		e.err = val
	case "completion":
		e.completion = val
	}
}

// unnamed reads an event of a type that is not known, by what it holds: a piece of
// a legacy completion, or an error in the shape of another vendor.
func (a *answer) unnamed(e *eventFields, data []byte, at time.Time) {
	switch {
	case e.completion != nil:
		a.completion(data, at)
	case !jsonwalk.Empty(e.err):
		a.setError(data)
	}
}

// message takes a message: that of message_start, which is empty as yet, or a whole
// answer.
func (a *answer) message(val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		a.member(m.Key, m.Val)
	}
}

func (a *answer) member(key, val []byte) {
	switch string(key) {
	case "id":
		keep(&a.id, val)
	case "model":
		keep(&a.model, val)
	case "role":
		keep(&a.role, val)
	case "stop_reason":
		keep(&a.finish, val)
	case "stop_sequence", "stop":
		keep(&a.sequence, val)
	case "stop_details":
		keepJSON(&a.details, val)
	case "container":
		keepJSON(&a.container, val)
	case "context_management":
		keepJSON(&a.context, val)
	case "request_id":
		keep(&a.requestID, val)
	case "usage":
		a.usage.lay(val)
	case "content":
		a.content(val)
	}
}

// content takes the blocks of a whole message.
func (a *answer) content(list []byte) {
	index := 0
	for e := jsonwalk.Array(list); e.Next(); index++ {
		if !jsonwalk.IsObject(e.Val) {
			continue
		}
		if b := a.begin(index); b != nil {
			a.keepStart(b, e.Val)
		}
	}
}

func (a *answer) messageDelta(e *eventFields) {
	for m := jsonwalk.Object(e.delta); m.Next(); {
		a.member(m.Key, m.Val)
	}
	keepJSON(&a.context, e.context)
	if jsonwalk.IsObject(e.usage) {
		a.usage.lay(e.usage)
		a.settled = true
	}
}

func (a *answer) start(index int, val []byte, at time.Time) {
	b := a.begin(index)
	if b == nil || !jsonwalk.IsObject(val) {
		return
	}
	a.keepStart(b, val)
	// A result of the provider's tools is nothing that the model wrote.
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "name", "text", "thinking", "data":
			if !jsonwalk.Empty(m.Val) && m.Val[0] == '"' {
				a.rhythm.Piece(at)
				return
			}
		}
	}
}

// keepStart keeps a block as it began, as far as there is room.
func (a *answer) keepStart(b *block, val []byte) {
	if len(val) > intake.MaxText-a.room.Used {
		a.room.Lost += len(val)
		return
	}
	a.room.Used += len(val)
	b.start = append(b.start[:0], val...)
}

// begin makes a block; nil when there are too many.
func (a *answer) begin(index int) *block {
	if len(a.blocks) == maxBlocks {
		a.more = true
		return nil
	}
	a.last = &block{index: index}
	a.blocks = append(a.blocks, a.last)
	return a.last
}

// find returns the youngest block of that index, nil when there is none.
func (a *answer) find(index int) *block {
	if a.last != nil && a.last.index == index {
		return a.last
	}
	for i := len(a.blocks) - 1; i >= 0; i-- {
		if a.blocks[i].index == index {
			return a.blocks[i]
		}
	}
	return nil
}

func (a *answer) delta(index int, val []byte, at time.Time) {
	b := a.find(index)
	if b == nil {
		if b = a.begin(index); b == nil {
			return
		}
	}
	for m := jsonwalk.Object(val); m.Next(); {
		kind := ""
		switch string(m.Key) {
		case "text":
			kind = "text"
		case "partial_json":
			kind, b.input = "tool_use", true
		case "thinking":
			kind = "thinking"
		case "content":
			kind = "compaction"
		case "citation":
			a.cite(b, m.Val)
			continue
		default: // type, signature
			continue
		}
		if b.text.Add(&a.room, jsonwalk.Inner(m.Val)) {
			a.rhythm.Piece(at)
		}
		if b.kind == "" {
			b.kind = kind
		}
	}
}

func (a *answer) cite(b *block, val []byte) {
	if len(val) > intake.MaxText-a.room.Used {
		a.room.Lost += len(val)
		return
	}
	a.room.Used += len(val)
	b.cites = append(b.cites, bytes.Clone(val))
}

// completion takes a legacy completion, or a piece of one.
func (a *answer) completion(val []byte, at time.Time) {
	a.legacy = true
	a.message(val)
	b := a.find(0)
	if b == nil {
		b = a.begin(0)
		b.kind = "text"
	}
	if a.cumulative {
		a.room.Used -= len(b.text.Raw)
		b.text = intake.Text{Raw: b.text.Raw[:0]}
	}
	if b.text.Add(&a.room, jsonwalk.Inner(jsonwalk.Member(val, "completion"))) {
		a.rhythm.Piece(at)
	}
}

func (a *answer) setError(val []byte) {
	if e := apierror.Parse(val); e != nil {
		a.err = e
	}
	keep(&a.requestID, jsonwalk.Member(val, "request_id"))
	details := jsonwalk.Member(jsonwalk.Member(val, "error"), "details")
	keep(&a.errorCode, jsonwalk.Member(details, "error_code"))
}

// ended says that the answer came to its end, as far as it tells.
func (a *answer) ended() bool { return a.done || len(a.finish) > 0 }

// keep takes a short text that is whole; an empty one says nothing.
func keep(dst *[]byte, val []byte) {
	if v := closed(val); len(v) > 0 && len(v) <= maxName {
		*dst = append((*dst)[:0], v...)
	}
}

// keepJSON takes an object, or a text, as it is.
func keepJSON(dst *[]byte, val []byte) {
	if !jsonwalk.Empty(val) && len(val) <= maxJSON && (val[0] == '{' || val[0] == '"') {
		*dst = append((*dst)[:0], val...)
	}
}

// number reads a small whole number; anything else is 0.
func number(val []byte) int {
	n := 0
	for _, c := range val {
		if c < '0' || c > '9' || n > 1<<24 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}
