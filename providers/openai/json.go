package openai

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Bodies are read by walking their members in place: no copy, no allocation, no
// recursion (so that nesting cannot hurt), and as far as a body that was cut off
// goes. gjson reads the single values that are found.

// members walks the members of a JSON object.
type members struct {
	b        []byte
	i        int
	key, val []byte // the key between its quotes, as written; the value as written
	cut      bool   // the object ended early; the last value may be incomplete
	bad      bool   // not an object, or not JSON
}

// object starts a walk over the object that b begins with.
func object(b []byte) members {
	i := skipSpace(b, 0)
	if i >= len(b) {
		return members{cut: true}
	}
	if b[i] != '{' {
		return members{bad: true}
	}
	return members{b: b, i: i + 1}
}

// next steps to the next member.
func (m *members) next() bool {
	if m.cut || m.bad || m.b == nil {
		return false
	}
	i := skipSpace(m.b, m.i)
	if i < len(m.b) && m.b[i] == ',' {
		i = skipSpace(m.b, i+1)
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
	end, ok := skipString(m.b, i)
	if !ok {
		return m.stop(true)
	}
	m.key = m.b[i+1 : end-1]
	if i = skipSpace(m.b, end); i >= len(m.b) {
		return m.stop(true)
	}
	if m.b[i] != ':' {
		return m.stop(false)
	}
	if i = skipSpace(m.b, i+1); i >= len(m.b) {
		return m.stop(true)
	}
	end, ok = skipValue(m.b, i)
	if end == i {
		return m.stop(false)
	}
	m.val, m.i, m.cut = m.b[i:end], end, !ok
	return true
}

func (m *members) stop(cut bool) bool {
	m.cut, m.bad = cut, !cut
	return false
}

// whole says that the walk reached the end of the object.
func (m *members) whole() bool { return !m.cut && !m.bad }

// elements walks the elements of a JSON array.
type elements struct {
	b   []byte
	i   int
	val []byte
	cut bool
}

func array(b []byte) elements {
	if len(b) == 0 || b[0] != '[' {
		return elements{}
	}
	return elements{b: b, i: 1}
}

func (e *elements) next() bool {
	if e.b == nil || e.cut {
		return false
	}
	i := skipSpace(e.b, e.i)
	if i < len(e.b) && e.b[i] == ',' {
		i = skipSpace(e.b, i+1)
	}
	if i >= len(e.b) || e.b[i] == ']' {
		e.b = nil
		return false
	}
	end, ok := skipValue(e.b, i)
	if end == i {
		e.b = nil
		return false
	}
	e.val, e.i, e.cut = e.b[i:end], end, !ok
	return true
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipString returns the index behind the string that begins at b[i]; ok is
// false when b ends inside it.
func skipString(b []byte, i int) (end int, ok bool) {
	for j := i + 1; ; {
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

// skipValue returns the index behind the value that begins at b[i]; ok is false
// when b ends inside it. A value that is none gives end == i.
func skipValue(b []byte, i int) (end int, ok bool) {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for j := i; j < len(b); {
			switch b[j] {
			case '"':
				if j, ok = skipString(b, j); !ok {
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

// inner returns what stands between the quotes of a JSON string, still escaped.
// A string that was cut off gives its beginning, anything else nothing.
func inner(val []byte) []byte {
	if len(val) == 0 || val[0] != '"' {
		return nil
	}
	// Values are never longer than a string, so a quote at the end is the one that
	// closes it, unless it is escaped.
	last := len(val) - 1
	n := last
	for n > 0 && val[n-1] == '\\' {
		n--
	}
	if last > 0 && val[last] == '"' && (last-n)%2 == 0 {
		return val[1:last]
	}
	return val[1:]
}

// str reads a JSON string; anything else gives "".
func str(val []byte) string { return unescape(inner(val)) }

// unescape reads the inside of a JSON string. An escape that was cut off at the
// end is left out, a lone surrogate becomes U+FFFD.
func unescape(raw []byte) string {
	i := bytes.IndexByte(raw, '\\')
	if i < 0 {
		return string(raw)
	}
	raw = trimEscape(raw)
	var out strings.Builder
	out.Grow(len(raw))
	for ; i >= 0; i = bytes.IndexByte(raw, '\\') {
		out.Write(raw[:i])
		raw = writeEscape(&out, raw[i:])
	}
	out.Write(raw)
	return out.String()
}

// writeEscape writes what the escape that raw begins with stands for, and returns
// the rest. The backslash of one that JSON does not know is left out.
func writeEscape(out *strings.Builder, raw []byte) []byte {
	if len(raw) < 2 {
		return nil
	}
	switch c := raw[1]; c {
	case 'n':
		out.WriteByte('\n')
	case 't':
		out.WriteByte('\t')
	case 'r':
		out.WriteByte('\r')
	case 'b':
		out.WriteByte('\b')
	case 'f':
		out.WriteByte('\f')
	case 'u':
		r, rest := rune16(raw)
		if utf16.IsSurrogate(r) && len(rest) > 1 && rest[0] == '\\' && rest[1] == 'u' {
			if low, after := rune16(rest); utf16.DecodeRune(r, low) != utf8.RuneError {
				r, rest = utf16.DecodeRune(r, low), after
			}
		}
		out.WriteRune(r) // a surrogate becomes U+FFFD
		return rest
	default:
		out.WriteByte(c)
	}
	return raw[2:]
}

// rune16 reads the \uXXXX that raw begins with; what is none is U+FFFD.
func rune16(raw []byte) (r rune, rest []byte) {
	const length = len(`\uXXXX`)
	if len(raw) < length {
		return utf8.RuneError, nil
	}
	for _, c := range raw[2:length] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return utf8.RuneError, raw[2:]
		}
		r = r<<4 | rune(c)
	}
	return r, raw[length:]
}

// trimEscape takes an incomplete escape off the end.
func trimEscape(raw []byte) []byte {
	for k := 1; k <= 5 && k <= len(raw); k++ {
		if raw[len(raw)-k] != '\\' {
			continue
		}
		n := 0 // backslashes before this one
		for len(raw)-k-n-1 >= 0 && raw[len(raw)-k-n-1] == '\\' {
			n++
		}
		if n%2 == 1 {
			return raw // this one is itself escaped
		}
		if k == 1 || raw[len(raw)-k+1] == 'u' {
			return raw[:len(raw)-k]
		}
		return raw
	}
	return raw
}

// isNull says whether a value is absent or null.
func isNull(val []byte) bool { return len(val) == 0 || string(val) == "null" }

// isObject says whether a value is an object.
func isObject(val []byte) bool { return len(val) > 0 && val[0] == '{' }

// empty says whether a value carries nothing: absent, null, "", [] or {}.
func empty(val []byte) bool {
	if len(val) < 2 {
		return true
	}
	switch val[0] {
	case 'n':
		return true
	case '"':
		return val[1] == '"'
	case '[':
		i := skipSpace(val, 1)
		return i < len(val) && val[i] == ']'
	case '{':
		i := skipSpace(val, 1)
		return i < len(val) && val[i] == '}'
	}
	return false
}

// member returns the value of one member of an object, nil when there is none.
func member(obj []byte, key string) []byte {
	for m := object(obj); m.next(); {
		if string(m.key) == key {
			return m.val
		}
	}
	return nil
}

// clip cuts a text to at most n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
