// Package intake takes in the body of a response while it passes, and hands a
// dialect what it is made of: events, lines, elements, frames, or one document.
//
// It undoes the content-encoding, finds out what the body is by its first byte,
// keeps what must be kept within bounds, and remembers when each piece came.
package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/encoding"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/sse"
	"github.com/spanwire/spanwire/llm"
)

// Form is what a body turned out to be.
type Form uint8

// The forms.
const (
	Unknown  Form = iota // nothing came
	Document             // one JSON value
	Events               // server-sent events
	Lines                // one JSON value a line
	Elements             // a JSON array, written element by element
	Frames               // a binary framing of the dialect's own
	Words                // none of these: an error page, a text, audio
)

// Handler is what a dialect does with what comes. All slices are valid during the
// call only. at is when the piece that completed it came. Functions that are nil
// leave a form to the document.
type Handler struct {
	Event func(ev *sse.Event, at time.Time)
	// Line takes a line of NDJSON, or an element of an array.
	Line func(line []byte, at time.Time)
	// Frame takes raw pieces, cut anywhere.
	Frame func(p []byte, at time.Time)
	// Squeeze leaves of each array of numbers in a document only its length, as its
	// one element, and of base64 in a member named embedding its length in bytes, as a
	// text: vectors are counted, not kept.
	Squeeze bool
	// Lean takes long base64 out of members that hold it: [content.Blob] reads the
	// length and digest of what it was. Frames and Words are handed on as they are.
	Lean bool
	// MaxEvent bounds an event in bytes; 0 means [sse.DefaultMaxEvent].
	MaxEvent int
}

// Bounds.
const (
	maxDecoded = 256 << 20 // what is read of a body under a content-encoding
	maxLine    = 4 << 20   // a line or an element; longer ones are dropped and counted
)

// Body takes in one response. Wrote is called by one goroutine, then Finish once.
// Memory is bounded: 1 MiB and 64 KiB of a document, 4 MiB of a compressed body,
// one event or line.
type Body struct {
	handler  Handler
	want     Form // what the request asked for; Unknown where that says nothing
	encoding string
	media    string

	form    Form
	start   []byte // of a body of which more must come before its form is clear
	stream  sse.Splitter
	event   sse.Event // the one at hand
	plain   bounded
	squeeze *squeeze // nil, as the next two, where it is not wanted
	lean    *lean
	packed  *packed
	line    []byte
	depth   int  // of an element: open brackets
	quoted  bool // within a string of an element
	escaped bool
	over    bool
	dropped int
}

// New returns the intake of the response of x, whose head is there. want is the
// form that a successful answer of this endpoint has, Unknown where the first
// byte tells: an object is then a Document and anything else Events or Words.
func New(x *llm.Exchange, want Form, h Handler) *Body {
	b := &Body{}
	b.Begin(x, want, h)
	return b
}

// Begin makes a zero Body, which may be a part of something larger, what New returns.
func (b *Body) Begin(x *llm.Exchange, want Form, h Handler) {
	b.handler, b.want = h, want
	b.stream.MaxEvent = h.MaxEvent
	for name, value := range x.ResponseHeader.All() {
		switch {
		case len(name) != len("content-encoding") && len(name) != len("content-type"):
		case strings.EqualFold(name, "content-encoding"):
			if b.encoding != "" {
				b.encoding += ","
			}
			b.encoding += value
		case strings.EqualFold(name, "content-type"):
			media, _, _ := strings.Cut(value, ";")
			b.media = strings.ToLower(strings.TrimSpace(media))
		}
	}
	if encoding.Identity(b.encoding) {
		b.encoding = ""
	} else {
		b.packed = &packed{}
	}
	if h.Squeeze {
		b.squeeze = &squeeze{}
	}
}

// Form returns what the body turned out to be, as far as it has come.
func (b *Body) Form() Form { return b.form }

// Media returns the media type of the response in lower case, without parameters.
func (b *Body) Media() string { return b.media }

// Wrote takes the next piece of the body, still under its content-encoding. p is
// not kept.
func (b *Body) Wrote(p []byte, at time.Time) {
	if b.encoding != "" {
		b.packed.add(p, at)
		return
	}
	b.wrote(p, at)
}

func (b *Body) wrote(p []byte, at time.Time) {
	if b.form == Unknown {
		if p = b.sniff(p); b.form == Unknown {
			return
		}
	}
	p = b.leaned(p)
	switch b.form {
	case Events:
		b.stream.Feed(p)
		for ok := false; ; {
			// In a field of its own an event costs no allocation.
			if b.event, ok = b.stream.Next(); !ok {
				break
			}
			b.handler.Event(&b.event, at)
		}
	case Lines:
		b.lines(p, at)
	case Elements:
		b.elements(p, at)
	case Frames:
		b.handler.Frame(p, at)
	default:
		if b.squeeze != nil && b.form == Document {
			p = b.squeeze.pass(p)
		}
		b.plain.add(p)
	}
}

// leaned takes long base64 out of p where that is wanted. A document that is no longer
// than what stays of a run needs no look.
func (b *Body) leaned(p []byte) []byte {
	if !b.handler.Lean || b.form == Frames || b.form == Words {
		return p
	}
	if b.lean == nil {
		if b.form == Document && b.squeeze == nil && len(b.plain.head)+len(p) <= leanRun {
			return p
		}
		b.lean = &lean{}
		b.lean.pass(b.plain.head) // it may end in the beginning of a run
	}
	return b.lean.pass(p)
}

