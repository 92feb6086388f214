package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spanwire/spanwire/internal/callrecord"
	"github.com/spanwire/spanwire/llm"
)

// largePiece is from where a piece is kept apart, so that who wants its neighbours
// need not expand it: an image, a file.
const largePiece = 128 << 10

// speaker turns what was said in a call into pieces. It keeps memory from one call to
// the next, and is used by one goroutine.
type speaker struct {
	known *known
	heard heard
	enc   callrecord.Encoder
	hash  hasher

	// Of the call at hand.
	n     int64
	list  manifest
	fresh []pieceHash // of the new pieces, in order
	plain bytes.Buffer
	sizes []uint64 // of the new pieces, plus one; 0 for one that is large
	large []large
}

type large struct {
	id   int64
	data []byte
}

// said is what is written of what was said in a call.
type said struct {
	n        int64
	preview  string
	manifest []byte // squeezed
	pieces   []byte // the new ones, not yet squeezed; nil when there are none
	own      any    // the same as the row of the call has it: bytes, or nil when they are in a block
	hashes   []pieceHash
	large    []large
}

// listen splits what was said in c. ok is false when nothing was. What it returns is
// valid until the next call.
func (s *speaker) listen(n int64, c *llm.Call) (out said, ok bool, err error) {
	s.n, s.list, s.fresh, s.sizes, s.large = n, manifest{}, s.fresh[:0], s.sizes[:0], nil
	s.plain.Reset()
	if err := s.split(c); err != nil {
		return said{}, false, err
	}
	for _, ids := range s.list {
		ok = ok || len(ids) > 0
	}
	if !ok {
		return said{}, false, nil
	}
	out = said{n: n, preview: preview(c), manifest: squeezeSmall(s.list.encode(nil)), hashes: s.fresh, large: s.large}
	if len(s.fresh) > 0 {
		head := binary.AppendUvarint(nil, uint64(len(s.sizes)))
		for _, size := range s.sizes {
			head = binary.AppendUvarint(head, size)
		}
		out.pieces = append(head, s.plain.Bytes()...)
	}
	if s.plain.Cap() > keepBuffer {
		s.plain = bytes.Buffer{}
	}
	return out, true, nil
}

