package bedrock

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/draft"
	"github.com/spanwire/spanwire/internal/eventstream"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// Reader reads one response while it passes. Memory is bounded: see [intake.Body];
// of a stream one message is held.
//
// Wrote is called by one goroutine, then Finish once.
type Reader struct {
	dialect  Dialect
	place    place
	body     *intake.Body
	exchange *llm.Exchange
	stream   eventstream.Splitter

	family family
	target string  // of the guest
	guest  Reading // reads the body in this one's place; nil when none does
	direct bool    // the guest gets the body as it comes
	answer draft.Answer
	usage  usage
	id     []byte
	model  []byte
	done   bool

	events     int
	unreadable int
	err        *apierror.Error
	decoded    []byte
}

// NewReader returns the reader of the response of x, whose head is there.
func (d Dialect) NewReader(x *llm.Exchange) *Reader {
	r := &Reader{dialect: d, exchange: x}
	r.place = find(x)
	h := intake.Handler{Frame: r.frame, Squeeze: r.place.endpoint == invoke && embeds(r.place.model)}
	want := intake.Unknown
	if r.place.stream {
		want = intake.Frames
	}
	r.body = intake.New(x, want, h)
	if r.place.endpoint != invoke || x.Status >= 400 {
		return r
	}
	r.family = familyOf(r.place.model)
	if !r.place.stream {
		if f, target := r.family, targets[r.family]; r.open(f, target, nil) {
			r.direct = true
		}
	}
	return r
}

// targets are those of answers at home, where the request need not be known.
var targets = map[family]string{anthropic: "/v1/messages", openai: "/v1/chat/completions", cohere: "/v1/chat"}

// open has a guest read the answer, if there is one of the family.
func (r *Reader) open(f family, target string, header llm.Header) bool {
	g := r.dialect.guest(f)
	if g.NewReader == nil {
		return false
	}
	if f == cohere && embeds(r.place.model) {
		target = "/v1/embed"
	}
	r.target = target
	r.guest = g.NewReader(at(r.exchange, target, header))
	return true
}

// Wrote takes the next piece of the body, still under its content-encoding. p is
// not kept.
func (r *Reader) Wrote(p []byte, at time.Time) {
	if r.direct {
		r.guest.Wrote(p, at)
		return
	}
	r.body.Wrote(p, at)
}

// frame takes a piece of an event stream, cut anywhere.
func (r *Reader) frame(p []byte, at time.Time) {
	r.stream.Feed(p)
	for m, ok := r.stream.Next(); ok; m, ok = r.stream.Next() {
		r.message(m, at)
	}
}

// message reads one message of an event stream (wire reference, section 3.4).
func (r *Reader) message(m eventstream.Message, at time.Time) {
	r.events++
	whole := true
	switch string(m.Header(":message-type")) {
	case "exception":
		r.exception(string(m.Header(":exception-type")), m.Payload)
		return
	case "error":
		r.err = &apierror.Error{Code: jsonwalk.Clip(string(m.Header(":error-code")), 64), Message: jsonwalk.Clip(string(m.Header(":error-message")), 2048)}
		return
	}
	kind := m.Header(":event-type")
	switch {
	case string(kind) == "chunk":
		whole = r.chunk(m.Payload, at)
	case r.place.endpoint == converse:
		whole = r.event(kind, m.Payload, at)
	}
	if !whole {
		r.unreadable++
	}
}

// exception is an error within a stream, under HTTP 200.
func (r *Reader) exception(kind string, payload []byte) {
	r.err = apierror.Parse(payload)
	if r.err == nil {
		r.err = &apierror.Error{}
	}
	if kind != "" {
		r.err.Code = jsonwalk.Clip(kind, 64)
	}
}

// chunk reads a piece of a vendor's own stream: base64 in a member.
func (r *Reader) chunk(payload []byte, at time.Time) bool {
	raw := jsonwalk.Inner(jsonwalk.Member(payload, "bytes"))
	// Decoded behind the name of a field of an event: a guest reads it as one.
	need := len(eventHead) + base64.StdEncoding.DecodedLen(len(raw)) + len(eventEnd)
	if cap(r.decoded) < need {
		r.decoded = append(make([]byte, 0, need+need/2), eventHead...)
	}
	n, err := base64.StdEncoding.Decode(r.decoded[len(eventHead):need], raw)
	if err != nil || n == 0 {
		return false
	}
	data := r.decoded[len(eventHead) : len(eventHead)+n]
	if bytes.Contains(data, metricsKey) {
		r.usage.metrics(jsonwalk.Member(data, string(metricsKey)))
		r.done = true
	}
	if r.guest == nil && (r.family != native || r.events == 1) {
		if f, target := shapeOf(data, r.family, true); f != native {
			r.open(f, target, streamHead)
		}
		if r.guest == nil {
			r.family = native
		}
	}
	if r.guest == nil {
		return r.piece(data, at)
	}
	if g, ok := r.guest.(teller); ok {
		g.Event(data, at)
		return true
	}
	if bytes.IndexByte(data, '\n') >= 0 || bytes.IndexByte(data, '\r') >= 0 {
		for i, c := range data {
			if c == '\n' || c == '\r' {
				data[i] = ' ' // a blank of JSON either way
			}
		}
	}
	r.guest.Wrote(append(r.decoded[:len(eventHead)+n], eventEnd...), at)
	return true
}

