package store

import (
	"encoding/binary"
	"errors"
)

// A piece's number is the number of the call that it was new with, and its place
// among the new pieces of that call.
const (
	ordinalBits = 24
	maxOrdinal  = 1<<ordinalBits - 1
)

func pieceID(n, ordinal int64) int64 { return n<<ordinalBits | ordinal }

// section is a part of what was said. Their order is that of the format.
type section int

const (
	secSystem section = iota // one piece a part, each a list of one
	secTools
	secInput
	secOutput
	secSchema
	secInferred // one piece for each inferred piece of the run, empty lists included
	secRequest  // pieces of the raw body, one after the other
	secResponse
	secRaw // what is said of the raw bodies
	sections
)

// manifest is which pieces a call consists of, by section.
type manifest [sections][]int64

// encode writes, for each section, the number of runs and the runs: how far the call
// is from that of the run before, the first place, and how many pieces follow each
// other there. Conversations grow at their end, so runs are few and alike.
func (m *manifest) encode(b []byte) []byte {
	var last int64
	for _, ids := range m {
		count := 0
		for i := range ids {
			if i == 0 || ids[i] != ids[i-1]+1 {
				count++
			}
		}
		b = binary.AppendUvarint(b, uint64(count))
		for i := 0; i < len(ids); {
			end := i + 1
			for end < len(ids) && ids[end] == ids[end-1]+1 {
				end++
			}
			n := ids[i] >> ordinalBits
			b = binary.AppendVarint(b, n-last)
			b = binary.AppendUvarint(b, uint64(ids[i]&maxOrdinal))
			b = binary.AppendUvarint(b, uint64(end-i))
			last, i = n, end
		}
	}
	return b
}

var errManifest = errors.New("a list of pieces that makes no sense")

// maxListed bounds the pieces of one call.
const maxListed = 1 << 22

func decodeManifest(b []byte) (m manifest, err error) {
	next := func() (v uint64) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			err, b = errManifest, nil
			return 0
		}
		b = b[n:]
		return v
	}
	var last int64
	total := uint64(0)
	for s := range m {
		if len(b) == 0 {
			break // written before there were more sections
		}
		for runs := next(); runs > 0 && err == nil; runs-- {
			delta, n := binary.Varint(b)
			if n <= 0 {
				return m, errManifest
			}
			b = b[n:]
			first, count := next(), next()
			last += delta
			total += count
			if err != nil || last < 0 || last > 1<<38 || first+count > maxOrdinal || total > maxListed {
				return m, errManifest
			}
			for i := range count {
				m[s] = append(m[s], pieceID(last, int64(first+i)))
			}
		}
	}
	if len(b) > 0 && err == nil {
		err = errManifest
	}
	return m, err
}
