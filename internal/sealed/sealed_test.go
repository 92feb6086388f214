package sealed_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/sealed"
)

func ring(t testing.TB, seeds ...byte) *sealed.Keys {
	t.Helper()
	var words []string
	for _, s := range seeds {
		words = append(words, strings.Repeat(fmt.Sprintf("%02x", s), 32))
	}
	k, err := sealed.ReadKeys(strings.Join(words, ","))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWhatIsSealedOpensAgain(t *testing.T) {
	k := ring(t, 1)
	for _, n := range []int{0, 1, 15, 1000, 64<<10 - 1, 64 << 10, 64<<10 + 1, 300_000} {
		text := bytes.Repeat([]byte("the text "), n/9+1)[:n]
		held, err := k.Seal([]byte("before"), text, "place")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(held, []byte("before")) || len(held) != len("before")+n+sealed.Overhead(n) {
			t.Errorf("%d bytes: sealed to %d, want %d more", n, len(held)-6, sealed.Overhead(n))
		}
		if n > 15 && bytes.Contains(held, text[:15]) {
			t.Errorf("%d bytes: the text is in what was sealed", n)
		}
		got, err := k.Open([]byte("x"), held[len("before"):], "place")
		if err != nil || string(got) != "x"+string(text) {
			t.Errorf("%d bytes: opened to %d bytes, error %v", n, len(got), err)
		}
	}
	a, _ := k.Seal(nil, []byte("same"), "place")
	b, _ := k.Seal(nil, []byte("same"), "place")
	if bytes.Equal(a, b) {
		t.Error("the same text was sealed to the same bytes")
	}
}

func TestNothingElseOpens(t *testing.T) {
	k := ring(t, 1)
	text := bytes.Repeat([]byte("words and "), 20_000) // several packages
	held, err := k.Seal(nil, text, "journal 7")
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, sealedText []byte, place string) {
		t.Helper()
		got, err := k.Open([]byte("x"), sealedText, place)
		if !errors.Is(err, sealed.ErrDamaged) && !errors.Is(err, sealed.ErrNoKey) || string(got) != "x" {
			t.Errorf("%s: error %v, %d bytes", name, err, len(got))
		}
	}
	f("another place", held, "journal 8")
	f("nothing", nil, "journal 7")
	for _, n := range []int{1, 8, 24, 25, 26, 60, 64 << 10, len(held) - 1} {
		f(fmt.Sprintf("the first %d bytes", n), held[:n], "journal 7")
	}
	for i := 0; i < len(held); i += 997 {
		bad := bytes.Clone(held)
		bad[i] ^= 4
		f(fmt.Sprintf("byte %d changed", i), bad, "journal 7")
	}
	f("more at the end", append(bytes.Clone(held), held[25:]...), "journal 7")
	// A package of a stream taken out.
	pkg := 64<<10 + 32
	f("a package missing", append(bytes.Clone(held[:25]), held[25+pkg:]...), "journal 7")
}

func TestKeysAreReplaced(t *testing.T) {
	old := ring(t, 1)
	held, err := old.Seal(nil, []byte("text"), "")
	if err != nil {
		t.Fatal(err)
	}
	both := ring(t, 2, 1)
	if got, err := both.Open(nil, held, ""); err != nil || string(got) != "text" {
		t.Errorf("with the old key second: %q, %v", got, err)
	}
	newer, _ := both.Seal(nil, []byte("newer"), "")
	_, err = old.Open(nil, newer, "")
	if !errors.Is(err, sealed.ErrNoKey) || !strings.Contains(err.Error(), old.IDs()) || strings.Contains(err.Error(), "0101") {
		t.Errorf("with the old key alone: %v", err)
	}
	var none *sealed.Keys
	if _, err := none.Open(nil, newer, ""); !errors.Is(err, sealed.ErrNoKey) || !errors.Is(none.CanOpen(newer), sealed.ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
	if err := both.CanOpen(held); err != nil || !errors.Is(both.CanOpen(held[:9]), sealed.ErrDamaged) {
		t.Errorf("with the key: %v", err)
	}
	if got, err := ring(t, 2).Open(nil, newer, ""); err != nil || string(got) != "newer" {
		t.Errorf("with the new key alone: %q, %v", got, err)
	}
}

func TestReadKeys(t *testing.T) {
	hexKey := strings.Repeat("ab", 32)
	for _, ok := range []string{hexKey, " " + hexKey + "\n", hexKey + ",\n" + strings.Repeat("cd", 32), "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="} {
		if _, err := sealed.ReadKeys(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", " ,", "secret-words", hexKey + hexKey, hexKey[:62], hexKey + "," + hexKey, hexKey + " nonsense"} {
		_, err := sealed.ReadKeys(bad)
		if err == nil || strings.Contains(err.Error(), "abab") || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "nonsense") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := ring(f, 1)
	held, _ := k.Seal(nil, []byte("text"), "p")
	f.Add(held)
	f.Add([]byte{1})
	f.Add(held[:25])
	f.Add(append(held[:25:25], 0x20))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := k.Open(nil, b, "p")
		// Each worker seals the text anew: what opens may be another's.
		if err != nil && got != nil || err == nil && string(got) != "text" {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	k := ring(b, 1)
	for _, n := range []int{1 << 10, 15 << 10, 1 << 20} {
		text := make([]byte, n)
		b.Run(fmt.Sprintf("seal/%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out, _ = k.Seal(out[:0], text, "place")
			}
		})
		held, _ := k.Seal(nil, text, "place")
		b.Run(fmt.Sprintf("open/%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out, _ = k.Open(out[:0], held, "place")
			}
		})
	}
}
