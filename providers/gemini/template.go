package gemini

import (
	"bytes"
	"time"

	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// Most chunks of a stream differ from the one before in one text and in the usage.
// A template is such a chunk with two holes in it: the bytes before the text, those
// between text and usage, and those behind. A chunk with the same bytes around
// other holes means the same thing, so it need not be walked again.
type template struct {
	before, between, after []byte
	usage                  bool // there is a second hole
	candidate              *candidate
	kind                   string
}

// maxTemplate bounds the bytes that a template keeps.
const maxTemplate = 1536

// sketch is what reading a chunk found out about its shape.
type sketch struct {
	candidates, parts int
	candidate         *candidate
	kind              string
	text              []byte // the text, between its quotes
	usage             []byte
	special           bool // there was something that a template must not repeat
}

// quick reads a chunk by the template and reports whether it fitted.
func (a *answer) quick(data []byte, at time.Time) bool {
	t := &a.template
	if t.candidate == nil || !bytes.HasPrefix(data, t.before) {
		return false
	}
	from := len(t.before)
	end, ok := jsonwalk.SkipString(data, from-1)
	if !ok {
		return false
	}
	text, rest := data[from:end-1], data[end-1:]
	if !t.usage {
		if !bytes.Equal(rest, t.between) {
			return false
		}
		return a.take(t, text, at)
	}
	if !bytes.HasPrefix(rest, t.between) || !bytes.HasSuffix(rest, t.after) || len(rest) <= len(t.between)+len(t.after) {
		return false
	}
	usage := rest[len(t.between) : len(rest)-len(t.after)]
	if usage[0] != '{' || len(usage) > maxUsage {
		return false
	}
	if end, ok := jsonwalk.SkipValue(usage, 0); !ok || end != len(usage) {
		return false
	}
	a.usage = append(a.usage[:0], usage...)
	return a.take(t, text, at)
}

func (a *answer) take(t *template, text []byte, at time.Time) bool {
	if a.addText(t.candidate, t.kind, text) {
		a.rhythm.Piece(at)
	}
	return true
}

// learn makes a template of the chunk that was just read, if it is plain enough.
func (a *answer) learn(data []byte) {
	s, t := &a.cur, &a.template
	t.candidate = nil
	if s.special || s.candidates != 1 || s.parts != 1 || s.candidate == nil || cap(s.text) == 0 || len(data) > maxTemplate+len(s.text)+len(s.usage) {
		return
	}
	from := cap(data) - cap(s.text) // both are slices of one array
	to := from + len(s.text)
	if from < 1 || to >= len(data) || data[from-1] != '"' || data[to] != '"' {
		return
	}
	t.usage = s.usage != nil
	between, after := data[to:], []byte(nil)
	if t.usage {
		at := cap(data) - cap(s.usage)
		if at < to {
			return // usage before the text: no hole for it there
		}
		between, after = data[to:at], data[at+len(s.usage):]
	}
	t.before = append(t.before[:0], data[:from]...)
	t.between = append(t.between[:0], between...)
	t.after = append(t.after[:0], after...)
	t.candidate, t.kind = s.candidate, s.kind
}
