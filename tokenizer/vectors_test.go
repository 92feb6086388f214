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
		CL100K             []uint32 `json:"cl100k_base"`
		O200K              []uint32 `json:"o200k_base"`
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

// Every vector is exact, those with characters of Unicode 16 included.
func TestTokenVectors(t *testing.T) {
	for _, x := range readVectors(t).Vectors {
		for name, want := range map[string][]uint32{cl100k: x.CL100K, o200k: x.O200K} {
			got, whole := encodings[name].encode(nil, x.Text)
			if !slices.Equal(got, want) || !whole {
				t.Errorf("%s (%s) %s: %.80q: got %v, want %v", x.ID, x.Category, name, x.Text, got, want)
			}
			if n, whole := encodings[name].count(x.Text); n != int64(len(want)) || !whole {
				t.Errorf("%s %s: counted %d, want %d", x.ID, name, n, len(want))
			}
		}
	}
}

func TestLongRuns(t *testing.T) {
	for _, x := range readVectors(t).LongRuns {
		text := x.Prefix + strings.Repeat(x.Unit, x.N) + x.Suffix
		for name, want := range map[string]string{cl100k: x.CL100KHash, o200k: x.O200KHash} {
			n := x.CL100KCount
			if name == o200k {
				n = x.O200KCount
			}
			got, whole := encodings[name].encode(nil, text)
			var raw []byte
			for _, id := range got {
				raw = binary.LittleEndian.AppendUint32(raw, id)
			}
			if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != want || !whole {
				t.Errorf("%s: %q × %d: %d tokens, want %d, and those", name, x.Unit, x.N, len(got), n)
			}
			if c, _ := encodings[name].count(text); c != int64(n) {
				t.Errorf("%s: %q × %d: counted %d, want %d", name, x.Unit, x.N, c, n)
			}
		}
	}
}
