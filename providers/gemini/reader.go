package gemini

import (
	"bytes"
	"time"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/internal/sse"
	"github.com/spanwire/spanwire/llm"
)

// maxEvent bounds one event: an image is an event, too.
const maxEvent = 4 << 20

// Reader reads one response while it passes. Memory is bounded whatever the
// response does: 1 MiB of text, what [intake.Body] keeps of a plain body, one event.
//
// Wrote is called by one goroutine, then Finish once.
type Reader struct {
	endpoint endpoint
	vertex   bool
	body     *intake.Body
	answer   answer
	talk     interaction
	broken   bool // a plain body that is not whole
}

// NewReader returns the reader of the response of x, whose response head is there.
func (Dialect) NewReader(x *llm.Exchange) *Reader {
	r := &Reader{vertex: onVertex(x.Asked()), answer: newAnswer()}
	r.endpoint, _, _ = find(x.Method, x.Asked())
	r.talk.answer = &r.answer
	want := intake.Unknown
	if r.endpoint == stream || r.endpoint == other {
		want = intake.Elements
	}
	r.body = intake.New(x, want, intake.Handler{
		Event: r.event, Line: r.element, Lean: true, MaxEvent: maxEvent,
		Squeeze: r.endpoint == embed || r.endpoint == predict,
	})
	return r
}

// Wrote takes the next piece of the body, still under its content-encoding. p is
// not kept.
func (r *Reader) Wrote(p []byte, at time.Time) { r.body.Wrote(p, at) }

// event reads one event of a stream.
func (r *Reader) event(ev *sse.Event, at time.Time) {
	if !ev.HasData {
		return
	}
	a := &r.answer
	if a.quick(ev.Data, at) {
		a.events++
		return
	}
	data := bytes.TrimSpace(ev.Data)
	if len(data) == 0 {
		return
	}
	if string(data) == "[DONE]" {
		r.talk.done = true
		return
	}
	r.element(data, at)
}

// element reads one object of a stream.
func (r *Reader) element(data []byte, at time.Time) {
	a := &r.answer
	a.events++
	ok := false
	if r.endpoint == interact || r.endpoint == fetch {
		ok = r.talk.event(data, at)
	} else {
		ok = a.read(data, at, false)
	}
	if !ok {
		a.unreadable++
	}
}

// Finish writes what was read into c. Problems lists what could not be read.
func (r *Reader) Finish(c *llm.Call, x *llm.Exchange) error {
	a := &r.answer
	before := a.unreadable
	c.Problems = append(c.Problems, r.body.Finish(x)...)
	if a.unreadable > before && x.Ended != llm.EndComplete {
		a.unreadable = before // cut inside an event: the end says so already
	}
	switch r.body.Form() {
	case intake.Events, intake.Elements:
		r.endStream(c, x)
	case intake.Document:
		r.endDocument(c, x)
	}
	r.fill(c, x)
	return nil
}

func (r *Reader) streamed() bool {
	return r.body.Form() == intake.Events || r.body.Form() == intake.Elements
}

func (r *Reader) endStream(c *llm.Call, x *llm.Exchange) {
	if r.endpoint == other || r.ended() {
		return
	}
	if x.Ended != llm.EndComplete {
		c.Problems = append(c.Problems, "response stream: broken off before its end")
	} else if r.answer.err == nil {
		c.SetAttr("spanwire.stream.incomplete", true)
	}
}

// ended says that a stream came to its end. There is no end mark: each candidate
// ends with its finish reason, a refused prompt with the reason of that, and an
// interaction with its status (wire reference, sections 8.2 and 8.4).
func (r *Reader) ended() bool {
	a := &r.answer
	if r.endpoint == interact || r.endpoint == fetch {
		return r.talk.done || settled(string(a.status))
	}
	for _, c := range a.candidates {
		if len(c.finish) == 0 {
			return false
		}
	}
	return len(a.candidates) > 0 || len(a.block) > 0
}

// settled says that a status is not one of work under way.
func settled(status string) bool {
	switch status {
	case "", "in_progress", "queued":
		return false
	}
	return true
}

