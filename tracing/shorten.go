package tracing

import "google.golang.org/protobuf/encoding/protowire"

// shortenSpan returns an encoded span with its attributes cut so that it has at
// most about target bytes, and a note of how much was taken away. ok is false when
// there was nothing to cut. It works on the bytes, for by the time a receiver says
// that a span is too big its call is long gone.
func shortenSpan(span []byte, target int) (short []byte, ok bool) {
	large := 0 // bytes in attributes that are worth cutting
	var noted int64
	eachField(span, func(num protowire.Number, field, body []byte) {
		key, value, isText := textAttribute(num, body)
		switch {
		case isText && len(value) > worthCutting:
			large += len(value)
		case num == spanAttribute && key == keyContentTruncated:
			noted, _ = intAttribute(body)
		}
	})
	if large == 0 {
		return nil, false
	}
	room := max(target-(len(span)-large), 0)
	m := message{b: make([]byte, 0, target+worthCutting), max: len(span)}
	eachField(span, func(num protowire.Number, field, body []byte) {
		key, value, isText := textAttribute(num, body)
		switch {
		case isText && len(value) > worthCutting:
			limit := max(int(float64(room)*float64(len(value))/float64(large)), worthCutting/2)
			kept := []byte(cutText(string(value), limit))
			if isContent(key) {
				kept, _ = shrinkJSON(value, limit)
			}
			noted += int64(len(value) - len(kept))
			m.json(key, kept)
		case num == spanAttribute && key == keyContentTruncated:
		default:
			m.b = append(m.b, field...)
		}
	})
	m.integer(keyContentTruncated, noted)
	return m.b, true
}

// worthCutting is the size of an attribute below which cutting it saves nothing.
const worthCutting = 512

// eachField calls f with each field of a message: its number, all its bytes, and
// its content when it is length-delimited. It stops at the first that it cannot read.
func eachField(b []byte, f func(num protowire.Number, field, body []byte)) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return
		}
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		if size < 0 {
			return
		}
		var body []byte
		if typ == protowire.BytesType {
			body, _ = protowire.ConsumeBytes(b[n:])
		}
		f(num, b[:n+size], body)
		b = b[n+size:]
	}
}

// textAttribute returns key and value of an attribute that is a string.
func textAttribute(num protowire.Number, pair []byte) (key string, value []byte, ok bool) {
	if num != spanAttribute {
		return "", nil, false
	}
	eachField(pair, func(n protowire.Number, _, body []byte) {
		switch n {
		case pairKey:
			key = string(body)
		case pairValue:
			eachField(body, func(n protowire.Number, _, text []byte) {
				if n == anyString {
					value, ok = text, true
				}
			})
		}
	})
	return key, value, ok
}

// intAttribute returns the value of an attribute that is an integer.
func intAttribute(pair []byte) (v int64, ok bool) {
	eachField(pair, func(n protowire.Number, _, body []byte) {
		if n != pairValue {
			return
		}
		if num, typ, size := protowire.ConsumeTag(body); size > 0 && num == anyInt && typ == protowire.VarintType {
			if u, n := protowire.ConsumeVarint(body[size:]); n > 0 {
				v, ok = int64(u), true
			}
		}
	})
	return v, ok
}
