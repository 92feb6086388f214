package openai

import "bytes"

// skeleton takes the vectors out of an embeddings answer while it passes: a body
// of megabytes leaves its frame, which is some dozen bytes a vector. It counts
// the vectors and the dimensions of the first.
type skeleton struct {
	out bounded

	key     []byte // the string at hand, if it may be a key; bounded
	inStr   bool
	escaped bool
	colon   bool // the key "embedding" and its colon were read
	isKey   bool // the key at hand is "embedding"

	skip    byte // '[' or '"': inside a vector of that form
	depth   int
	commas  int
	chars   int
	numbers bool // the array has any element

	vectors, dimensions int
	text                bool // the vectors are base64: dimensions holds if it is of floats
}

func (s *skeleton) add(p []byte) {
	for len(p) > 0 {
		switch s.skip {
		case '[':
			p = s.skipArray(p)
		case '"':
			p = s.skipText(p)
		default:
			p = s.pass(p)
		}
	}
}

// pass copies up to the beginning of the next vector, including it.
func (s *skeleton) pass(p []byte) []byte {
	for i, c := range p {
		if s.inStr {
			s.string(c)
			continue
		}
		switch c {
		case ' ', '\n', '\r', '\t':
			continue
		case '"', '[':
			if s.colon {
				s.colon = false
				s.skip, s.depth, s.commas, s.chars, s.numbers, s.escaped = c, 1, 0, 0, false, false
				s.out.add(p[:i+1])
				return p[i+1:]
			}
			if c == '"' {
				s.inStr, s.escaped, s.key = true, false, s.key[:0]
			}
		case ':':
			s.colon = s.isKey
			s.isKey = false
			continue
		}
		s.colon, s.isKey = false, false
	}
	s.out.add(p)
	return nil
}

// string takes one byte of a string outside of vectors.
func (s *skeleton) string(c byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case c == '\\':
		s.escaped = true
	case c == '"':
		s.inStr = false
		s.isKey = string(s.key) == "embedding"
		return
	}
	if len(s.key) <= len("embedding") {
		s.key = append(s.key, c)
	}
}

// skipArray passes over numbers.
func (s *skeleton) skipArray(p []byte) []byte {
	n := bytes.IndexAny(p, "[]")
	part := p
	if n >= 0 {
		part = p[:n]
	}
	if s.depth == 1 {
		s.commas += bytes.Count(part, []byte(","))
		s.numbers = s.numbers || len(bytes.TrimSpace(part)) > 0
	}
	if n < 0 {
		return nil
	}
	if p[n] == '[' {
		s.depth++
		s.numbers = true
		return p[n+1:]
	}
	if s.depth--; s.depth > 0 {
		return p[n+1:]
	}
	size := s.commas
	if s.numbers {
		size++
	}
	s.vector(size)
	return p[n:] // the bracket stays
}

// skipText passes over base64.
func (s *skeleton) skipText(p []byte) []byte {
	if s.escaped {
		s.escaped = false
		s.chars++
		return p[1:]
	}
	n := bytes.IndexByte(p, '"')
	part := p
	if n >= 0 {
		part = p[:n]
	}
	if k := bytes.IndexByte(part, '\\'); k >= 0 {
		s.chars += k
		s.escaped = true
		return p[k+1:]
	}
	s.chars += len(part)
	if n < 0 {
		return nil
	}
	s.text = true
	// Four characters are three bytes, four bytes a float.
	s.vector(s.chars * 3 / 4 / 4)
	s.inStr, s.key = true, s.key[:0] // pass meets the quote that closes it
	return p[n:]
}

func (s *skeleton) vector(size int) {
	if s.vectors++; s.vectors == 1 {
		s.dimensions = size
	}
	s.skip = 0
}
