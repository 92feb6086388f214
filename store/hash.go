package store

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/spanwire/spanwire/llm"
)

// pieceHash is how a piece is known: SHA-256, cut to 128 bits, of its kind and its
// fields, each after its length. A hash that somebody could find a second text for
// would show one team's words in another's calls.
type pieceHash [16]byte

// Kinds of pieces.
const (
	pieceParts   = 'p'
	pieceMessage = 'm'
	pieceTool    = 't'
	pieceText    = 's'
	pieceRaw     = 'r'
	pieceFlags   = 'f'
)

// hasher puts the fields of a piece together in memory that it keeps.
type hasher struct{ buf []byte }

func (h *hasher) begin(kind byte) { h.buf = append(h.buf[:0], kind) }

func (h *hasher) text(s string) {
	h.buf = binary.AppendUvarint(h.buf, uint64(len(s)))
	h.buf = append(h.buf, s...)
}

func (h *hasher) number(n int64) { h.buf = binary.AppendVarint(h.buf, n) }

func (h *hasher) parts(ps []llm.Part) {
	h.number(int64(len(ps)))
	for i := range ps {
		p := &ps[i]
		for _, s := range [...]*string{&p.Type, &p.Content, &p.ID, &p.Name, &p.Arguments, &p.Response, &p.Modality, &p.MIMEType, &p.URI, &p.SHA256, &p.Item, &p.Detail} {
			h.text(*s)
		}
		h.number(p.Size)
		h.number(flag(p.Failed))
		h.number(int64(p.Width))
		h.number(int64(p.Height))
	}
}

// sum returns the hash of what was put together.
func (h *hasher) sum() pieceHash {
	s := sha256.Sum256(h.buf)
	if cap(h.buf) > keepBuffer {
		h.buf = nil
	}
	return pieceHash(s[:])
}

// keepBuffer is how large a buffer may stay from one call to the next.
const keepBuffer = 1 << 20

func (h *hasher) message(m *llm.Message) pieceHash {
	h.begin(pieceMessage)
	h.text(m.Role)
	h.text(m.Name)
	h.text(m.FinishReason)
	h.parts(m.Parts)
	return h.sum()
}

func (h *hasher) list(ps []llm.Part) pieceHash {
	h.begin(pieceParts)
	h.parts(ps)
	return h.sum()
}

func (h *hasher) tool(t *llm.Tool) pieceHash {
	h.begin(pieceTool)
	for _, s := range [...]*string{&t.Type, &t.Name, &t.Description, &t.Parameters} {
		h.text(*s)
	}
	return h.sum()
}

func (h *hasher) plain(kind byte, s string) pieceHash {
	h.begin(kind)
	h.text(s)
	return h.sum()
}

// known says which number a piece has. It forgets what was not asked for in a long
// time. Used by one goroutine.
type known struct {
	young, old map[pieceHash]int64
	most       int // entries of each
}

func newKnown(most int) *known {
	return &known{young: map[pieceHash]int64{}, most: most}
}

func (k *known) get(h pieceHash) (id int64, ok bool) {
	if id, ok = k.young[h]; ok {
		return id, true
	}
	if id, ok = k.old[h]; ok {
		k.put(h, id)
	}
	return id, ok
}

func (k *known) put(h pieceHash, id int64) {
	if len(k.young) >= k.most {
		k.old, k.young = k.young, make(map[pieceHash]int64, k.most)
	}
	k.young[h] = id
}
