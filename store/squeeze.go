package store

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// dictionary is what small texts of calls have in common, written for this purpose
// and never changed: frames name it by its number. Better words get a new file and
// a new number, and the old one stays for reading. It holds nothing of anybody's
// traffic.
//
//go:embed dictionary-1.bin
var dictionary []byte

const dictionaryID = 1

// maxPlain bounds what a frame may become, whatever it claims.
const maxPlain = 1 << 30

// squeezing is shared: both are safe for concurrent use and keep large tables.
var squeezing = sync.OnceValues(func() (*zstd.Encoder, *zstd.Decoder) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderDictRaw(dictionaryID, dictionary), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderDictRaw(dictionaryID, dictionary), zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxPlain))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return enc, dec
})

// packing is for what is large and kept apart, which mostly is base64: nothing in it
// repeats, and a quarter of it says nothing.
var packing = sync.OnceValue(func() *zstd.Encoder {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithAllLitEntropyCompression(true), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return enc
})

// pack is squeeze for what is large. It is expanded in the same way.
func pack(plain []byte) []byte { return packing().EncodeAll(plain, nil) }

// squeeze appends plain to dst, compressed.
func squeeze(dst, plain []byte) []byte {
	enc, _ := squeezing()
	return enc.EncodeAll(plain, dst)
}

// plainMark is the first byte of what is too small to be squeezed. A frame of zstd
// begins with another.
const plainMark = 2

// squeezeSmall is squeeze for what may be a few bytes, which it leaves as they are.
func squeezeSmall(plain []byte) []byte {
	const least = 96
	if len(plain) >= least {
		return squeeze(nil, plain)
	}
	return append([]byte{plainMark}, plain...)
}

// expandSmall returns what was squeezed by squeezeSmall.
func expandSmall(squeezed []byte) ([]byte, error) {
	if len(squeezed) > 0 && squeezed[0] == plainMark {
		return squeezed[1:], nil
	}
	return expand(squeezed)
}

// expand returns what was squeezed.
func expand(squeezed []byte) ([]byte, error) {
	_, dec := squeezing()
	plain, err := dec.DecodeAll(squeezed, nil)
	if err != nil {
		return nil, fmt.Errorf("expand: %w", err)
	}
	return plain, nil
}
