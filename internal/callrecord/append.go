package callrecord

import (
	"encoding/binary"
	"math"
)

// What is below writes a record as the library does, field by field: the library
// finds out anew for each value which of its fields are there, which takes five times
// as long as to write them. A test compares the two with everything filled in, so a
// field that has no line here is found.

// Major types of CBOR, RFC 8949 section 3.1.
const (
	cborUint  = 0 << 5
	cborNeg   = 1 << 5
	cborBytes = 2 << 5
	cborArray = 4 << 5
	cborMap   = 5 << 5

	cborFalse = 0xf4
	cborTrue  = 0xf5
	cborNull  = 0xf6
	cborFloat = 0xfb // 64 bits follow
	cborHalf  = 0xf9 // 16 bits follow
)

// appendHead appends a major type with its number, in the shortest form.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, cborNeg, uint64(-1-n))
	}
	return appendHead(b, cborUint, uint64(n))
}

func appendBytes[T string | []byte](b []byte, s T) []byte {
	return append(appendHead(b, cborBytes, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, cborTrue)
	}
	return append(b, cborFalse)
}

func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, cborHalf, 0x7e, 0)
	case math.IsInf(f, 1):
		return append(b, cborHalf, 0x7c, 0)
	case math.IsInf(f, -1):
		return append(b, cborHalf, 0xfc, 0)
	}
	return binary.BigEndian.AppendUint64(append(b, cborFloat), math.Float64bits(f))
}

func appendList[T any](b []byte, list []T, one func([]byte, *T) []byte) []byte {
	b = appendHead(b, cborArray, uint64(len(list)))
	for i := range list {
		b = one(b, &list[i])
	}
	return b
}

func appendTexts(b []byte, list []string) []byte {
	b = appendHead(b, cborArray, uint64(len(list)))
	for _, s := range list {
		b = appendBytes(b, s)
	}
	return b
}

// fields writes a struct: a map of those fields that are not empty, by their numbers.
type fields struct {
	b    []byte
	head int // where the map begins; one byte is kept for its length
	n    int
}

func begin(b []byte) fields { return fields{b: append(b, cborMap), head: len(b)} }

// end writes the length of the map and returns everything.
func (f *fields) end() []byte {
	if f.n < 24 {
		f.b[f.head] |= byte(f.n)
		return f.b
	}
	f.b = append(f.b, 0)
	copy(f.b[f.head+2:], f.b[f.head+1:])
	f.b[f.head], f.b[f.head+1] = cborMap|24, byte(f.n) // fewer than 256 fields
	return f.b
}

func (f *fields) key(number uint64) {
	f.n++
	f.b = appendHead(f.b, cborUint, number)
}

func (f *fields) text(number uint64, s string) {
	if s != "" {
		f.key(number)
		f.b = appendBytes(f.b, s)
	}
}

func (f *fields) int(number uint64, n int64) {
	if n != 0 {
		f.key(number)
		f.b = appendInt(f.b, n)
	}
}

func (f *fields) bool(number uint64, v bool) {
	if v {
		f.key(number)
		f.b = append(f.b, cborTrue)
	}
}

func (f *fields) texts(number uint64, list []string) {
	if len(list) > 0 {
		f.key(number)
		f.b = appendTexts(f.b, list)
	}
}

// moment writes a time in any case: for the library an array is never empty.
func (f *fields) moment(number uint64, m moment) {
	f.key(number)
	f.b = appendMoment(f.b, m)
}

func (f *fields) id8(number uint64, id [8]byte) {
	if id != [8]byte{} {
		f.key(number)
		f.b = appendBytes(f.b, id[:])
	}
}

func (f *fields) id16(number uint64, id [16]byte) {
	if id != [16]byte{} {
		f.key(number)
		f.b = appendBytes(f.b, id[:])
	}
}

// list writes a list that is not empty.
func list[T any](f *fields, number uint64, all []T, one func([]byte, *T) []byte) {
	if len(all) > 0 {
		f.key(number)
		f.b = appendList(f.b, all, one)
	}
}

// sub writes a struct in the struct when it is there.
func sub[T any](f *fields, number uint64, there bool, v *T, write func([]byte, *T) []byte) {
	if there {
		f.key(number)
		f.b = write(f.b, v)
	}
}
