package openai

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/sse"
	"github.com/spanwire/spanwire/llm"
)

// resultReader reads an answer that is one object, a stream that ends in one, a
// text, or sound.
type resultReader struct {
	body   *intake.Body
	answer result

	first              time.Time // when the first sound came
	events, unreadable int
	done               bool
}

func newResultReader(x *llm.Exchange, kind endpoint) *resultReader {
	r := &resultReader{answer: result{kind: kind, processed: -1}}
	r.body = intakeOf(x, intake.Handler{Event: r.take})
	return r
}

// Wrote takes the next piece of the body. p is not kept.
func (r *resultReader) Wrote(p []byte, at time.Time) {
	if r.answer.kind == speech && r.body.Form() == intake.Words && len(p) > 0 {
		return // sound: nothing of it is read
	}
	r.body.Wrote(p, at)
	if r.answer.kind == speech && r.body.Form() == intake.Words && r.first.IsZero() {
		r.first = at
	}
}

func (r *resultReader) take(ev *sse.Event, at time.Time) {
	data := bytes.TrimSpace(ev.Data)
	if !ev.HasData || len(data) == 0 {
		return
	}
	if r.events++; string(data) == "[DONE]" {
		r.done = true
		return
	}
	if !r.answer.event(ev.Name, data, at) {
		r.unreadable++
	}
}

// resultEnd are the members that are worth finding in the end of an answer.
var resultEnd = []string{"usage", "usage_info", "model", "id", "status", "quality", "size", "output_format", "document_annotation", "duration"}

// Finish writes what was read into c.
func (r *resultReader) Finish(c *llm.Call, x *llm.Exchange) error {
	c.Problems = append(c.Problems, r.body.Finish(x)...)
	a := &r.answer
	data, tail, gap := r.body.Whole()
	switch form := r.body.Form(); {
	case form == intake.Events:
		r.finishStream(c, x)
	case x.Status >= 400:
		a.err = plainError(x.Status, form, data)
	case form == intake.Words:
		r.finishWords(data)
	case form == intake.Document:
		r.finishObject(c, x, data, tail, gap)
	}
	if a.err == nil && x.Status >= 400 {
		a.err = plainError(x.Status, intake.Unknown, nil)
	}
	a.fill(c, x)
	switch {
	case r.body.Form() == intake.Events:
		c.FirstToken, c.Chunks = a.rhythm.First(), a.rhythm.Chunks()
	case a.kind == speech && x.Status < 300:
		c.FirstToken = r.first
		a.sound(c, x, r.body.Media())
	}
	return nil
}

func (r *resultReader) finishStream(c *llm.Call, x *llm.Exchange) {
	a := &r.answer
	broken := x.Ended != llm.EndComplete
	if r.unreadable > 0 && !(broken && r.unreadable == 1) {
		c.Problems = append(c.Problems, fmt.Sprintf("response stream: %d of %d events are not JSON objects", r.unreadable, r.events))
	}
	switch {
	case a.ended || r.done || a.err != nil:
	case broken:
		c.Problems = append(c.Problems, "response stream: broken off before its end")
	case len(a.usage) == 0:
		c.SetAttr("spanwire.stream.incomplete", true)
	}
}

// finishWords takes a transcription that was asked for as text or subtitles.
func (r *resultReader) finishWords(data []byte) {
	if r.answer.kind != transcription {
		return
	}
	r.answer.words = string(bytes.ToValidUTF8(data[:min(len(data), intake.MaxText)], []byte("�")))
}

func (r *resultReader) finishObject(c *llm.Call, x *llm.Exchange, data, tail []byte, gap bool) {
	a := &r.answer
	if code, message, ok := apierror.Of(x.Status, data); ok && a.kind != batch && a.kind != run && a.kind != runTold {
		a.err = &apierror.Error{Code: code, Message: message}
		return
	}
	whole := a.object(data)
	for m := jsonwalk.Ending(tail, resultEnd); m.Next(); {
		a.member(m.Key, m.Val)
	}
	c.Problems = append(c.Problems, intake.Shortfall(x, whole, gap)...)
}

// seconds reads a number of seconds, or a text of one; 0 when it is none.
func seconds(val []byte) float64 {
	if v := jsonwalk.Inner(val); v != nil {
		val = v
	}
	f, err := strconv.ParseFloat(string(val[:min(len(val), 64)]), 64)
	if err != nil || !(f > 0) || f > 1e9 {
		return 0
	}
	return f
}

func millis(seconds float64) int64 { return int64(math.Round(seconds * 1000)) }
