// Package websocket reads the messages of a WebSocket that passes by.
//
// The libraries for WebSockets are ends of a connection: they own a socket, answer
// pings and close. A relay that only looks needs the opposite: bytes are pushed in
// as they went over the wire, cut anywhere, and nothing is ever answered.
package websocket

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// Opcodes of messages (RFC 6455 section 5.2).
const (
	Text   = 1
	Binary = 2
	Close  = 8
	Ping   = 9
	Pong   = 10
)

// ErrFrame says that the bytes are no frames. Nothing can be read after it.
var ErrFrame = errors.New("malformed WebSocket frame")

// Message is a whole message, or a control frame.
type Message struct {
	Opcode byte
	// Data is the payload, unmasked and inflated. It is valid until the next call
	// of Feed or Next. Empty when Size is beyond the limit.
	Data []byte
	Size int64 // payload bytes on the wire
}

// Splitter finds messages in the bytes of one direction. The zero value reads
// messages without compression of at most 1 MiB. It is used by one goroutine.
type Splitter struct {
	// Limit bounds the messages that are kept, on the wire and inflated; longer
	// ones are told without their data. 0 means 1 MiB.
	Limit int
	// Deflate says that permessage-deflate was agreed (RFC 7692), and KeepContext
	// that this direction's compression goes on from message to message.
	Deflate, KeepContext bool

	in      []byte // bytes of an incomplete frame head
	left    uint64 // payload bytes of the frame still to come
	mask    [4]byte
	masked  bool
	at      int // position in the mask
	fin     bool
	control bool
	opcode  byte // of the frame
	packed  bool // the message is compressed

	message byte // opcode of the message under way; 0 for none
	data    []byte
	size    int64
	ctl     []byte
	rest    []byte // fed and not split yet
	dict    []byte // the last 32 KiB inflated
	lost    bool   // the compression context is lost: nothing can be inflated any more
	err     error
}

const defaultLimit = 1 << 20

func (s *Splitter) limit() int {
	if s.Limit > 0 {
		return s.Limit
	}
	return defaultLimit
}

// Agreed reads from a Sec-WebSocket-Extensions answer how both directions are
// compressed: client is what the caller sends, server what it gets.
func Agreed(extensions string) (client, server Splitter) {
	for _, ext := range strings.Split(extensions, ",") {
		name, params, _ := strings.Cut(ext, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") {
			continue
		}
		client.Deflate, server.Deflate, client.KeepContext, server.KeepContext = true, true, true, true
		for _, p := range strings.Split(params, ";") {
			switch strings.ToLower(strings.TrimSpace(p)) {
			case "client_no_context_takeover":
				client.KeepContext = false
			case "server_no_context_takeover":
				server.KeepContext = false
			}
		}
	}
	return client, server
}

// Feed takes the next bytes. They are not kept beyond the next call of Feed.
func (s *Splitter) Feed(p []byte) { s.rest = p }

// Next returns the next complete message of what was fed, or false. An error
// stays: after it the splitter reads nothing.
func (s *Splitter) Next() (m Message, ok bool, err error) {
	for s.err == nil {
		if !s.inFrame() && !s.head() {
			break
		}
		if !s.payload() {
			break
		}
		if m, ok := s.end(); ok {
			return m, true, nil
		}
	}
	return Message{}, false, s.err
}

func (s *Splitter) inFrame() bool { return len(s.in) == 0 && s.left > 0 }

// head reads a frame head; it returns false when more bytes are needed.
func (s *Splitter) head() bool {
	for {
		need := headSize(s.in)
		if len(s.in) == need {
			break
		}
		n := min(need-len(s.in), len(s.rest))
		if n == 0 {
			return false
		}
		s.in, s.rest = append(s.in, s.rest[:n]...), s.rest[n:]
	}
	b := s.in
	s.fin, s.opcode, s.masked, s.at = b[0]&0x80 != 0, b[0]&0x0f, b[1]&0x80 != 0, 0
	s.control = s.opcode >= 8
	n := uint64(b[1] & 0x7f)
	i := 2
	switch n {
	case 126:
		n, i = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		n, i = binary.BigEndian.Uint64(b[2:]), 10
	}
	if s.masked {
		copy(s.mask[:], b[i:])
	}
	packed := b[0]&0x40 != 0
	switch {
	case b[0]&0x30 != 0, packed && !s.Deflate, n > 1<<62,
		s.control && (n > 125 || !s.fin || s.opcode > Pong || packed),
		!s.control && s.opcode > Binary,
		!s.control && (s.opcode == 0) != (s.message != 0):
		s.err = ErrFrame
		return false
	}
	s.in, s.left = s.in[:0], n
	if s.control {
		s.ctl = s.ctl[:0]
	} else if s.opcode != 0 {
		s.message, s.packed, s.size, s.data = s.opcode, packed, 0, s.data[:0]
	}
	return true
}

func headSize(b []byte) int {
	if len(b) < 2 {
		return 2
	}
	n := 2
	switch b[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// payload takes payload bytes; it returns whether the frame is complete.
func (s *Splitter) payload() bool {
	n := len(s.rest)
	if uint64(n) > s.left {
		n = int(s.left)
	}
	p := s.rest[:n]
	s.rest, s.left = s.rest[n:], s.left-uint64(n)
	to := &s.data
	if s.control {
		to = &s.ctl
	} else {
		s.size += int64(n)
		if len(s.data)+n > s.limit() {
			p = nil
			s.data = s.data[:0]
			if s.packed && s.KeepContext {
				s.lost = true
			}
		} else if s.size > int64(len(s.data)+n) {
			p = nil // the beginning is missing already
		}
	}
	from := len(*to)
	*to = append(*to, p...)
	if s.masked {
		for i := range (*to)[from:] {
			(*to)[from+i] ^= s.mask[(s.at+i)&3]
		}
		s.at = (s.at + n) & 3
	}
	return s.left == 0
}

// end returns the message that the frame completes, if it does.
func (s *Splitter) end() (Message, bool) {
	if s.control {
		return Message{s.opcode, s.ctl, int64(len(s.ctl))}, true
	}
	if !s.fin {
		return Message{}, false
	}
	m := Message{s.message, s.data, s.size}
	s.message = 0
	if int64(len(s.data)) != s.size {
		m.Data = nil
	} else if s.packed {
		m.Data = s.inflate()
	}
	if cap(s.data) > 256<<10 { // one long message is no reason to keep its room
		s.data = nil
	}
	return m, true
}

// tail ends a compressed message: the empty block that senders leave out (RFC 7692
// section 7.2.2), and a last block so that the reader sees an end.
var tail = []byte{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff}

func (s *Splitter) inflate() []byte {
	if s.lost {
		return nil
	}
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(s.data), bytes.NewReader(tail)), s.dict)
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(r, int64(s.limit())+1))
	if err != nil || n > int64(s.limit()) {
		s.lost = s.KeepContext
		return nil
	}
	if s.KeepContext {
		s.dict = append(s.dict, out.Bytes()...)
		if over := len(s.dict) - 32<<10; over > 0 {
			s.dict = append(s.dict[:0], s.dict[over:]...)
		}
	}
	return out.Bytes()
}
