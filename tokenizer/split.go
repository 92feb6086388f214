package tokenizer

// A splitter cuts a text into the pieces that are encoded apart. It returns where
// the piece that starts at i ends; i is less than len(s), and s is valid UTF-8.
//
// The three splitters read, by hand, the regular expressions that the vocabularies
// were published with. Each looks at a character a bounded number of times, so the
// work is linear in the text.
type splitter func(c *classes, s string, i int) int

// splitO200K reads:
//
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	\p{N}{1,3}
//	 ?[^\s\p{L}\p{N}]+[\r\n/]*
//	\s*[\r\n]+
//	\s+(?!\S)
//	\s+
func splitO200K(c *classes, s string, i int) int {
	k, n := c.at(s, i)
	if k&number != 0 {
		return digits(c, s, i)
	}
	// The prefix may be a mark, which may also be of the word itself: with the
	// prefix goes first, and the first form of a word before the second.
	behind := 0 // end of the second form after a prefix
	if j := i + n; k&firm == 0 && j < len(s) {
		if next, _ := c.at(s, j); next&word != 0 {
			end, upperEnd := cased(c, s, j)
			if end > 0 {
				return end + contraction(s, end, true)
			}
			behind = upperEnd
		}
	}
	if k&word != 0 {
		end, upperEnd := cased(c, s, i)
		if end == 0 && behind == 0 {
			behind = upperEnd
		}
		if end > 0 {
			return end + contraction(s, end, true)
		}
	}
	if behind > 0 {
		return behind + contraction(s, behind, true)
	}
	if end := symbols(c, s, i, k); end > 0 {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n' || s[end] == '/') {
			end++
		}
		return end
	}
	return blanks(c, s, i, true)
}

// cased reads the first form of a word: upper-case letters, then at least one
// lower-case; caseless letters and marks count as both, so that without a
// lower-case letter the word ends after the last caseless one. end is 0 when there
// is none; upperEnd is then where the second form ends.
func cased(c *classes, s string, i int) (end, upperEnd int) {
	caseless := 0
	for i < len(s) {
		k, n := c.at(s, i)
		if k&upper == 0 {
			if k&lower != 0 {
				return c.run(s, i, lower), 0
			}
			break
		}
		i += n
		if k&lower != 0 {
			caseless = i
		}
	}
	return caseless, i
}

// splitCL100K reads:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)
//	[^\r\n\p{L}\p{N}]?\p{L}+
//	\p{N}{1,3}
//	 ?[^\s\p{L}\p{N}]+[\r\n]*
//	\s*[\r\n]+
//	\s+(?!\S)
//	\s+
func splitCL100K(c *classes, s string, i int) int {
	if n := contraction(s, i, true); n > 0 {
		return i + n
	}
	k, n := c.at(s, i)
	if k&letter != 0 {
		return c.run(s, i, letter)
	}
	if k&number != 0 {
		return digits(c, s, i)
	}
	if j := i + n; k&firm == 0 && j < len(s) {
		if next, _ := c.at(s, j); next&letter != 0 {
			return c.run(s, j, letter)
		}
	}
	if end := symbols(c, s, i, k); end > 0 {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n') {
			end++
		}
		return end
	}
	return blanks(c, s, i, true)
}

// splitGPT2 reads, for p50k_base and r50k_base:
//
//	'(?:[sdmt]|ll|ve|re)
//	 ?\p{L}+
//	 ?\p{N}+
//	 ?[^\s\p{L}\p{N}]+
//	\s+(?!\S)
//	\s+
func splitGPT2(c *classes, s string, i int) int {
	if n := contraction(s, i, false); n > 0 {
		return i + n
	}
	j := i
	if s[i] == ' ' && i+1 < len(s) {
		j = i + 1
	}
	switch k, _ := c.at(s, j); {
	case k&letter != 0:
		return c.run(s, j, letter)
	case k&number != 0:
		return c.run(s, j, number)
	case k&space == 0:
		return c.runWithout(s, j, bare)
	}
	return blanks(c, s, i, false)
}

// digits reads up to three numbers.
func digits(c *classes, s string, i int) int {
	for range 3 {
		if i == len(s) {
			break
		}
		k, n := c.at(s, i)
		if k&number == 0 {
			break
		}
		i += n
	}
	return i
}

// symbols reads one space at most and then what is neither blank nor letter nor
// number; 0 when there is none. k is the class at i.
func symbols(c *classes, s string, i int, k class) int {
	if s[i] == ' ' && i+1 < len(s) {
		i++
		k, _ = c.at(s, i)
	}
	if k&bare != 0 {
		return 0
	}
	return c.runWithout(s, i, bare)
}

// blanks reads a run of white space: up to its last line break where those count,
// else all of it but for one blank that the next word takes.
func blanks(c *classes, s string, i int, breaks bool) int {
	end, last, lineEnd := i, i, 0
	for end < len(s) {
		k, n := c.at(s, end)
		if k&space == 0 {
			break
		}
		last = end
		end += n
		if k&newline != 0 {
			lineEnd = end
		}
	}
	switch {
	case breaks && lineEnd > 0:
		return lineEnd
	case end == len(s) || last == i:
		return end
	}
	return last
}

// contraction returns how long 's, 't, 're, 've, 'm, 'll or 'd at i is, or 0. Folded,
// it is read without case, by which the long s is an s.
func contraction(s string, i int, fold bool) int {
	if i+1 >= len(s) || s[i] != '\'' {
		return 0
	}
	a := s[i+1]
	if fold {
		if a == 0xc5 && i+2 < len(s) && s[i+2] == 0xbf { // U+017F
			return 3
		}
		a = lowerASCII(a)
	}
	switch a {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v', 'l':
	default:
		return 0
	}
	if i+2 >= len(s) {
		return 0
	}
	b := s[i+2]
	if fold {
		b = lowerASCII(b)
	}
	if a == 'l' && b == 'l' || a != 'l' && b == 'e' {
		return 3
	}
	return 0
}

func lowerASCII(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b | 0x20
	}
	return b
}
