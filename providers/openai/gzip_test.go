package openai_test

import (
	"bytes"
	"compress/gzip"
	"testing"
)

// gzipped returns a function that compresses and flushes one piece after the
// other, and one that ends the stream.
func gzipped(t *testing.T) (piece func(string) string, end func() string) {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	take := func(err error) string {
		if err != nil {
			t.Fatal(err)
		}
		s := b.String()
		b.Reset()
		return s
	}
	piece = func(s string) string {
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		return take(w.Flush())
	}
	return piece, func() string { return take(w.Close()) }
}
