package openai

import (
	"bytes"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// Bounds on what is kept of one response.
const (
	maxItems  = 1024
	maxPieces = 1024      // content parts and summaries of one item
	maxOutput = 4 << 20   // the output of a whole object, verbatim
	maxHosted = 256 << 10 // an item that is no message, verbatim
)

// response is what is joined from an answer of the Responses API, and from one
// response within a realtime session: they share their events (wire reference,
// sections 5.2, 5.3 and 12). The object of the terminal event has the last word;
// the deltas are for the clock, and for streams that break off.
//
// Whole objects are kept verbatim while the stream passes and read at its end.
type response struct {
	id, model, tier, status, reason, conversation, object []byte
	background                                            bool
	usage, tools                                          []byte // usage, and tool_usage beside it
	imageModel                                            []byte // of the image tool
	output                                                []byte // of the last whole object that has one
	items                                                 []*item
	err                                                   *apierror.Error

	rhythm intake.Rhythm
	room   intake.Room
	held   int  // bytes of items kept verbatim
	ended  bool // a terminal event came
	more   bool // items or pieces past the bound
}

// item is one element of the output, as far as it has come.
type item struct {
	index                  int // output_index; -1 when not told
	id, kind, callID, name []byte
	pieces                 []*piece
	args                   intake.Text
	raw                    []byte // the whole item, when it came
}

// piece is one content part, or one part of a summary.
type piece struct {
	kind  partKind
	index int
	text  intake.Text
}

// delta takes a piece of an item.
func (r *response) delta(h *happening, kind partKind, at time.Time) {
	raw := jsonwalk.Inner(h.delta)
	if len(raw) == 0 {
		if kind == partArguments && jsonwalk.IsObject(h.delta) {
			r.rhythm.Piece(at) // some send an object; what it makes of it comes whole at the end
		}
		return
	}
	r.rhythm.Piece(at)
	if kind == partSound {
		return
	}
	it := r.item(h)
	if it == nil {
		return
	}
	if kind == partArguments {
		it.args.Add(&r.room, raw)
		return
	}
	if p := r.piece(it, kind, h.part); p != nil {
		p.text.Add(&r.room, raw)
	}
}

// settle takes the whole text of a piece of which no delta came.
func (r *response) settle(h *happening, kind []byte, at time.Time) {
	k, ok := deltas[string(kind[:len(kind)-len("done")])+"delta"]
	raw := jsonwalk.Inner(h.text)
	if !ok || k == partSound || len(raw) == 0 {
		return
	}
	it := r.item(h)
	if it == nil {
		return
	}
	text := &it.args
	if k != partArguments {
		p := r.piece(it, k, h.part)
		if p == nil {
			return
		}
		text = &p.text
	}
	if text.Seen == 0 {
		text.Add(&r.room, raw)
		r.rhythm.Piece(at)
	}
}

// whole takes an item that is done.
func (r *response) whole(h *happening, at time.Time) {
	it := r.item(h)
	if it == nil || !jsonwalk.IsObject(h.item) {
		return
	}
	it.begin(h.item)
	if len(it.pieces) == 0 && it.args.Seen == 0 && says(it.kind) {
		r.rhythm.Piece(at)
	}
	most := maxHosted
	if says(it.kind) {
		most = intake.MaxText
	}
	if len(h.item) > most || r.held+len(h.item)-len(it.raw) > maxOutput {
		return // what the deltas brought stays
	}
	r.held += len(h.item) - len(it.raw)
	it.raw = append(it.raw[:0], h.item...)
}

// says tells items that a model wrote from those about a tool.
func says(kind []byte) bool {
	switch string(kind) {
	case "message", "reasoning", "function_call", "custom_tool_call":
		return true
	}
	return false
}

// begin reads what an item is.
func (it *item) begin(val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "type":
			setRaw(&it.kind, m.Val)
		case "id":
			setRaw(&it.id, m.Val)
		case "call_id":
			setRaw(&it.callID, m.Val)
		case "name":
			setRaw(&it.name, m.Val)
		}
	}
}

// setRaw keeps a short text; an empty one says nothing, nor does one that was cut off.
func setRaw(dst *[]byte, val []byte) {
	if v := wholeText(val); len(v) > 0 {
		*dst = append((*dst)[:0], clipRaw(v)...)
	}
}

func wholeText(val []byte) []byte {
	if len(val) == 0 || val[0] != '"' {
		return nil
	}
	if _, ok := jsonwalk.SkipString(val, 0); !ok {
		return nil
	}
	return jsonwalk.Inner(val)
}

