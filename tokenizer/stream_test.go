package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// inPieces counts text by a stream that gets it in pieces of random sizes.
func inPieces(e *encoding, r *rand.Rand, text string, most int) (int64, bool) {
	s := stream{enc: e}
	for len(text) > 0 {
		n := min(len(text), 1+r.IntN(most))
		s.write(text[:n])
		text = text[n:]
	}
	return s.finish()
}

// A text counts the same whole and in pieces, wherever it is cut.
func TestStreamEqualsWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	f := func(text string) {
		t.Helper()
		for name, e := range encodings {
			want, _ := e.count(text)
			for _, most := range []int{1, 3, 40, 1000} {
				if got, whole := inPieces(e, r, text, most); got != want || !whole {
					t.Fatalf("%s, pieces up to %d: %d (whole %t), the whole has %d: %q", name, most, got, whole, want, text)
				}
			}
		}
	}
	f("")
	f("it's 'sun 'll don'T I'VE \u017f'\u017fx don't'")
	f(" \n \n\n  x\n /\n/ 12345,678٣ a1b\u0301!\u0301c\u0301 'r e'")
	f("漢字かな。カナ12한글 naïve\u00a0x\u2028y\u3000z")
	f("\xff\xfe \xe6\xbc a\xe6\xbc\xa2\xf0\x9f\x99 🙂\x80\x80")
	for range *compared {
		text := randomText(r)
		if r.IntN(4) == 0 { // not every text is valid
			i := r.IntN(len(text) + 1)
			text = text[:i] + "\xe6\xbc" + text[i:]
		}
		f(text)
	}
	for _, text := range samples {
		f(text[:runeEnd(text, 20_000)])
	}
}

// The places where a stream cuts are places where no token spans: the texts on
// both sides have together the tokens of the whole.
func TestForcedBoundaries(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	found := 0
	for range *compared {
		text := randomText(r)
		for name, e := range encodings {
			whole, _ := e.encode(nil, text)
			for end := len(text); end > 0; {
				end = e.forced([]byte(text[:end]), 0)
				if end == 0 {
					break
				}
				found++
				left, _ := e.encode(nil, text[:end])
				both, _ := e.encode(left, text[end:])
				if fmt.Sprint(both) != fmt.Sprint(whole) {
					t.Fatalf("%s: %q | %q: %v, the whole is %v", name, text[:end], text[end:], both, whole)
				}
			}
		}
	}
	if found < *compared {
		t.Errorf("only %d boundaries in %d texts", found, *compared)
	}
}

// What is held back is bounded, and the sum does not depend on the pieces even
// where the text has to be cut.
func TestStreamHoldsBackABoundedTail(t *testing.T) {
	e := encodings[o200k]
	text := "one two " + strings.Repeat("漢", maxTail) + " three"
	var sums []int64
	for _, size := range []int{7, 4096, maxTail - 1, len(text)} {
		s := stream{enc: e}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			s.write(rest[:n])
			rest = rest[n:]
			if len(s.tail) > maxTail {
				t.Fatalf("%d bytes are held back", len(s.tail))
			}
		}
		n, whole := s.finish()
		if whole {
			t.Errorf("pieces of %d: a text that was cut is called whole", size)
		}
		sums = append(sums, n)
	}
	for _, n := range sums[1:] {
		if n != sums[0] {
			t.Errorf("the pieces change the sum: %v", sums)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add("it's 12 'sun\n\n  x漢!", uint16(3))
	f.Add("\xe6\xbc\xa2\xff a\u0301", uint16(1))
	f.Fuzz(func(t *testing.T, text string, most uint16) {
		r := rand.New(rand.NewPCG(uint64(most), 1))
		for name, e := range encodings {
			want, _ := e.count(text)
			if got, whole := inPieces(e, r, text, 1+int(most)); got != want || !whole && len(text) < maxPiece {
				t.Fatalf("%s: %q: %d in pieces, %d as a whole", name, text, got, want)
			}
		}
	})
}
