// Package jsonwalk reads JSON that passes by: in place, without copies, without
// recursion (so that nesting cannot hurt), and as far as a text that was cut off goes.
// Values are slices of what was given.
//
// [Members] and [Elements] walk one object or array and give each value whole; a
// value that is walked in its turn is looked at twice. A [Cursor] goes through nested
// values in one pass, which is what large bodies are read with. [Texts] makes strings
// of what was found.
package jsonwalk

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Members walks the members of a JSON object.
type Members struct {
	b        []byte
	i        int
	Key, Val []byte // the key between its quotes, as written; the value as written
	cut      bool   // the object ended early; the last value may be incomplete
	bad      bool   // not an object, or not JSON
}

// Object starts a walk over the object that b begins with.
func Object(b []byte) Members {
	i := SkipSpace(b, 0)
	if i >= len(b) {
		return Members{cut: true}
	}
	if b[i] != '{' {
		return Members{bad: true}
	}
	return Members{b: b, i: i + 1}
}

// Next steps to the next member.
func (m *Members) Next() bool {
	if m.cut || m.bad || m.b == nil {
		return false
	}
	i := SkipSpace(m.b, m.i)
	if i < len(m.b) && m.b[i] == ',' {
		i = SkipSpace(m.b, i+1)
	}
	if i >= len(m.b) {
		return m.stop(true)
	}
	switch m.b[i] {
	case '}':
		m.i, m.b = i+1, nil
		return false
	case '"':
	default:
		return m.stop(false)
	}
	end, ok := SkipString(m.b, i)
	if !ok {
		return m.stop(true)
	}
	m.Key = m.b[i+1 : end-1]
	if i = SkipSpace(m.b, end); i >= len(m.b) {
		return m.stop(true)
	}
	if m.b[i] != ':' {
		return m.stop(false)
	}
	if i = SkipSpace(m.b, i+1); i >= len(m.b) {
		return m.stop(true)
	}
	end, ok = SkipValue(m.b, i)
	if end == i {
		return m.stop(false)
	}
	m.Val, m.i, m.cut = m.b[i:end], end, !ok
	return true
}

func (m *Members) stop(cut bool) bool {
	m.cut, m.bad = cut, !cut
	return false
}

// Whole says that the walk reached the end of the object.
func (m *Members) Whole() bool { return !m.cut && !m.bad }

// Bad says that what was walked is no JSON object, as opposed to one that was cut off.
func (m *Members) Bad() bool { return m.bad }

// End returns where the walk stands in what was given: once it is over, behind the
// object.
func (m *Members) End() int { return m.i }

// Elements walks the elements of a JSON array.
type Elements struct {
	b   []byte
	i   int
	Val []byte
	cut bool
}

// Array starts a walk over the array that b begins with; there are no elements when
// it begins with anything else.
func Array(b []byte) Elements {
	if len(b) == 0 || b[0] != '[' {
		return Elements{}
	}
	return Elements{b: b, i: 1}
}

// Next steps to the next element.
func (e *Elements) Next() bool {
	if e.b == nil || e.cut {
		return false
	}
	i := SkipSpace(e.b, e.i)
	if i < len(e.b) && e.b[i] == ',' {
		i = SkipSpace(e.b, i+1)
	}
	if i >= len(e.b) || e.b[i] == ']' {
		e.b = nil
		return false
	}
	end, ok := SkipValue(e.b, i)
	if end == i {
		e.b = nil
		return false
	}
	e.Val, e.i, e.cut = e.b[i:end], end, !ok
	return true
}

// SkipSpace returns the index of the first byte from b[i] on that is no blank.
func SkipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// SkipString returns the index behind the string that begins at b[i]; ok is
// false when b ends inside it.
func SkipString(b []byte, i int) (end int, ok bool) {
	for j := i + 1; ; {
		// Most strings are keys and words, and where one quote is escaped others are
		// near: a call would cost more than looking, at eight bytes at a time.
		for near := min(len(b)-8, j+nearQuote); j <= near; {
			word := binary.LittleEndian.Uint64(b[j : j+8])
			quote, slash := word^ones*'"', word^ones*'\\'
			found := ((quote-ones)&^quote | (slash-ones)&^slash) & highs
			if found == 0 {
				j += 8
				continue
			}
			j += bits.TrailingZeros64(found) >> 3
			if b[j] == '"' {
				return j + 1, true
			}
			j += 2
		}
		if j > len(b) {
			return len(b), false
		}
		k := bytes.IndexByte(b[j:], '"')
		if k < 0 {
			return len(b), false
		}
		j += k
		n := 0
		for b[j-1-n] == '\\' {
			n++
		}
		if j++; n%2 == 0 {
			return j, true
		}
	}
}

// nearQuote is how far the end of a string is looked for without a call.
const nearQuote = 64

// SkipValue returns the index behind the value that begins at b[i]; ok is false
// when b ends inside it. A value that is none gives end == i.
func SkipValue(b []byte, i int) (end int, ok bool) {
	switch b[i] {
	case '"':
		return SkipString(b, i)
	case '{', '[':
		depth := 0
		for j := i; j < len(b); {
			switch b[j] {
			case '"':
				if j, ok = SkipString(b, j); !ok {
					return j, false
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return j + 1, true
				}
			}
			j++
		}
		return len(b), false
	}
	for j := i; j < len(b); j++ {
		switch b[j] {
		case ',', '}', ']', ' ', '\n', '\r', '\t', ':', '"', '{', '[':
			return j, true
		}
	}
	return len(b), false
}

// IsNull says whether a value is absent or null.
func IsNull(val []byte) bool { return len(val) == 0 || string(val) == "null" }

// IsObject says whether a value is an object.
func IsObject(val []byte) bool { return len(val) > 0 && val[0] == '{' }

// Empty says whether a value carries nothing: absent, null, "", [] or {}.
func Empty(val []byte) bool {
	if len(val) < 2 {
		return true
	}
	switch val[0] {
	case 'n':
		return true
	case '"':
		return val[1] == '"'
	case '[':
		i := SkipSpace(val, 1)
		return i < len(val) && val[i] == ']'
	case '{':
		i := SkipSpace(val, 1)
		return i < len(val) && val[i] == '}'
	}
	return false
}

// Member returns the value of one member of an object, nil when there is none.
func Member(obj []byte, key string) []byte {
	for m := Object(obj); m.Next(); {
		if string(m.Key) == key {
			return m.Val
		}
	}
	return nil
}

// Clip cuts a text to at most n bytes, between characters.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
