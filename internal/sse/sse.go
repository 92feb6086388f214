// Package sse splits a stream of server-sent events into events while it passes,
// wherever it is cut.
//
// It follows the WHATWG rules (HTML Living Standard, section 9.2.6) and the wire
// reference, section 3.1: lines end in LF, CRLF or CR; a blank line ends an
// event; comments and unknown fields are kept within reach, since some servers
// put errors into a field of their own; the last event may lack its blank line.
package sse

import "bytes"

// DefaultMaxEvent is the bound on one event that a [Splitter] uses when none is set.
const DefaultMaxEvent = 1 << 20

// keep is the largest buffer that a splitter holds on to between events.
const keep = 16 << 10

// A Splitter cuts a stream into events. The zero value is ready. Usage:
//
//	s.Feed(piece)
//	for ev, ok := s.Next(); ok; ev, ok = s.Next() { … }
//
// An event that lies whole in one piece is handed on as slices of that piece and
// costs no allocation. It is for one goroutine.
type Splitter struct {
	// MaxEvent bounds the bytes of an event that is held because it came in
	// several pieces; 0 means DefaultMaxEvent. A larger event is dropped.
	MaxEvent int
	// Dropped counts the events that were larger than MaxEvent.
	Dropped int

	piece   []byte // not looked at yet
	held    []byte // beginning of an event that has not ended
	scratch []byte // joined data lines
	scan    scanner
	over    bool // the event at hand is too large
	begun   bool // the byte order mark, if any, is behind
}

// Event is one event. Its slices are valid until the next call of a method of
// its splitter, and no longer than the piece that was fed.
type Event struct {
	// Raw is all bytes of the event, its blank line included.
	Raw []byte
	// Name is the value of the last event field, Data the joined data fields.
	Name, Data []byte
	HasData    bool
	// Comments counts the comment lines, Unknown the fields that the standard does
	// not name. Field reads those.
	Comments, Unknown int
}

// Feed gives the next piece of the stream. It must stay as it is until Next has
// returned false.
func (s *Splitter) Feed(p []byte) { s.piece = p }

// Next returns the next event that has ended. When ok is false all that was fed
// is read, and what belongs to an unfinished event was copied. Events without
// fields (comments alone) are returned too; blank lines by themselves are not.
func (s *Splitter) Next() (ev Event, ok bool) {
	for len(s.piece) > 0 {
		n, end := s.scan.next(s.piece)
		part := s.piece[:n]
		s.piece = s.piece[n:]
		if !end {
			s.hold(part)
			return Event{}, false
		}
		raw := part
		if s.over {
			s.over = false
			continue
		}
		if len(s.held) > 0 {
			if !s.hold(part) {
				s.over = false
				continue
			}
			raw = s.held
			s.release()
		}
		if ev = s.parse(raw); !ev.empty() {
			return ev, true
		}
	}
	s.piece = nil
	return Event{}, false
}

// Rest returns the event that the stream ended in, when it lacks its blank line.
func (s *Splitter) Rest() (ev Event, ok bool) {
	raw := s.held
	s.release()
	s.scan, s.over = scanner{}, false
	if ev = s.parse(raw); ev.empty() {
		return Event{}, false
	}
	return ev, true
}

// Pending says whether the stream stands inside an event.
func (s *Splitter) Pending() bool { return s.over || len(bytes.Trim(s.held, "\r\n")) > 0 }

func (e *Event) empty() bool {
	return !e.HasData && e.Name == nil && e.Comments == 0 && e.Unknown == 0
}

// hold keeps part of an event; false means that the event became too large.
func (s *Splitter) hold(part []byte) bool {
	most := s.MaxEvent
	if most <= 0 {
		most = DefaultMaxEvent
	}
	if s.over {
		return false
	}
	if len(s.held)+len(part) > most {
		s.Dropped++
		s.over = true
		s.held = nil
		return false
	}
	s.held = append(s.held, part...)
	return true
}

func (s *Splitter) release() {
	if cap(s.held) > keep {
		s.held = nil
		return
	}
	s.held = s.held[:0]
}

// parse reads the lines of one event.
func (s *Splitter) parse(raw []byte) Event {
	ev := Event{Raw: raw}
	rest := raw
	if !s.begun && len(raw) > 0 {
		s.begun = true
		rest = bytes.TrimPrefix(rest, []byte("\xef\xbb\xbf"))
	}
	joined := false
	for len(rest) > 0 {
		var line []byte
		if line, rest = cutLine(rest); len(line) == 0 {
			continue
		}
		name, value := cutField(line)
		switch string(name) {
		case "data":
			switch {
			case !ev.HasData:
				ev.Data, ev.HasData = value, true
			case !joined:
				s.scratch = append(append(append(s.scratch[:0], ev.Data...), '\n'), value...)
				joined = true
			default:
				s.scratch = append(append(s.scratch, '\n'), value...)
			}
		case "event":
			ev.Name = value
		case "id", "retry":
		case "":
			ev.Comments++
		default:
			ev.Unknown++
		}
	}
	if joined {
		ev.Data = s.scratch
		if cap(s.scratch) > keep {
			s.scratch = nil
		}
	}
	return ev
}

// Field returns the value of the last field of that name in the event.
func (e *Event) Field(name string) (value []byte, ok bool) {
	rest := e.Raw
	for len(rest) > 0 {
		var line []byte
		line, rest = cutLine(rest)
		if n, v := cutField(line); len(line) > 0 && string(n) == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// cutField splits a line at its colon and takes one blank off the value. The
// name is empty for a comment.
func cutField(line []byte) (name, value []byte) {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return line, line[len(line):]
	}
	name, value = line[:i], line[i+1:]
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return name, value
}

// cutLine splits at the first line end, whichever it is.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	line = b
	if i >= 0 {
		line = b[:i]
	}
	if j := bytes.IndexByte(line, '\r'); j >= 0 {
		if j+1 == i {
			return b[:j], b[i+1:]
		}
		return b[:j], b[j+1:]
	}
	if i < 0 {
		return b, nil
	}
	return line, b[i+1:]
}
