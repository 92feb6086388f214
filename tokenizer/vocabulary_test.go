package tokenizer

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pkoukk/tiktoken-go-loader/assets"
)

var update = flag.Bool("update", false, "write the vocabularies anew from the published files")

// published has the digests of the files as their maker published them.
var published = map[string]string{
	cl100k: "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
	o200k:  "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
	p50k:   "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
	r50k:   "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
}

// ranks reads a published file: token → rank, and the tokens by rank, nil where
// there is none.
func ranks(t testing.TB, name string) (map[string]uint32, [][]byte) {
	t.Helper()
	data, err := assets.Assets.ReadFile(name + ".tiktoken")
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != published[name] {
		t.Fatalf("%s is not the published file", name)
	}
	m := map[string]uint32{}
	var list [][]byte
	for line := range strings.Lines(string(data)) {
		b64, rank, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		token, err := base64.StdEncoding.DecodeString(b64)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.ParseUint(rank, 10, 24)
		if err != nil {
			t.Fatal(err)
		}
		for len(list) <= int(n) {
			list = append(list, nil)
		}
		m[string(token)], list[n] = uint32(n), token
	}
	return m, list
}

// parts merges a token with the ranks below its own, by the bytes of each pair.
func parts(m map[string]uint32, token []byte, below uint32) []string {
	var p []string
	for _, b := range token {
		p = append(p, string([]byte{b}))
	}
	for {
		best, at := below, -1
		for i := range len(p) - 1 {
			if r, ok := m[p[i]+p[i+1]]; ok && r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			return p
		}
		p[at] += p[at+1]
		p = append(p[:at+1], p[at+2:]...)
	}
}

func pack(t *testing.T, name string) []byte {
	t.Helper()
	m, list := ranks(t, name)
	n := len(list)
	raw := make([]byte, columns*n)
	put := func(col, i int, v uint32) {
		raw[col*n+i], raw[(col+1)*n+i], raw[(col+2)*n+i] = byte(v), byte(v>>8), byte(v>>16)
	}
	for id, token := range list {
		switch {
		case token == nil:
			put(0, id, mark)
			put(3, id, mark)
		case len(token) == 1:
			put(0, id, uint32(token[0]))
			put(3, id, mark)
		default:
			p := parts(m, token, uint32(id))
			if len(p) != 2 {
				t.Fatalf("%s: token %d %q is made of %q: pairs cannot say it", name, id, token, p)
			}
			put(0, id, m[p[0]])
			put(3, id, m[p[1]])
		}
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The embedded vocabularies say the same as the published files, token by token.
func TestVocabularies(t *testing.T) {
	if *update {
		for _, name := range []string{o200k, cl100k, p50k} {
			if err := os.WriteFile(filepath.Join("vocabularies", name+".bin"), pack(t, name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		t.Skip("NOT TESTED: the vocabularies were written anew. Run again without -update.")
	}
	for name := range published {
		e := encodings[name]
		e.once.Do(e.load)
		m, list := ranks(t, name)
		if got := len(e.vocab.offs) - 1; got != len(list) {
			t.Errorf("%s: %d tokens, want %d", name, got, len(list))
			continue
		}
		for id, token := range list {
			if string(e.vocab.token(uint32(id))) != string(token) {
				t.Fatalf("%s: token %d is %q, want %q", name, id, e.vocab.token(uint32(id)), token)
			}
			if token != nil && e.vocab.whole(string(token)) != uint32(id) {
				t.Fatalf("%s: token %d %q is not found", name, id, token)
			}
		}
		if _, ok := m[""]; ok || e.vocab.whole("") != none {
			t.Errorf("%s: nothing is a token", name)
		}
	}
}
