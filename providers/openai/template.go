package openai

import (
	"bytes"
	"time"

	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// Most chunks of a stream differ from the one before in one text only. A
// template is such a chunk with a hole in it: the bytes before the text and those
// after it. A chunk that has the same bytes around another text means the same
// thing with that text, so it need not be walked again. Padding against length
// guessing (obfuscation, p) makes a second hole behind the text.
type template struct {
	before, after, tail []byte // tail: behind the padding, when padded
	padded              bool
	choice              *choice
	kind                partKind
}

// maxTemplate bounds the bytes a template keeps on either side.
const maxTemplate = 768

// sketch is what reading a chunk found out about its shape.
type sketch struct {
	choices, pieces int
	choice          *choice
	kind            partKind
	val             []byte // the last text taken, between its quotes
	padding         []byte // value of a padding member
	special         bool   // there was something that a template must not repeat
}

// match finds the text of a chunk that fits the template.
func (t *template) match(data []byte) (text []byte, ok bool) {
	if t.choice == nil || !bytes.HasPrefix(data, t.before) {
		return nil, false
	}
	at := len(t.before)
	end, ok := jsonwalk.SkipString(data, at-1)
	if !ok {
		return nil, false
	}
	text, rest := data[at:end-1], data[end-1:]
	if !t.padded {
		return text, bytes.Equal(rest, t.after)
	}
	if !bytes.HasPrefix(rest, t.after) {
		return nil, false
	}
	end, ok = jsonwalk.SkipString(rest, len(t.after)-1)
	return text, ok && bytes.Equal(rest[end-1:], t.tail)
}

// quick reads a chunk by a template and reports whether one fitted.
func (a *answer) quick(data []byte, at time.Time) bool {
	for i := range a.templates {
		t := &a.templates[i]
		text, ok := t.match(data)
		if !ok {
			continue
		}
		if len(text) > 0 {
			t.choice.texts[t.kind].Add(&a.room, text)
			a.rhythm.Piece(at)
		}
		return true
	}
	return false
}

// learn makes a template of the chunk that was just read, if it is plain enough.
func (a *answer) learn(data []byte) {
	s := &a.cur
	if s.special || s.choices != 1 || s.pieces != 1 || cap(s.val) == 0 {
		return
	}
	from := cap(data) - cap(s.val) // both are slices of one array
	to := from + len(s.val)
	if from < 1 || to >= len(data) || data[from-1] != '"' || data[to] != '"' || from > maxTemplate || len(data)-to > maxTemplate {
		return
	}
	t := &a.templates[a.turn]
	a.turn = 1 - a.turn
	t.before = append(t.before[:0], data[:from]...)
	t.after = append(t.after[:0], data[to:]...)
	t.tail = t.tail[:0]
	t.choice, t.kind, t.padded = s.choice, s.kind, false
	pad := jsonwalk.Inner(s.padding)
	if len(pad) == 0 {
		return
	}
	padFrom := cap(data) - cap(pad)
	if padFrom <= to {
		t.choice = nil // padding before the text: no hole for it there
		return
	}
	t.padded = true
	t.after = append(t.after[:0], data[to:padFrom]...)
	t.tail = append(t.tail, data[padFrom+len(pad):]...)
}

// forget drops the templates: what they repeat is no longer what stands.
func (a *answer) forget() {
	for i := range a.templates {
		a.templates[i].choice = nil
	}
}
