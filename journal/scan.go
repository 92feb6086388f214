package journal

import (
	"errors"
	"fmt"
	"io"
)

// window is how much of a segment is read at once.
const window = 256 << 10

// scanner reads the records of a segment in order, within bounded memory: one
// window, or one record when that is larger. It is used by one goroutine.
type scanner struct {
	in   io.ReaderAt
	salt [16]byte
	off  int64 // of the next frame
	end  int64 // of what may be read

	buf  []byte
	from int64 // offset of buf
}

// newScanner reads what lies between the header and end.
func newScanner(in io.ReaderAt, salt [16]byte, end int64) *scanner {
	return &scanner{in: in, salt: salt, off: segmentHead, end: end}
}

// damage says that the bytes at an offset are no record.
type damage struct {
	at  int64
	err error
}

func (d *damage) Error() string { return fmt.Sprintf("offset %d: %v", d.at, d.err) }
func (d *damage) Unwrap() error { return d.err }

var errCutOff = errors.New("it ends within a record")

// next returns the next record, which is valid until the next call, and its length
// with the frame. It returns io.EOF after the last one, a *damage when there is
// none where one should be (the scanner then stays where it is), and other errors
// of reading.
func (s *scanner) next() (record, int, error) {
	if s.off >= s.end {
		return record{}, 0, io.EOF
	}
	frame, err := s.frame(s.off)
	if err != nil {
		return record{}, 0, err
	}
	r, err := parseFrame(s.salt, frame)
	if err != nil {
		return record{}, 0, &damage{s.off, err}
	}
	s.off += int64(len(frame))
	return r, len(frame), nil
}

// frame returns the bytes of the frame at off.
func (s *scanner) frame(off int64) ([]byte, error) {
	if s.end-off < frameHead+payloadHead {
		return nil, &damage{off, errCutOff}
	}
	head, err := s.bytes(off, frameHead)
	if err != nil {
		return nil, err
	}
	n, ok := frameLength(head)
	if !ok {
		return nil, &damage{off, errors.New("no record has such a length")}
	}
	if int64(n) > s.end-off-frameHead {
		return nil, &damage{off, errCutOff}
	}
	return s.bytes(off, frameHead+n)
}

// bytes returns n bytes at off, which lie before the end.
func (s *scanner) bytes(off int64, n int) ([]byte, error) {
	if at := off - s.from; at >= 0 && at+int64(n) <= int64(len(s.buf)) {
		return s.buf[at : at+int64(n)], nil
	}
	want := int(min(int64(max(n, window)), s.end-off))
	if cap(s.buf) < want || cap(s.buf) > 4*window && want <= window {
		s.buf = make([]byte, want)
	}
	s.buf, s.from = s.buf[:want], off
	read, err := s.in.ReadAt(s.buf, off)
	s.buf = s.buf[:read]
	if read >= n {
		return s.buf[:n], nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return nil, &damage{off, errCutOff} // the file got shorter
	}
	return nil, fmt.Errorf("read records: %w", err)
}

// resume looks for the next record after damage: one with a number above before.
// It returns how many bytes it passed over, and false when there is none left.
func (s *scanner) resume(before uint64) (skipped int64, found bool, err error) {
	start := s.off
	for off := start + 1; s.end-off >= frameHead+payloadHead; off++ {
		p, err := s.bytes(off, frameHead+payloadHead)
		if err != nil {
			return 0, false, err
		}
		n, ok := frameLength(p)
		if !ok || int64(n) > s.end-off-frameHead || !plausible(p[frameHead:], before) {
			continue
		}
		frame, err := s.bytes(off, frameHead+n)
		if err != nil {
			return 0, false, err
		}
		if r, err := parseFrame(s.salt, frame); err == nil && r.seq > before {
			s.off = off
			return off - start, true, nil
		}
	}
	s.off = s.end
	return s.end - start, false, nil
}

// plausible says whether a payload may begin so, at the price of a few bytes: the
// checksum of everything that has the length of a record would take hours.
func plausible(p []byte, before uint64) bool {
	if p[0] != plainVersion && p[0] != sealedVersion || p[1] != kindCall && p[1] != kindCheckpoint || p[2] != 0 || p[3] != 0 {
		return false
	}
	var seq uint64
	for i := 7; i >= 0; i-- {
		seq = seq<<8 | uint64(p[8+i])
	}
	return seq > before && seq-before < 1<<32
}
