package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	segmentMagic   = "SPANWJNL"
	segmentVersion = 1
	segmentHead    = 128
	segmentSuffix  = ".journal"
	temporary      = ".tmp"

	flagStripped = 1 // contents were dropped
)

// header is the first bytes of a segment.
type header struct {
	flags   uint16
	first   uint64
	created time.Time
	salt    [16]byte
	prev    hash
	id      [16]byte // of the journal
}

func (h header) bytes() []byte {
	b := make([]byte, segmentHead)
	copy(b, segmentMagic)
	binary.LittleEndian.PutUint16(b[8:], segmentVersion)
	binary.LittleEndian.PutUint16(b[10:], h.flags)
	binary.LittleEndian.PutUint64(b[16:], h.first)
	binary.LittleEndian.PutUint64(b[24:], uint64(h.created.UnixNano()))
	copy(b[32:], h.salt[:])
	copy(b[48:], h.prev[:])
	copy(b[80:], h.id[:])
	binary.LittleEndian.PutUint32(b[124:], crc32.Checksum(b[:124], castagnoli))
	return b
}

var errBadHeader = errors.New("it does not begin as a segment of a journal")

func parseHeader(b []byte) (header, error) {
	if len(b) < segmentHead || string(b[:8]) != segmentMagic || binary.LittleEndian.Uint32(b[124:]) != crc32.Checksum(b[:124], castagnoli) {
		return header{}, errBadHeader
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v != segmentVersion {
		return header{}, fmt.Errorf("it has version %d of the format, known here is %d", v, segmentVersion)
	}
	h := header{
		flags:   binary.LittleEndian.Uint16(b[10:]),
		first:   binary.LittleEndian.Uint64(b[16:]),
		created: time.Unix(0, int64(binary.LittleEndian.Uint64(b[24:]))).UTC(),
	}
	copy(h.salt[:], b[32:])
	copy(h.prev[:], b[48:])
	copy(h.id[:], b[80:])
	return h, nil
}

// segment is a file of the journal. What can change of it is guarded by the
// journal's mutex.
type segment struct {
	path string
	header
	size int64 // of what is durable, the header included
	// broken says that no record can be read for want of a header. Followers pass
	// over it; it goes when its time is over.
	broken bool
	kept   bool // its contents cannot be dropped; see strip
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// listSegments returns the segments of a folder in order, as far as their names
// and headers tell. A header that cannot be read makes the segment broken.
func listSegments(dir string) ([]*segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var out []*segment
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		first, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil || len(digits) != 20 || first == 0 || !e.Type().IsRegular() {
			continue
		}
		s := &segment{path: filepath.Join(dir, e.Name())}
		if err := s.read(); err != nil {
			if !errors.Is(err, errBadHeader) {
				return nil, fmt.Errorf("read segment %s: %w", e.Name(), err)
			}
			s.broken = true
		}
		if !s.broken && s.first != first {
			s.broken = true // a file that was renamed is not where it belongs
		}
		s.first = first
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *segment) int { return strings.Compare(a.path, b.path) })
	return out, nil
}

// read reads the header and the size.
func (s *segment) read() error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	s.size = info.Size()
	head := make([]byte, segmentHead)
	if _, err := io.ReadFull(f, head); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errBadHeader
		}
		return err
	}
	s.header, err = parseHeader(head)
	return err
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
