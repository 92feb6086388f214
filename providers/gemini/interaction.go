package gemini

import (
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// Interactions (wire reference, section 8.4): an answer is a list of steps, which
// earlier versions called outputs; a stream brings each step by its index, in
// pieces, and at its end the whole object with the usage.

// interaction joins the steps of one.
type interaction struct {
	*answer
	steps map[int]*piece // under way, by index: what their pieces go on
	kinds map[int]string // type of each step under way
	done  bool           // the end mark came
}

// event takes one event of a stream.
func (a *interaction) event(data []byte, at time.Time) (ok bool) {
	if !entire(data) {
		return false
	}
	var kind, step, delta, whole, failure, status []byte
	index := 0
	for m := jsonwalk.Object(data); m.Next(); {
		switch string(m.Key) {
		case "event_type":
			kind = jsonwalk.Inner(m.Val)
		case "index":
			index = int(gjson.ParseBytes(m.Val).Int())
		case "step", "content":
			step = m.Val
		case "delta":
			delta = m.Val
		case "interaction":
			whole = m.Val
		case "error":
			failure = m.Val
		case "status":
			status = m.Val
		}
	}
	set(&a.status, status)
	a.setError(failure)
	pieces := 0
	switch string(kind) {
	case "step.start", "content.start":
		pieces = a.start(index, step)
	case "step.delta", "content.delta":
		pieces = a.delta(index, delta)
	case "step.stop", "content.stop":
		if p := a.steps[index]; p != nil {
			p.open = false
		}
	case "error":
		if a.err == nil {
			a.setError(data)
		}
	}
	if whole != nil {
		a.object(whole, false)
	}
	if pieces > 0 {
		a.rhythm.Piece(at)
	}
	return true
}

// object takes the interaction itself. Its steps count where no piece of them was
// seen before.
func (a *interaction) object(val []byte, plain bool) (ok bool) {
	var steps []byte
	m := jsonwalk.Object(val)
	for m.Next() {
		switch string(m.Key) {
		case "id":
			set(&a.id, m.Val)
		case "model":
			set(&a.model, m.Val)
		case "status":
			set(&a.status, m.Val)
		case "service_tier":
			set(&a.tier, m.Val)
		case "usage":
			a.setUsage(m.Val)
		case "error":
			a.setError(m.Val)
		case "steps", "outputs":
			steps = m.Val
		}
	}
	if plain || len(a.candidates) == 0 {
		for e := jsonwalk.Array(steps); e.Next(); {
			a.step(e.Val)
		}
	}
	return m.Whole()
}

// step takes a step that came whole.
func (a *interaction) step(val []byte) (pieces int) {
	c := a.candidate(0)
	switch kind := kindOf(val); kind {
	case "user_input":
		return 0 // what was asked
	case "model_output":
		eachPart(jsonwalk.Member(val, "content"), func(p []byte) { pieces += a.piecesOf(c, p) })
		return pieces
	default:
		return a.piecesOf(c, val)
	}
}

// piecesOf takes a content of an answer, or a step that is none of a list.
func (a *interaction) piecesOf(c *candidate, val []byte) (pieces int) {
	switch kind := kindOf(val); kind {
	case "text":
		if a.addText(c, llm.PartText, jsonwalk.Inner(jsonwalk.Member(val, "text"))) {
			pieces++
		}
	case "thought":
		eachPart(jsonwalk.Member(val, "summary"), func(p []byte) {
			if a.addText(c, llm.PartReasoning, jsonwalk.Inner(jsonwalk.Member(p, "text"))) {
				pieces++
			}
		})
	case "google_search_call":
		a.readQueries(jsonwalk.Member(val, "arguments"))
		fallthrough
	default:
		if parts := readInteractionPart(val, kind); a.addParts(c, parts) {
			pieces += len(parts)
		}
	}
	return pieces
}

// kindOf returns the type of a step or a content. It may stand last, so of one that
// was cut off it is told by what else is there.
func kindOf(val []byte) string {
	kind := jsonwalk.Member(val, "type")
	switch {
	case closed(kind):
		return jsonwalk.Str(kind)
	case jsonwalk.Member(val, "content") != nil:
		return "model_output"
	case jsonwalk.Member(val, "text") != nil:
		return "text"
	}
	return ""
}

func (a *interaction) readQueries(val []byte) {
	for e := jsonwalk.Array(jsonwalk.Member(val, "queries")); e.Next(); {
		a.query(jsonwalk.Str(e.Val))
	}
}

// start begins a step of a stream.
func (a *interaction) start(index int, val []byte) (pieces int) {
	if a.steps == nil {
		a.steps, a.kinds = map[int]*piece{}, map[int]string{}
	}
	if len(a.kinds) >= maxParts {
		a.more = true
		return 0
	}
	kind := jsonwalk.Str(jsonwalk.Member(val, "type"))
	a.kinds[index] = jsonwalk.Clip(kind, 64)
	if kind != "function_call" {
		return a.step(val)
	}
	call := readCall(val)
	args := jsonwalk.Member(val, "arguments")
	p := a.piece(a.candidate(0), llm.Part{Type: llm.PartToolCall, ID: call.ID, Name: call.Name})
	if p != nil {
		p.open = true
		if !jsonwalk.Empty(args) {
			p.text.Add(&a.room, args)
		}
		a.steps[index] = p
	}
	return 1
}

// delta takes a piece of a step.
func (a *interaction) delta(index int, val []byte) (pieces int) {
	c := a.candidate(0)
	switch kind := jsonwalk.Str(jsonwalk.Member(val, "type")); kind {
	case "text", "model_output":
		if a.addText(c, llm.PartText, jsonwalk.Inner(jsonwalk.Member(val, "text"))) {
			return 1
		}
	case "thought", "thought_summary":
		if a.addText(c, llm.PartReasoning, jsonwalk.Inner(summaryText(val))) {
			return 1
		}
	case "arguments_delta":
		if p := a.steps[index]; p != nil && p.text.Add(&a.room, jsonwalk.Inner(argumentsOf(val))) {
			p.part.Content = partialText // the arguments are a text of JSON from here on
			return 1
		}
	case "thought_signature", "text_annotation", "text_annotation_delta":
	case "function_call":
		return a.callDelta(index, val)
	default:
		return a.piecesOf(c, val)
	}
	return 0
}

// partialText marks a call whose arguments came as pieces of a text.
const partialText = "text"

func argumentsOf(val []byte) []byte {
	if v := jsonwalk.Member(val, "arguments"); v != nil {
		return v
	}
	return jsonwalk.Member(val, "partial_arguments")
}

func summaryText(val []byte) []byte {
	if inner := jsonwalk.Member(val, "content"); inner != nil {
		return jsonwalk.Member(inner, "text")
	}
	return jsonwalk.Member(val, "text")
}

// callDelta takes a call that earlier versions brought whole, as a delta.
func (a *interaction) callDelta(index int, val []byte) int {
	p := a.steps[index]
	if p == nil {
		return a.start(index, val)
	}
	call := readCall(val)
	if call.Name != "" {
		p.part.Name = call.Name
	}
	if call.ID != "" {
		p.part.ID = call.ID
	}
	if args := jsonwalk.Member(val, "arguments"); !jsonwalk.Empty(args) {
		p.text.Raw, p.text.Seen = nil, 0
		p.text.Add(&a.room, args)
	}
	return 1
}

// readInteractionPart reads a content of an interaction that is neither text nor
// thought, in requests and answers.
func readInteractionPart(val []byte, kind string) []llm.Part {
	id := jsonwalk.Str(jsonwalk.Member(val, "id"))
	if id == "" {
		id = jsonwalk.Str(jsonwalk.Member(val, "call_id"))
	}
	name := jsonwalk.Str(jsonwalk.Member(val, "name"))
	switch kind {
	case "function_call":
		p := readCall(val)
		if args := jsonwalk.Member(val, "arguments"); args != nil {
			p.Arguments = answerText(args)
		} else if !closed(val) {
			p.Arguments = ""
		}
		return []llm.Part{p}
	case "function_result":
		id = jsonwalk.Str(jsonwalk.Member(val, "call_id"))
		return []llm.Part{{Type: llm.PartToolCallResponse, ID: id, Name: name, Response: resultText(jsonwalk.Member(val, "result"))}}
	case "image", "audio", "video", "document":
		mime := jsonwalk.Clip(jsonwalk.Str(jsonwalk.Member(val, "mime_type")), 128)
		if data := jsonwalk.Member(val, "data"); len(data) > 2 {
			return []llm.Part{content.Blob(jsonwalk.Inner(data), kind, mime)}
		}
		return []llm.Part{{Type: llm.PartURI, Modality: kind, MIMEType: mime, URI: content.CleanURI(jsonwalk.Str(jsonwalk.Member(val, "uri")))}}
	}
	if tool, ok := strings.CutSuffix(kind, "_call"); ok {
		return []llm.Part{{Type: llm.PartServerToolCall, ID: id, Name: first(name, tool), Arguments: compact(jsonwalk.Member(val, "arguments"))}}
	}
	if tool, ok := strings.CutSuffix(kind, "_result"); ok {
		return []llm.Part{{Type: llm.PartServerToolCallResponse, ID: id, Name: first(name, tool), Response: resultText(jsonwalk.Member(val, "result"))}}
	}
	if kind == "" || kind == "thought" || kind == "text" {
		return nil
	}
	return []llm.Part{{Type: jsonwalk.Clip(kind, 64), Size: int64(len(val))}}
}

// resultText is a tool's result: a text, the texts of a list of contents, or JSON.
func resultText(val []byte) string {
	text, only := "", true
	for e := jsonwalk.Array(val); e.Next(); {
		if t := jsonwalk.Member(e.Val, "text"); t != nil {
			if text != "" {
				text += "\n"
			}
			text += jsonwalk.Str(t)
			continue
		}
		only = false
	}
	if text != "" && only {
		return text
	}
	return answerText(val)
}
