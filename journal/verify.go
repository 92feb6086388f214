package journal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spanwire/spanwire/internal/callrecord"
)

// Report is what [Verify] found.
type Report struct {
	Segments    int
	Records     int64 // in the range, checkpoints included
	Calls       int64
	Checkpoints int64
	Stripped    int64 // calls whose content was dropped to save space
	Sealed      int64 // calls whose content is encrypted
	First, Last uint64
	From, To    time.Time // when the first and the last of them were appended

	// Signed is the last record before a checkpoint whose signature holds, and
	// SignedAt its time; 0 when there is none. Unsigned is how many records follow.
	Signed   uint64
	SignedAt time.Time
	Unsigned int64
	Keys     []string // public keys that signed, as hex digits

	Tail int64  // bytes of an unfinished write at the end
	Head string // hash of the last record, as hex digits

	// Broken is the first record that is not as it was written; nil when all are.
	Broken *Broken
}

// Broken says where the chain breaks.
type Broken struct {
	Segment string // file name
	Offset  int64
	Record  uint64 // its number, or the one that should stand there
	Reason  string
}

func (b *Broken) Error() string {
	return fmt.Sprintf("record %d (%s, offset %d): %s", b.Record, b.Segment, b.Offset, b.Reason)
}

// Verify reads a journal and checks every record of a range and the chain that
// they form: checksums, numbers, hashes, contents and the signatures of
// checkpoints. It stops at the first record that is broken and reports it; an error
// means that the journal could not be read at all. With trusted, checkpoints must
// be signed by that key; without, by the key that they name.
//
// What is encrypted is verified as it stands, without a key. It takes no lock and may
// run beside the program that writes.
func Verify(ctx context.Context, dir string, rng Range, trusted ed25519.PublicKey) (Report, error) {
	v := verifier{rng: rng, trusted: trusted}
	if err := walk(ctx, dir, rng, &v); err != nil && !errors.As(err, &v.out.Broken) {
		return v.out, fmt.Errorf("verify journal: %w", err)
	}
	v.out.Head = hex.EncodeToString(v.sum[:])
	return v.out, nil
}

type verifier struct {
	rng     Range
	trusted ed25519.PublicKey
	out     Report
	next    uint64
	sum     hash
	id      [16]byte
}

// at makes the error for a broken place.
func at(s *segment, off int64, record uint64, reason string) error {
	return &Broken{Segment: filepath.Base(s.path), Offset: off, Record: record, Reason: reason}
}

func (v *verifier) segment(s *segment) error {
	v.out.Segments++
	switch {
	case s.broken:
		return nil // the walk says so
	case v.next == 0: // the first one: nothing is known of what was before
		if s.first == 1 && s.prev != (hash{}) {
			return at(s, 0, s.first, "the first record of all has no one before it")
		}
		v.next, v.sum, v.id = s.first, s.prev, s.id
	case s.first != v.next:
		return at(s, 0, v.next, fmt.Sprintf("it is missing: the segment begins with record %d", s.first))
	case s.prev != v.sum:
		return at(s, 0, s.first, "the segment does not continue the one before")
	case s.id != v.id:
		return at(s, 0, s.first, "the segment is another journal's")
	}
	return nil
}

func (v *verifier) broken(s *segment, off int64, err error) error {
	return at(s, off, max(v.next, s.first), err.Error())
}

func (v *verifier) tail(n int64) { v.out.Tail = n }

func (v *verifier) record(s *segment, off int64, r record) error {
	switch {
	case r.seq != v.next:
		return at(s, off, v.next, fmt.Sprintf("record %d stands in its place", r.seq))
	case r.prev != v.sum:
		return at(s, off, r.seq, "it does not carry the hash of the record before")
	case r.stripped() && s.flags&flagStripped == 0:
		return at(s, off, r.seq, "its content is gone, and the segment does not say so")
	}
	if err := r.checkContent(); err != nil {
		return at(s, off, r.seq, err.Error())
	}
	if err := v.read(r); err != nil {
		return at(s, off, r.seq, err.Error())
	}
	v.next, v.sum = r.seq+1, r.sum
	if !v.rng.holds(r.at) {
		return nil
	}
	if v.out.Records == 0 {
		v.out.First, v.out.From = r.seq, r.at
	}
	v.out.Records++
	v.out.Last, v.out.To = r.seq, r.at
	if r.stripped() {
		v.out.Stripped++
	}
	return nil
}

// read checks what a record says.
func (v *verifier) read(r record) error {
	inside := v.rng.holds(r.at)
	switch r.kind {
	case kindCall:
		c := r
		if r.sealed() {
			c.content, c.size = nil, 0 // its digest holds; nobody needs the key to say so
		}
		if _, err := decodeCall(c, nil); err != nil {
			return err
		}
		if inside && r.sealed() {
			v.out.Sealed++
		}
		if inside {
			v.out.Calls++
			v.out.Unsigned++
		}
	case kindCheckpoint:
		c, err := readCheckpoint(r)
		if err == nil {
			err = c.verify(v.id, r, v.trusted)
		}
		if err != nil {
			return err
		}
		if inside {
			v.out.Checkpoints++
		}
		v.out.Signed, v.out.SignedAt, v.out.Unsigned = r.seq-1, r.at, 0
		if key := hex.EncodeToString(c.Key); !slices.Contains(v.out.Keys, key) {
			v.out.Keys = append(v.out.Keys, key)
		}
	default:
		return fmt.Errorf("it is of kind %d, which nobody writes", r.kind)
	}
	return nil
}

func readCheckpoint(r record) (checkpoint, error) {
	var c checkpoint
	err := callrecord.Unmarshal(bytes.Clone(r.facts), &c)
	if err != nil {
		return c, fmt.Errorf("decode checkpoint: %w", err)
	}
	return c, nil
}