// endDocument reads the copy of a body that is no stream.
func (r *Reader) endDocument(c *llm.Call, x *llm.Exchange) {
	for _, at := range c.Attrs {
		r.answer.mayThink = r.answer.mayThink || at.Key == "gemini.request.include_thoughts" && at.Value == true
	}
	data, tail, gap := r.body.Whole()
	whole := r.document(data, x.End)
	r.broken = !whole && (!gap || x.Ended != llm.EndComplete)
	for m := jsonwalk.Ending(tail, answerKeys); m.Next(); {
		r.member(m.Key, m.Val, x.End)
	}
	c.Problems = append(c.Problems, intake.Shortfall(x, whole || len(data) == 0, gap)...)
}

// answerKeys are the members of an answer that are worth finding in its end.
var answerKeys = []string{"usageMetadata", "modelVersion", "responseId", "promptFeedback", "usage", "id", "model", "status", "service_tier", "metadata"}

// document reads a JSON body: an object, or a list of such as a stream without
// server-sent events is. It reports whether it came to its end.
func (r *Reader) document(data []byte, at time.Time) (whole bool) {
	if len(data) > 0 && data[0] == '[' {
		_, whole = jsonwalk.SkipValue(data, 0)
		for e := jsonwalk.Array(data); e.Next(); {
			r.object(e.Val, at)
		}
		return whole
	}
	return r.object(data, at)
}

func (r *Reader) object(data []byte, at time.Time) (whole bool) {
	m := jsonwalk.Object(data)
	if r.endpoint == interact || r.endpoint == fetch {
		return r.talk.object(data, true)
	}
	for m.Next() {
		r.member(m.Key, m.Val, at)
	}
	return m.Whole()
}

// member reads a member of a plain answer.
func (r *Reader) member(key, val []byte, at time.Time) {
	a := &r.answer
	switch r.endpoint {
	case interact, fetch:
		switch string(key) {
		case "usage":
			a.setUsage(val)
		case "id":
			set(&a.id, val)
		case "model":
			set(&a.model, val)
		case "status":
			set(&a.status, val)
		case "service_tier":
			set(&a.tier, val)
		}
	case count:
		switch string(camel(key)) {
		case "totalTokens":
			a.count, _ = params.Count(val)
		case "error":
			a.setError(val)
		}
	case embed, predict:
		r.vectors(string(camel(key)), val)
	default:
		a.member(key, val)
	}
}

// vectors reads a member of an answer with embeddings, or with images: of a vector
// only its length is left.
func (r *Reader) vectors(name string, val []byte) {
	a := &r.answer
	switch name {
	case "embedding":
		a.vector(jsonwalk.Member(val, "values"))
	case "embeddings":
		eachPart(val, func(e []byte) { a.vector(jsonwalk.Member(e, "values")) })
	case "predictions":
		eachPart(val, r.prediction)
	case "metadata":
		if n, ok := params.Count(jsonwalk.Member(val, "billableCharacterCount")); ok {
			a.characters = n
		}
	case "modelVersionId":
	default:
		a.member([]byte(name), val)
	}
}

func (r *Reader) prediction(val []byte) {
	a := &r.answer
	for m := jsonwalk.Object(val); m.Next(); {
		switch name := string(camel(m.Key)); name {
		case "embeddings":
			a.vector(jsonwalk.Member(m.Val, "values"))
			if n, ok := params.Count(memberAt(m.Val, "statistics", "token_count")); ok {
				a.tokens = max(a.tokens, 0) + n
			}
		case "textEmbedding", "imageEmbedding":
			a.vector(m.Val)
		case "bytesBase64Encoded", "gcsUri":
			a.images++
		}
	}
}

func memberAt(val []byte, path ...string) []byte {
	for _, key := range path {
		val = jsonwalk.Member(val, key)
	}
	return val
}

// vector counts a vector of which its length is left.
func (a *answer) vector(val []byte) {
	e := jsonwalk.Array(val)
	if !e.Next() {
		return
	}
	if a.embeddings++; a.embeddings == 1 {
		a.dimensions = int(gjson.ParseBytes(e.Val).Int())
	}
}
