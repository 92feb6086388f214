package jsonwalk

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/spanwire/spanwire/internal/canon"
)

// Inner returns what stands between the quotes of a JSON string, still escaped.
// A string that was cut off gives its beginning, anything else nothing. val is a value
// as the walks give it: no longer than the string.
func Inner(val []byte) []byte {
	if len(val) == 0 || val[0] != '"' {
		return nil
	}
	last := len(val) - 1
	if last > 0 && val[last] == '"' && escapes(val[:last])%2 == 0 {
		return val[1:last]
	}
	return val[1:]
}

// escapes counts the backslashes that b ends in.
func escapes(b []byte) (n int) {
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n
}

// Str reads a JSON string; anything else gives "".
func Str(val []byte) string { return Unescape(Inner(val)) }

// Unescape reads the inside of a JSON string. An escape that was cut off at the
// end is left out, a lone surrogate becomes U+FFFD.
func Unescape(raw []byte) string {
	i := bytes.IndexByte(raw, '\\')
	if i < 0 {
		return string(raw)
	}
	return view(appendText(make([]byte, 0, len(raw)), raw, i))
}

// Word reads a JSON string that is a short text and comes again with every call, as
// the name of a model does: it need not cost memory. Anything else gives "".
func Word(val []byte) string { return WordOf(Inner(val)) }

// WordOf reads the inside of such a string.
func WordOf(raw []byte) string {
	if len(raw) > canon.MaxText || bytes.IndexByte(raw, '\\') >= 0 {
		return Unescape(raw)
	}
	return canon.Text(raw)
}

// AnyWord is WordOf in an interface.
func AnyWord(raw []byte) any {
	if len(raw) > canon.MaxText || bytes.IndexByte(raw, '\\') >= 0 {
		return Unescape(raw)
	}
	return canon.Any(raw)
}

// view is b as a string, for memory that nobody will write to again.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// appendText appends what the inside of a JSON string stands for, which is never
// longer: dst has room for it. i is where its first backslash is.
func appendText(dst, raw []byte, i int) []byte {
	raw = trimEscape(raw)
	i = min(i, len(raw))
	dst = append(dst, raw[:i]...)
	raw = raw[i:]
	out, n := dst[len(dst):len(dst)+len(raw)], 0
	for i = 0; i < len(raw); {
		// Eight bytes at a time, copied first and looked at then: the next escape is
		// near, mostly, and a call for each would cost more than all else.
		for i+8 <= len(raw) && n+8 <= len(out) {
			word := binary.LittleEndian.Uint64(raw[i : i+8])
			binary.LittleEndian.PutUint64(out[n:n+8], word)
			x := word ^ '\\'*ones // a backslash is 0 now
			if found := (x - ones) &^ x & highs; found != 0 {
				at := bits.TrailingZeros64(found) >> 3
				i += at
				n += at
				break
			}
			i += 8
			n += 8
		}
		if i < len(raw) && raw[i] != '\\' {
			out[n] = raw[i] // one of the last seven
			n++
			i++
			continue
		}
		if i < len(raw) {
			n, i = unescape(out, n, raw, i)
		}
	}
	return dst[:len(dst)+n]
}

const ones, highs = 0x0101010101010101, 0x8080808080808080

// plainEscapes are the escapes of two bytes; a 0 is none of them.
var plainEscapes = [256]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f', '"': '"', '\\': '\\', '/': '/'}

// unescape writes what the escape at raw[i] stands for to out[n:], and returns where
// both go on. Of one that JSON does not know the backslash is left out.
func unescape(out []byte, n int, raw []byte, i int) (int, int) {
	if i+1 >= len(raw) {
		return n, len(raw)
	}
	c := raw[i+1]
	if p := plainEscapes[c]; p != 0 {
		out[n] = p
		return n + 1, i + 2
	}
	r, ok := rune16(raw[i:])
	if !ok {
		out[n] = c
		return n + 1, i + 2
	}
	i += unicodeEscape
	if utf16.IsSurrogate(r) {
		if low, ok := rune16(raw[i:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
			r = utf16.DecodeRune(r, low)
			i += unicodeEscape
		}
	}
	return len(utf8.AppendRune(out[:n], r)), i // a surrogate becomes U+FFFD
}

const unicodeEscape = len(`\uXXXX`)

// nibbles are the values of hexadecimal digits; 0xff is none.
var nibbles = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = byte(i)
	}
	for i, c := range []byte("ABCDEF") {
		t[c] = byte(10 + i)
	}
	return t
}()

// rune16 reads the \uXXXX that raw begins with.
func rune16(raw []byte) (r rune, ok bool) {
	if len(raw) < unicodeEscape || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	a, b, c, d := nibbles[raw[2]], nibbles[raw[3]], nibbles[raw[4]], nibbles[raw[5]]
	return rune(a)<<12 | rune(b)<<8 | rune(c)<<4 | rune(d), (a|b|c|d)&0xf0 == 0
}

// trimEscape takes an incomplete escape off the end.
func trimEscape(raw []byte) []byte {
	for k := 1; k <= 5 && k <= len(raw); k++ {
		at := len(raw) - k
		if raw[at] != '\\' {
			continue
		}
		if escapes(raw[:at])%2 == 0 && (k == 1 || raw[at+1] == 'u') {
			return raw[:at]
		}
		return raw // the backslash is itself escaped, or the escape is whole
	}
	return raw
}
