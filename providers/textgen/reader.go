package textgen

import (
	"bytes"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/draft"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/internal/sse"
	"github.com/spanwire/spanwire/llm"
)

// Reader reads one response while it passes. Memory is bounded: see [intake.Body].
//
// Wrote is called by one goroutine, then Finish once.
type Reader struct {
	place  place
	body   *intake.Body
	guest  Reading // reads a chat; nil for all else
	answer draft.Answer

	id, model  string
	status     string // of a prediction
	metrics    []byte // of a prediction
	in, out    figure
	vectors    int64
	dimensions int64
	results    int64
	spoke      bool // text came in pieces
	linked     bool // what was made is no text
	done       bool
	events     int
	unreadable int
	err        *apierror.Error
}

// NewReader returns the reader of the response of x, whose head is there.
func (d Dialect) NewReader(x *llm.Exchange) *Reader {
	r := &Reader{place: find(x)}
	if r.place.endpoint == chat && d.Chat.NewReader != nil {
		r.guest = d.Chat.NewReader(at(x))
		return r
	}
	r.body = intake.New(x, intake.Unknown, intake.Handler{Event: r.event, Squeeze: r.place.endpoint == embeddings})
	return r
}

// Wrote takes the next piece of the body, still under its content-encoding. p is
// not kept.
func (r *Reader) Wrote(p []byte, at time.Time) {
	if r.guest != nil {
		r.guest.Wrote(p, at)
		return
	}
	r.body.Wrote(p, at)
}

// event reads one event of a stream.
func (r *Reader) event(ev *sse.Event, at time.Time) {
	if !ev.HasData {
		return
	}
	if r.place.endpoint == prediction {
		r.said(ev, at)
		return
	}
	data := bytes.TrimSpace(ev.Data)
	if len(data) == 0 || string(data) == "[DONE]" {
		return
	}
	r.events++
	if !r.read(data, at, true) {
		r.unreadable++
	}
}

// said reads an event of Replicate, whose data is text of as many lines as it likes.
func (r *Reader) said(ev *sse.Event, at time.Time) {
	switch string(ev.Name) {
	case "output":
		r.events++
		if len(ev.Data) > 0 {
			r.answer.Choice(0).Part(llm.PartText, 0).Add(escape(ev.Data))
			r.answer.Piece(at)
		}
	case "error":
		if r.err = apierror.Parse(ev.Data); r.err == nil {
			r.err = &apierror.Error{Message: jsonwalk.Clip(string(ev.Data), 2048)}
		}
	case "done":
		r.done = true
	}
}

// read reads an answer, or a piece of one.
func (r *Reader) read(data []byte, at time.Time, piece bool) (whole bool) {
	content := false
	m := jsonwalk.Object(data)
	for m.Next() {
		switch string(m.Key) {
		case "id":
			r.id = jsonwalk.Clip(jsonwalk.Str(m.Val), params.MaxText)
		case "model_id", "model":
			if s := jsonwalk.Inner(m.Val); len(s) > 0 && string(s) != r.model {
				r.model = jsonwalk.Clip(jsonwalk.Str(m.Val), params.MaxText)
			}
		case "results":
			content = r.list(m.Val, piece) || content
		case "token": // Hugging Face, in streams
			content = r.token(m.Val) || content
		case "generated_text":
			if !r.spoke { // the last piece has all of it once more
				r.answer.Choice(0).Add(llm.PartText, 0, m.Val)
			}
		case "details":
			r.details(m.Val)
		case "output":
			r.output(m.Val)
		case "status":
			r.status = jsonwalk.Clip(jsonwalk.Str(m.Val), 64)
		case "metrics":
			if jsonwalk.IsObject(m.Val) && len(m.Val) <= maxMetrics {
				r.metrics = append(r.metrics[:0], m.Val...)
			}
		case "input_token_count":
			r.in.last("input_token_count", m.Val)
		case "error", "errors":
			if !jsonwalk.Empty(m.Val) {
				r.fail(m.Val)
			}
		}
	}
	if content {
		r.answer.Piece(at)
	}
	return m.Whole()
}

// fail takes an error: a text, an object, or a list of them.
func (r *Reader) fail(val []byte) {
	if r.err = apierror.Parse(val); r.err == nil {
		r.err = &apierror.Error{}
	}
}

const maxMetrics = 16 << 10

// token reads a token of Hugging Face's stream; special ones are no text.
func (r *Reader) token(val []byte) (content bool) {
	if _, whole := jsonwalk.SkipValue(val, 0); !whole || string(jsonwalk.Member(val, "special")) == "true" {
		return false
	}
	content = r.answer.Choice(0).Add(llm.PartText, 0, jsonwalk.Member(val, "text"))
	r.spoke = r.spoke || content
	return content
}

// details are those of Hugging Face.
func (r *Reader) details(val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "finish_reason":
			r.answer.Choice(0).Finish(m.Val)
			r.done = true
		case "generated_tokens":
			r.out.last("generated_tokens", m.Val)
		case "input_length":
			r.in.last("input_length", m.Val)
		}
	}
}

