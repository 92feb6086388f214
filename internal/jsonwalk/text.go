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

// shortText is how far a string is looked through byte by byte.
const shortText = 24

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
	for i >= 0 && i < len(raw) {
		dst = append(dst, raw[:i]...)
		dst, raw = appendEscape(dst, raw[i:])
		// The next one is near, mostly: two calls for each would cost more than all
		// else.
		near := 0
		for i = -1; near < nearEscape && len(raw)-near >= 8 && cap(dst)-len(dst) >= 8; near += 8 {
			word := binary.LittleEndian.Uint64(raw[near:])
			n := len(dst)
			binary.LittleEndian.PutUint64(dst[n:n+8], word)
			if at := backslash(word); at < 8 {
				dst, raw, i = dst[:n+at], raw[near+at:], 0
				break
			}
			dst = dst[:n+8]
		}
		if i < 0 {
			raw = raw[near:]
			i = bytes.IndexByte(raw, '\\')
		}
	}
	return append(dst, raw...)
}

const nearEscape = 128

// backslash returns which byte of a word is the first backslash; 8 when none is.
func backslash(word uint64) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	x := word ^ '\\'*ones // the byte is 0 now
	return bits.TrailingZeros64((x-ones)&^x&highs) / 8
}

// plainEscapes are the escapes of two bytes; a 0 is none of them.
var plainEscapes = [256]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f', '"': '"', '\\': '\\', '/': '/'}

// appendEscape appends what the escape that raw begins with stands for, and returns
// the rest. The backslash of one that JSON does not know is left out.
func appendEscape(dst, raw []byte) (out, rest []byte) {
	if len(raw) < 2 {
		return dst, nil
	}
	c := raw[1]
	if p := plainEscapes[c]; p != 0 {
		return append(dst, p), raw[2:]
	}
	if c != 'u' {
		return append(dst, c), raw[2:]
	}
	r, rest := rune16(raw)
	if r < utf8.RuneSelf {
		return append(dst, byte(r)), rest
	}
	if utf16.IsSurrogate(r) && len(rest) > 1 && rest[0] == '\\' && rest[1] == 'u' {
		if low, after := rune16(rest); utf16.DecodeRune(r, low) != utf8.RuneError {
			r, rest = utf16.DecodeRune(r, low), after
		}
	}
	return utf8.AppendRune(dst, r), rest // a surrogate becomes U+FFFD
}

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

// rune16 reads the \uXXXX that raw begins with; what is none is U+FFFD.
func rune16(raw []byte) (r rune, rest []byte) {
	const length = len(`\uXXXX`)
	if len(raw) < length {
		return utf8.RuneError, nil
	}
	a, b, c, d := nibbles[raw[2]], nibbles[raw[3]], nibbles[raw[4]], nibbles[raw[5]]
	if (a|b|c|d)&0xf0 != 0 {
		return utf8.RuneError, raw[2:]
	}
	return rune(a)<<12 | rune(b)<<8 | rune(c)<<4 | rune(d), raw[length:]
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
