package intake

import (
	"bytes"
	"strconv"
)

// squeeze takes vectors out of a document while it passes: an array of numbers
// becomes an array of one, which is how many there were, and base64 in a member named
// embedding a text that is its length. A body of megabytes of vectors leaves its frame,
// and they can still be counted and measured. Where the pieces are cut does not matter.
type squeeze struct {
	out  []byte
	mode squeezeMode

	escaped bool   // the byte before was the backslash of an escape
	opened  bool   // the last byte outside of a string was [
	key     []byte // the string at hand or the last one, as far as it may be the key
	named   bool   // that key was read, and perhaps its colon
	size    int    // commas of an array, or bytes of base64
}

type squeezeMode uint8

const (
	passing squeezeMode = iota
	quoted              // within a string
	numbers             // within an array that began with a number
	base64s             // within a vector in base64
)

const vectorKey = "embedding"

// pass returns what is left of p; valid until the next call.
func (s *squeeze) pass(p []byte) []byte {
	s.out = s.out[:0]
	for len(p) > 0 {
		switch s.mode {
		case passing:
			p = s.frame(p)
		case quoted:
			p = s.text(p)
		case numbers:
			p = s.array(p)
		case base64s:
			p = s.data(p)
		}
	}
	return s.out
}

// frame takes what is outside of strings and vectors.
func (s *squeeze) frame(p []byte) []byte {
	for i, c := range p {
		switch {
		case c == ' ' || c == '\n' || c == '\r' || c == '\t':
		case s.opened && (c == '-' || c >= '0' && c <= '9'):
			s.out = append(s.out, p[:i]...)
			s.opened, s.mode, s.size = false, numbers, 0
			return p[i:]
		case c == '"':
			s.out = append(s.out, p[:i+1]...)
			s.mode, s.size, s.opened = quoted, 0, false
			if s.named {
				s.mode = base64s
			}
			s.named, s.key = false, s.key[:0]
			return p[i+1:]
		case c == ':': // the key stays
		default:
			s.opened, s.named = c == '[', false
		}
	}
	s.out = append(s.out, p...)
	return nil
}

// text takes a string.
func (s *squeeze) text(p []byte) []byte {
	n, end := s.toQuote(p)
	if len(s.key) <= len(vectorKey) {
		s.key = append(s.key, p[:min(n, len(vectorKey)+1)]...)
	}
	s.out = append(s.out, p[:n]...)
	if end {
		s.mode, s.named = passing, string(s.key) == vectorKey+`"`
	}
	return p[n:]
}

// toQuote returns how many bytes there are up to the end of the string at hand, its
// quote included.
func (s *squeeze) toQuote(p []byte) (n int, end bool) {
	for n < len(p) {
		if s.escaped {
			s.escaped = false
			n++
			continue
		}
		rest := p[n:]
		quote := bytes.IndexByte(rest, '"')
		if quote >= 0 {
			rest = rest[:quote]
		}
		if at := bytes.IndexByte(rest, '\\'); at >= 0 {
			s.escaped = true
			n += at + 1
			continue
		}
		if n += len(rest); quote >= 0 {
			return n + 1, true
		}
	}
	return n, false
}

// data takes base64.
func (s *squeeze) data(p []byte) []byte {
	n, end := s.toQuote(p)
	if s.size += n; end {
		s.out = strconv.AppendInt(s.out, int64(s.size)-1, 10)
		s.out = append(s.out, '"')
		s.mode = passing
	}
	return p[n:]
}

// array takes numbers. What is none ends it, and is passed.
func (s *squeeze) array(p []byte) []byte {
	n := bytes.IndexByte(p, ']')
	end := n >= 0
	if !end {
		n = len(p)
	}
	if at := noNumber(p[:n]); at >= 0 { // numbers, and then something else
		s.out = append(s.out, "0,"...)
		s.mode = passing
		return p[at:]
	}
	if s.size += bytes.Count(p[:n], []byte(",")); end {
		s.out = strconv.AppendInt(s.out, int64(s.size)+1, 10)
		s.mode = passing
	}
	return p[n:]
}

// noNumber finds what begins something else in an array of numbers; -1 when there is
// none. Three fast looks are faster than one at each byte.
func noNumber(p []byte) int {
	at := -1
	for _, c := range []byte(`"[{`) {
		if i := bytes.IndexByte(p, c); i >= 0 {
			at, p = i, p[:i]
		}
	}
	return at
}
