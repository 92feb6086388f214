package bedrock

import (
	"time"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// event reads one event of ConverseStream, or a member of a piece of Nova's own
// stream, which is one of the same name (wire reference, section 9).
func (r *Reader) event(kind, val []byte, at time.Time) (whole bool) {
	content := false
	switch string(kind) {
	case "messageStart":
		r.choice().Role(jsonwalk.Member(val, "role"))
	case "contentBlockStart":
		content = r.start(val)
	case "contentBlockDelta":
		return r.delta(val, at)
	case "messageStop":
		r.done = true
		r.choice().Finish(jsonwalk.Member(val, "stopReason"))
	case "metadata":
		for m := jsonwalk.Object(val); m.Next(); {
			r.member(m.Key, m.Val, at)
		}
	}
	if content {
		r.answer.Piece(at)
	}
	end, ok := jsonwalk.SkipValue(val, 0)
	return ok && end > 0 && jsonwalk.IsObject(val)
}

func index(val []byte) int {
	n, _ := params.Count(val)
	return int(min(n, 1<<20))
}

// start begins a block: that of a tool call has its id and name.
func (r *Reader) start(val []byte) bool {
	use := jsonwalk.Member(jsonwalk.Member(val, "start"), "toolUse")
	if !jsonwalk.IsObject(use) {
		return false
	}
	call := r.choice().Call(index(jsonwalk.Member(val, "contentBlockIndex")))
	call.ID(jsonwalk.Member(use, "toolUseId"))
	call.Name(jsonwalk.Member(use, "name"))
	return true
}

// delta adds a piece to a block.
func (r *Reader) delta(val []byte, at time.Time) (whole bool) {
	var piece []byte
	n, content := 0, false
	m := jsonwalk.Object(val)
	for m.Next() {
		switch string(m.Key) {
		case "contentBlockIndex":
			n = index(m.Val)
		case "delta":
			piece = m.Val
		}
	}
	ch := r.choice()
	for d := jsonwalk.Object(piece); d.Next(); {
		switch string(d.Key) {
		case "text":
			content = ch.Add(llm.PartText, n, d.Val) || content
		case "toolUse":
			if raw := jsonwalk.Inner(jsonwalk.Member(d.Val, "input")); len(raw) > 0 {
				content = ch.Call(n).Add(raw) || content
			}
		case "reasoningContent":
			content = ch.Add(llm.PartReasoning, n, jsonwalk.Member(d.Val, "text")) || content
		}
	}
	if content {
		r.answer.Piece(at)
	}
	return m.Whole()
}

// output reads the message of an answer that is whole.
func (r *Reader) output(val []byte) {
	ch := r.choice()
	message := jsonwalk.Member(val, "message")
	ch.Role(jsonwalk.Member(message, "role"))
	i := 0
	for e := jsonwalk.Array(jsonwalk.Member(message, "content")); e.Next(); i++ {
		m := jsonwalk.Object(e.Val)
		if !m.Next() {
			continue
		}
		switch kind := string(m.Key); kind {
		case "text":
			ch.Add(llm.PartText, i, m.Val)
		case "reasoningContent":
			ch.Add(llm.PartReasoning, i, jsonwalk.Member(jsonwalk.Member(m.Val, "reasoningText"), "text"))
		case "toolUse":
			call := ch.Call(i)
			call.ID(jsonwalk.Member(m.Val, "toolUseId"))
			call.Name(jsonwalk.Member(m.Val, "name"))
			call.Arguments(jsonwalk.Member(m.Val, "input"))
		default:
			ch.Put(readBlock(kind, m.Val))
		}
	}
}
