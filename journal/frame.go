package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/spanwire/spanwire/internal/sealed"
)

// Sizes of the format, in bytes.
const (
	frameHead   = 8
	payloadHead = 96
	// maxPayload bounds a record, and so what a reader allocates for one.
	maxPayload = 256 << 20
)

// Versions of a record.
const (
	plainVersion  = 1
	sealedVersion = 2 // its content is encrypted
)

// Kinds of records.
const (
	kindCall       = 1
	kindCheckpoint = 2
)

// hash is the SHA-256 by which a record names the one before.
type hash [sha256.Size]byte

// record is the payload of a frame. Its slices are those of the buffer that it was
// parsed from.
type record struct {
	version, kind uint8
	ago           uint32 // records of the same batch before this one
	seq           uint64
	at            time.Time // when it was appended
	prev          hash
	digest        hash // of the content; zero when there never was any
	size          int  // of the content as it was written
	facts         []byte
	content       []byte // nil when there is none, or none any more
	sum           hash   // of this record: what the next one has as prev
}

// sealed says whether the content is there, and encrypted.
func (r *record) sealed() bool { return r.version == sealedVersion && len(r.content) > 0 }

// place is what the content is sealed for: its place in the chain.
func (r *record) place() string { return "journal " + string(r.prev[:]) }

// locked says whether the content cannot be read with keys, whose ring may be nil.
func (r *record) locked(keys *sealed.Keys) error {
	if !r.sealed() {
		return nil
	}
	if err := keys.CanOpen(r.content); errors.Is(err, sealed.ErrNoKey) {
		return fmt.Errorf("the content of record %d: %w", r.seq, err)
	}
	return nil
}

// stripped says whether the content was dropped after it was written.
func (r *record) stripped() bool { return r.size > 0 && len(r.content) == 0 }

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	errBadRecord = errors.New("a record that makes no sense")
)

// checksum is the one of a frame: of the salt, the length and the payload.
func checksum(salt [16]byte, length, payload []byte) uint32 {
	c := crc32.Update(0, castagnoli, salt[:])
	c = crc32.Update(c, castagnoli, length)
	return crc32.Update(c, castagnoli, payload)
}

// appendFrame appends a record to out: r's number, times and hashes, and the facts
// and content that write appends. It returns the hash of the new record. When it
// fails out is as it was.
func appendFrame(out *bytes.Buffer, salt [16]byte, r record, facts, content func(*bytes.Buffer) error) (hash, error) {
	from := out.Len()
	var head [frameHead + payloadHead]byte
	out.Write(head[:])
	err := facts(out)
	endOfFacts := out.Len()
	if err == nil {
		err = content(out)
	}
	if n := out.Len() - from - frameHead; err == nil && n > maxPayload {
		err = fmt.Errorf("%w: %d bytes", ErrTooLarge, n)
	}
	if err != nil {
		out.Truncate(from)
		return hash{}, err
	}
	frame := out.Bytes()[from:]
	payload := frame[frameHead:]
	said := out.Bytes()[endOfFacts:]
	r.size = len(said)
	if len(said) > 0 {
		r.digest = sha256.Sum256(said)
	}
	r.putHead(payload, endOfFacts-from-frameHead-payloadHead)
	seal(salt, frame)
	return sha256.Sum256(payload[:endOfFacts-from-frameHead]), nil
}

// putHead writes the head of a payload.
func (r *record) putHead(p []byte, factsLen int) {
	p[0], p[1] = r.version, r.kind
	binary.LittleEndian.PutUint32(p[4:], r.ago)
	binary.LittleEndian.PutUint64(p[8:], r.seq)
	binary.LittleEndian.PutUint64(p[16:], uint64(r.at.UnixNano()))
	copy(p[24:56], r.prev[:])
	binary.LittleEndian.PutUint32(p[56:], uint32(factsLen))
	binary.LittleEndian.PutUint32(p[60:], uint32(r.size))
	copy(p[64:96], r.digest[:])
}

// seal writes length and checksum of a frame whose payload is complete.
func seal(salt [16]byte, frame []byte) {
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)-frameHead))
	binary.LittleEndian.PutUint32(frame[4:], checksum(salt, frame[:4], frame[frameHead:]))
}

// frameLength returns the length of a payload that a frame head tells; ok is false
// when no record can have it.
func frameLength(head []byte) (n int, ok bool) {
	n = int(binary.LittleEndian.Uint32(head))
	return n, n >= payloadHead && n <= maxPayload
}

// parseFrame checks a whole frame and returns its record.
func parseFrame(salt [16]byte, frame []byte) (record, error) {
	if checksum(salt, frame[:4], frame[frameHead:]) != binary.LittleEndian.Uint32(frame[4:]) {
		return record{}, errChecksum
	}
	return parsePayload(frame[frameHead:])
}

var errChecksum = errors.New("the checksum does not hold")

func parsePayload(p []byte) (record, error) {
	if len(p) < payloadHead {
		return record{}, fmt.Errorf("%w: only %d bytes", errBadRecord, len(p))
	}
	r := record{
		version: p[0], kind: p[1],
		ago: binary.LittleEndian.Uint32(p[4:]),
		seq: binary.LittleEndian.Uint64(p[8:]),
		at:  time.Unix(0, int64(binary.LittleEndian.Uint64(p[16:]))).UTC(),
	}
	if r.version != plainVersion && r.version != sealedVersion {
		return record{}, fmt.Errorf("%w: its version is %d", errBadRecord, r.version)
	}
	copy(r.prev[:], p[24:56])
	copy(r.digest[:], p[64:96])
	facts := int64(binary.LittleEndian.Uint32(p[56:]))
	said := int64(binary.LittleEndian.Uint32(p[60:]))
	r.size = int(said)
	rest := int64(len(p) - payloadHead)
	if rest != facts+said && rest != facts || uint64(r.ago) >= r.seq {
		return record{}, fmt.Errorf("%w: lengths or numbers in its head are wrong", errBadRecord)
	}
	r.facts = p[payloadHead : payloadHead+facts]
	if rest == facts+said {
		r.content = p[payloadHead+facts:]
	}
	r.sum = sha256.Sum256(p[:payloadHead+facts])
	return r, nil
}

// checkContent says whether the content is what was written.
func (r *record) checkContent() error {
	if r.size == 0 {
		if r.digest != (hash{}) {
			return fmt.Errorf("%w: a digest of no content", errBadRecord)
		}
		return nil
	}
	if !r.stripped() && sha256.Sum256(r.content) != r.digest {
		return errors.New("the content is not what its digest says")
	}
	return nil
}
