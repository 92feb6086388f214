package content

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/spanwire/spanwire/internal/jsonwalk"
)

const (
	// maxSegments bounds the segments of a JPEG that are passed over: a handful in real
	// ones, with a profile or a preview of some hundred kilobytes among them.
	maxSegments = 256
	// maxEscaped bounds what is copied of base64 that is written with escapes.
	maxEscaped = 256 << 10
	// maxSide bounds a side of an image that is believed, in pixels.
	maxSide = 1 << 20
)

// imageSize reads how large an image is, in pixels, from the few bytes that say it, out
// of base64 as it stands in JSON text. It is 0 and 0 for what is no PNG, JPEG, GIF or
// WebP, and where that place was cut off.
// (PNG 3rd edition, section 11.2.1; GIF89a, section 18; JPEG, ITU T.81 annex B; WebP, RFC 9649.)
func imageSize(raw []byte) (width, height int) {
	b := encoded(raw)
	if head := raw[:min(len(raw), maxEscaped)]; bytes.IndexByte(head, '\\') >= 0 {
		b = encoded(strings.NewReplacer("\n", "", "\r", "").Replace(jsonwalk.Unescape(head)))
	}
	var room [32]byte
	head := b.at(room[:0], 0, 30)
	switch {
	case len(head) < 10:
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")) && len(head) >= 24:
		width, height = int(binary.BigEndian.Uint32(head[16:])), int(binary.BigEndian.Uint32(head[20:]))
	case bytes.HasPrefix(head, []byte("GIF8")):
		width, height = int(binary.LittleEndian.Uint16(head[6:])), int(binary.LittleEndian.Uint16(head[8:]))
	case bytes.HasPrefix(head, []byte("RIFF")) && len(head) >= 30 && string(head[8:12]) == "WEBP":
		width, height = webpSize(head)
	case bytes.HasPrefix(head, []byte{0xff, 0xd8, 0xff}):
		width, height = b.jpegSize()
	}
	if width < 1 || height < 1 || width > maxSide || height > maxSide {
		return 0, 0
	}
	return width, height
}

func webpSize(head []byte) (width, height int) {
	switch string(head[12:16]) {
	case "VP8X":
		le24 := func(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
		return le24(head[24:]) + 1, le24(head[27:]) + 1
	case "VP8L":
		if bits := binary.LittleEndian.Uint32(head[21:]); head[20] == 0x2f {
			return int(bits&0x3fff) + 1, int(bits>>14&0x3fff) + 1
		}
	case "VP8 ":
		if bytes.Equal(head[23:26], []byte{0x9d, 0x01, 0x2a}) {
			return int(binary.LittleEndian.Uint16(head[26:]) & 0x3fff), int(binary.LittleEndian.Uint16(head[28:]) & 0x3fff)
		}
	}
	return 0, 0
}

// encoded is base64 that is decoded where it is looked at.
type encoded []byte

// jpegSize goes from segment to segment until the frame's.
func (b encoded) jpegSize() (width, height int) {
	var room [16]byte
	at := 2
	for range maxSegments {
		s := b.at(room[:0], at, 9)
		if len(s) < 9 || s[0] != 0xff {
			return 0, 0
		}
		switch m := s[1]; {
		case m == 0xff: // a byte to fill
			at++
			continue
		case m == 0x01 || m >= 0xd0 && m <= 0xd7: // without a length
			at += 2
			continue
		case m == 0xd9 || m == 0xda: // the picture itself, or its end
			return 0, 0
		case m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc:
			return int(binary.BigEndian.Uint16(s[7:])), int(binary.BigEndian.Uint16(s[5:]))
		}
		at += 2 + max(2, int(binary.BigEndian.Uint16(s[2:])))
	}
	return 0, 0
}

// at appends the n bytes from the given one on, or as many as there are before
// something that is no base64. dst has room for n bytes and 5 more.
func (b encoded) at(dst []byte, from, n int) []byte {
	var group [4]byte
	skip := from % 3
	for i := from / 3 * 4; i+2 <= len(b) && len(dst) < n; i += 4 {
		k := copy(group[:], b[i:])
		for j, c := range group[:k] { // of the alphabet for URLs
			switch c {
			case '-':
				group[j] = '+'
			case '_':
				group[j] = '/'
			case '=':
				k = min(k, j)
			}
		}
		var three [3]byte
		got, err := base64.RawStdEncoding.Decode(three[:], group[:k])
		if err != nil {
			return dst
		}
		dst = append(dst, three[min(skip, got):got]...)
		skip = 0
	}
	return dst[:min(len(dst), n)]
}
