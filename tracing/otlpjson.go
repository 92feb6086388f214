package tracing

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// The JSON of OTLP is protobuf's JSON with two exceptions: ids are hex, and enums
// are numbers (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
// A 64-bit integer is text, as in all protobuf JSON.

// jsonType says how a field is written.
type jsonType uint8

const (
	jsonMessage jsonType = iota
	jsonText
	jsonHex
	jsonBase64
	jsonInt64   // varint, as text
	jsonFixed64 // as text
	jsonUint32  // varint, as a number
	jsonFixed32
	jsonBool
	jsonDouble
)

// jsonField describes one field of a message.
type jsonField struct {
	name     string
	typ      jsonType
	repeated bool
	fields   jsonFields // of a message
}

type jsonFields map[protowire.Number]jsonField

// The messages of an ExportTraceServiceRequest, as far as this package writes them.
var (
	anyFields = jsonFields{
		anyString: {name: "stringValue", typ: jsonText},
		anyBool:   {name: "boolValue", typ: jsonBool},
		anyInt:    {name: "intValue", typ: jsonInt64},
		anyDouble: {name: "doubleValue", typ: jsonDouble},
		anyArray:  {name: "arrayValue", fields: jsonFields{arrayValue: {name: "values", repeated: true, fields: textFields}}},
		7:         {name: "bytesValue", typ: jsonBase64},
	}
	textFields = jsonFields{anyString: {name: "stringValue", typ: jsonText}}
	pairFields = jsonFields{
		pairKey:   {name: "key", typ: jsonText},
		pairValue: {name: "value", fields: anyFields},
	}
	spanFields = jsonFields{
		spanTraceID:      {name: "traceId", typ: jsonHex},
		spanID:           {name: "spanId", typ: jsonHex},
		spanState:        {name: "traceState", typ: jsonText},
		spanParent:       {name: "parentSpanId", typ: jsonHex},
		spanName:         {name: "name", typ: jsonText},
		spanKind:         {name: "kind", typ: jsonUint32},
		spanStart:        {name: "startTimeUnixNano", typ: jsonFixed64},
		spanEnd:          {name: "endTimeUnixNano", typ: jsonFixed64},
		spanAttribute:    {name: "attributes", repeated: true, fields: pairFields},
		spanDroppedAttrs: {name: "droppedAttributesCount", typ: jsonUint32},
		spanLink: {name: "links", repeated: true, fields: jsonFields{
			linkTraceID: {name: "traceId", typ: jsonHex},
			linkSpanID:  {name: "spanId", typ: jsonHex},
		}},
		spanStatus: {name: "status", fields: jsonFields{
			statusMessage: {name: "message", typ: jsonText},
			statusCode:    {name: "code", typ: jsonUint32},
		}},
		spanFlags: {name: "flags", typ: jsonFixed32},
	}
	requestFields = jsonFields{1: {name: "resourceSpans", repeated: true, fields: jsonFields{
		1: {name: "resource", fields: jsonFields{1: {name: "attributes", repeated: true, fields: pairFields}}},
		2: {name: "scopeSpans", repeated: true, fields: jsonFields{
			1: {name: "scope", fields: jsonFields{1: {name: "name", typ: jsonText}, 2: {name: "version", typ: jsonText}}},
			2: {name: "spans", repeated: true, fields: spanFields},
			3: {name: "schemaUrl", typ: jsonText},
		}},
		3: {name: "schemaUrl", typ: jsonText},
	}}}
)

var errNotOTLP = errors.New("BUG: not what this package encodes")

// jsonRequest appends an encoded ExportTraceServiceRequest as JSON on one line.
// Repeated fields have to stand together, as this package writes them.
func jsonRequest(dst, request []byte) ([]byte, error) {
	return appendJSON(dst, request, requestFields)
}

func appendJSON(dst, b []byte, fields jsonFields) ([]byte, error) {
	dst = append(dst, '{')
	var last protowire.Number
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		size := 0
		if n > 0 {
			size = protowire.ConsumeFieldValue(num, typ, b[n:])
		}
		f, known := fields[num]
		if n < 0 || size < 0 || !known {
			return dst, errNotOTLP
		}
		switch {
		case f.repeated && num == last:
			dst = append(dst, ',')
		case last != 0:
			dst = closeJSON(dst, fields[last])
			dst = append(dst, ',')
			fallthrough
		default:
			dst = append(dst, '"')
			dst = append(dst, f.name...)
			dst = append(dst, '"', ':')
			if f.repeated {
				dst = append(dst, '[')
			}
		}
		last = num
		var err error
		if dst, err = appendJSONValue(dst, b[n:n+size], f); err != nil {
			return dst, err
		}
		b = b[n+size:]
	}
	if last != 0 {
		dst = closeJSON(dst, fields[last])
	}
	return append(dst, '}'), nil
}

func closeJSON(dst []byte, f jsonField) []byte {
	if f.repeated {
		return append(dst, ']')
	}
	return dst
}

// appendJSONValue appends the value of one field, which has been measured: it can be consumed.
func appendJSONValue(dst, b []byte, f jsonField) ([]byte, error) {
	quoted := func(s string) []byte {
		return append(append(append(dst, '"'), s...), '"')
	}
	switch f.typ {
	case jsonMessage:
		body, _ := protowire.ConsumeBytes(b)
		return appendJSON(dst, body, f.fields)
	case jsonText:
		body, _ := protowire.ConsumeString(b)
		return appendText(dst, body), nil
	case jsonHex:
		body, _ := protowire.ConsumeBytes(b)
		return quoted(hex.EncodeToString(body)), nil
	case jsonBase64:
		body, _ := protowire.ConsumeBytes(b)
		return quoted(base64.StdEncoding.EncodeToString(body)), nil
	case jsonInt64:
		v, _ := protowire.ConsumeVarint(b)
		return quoted(strconv.FormatInt(int64(v), 10)), nil
	case jsonFixed64:
		v, _ := protowire.ConsumeFixed64(b)
		return quoted(strconv.FormatUint(v, 10)), nil
	case jsonUint32:
		v, _ := protowire.ConsumeVarint(b)
		return strconv.AppendUint(dst, v, 10), nil
	case jsonFixed32:
		v, _ := protowire.ConsumeFixed32(b)
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case jsonBool:
		v, _ := protowire.ConsumeVarint(b)
		return strconv.AppendBool(dst, v != 0), nil
	case jsonDouble:
		v, _ := protowire.ConsumeFixed64(b)
		return appendFloat(dst, math.Float64frombits(v)), nil
	}
	return dst, errNotOTLP
}

func appendFloat(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}
