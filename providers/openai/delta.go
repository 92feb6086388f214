package openai

import (
	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// readDelta takes the delta of a chunk, or the message of a plain answer.
func (a *answer) readDelta(c *choice, body []byte, whole bool) {
	var said, reasoning, reasoning2 []byte
	for m := jsonwalk.Object(body); m.Next(); {
		switch string(m.Key) {
		case "role":
			a.setRole(c, m.Val)
		case "content":
			said = m.Val
		case "reasoning_content":
			reasoning = m.Val
		case "reasoning":
			reasoning2 = m.Val
		case "refusal":
			a.take(c, m.Val, partRefusal)
		case "tool_calls":
			a.readCalls(c, m.Val, whole)
		case "function_call":
			a.readFunction(c, m.Val)
		case "images": // OpenRouter
			a.readImages(c, m.Val)
		case "audio":
			a.readSound(c, m.Val)
		}
	}
	// Where both names come they carry the same text.
	if jsonwalk.Empty(reasoning) {
		reasoning = reasoning2
	}
	a.take(c, reasoning, partReasoning)
	if len(said) > 0 && said[0] == '[' {
		a.readParts(c, said)
		return
	}
	a.take(c, said, partText)
}

// readImages takes the images that a model made. They are content, and come whole.
func (a *answer) readImages(c *choice, list []byte) {
	for e := jsonwalk.Array(list); e.Next() && len(c.blobs) < maxBlobs; {
		if p, ok := mediaOf("image_url", e.Val); ok && (p.Size > 0 || p.URI != "") {
			a.cur.special = true
			a.cur.pieces++
			c.blobs = append(c.blobs, p)
		}
	}
}

// readSound takes audio: what is said in it, and how much of it there is.
func (a *answer) readSound(c *choice, val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "transcript":
			a.take(c, m.Val, partVoice)
		case "data":
			if data := jsonwalk.Inner(m.Val); len(data) > 0 {
				a.cur.special = true
				a.cur.pieces++
				c.sound += content.Blob(data, "audio", "").Size
			}
		}
	}
}

// readParts reads content that is a list of parts: {type: text | thinking …}.
func (a *answer) readParts(c *choice, list []byte) {
	a.cur.special = true
	for e := jsonwalk.Array(list); e.Next(); {
		if e.Val[0] == '"' {
			a.take(c, e.Val, partText)
			continue
		}
		a.readPart(c, e.Val)
	}
}

func (a *answer) readPart(c *choice, val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "text", "output_text":
			a.take(c, m.Val, partText)
		case "refusal":
			a.take(c, m.Val, partRefusal)
		case "thinking", "reasoning", "summary": // summary: Databricks
			a.readThinking(c, m.Val)
		}
	}
}

// readThinking reads reasoning that is a text or a list of text parts.
func (a *answer) readThinking(c *choice, val []byte) {
	if val[0] == '"' {
		a.take(c, val, partReasoning)
	}
	for e := jsonwalk.Array(val); e.Next(); {
		if e.Val[0] == '"' {
			a.take(c, e.Val, partReasoning)
		} else if t := jsonwalk.Member(e.Val, "text"); t != nil {
			a.take(c, t, partReasoning)
		}
	}
}

// partKind is where a text of a choice goes.
type partKind uint8

// The kinds, in the order in which they make parts of a message.
const (
	partReasoning partKind = iota
	partText
	partVoice // transcript of audio
	partRefusal
	numParts
)

// take appends a text to a choice.
func (a *answer) take(c *choice, val []byte, k partKind) {
	raw := jsonwalk.Inner(val)
	if len(raw) == 0 {
		return
	}
	a.keep(&c.texts[k], raw)
	a.cur.pieces++
	a.cur.kind, a.cur.val = k, raw
}
