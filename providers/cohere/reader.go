package cohere

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
	endpoint endpoint
	body     *intake.Body
	answer   draft.Answer

	id, model  string
	calls      int  // tool calls that came whole
	called     bool // tool calls came in pieces
	spoke      bool // text came in pieces
	citations  int64
	results    int64
	vectors    int64
	dimensions int64
	usage      []byte
	done       bool
	events     int
	unreadable int
	err        *apierror.Error
}

// NewReader returns the reader of the response of x, whose head is there.
func (Dialect) NewReader(x *llm.Exchange) *Reader {
	r := &Reader{}
	r.endpoint, _ = find(x)
	want := intake.Unknown
	if (r.endpoint == chat || r.endpoint == generate) && x.Status < 400 && string(jsonwalk.Member(x.Request.Data, "stream")) == "true" {
		want = intake.Lines // of version 1, whatever its type says; those of 2 are events
	}
	r.body = intake.New(x, want, intake.Handler{Event: r.event, Line: r.line, Squeeze: r.squeezed()})
	return r
}

// squeezed says whether vectors are taken out of a document. Where tools are called
// numbers may be arguments.
func (r *Reader) squeezed() bool { return r.endpoint == embed || r.endpoint == rerank }

// Wrote takes the next piece of the body, still under its content-encoding. p is
// not kept.
func (r *Reader) Wrote(p []byte, at time.Time) { r.body.Wrote(p, at) }

func (r *Reader) event(ev *sse.Event, at time.Time) {
	data := bytes.TrimSpace(ev.Data)
	switch {
	case !ev.HasData || len(data) == 0:
	case string(data) == "[DONE]":
		r.done = true
	default:
		r.line(data, at)
	}
}

// line reads the data of an event, or a line of version 1.
func (r *Reader) line(data []byte, at time.Time) {
	r.events++
	if !r.quick(data, at) && !r.piece(data, at) {
		r.unreadable++
	}
}

// piece reads one piece of a stream, of either version: both say by their members
// what they bring.
func (r *Reader) piece(data []byte, at time.Time) (whole bool) {
	var index int
	var delta, call, calls, response, text []byte
	again, content := false, false
	m := jsonwalk.Object(data)
	for m.Next() {
		switch string(m.Key) {
		case "type", "event_type":
			switch string(jsonwalk.Inner(m.Val)) {
			case "message-end", "stream-end":
				r.done = true
			case "citation-start":
				r.citations++
			case "tool-calls-generation": // repeats the plan that came in pieces
				again = r.spoke
			}
		case "is_finished":
			r.done = r.done || string(m.Val) == "true"
		case "index":
			n, _ := params.Count(m.Val)
			index = int(min(n, 1<<20))
		case "delta":
			delta = m.Val
		case "response":
			response = m.Val
		case "tool_call_delta":
			call = m.Val
		case "tool_calls":
			calls = m.Val
		case "text":
			text = m.Val
		default:
			r.member(m.Key, m.Val, data)
		}
	}
	if !again && len(text) > 0 && r.choice().Add(llm.PartText, 0, text) {
		r.spoke, content = true, true
	}
	for d := jsonwalk.Object(delta); d.Next(); {
		if string(d.Key) == "message" {
			content = r.message(d.Val, index, true) || content
		} else {
			r.member(d.Key, d.Val, delta)
		}
	}
	if jsonwalk.IsObject(call) {
		content = r.deltaV1(call) || content
	}
	if jsonwalk.IsObject(response) { // all of it once more, at the end of version 1
		r.document(response, r.spoke, r.called || r.calls > 0)
	}
	if !r.called && r.calls == 0 {
		content = r.callsV1(calls) || content
	}
	if content {
		r.answer.Piece(at)
	}
	return m.Whole()
}

