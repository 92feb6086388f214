package tracing

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanwire/spanwire/llm"
)

// Field numbers of opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto.
const (
	spanTraceID      = 1
	spanID           = 2
	spanState        = 3
	spanParent       = 4
	spanName         = 5
	spanKind         = 6
	spanStart        = 7
	spanEnd          = 8
	spanAttribute    = 9
	spanDroppedAttrs = 10
	spanLink         = 13
	spanStatus       = 15
	spanFlags        = 16

	statusMessage = 2
	statusCode    = 3

	linkTraceID = 1
	linkSpanID  = 2

	pairKey   = 1
	pairValue = 2

	anyString = 1
	anyBool   = 2
	anyInt    = 3
	anyDouble = 4
	anyArray  = 5

	arrayValue = 1

	bytesType = byte(protowire.BytesType)
)

const (
	kindInternal = 1 // SPAN_KIND_INTERNAL
	kindClient   = 3 // SPAN_KIND_CLIENT
	statusError  = 2 // STATUS_CODE_ERROR

	flagHasRemote = 0x100 // SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
	flagRemote    = 0x200 // SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
)

// message appends fields of a protobuf message. Field order is ascending, absent
// means zero. OTLP's spans are few enough messages to be written by hand; a test
// reads them back with the official types.
type message struct {
	b       []byte
	limit   int // bytes of one attribute value
	max     int // attributes
	count   int
	dropped int
}

// tag and varint are those of protowire with a short way for what nearly all tags,
// lengths and figures of a span are: one byte.
func tag(b []byte, field protowire.Number, t protowire.Type) []byte {
	return varint(b, protowire.EncodeTag(field, t))
}

func varint(b []byte, v uint64) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	return protowire.AppendVarint(b, v)
}

func (m *message) bytes(field protowire.Number, v []byte) {
	m.b = tag(m.b, field, protowire.BytesType)
	m.b = append(varint(m.b, uint64(len(v))), v...)
}

func (m *message) text(field protowire.Number, v string) {
	if v == "" {
		return
	}
	m.b = tag(m.b, field, protowire.BytesType)
	m.b = append(varint(m.b, uint64(len(v))), v...)
}

func (m *message) fixed64(field protowire.Number, v uint64) {
	m.b = tag(m.b, field, protowire.Fixed64Type)
	m.b = protowire.AppendFixed64(m.b, v)
}

func (m *message) fixed32(field protowire.Number, v uint32) {
	m.b = tag(m.b, field, protowire.Fixed32Type)
	m.b = protowire.AppendFixed32(m.b, v)
}

func (m *message) varint(field protowire.Number, v uint64) {
	m.b = tag(m.b, field, protowire.VarintType)
	m.b = varint(m.b, v)
}

// open appends the head of an attribute whose AnyValue has size bytes, unless
// there are already as many attributes as may be.
func (m *message) open(key string, size int) bool {
	if key == "" || m.count >= m.max {
		m.dropped++
		return false
	}
	m.count++
	pair := 1 + protowire.SizeBytes(len(key)) + 1 + protowire.SizeBytes(size)
	if pair < 0x80 { // nearly always: each length is one byte, like each tag
		m.b = append(m.b, spanAttribute<<3|bytesType, byte(pair), pairKey<<3|bytesType, byte(len(key)))
		m.b = append(m.b, key...)
		m.b = append(m.b, pairValue<<3|bytesType, byte(size))
		return true
	}
	m.b = tag(m.b, spanAttribute, protowire.BytesType)
	m.b = varint(m.b, uint64(pair))
	m.text(pairKey, key)
	m.b = tag(m.b, pairValue, protowire.BytesType)
	m.b = varint(m.b, uint64(size))
	return true
}

// full says whether there are as many attributes as may be; then the coming ones,
// so many, are counted as dropped.
func (m *message) full(coming int) bool {
	if m.count < m.max {
		return false
	}
	m.dropped += coming
	return true
}

// str appends a string attribute; an empty one is unknown and left out.
func (m *message) str(key, v string) {
	if v != "" {
		m.raw(key, cleanText(v, m.limit))
	}
}

// raw appends a string attribute that is known to be clean and within limits.
func (m *message) raw(key, v string) {
	if m.open(key, 1+protowire.SizeBytes(len(v))) {
		m.b = tag(m.b, anyString, protowire.BytesType)
		m.b = append(varint(m.b, uint64(len(v))), v...)
	}
}

func (m *message) json(key string, v []byte) {
	if m.open(key, 1+protowire.SizeBytes(len(v))) {
		m.bytes(anyString, v)
	}
}

func (m *message) integer(key string, v int64) {
	if m.open(key, 1+protowire.SizeVarint(uint64(v))) {
		m.varint(anyInt, uint64(v))
	}
}

func (m *message) double(key string, v float64) {
	if m.open(key, 1+8) {
		m.fixed64(anyDouble, math.Float64bits(v))
	}
}

func (m *message) boolean(key string, v bool) {
	if m.open(key, 2) {
		m.varint(anyBool, protowire.EncodeBool(v))
	}
}

func (m *message) strings(key string, vs []string) {
	if len(vs) == 0 {
		return
	}
	size := 0
	clean := make([]string, 0, 8) // stays on the stack for the usual one or two
	for _, v := range vs {
		v = cleanText(v, m.limit)
		clean = append(clean, v)
		one := 1 + protowire.SizeBytes(len(v))
		size += 1 + protowire.SizeBytes(one)
		if size > m.limit {
			break
		}
	}
	if !m.open(key, 1+protowire.SizeBytes(size)) {
		return
	}
	m.b = tag(m.b, anyArray, protowire.BytesType)
	m.b = varint(m.b, uint64(size))
	for _, v := range clean {
		m.b = tag(m.b, arrayValue, protowire.BytesType)
		m.b = varint(m.b, uint64(1+protowire.SizeBytes(len(v))))
		m.b = tag(m.b, anyString, protowire.BytesType)
		m.b = append(varint(m.b, uint64(len(v))), v...)
	}
}

// attr appends an attribute that a call carries. A value of another type than
// llm.Attr allows is written as text rather than lost.
func (m *message) attr(a llm.Attr) {
	key := cleanText(a.Key, maxKey)
	switch v := a.Value.(type) {
	case string:
		m.str(key, v)
	case int64:
		m.integer(key, v)
	case int:
		m.integer(key, int64(v))
	case float64:
		m.double(key, v)
	case bool:
		m.boolean(key, v)
	case []string:
		m.strings(key, v)
	case nil:
	default:
		m.str(key, fmt.Sprint(v))
	}
}

// maxKey bounds the name of an attribute that came over the wire.
const maxKey = 256
