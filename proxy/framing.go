package proxy

// framing finds where a message body ends, and which of the bytes are content,
// without changing any: the bytes go on as they came.
type framing struct {
	kind  bodyKind
	left  int64 // kindLength: content still to come; kindChunked: of this chunk
	state chunkState
	line  int // length of the line that is being read, to bound it
	done  bool
	// content has the parts of the last fed piece that are content, in order. It
	// is valid until the next feed.
	content [][]byte
	// keepTrailer makes trailer keep the trailer section as it came.
	keepTrailer bool
	trailer     []byte
}

type bodyKind uint8

const (
	kindNone    bodyKind = iota // no body
	kindLength                  // Content-Length
	kindChunked                 // Transfer-Encoding: chunked
	kindClose                   // ends with the connection
)

type chunkState uint8

const (
	inSize chunkState = iota
	inExtension
	inSizeLF
	inData
	inDataCR
	inDataLF
	inTrailerStart
	inTrailer
	inTrailerLF
	inEndLF
)

const (
	maxChunk = 1 << 48  // content of one chunk
	maxLine  = 16 << 10 // chunk extension, or the whole trailer section
)

func (f *framing) reset(kind bodyKind, length int64) {
	*f = framing{kind: kind, left: length, content: f.content[:0], trailer: f.trailer[:0]}
	switch kind {
	case kindNone:
		f.done = true
	case kindLength:
		f.done = length == 0
	case kindChunked:
		f.left = 0
	}
}

// feed takes the next bytes and returns how many of them belong to the body.
func (f *framing) feed(p []byte) (int, error) {
	f.content = f.content[:0]
	switch f.kind {
	case kindClose:
		f.add(p)
		return len(p), nil
	case kindChunked:
		return f.chunks(p)
	}
	n := len(p)
	if int64(n) > f.left {
		n = int(f.left)
	}
	f.add(p[:n])
	f.left -= int64(n)
	f.done = f.left == 0
	return n, nil
}

func (f *framing) add(p []byte) {
	if len(p) > 0 {
		f.content = append(f.content, p)
	}
}

// chunks follows RFC 9112 section 7.1, strictly: sizes are hexadecimal, lines end
// in CRLF, the data of a chunk is followed by CRLF.
func (f *framing) chunks(p []byte) (int, error) {
	for i := 0; i < len(p); i++ {
		if f.state == inData {
			n := len(p) - i
			if int64(n) > f.left {
				n = int(f.left)
			}
			f.add(p[i : i+n])
			if f.left -= int64(n); f.left > 0 {
				return len(p), nil
			}
			i += n - 1
			f.state = inDataCR
			continue
		}
		if !f.step(p[i]) {
			return i, errChunk
		}
		if f.done {
			return i + 1, nil
		}
	}
	return len(p), nil
}

// step takes one byte that is not content, and says whether it may stand there.
func (f *framing) step(c byte) bool {
	f.line++
	switch f.state {
	case inSize:
		switch d := unhex(c); {
		case d >= 0:
			f.left = f.left<<4 | int64(d)
			return f.left < maxChunk && f.line < 64
		case f.line == 1:
			return false
		case c == '\r':
			f.state = inSizeLF
		case c == ';' || c == ' ' || c == '\t':
			f.state = inExtension
		default:
			return false
		}
	case inExtension:
		if c == '\r' {
			f.state = inSizeLF
		}
		return c != '\n' && f.line < maxLine
	case inSizeLF:
		f.line = 0
		if f.state = inData; f.left == 0 {
			f.state = inTrailerStart
		}
		return c == '\n'
	case inDataCR:
		f.state = inDataLF
		return c == '\r'
	case inDataLF:
		f.state, f.line = inSize, 0
		return c == '\n'
	default:
		return f.trail(c)
	}
	return true
}

// trail takes a byte after the last chunk: field lines, then an empty line.
func (f *framing) trail(c byte) bool {
	if f.keepTrailer {
		f.trailer = append(f.trailer, c)
	}
	switch f.state {
	case inTrailerStart:
		f.state = inTrailer
		if c == '\r' {
			f.state = inEndLF
		}
		return c != '\n' && f.line < maxLine
	case inTrailer:
		if c == '\r' {
			f.state = inTrailerLF
		}
		return c != '\n' && f.line < maxLine
	case inTrailerLF:
		f.state = inTrailerStart
		return c == '\n'
	default: // inEndLF
		f.done = true
		return c == '\n'
	}
}

// hasTrailers says whether fields followed the last chunk; it needs keepTrailer.
func (f *framing) hasTrailers() bool { return len(f.trailer) > len("\r\n") }

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