// document reads an answer that is whole, without the text or the tool calls where
// they came before.
func (r *Reader) document(body []byte, spoken, called bool) (whole bool) {
	m := jsonwalk.Object(body)
	for m.Next() {
		switch string(m.Key) {
		case "message":
			r.message(m.Val, 0, false)
		case "text", "summary":
			if !spoken {
				r.choice().Add(llm.PartText, 0, m.Val)
			}
		case "generations":
			i := 0
			for e := jsonwalk.Array(m.Val); e.Next(); i++ {
				r.generation(i, e.Val, spoken)
			}
		case "tool_calls":
			if !called {
				r.callsV1(m.Val)
			}
		case "results", "data":
			for e := jsonwalk.Array(m.Val); e.Next(); {
				r.results++
			}
		case "embeddings":
			r.embeddings(m.Val)
		default:
			r.member(m.Key, m.Val, body)
		}
	}
	return m.Whole()
}

// member reads what stands at the top of documents, and in pieces of streams.
func (r *Reader) member(key, val, in []byte) {
	switch string(key) {
	case "id", "generation_id":
		if s := jsonwalk.Str(val); s != "" && r.id == "" {
			r.id = jsonwalk.Clip(s, params.MaxText)
		}
	case "model":
		if s := jsonwalk.Str(val); s != "" {
			r.model = jsonwalk.Clip(s, params.MaxText)
		}
	case "finish_reason":
		if jsonwalk.Str(val) != "" {
			r.choice().Finish(val)
		}
	case "usage":
		if jsonwalk.IsObject(val) && len(val) <= maxUsage {
			r.usage = append(r.usage[:0], val...)
		}
	case "meta":
		if jsonwalk.IsObject(val) && len(val) <= maxUsage {
			r.meta(val)
		}
	case "citations":
		for e := jsonwalk.Array(val); e.Next(); {
			r.citations++
		}
	case "error":
		if !jsonwalk.Empty(val) {
			r.err = apierror.Parse(in)
		}
	}
}

// maxUsage bounds a usage object.
const maxUsage = 16 << 10

// meta takes the counts out of what version 1 and those that answer with it tell of
// a call: version and warnings, which stand beside them, are no usage.
func (r *Reader) meta(val []byte) {
	r.usage = append(r.usage[:0], '{')
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "billed_units", "tokens", "cached_tokens":
			if len(r.usage) > 1 {
				r.usage = append(r.usage, ',')
			}
			r.usage = append(append(append(append(r.usage, '"'), m.Key...), `":`...), m.Val...)
		}
	}
	if r.usage = append(r.usage, '}'); len(r.usage) == len("{}") {
		r.usage = r.usage[:0]
	}
}

func (r *Reader) choice() *draft.Choice { return r.answer.Choice(0) }

// generation reads one of the answers of generate.
func (r *Reader) generation(i int, val []byte, spoken bool) {
	ch := r.answer.Choice(i)
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "text":
			if !spoken {
				ch.Add(llm.PartText, 0, m.Val)
			}
		case "finish_reason":
			ch.Finish(m.Val)
		}
	}
}

// message reads a message, or a piece of the part with that index, and reports
// whether it brought anything.
func (r *Reader) message(val []byte, index int, piece bool) (content bool) {
	ch := r.choice()
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "role":
			ch.Role(m.Val)
		case "tool_plan":
			content = ch.Add(partToolPlan, 0, m.Val) || content
		case "citations":
			if !piece {
				r.member(m.Key, m.Val, nil)
			}
		case "content":
			if jsonwalk.IsObject(m.Val) {
				content = part(ch, index, m.Val) || content
			} else if len(m.Val) > 0 && m.Val[0] == '"' {
				content = ch.Add(llm.PartText, index, m.Val) || content
			}
			i := 0
			for e := jsonwalk.Array(m.Val); e.Next(); i++ {
				content = part(ch, i, e.Val) || content
			}
		case "tool_calls":
			if jsonwalk.IsObject(m.Val) {
				r.call(ch.Call(index), m.Val)
				content = true
			}
			for e := jsonwalk.Array(m.Val); e.Next(); {
				r.call(ch.Call(r.calls), e.Val)
				r.calls++
				content = true
			}
		}
	}
	return content
}