func (s *speaker) split(c *llm.Call) error {
	var errs []error
	add := func(to section, h pieceHash, write func(*bytes.Buffer) error) {
		id, err := s.piece(h, write)
		if err != nil {
			errs = append(errs, err)
			return
		}
		s.list[to] = append(s.list[to], id)
	}
	t := s.heard.of(c)
	s.list[secSystem] = append(s.list[secSystem], t.system.again(c.System, samePart)...)
	s.list[secTools] = append(s.list[secTools], t.tools.again(c.Tools, sameTool)...)
	s.list[secInput] = append(s.list[secInput], t.input.again(c.Input, sameMessage)...)
	for i := len(t.system.said); i < len(c.System); i++ {
		part := c.System[i : i+1]
		add(secSystem, s.hash.list(part), func(b *bytes.Buffer) error { return s.enc.Parts(b, part) })
	}
	for i := len(t.tools.said); i < len(c.Tools); i++ {
		add(secTools, s.hash.tool(&c.Tools[i]), func(b *bytes.Buffer) error { return s.enc.Tool(b, &c.Tools[i]) })
	}
	for i := len(t.input.said); i < len(c.Input); i++ {
		add(secInput, s.hash.message(&c.Input[i]), func(b *bytes.Buffer) error { return s.enc.Message(b, &c.Input[i]) })
	}
	for i := range c.Output {
		add(secOutput, s.hash.message(&c.Output[i]), func(b *bytes.Buffer) error { return s.enc.Message(b, &c.Output[i]) })
	}
	if c.OutputSchema != "" {
		add(secSchema, s.hash.plain(pieceText, c.OutputSchema), func(b *bytes.Buffer) error { b.WriteString(c.OutputSchema); return nil })
	}
	if hasParts(c.Run) {
		for i := range c.Run.Inferred {
			parts := c.Run.Inferred[i].Parts
			add(secInferred, s.hash.list(parts), func(b *bytes.Buffer) error { return s.enc.Parts(b, parts) })
		}
	}
	if c.Raw != nil {
		for to, body := range map[section]string{secRequest: c.Raw.Request, secResponse: c.Raw.Response} {
			splitBody(body, func(p string) {
				add(to, s.hash.plain(pieceRaw, p), func(b *bytes.Buffer) error { b.WriteString(p); return nil })
			})
		}
		flags := fmt.Sprint(c.Raw.RequestCut, c.Raw.ResponseCut, c.Raw.RequestRedacted, c.Raw.ResponseRedacted)
		add(secRaw, s.hash.plain(pieceFlags, flags), func(b *bytes.Buffer) error { return s.enc.RawFlags(b, *c.Raw) })
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.heard.keep(t, c, &s.list)
	return nil
}

func hasParts(r *llm.Run) bool {
	if r != nil {
		for i := range r.Inferred {
			if len(r.Inferred[i].Parts) > 0 {
				return true
			}
		}
	}
	return false
}

// piece returns the number of a piece, a new one when it is not known.
func (s *speaker) piece(h pieceHash, write func(*bytes.Buffer) error) (int64, error) {
	if id, ok := s.known.get(h); ok {
		return id, nil
	}
	from := s.plain.Len()
	if err := write(&s.plain); err != nil {
		return 0, err
	}
	id := pieceID(s.n, int64(len(s.fresh)))
	if len(s.fresh) > maxOrdinal {
		return 0, fmt.Errorf("more than %d pieces in one call", maxOrdinal)
	}
	size := s.plain.Len() - from
	if size >= largePiece {
		s.large = append(s.large, large{id, bytes.Clone(s.plain.Bytes()[from:])})
		s.plain.Truncate(from)
		s.sizes = append(s.sizes, 0)
	} else {
		s.sizes = append(s.sizes, uint64(size)+1)
	}
	s.fresh = append(s.fresh, h)
	s.known.put(h, id)
	return id, nil
}

var errPieces = errors.New("pieces that make no sense")

// splitPieces returns the pieces of a call by their places; nil for one that is large.
func splitPieces(b []byte) ([][]byte, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)) {
		return nil, errPieces
	}
	b = b[n:]
	sizes := make([]uint64, count)
	for i := range sizes {
		if sizes[i], n = binary.Uvarint(b); n <= 0 {
			return nil, errPieces
		}
		b = b[n:]
	}
	out := make([][]byte, count)
	for i, size := range sizes {
		if size == 0 {
			continue
		}
		if size--; size > uint64(len(b)) {
			return nil, errPieces
		}
		out[i], b = b[:size:size], b[size:]
	}
	if len(b) > 0 {
		return nil, errPieces
	}
	return out, nil
}

// previewRunes is how much of a prompt a list shows.
const previewRunes = 160

// preview returns the beginning of what the user said last, on one line.
func preview(c *llm.Call) string {
	for i := len(c.Input) - 1; i >= 0; i-- {
		m := &c.Input[i]
		if m.Role != "user" && len(c.Input) > 1 {
			continue
		}
		for j := len(m.Parts) - 1; j >= 0; j-- {
			if p := &m.Parts[j]; p.Type == llm.PartText && strings.TrimSpace(p.Content) != "" {
				return oneLine(p.Content, previewRunes)
			}
		}
	}
	return ""
}

// oneLine returns the first words of s: at most n runes, valid, without control
// characters, and with one blank where several were.
func oneLine(s string, n int) string {
	var b strings.Builder
	blank := false
	for _, r := range s {
		if r <= ' ' || r == 0x7f || r == 0x85 || r == 0xa0 || r == 0x2028 || r == 0x2029 {
			blank = b.Len() > 0
			continue
		}
		if n--; n < 0 {
			b.WriteRune('…')
			break
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r) // what is no UTF-8 comes as U+FFFD
	}
	return b.String()
}

// clip returns s, or what stands for it in lists and filters when it is long: its
// beginning and a digest.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	cut := 150
	for cut > 140 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	var h hasher
	sum := h.plain(pieceText, s)
	return fmt.Sprintf("%s…%x", s[:cut], sum[:8])
}
