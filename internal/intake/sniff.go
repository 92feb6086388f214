package intake

import (
	"bytes"
	"strings"
)

// sniff decides what the body is, and returns what of it is to be read. Content types
// are wrong often enough (wire reference, sections 1 and 3): its beginning has the last
// word. Where that does not suffice yet it is kept, and nothing returned.
func (b *Body) sniff(p []byte) []byte {
	if len(b.start) > 0 {
		p = append(b.start, p...)
	}
	form, rest := b.guess(p)
	if form == Unknown {
		b.start = append(b.start[:0], rest...) // a few bytes
		return nil
	}
	b.form, b.start = form, nil
	return rest
}

var bom = []byte("\xef\xbb\xbf")

// guess returns the form of a body that begins like this, Unknown when more of it must
// come, and its beginning without what means nothing.
func (b *Body) guess(p []byte) (Form, []byte) {
	framed := b.want == Frames && b.handler.Frame != nil
	if framed && b.media == "application/vnd.amazon.eventstream" {
		return Frames, p
	}
	if b.medium() {
		return Words, p
	}
	if p = bytes.TrimLeft(p, " \t\r\n"); len(p) == 0 {
		return Unknown, nil
	}
	if framed && p[0] == 0 {
		return Frames, p // the length that a frame begins with never needs its first byte
	}
	if p[0] == bom[0] {
		switch {
		case len(p) <= len(bom) && bytes.HasPrefix(bom, p):
			return Unknown, p
		case bytes.HasPrefix(p, bom) && (p[len(bom)] == '{' || p[len(bom)] == '['):
			p = p[len(bom):]
		}
	}
	// What these hold is mostly no JSON and no stream, so more is asked for.
	raw := b.media == "application/octet-stream"
	text := strings.HasPrefix(b.media, "text/") && b.media != "text/event-stream"
	switch c := p[0]; {
	case (c == '{' || c == '[') && raw:
		switch next := bytes.TrimLeft(p[1:min(len(p), maxSniff)], " \t\r\n"); {
		case len(next) == 0 && len(p) < maxSniff:
			return Unknown, p
		case len(next) > 0 && bytes.IndexByte([]byte(`"{}[]`), next[0]) < 0:
			return Words, p
		}
		return b.guessJSON(p)
	case c == '{' || c == '[':
		return b.guessJSON(p)
	case b.handler.Event == nil:
	case text || raw:
		return guessStream(p)
	case b.media == "text/event-stream" || strings.IndexByte(":deir\xef", c) >= 0:
		return Events, p
	}
	return Words, p
}

func (b *Body) guessJSON(p []byte) (Form, []byte) {
	switch {
	case b.handler.Line == nil:
	case p[0] == '[' && b.want == Elements:
		return Elements, p[1:]
	case p[0] == '{' && (b.want == Lines || strings.Contains(b.media, "ndjson") || b.media == "application/stream+json"):
		return Lines, p
	}
	return Document, p
}

// maxSniff bounds what is looked at of a body whose type is probably wrong.
const maxSniff = 64

// guessStream tells server-sent events under the type of a text from a text: they begin
// with the name of an event, or with data in JSON.
func guessStream(p []byte) (Form, []byte) {
	for _, field := range []string{"event:", "data:"} {
		switch n := min(len(p), len(field)); {
		case string(p[:n]) != field[:n]:
			continue
		case n < len(field):
			return Unknown, p
		case field == "event:":
			return Events, p
		}
		switch data := bytes.TrimLeft(p[len(field):min(len(p), maxSniff)], " "); {
		case len(data) == 0 && len(p) < maxSniff:
			return Unknown, p
		case len(data) > 0 && (data[0] == '{' || data[0] == '['):
			return Events, p
		}
	}
	return Words, p
}

// medium says that the body is sound or a picture.
func (b *Body) medium() bool {
	kind, _, _ := strings.Cut(b.media, "/")
	return kind == "audio" || kind == "image" || kind == "video"
}