// part reads one part of a content, or a piece of it.
func part(ch *draft.Choice, index int, val []byte) (content bool) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "text":
			content = ch.Add(llm.PartText, index, m.Val) || content
		case "thinking":
			content = ch.Add(llm.PartReasoning, index, m.Val) || content
		}
	}
	return content
}

// call reads a tool call of version 2, or a piece of it.
func (r *Reader) call(p *draft.Part, val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "id":
			p.ID(m.Val)
		case "function":
			for f := jsonwalk.Object(m.Val); f.Next(); {
				switch string(f.Key) {
				case "name":
					p.Name(f.Val)
				case "arguments":
					p.Arguments(f.Val)
				}
			}
		}
	}
}

// callsV1 reads the tool calls of version 1, whose arguments are objects.
func (r *Reader) callsV1(list []byte) (content bool) {
	for e := jsonwalk.Array(list); e.Next(); r.calls++ {
		p := r.choice().Call(r.calls)
		p.Name(jsonwalk.Member(e.Val, "name"))
		p.Arguments(jsonwalk.Member(e.Val, "parameters"))
		content = true
	}
	return content
}

// deltaV1 reads a piece of a tool call of version 1.
func (r *Reader) deltaV1(val []byte) (content bool) {
	n, _ := params.Count(jsonwalk.Member(val, "index"))
	p := r.choice().Call(int(min(n, 1<<20)))
	p.Name(jsonwalk.Member(val, "name"))
	p.Arguments(jsonwalk.Member(val, "parameters"))
	r.called = true
	return true
}

// embeddings counts vectors: a list of them, or lists by their type.
func (r *Reader) embeddings(val []byte) {
	if jsonwalk.IsObject(val) {
		if m := jsonwalk.Object(val); m.Next() {
			val = m.Val
		}
	}
	for e := jsonwalk.Array(val); e.Next(); r.vectors++ {
		if r.vectors > 0 || e.Val[0] != '[' {
			continue
		}
		v := jsonwalk.Array(e.Val)
		if r.squeezed() && v.Next() {
			r.dimensions, _ = params.Count(v.Val)
			continue
		}
		for v.Next() {
			r.dimensions++
		}
	}
}

// Finish writes what was read into c. Problems lists what could not be read.
func (r *Reader) Finish(c *llm.Call, x *llm.Exchange) error {
	c.Problems = append(c.Problems, r.body.Finish(x)...)
	document, tail, gap := r.body.Whole()
	if x.Status >= 400 {
		c.ErrorType, c.ErrorMessage = apierror.Settle(x.Status, r.err, document)
		return nil
	}
	cut := false
	switch r.body.Form() {
	case intake.Events, intake.Lines:
		cut = !r.done
		r.answer.FillRhythm(c)
		intake.Stream{Pieces: r.events, Unreadable: r.unreadable, Named: "events", Done: r.done, Failed: r.err != nil}.Settle(c, x)
	case intake.Document:
		if document[0] == '[' && r.endpoint == rerank { // Hugging Face's server
			_, whole := jsonwalk.SkipValue(document, 0)
			for e := jsonwalk.Array(document); e.Next(); {
				r.results++
			}
			cut = !whole
		} else {
			cut = !r.document(document, false, false)
		}
		for m := jsonwalk.Ending(tail, []string{"meta", "usage", "model", "id", "response_type", "finish_reason"}); m.Next(); {
			r.member(m.Key, m.Val, nil)
		}
		c.Problems = append(c.Problems, intake.Shortfall(x, !cut, gap)...)
	}
	c.ErrorType, c.ErrorMessage = apierror.Settle(x.Status, r.err, nil)
	r.fill(c, x, cut)
	return nil
}
