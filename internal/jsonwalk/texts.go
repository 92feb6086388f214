package jsonwalk

import "bytes"

// Texts makes strings of the JSON strings of one body. Those that belong together in
// the end are kept together: a string either shares the memory of the body, which
// nobody may write to any more, or a few of them one piece of memory.
//
// A string that shares keeps the whole body alive, so only texts that are a good part
// of it do, or those of a body so small that it does not matter. None of them is for
// keeping longer than its siblings: clone it first.
//
// The zero value copies each text by itself, of a body that may be written to.
type Texts struct {
	whole int    // bytes of the body
	share bool   // with the body
	room  []byte // what is free of the last piece of memory; empty
	more  int    // size of the next one
}

// Bounds on what is shared.
const (
	smallBody = 4 << 10 // about what a call takes that has no content
	goodPart  = 8       // one text of a larger body has to be this part of it
	leastRoom = 64
	mostRoom  = 16 << 10
)

// TextsOf returns the texts of body, which is not written to any more. With nil each
// text is a body of its own: what was joined from the pieces of a stream.
func TextsOf(body []byte) Texts {
	return Texts{whole: len(body), share: true, more: min(max(len(body), 8*leastRoom), smallBody)}
}

// Str reads a JSON string within the body; anything else gives "".
func (t *Texts) Str(val []byte) string { return t.Unescape(Inner(val)) }

// Unescape reads the inside of a JSON string within the body, as [Unescape] does.
func (t *Texts) Unescape(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	i := bytes.IndexByte(raw, '\\')
	if i < 0 {
		return t.Keep(raw)
	}
	if !t.shared(len(raw)) {
		return view(appendText(make([]byte, 0, len(raw)), raw, i))
	}
	return t.took(appendText(t.room, raw, i))
}

// Keep makes a string of bytes within the body, as they are.
func (t *Texts) Keep(raw []byte) string {
	if t.share && (len(raw) >= max(t.whole/goodPart, leastRoom) || 0 < t.whole && t.whole <= smallBody) {
		return view(raw)
	}
	if !t.shared(len(raw)) {
		return string(raw)
	}
	return t.took(append(t.room, raw...))
}

// shared says whether n bytes are to stand beside others, and makes room for them.
func (t *Texts) shared(n int) bool {
	if n <= cap(t.room) {
		return true
	}
	if n > t.more/2 {
		return false
	}
	t.room = make([]byte, 0, t.more)
	t.more = min(2*t.more, mostRoom)
	return true
}

// took makes a string of what was appended to the room.
func (t *Texts) took(b []byte) string {
	t.room = b[len(b):]
	return view(b)
}
