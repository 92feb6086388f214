// Package eventstream splits an AWS event stream
// (application/vnd.amazon.eventstream) into its messages while it passes, wherever
// it is cut.
//
// A message is a prelude (total length, length of the headers, checksum of these
// eight bytes), headers, payload and a checksum of all before it (wire reference,
// section 3.4). Both checksums are checked. A message whose own checksum is wrong
// is dropped and counted; after a prelude that is wrong nothing tells where the
// next message begins, so the rest of the stream is not read.
package eventstream

import (
	"encoding/binary"
	"hash/crc32"
)

// DefaultMaxMessage is the bound on one message that a [Splitter] uses when none
// is set. The services bound messages at 16 MiB.
const DefaultMaxMessage = 16 << 20

const (
	preludeSize = 12 // two lengths and their checksum
	overhead    = preludeSize + 4
	maxHeaders  = 128 << 10
	keep        = 64 << 10 // the largest buffer held between messages
)

// Message is one message. Its slices are valid until the next call of a method of
// its splitter, and no longer than the piece that was fed.
type Message struct {
	Headers []byte // encoded; see [Message.Header]
	Payload []byte
}

// A Splitter cuts a stream into messages. The zero value is ready. Usage:
//
//	s.Feed(piece)
//	for m, ok := s.Next(); ok; m, ok = s.Next() { … }
//
// A message that lies whole in one piece costs no allocation. It is for one
// goroutine.
type Splitter struct {
	// MaxMessage bounds the bytes of a message; 0 means DefaultMaxMessage. A larger
	// one is passed over.
	MaxMessage int
	// Dropped counts messages that were too large, or whose checksum was wrong.
	Dropped int

	piece []byte // not looked at yet
	held  []byte // beginning of a message that has not ended
	skip  int    // bytes of a message that is too large, still to come
	lost  bool   // a prelude was wrong
}

// Feed gives the next piece of the stream. It must stay as it is until Next has
// returned false.
func (s *Splitter) Feed(p []byte) { s.piece = p }

// Lost says that a prelude was wrong, and that nothing after it was read.
func (s *Splitter) Lost() bool { return s.lost }

// Pending returns how many bytes of a message came that has not ended.
func (s *Splitter) Pending() int { return len(s.held) }

// Next returns the next message that has ended. When ok is false all that was fed
// is read, and what belongs to an unfinished message was copied.
func (s *Splitter) Next() (m Message, ok bool) {
	for len(s.piece) > 0 && !s.lost {
		if s.skip > 0 {
			n := min(s.skip, len(s.piece))
			s.skip -= n
			s.piece = s.piece[n:]
			continue
		}
		raw, ok := s.take()
		if !ok {
			continue
		}
		headers := int(binary.BigEndian.Uint32(raw[4:]))
		end := len(raw) - 4
		if crc32.ChecksumIEEE(raw[:end]) != binary.BigEndian.Uint32(raw[end:]) {
			s.Dropped++
			continue
		}
		return Message{Headers: raw[preludeSize : preludeSize+headers], Payload: raw[preludeSize+headers : end]}, true
	}
	s.piece = nil
	return Message{}, false
}

// take returns the next whole message with a sound prelude, or takes what there is
// of it from the piece.
func (s *Splitter) take() (raw []byte, ok bool) {
	if len(s.held) == 0 && len(s.piece) >= preludeSize {
		size, ok := s.prelude(s.piece)
		if !ok {
			return nil, false
		}
		if len(s.piece) >= size {
			raw, s.piece = s.piece[:size], s.piece[size:]
			return raw, true
		}
	}
	if len(s.held) < preludeSize {
		s.hold(preludeSize - len(s.held))
		if len(s.held) < preludeSize {
			return nil, false
		}
	}
	size, ok := s.prelude(s.held)
	if !ok {
		return nil, false
	}
	s.hold(size - len(s.held))
	if len(s.held) < size {
		return nil, false
	}
	raw = s.held
	if s.held = s.held[:0]; cap(s.held) > keep {
		s.held = nil
	}
	return raw, true
}

// hold copies up to n bytes of the piece.
func (s *Splitter) hold(n int) {
	n = min(n, len(s.piece))
	s.held = append(s.held, s.piece[:n]...)
	s.piece = s.piece[n:]
}

// prelude checks the beginning of a message and returns its size; ok is false when
// it cannot be read.
func (s *Splitter) prelude(p []byte) (size int, ok bool) {
	total, headers := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
	if crc32.ChecksumIEEE(p[:8]) != binary.BigEndian.Uint32(p[8:]) || total < overhead || headers > total-overhead || headers > maxHeaders {
		s.lost, s.held = true, nil
		return 0, false
	}
	most := s.MaxMessage
	if most <= 0 {
		most = DefaultMaxMessage
	}
	if uint64(total) > uint64(most) {
		s.Dropped++
		s.skip = int(total) - len(s.held)
		s.held = nil
		return 0, false
	}
	return int(total), true
}

// sizes are those of the header types whose values are of one size (wire
// reference, section 3.4): true, false, 8 to 64 bits, and behind the two that
// bring their length a timestamp and a UUID.
var sizes = [...]int{0, 0, 1, 2, 4, 8, -1, -1, 8, 16}

const textType = 7

// Header returns the value of a header that is a text, nil when there is none.
func (m Message) Header(name string) []byte {
	for p := m.Headers; len(p) > 0; {
		n := int(p[0])
		if len(p) < n+2 {
			return nil
		}
		key, kind := p[1:1+n], int(p[1+n])
		p = p[n+2:]
		if kind >= len(sizes) {
			return nil
		}
		size := sizes[kind]
		if size < 0 {
			if len(p) < 2 {
				return nil
			}
			size = int(binary.BigEndian.Uint16(p))
			p = p[2:]
		}
		if len(p) < size {
			return nil
		}
		if kind == textType && string(key) == name {
			return p[:size]
		}
		p = p[size:]
	}
	return nil
}

// Append appends a message with text headers, given as names and values in turn.
func Append(dst []byte, payload []byte, headers ...string) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, preludeSize)...)
	for i := 0; i+1 < len(headers); i += 2 {
		dst = append(dst, byte(len(headers[i])))
		dst = append(dst, headers[i]...)
		dst = append(dst, textType)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(headers[i+1])))
		dst = append(dst, headers[i+1]...)
	}
	binary.BigEndian.PutUint32(dst[start+4:], uint32(len(dst)-start-preludeSize))
	dst = append(dst, payload...)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start+4))
	binary.BigEndian.PutUint32(dst[start+8:], crc32.ChecksumIEEE(dst[start:start+8]))
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}
