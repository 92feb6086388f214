package openai

import (
	"bytes"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/sse"
)

// maxHeld bounds what a filter holds back; an event that is longer is none that
// it looks for.
const maxHeld = 64 << 10

// Filter takes the one event out of a stream that [Dialect.Edit] brought into it:
// the chunk with no choices and a usage, and its blank line. Every other byte
// passes as it came. An event that may still turn out to be the one is held back
// until that is clear. It is used by one goroutine.
type Filter struct {
	scan    sse.Scanner
	held    []byte
	passing bool // the event at hand is not the one
	removed bool // all that follows passes
	swallow bool // the removed event ended with a CR: the LF of it may follow
}

// Pass appends to dst what of p may go to the caller now.
func (f *Filter) Pass(dst, p []byte) []byte {
	for len(p) > 0 {
		if f.removed {
			if f.swallow && p[0] == '\n' {
				p = p[1:]
			}
			f.swallow = false
			return append(dst, p...)
		}
		if f.scan.Split(p) && len(f.held) == 0 {
			// The LF of the event before, which has passed.
			f.scan = sse.Scanner{}
			dst = append(dst, '\n')
			p = p[1:]
			continue
		}
		n, end := f.scan.Next(p)
		part := p[:n]
		p = p[n:]
		if f.passing {
			dst = append(dst, part...)
			f.passing = !end
			continue
		}
		event := part
		if len(f.held) > 0 {
			f.held = append(f.held, part...)
			event = f.held
		}
		switch {
		case end && isAdded(event):
			f.removed = true
			f.swallow = event[len(event)-1] == '\r'
			f.held = nil
		case end:
			dst = append(dst, event...)
			f.held = f.held[:0]
		case len(event) > maxHeld || !mayBeAdded(event, len(part)):
			dst = append(dst, event...)
			f.held = f.held[:0]
			f.passing = true
		case len(f.held) == 0:
			f.held = append(f.held, part...)
		}
	}
	return dst
}

// Rest appends what is still held when the body has ended.
func (f *Filter) Rest(dst []byte) []byte {
	held := f.held
	f.held = nil
	if !f.removed && len(held) > 0 && isAdded(held) {
		f.removed = true
		return dst
	}
	return append(dst, held...)
}

// mayBeAdded says whether the beginning of an event may be that of the one. The
// last fresh bytes of it are new.
func mayBeAdded(event []byte, fresh int) bool {
	const other = `"choices":[{`
	recent := event[max(0, len(event)-fresh-len(other)):]
	if bytes.Contains(recent, []byte(other)) {
		return false
	}
	event = bytes.TrimLeft(event, "\r\n")
	// Else it is no event: an error in plain JSON.
	return len(event) == 0 || bytes.IndexByte([]byte(":deir\xef"), event[0]) >= 0
}

// isAdded says whether an event is the one: choices is empty and usage an object.
func isAdded(event []byte) bool {
	if len(event) > maxHeld || !mayBeAdded(event, len(event)) || !bytes.Contains(event, []byte(`"usage"`)) {
		return false // as when it comes in pieces
	}
	var s sse.Splitter
	s.Feed(event)
	ev, ok := s.Next()
	if !ok {
		if ev, ok = s.Rest(); !ok {
			return false
		}
	}
	if ev.Comments > 0 || ev.Unknown > 0 {
		return false
	}
	var none, usage bool
	m := jsonwalk.Object(bytes.TrimSpace(ev.Data))
	for m.Next() {
		switch string(m.Key) {
		case "choices":
			none = m.Val[0] == '[' && jsonwalk.Empty(m.Val)
		case "usage":
			usage = jsonwalk.IsObject(m.Val)
		case "error":
			if !jsonwalk.IsNull(m.Val) {
				return false
			}
		}
	}
	return m.Whole() && none && usage
}
