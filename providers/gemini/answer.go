package gemini

import (
	"bytes"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// Bounds on what is kept of one answer. What is past them is counted and left out.
const (
	maxCandidates = 128
	maxUsage      = 64 << 10
	maxName       = 1024
	maxQueries    = 256
)

// answer is what is joined from a response: from the one object of a plain one,
// from the chunks of a stream, each of which is a whole object with new parts only
// (wire reference, section 8.2). Interactions and turns of a Live session are
// joined in the same form.
type answer struct {
	id, model, tier []byte
	block           []byte // why the prompt was refused
	blockMessage    []byte
	status          []byte // of an interaction
	candidates      []*candidate
	usage           []byte // the provider's last word
	err             *apierror.Error

	rhythm     intake.Rhythm
	room       intake.Room
	events     int
	unreadable int
	more       bool // candidates or parts past the bounds
	light      bool // no digests of blobs: there is no time
	mayThink   bool // thoughts were asked for: a text that is cut off may be one

	queries  []string // distinct searches of the web
	searches int64    // as counted by the provider; -1 when it does not say
	count    int64    // tokens counted by countTokens; -1 when none

	embeddings, dimensions int
	images                 int
	characters, tokens     int64 // of predict; -1 when not told
	template               template
	cur                    sketch
}

func newAnswer() answer { return answer{searches: -1, count: -1, characters: -1, tokens: -1} }

// candidate is one candidate of the answer.
type candidate struct {
	index         int
	role, finish  []byte
	finishMessage []byte
	pieces        []*piece
}

// piece is a part under way: text that may go on, a call whose arguments come in
// pieces, or a part that came whole.
type piece struct {
	part llm.Part
	text intake.Text // of text and reasoning; of a call, its arguments as they were written
	args *partial
	open bool // a call that goes on
}

// set takes a text that may come again, empty or changed. Empty ones say nothing,
// and one that was cut off says something else.
func set(dst *[]byte, val []byte) {
	v := jsonwalk.Inner(val)
	if len(v) == 0 || bytes.Equal(*dst, v) || !closed(val) {
		return
	}
	*dst = append((*dst)[:0], v[:min(len(v), maxName)]...)
}

// closed says that a value came whole.
func closed(val []byte) bool {
	if len(val) == 0 {
		return false
	}
	_, ok := jsonwalk.SkipValue(val, 0)
	return ok
}

// setEnum takes a word, or the number that stands for it.
func setEnum(dst *[]byte, val []byte) {
	if len(val) > 0 && (val[0] >= '0' && val[0] <= '9') && len(val) < 8 {
		*dst = append((*dst)[:0], val...)
		return
	}
	set(dst, val)
}

// read takes one chunk, or the whole object of a plain answer. ok is false when it
// is no JSON object from beginning to end; of a plain answer what could be read is
// taken all the same, while a chunk that was cut off brings nothing.
func (a *answer) read(data []byte, at time.Time, whole bool) (ok bool) {
	if !whole && !entire(data) {
		return false
	}
	a.cur = sketch{}
	pieces := 0
	m := jsonwalk.Object(data)
	for m.Next() {
		pieces += a.member(m.Key, m.Val)
	}
	if whole {
		return m.Whole()
	}
	if pieces > 0 {
		a.rhythm.Piece(at)
	}
	a.learn(data)
	return m.Whole()
}

// entire says that data is one JSON object and not the beginning of one.
func entire(data []byte) bool {
	if i := jsonwalk.SkipSpace(data, 0); i < len(data) && data[i] == '{' {
		_, ok := jsonwalk.SkipValue(data, i)
		return ok
	}
	return false
}

// member takes a member of a response object and returns how many pieces of
// content it brought.
func (a *answer) member(key, val []byte) (pieces int) {
	switch string(camel(key)) {
	case "candidates":
		position := 0
		for e := jsonwalk.Array(val); e.Next(); position++ {
			pieces += a.readCandidate(e.Val, position)
		}
	case "usageMetadata":
		a.setUsage(val)
		a.cur.usage = val
	case "modelVersion":
		set(&a.model, val)
	case "responseId":
		set(&a.id, val)
	case "promptFeedback":
		a.cur.special = true
		for m := jsonwalk.Object(val); m.Next(); {
			switch string(camel(m.Key)) {
			case "blockReason":
				setEnum(&a.block, m.Val)
			case "blockReasonMessage":
				set(&a.blockMessage, m.Val)
			}
		}
	case "error":
		a.cur.special = true
		a.setError(val)
	}
	return pieces
}

func (a *answer) setUsage(val []byte) {
	if jsonwalk.IsObject(val) && len(val) <= maxUsage && closed(val) {
		a.usage = append(a.usage[:0], val...)
	}
}

func (a *answer) setError(val []byte) {
	if jsonwalk.Empty(val) {
		return
	}
	if e := apierror.Parse(val); e != nil {
		a.err = e
	}
}

// readCandidate takes one element of candidates.
func (a *answer) readCandidate(val []byte, position int) (pieces int) {
	index := position
	if v := jsonwalk.Member(val, "index"); v != nil {
		index = int(gjson.ParseBytes(v).Int())
	}
	c := a.candidate(index)
	if c == nil {
		a.cur.special = true
		return 0
	}
	a.cur.candidates++
	a.cur.candidate = c
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "content":
			pieces += a.readContent(c, m.Val)
		case "finishReason":
			a.cur.special = true
			setEnum(&c.finish, m.Val)
		case "finishMessage":
			a.cur.special = true
			set(&c.finishMessage, m.Val)
		case "groundingMetadata":
			a.cur.special = true
			a.readGrounding(m.Val)
		}
	}
	return pieces
}

