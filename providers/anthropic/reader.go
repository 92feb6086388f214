package anthropic

import (
	"fmt"
	"time"

	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/sse"
	"github.com/spanwire/spanwire/llm"
)

// Reader reads one response while it passes. An event of a stream costs well under
// a microsecond and no allocation beyond the text it brings. Memory is bounded
// whatever the response does: 1 MiB of text, and what [intake.Body] keeps.
//
// Wrote, or Event where the framing is another's, is called by one goroutine, then
// Finish once.
type Reader struct {
	place   place
	body    *intake.Body
	answer  answer
	results results
	broken  bool // a plain body that is not whole
}

// NewReader returns the reader of the response of x, whose response head is there.
func (Dialect) NewReader(x *llm.Exchange) *Reader { return newReader(x, placeOf(x)) }

// NewMessagesReader returns a reader of the answer to a Messages request, whatever
// the path. Its body may come by Wrote, or its events one by one by Event.
func (Dialect) NewMessagesReader(x *llm.Exchange) *Reader {
	return newReader(x, place{endpoint: messages})
}

func newReader(x *llm.Exchange, p place) *Reader {
	r := &Reader{place: p}
	// Of the first version of completions each event has the text so far.
	r.answer.cumulative = p.endpoint == completions && x.RequestHeader.Get("anthropic-version") == "2023-01-01"
	h := intake.Handler{Event: r.event}
	want := intake.Unknown
	if p.endpoint == batchResults {
		h.Line, want = r.results.line, intake.Lines
	}
	r.body = intake.New(x, want, h)
	return r
}

// Wrote takes the next piece of the body, still under its content-encoding. p is
// not kept.
func (r *Reader) Wrote(p []byte, at time.Time) { r.body.Wrote(p, at) }

func (r *Reader) event(ev *sse.Event, at time.Time) {
	if ev.HasData && len(ev.Data) > 0 && string(ev.Data) != "[DONE]" {
		r.answer.event(ev.Data, at)
	}
}

// Finish writes what was read into c. Problems lists what could not be read.
func (r *Reader) Finish(c *llm.Call, x *llm.Exchange) error {
	c.Problems = append(c.Problems, r.body.Finish(x)...)
	a := &r.answer
	switch {
	case r.streamed():
		c.Problems = append(c.Problems, r.finishStream(c, x)...)
	case r.body.Form() == intake.Document:
		c.Problems = append(c.Problems, r.finishDocument(x)...)
	case r.body.Form() == intake.Lines:
		c.Problems = append(c.Problems, r.results.problems(x)...)
	}
	if a.room.Lost > 0 {
		c.Problems = append(c.Problems, fmt.Sprintf("response: %d bytes of text past the first %d were not kept", a.room.Lost, intake.MaxText))
	}
	if a.more {
		c.Problems = append(c.Problems, fmt.Sprintf("response: only the first %d content blocks were read", maxBlocks))
	}
	r.fill(c, x)
	return nil
}

// streamed says that the answer came in events.
func (r *Reader) streamed() bool {
	return r.body.Form() == intake.Events || r.body.Form() == intake.Unknown && r.answer.events > 0
}

func (r *Reader) finishStream(c *llm.Call, x *llm.Exchange) (problems []string) {
	a := &r.answer
	if x.Ended != llm.EndComplete && a.unreadable > 0 && a.lastBad == a.events {
		a.unreadable-- // cut inside an event: the end says so already
	}
	if a.unreadable > 0 {
		problems = append(problems, fmt.Sprintf("response stream: %d of %d events are not JSON objects", a.unreadable, a.events))
	}
	switch {
	case c.Kind != llm.KindLLM || a.ended():
	case x.Ended != llm.EndComplete:
		problems = append(problems, "response stream: broken off before its end")
	case a.err == nil:
		c.SetAttr("spanwire.stream.incomplete", true)
	}
	return problems
}

// finishDocument reads the copy of a body that is one JSON value.
func (r *Reader) finishDocument(x *llm.Exchange) (problems []string) {
	a := &r.answer
	data, tail, gap := r.body.Whole()
	if len(data) > 0 && data[0] == '[' { // some wrap a single error
		e := jsonwalk.Array(data)
		e.Next()
		data = e.Val
	}
	var kind, err, completion []byte
	m := jsonwalk.Object(data)
	for m.Next() {
		switch string(m.Key) {
		case "type":
			kind = closed(m.Val)
		case "error":
			err = m.Val
		case "completion":
			completion = m.Val
		}
		a.member(m.Key, m.Val)
	}
	if completion != nil {
		a.completion(data, x.End)
	}
	if x.Status >= 400 || string(kind) == "error" || !jsonwalk.Empty(err) {
		a.setError(data)
	}
	r.broken = !m.Whole()
	for end := jsonwalk.Ending(tail, answerKeys); end.Next(); {
		a.member(end.Key, end.Val)
	}
	problems = intake.Shortfall(x, !r.broken, gap)
	r.broken = r.broken && !gap
	return problems
}

// answerKeys are the members of an answer that are worth finding in its end.
var answerKeys = []string{"usage", "stop_reason", "stop_sequence", "stop_details", "container", "context_management", "model", "id", "role"}
