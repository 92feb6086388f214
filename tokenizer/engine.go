package tokenizer

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// encoding counts with one public vocabulary, which is loaded when it is first
// used. It is safe for concurrent use.
type encoding struct {
	file  string // of vocabularies/
	size  int    // tokens of it; 0: all
	split splitter
	once  sync.Once
	vocab *vocabulary
	class *classes
}

// The tokens of r50k_base are the first of p50k_base.
var encodings = map[string]*encoding{
	o200k:  {file: o200k, split: splitO200K},
	cl100k: {file: cl100k, split: splitCL100K},
	p50k:   {file: p50k, split: splitGPT2},
	r50k:   {file: p50k, size: sizeR50K, split: splitGPT2},
}

const sizeR50K = 50256

func (e *encoding) load() {
	v, err := loadVocabulary(e.file, e.size)
	if err != nil {
		panic(fmt.Sprintf("BUG: an embedded vocabulary: %v", err))
	}
	e.vocab, e.class = v, unicode16()
}

// count returns how many tokens text has; special tokens in it are ordinary text,
// and bytes that are not UTF-8 count as U+FFFD. whole is false when a piece was so
// long that it was cut.
func (e *encoding) count(text string) (n int64, whole bool) {
	e.once.Do(e.load)
	text = strings.ToValidUTF8(text, "\uFFFD")
	whole = true
	for i := 0; i < len(text); {
		end := e.split(e.class, text, i)
		if end-i > maxPiece {
			end, whole = runeEnd(text, i+maxPiece), false
		}
		if piece := text[i:end]; e.vocab.whole(piece) != none {
			n++
		} else {
			n += int64(e.vocab.mergeCount(piece))
		}
		i = end
	}
	return n, whole
}

// encode appends the tokens of text to dst; see count.
func (e *encoding) encode(dst []uint32, text string) (ids []uint32, whole bool) {
	e.once.Do(e.load)
	text = strings.ToValidUTF8(text, "\uFFFD")
	whole = true
	for i := 0; i < len(text); {
		end := e.split(e.class, text, i)
		if end-i > maxPiece {
			end, whole = runeEnd(text, i+maxPiece), false
		}
		piece := text[i:end]
		if id := e.vocab.whole(piece); id != none {
			dst = append(dst, id)
		} else {
			dst = e.vocab.merge(dst, piece)
		}
		i = end
	}
	return dst, whole
}

// runeEnd moves i back to where a character begins.
func runeEnd(s string, i int) int {
	for !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}

// Warm loads the vocabulary that most models are counted with: some 40 ms and 16
// MiB, better spent at the start than within the first call that needs it.
func Warm() {
	e := encodings[o200k]
	e.once.Do(e.load)
}