func (a *answer) readContent(c *candidate, val []byte) (pieces int) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "role":
			set(&c.role, m.Val)
		case "parts":
			eachPart(m.Val, func(p []byte) {
				if a.readPart(c, p) {
					pieces++
				}
			})
		}
	}
	return pieces
}

// candidate returns the candidate of that index, made if it is new; nil past the
// bounds.
func (a *answer) candidate(index int) *candidate {
	for _, c := range a.candidates {
		if c.index == index {
			return c
		}
	}
	if index < 0 || len(a.candidates) >= maxCandidates {
		a.more = true
		return nil
	}
	c := &candidate{index: index}
	a.candidates = append(a.candidates, c)
	if n := len(a.candidates); n > 1 && a.candidates[n-2].index > index {
		slices.SortFunc(a.candidates, func(x, y *candidate) int { return x.index - y.index })
	}
	return c
}

// readPart takes one part and reports whether it said anything.
func (a *answer) readPart(c *candidate, val []byte) bool {
	kind, thought := llm.PartText, false
	var text, call []byte
	m := jsonwalk.Object(val)
	for m.Next() {
		switch string(camel(m.Key)) {
		case "text":
			text = m.Val
		case "thought":
			thought = string(m.Val) == "true"
		case "functionCall":
			call = m.Val
		case "inlineData", "fileData", "functionResponse", "executableCode", "codeExecutionResult", "toolCall", "toolResponse":
			a.cur.special = true
			return a.addParts(c, readPart(val, a.light))
		}
	}
	if call != nil {
		a.cur.special = true
		return a.readCall(c, call)
	}
	if thought {
		kind = llm.PartReasoning
	} else if a.mayThink && !m.Whole() {
		return false // whether it is a thought stands behind it
	}
	raw := jsonwalk.Inner(text)
	a.cur.parts++
	a.cur.text, a.cur.kind = raw, kind
	return a.addText(c, kind, raw)
}

// addText appends to the text at hand, or begins one.
func (a *answer) addText(c *candidate, kind string, raw []byte) bool {
	if len(raw) == 0 {
		return false
	}
	p := c.last()
	if p == nil || p.part.Type != kind {
		if p = a.piece(c, llm.Part{Type: kind}); p == nil {
			return true
		}
	}
	return p.text.Add(&a.room, raw)
}

func (c *candidate) last() *piece {
	if len(c.pieces) == 0 {
		return nil
	}
	return c.pieces[len(c.pieces)-1]
}

// piece begins a part; nil past the bounds.
func (a *answer) piece(c *candidate, part llm.Part) *piece {
	if len(c.pieces) >= maxParts {
		a.more = true
		return nil
	}
	p := &piece{part: part}
	c.pieces = append(c.pieces, p)
	return p
}

// addParts adds parts that came whole. Audio that goes on is one part.
func (a *answer) addParts(c *candidate, parts []llm.Part) bool {
	for _, part := range parts {
		if part.Type == llm.PartText || part.Type == llm.PartReasoning {
			continue // nothing has both text and data
		}
		size := len(part.Content) + len(part.Arguments) + len(part.Response) + len(part.URI)
		if a.room.Used+size > intake.MaxText {
			a.room.Lost += size
			part.Size = int64(size)
			part.Content, part.Arguments, part.Response, part.URI = "", "", "", ""
		} else {
			a.room.Used += size
		}
		if last := c.last(); last != nil && part.Modality == "audio" && part.Type == llm.PartBlob &&
			last.part.Type == llm.PartBlob && last.part.MIMEType == part.MIMEType {
			last.part.Size += part.Size
			last.part.SHA256 = ""
			continue
		}
		if p := a.piece(c, part); p != nil {
			p.open = part.Type == llm.PartToolCall && part.Arguments == "" // cut off before them
		}
	}
	return len(parts) > 0
}

// readCall takes a function call, or a piece of one: those after the first bring
// no name, and the last does not say that it will continue.
func (a *answer) readCall(c *candidate, val []byte) bool {
	var name, id, args, pieces []byte
	more := false
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "name":
			name = jsonwalk.Inner(m.Val)
		case "id":
			id = jsonwalk.Inner(m.Val)
		case "args":
			args = m.Val
		case "partialArgs":
			pieces = m.Val
		case "willContinue":
			more = string(m.Val) == "true"
		}
	}
	p := c.openCall()
	if len(name) > 0 || p == nil && (len(id) > 0 || len(args) > 0 || len(pieces) > 0) {
		if p != nil {
			p.open = false
		}
		p = a.piece(c, llm.Part{Type: llm.PartToolCall, Name: jsonwalk.Unescape(name[:min(len(name), maxName)])})
	}
	if p == nil {
		return false
	}
	p.open = more || !closed(val)
	if len(id) > 0 && p.part.ID == "" {
		p.part.ID = jsonwalk.Unescape(id[:min(len(id), maxName)])
	}
	if jsonwalk.IsObject(args) && (!jsonwalk.Empty(args) || len(p.text.Raw) == 0) {
		p.text = intake.Text{}
		p.text.Add(&a.room, args)
	}
	for e := jsonwalk.Array(pieces); e.Next(); {
		if p.args == nil {
			p.args = &partial{}
		}
		p.args.add(&a.room, e.Val)
	}
	return len(name) > 0 || len(args) > 0 || len(pieces) > 0
}

func (c *candidate) openCall() *piece {
	for i := len(c.pieces) - 1; i >= 0; i-- {
		if c.pieces[i].open {
			return c.pieces[i]
		}
	}
	return nil
}
