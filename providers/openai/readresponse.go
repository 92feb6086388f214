package openai

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/sse"
	"github.com/spanwire/spanwire/llm"
)

// responseReader reads an answer of the Responses API: one object or a stream.
type responseReader struct {
	kind   endpoint
	body   *intake.Body
	answer response
	chat   *Reader // what the answer turned out to be: some servers answer this path with a chat completion

	events, unreadable int
	done               bool // [DONE] came
}

func newResponseReader(x *llm.Exchange, kind endpoint) *responseReader {
	r := &responseReader{kind: kind}
	r.body = intakeOf(x, intake.Handler{Event: r.take})
	return r
}

// Wrote takes the next piece of the body. p is not kept.
func (r *responseReader) Wrote(p []byte, at time.Time) { r.body.Wrote(p, at) }

// take reads one event.
func (r *responseReader) take(ev *sse.Event, at time.Time) {
	if r.chat != nil {
		r.chat.take(ev, at)
		return
	}
	data := bytes.TrimSpace(ev.Data)
	if !ev.HasData || len(data) == 0 {
		return
	}
	if r.events++; string(data) == "[DONE]" {
		r.done = true
		return
	}
	h, ok := readEvent(ev.Name, data)
	switch {
	case len(h.kind) == 0 && isChat(data):
		r.chat = newReader(&llm.Exchange{}, chat)
		r.chat.shown = true
		r.chat.take(ev, at)
	case !ok && !jsonwalk.IsObject(data):
		r.unreadable++
	case !ok:
		r.unreadable++ // an object that was cut off: what decides its meaning may be missing
	case len(h.kind) == 0 && h.err != nil:
		r.answer.setError(data)
	default:
		r.answer.happen(&h, data, at)
	}
}

// isChat says that an object is a chat completion, or a piece of one.
func isChat(obj []byte) bool {
	for m := jsonwalk.Object(obj); m.Next(); {
		switch string(m.Key) {
		case "choices":
			return m.Val[0] == '['
		case "output", "type":
			return false
		}
	}
	return false
}

// Finish writes what was read into c.
func (r *responseReader) Finish(c *llm.Call, x *llm.Exchange) error {
	problems := r.body.Finish(x)
	if r.chat != nil {
		c.Problems = append(c.Problems, problems...)
		return r.chat.Finish(c, x)
	}
	if r.body.Form() == intake.Events {
		problems = append(problems, r.finishStream(c, x)...)
	} else {
		data, tail, gap := r.body.Whole()
		if x.Status < 300 && isChat(data) {
			c.Problems = append(c.Problems, problems...)
			plain := newReader(&llm.Exchange{}, chat)
			plain.Wrote(data, x.End)
			return plain.Finish(c, x)
		}
		problems = append(problems, r.finishPlain(c, x, data, tail, gap)...)
	}
	c.Problems = append(c.Problems, problems...)
	if r.answer.err == nil && x.Status >= 400 {
		r.answer.err = plainError(x.Status, intake.Unknown, nil)
	}
	r.answer.fill(c, x.ResponseHeader)
	if r.body.Form() == intake.Events {
		c.FirstToken, c.Chunks = r.answer.rhythm.First(), r.answer.rhythm.Chunks()
		r.cut(c)
	}
	r.once(c)
	return nil
}

// finishStream ends the reading of an event stream.
func (r *responseReader) finishStream(c *llm.Call, x *llm.Exchange) (problems []string) {
	a := &r.answer
	broken := x.Ended != llm.EndComplete
	if r.unreadable > 0 && !(broken && r.unreadable == 1) {
		problems = append(problems, fmt.Sprintf("response stream: %d of %d events are not JSON objects", r.unreadable, r.events))
	}
	switch {
	case a.ended || a.err != nil || r.done:
	case broken:
		problems = append(problems, "response stream: broken off before its end")
	default:
		c.SetAttr("spanwire.stream.incomplete", true)
	}
	return problems
}

// cut marks the answer of a stream that did not come to its end. A response in the
// background goes on without its stream.
func (r *responseReader) cut(c *llm.Call) {
	a := &r.answer
	if a.ended || len(c.Output) == 0 || c.Output[0].FinishReason != "" {
		return
	}
	c.Output[0].FinishReason = "error"
	if a.background {
		c.Usage.Source = llm.UsageMissing // told by the stream that goes on with this one
		return
	}
	neverFinished(c)
}

// neverFinished says of a call whose one choice did not come to its end what chat
// says of such choices (telemetry reference, section 1).
func neverFinished(c *llm.Call) {
	if len(c.FinishReasons) == 0 {
		c.FinishReasons = []string{"error"}
	}
}

// finishPlain reads the copy of a body that is no stream.
func (r *responseReader) finishPlain(c *llm.Call, x *llm.Exchange, data, tail []byte, gap bool) (problems []string) {
	a := &r.answer
	if x.Status >= 400 || r.body.Form() == intake.Words {
		a.err = plainError(x.Status, r.body.Form(), data)
		return nil
	}
	if r.body.Form() != intake.Document {
		return nil
	}
	if code, message, ok := apierror.Of(x.Status, data); ok && jsonwalk.Member(data, "output") == nil {
		a.err = &apierror.Error{Code: code, Message: message}
		return nil
	}
	if r.kind == counting {
		setCounted(c, data)
		return nil
	}
	whole := a.take(data)
	for m := jsonwalk.Ending(tail, responseKeys); m.Next(); {
		a.takeTail(m.Key, m.Val)
	}
	return append(problems, intake.Shortfall(x, whole, gap)...)
}

// responseKeys are the members of a response that are worth finding in its end.
var responseKeys = []string{"usage", "tool_usage", "status", "service_tier", "model", "id", "tools", "background", "error", "incomplete_details", "metadata", "user"}

func (r *response) takeTail(key, val []byte) {
	switch string(key) {
	case "usage", "tool_usage", "status", "service_tier", "model", "background", "incomplete_details", "error":
		one := append(append([]byte(`{"`), key...), `":`...)
		r.take(append(append(one, val...), '}'))
	}
}

// plainError reads the error of an answer that is none of the format. It is never
// nil for a status of 400 and more.
func plainError(status int, form intake.Form, data []byte) *apierror.Error {
	code, message, ok := apierror.Of(status, data)
	if !ok && form == intake.Words {
		message = apierror.Sentence(data)
	}
	if !ok && status < 400 {
		return nil
	}
	return &apierror.Error{Code: cmp.Or(code, strconv.Itoa(status)), Message: cmp.Or(message, http.StatusText(status))}
}

// setCounted carries over what a request for a count was told. It is no usage: no
// model worked.
func setCounted(c *llm.Call, data []byte) {
	if n, ok := count(jsonwalk.Member(data, "input_tokens")); ok {
		c.SetAttr("spanwire.counted.input_tokens", n)
	}
}

// once sees to it that a usage that several calls tell is billed once: that of a
// response in the background, which no call tells before it is done.
func (r *responseReader) once(c *llm.Call) {
	a := &r.answer
	switch {
	case !c.Usage.Known() || len(a.id) == 0:
	case a.background:
		c.UsageOf = c.ResponseID
	case r.kind == told: // the call that made it was billed
		c.Usage, c.Steps, c.Cost = llm.Usage{Source: llm.UsageMissing}, nil, llm.Cost{}
	}
}
