package openai

import (
	"bytes"

	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// toolCall is one tool call, joined from its pieces.
type toolCall struct {
	index    int
	id, name []byte
	args     intake.Text
	object   []byte // arguments of an API that sends an object instead of a text
	kind     []byte
	spliced  int // which of the spliced responses began it
}

// readCalls takes the tool_calls of a delta or message (wire reference, section 4.3).
func (a *answer) readCalls(c *choice, list []byte, whole bool) {
	position := 0
	for e := jsonwalk.Array(list); e.Next(); position++ {
		if !jsonwalk.IsObject(e.Val) {
			continue
		}
		p := callPiece{index: -1, position: position}
		p.read(e.Val)
		if t := a.call(c, &p, whole); t != nil {
			a.join(t, &p)
			a.cur.pieces++
		}
		a.cur.special = true
	}
}

// readFunction takes a legacy function_call.
func (a *answer) readFunction(c *choice, val []byte) {
	if !jsonwalk.IsObject(val) {
		return
	}
	var p callPiece
	p.readFunction(val)
	if len(p.name) == 0 && jsonwalk.Empty(p.args) {
		return // some servers fill every field with zeros
	}
	a.cur.special = true
	if c.function == nil {
		c.function = &toolCall{}
	}
	a.join(c.function, &p)
	a.cur.pieces++
}

// callPiece is one element of tool_calls.
type callPiece struct {
	index, position int // index is -1 when not told
	id, name, kind  []byte
	args            []byte // a JSON value
}

func (p *callPiece) read(val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "index":
			if m.Val[0] >= '0' && m.Val[0] <= '9' {
				p.index = number(m.Val)
			}
		case "id":
			p.id = jsonwalk.Inner(m.Val)
		case "type":
			p.kind = jsonwalk.Inner(m.Val)
		case "function", "custom":
			p.readFunction(m.Val)
		case "name": // Cloudflare has no object around the two
			if len(p.name) == 0 {
				p.name = jsonwalk.Inner(m.Val)
			}
		case "arguments":
			if len(p.args) == 0 {
				p.args = m.Val
			}
		}
	}
}

func (p *callPiece) readFunction(val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "name":
			p.name = jsonwalk.Inner(m.Val)
		case "arguments", "input":
			p.args = m.Val
		}
	}
}

// call finds the call that a piece belongs to, or begins one.
func (a *answer) call(c *choice, p *callPiece, whole bool) *toolCall {
	if !whole {
		if t := c.find(p); t != nil && !a.begins(c, t, p) {
			return t
		}
	}
	if a.calls == maxCalls {
		a.more = true
		return nil
	}
	a.calls++
	index := p.index
	if index < 0 {
		index = p.position
	}
	t := &toolCall{index: index, spliced: a.spliced}
	c.calls = append(c.calls, t)
	return t
}

// find looks for the call by index, else by id, else by position; the youngest
// where several fit.
func (c *choice) find(p *callPiece) *toolCall {
	if p.index < 0 && len(p.id) > 0 {
		for i := len(c.calls) - 1; i >= 0; i-- {
			if bytes.Equal(c.calls[i].id, p.id) {
				return c.calls[i]
			}
		}
		return nil
	}
	index := p.index
	if index < 0 {
		index = p.position
	}
	for i := len(c.calls) - 1; i >= 0; i-- {
		if c.calls[i].index == index {
			return c.calls[i]
		}
	}
	return nil
}

// begins says that a piece, though its index is that of t, begins another call.
func (a *answer) begins(c *choice, t *toolCall, p *callPiece) bool {
	if len(p.id) > 0 && len(t.id) > 0 && !bytes.Equal(p.id, t.id) {
		// Servers that give every call the index 0 tell them apart by id. Where a
		// whole second response follows the end of the first one in the same body,
		// with indexes and ids of its own, the index goes on to name the slot.
		return t.spliced == a.spliced || len(c.finish) == 0
	}
	// Calls without ids, each whole, under one index: the next one begins where the
	// last one's arguments are complete and a name comes with new ones.
	args := jsonwalk.Inner(p.args)
	return len(p.id) == 0 && len(p.name) > 0 && len(t.name) > 0 &&
		bytes.HasPrefix(args, []byte("{")) && bytes.HasSuffix(t.args.Raw, []byte("}"))
}

// join appends a piece to its call. Ids and names may be repeated in each piece.
func (a *answer) join(t *toolCall, p *callPiece) {
	if len(p.id) > 0 && len(t.id) == 0 {
		a.hold(&t.id, clipRaw(p.id))
	}
	if len(p.kind) > 0 && len(t.kind) == 0 {
		a.hold(&t.kind, clipRaw(p.kind))
	}
	if len(p.name) > 0 && !bytes.Equal(t.name, p.name) && len(t.name) < 1024 {
		t.name = append(t.name, clipRaw(p.name)...)
	}
	switch {
	case len(p.args) == 0:
	case p.args[0] == '"':
		a.keep(&t.args, jsonwalk.Inner(p.args))
	case jsonwalk.IsObject(p.args) || p.args[0] == '[':
		if room := intake.MaxText - a.room.Used; len(p.args) <= room {
			a.hold(&t.object, p.args)
			a.room.Used += len(p.args)
		} else {
			a.room.Lost += len(p.args)
		}
	}
}
