package tokenizer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// shared finds the shared data, or skips.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SPANWIRE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("NOT TESTED: token counts against %s. Set SPANWIRE_DATA to the folder of the shared data. (%v)", name, err)
	}
	return path
}

type tokenVectors struct {
	Vectors []struct {
		ID, Category, Text string
		CL100K             []int `json:"cl100k_base"`
		O200K              []int `json:"o200k_base"`
	}
	LongRuns []struct {
		Prefix, Unit, Suffix string
		N                    int
		CL100KCount          int    `json:"cl100k_base_count"`
		CL100KHash           string `json:"cl100k_base_sha256_u32le"`
		O200KCount           int    `json:"o200k_base_count"`
		O200KHash            string `json:"o200k_base_sha256_u32le"`
	} `json:"long_runs"`
}

func readVectors(t testing.TB) (v tokenVectors) {
	t.Helper()
	data, err := os.ReadFile(shared(t, "token-vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Vectors) < 326 || len(v.LongRuns) < 24 {
		t.Fatalf("%d vectors, %d long runs", len(v.Vectors), len(v.LongRuns))
	}
	return v
}

func encodeAll(e *encoding, text string) (ids []int, whole bool) {
	whole = e.encode(text, func(more []int) { ids = append(ids, more...) })
	return ids, whole
}

// newer says whether a text has characters that the engine's Unicode tables do not
// know yet: its splitter takes them for symbols.
func newer(text string) bool {
	for _, r := range text {
		if !unicode.IsOneOf([]*unicode.RangeTable{unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs}, r) {
			return true
		}
	}
	return false
}

func TestTokenVectors(t *testing.T) {
	v := readVectors(t)
	deviating := 0
	for _, x := range v.Vectors {
		for name, want := range map[string][]int{cl100k: x.CL100K, o200k: x.O200K} {
			got, whole := encodeAll(encodings[name], x.Text)
			if !whole {
				t.Errorf("%s %s: not counted as a whole", x.ID, name)
			}
			if slices.Equal(got, want) {
				continue
			}
			if newer(x.Text) {
				deviating++
				continue
			}
			t.Errorf("%s (%s) %s: %q: got %v, want %v", x.ID, x.Category, name, x.Text, got, want)
		}
	}
	t.Logf("%d of %d deviate by characters newer than Unicode %s", deviating, 2*len(v.Vectors), unicode.Version)
}

func TestLongRuns(t *testing.T) {
	for _, x := range readVectors(t).LongRuns {
		text := x.Prefix + strings.Repeat(x.Unit, x.N) + x.Suffix
		for name, want := range map[string]string{cl100k: x.CL100KHash, o200k: x.O200KHash} {
			n := x.CL100KCount
			if name == o200k {
				n = x.O200KCount
			}
			got, whole := encodeAll(encodings[name], text)
			var raw []byte
			for _, id := range got {
				raw = binary.LittleEndian.AppendUint32(raw, uint32(id))
			}
			sum := sha256.Sum256(raw)
			if same := hex.EncodeToString(sum[:]) == want; whole && !same {
				t.Errorf("%s: %q × %d: %d tokens, want %d, and called whole", name, x.Unit, x.N, len(got), n)
			}
			if d := len(got) - n; d > n/4+2 || d < -n/4-2 {
				t.Errorf("%s: %q × %d: %d tokens, want about %d", name, x.Unit, x.N, len(got), n)
			}
		}
	}
}
