package encoding_test

import (
	"bytes"
	stdflate "compress/flate"
	stdgzip "compress/gzip"
	stdzlib "compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/spanwire/spanwire/internal/encoding"
)

// flusher is what every encoder here offers.
type flusher interface {
	io.Writer
	Flush() error
	Close() error
}

var encoders = map[string]func(io.Writer) flusher{
	"gzip":    func(w io.Writer) flusher { return stdgzip.NewWriter(w) },
	"x-gzip":  func(w io.Writer) flusher { return stdgzip.NewWriter(w) },
	"deflate": func(w io.Writer) flusher { return stdzlib.NewWriter(w) },
	"raw": func(w io.Writer) flusher {
		f, err := stdflate.NewWriter(w, 6)
		if err != nil {
			panic(err)
		}
		return f
	},
	"br": func(w io.Writer) flusher { return brotli.NewWriter(w) },
	"zstd": func(w io.Writer) flusher {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			panic(err)
		}
		return z
	},
}

func header(name string) string {
	if name == "raw" {
		return "deflate"
	}
	return name
}

func encode(t testing.TB, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := encoders[name](&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sample(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefgh \n"[r.IntN(10)]
	}
	return b
}

func TestDecodeWhole(t *testing.T) {
	want := sample(100_000)
	for name := range encoders {
		got, err := encoding.Decode(header(name), encode(t, name, want), 1<<20)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestDecodeChain(t *testing.T) {
	want := sample(5000)
	body := encode(t, "br", encode(t, "gzip", want))
	got, err := encoding.Decode(" GZIP , identity,\tBr ", body, 1<<20)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestIdentityIsTheSameBytes(t *testing.T) {
	in := []byte("as it is")
	for _, h := range []string{"", "identity", " Identity ,"} {
		got, err := encoding.Decode(h, in, 100)
		if err != nil || &got[0] != &in[0] {
			t.Errorf("%q: %q, %v", h, got, err)
		}
		if !encoding.Identity(h) {
			t.Errorf("%q is not identity", h)
		}
	}
	if encoding.Identity("gzip") || encoding.Identity("made-up") {
		t.Error("an encoding counts as identity")
	}
}

func TestUnknownEncoding(t *testing.T) {
	for _, h := range []string{"compress", "gzip, made-up", strings.Repeat("gzip,", 50), strings.Repeat("x", 5000)} {
		_, err := encoding.Decode(h, []byte("x"), 10)
		if !errors.Is(err, encoding.ErrUnknown) || len(err.Error()) > 200 {
			t.Errorf("%.20q: %v", h, err)
		}
	}
}

func TestLimit(t *testing.T) {
	zeros := make([]byte, 16<<20) // a bomb: some hundred bytes to a thousand times as many
	for name := range encoders {
		got, err := encoding.Decode(header(name), encode(t, name, zeros), 1000)
		if !errors.Is(err, encoding.ErrTooLarge) || len(got) != 1000 {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if got, err := encoding.Decode("", sample(11), 10); len(got) != 10 || !errors.Is(err, encoding.ErrTooLarge) {
		t.Errorf("identity: %d bytes, %v", len(got), err)
	}
	if got, err := encoding.Decode("gzip", encode(t, "gzip", sample(10)), 10); len(got) != 10 || err != nil {
		t.Errorf("exactly the limit: %d bytes, %v", len(got), err)
	}
}

func TestTruncatedGivesTheBeginning(t *testing.T) {
	want := sample(1000)
	for name := range encoders {
		var b bytes.Buffer
		w := encoders[name](&b)
		for part := range bytes.SplitSeq(want, []byte("a")) {
			_, _ = w.Write(append(part, 'a'))
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		whole := b.Bytes()
		if got, err := encoding.Decode(header(name), nil, 10); len(got) != 0 || err != nil {
			t.Errorf("%s: an empty body: %q, %v", name, got, err)
		}
		for k := 1; k < len(whole); k += 1 + k/40 {
			got, err := encoding.Decode(header(name), whole[:k], 1<<20)
			if err == nil {
				t.Fatalf("%s: cut after %d of %d bytes is not noticed", name, k, len(whole))
			}
			if !bytes.HasPrefix(append(want, 'a'), got) {
				t.Fatalf("%s: cut after %d: wrong bytes", name, k)
			}
		}
		if got, _ := encoding.Decode(header(name), whole, 1<<20); len(got) < len(want) {
			t.Errorf("%s: all flushed, %d of %d bytes came out", name, len(got), len(want))
		}
	}
}

// What was flushed must come out before the next byte is asked for, or a stream
// that is filtered would stall.
func TestReaderReturnsWhatWasFlushed(t *testing.T) {
	events := []string{"data: one\n\n", "data: two, somewhat longer\n\n", ": ping\n\n", "data: [DONE]\n\n"}
	for name := range encoders {
		src := &script{}
		r, err := encoding.NewReader(header(name), src)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w := encoders[name](&b)
		for _, e := range events {
			_, _ = w.Write([]byte(e))
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			src.ready = append(src.ready, b.Bytes()...)
			b.Reset()
			got := make([]byte, 0, 100)
			for len(got) < len(e) {
				n, err := r.Read(got[len(got):cap(got)])
				if err != nil {
					t.Fatalf("%s: after %q of %q: %v", name, got, e, err)
				}
				got = got[:len(got)+n]
			}
			if string(got) != e {
				t.Fatalf("%s: got %q, want %q", name, got, e)
			}
		}
	}
}

// script is a connection that must not be read when nothing is there.
type script struct{ ready []byte }

var errStall = errors.New("read past what was flushed")

func (s *script) Read(p []byte) (int, error) {
	if len(s.ready) == 0 {
		return 0, errStall
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

func FuzzDecode(f *testing.F) {
	for name := range encoders {
		whole := encode(f, name, sample(300))
		f.Add(header(name), whole)
		f.Add(header(name), whole[:len(whole)/2])
	}
	f.Add("gzip, br", []byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, header string, data []byte) {
		const limit = 1 << 16
		got, err := encoding.Decode(header, data, limit)
		if len(got) > limit {
			t.Fatalf("%d bytes decoded, more than the limit", len(got))
		}
		r, rerr := encoding.NewReader(header, io.MultiReader(bytes.NewReader(data[:len(data)/2]), bytes.NewReader(data[len(data)/2:])))
		if rerr != nil {
			return
		}
		streamed, _ := io.ReadAll(io.LimitReader(r, limit))
		if err == nil && !bytes.Equal(got, streamed) {
			t.Fatalf("whole and streamed differ: %d and %d bytes", len(got), len(streamed))
		}
	})
}
