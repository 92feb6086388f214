package openai

import (
	"bytes"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// strange is what the object of an endpoint that nobody listed says in members that
// OpenAI's do not have. Each shape is known by its members, whoever answers with it:
//
//   - Mistral's conversations: outputs, and events message.output.delta and
//     function.call.delta
//   - llama.cpp's own completion: content, tokens_evaluated, tokens_predicted, stop_type
//   - DashScope's own API: output, with choices or a text
//   - Cloudflare's Workers AI: result, with a response, and events with a response
type strange struct {
	kind, content, conversation  []byte
	callID, name, args           []byte
	outputs, wrapped, response   []byte
	evaluated, predicted, reason []byte
}

func (s *strange) member(key, val []byte) {
	switch string(key) {
	case "type":
		s.kind = jsonwalk.Inner(val)
	case "content":
		s.content = val
	case "conversation_id":
		s.conversation = val
	case "tool_call_id":
		s.callID = jsonwalk.Inner(val)
	case "name":
		s.name = jsonwalk.Inner(val)
	case "arguments":
		s.args = val
	case "outputs":
		s.outputs = val
	case "output", "result":
		if jsonwalk.IsObject(val) {
			s.wrapped = val
		}
	case "response":
		s.response = val
	case "tokens_evaluated":
		s.evaluated = val
	case "tokens_predicted":
		s.predicted = val
	case "stop_type":
		s.reason = jsonwalk.Inner(val)
	}
}

// readStrange takes what such an object said.
func (a *answer) readStrange(s *strange, data []byte, at time.Time, whole bool) {
	before := a.cur.pieces
	if len(a.id) == 0 && len(s.conversation) > 0 {
		a.setID(s.conversation)
	}
	switch {
	case bytes.HasSuffix(s.kind, []byte(".error")):
		a.setError(data)
	case string(s.kind) == "function.call.delta":
		a.messages = true
		a.callOf(callPiece{index: -1, id: s.callID, name: s.name, args: s.args})
	case string(s.kind) == "message.output.delta":
		a.messages = true
		a.say(s.content)
	case len(s.kind) == 0 && len(s.predicted) > 0:
		a.completed(s)
	}
	for e := jsonwalk.Array(s.outputs); e.Next(); {
		a.readEntry(e.Val)
	}
	a.readInside(s.wrapped, at, whole)
	if len(s.response) > 0 && s.response[0] == '"' {
		a.messages = true
		a.say(s.response)
	}
	if a.cur.pieces > before && !whole {
		a.rhythm.Piece(at)
	}
}

// say adds to what the one choice says: a text, a part or a list of parts.
func (a *answer) say(val []byte) {
	c := a.choice(0)
	switch {
	case c == nil || len(val) == 0:
	case val[0] == '"':
		a.take(c, val, partText)
	case val[0] == '[':
		a.readParts(c, val)
	default:
		a.readPart(c, val)
	}
}

// callOf takes a tool call of the one choice, or a piece of it.
func (a *answer) callOf(p callPiece) {
	c := a.choice(0)
	if c == nil {
		return
	}
	if t := a.call(c, &p, false); t != nil {
		a.join(t, &p)
		a.cur.pieces++
	}
}

// completed takes a completion of llama.cpp, whose counts stand by themselves.
func (a *answer) completed(s *strange) {
	a.texts = true
	a.say(s.content)
	if c := a.choice(0); c != nil && len(s.reason) > 0 && string(s.reason) != "none" {
		a.hold(&c.finish, clipRaw(s.reason))
	}
	in, _ := count(s.evaluated)
	out, ok := count(s.predicted)
	if ok {
		a.usage = strconv.AppendInt([]byte(`{"tokens_evaluated":`), in, 10)
		a.usage = append(strconv.AppendInt(append(a.usage, `,"tokens_predicted":`...), out, 10), '}')
	}
}

// readEntry takes an entry of a conversation of Mistral's.
func (a *answer) readEntry(val []byte) {
	var s strange
	for m := jsonwalk.Object(val); m.Next(); {
		if string(m.Key) == "model" {
			a.set(&a.model, m.Val)
		}
		s.member(m.Key, m.Val)
	}
	switch string(s.kind) {
	case "message.output":
		a.messages = true
		a.say(s.content)
	case "function.call":
		a.messages = true
		a.callOf(callPiece{index: -1, position: a.calls, id: s.callID, name: s.name, args: s.args})
	}
}

// readInside takes an answer that is wrapped in a member. Each piece of a stream of
// DashScope's has all of the text so far, unless the caller asked for what is new.
func (a *answer) readInside(val []byte, at time.Time, whole bool) {
	if len(val) > 0 && !a.wraps {
		a.wraps = true
		a.incremental = !whole && gjson.GetBytes(a.unlisted.Request.Data, "parameters.incremental_output").Bool()
	}
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "choices":
			a.soFar(whole)
			list, before := jsonwalk.Read(m.Val), a.cur.pieces
			if a.readChoices(&list, at, !a.incremental); a.incremental {
				a.cur.pieces = before // their time is noted
			}
		case "text", "response":
			a.soFar(whole)
			a.messages = true
			a.say(m.Val)
		case "finish_reason":
			if v := jsonwalk.Inner(m.Val); len(v) > 0 && string(v) != "null" {
				if c := a.choice(0); c != nil {
					a.hold(&c.finish, clipRaw(v))
				}
			}
		case "tool_calls":
			if c := a.choice(0); c != nil {
				a.readCalls(c, m.Val, true)
			}
		case "usage":
			a.setUsage(&a.usage, m.Val)
		}
	}
}

// soFar forgets what the pieces before said, where this one says it again.
func (a *answer) soFar(whole bool) {
	if whole || a.incremental {
		return
	}
	for _, c := range a.choices {
		for i := range c.texts {
			a.room.Used -= len(c.texts[i].Raw)
			c.texts[i] = intake.Text{}
		}
		a.calls -= len(c.calls)
		c.calls = nil
	}
}
