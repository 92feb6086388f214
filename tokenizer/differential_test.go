package tokenizer

import (
	"flag"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
)

// The oracle is the library that reads the published expressions with a regular
// expression engine. Its Unicode is Go's, older than the vocabularies' own, so that
// it is asked about characters of that version only.
var oracles = sync.OnceValue(func() map[string]*tiktoken.Tiktoken {
	tiktoken.SetBpeLoader(loader.NewOfflineLoader())
	m := map[string]*tiktoken.Tiktoken{}
	for name := range encodings {
		enc, err := tiktoken.GetEncoding(name)
		if err != nil {
			panic(err)
		}
		m[name] = enc
	}
	return m
})

// asked says whether the oracle can be asked: characters that its tables class as
// the engine's do, and no run that it would merge for minutes.
func asked(text string) bool {
	if len(text) > 4096 || !utf8.ValidString(text) {
		return false
	}
	c := unicode16()
	for i, r := range text {
		k, _ := c.at(text, i)
		if k&(letter|number|space|upper|lower)&^newline != goClass(r) {
			return false
		}
	}
	return true
}

// goClass is the class of r by the tables of this version of Go.
func goClass(r rune) class {
	switch {
	case unicode.In(r, unicode.Lu, unicode.Lt):
		return letter | upper
	case unicode.Is(unicode.Ll, r):
		return letter | lower
	case unicode.In(r, unicode.Lm, unicode.Lo):
		return letter | upper | lower
	case unicode.Is(unicode.M, r):
		return upper | lower
	case unicode.Is(unicode.N, r):
		return number
	case unicode.Is(unicode.White_Space, r):
		return space
	}
	return 0
}

func compare(t testing.TB, text string) {
	t.Helper()
	for name, enc := range oracles() {
		want := enc.EncodeOrdinary(text)
		got, whole := encodings[name].encode(nil, text)
		same := len(got) == len(want) && whole
		for i := 0; same && i < len(got); i++ {
			same = int(got[i]) == want[i]
		}
		if n, _ := encodings[name].count(text); !same || n != int64(len(want)) {
			t.Fatalf("%s: %q: got %v (counted %d), the oracle says %v", name, text, got, n, want)
		}
	}
}

var compared = flag.Int("texts", 1_000, "random texts that the engine is compared with the library on")

// alphabets are what random texts are drawn from: the characters that the
// splitters treat apart, and scripts with and without case and marks.
var alphabets = [][]rune{
	[]rune("abcdefgXYZ 'sStTdDlLvVeErRmM"),
	[]rune(" \t\n\r\u00a0\u2028\u3000 a.1"),
	[]rune("0123456789٠١²½Ⅷ,.- "),
	[]rune("éÉßſKÅǅʰªºñÑ 'ſs"),
	[]rune("漢字かなカナ한글 。，a1"),
	[]rune("ПриветМИР'с,! "),
	[]rune("नमस्तेกำลังাী́̈ a'"),
	[]rune("{}[]\":/\\<>=+-*_&^%$#@!?.,; \n\nx7"),
	[]rune("🙂🏽‍👩🇳🇴️⃣ ok\u200b"),
}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(6) {
		a := alphabets[r.IntN(len(alphabets))]
		for range r.IntN(30) {
			if r.IntN(12) == 0 {
				a = alphabets[r.IntN(len(alphabets))]
			}
			c := a[r.IntN(len(a))]
			for range 1 + r.IntN(4)*r.IntN(2) {
				b.WriteRune(c)
			}
		}
	}
	return b.String()
}

func TestEngineAgreesWithTheLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	n, bytes := 0, 0
	for range *compared {
		if text := randomText(r); asked(text) {
			compare(t, text)
			n, bytes = n+1, bytes+len(text)
		}
	}
	for _, text := range samples {
		text = text[:runeEnd(text, 12_000)]
		for len(text) > 0 { // in pieces that the oracle is quick with
			end := runeEnd(text, min(len(text), 4000)-1) + 1
			for end < len(text) && !utf8.RuneStart(text[end]) {
				end++
			}
			compare(t, text[:end])
			n, bytes = n+1, bytes+end
			text = text[end:]
		}
	}
	if n < *compared*3/4 {
		t.Errorf("only %d texts were compared", n)
	}
	t.Logf("%d texts, %d bytes", n, bytes)
}

func FuzzEngine(f *testing.F) {
	for _, s := range []string{"Hello, world! It'S 2024", "  \n \n x", "日本ABCdef'll", "'ſ", "a\u0301\u0301B", "\xff\xfe", "!\n/\n/", "١٢٣٤"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, e := range encodings {
			ids, whole := e.encode(nil, text)
			n, _ := e.count(text)
			if n != int64(len(ids)) {
				t.Fatalf("%s: %q: %d counted, %d encoded", name, text, n, len(ids))
			}
			var back strings.Builder
			for _, id := range ids {
				back.Write(e.vocab.token(id))
			}
			if whole && back.String() != strings.ToValidUTF8(text, "\uFFFD") {
				t.Fatalf("%s: %q comes back as %q", name, text, back.String())
			}
		}
		if asked(text) && len(text) < 512 {
			compare(t, text)
		}
	})
}

// The engine's own table and Go's agree on every character, but for those that
// the older of the two does not know or classed otherwise.
func TestCharacterTable(t *testing.T) {
	c := unicode16()
	differ := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r >= 0xd800 && r <= 0xdfff {
			continue
		}
		k, _ := c.at(string(r), 0)
		if k&^newline != goClass(r) {
			differ++
			if r < 0x370 {
				t.Errorf("%U: class %b, Go says %b", r, k, goClass(r))
			}
		}
	}
	// Unicode 16 added 4,300 letters, marks and numbers to 15.1; each version a few thousand.
	if differ > 20_000 {
		t.Errorf("%d characters differ from Unicode %s: the table is not what it says", differ, unicode.Version)
	}
	t.Logf("%d characters are classed otherwise in Unicode %s", differ, unicode.Version)
}
