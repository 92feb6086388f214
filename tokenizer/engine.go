package tokenizer

import (
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
)

// encoding counts with one public vocabulary. It is loaded when it is first used.
// This file is all that knows the library.
type encoding struct {
	name string
	once sync.Once
	enc  *tiktoken.Tiktoken
}

var encodings = map[string]*encoding{
	o200k: {name: o200k}, cl100k: {name: cl100k}, p50k: {name: p50k}, r50k: {name: r50k},
}

// loading guards the loader, which the library keeps in a global variable.
var loading sync.Mutex

func (e *encoding) load() {
	loading.Lock()
	defer loading.Unlock()
	tiktoken.SetBpeLoader(loader.NewOfflineLoader())
	enc, err := tiktoken.GetEncoding(e.name)
	if err != nil {
		panic(fmt.Sprintf("BUG: the embedded vocabulary %s: %v", e.name, err))
	}
	e.enc = enc
}

// encode returns the tokens of text; special tokens in it are ordinary text.
// whole is false when it was cut where a token may have stood.
func (e *encoding) encode(text string, take func(ids []int)) (whole bool) {
	e.once.Do(e.load)
	text = strings.ToValidUTF8(text, "\uFFFD")
	whole = true
	for text != "" {
		n, clean := cut(text)
		take(e.enc.EncodeOrdinary(text[:n]))
		text = text[n:]
		whole = whole && clean
	}
	return whole
}

func (e *encoding) count(text string) (n int64, whole bool) {
	whole = e.encode(text, func(ids []int) { n += int64(len(ids)) })
	return n, whole
}

const (
	// maxChunk is how much the library gets at once: it allocates many times that.
	maxChunk = 8 << 10
	// maxPiece is how long a run without a sure boundary may get. The library
	// merges in the square of it.
	maxPiece = 512
)

// cut returns how much of text to encode at once: up to the last boundary that no
// token can span within maxChunk, and at most maxPiece past any boundary. clean is
// false when there was none.
func cut(text string) (n int, clean bool) {
	if len(text) <= maxPiece {
		return len(text), true
	}
	last, prev := 0, rune(-1)
	for i, r := range text {
		if prev >= 0 && boundary(prev, r) {
			last = i
		}
		switch {
		case i-last > maxPiece && last > 0:
			return last, true
		case i-last > maxPiece:
			return i, false
		case i >= maxChunk && last > 0:
			return last, true
		}
		prev = r
	}
	return len(text), true
}

// boundary says that a token never spans a and b, for every vocabulary here: the
// place before a space that follows text, and where digits begin or end.
func boundary(a, b rune) bool {
	if b == ' ' {
		return !unicode.IsSpace(a)
	}
	digitA, digitB := asciiDigit(a), asciiDigit(b)
	if digitA || digitB {
		return digitA != digitB && (asciiLetter(a) || asciiLetter(b) || digitA && asciiPunct(b))
	}
	// A letter of a script without blanks, then punctuation that is its own.
	return a >= utf8.RuneSelf && unicode.Is(unicode.Han, a) && b >= 0x3000 && b <= 0x3002
}

func asciiDigit(r rune) bool  { return r >= '0' && r <= '9' }
func asciiLetter(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }
func asciiPunct(r rune) bool  { return r > ' ' && r < 0x7f && !asciiDigit(r) && !asciiLetter(r) }
