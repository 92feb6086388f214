package ollama

import (
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/draft"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// Reader reads one response while it passes. Memory is bounded: see [intake.Body].
//
// Wrote is called by one goroutine, then Finish once.
type Reader struct {
	endpoint endpoint
	body     *intake.Body
	answer   draft.Answer

	model      string
	calls      int
	done       bool
	lines      int
	unreadable int
	vectors    int
	dimensions int64
	figures    []figure
	remote     [2]string // host and model that a cloud model runs as
	err        *apierror.Error
}

// figure is a count or a duration of an answer, as it was written.
type figure struct{ name, val string }

// NewReader returns the reader of the response of x, whose head is there.
func (Dialect) NewReader(x *llm.Exchange) *Reader {
	r := &Reader{}
	r.endpoint, _ = find(x)
	h := intake.Handler{Squeeze: r.endpoint == embed}
	if r.endpoint == chat || r.endpoint == generate {
		h.Line = r.line
	}
	r.body = intake.New(x, intake.Unknown, h)
	return r
}

// Wrote takes the next piece of the body, still under its content-encoding. p is
// not kept.
func (r *Reader) Wrote(p []byte, at time.Time) { r.body.Wrote(p, at) }

// line reads one line of a stream, or the document that is no stream.
func (r *Reader) line(line []byte, at time.Time) {
	r.lines++
	if !r.read(line, at) {
		r.unreadable++
	}
}

func (r *Reader) read(line []byte, at time.Time) (whole bool) {
	content := false
	m := jsonwalk.Object(line)
	for m.Next() {
		switch string(m.Key) {
		case "model":
			if s := jsonwalk.Inner(m.Val); string(s) != r.model && len(s) > 0 {
				r.model = jsonwalk.Clip(jsonwalk.Str(m.Val), params.MaxText)
			}
		case "message":
			content = r.message(m.Val) || content
		case "response":
			if r.endpoint == generate {
				content = r.choice().Add(llm.PartText, 0, m.Val) || content
			}
		case "thinking":
			content = r.choice().Add(llm.PartReasoning, 0, m.Val) || content
		case "done":
			r.done = r.done || string(m.Val) == "true"
		case "done_reason":
			r.choice().Finish(m.Val)
		case "embeddings":
			for e := jsonwalk.Array(m.Val); e.Next(); r.vectors++ {
				r.measure(e.Val)
			}
		case "embedding":
			r.vectors = 1
			r.measure(m.Val)
		case "remote_host":
			r.remote[0] = jsonwalk.Clip(jsonwalk.Str(m.Val), params.MaxText)
		case "remote_model":
			r.remote[1] = jsonwalk.Clip(jsonwalk.Str(m.Val), params.MaxText)
		case "error":
			if !jsonwalk.Empty(m.Val) {
				r.err = apierror.Parse(line)
			}
		default:
			r.figure(m.Key, m.Val)
		}
	}
	if content {
		r.answer.Piece(at)
	}
	return m.Whole()
}

func (r *Reader) choice() *draft.Choice { return r.answer.Choice(0) }

// measure takes the length of a vector, which is all that was kept of it.
func (r *Reader) measure(vector []byte) {
	e := jsonwalk.Array(vector)
	if r.dimensions == 0 && e.Next() {
		r.dimensions, _ = params.Count(e.Val)
	}
}

// message reads a message or a piece of one, and reports whether it brought
// anything.
func (r *Reader) message(val []byte) (content bool) {
	ch := r.choice()
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "role":
			ch.Role(m.Val)
		case "content":
			content = ch.Add(llm.PartText, 0, m.Val) || content
		case "thinking":
			content = ch.Add(llm.PartReasoning, 0, m.Val) || content
		case "images":
			for _, p := range images(m.Val) {
				ch.Put(p)
				content = true
			}
		case "tool_calls":
			for e := jsonwalk.Array(m.Val); e.Next(); {
				f := jsonwalk.Member(e.Val, "function")
				if !jsonwalk.IsObject(f) {
					continue
				}
				call := ch.Call(r.calls)
				r.calls++
				call.ID(jsonwalk.Member(e.Val, "id"))
				call.Name(jsonwalk.Member(f, "name"))
				call.Arguments(jsonwalk.Member(f, "arguments"))
				content = true
			}
		}
	}
	return content
}

// Finish writes what was read into c. Problems lists what could not be read.
func (r *Reader) Finish(c *llm.Call, x *llm.Exchange) error {
	c.Problems = append(c.Problems, r.body.Finish(x)...)
	document, tail, gap := r.body.Whole()
	c.ErrorType, c.ErrorMessage = apierror.Settle(x.Status, r.err, document)
	if r.endpoint == other || x.Status >= 400 {
		return nil
	}
	streamed := r.body.Form() == intake.Lines
	if r.body.Form() == intake.Document {
		streamed = r.document(c, x, document, tail, gap)
	}
	if streamed {
		r.answer.FillRhythm(c)
		if c.RequestModel == "" {
			c.Stream = true
		}
		intake.Stream{Pieces: r.lines, Unreadable: r.unreadable, Named: "lines", Done: r.done, Failed: r.err != nil}.Settle(c, x)
	}
	c.ErrorType, c.ErrorMessage = apierror.Settle(x.Status, r.err, nil)
	r.fill(c)
	return nil
}

// document reads an answer that did not say that it is a stream. Several objects
// behind each other are one all the same.
func (r *Reader) document(c *llm.Call, x *llm.Exchange, body, tail []byte, gap bool) (streamed bool) {
	end, whole := jsonwalk.SkipValue(body, 0)
	if at := jsonwalk.SkipSpace(body, end); !whole || at == len(body) || body[at] != '{' || r.endpoint == embed {
		r.single(c, x, body, tail, gap)
		return false
	}
	for at := 0; at < len(body) && body[at] == '{'; at = jsonwalk.SkipSpace(body, end) {
		end, _ = jsonwalk.SkipValue(body, at)
		r.line(body[at:end], x.End)
	}
	return true
}

func (r *Reader) single(c *llm.Call, x *llm.Exchange, body, tail []byte, gap bool) {
	whole := r.read(body, x.End)
	for m := jsonwalk.Ending(tail, append([]string{"done_reason"}, figureNames...)); m.Next(); {
		if string(m.Key) == "done_reason" {
			r.choice().Finish(m.Val)
		}
		r.figure(m.Key, m.Val)
	}
	r.done = whole && !gap || gap && x.Ended == llm.EndComplete
	c.Problems = append(c.Problems, intake.Shortfall(x, whole, gap)...)
}
