package cohere

import (
	"bytes"
	"time"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

var (
	quickHead     = []byte(`{"type":"content-delta","index":`)
	quickText     = []byte(`,"delta":{"message":{"content":{"text":`)
	quickThinking = []byte(`,"delta":{"message":{"content":{"thinking":`)
	quickEnd      = []byte(`}}}}`)
)

// quick reads the piece that a stream mostly consists of, exactly as Cohere writes
// it; false leaves the piece to be walked. It saves two thirds of the time of a
// stream.
func (r *Reader) quick(data []byte, at time.Time) bool {
	rest, ok := bytes.CutPrefix(data, quickHead)
	if !ok {
		return false
	}
	index, digits := 0, 0
	for digits < len(rest) && digits < 3 && rest[digits] >= '0' && rest[digits] <= '9' {
		index = 10*index + int(rest[digits]-'0')
		digits++
	}
	if digits == 0 {
		return false
	}
	kind := llm.PartText
	val, ok := bytes.CutPrefix(rest[digits:], quickText)
	if !ok {
		kind = llm.PartReasoning
		if val, ok = bytes.CutPrefix(rest[digits:], quickThinking); !ok {
			return false
		}
	}
	if len(val) == 0 || val[0] != '"' {
		return false
	}
	end, ok := jsonwalk.SkipString(val, 0)
	if !ok || !bytes.Equal(val[end:], quickEnd) {
		return false
	}
	if r.choice().Add(kind, index, val[:end]) {
		r.spoke = r.spoke || kind == llm.PartText
		r.answer.Piece(at)
	}
	return true
}
