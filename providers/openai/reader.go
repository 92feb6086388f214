package openai

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/encoding"
	"github.com/spanwire/spanwire/internal/sse"
	"github.com/spanwire/spanwire/llm"
)

// maxDecoded bounds what is read of a body under a content-encoding.
const maxDecoded = 64 << 20

// Reader reads one response while it passes. It is cheap: a chunk of a stream
// costs well under a microsecond and no allocation beyond the text it brings.
// Memory is bounded whatever the response does: 1 MiB of text, 1 MiB and 64 KiB
// of a plain body, 4 MiB of a compressed one.
//
// Wrote is called by one goroutine, then Finish once.
type Reader struct {
	endpoint endpoint
	encoding string // content-encoding; "" when there is none
	event    bool   // the content type is that of an event stream
	text     bool   // the content type is that of text

	form   form
	stream sse.Splitter
	plain  bounded
	frame  skeleton
	packed packed
	answer answer
	broken bool // a plain body that is not whole
}

// form is what the body turned out to be, by its first byte.
type form uint8

const (
	unknown form = iota
	object_
	events
	words // neither: an error page, mostly
)

// NewReader returns the reader of the response of x, whose response head is
// there.
func (Dialect) NewReader(x *llm.Exchange) *Reader {
	r := &Reader{}
	r.endpoint, _ = find(x.Method, target(x))
	for name, value := range x.ResponseHeader.All() {
		switch {
		case strings.EqualFold(name, "content-encoding"):
			if r.encoding != "" {
				r.encoding += ","
			}
			r.encoding += value
		case strings.EqualFold(name, "content-type"):
			media, _, _ := strings.Cut(value, ";")
			media = strings.ToLower(strings.TrimSpace(media))
			r.event = media == "text/event-stream"
			r.text = strings.HasPrefix(media, "text/") && !r.event
		}
	}
	if encoding.Identity(r.encoding) {
		r.encoding = ""
	}
	return r
}

// Wrote takes the next piece of the body, still under its content-encoding. p is
// not kept.
func (r *Reader) Wrote(p []byte, at time.Time) {
	if r.encoding != "" {
		r.packed.add(p, at)
		return
	}
	r.wrote(p, at)
}

// wrote takes the next piece of the decoded body.
func (r *Reader) wrote(p []byte, at time.Time) {
	if r.form == unknown {
		p = r.sniff(p)
	}
	if len(p) == 0 {
		return
	}
	switch {
	case r.form == events:
		r.stream.Feed(p)
		for ev, ok := r.stream.Next(); ok; ev, ok = r.stream.Next() {
			r.take(&ev, at)
		}
	case r.form == object_ && r.endpoint == embeddings:
		r.frame.add(p)
	default:
		r.plain.add(p)
	}
}

// sniff decides what the body is by its first byte: the content type is wrong
// often enough, and an error under an event stream's type is plain JSON (wire
// reference, sections 1 and 3.1). It returns p without leading blanks.
func (r *Reader) sniff(p []byte) []byte {
	p = bytes.TrimLeft(p, " \t\r\n")
	if len(p) == 0 {
		return nil
	}
	switch c := p[0]; {
	case c == '{' || c == '[':
		r.form = object_
	case r.event, !r.text && strings.IndexByte(":deir\xef", c) >= 0:
		r.form = events
	default:
		r.form = words
	}
	return p
}

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
		a.err = parseError(data)
	}
}

// Finish writes what was read into c. Problems lists what could not be read; the
// error is that of a body that could not be read at all.
func (r *Reader) Finish(c *llm.Call, x *llm.Exchange) error {
	var problems []string
	if r.encoding != "" {
		if err := r.unpack(); err != nil {
			problems = append(problems, fmt.Sprintf("response body: content-encoding %s: %v", clip(r.encoding, 40), err))
		}
	}
	if r.form == events {
		problems = append(problems, r.finishStream(c, x)...)
	} else {
		problems = append(problems, r.finishPlain(x)...)
	}
	c.Problems = append(c.Problems, problems...)
	r.fill(c, x)
	return nil
}

// unpack reads a body that was kept under its content-encoding.
func (r *Reader) unpack() error {
	src := &replay{k: &r.packed}
	body, err := encoding.NewReader(r.encoding, src)
	if err != nil {
		return err
	}
	buf := make([]byte, 32<<10)
	for size := 0; ; {
		n, err := body.Read(buf)
		if size += n; size > maxDecoded {
			return encoding.ErrTooLarge
		}
		r.wrote(buf[:n], src.at)
		switch {
		case err == io.EOF:
			return nil
		case err != nil && r.packed.cut:
			return fmt.Errorf("only the first %d bytes were kept", maxPacked)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("the body ends too early")
		case err != nil:
			return err
		}
	}
}

// finishStream ends the reading of an event stream.
func (r *Reader) finishStream(c *llm.Call, x *llm.Exchange) (problems []string) {
	a := &r.answer
	if ev, ok := r.stream.Rest(); ok {
		before := a.unreadable
		r.take(&ev, x.End)
		if a.unreadable > before && x.Ended != llm.EndComplete {
			a.unreadable = before // cut inside an event: the end says so already
		}
	}
	if r.stream.Dropped > 0 {
		problems = append(problems, fmt.Sprintf("response stream: %d events of more than %d bytes were not read", r.stream.Dropped, sse.DefaultMaxEvent))
	}
	if r.endpoint == other || r.ended() {
		return problems
	}
	if x.Ended != llm.EndComplete {
		return append(problems, "response stream: broken off before its end")
	}
	if a.err == nil {
		c.SetAttr("spanwire.stream.incomplete", true)
	}
	return problems
}

// ended says that the stream reached its end: its end mark, or, as some vendors
// send none, a finish reason of every choice. The format that has neither ends
// where it ends.
func (r *Reader) ended() bool {
	a := &r.answer
	return a.done || !a.unfinished() || a.bare
}

// finishPlain reads the copy of a body that is no stream.
func (r *Reader) finishPlain(x *llm.Exchange) (problems []string) {
	body := &r.plain
	if r.form == object_ && r.endpoint == embeddings {
		body = &r.frame.out
	}
	if r.form != object_ || len(body.head) == 0 {
		return nil
	}
	a := &r.answer
	tail, gap := body.end()
	data := body.head
	if len(tail) > 0 && !gap {
		data = append(data, tail...)
	}
	if data[0] == '[' { // some wrap a single error
		e := array(data)
		e.next()
		data = e.val
	}
	whole := a.read(data, x.End, true)
	r.broken = !whole
	if gap {
		for m := ending(tail, answerKeys); m.next(); {
			a.readTail(m.key, m.val)
		}
		return []string{fmt.Sprintf("response body: %d bytes, of which the middle was not kept", x.Response.Size)}
	}
	if !whole && x.Ended == llm.EndComplete {
		return []string{"response body: not a whole JSON object"}
	}
	if !whole {
		return []string{"response body: broken off before its end"}
	}
	return nil
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
