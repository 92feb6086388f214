// Package encoding takes the content-encoding off a copy of a message body:
// gzip, deflate, br, zstd and chains of them, bounded in memory, and streaming
// where the sender flushed.
//
// Bodies come from outside: truncated, corrupt and hostile ones give what could
// be decoded and an error, never a panic.
package encoding

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

var (
	// ErrUnknown says that an encoding has no decoder here.
	ErrUnknown = errors.New("unknown content-encoding")
	// ErrTooLarge says that the decoded body is larger than the limit.
	ErrTooLarge = errors.New("decoded body is larger than the limit")
)

const (
	// maxChain bounds how many encodings a header may name. One is usual.
	maxChain = 4
	// maxWindow is what a zstd sender may ask a decoder to remember: the bound of
	// RFC 9659 for the encoding "zstd" of HTTP.
	maxWindow = 8 << 20
)

// Identity says whether a Content-Encoding header value asks for no decoding.
func Identity(header string) bool {
	names, err := parse(header)
	return err == nil && len(names) == 0
}

// Decode takes all encodings that a Content-Encoding header value names off data.
// At most limit bytes are returned. Beside an error the result is what could be
// decoded before it: a truncated body gives its beginning and
// io.ErrUnexpectedEOF, a larger one its first limit bytes and [ErrTooLarge].
//
// Without any encoding the result is data itself.
func Decode(header string, data []byte, limit int64) ([]byte, error) {
	names, err := parse(header)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		if int64(len(data)) > limit {
			return data[:limit], ErrTooLarge
		}
		return data, nil
	}
	r, err := NewReader(header, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(out)) > limit {
		return out[:limit], ErrTooLarge
	}
	return out, err
}

// NewReader returns a reader of r without the encodings that a Content-Encoding
// header value names. It reads from r only when it is read itself, no more than
// it needs for the next decoded bytes, and returns decoded bytes as soon as the
// sender's flush made them available. An r that ends too early gives
// io.ErrUnexpectedEOF after what could be decoded; one with no byte at all is an
// empty body, as HEAD leaves it.
//
// The reader starts no goroutines and needs no closing. It is for one goroutine.
func NewReader(header string, r io.Reader) (io.Reader, error) {
	names, err := parse(header)
	if err != nil {
		return nil, err
	}
	// The last one named was applied last (RFC 9110 section 8.4).
	for i := len(names) - 1; i >= 0; i-- {
		r = &lazy{src: r, open: decoders[names[i]]}
	}
	return r, nil
}

// decoders has a row for each encoding of the HTTP content coding registry that
// LLM providers use.
var decoders = map[string]func(io.Reader) (io.Reader, error){
	"gzip":    openGzip,
	"x-gzip":  openGzip,
	"deflate": openDeflate,
	"br":      func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
	"zstd":    openZstd,
}

func openGzip(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }

// openDeflate reads zlib, which the name means (RFC 9110 section 8.4.1.2), and
// the raw form that some servers send under it.
func openDeflate(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r) // r itself when it is one
	head, err := b.Peek(2)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

func openZstd(r io.Reader) (io.Reader, error) {
	// One block at a time on the caller's goroutine: nothing to close.
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
}

// parse splits a Content-Encoding header value into names that have a decoder,
// in the order they were applied. "identity" and empty elements are left out.
func parse(header string) ([]string, error) {
	if header == "" {
		return nil, nil
	}
	var names []string
	for name := range strings.SplitSeq(header, ",") {
		name = strings.ToLower(strings.Trim(name, " \t"))
		if name == "" || name == "identity" {
			continue
		}
		if decoders[name] == nil {
			return nil, fmt.Errorf("%w %q", ErrUnknown, cut(name))
		}
		if names = append(names, name); len(names) > maxChain {
			return nil, fmt.Errorf("%w: a chain of more than %d", ErrUnknown, maxChain)
		}
	}
	return names, nil
}

func cut(s string) string {
	const most = 32
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// lazy opens its decoder when it is first read, as most decoders read a header
// when they are made. It remembers the error it ended with.
type lazy struct {
	src  io.Reader
	open func(io.Reader) (io.Reader, error)
	dec  io.Reader
	err  error
}

func (l *lazy) Read(p []byte) (n int, err error) {
	if l.err != nil {
		return 0, l.err
	}
	if l.dec == nil {
		if l.dec, l.err = l.start(); l.err != nil {
			return 0, l.err
		}
	}
	n, l.err = l.dec.Read(p)
	if n > 0 {
		return n, nil
	}
	return 0, l.err
}

func (l *lazy) start() (io.Reader, error) {
	b := bufio.NewReader(l.src)
	if _, err := b.Peek(1); err != nil {
		return nil, err
	}
	dec, err := l.open(b)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return dec, err
}
