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

// squeeze appends plain to dst, compressed.
func squeeze(dst, plain []byte) []byte {
	enc, _ := squeezing()
	return enc.EncodeAll(plain, dst)
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