// item finds the item that an event is about, or begins one: by its place in the
// output, else by its id, else it is the last one.
func (r *response) item(h *happening) *item {
	id := h.itemID
	if len(id) == 0 && h.output < 0 {
		id = jsonwalk.Inner(jsonwalk.Member(h.item, "id"))
	}
	for i := len(r.items) - 1; i >= 0; i-- {
		it := r.items[i]
		if h.output >= 0 && it.index == h.output || h.output < 0 && (len(id) == 0 || bytes.Equal(it.id, id)) {
			return it
		}
	}
	if len(r.items) == maxItems {
		r.more = true
		return nil
	}
	it := &item{index: h.output, id: bytes.Clone(clipRaw(id))}
	at := len(r.items)
	for at > 0 && h.output >= 0 && r.items[at-1].index > h.output {
		at--
	}
	r.items = append(r.items, nil)
	copy(r.items[at+1:], r.items[at:])
	r.items[at] = it
	return it
}

func (r *response) piece(it *item, kind partKind, index int) *piece {
	for i := len(it.pieces) - 1; i >= 0; i-- {
		if p := it.pieces[i]; p.index == index && p.kind == kind {
			return p
		}
	}
	if len(it.pieces) == maxPieces {
		r.more = true
		return nil
	}
	p := &piece{kind: kind, index: index}
	it.pieces = append(it.pieces, p)
	return p
}

// take reads a response object: that of a plain answer, or of an event that brings
// one. What it does not tell stays.
func (r *response) take(val []byte) (whole bool) {
	r.setID(jsonwalk.Member(val, "id"))
	m := jsonwalk.Object(val)
	for m.Next() {
		switch string(m.Key) {
		case "object":
			setRaw(&r.object, m.Val)
		case "model":
			setRaw(&r.model, m.Val)
		case "service_tier":
			setRaw(&r.tier, m.Val)
		case "status":
			setRaw(&r.status, m.Val)
		case "background":
			r.background = string(m.Val) == "true"
		case "incomplete_details", "status_details":
			setRaw(&r.reason, jsonwalk.Member(m.Val, "reason"))
			if e := jsonwalk.Member(m.Val, "error"); e != nil {
				r.setError(e)
			}
		case "conversation":
			setRaw(&r.conversation, textOrID(m.Val))
		case "error":
			r.setError(m.Val)
		case "output":
			if len(m.Val) <= maxOutput && !jsonwalk.Empty(m.Val) {
				r.output = append(r.output[:0], m.Val...)
			}
		case "usage":
			r.setUsage(m.Val)
		case "tool_usage":
			if len(m.Val) <= maxUsage && complete(m.Val) {
				r.tools = append(r.tools[:0], m.Val...)
			}
		case "tools":
			r.readTools(m.Val)
		}
	}
	return m.Whole()
}

// textOrID returns a text, or the id of an object.
func textOrID(val []byte) []byte {
	if jsonwalk.IsObject(val) {
		return jsonwalk.Member(val, "id")
	}
	return val
}

// setID takes the id of a response. Another one than before means that another
// response began in the same body: the last one is the answer.
func (r *response) setID(val []byte) {
	v := wholeText(val)
	if len(v) == 0 || bytes.Equal(r.id, v) {
		return
	}
	if len(r.id) > 0 {
		*r = response{rhythm: r.rhythm, room: r.room, model: r.model}
	}
	r.id = append(r.id[:0], clipRaw(v)...)
}

func (r *response) setUsage(val []byte) {
	if len(val) <= maxUsage && !jsonwalk.Empty(val) && complete(val) {
		r.usage = append(r.usage[:0], val...)
	}
}

func (r *response) setError(val []byte) {
	if jsonwalk.Empty(val) {
		return
	}
	if e := apierror.Parse(val); e != nil {
		if r.err != nil && e.Message == "" {
			return
		}
		r.err = e
	}
}

// readTools finds the model that the tool for images uses: its tokens are told
// apart from those of the response.
func (r *response) readTools(list []byte) {
	if !bytes.Contains(list, []byte(`"image_generation"`)) {
		return
	}
	for e := jsonwalk.Array(list); e.Next(); {
		if jsonwalk.Str(jsonwalk.Member(e.Val, "type")) == "image_generation" {
			setRaw(&r.imageModel, jsonwalk.Member(e.Val, "model"))
		}
	}
}
