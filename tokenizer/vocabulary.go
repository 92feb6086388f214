package tokenizer

import (
	"bytes"
	"compress/flate"
	"embed"
	"fmt"
)

// The vocabularies, each token as the pair of tokens that it is merged from. They
// are written by TestVocabularies -update from the published files.
//
//go:embed vocabularies/*.bin
var vocabularyFiles embed.FS

// none stands for no token.
const none = ^uint32(0)

// vocabulary is a set of tokens in the form that texts are encoded with. The id of
// a token is its rank: of two merges, that with the lower id is made first. It is
// read-only once it is loaded.
type vocabulary struct {
	bytes    [256]uint32
	bytePair []uint32 // by two bytes: the token of both, or none

	// Whole pieces of up to 7 bytes, by the bytes and their number in one word.
	short words
	// Longer ones, by their bytes: slots hold id+1.
	long  []uint32
	arena []byte
	offs  []uint32

	pairs words // by left<<32 | right
}

// words is a map from words to tokens by open addressing.
type words struct {
	keys  []uint64
	ids   []uint32
	shift uint
}

const mix = 0x9E3779B97F4A7C15

func newWords(n int) words {
	bits := uint(4)
	for 1<<bits < n*2 {
		bits++
	}
	w := words{keys: make([]uint64, 1<<bits), ids: make([]uint32, 1<<bits), shift: 64 - bits}
	for i := range w.ids {
		w.ids[i] = none
	}
	return w
}

func (w *words) put(k uint64, id uint32) {
	at := k * mix >> w.shift
	for w.ids[at] != none {
		at = (at + 1) & uint64(len(w.ids)-1)
	}
	w.keys[at], w.ids[at] = k, id
}

func (w *words) get(k uint64) uint32 {
	mask := uint64(len(w.ids) - 1)
	for at := k * mix >> w.shift; ; at = (at + 1) & mask {
		id := w.ids[at&mask]
		if id == none || w.keys[at&mask] == k {
			return id
		}
	}
}

// Columns of a vocabulary file: three bytes of the left id, three of the right, each
// for all tokens, which packs better than token by token. A single byte has itself
// on the left and mark on the right; an id that is not used has mark on the left.
const (
	columns = 6
	mark    = 0xffffff
)

// loadVocabulary reads the first size tokens of an embedded file; 0 reads them all.
func loadVocabulary(file string, size int) (*vocabulary, error) {
	packed, err := vocabularyFiles.ReadFile("vocabularies/" + file + ".bin")
	if err != nil {
		return nil, err
	}
	var unpacked bytes.Buffer
	unpacked.Grow(2 * len(packed))
	if _, err := unpacked.ReadFrom(flate.NewReader(bytes.NewReader(packed))); err != nil {
		return nil, fmt.Errorf("unpack vocabulary %s: %w", file, err)
	}
	raw := unpacked.Bytes()
	n := len(raw) / columns
	if len(raw)%columns != 0 || size > n {
		return nil, fmt.Errorf("vocabulary %s has %d bytes", file, len(raw))
	}
	at := func(col, i int) uint32 {
		return uint32(raw[col*n+i]) | uint32(raw[(col+1)*n+i])<<8 | uint32(raw[(col+2)*n+i])<<16
	}
	if size == 0 {
		size = n
	}
	v := newVocabulary(size)
	for id := range size {
		if err := v.add(uint32(id), at(0, id), at(3, id)); err != nil {
			return nil, fmt.Errorf("vocabulary %s: %w", file, err)
		}
	}
	v.index()
	return v, nil
}

func newVocabulary(size int) *vocabulary {
	v := &vocabulary{bytePair: make([]uint32, 1<<16), pairs: newWords(size), arena: make([]byte, 0, size*8), offs: make([]uint32, 1, size+1)}
	for i := range v.bytePair {
		v.bytePair[i] = none
	}
	for i := range v.bytes {
		v.bytes[i] = none
	}
	return v
}

func (v *vocabulary) add(id, left, right uint32) error {
	switch {
	case left == mark:
	case right == mark && left < 256:
		v.arena = append(v.arena, byte(left))
		v.bytes[left] = id
	case left >= id || right >= id:
		return fmt.Errorf("token %d is made of %d and %d", id, left, right)
	default:
		v.arena = append(append(v.arena, v.token(left)...), v.token(right)...)
		v.pairs.put(uint64(left)<<32|uint64(right), id)
	}
	v.offs = append(v.offs, uint32(len(v.arena)))
	return nil
}

// index makes the tables of whole pieces.
func (v *vocabulary) index() {
	n := len(v.offs) - 1
	shorts := 0
	for id := range n {
		if v.offs[id+1]-v.offs[id] < 8 {
			shorts++
		}
	}
	v.short = newWords(shorts)
	size := 16
	for size < (n-shorts)*2 {
		size *= 2
	}
	v.long = make([]uint32, size)
	for id := range uint32(n) {
		t := v.token(id)
		switch {
		case len(t) == 0:
		case len(t) < 8:
			v.short.put(shortKey(string(t)), id)
			if len(t) == 2 {
				v.bytePair[uint(t[0])<<8|uint(t[1])] = id
			}
		default:
			at := longHash(string(t)) & uint64(size-1)
			for v.long[at] != 0 {
				at = (at + 1) & uint64(size-1)
			}
			v.long[at] = id + 1
		}
	}
}

func (v *vocabulary) token(id uint32) []byte { return v.arena[v.offs[id]:v.offs[id+1]] }

// whole returns the token of a whole piece, or none.
func (v *vocabulary) whole(s string) uint32 {
	if len(s) < 8 {
		return v.short.get(shortKey(s))
	}
	mask := uint64(len(v.long) - 1)
	for at := longHash(s) & mask; ; at = (at + 1) & mask {
		id := v.long[at]
		if id == 0 {
			return none
		}
		if string(v.token(id-1)) == s {
			return id - 1
		}
	}
}

// shortKey packs up to seven bytes and their number.
func shortKey(s string) uint64 {
	k := uint64(len(s)) << 56
	switch len(s) {
	case 7:
		return k | uint64(le32(s)) | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48
	case 6:
		return k | uint64(le32(s)) | uint64(s[4])<<32 | uint64(s[5])<<40
	case 5:
		return k | uint64(le32(s)) | uint64(s[4])<<32
	case 4:
		return k | uint64(le32(s))
	case 3:
		return k | uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16
	case 2:
		return k | uint64(s[0]) | uint64(s[1])<<8
	case 1:
		return k | uint64(s[0])
	}
	return k
}

func le32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func le64(s string) uint64 {
	_ = s[7]
	return uint64(le32(s)) | uint64(le32(s[4:]))<<32
}

// longHash hashes eight bytes or more: no token has more than 128, and what is
// longer differs soon enough.
func longHash(s string) uint64 {
	h := uint64(len(s)) * mix
	tail := le64(s[len(s)-8:])
	for n := 0; len(s) > 8 && n < 16; n++ {
		h = (h ^ le64(s)) * mix
		h ^= h >> 29
		s = s[8:]
		if len(s) < 8 {
			break
		}
	}
	h = (h ^ tail) * mix
	return h ^ h>>32
}