// What an event begins and ends with.
const (
	eventHead = "data: "
	eventEnd  = "\n\n"
)

var (
	metricsKey   = []byte("amazon-bedrock-invocationMetrics")
	streamHead   = llm.Header("Content-Type: text/event-stream\r\n")
	documentHead = llm.Header("Content-Type: application/json\r\n")
)

// shapeOf returns the family that an answer is written in: that of the model, else
// by the members that only one has.
func shapeOf(data []byte, f family, stream bool) (family, string) {
	legacy := false
	for m := jsonwalk.Object(data); m.Next(); {
		switch string(m.Key) {
		case "type":
			if f == unknown {
				f = anthropic
			}
		case "completion":
			if f == unknown || f == anthropic {
				f, legacy = anthropic, true
			}
		case "object":
			if f == unknown || f == native { // imported models are told apart by nothing else
				f = openai
			}
		case "generations", "generation_id", "response_id", "response_type", "event_type", "is_finished", "finish_reason", "relevance_score":
			if f == unknown {
				f = cohere
			}
		case "output", "results", "stopReason", "choices", "outputs", "messageStart", "contentBlockDelta", "outputText", "generation":
			if f == unknown && string(m.Key) != "choices" {
				f = native
			}
		}
	}
	switch {
	case f == unknown:
		return native, ""
	case f == openai && !stream && jsonwalk.Str(jsonwalk.Member(data, "object")) == "text_completion":
		return f, "/v1/completions"
	case legacy:
		return f, "/v1/complete"
	}
	return f, targets[f]
}

// Finish writes what was read into c. Problems lists what could not be read.
func (r *Reader) Finish(c *llm.Call, x *llm.Exchange) error {
	c.Problems = append(c.Problems, r.body.Finish(x)...)
	document, tail, gap := r.body.Whole()
	var err error
	switch {
	case x.Status >= 400 || r.place.endpoint == other:
	case r.place.endpoint == countTokens: // what a prompt would cost is no usage
		setCount(c, "aws.bedrock.count_tokens.input_tokens", jsonwalk.Member(document, "inputTokens"))
	case r.direct:
		err = r.guest.Finish(c, at(x, r.target, nil))
	case r.body.Form() == intake.Frames || r.body.Form() == intake.Unknown && r.place.stream:
		err = r.finishStream(c, x)
	case r.body.Form() == intake.Document:
		err = r.finishDocument(c, x, document, tail, gap)
	}
	r.settle(c, x, document)
	if x.Status < 400 && (r.place.endpoint == converse || r.place.endpoint == invoke) {
		r.usage.fill(c, x, r.guest == nil && r.place.stream && !r.done)
		settleOperation(c)
	}
	return err
}

// settle gives the call its error: the exception of the stream, the type that the
// header tells, and what the body says.
func (r *Reader) settle(c *llm.Call, x *llm.Exchange, document []byte) {
	if x.Status < 400 && r.err == nil && (c.ErrorType != "" || r.direct) {
		return // as the guest read it
	}
	if x.Status < 400 && r.body.Form() == intake.Document {
		document = nil // a member "error" of an answer is the vendor's affair
	}
	c.ErrorType, c.ErrorMessage = apierror.Settle(x.Status, r.err, document)
	if kind := x.ResponseHeader.Get("x-amzn-errortype"); kind != "" && x.Status >= 400 {
		kind, _, _ = strings.Cut(kind, ":")
		c.ErrorType = jsonwalk.Clip(kind, 64)
	}
}

// finishStream ends the reading of an event stream.
func (r *Reader) finishStream(c *llm.Call, x *llm.Exchange) (err error) {
	if r.stream.Lost() {
		c.Problems = append(c.Problems, fmt.Sprintf("response stream: message %d has a broken prelude; what follows was not read", r.events+1))
	}
	if r.stream.Dropped > 0 {
		c.Problems = append(c.Problems, fmt.Sprintf("response stream: %d messages were too large or had a wrong checksum", r.stream.Dropped))
	}
	if r.unreadable > 0 {
		c.Problems = append(c.Problems, fmt.Sprintf("response stream: %d of %d events could not be read", r.unreadable, r.events))
	}
	if r.guest != nil {
		return r.guest.Finish(c, at(x, r.target, streamHead))
	}
	r.done = r.done || r.answer.Finished()
	switch {
	case r.done:
	case x.Ended != llm.EndComplete:
		c.Problems = append(c.Problems, "response stream: broken off before its end")
	case r.err == nil:
		c.SetAttr("spanwire.stream.incomplete", true)
	}
	r.answer.FillRhythm(c)
	r.fill(c, !r.done || r.err != nil)
	return nil
}

// finishDocument reads the copy of a body that is no stream.
func (r *Reader) finishDocument(c *llm.Call, x *llm.Exchange, document, tail []byte, gap bool) error {
	if r.place.endpoint == invoke {
		if f, target := shapeOf(document, r.family, false); f != native && r.open(f, target, documentHead) {
			r.guest.Wrote(document, x.End)
			return r.guest.Finish(c, at(x, r.target, documentHead))
		}
	}
	whole := r.document(document, x.End)
	for m := jsonwalk.Ending(tail, []string{"usage", "stopReason", "inputTextTokenCount", "metrics"}); m.Next(); {
		r.member(m.Key, m.Val, x.End)
	}
	c.Problems = append(c.Problems, intake.Shortfall(x, whole, gap)...)
	r.fill(c, !whole)
	return nil
}