// list reads the results of watsonx: texts, vectors or scores.
func (r *Reader) list(list []byte, piece bool) (content bool) {
	i := 0
	for e := jsonwalk.Array(list); e.Next(); i++ {
		switch {
		case r.place.endpoint == rerank:
			r.results++
		case r.place.endpoint == embeddings:
			r.vectors++
			if v := jsonwalk.Array(jsonwalk.Member(e.Val, "embedding")); r.vectors == 1 && v.Next() {
				r.dimensions, _ = params.Count(v.Val)
			}
		default:
			content = r.result(i, e.Val, piece) || content
		}
	}
	return content
}

func (r *Reader) result(i int, val []byte, piece bool) (content bool) {
	ch := r.answer.Choice(i)
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "generated_text":
			content = ch.Add(llm.PartText, 0, m.Val)
		case "stop_reason":
			if string(m.Val) != `"not_finished"` {
				ch.Finish(m.Val)
				r.done = true
			}
		case "input_token_count":
			// In a stream the first piece alone tells it, and the others say 0.
			if n, ok := params.Count(m.Val); ok && (!piece || n > 0 || !r.in.known) {
				r.in.add("input_token_count", m.Val, !piece)
			}
		case "generated_token_count":
			r.out.add("generated_token_count", m.Val, !piece)
		}
	}
	return content
}

// output reads what a prediction made: a text in one piece or in many, or links to
// what is no text.
func (r *Reader) output(val []byte) {
	if jsonwalk.Empty(val) {
		return
	}
	ch := r.answer.Choice(0)
	add := func(s []byte) {
		raw := jsonwalk.Inner(s)
		for _, scheme := range []string{"https://", "data:"} {
			if n := min(len(raw), len(scheme)); string(raw[:n]) != scheme[:n] {
				continue
			} else if n == len(scheme) {
				r.linked = true
				ch.Put(link(s))
				return
			} else if _, whole := jsonwalk.SkipValue(s, 0); !whole {
				return // cut off before it tells what it is
			}
		}
		ch.Add(llm.PartText, 0, s)
	}
	if val[0] == '"' {
		add(val)
	}
	for e := jsonwalk.Array(val); e.Next(); {
		add(e.Val)
	}
}

// Finish writes what was read into c. Problems lists what could not be read.
func (r *Reader) Finish(c *llm.Call, x *llm.Exchange) error {
	if r.guest != nil {
		return r.guest.Finish(c, at(x))
	}
	c.Problems = append(c.Problems, r.body.Finish(x)...)
	document, tail, gap := r.body.Whole()
	if x.Status >= 400 {
		c.ErrorType, c.ErrorMessage = apierror.Settle(x.Status, nil, inErrors(document))
		return nil
	}
	if r.place.endpoint == other {
		return nil
	}
	cut := false
	switch r.body.Form() {
	case intake.Events:
		c.Stream = true
		cut = !r.done
		r.answer.FillRhythm(c)
		intake.Stream{Pieces: r.events, Unreadable: r.unreadable, Named: "events", Done: r.done, Failed: r.err != nil}.Settle(c, x)
	case intake.Document:
		list := jsonwalk.Array(document)
		if list.Next() { // Hugging Face wraps its answer, or has one for each input
			if list.Val[0] == '[' || list.Val[0] == '-' || list.Val[0] >= '0' && list.Val[0] <= '9' {
				return r.finishVectors(c, x, document, gap)
			}
			document = list.Val
		}
		cut = !r.read(document, x.End, false)
		for i := 1; list.Next(); i++ {
			r.answer.Choice(i).Add(llm.PartText, 0, jsonwalk.Member(list.Val, "generated_text"))
		}
		for m := jsonwalk.Ending(tail, []string{"input_token_count"}); m.Next(); {
			if string(m.Key) == "input_token_count" {
				r.in.last("input_token_count", m.Val)
			}
		}
		c.Problems = append(c.Problems, intake.Shortfall(x, !cut, gap)...)
		if gap {
			cut = x.Ended != llm.EndComplete
		}
	}
	c.ErrorType, c.ErrorMessage = apierror.Settle(x.Status, r.err, nil)
	r.fill(c, x, cut)
	return nil
}

// finishVectors counts the vectors that an answer of Hugging Face's consists of: a list
// of them, or the one of one text.
func (r *Reader) finishVectors(c *llm.Call, x *llm.Exchange, document []byte, gap bool) error {
	c.Operation = "embeddings"
	squeezed := r.place.endpoint == embeddings // of each vector only its length is left
	measure := func(vector []byte) {
		if r.vectors++; r.vectors > 1 {
			return
		}
		for v := jsonwalk.Array(vector); v.Next(); r.dimensions++ {
			if squeezed {
				r.dimensions, _ = params.Count(v.Val)
				return
			}
		}
	}
	list := jsonwalk.Array(document)
	if list.Next() && list.Val[0] != '[' {
		measure(document)
	} else {
		for e := jsonwalk.Array(document); e.Next(); {
			measure(e.Val)
		}
	}
	_, whole := jsonwalk.SkipValue(document, 0)
	c.Problems = append(c.Problems, intake.Shortfall(x, whole, gap)...)
	if !whole {
		r.dimensions = 0 // of what was not read
	}
	r.fill(c, x, !whole)
	c.Output = nil
	return nil
}

// inErrors returns the first of watsonx's errors, else the body as it is.
func inErrors(document []byte) []byte {
	if e := jsonwalk.Array(jsonwalk.Member(document, "errors")); e.Next() {
		return e.Val
	}
	return document
}