// lines splits NDJSON.
func (b *Body) lines(p []byte, at time.Time) {
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			b.hold(p)
			return
		}
		line := p[:i]
		p = p[i+1:]
		if len(b.line) > 0 || b.over {
			b.hold(line)
			line = b.line
		}
		b.emit(line, at)
	}
}

// elements splits the objects of an array at its top level.
func (b *Body) elements(p []byte, at time.Time) {
	from := 0
	for i, c := range p {
		switch {
		case b.escaped:
			b.escaped = false
		case b.quoted:
			b.escaped, b.quoted = c == '\\', c != '"'
		case c == '"':
			b.quoted = true
		case c == '{' || c == '[':
			if b.depth == 0 {
				from = i
			}
			b.depth++
		case (c == '}' || c == ']') && b.depth > 0:
			if b.depth--; b.depth > 0 {
				break
			}
			el := p[from : i+1]
			if len(b.line) > 0 || b.over {
				b.hold(el)
				el = b.line
			}
			b.emit(el, at)
		}
	}
	if b.depth > 0 {
		b.hold(p[from:])
	}
}

func (b *Body) hold(p []byte) {
	if b.over || len(b.line)+len(p) > maxLine {
		b.over = true
		b.line = nil
		return
	}
	b.line = append(b.line, p...)
}

func (b *Body) emit(line []byte, at time.Time) {
	if b.over {
		b.dropped++
	} else if line = bytes.TrimSpace(line); len(line) > 0 {
		b.handler.Line(line, at)
	}
	b.over = false
	if b.line = b.line[:0]; cap(b.line) > 64<<10 {
		b.line = nil
	}
}

// Finish reads what is left: a compressed body, the event or line that the body
// ended in. It returns what could not be read, for Call.Problems.
func (b *Body) Finish(x *llm.Exchange) (problems []string) {
	if b.encoding != "" {
		if err := b.unpack(); err != nil {
			problems = append(problems, fmt.Sprintf("response body: content-encoding %s: %v", jsonwalk.Clip(b.encoding, 40), err))
		}
	}
	if b.form == Unknown && len(b.start) > 0 { // it ended before it was clear
		b.form = Words
		b.plain.add(b.start)
	}
	switch b.form {
	case Events:
		if ev, ok := b.stream.Rest(); ok {
			b.handler.Event(&ev, x.End)
		}
		b.dropped += b.stream.Dropped
	case Lines, Elements:
		if len(b.line) > 0 {
			b.emit(b.line, x.End)
		}
	}
	if b.dropped > 0 {
		problems = append(problems, fmt.Sprintf("response stream: %d events were too large to be read", b.dropped))
	}
	return problems
}

// Whole returns the document, or as much of its beginning as was kept. gap says
// that its middle is missing; tail is then its end.
func (b *Body) Whole() (data, tail []byte, gap bool) {
	tail, gap = b.plain.end()
	data = b.plain.head
	if !gap {
		data = append(data[:len(data):len(data)], tail...)
		tail = nil
	}
	return data, tail, gap
}

// Shortfall says, for Call.Problems, what of a document could not be read. whole says
// that the object in it came to its end, gap that the middle was not kept.
func Shortfall(x *llm.Exchange, whole, gap bool) []string {
	switch {
	case gap:
		return []string{fmt.Sprintf("response body: %d bytes, of which the middle was not kept", x.Response.Size)}
	case whole:
		return nil
	case x.Ended == llm.EndComplete:
		return []string{"response body: not a whole JSON object"}
	}
	return []string{"response body: broken off before its end"}
}

// Stream is what a dialect found a stream to consist of.
type Stream struct {
	Pieces     int    // events or lines
	Unreadable int    // of these
	Named      string // what they are called
	Done       bool   // its end came, as far as the format has one
	Failed     bool   // an error came
}

// Settle says of c what the stream lacks at its end.
func (s Stream) Settle(c *llm.Call, x *llm.Exchange) {
	if s.Unreadable > 0 && x.Ended != llm.EndComplete {
		s.Unreadable-- // cut inside one: the end says so already
	}
	if s.Unreadable > 0 {
		c.Problems = append(c.Problems, fmt.Sprintf("response stream: %d of %d %s are not JSON objects", s.Unreadable, s.Pieces, s.Named))
	}
	switch {
	case s.Done:
	case x.Ended != llm.EndComplete:
		c.Problems = append(c.Problems, "response stream: broken off before its end")
	case !s.Failed:
		c.SetAttr("spanwire.stream.incomplete", true)
	}
}

// unpack reads a body that was kept under its content-encoding, piece by piece as
// it had come.
func (b *Body) unpack() error {
	src := &replay{k: b.packed}
	body, err := encoding.NewReader(b.encoding, src)
	if err != nil {
		return err
	}
	buf := make([]byte, 32<<10)
	for size := 0; ; {
		n, err := body.Read(buf)
		if size += n; size > maxDecoded {
			return encoding.ErrTooLarge
		}
		b.wrote(buf[:n], src.at)
		switch {
		case err == io.EOF:
			return nil
		case err != nil && b.packed.cut:
			return fmt.Errorf("only the first %d bytes were kept", maxPacked)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("the body ends too early")
		case err != nil:
			return err
		}
	}
}
