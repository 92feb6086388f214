package intake

import "strconv"

// squeeze takes the numbers out of a document while it passes: an array of numbers
// becomes an array of one, which is how many there were. A body of megabytes of
// vectors leaves its frame, and the vectors can still be counted and measured.
type squeeze struct {
	out     []byte
	quoted  bool
	escaped bool
	opened  bool // the last byte outside of a string was [
	skip    bool // inside an array that began with a number
	commas  int
}

// pass returns what is left of p; valid until the next call.
func (s *squeeze) pass(p []byte) []byte {
	s.out = s.out[:0]
	for _, c := range p {
		switch {
		case s.escaped:
			s.escaped = false
		case s.quoted:
			s.escaped, s.quoted = c == '\\', c != '"'
		case s.skip:
			if !s.number(c) {
				break
			}
			continue
		case s.opened && (c == '-' || c >= '0' && c <= '9'):
			s.opened, s.skip, s.commas = false, true, 0
			continue
		case c == ' ' || c == '\n' || c == '\r' || c == '\t':
		default:
			s.opened = c == '['
			s.quoted = c == '"'
		}
		s.out = append(s.out, c)
	}
	return s.out
}

// number takes a byte of an array of numbers; false means that it ends the array,
// or that the array holds something else too, and the byte is to be passed.
func (s *squeeze) number(c byte) bool {
	switch {
	case c == ',':
		s.commas++
	case c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E' || c == ' ' || c == '\n' || c == '\r' || c == '\t':
	case c == ']':
		s.out = strconv.AppendInt(s.out, int64(s.commas)+1, 10)
		s.skip = false
		return false
	default: // a number, and then something that is none
		s.out = append(s.out, "0,"...)
		s.skip, s.opened, s.quoted = false, c == '[', c == '"'
		return false
	}
	return true
}
