package tracing

import (
	"encoding/json"
	"hash/maphash"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// appendText appends s as a JSON string. Bytes that are no UTF-8, and NUL, become
// U+FFFD: protobuf refuses the first, and stores built on PostgreSQL the second.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	foreign := high // what asks for a look at bytes beyond ASCII, until s is known to be UTF-8
	for {
		i := special(s, foreign)
		if i == len(s) {
			dst = append(dst, s...)
			return append(dst, '"')
		}
		if s[i] >= utf8.RuneSelf {
			// What is before i is ASCII: validity is asked once, and only of the rest.
			if foreign = 0; !utf8.ValidString(s[i:]) {
				s = s[:i] + strings.ToValidUTF8(s[i:], "\uFFFD")
			}
			i += special(s[i:], foreign)
			if i == len(s) {
				continue
			}
		}
		dst = append(dst, s[:i]...)
		dst = appendEscape(dst, s[i])
		s = s[i+1:]
	}
}

const ones, high uint64 = 0x0101010101010101, 0x8080808080808080

// special returns where the first byte of s is that needs an escape or, with foreign
// as high, is not ASCII; the length of s when there is none. It looks at eight bytes
// at a time: one that is to be found has its highest bit set in found. (So may bytes
// behind it, by a borrow.)
func special(s string, foreign uint64) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := s[i : i+8]
		x := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		// Controls and the quote: with one bit turned they are the bytes below 0x21.
		low, slash := x^ones*2, x^ones*'\\'
		found := (low-ones*0x21)&^low | (slash-ones)&^slash | x&foreign
		if found &= high; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf && foreign != 0 {
			break
		}
	}
	return i
}

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case 0:
		return append(dst, "\uFFFD"...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// maxNesting bounds how deep foreign JSON may nest when it goes into a message
// as it is: recursive readers of traces give up near a thousand.
const maxNesting = 100

// objects remembers which foreign JSON texts were found to be objects. Agents
// send the same tool schemas with each call, and checking 20 KB costs a hundred
// times what hashing it costs. Not safe for concurrent use.
type objects struct {
	seed maphash.Seed
	seen map[uint64]bool
}

const (
	maxSeenObjects = 4096
	minSeenObject  = 256 // below it, checking is as cheap as looking up
)

func newObjects() *objects {
	return &objects{seed: maphash.MakeSeed(), seen: map[uint64]bool{}}
}

// is says whether s is one JSON object that may stand inside a message as it is.
func (o *objects) is(s string) bool {
	if len(s) < minSeenObject {
		return isObject(s)
	}
	h := maphash.String(o.seed, s)
	ok, seen := o.seen[h]
	if !seen {
		if len(o.seen) >= maxSeenObjects {
			clear(o.seen)
		}
		ok = isObject(s)
		o.seen[h] = ok
	}
	return ok
}

func isObject(s string) bool {
	t := strings.TrimLeft(s, " \t\r\n")
	return t != "" && t[0] == '{' && utf8.ValidString(s) && shallow(s) &&
		!strings.Contains(s, `\u0000`) && json.Valid([]byte(s))
}

// shallow says whether brackets outside of strings nest at most maxNesting deep.
func shallow(s string) bool {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

// cleanText returns s as valid UTF-8 without NUL and of at most limit bytes.
func cleanText(s string, limit int) string {
	s = cutText(s, limit)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return s
}

// cutText returns at most limit bytes of s, not splitting a character.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := max(limit, 0)
	for back := 0; end > 0 && back < utf8.UTFMax && !utf8.RuneStart(s[end]); back++ {
		end--
	}
	return s[:end]
}
