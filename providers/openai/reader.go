package openai

import (
	"bytes"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/sse"
	"github.com/spanwire/spanwire/llm"
)

// Reader reads one response while it passes. It is cheap: a chunk of a stream
// costs well under a microsecond and no allocation beyond the text it brings.
// Memory is bounded whatever the response does: 1 MiB of text, and what an
// [intake.Body] keeps.
//
// Wrote is called by one goroutine, then Finish once.
type Reader struct {
	endpoint endpoint
	body     intake.Body
	answer   answer
	vectors  vectors
	broken   bool // a plain body that is not whole
	shown    bool // it is shown events, and no bytes
}

// NewReader returns the reader of the response of x, whose response head is
// there.
func (Dialect) NewReader(x *llm.Exchange) *Reader {
	endpoint, _ := find(x.Method, x.Asked())
	return newReader(x, endpoint)
}

func newReader(x *llm.Exchange, endpoint endpoint) *Reader {
	r := &Reader{endpoint: endpoint}
	if endpoint == other {
		r.answer.unlisted = x
	}
	r.body.Begin(x, intake.Unknown, intake.Handler{Event: r.take, Squeeze: endpoint == embeddings, Lean: endpoint == chat, MaxEvent: maxEvent})
	return r
}

// Wrote takes the next piece of the body, still under its content-encoding. p is
// not kept.
func (r *Reader) Wrote(p []byte, at time.Time) { r.body.Wrote(p, at) }

// take reads one event.
func (r *Reader) take(ev *sse.Event, at time.Time) {
	a := &r.answer
	if ev.Unknown > 0 {
		// GPUStack puts errors into a field of their own.
		if v, ok := ev.Field("error"); ok {
			a.setError(bytes.TrimSpace(v))
		}
	}
	if !ev.HasData {
		return
	}
	data := ev.Data
	if a.quick(data, at) {
		a.events++
		return
	}
	if data = bytes.TrimSpace(data); len(data) == 0 {
		return
	}
	a.events++
	if string(data) == "[DONE]" {
		a.done = true
		return
	}
	if !a.read(data, at, false) {
		a.unreadable++
	}
	if string(ev.Name) == "error" && a.err == nil {
		if a.err = apierror.Parse(data); a.err == nil {
			a.err = &apierror.Error{Message: apierror.Sentence(data)}
		}
	}
}

// Finish writes what was read into c. Problems lists what could not be read; the
// error is that of a body that could not be read at all.
func (r *Reader) Finish(c *llm.Call, x *llm.Exchange) error {
	before := r.answer.unreadable
	c.Problems = append(c.Problems, r.body.Finish(x)...)
	if r.answer.unreadable == before+1 && x.Ended != llm.EndComplete {
		r.answer.unreadable = before // cut inside an event: the end says so already
	}
	if r.stream() {
		r.settleEndpoint(c, x)
		r.finishStream(c, x)
		r.fill(c, x, nil)
		return nil
	}
	data, tail, gap := r.body.Whole()
	r.finishPlain(c, x, data, tail, gap)
	r.settleEndpoint(c, x)
	r.fill(c, x, data)
	return nil
}

// settleEndpoint decides by its shape what the answer of an endpoint is that nobody
// listed (wire reference, section 1): choices that say something, beside the model or
// the usage, are what a model wrote. Its request is then read as that of a chat. What is
// only asked for once more, by GET, stays what it is.
func (r *Reader) settleEndpoint(c *llm.Call, x *llm.Exchange) {
	a := &r.answer
	if r.endpoint != other || x.Method != "POST" || x.Status >= 300 || len(a.model) == 0 && len(a.usage) == 0 || !a.said() {
		return
	}
	r.endpoint = chat
	a.bare = a.bare || x.Ended == llm.EndComplete // nobody knows whether it has an end mark
	c.Kind, c.Operation = llm.KindLLM, "chat"
	if a.texts && !a.messages {
		r.endpoint, c.Operation = completions, "text_completion"
	}
	problems := len(c.Problems)
	if err := readBody(c, x, r.endpoint); err != nil {
		c.Problems = append(c.Problems[:problems], err.Error())
		return
	}
	c.Problems = c.Problems[:problems] // told before
}

// finishStream ends the reading of an event stream.
func (r *Reader) finishStream(c *llm.Call, x *llm.Exchange) {
	switch {
	case r.endpoint == other || r.ended():
	case x.Ended != llm.EndComplete:
		c.Problems = append(c.Problems, "response stream: broken off before its end")
	case r.answer.err == nil:
		c.SetAttr("spanwire.stream.incomplete", true)
	}
}

// stream says that the response is a stream of events.
func (r *Reader) stream() bool { return r.shown || r.body.Form() == intake.Events }

// ended says that the stream reached its end: its end mark, or, as some vendors
// send none, a finish reason of every choice. The format that has neither ends
// where it ends.
func (r *Reader) ended() bool {
	a := &r.answer
	return a.done || !a.unfinished() || a.bare
}

// finishPlain reads the copy of a body that is no stream.
func (r *Reader) finishPlain(c *llm.Call, x *llm.Exchange, data, tail []byte, gap bool) {
	if r.body.Form() != intake.Document {
		return
	}
	if data[0] == '[' { // some wrap a single error
		e := jsonwalk.Array(data)
		e.Next()
		data = e.Val
	}
	whole := r.answer.read(data, x.End, true)
	r.broken = !whole && (!gap || x.Ended != llm.EndComplete)
	if r.endpoint == embeddings {
		r.vectors.read(data)
	}
	for m := jsonwalk.Ending(tail, answerKeys); m.Next(); {
		r.answer.readTail(m.Key, m.Val)
	}
	c.Problems = append(c.Problems, intake.Shortfall(x, whole, gap)...)
}

// vectors are those of an answer of embeddings, of which only their sizes were kept.
type vectors struct {
	count      int
	dimensions int64 // of the first
	text       bool  // it was base64: the dimensions hold if that is of floats
}

func (v *vectors) read(answer []byte) {
	for e := jsonwalk.Array(jsonwalk.Member(answer, "data")); e.Next(); {
		if list := jsonwalk.Member(e.Val, "data"); len(list) > 0 && list[0] == '[' { // a list for each document
			v.read(e.Val)
			continue
		}
		val := jsonwalk.Member(e.Val, "embedding")
		if val == nil { // a vector for each token
			in := jsonwalk.Array(jsonwalk.Member(e.Val, "embeddings"))
			in.Next()
			val = in.Val
		}
		if len(val) < 2 || val[len(val)-1] != ']' && val[len(val)-1] != '"' {
			continue // cut off, or none
		}
		if v.count++; v.count > 1 {
			continue
		}
		if v.text = val[0] == '"'; v.text {
			// Four characters are three bytes, four bytes a float.
			chars, _ := count(jsonwalk.Inner(val))
			v.dimensions = chars * 3 / 4 / 4
		} else if in := jsonwalk.Array(val); in.Next() {
			v.dimensions, _ = count(in.Val)
		}
	}
}

// answerKeys are the members of an answer that are worth finding in its end.
var answerKeys = []string{"usage", "model", "id", "service_tier", "system_fingerprint", "object", "created", "choices"}

func (a *answer) readTail(key, val []byte) {
	switch string(key) {
	case "usage":
		a.setUsage(&a.usage, val)
	case "model":
		a.set(&a.model, val)
	case "id":
		a.setID(val)
	case "service_tier":
		a.set(&a.tier, val)
	case "system_fingerprint":
		a.set(&a.fingerprint, val)
	}
}
