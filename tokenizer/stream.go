package tokenizer

import "unicode/utf8"

const (
	// maxTail bounds the text that a stream holds back for want of a boundary.
	maxTail = 1 << 20
	// maxWrite is how much of a piece a stream takes in at once, so that what it
	// holds does not depend on how its text was cut.
	maxWrite = 64 << 10
)

// stream counts a text that comes in pieces, wherever those are cut, characters
// included: the sum is that of the whole text. It counts up to the last place at
// which the whole text is cut in any case (see forced) and holds back the rest. A
// text that has no such place for maxTail bytes is cut there, and is not whole.
// A stream belongs to one goroutine.
type stream struct {
	enc   *encoding
	tail  []byte
	seen  int // bytes of the tail in which there is no boundary
	n     int64
	short bool // something was cut
}

func (s *stream) write(p string) {
	for len(p) > 0 {
		n := min(len(p), maxWrite, maxTail-len(s.tail))
		s.tail = append(s.tail, p[:n]...)
		p = p[n:]
		if cut := s.enc.forced(s.tail, s.seen); cut > 0 {
			s.count(cut)
			continue
		}
		// The last character may be cut in two, and counts with what follows it.
		s.seen = max(0, len(s.tail)-2*utf8.UTFMax)
		if len(s.tail) == maxTail {
			s.short = true
			s.count(wholeRunes(s.tail))
		}
	}
}

// finish returns the sum. whole is false when the text was cut where it should not be.
func (s *stream) finish() (n int64, whole bool) {
	s.count(len(s.tail))
	return s.n, !s.short
}

// count counts the first bytes of the tail and drops them.
func (s *stream) count(end int) {
	n, whole := s.enc.count(string(s.tail[:end]))
	s.n += n
	s.short = s.short || !whole
	s.tail = s.tail[:copy(s.tail, s.tail[end:])]
	s.seen = 0
}

// wholeRunes returns how much of text is left without a character that its end cuts.
func wholeRunes(text []byte) int {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if !utf8.RuneStart(text[i]) {
			continue
		}
		if !utf8.FullRune(text[i:]) {
			return i
		}
		break
	}
	return len(text)
}

// forced returns the last place after from at which the text is cut whatever
// surrounds it, 0 when there is none. By the expressions of all vocabularies no
// piece goes across, and none depends on what is on its other side:
//
//	what is not blank | a blank that is no line break
//	a number          | what is none
//	a letter          | a number
//	a letter          | a symbol, but for the apostrophe and marks
func (e *encoding) forced(text []byte, from int) int {
	e.once.Do(e.load)
	for i := len(text) - 1; i > from; i-- {
		if !utf8.RuneStart(text[i]) {
			continue
		}
		right, n := utf8.DecodeRune(text[i:])
		if right == utf8.RuneError && n < 3 { // not a character, or not all of it yet
			continue
		}
		left, n := utf8.DecodeLastRune(text[:i])
		if left == utf8.RuneError && n < 3 {
			continue
		}
		if severed(e.class.of(left), e.class.of(right), right) {
			return i
		}
	}
	return 0
}

// severed says whether a text is always cut between two characters of these classes.
func severed(left, right class, r rune) bool {
	switch {
	case right&space != 0:
		return left&space == 0 && right&newline == 0
	case left&number != 0:
		return right&number == 0
	case left&letter != 0:
		return right&number != 0 || right&(bare|word) == 0 && r != '\''
	}
	return false
}
