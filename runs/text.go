package runs

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"hash/maphash"
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// digest stands for a text or a list of digests. The zero digest is that of nothing.
type digest [16]byte

func digestOf(b []byte) digest {
	if len(b) == 0 {
		return digest{}
	}
	sum := sha256.Sum256(b)
	return digest(sum[:16])
}

// chain is the digest of what came so far and one more piece.
func chain(d digest, kind byte, next digest) digest {
	var b [33]byte
	copy(b[:], d[:])
	b[16] = kind
	copy(b[17:], next[:])
	return digestOf(b[:])
}

// marked tells digests of one text apart by what it is.
func (d digest) marked(kind byte) digest {
	d[0] ^= kind
	return d
}

// folded are characters that clients and recorders replace by plainer ones.
var folded = map[rune]rune{
	'‘': '\'', '’': '\'', '‚': '\'', '‛': '\'', '“': '"', '”': '"', '„': '"', '‟': '"',
	'‐': '-', '‑': '-', '‒': '-', '–': '-', '—': '-', '―': '-', '−': '-',
}

// plain appends a text without blanks and without what was thought, in NFKC, with
// plain quotes and dashes. Blanks say nothing here: clients trim, wrap and indent.
func plain(dst []byte, s string) []byte {
	s = withoutThoughts(s)
	at, from := 0, len(dst)
	for ; at < len(s) && s[at] < utf8.RuneSelf; at++ {
		if c := s[at]; c > ' ' {
			dst = append(dst, c)
		}
	}
	if at == len(s) {
		return dst
	}
	// A mark that follows an ASCII letter composes with it: start one before.
	if at > 0 && len(dst) > from && s[at-1] > ' ' {
		at--
		dst = dst[:len(dst)-1]
	}
	for _, r := range norm.NFKC.String(s[at:]) {
		if unicode.IsSpace(r) {
			continue
		}
		if f, ok := folded[r]; ok {
			r = f
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// timeless is plain with every time of day in the place of which is one character.
func timeless(dst []byte, s string) []byte {
	from := len(dst)
	dst = plain(dst, s)
	out := dst[:from]
	for i := from; i < len(dst); i++ {
		if !digit(dst, i) {
			out = append(out, dst[i])
			continue
		}
		end, clock := i, false
		for end < len(dst) && (digit(dst, end) || digit(dst, end-1) && digit(dst, end+1) && strings.IndexByte(":.-/T", dst[end]) >= 0) {
			clock = clock || dst[end] == ':'
			end++
		}
		if !clock {
			out = append(out, dst[i:end]...)
		} else if out = append(out, '0'); end+1 < len(dst) && dst[end+1]|0x20 == 'm' && (dst[end]|0x20 == 'a' || dst[end]|0x20 == 'p') {
			end += 2
		}
		i = end - 1
	}
	return out
}

func digit(b []byte, i int) bool { return i < len(b) && '0' <= b[i] && b[i] <= '9' }

const thinkOpen, thinkEnd = "<think>", "</think>"

// withoutThoughts takes out <think>…</think>: some clients send back only the rest.
func withoutThoughts(s string) string {
	if !strings.Contains(s, thinkEnd) {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, thinkOpen)
		if i < 0 {
			break
		}
		j := strings.Index(s[i:], thinkEnd)
		if j < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i+j+len(thinkEnd):]
	}
	b.WriteString(s)
	return b.String()
}

// canonical appends the arguments of a tool call as JSON with sorted keys and
// numbers by value; what is no JSON, as a text.
func canonical(dst []byte, s string) []byte {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return plain(dst, s)
	}
	switch empty := v.(type) {
	case nil:
		return append(dst, "{}"...)
	case string: // JSON within a string: some clients send arguments so
		if strings.HasPrefix(strings.TrimSpace(empty), "{") && json.Valid([]byte(empty)) {
			return canonical(dst, empty)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(byValue(v)) != nil {
		return plain(dst, s)
	}
	return plain(dst, b.String())
}

// byValue makes numbers that are equal the same text: 1.0 and 1, 1e2 and 100.
func byValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		// An exponent may stand for a number of any length: it stays as it is written.
		if len(v) > 32 || strings.ContainsAny(string(v), "eE") {
			if f, err := v.Float64(); err == nil && len(v) <= 32 {
				return f
			}
			return v
		}
		if r, ok := new(big.Rat).SetString(string(v)); ok {
			return json.Number(strings.TrimSuffix(strings.TrimRight(trimFraction(r.FloatString(32)), " "), "."))
		}
	case map[string]any:
		for k := range v {
			v[k] = byValue(v[k])
		}
	case []any:
		for i := range v {
			v[i] = byValue(v[i])
		}
	}
	return v
}

func trimFraction(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(s, "0")
}

// memo remembers digests of long texts by a fast hash of them: of a long
// conversation only what is new is worked on. Two generations bound it.
type memo struct {
	seed     maphash.Seed
	now, old map[memoKey]digest
}

type memoKey struct {
	sum  uint64
	size int
	kind byte
}

// Texts of fewer bytes are quicker digested than looked up; JSON never is.
const memoFrom = 48

const (
	memoMost = 1 << 15 // entries of a generation
)

func newMemo() *memo { return &memo{seed: maphash.MakeSeed(), now: map[memoKey]digest{}} }

// of returns the digest of what read makes of s; kind tells different readings apart.
func (m *memo) of(kind byte, s string, read func([]byte, string) []byte) digest {
	if s == "" {
		return digest{}
	}
	if kind != 'j' && len(s) < memoFrom {
		var buf [2 * memoFrom]byte
		return digestOf(read(buf[:0], s))
	}
	key := memoKey{maphash.String(m.seed, s), len(s), kind}
	if d, ok := m.now[key]; ok {
		return d
	}
	d, ok := m.old[key]
	if !ok {
		d = digestOf(read(make([]byte, 0, len(s)), s))
	}
	if len(m.now) >= memoMost {
		m.now, m.old = make(map[memoKey]digest, memoMost), m.now
	}
	m.now[key] = d
	return d
}
