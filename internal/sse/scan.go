package sse

import "bytes"

// scanner finds the ends of events. It knows lines only: an event ends with the
// first blank line.
type scanner struct {
	inLine bool // the line at hand has bytes
	cr     bool // the byte before was a CR that ended a line: a LF belongs to it
}

// next returns how much of p belongs to the event at hand, and whether the event
// ends there. A LF that belongs to the CR of an earlier piece begins the next
// event; as an empty line would it says nothing there.
func (s *scanner) next(p []byte) (n int, end bool) {
	i := 0
	if s.cr && p[0] == '\n' {
		i = 1
	}
	s.cr = false
	for i < len(p) {
		c := p[i]
		if c != '\n' && c != '\r' {
			s.inLine = true
			j := lineEnd(p[i:])
			if j < 0 {
				return len(p), false
			}
			i += j
			c = p[i]
		}
		i++
		if c == '\r' {
			if i == len(p) {
				s.cr = true
			} else if p[i] == '\n' {
				i++
			}
		}
		if !s.inLine {
			return i, true
		}
		s.inLine = false
	}
	return i, false
}

// lineEnd returns the index of the first CR or LF, or -1.
func lineEnd(p []byte) int {
	i := bytes.IndexByte(p, '\n')
	line := p
	if i >= 0 {
		line = p[:i]
	}
	if j := bytes.IndexByte(line, '\r'); j >= 0 {
		return j
	}
	return i
}

// A Scanner finds the ends of events for those who pass the bytes on: it says
// which bytes belong to which event, terminators included.
type Scanner struct{ s scanner }

// Next returns how many bytes of p, which is not empty, belong to the event at
// hand, and whether it ends there. A LF whose CR was the last byte of the piece
// before is counted to the following event: see Split.
func (s *Scanner) Next(p []byte) (n int, end bool) { return s.s.next(p) }

// Split says that the event before ended with a CR and that p begins with the LF
// which belongs to that CR.
func (s *Scanner) Split(p []byte) bool { return s.s.cr && len(p) > 0 && p[0] == '\n' }
