package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/internal/callrecord"
	"github.com/spanwire/spanwire/llm"
)

// A block is what several calls of one transaction have, compressed together: for
// each, how far its number is from that of the block, a length, and that many bytes.
// A frame of its own for each small text takes ten times the time and more space. Who
// wants one call expands its neighbours, which is why a block is not large.
const (
	blockBytes = 16 << 10
	blockCalls = 64
	// blockCall is from where a call has a frame of its own.
	blockCall = 4 << 10
)

// block is put together. The zero value is empty.
type block struct {
	first int64 // the number of its first call; calls are numbered from 1
	calls int
	plain []byte
}

// open begins the block with call n when it is empty.
func (b *block) open(n int64) {
	if b.calls++; b.first == 0 {
		b.first = n
	}
}

func (b *block) add(n int64, what []byte) {
	b.plain = binary.AppendUvarint(b.plain, uint64(n-b.first))
	b.plain = binary.AppendUvarint(b.plain, uint64(len(what)))
	b.plain = append(b.plain, what...)
}

func (b *block) full() bool { return b.calls >= blockCalls || len(b.plain) >= blockBytes }

func (b *block) reset() { b.first, b.calls, b.plain = 0, 0, b.plain[:0] }

var errBlock = errors.New("a block of calls that makes no sense")

// splitBlock calls f with what each call of a block has.
func splitBlock(first int64, plain []byte, f func(n int64, what []byte) error) error {
	next := func() (v uint64, ok bool) {
		v, n := binary.Uvarint(plain)
		if n <= 0 {
			return 0, false
		}
		plain = plain[n:]
		return v, true
	}
	for len(plain) > 0 {
		after, ok := next()
		size, ok2 := next()
		if !ok || !ok2 || after > 1<<38 || size > uint64(len(plain)) {
			return errBlock
		}
		what := plain[:size:size]
		plain = plain[size:]
		if err := f(first+int64(after), what); err != nil {
			return err
		}
	}
	return nil
}

// keepFacts keeps everything about a call that its row does not have.
func (r *recording) keepFacts(n int64, c *llm.Call) error {
	r.enc.Reset()
	if err := r.w.speak.enc.Facts(&r.enc, c); err != nil {
		return err
	}
	r.w.facts.open(n)
	r.w.facts.add(n, r.enc.Bytes())
	r.trimBuffer()
	if r.w.facts.full() {
		return r.writeFacts()
	}
	return nil
}

func (r *recording) writeFacts() error {
	b := &r.w.facts
	if b.calls == 0 {
		return nil
	}
	defer b.reset()
	r.w.frame = squeeze(r.w.frame[:0], b.plain)
	return exec(r.w.calls, "INSERT INTO facts (n, calls) VALUES (?, ?)", b.first, r.w.frame)
}

// keepPieces keeps the new pieces of a call and their hashes.
func (r *recording) keepPieces(s *said) error {
	b := &r.w.pieces
	b.open(s.n)
	if r.seal == nil { // a digest would tell who guesses a text that it is right
		r.w.hashes.open(b.first)
		r.w.hashes.add(s.n, joined(s.hashes))
	}
	if s.own == nil {
		b.add(s.n, s.pieces)
	}
	if b.full() || len(r.w.hashes.plain) >= blockBytes {
		return r.writePieces()
	}
	return nil
}

func (r *recording) writePieces() error {
	b, h := &r.w.pieces, &r.w.hashes
	if b.calls == 0 {
		return nil
	}
	defer b.reset()
	defer h.reset()
	var hashes, frame any
	if len(h.plain) > 0 {
		hashes = h.plain
	}
	if len(b.plain) > 0 {
		r.w.frame = squeeze(r.w.frame[:0], b.plain)
		f, err := r.sealed(r.w.frame, placeBlock, b.first)
		if err != nil {
			return err
		}
		r.batch.bytes += int64(len(f))
		frame = f
	}
	return exec(r.w.bodies, "INSERT INTO pieces (n, hashes, calls) VALUES (?, ?, ?)", b.first, hashes, frame)
}

// records reads the facts of calls of one file.
type records struct {
	conn  *sqlite.Conn
	calls map[int64][]byte // of the block that was read last
}

// call returns the call of a number, own being the column of its facts: that of files
// of version 1, and of calls that were changed, stands there, others in a block.
func (r *records) call(n int64, own []byte) (*llm.Call, error) {
	if len(own) > 0 {
		return decodeFacts(own)
	}
	plain, ok := r.calls[n]
	if !ok {
		r.calls = map[int64][]byte{}
		err := query(r.conn, "SELECT n, calls FROM facts WHERE n <= ? ORDER BY n DESC LIMIT 1", func(st *sqlite.Stmt) error {
			all, err := expand(column(st, 1))
			if err != nil {
				return err
			}
			return splitBlock(st.ColumnInt64(0), all, func(n int64, what []byte) error {
				r.calls[n] = what
				return nil
			})
		}, n)
		if err != nil {
			return nil, err
		}
		if plain, ok = r.calls[n]; !ok {
			return nil, fmt.Errorf("%w: call number %d is not in it", errBlock, n)
		}
	}
	return callrecord.DecodeFacts(plain)
}

func joined(hashes []pieceHash) []byte {
	b := make([]byte, 0, len(hashes)*len(pieceHash{}))
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}
