package openai

import (
	"bytes"
	"time"

	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// happening is what an event says, whichever it is.
type happening struct {
	kind                       []byte
	output, part               int // output_index; content_index or summary_index
	itemID, responseID, stream []byte
	item, response, delta      []byte
	text, err, usage           []byte
}

// readEvent reads the members of an event. name is that of the stream, for events
// that do not tell their type. ok is false when it is no whole JSON object.
func readEvent(name, data []byte) (h happening, ok bool) {
	h.kind, h.output = name, -1
	m := jsonwalk.Object(data)
	for m.Next() {
		switch string(m.Key) {
		case "type":
			if k := jsonwalk.Inner(m.Val); len(k) > 0 {
				h.kind = k
			}
		case "delta":
			h.delta = m.Val
		case "item_id":
			h.itemID = jsonwalk.Inner(m.Val)
		case "output_index":
			if m.Val[0] >= '0' && m.Val[0] <= '9' {
				h.output = number(m.Val)
			}
		case "content_index", "summary_index":
			h.part = number(m.Val)
		case "response_id":
			h.responseID = jsonwalk.Inner(m.Val)
		case "stream_id":
			h.stream = jsonwalk.Inner(m.Val)
		case "item":
			h.item = m.Val
		case "response":
			h.response = m.Val
		case "text", "arguments", "input", "refusal", "transcript", "code":
			h.text = m.Val
		case "error":
			h.err = m.Val
		case "usage":
			h.usage = m.Val
		}
	}
	return h, m.Whole()
}

// happen takes one event. data is the event as it came.
func (r *response) happen(h *happening, data []byte, at time.Time) {
	kind := h.kind
	if k, ok := deltas[string(kind)]; ok {
		r.delta(h, k, at)
		return
	}
	switch string(kind) {
	case "response.output_item.added":
		if it := r.item(h); it != nil {
			it.begin(h.item)
			if string(it.kind) == "function_call" || string(it.kind) == "custom_tool_call" {
				r.rhythm.Piece(at)
			}
		}
		return
	case "response.output_item.done":
		r.whole(h, at)
		return
	case "error":
		r.setError(data)
		return
	}
	switch {
	case jsonwalk.IsObject(h.response):
		r.take(h.response)
		r.setUsage(h.usage) // xAI tells it beside the response
		r.ended = r.ended || terminal[string(kind)]
	case bytes.HasSuffix(kind, []byte(".delta")) && bytes.Contains(kind, []byte("_call")):
		r.delta(h, partArguments, at)
	case bytes.HasSuffix(kind, []byte("partial_image")):
		r.rhythm.Piece(at)
	case bytes.HasSuffix(kind, []byte(".done")):
		r.settle(h, kind, at)
	}
}

// terminal are the events after which nothing comes.
var terminal = map[string]bool{
	"response.completed": true, "response.incomplete": true, "response.failed": true, "response.cancelled": true, "response.done": true,
}

// What a delta may be besides a text of a choice.
const (
	partArguments partKind = 100 + iota
	partSound              // heard, not read
)

// deltas are the events that bring a piece of an item.
var deltas = map[string]partKind{
	"response.output_text.delta":             partText,
	"response.text.delta":                    partText,
	"response.refusal.delta":                 partRefusal,
	"response.reasoning_text.delta":          partReasoning,
	"response.reasoning_summary_text.delta":  partReasoning,
	"response.output_audio_transcript.delta": partVoice,
	"response.audio_transcript.delta":        partVoice,
	"response.audio.transcript.delta":        partVoice,
	"response.output_audio.delta":            partSound,
	"response.audio.delta":                   partSound,
	"response.function_call_arguments.delta": partArguments,
	"response.custom_tool_call_input.delta":  partArguments,
}
