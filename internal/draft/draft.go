// Package draft puts the messages of an answer together while its pieces pass:
// choices, their parts in the order in which they began, tool calls, finish
// reasons. Texts are kept escaped until the end, and memory is bounded.
package draft

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// Bounds on what an answer may consist of.
const (
	maxChoices = 128
	maxParts   = 2048 // in all
	maxWord    = 1024 // bytes of an id, a name, a reason
)

// Answer is what a response has said so far. The zero value is ready. It is for
// one goroutine.
type Answer struct {
	rhythm  intake.Rhythm
	room    intake.Room
	choices []*Choice
	parts   int
	more    bool
	nothing Choice // takes what is past the bounds
}

// Choice is one of the alternatives that an answer has.
type Choice struct {
	answer *Answer
	index  int
	role   string
	finish string
	parts  []*Part
}

// Part is one part of a choice. Part of nil takes what is said to it and forgets it.
type Part struct {
	choice *Choice
	kind   string
	index  int
	text   intake.Text
	object string // arguments that came as an object
	id     string
	name   string
	done   *llm.Part
}

// Piece notes that a piece with content came.
func (a *Answer) Piece(at time.Time) { a.rhythm.Piece(at) }

// Choice returns the choice with that index.
func (a *Answer) Choice(index int) *Choice {
	for _, ch := range a.choices {
		if ch.index == index {
			return ch
		}
	}
	if len(a.choices) == maxChoices {
		a.more = true
		a.nothing = Choice{answer: a}
		return &a.nothing
	}
	ch := &Choice{answer: a, index: index}
	a.choices = append(a.choices, ch)
	return ch
}

// Empty says that the answer has no choice yet.
func (a *Answer) Empty() bool { return len(a.choices) == 0 }

// Finished says that there is a choice, and that each has a finish reason.
func (a *Answer) Finished() bool {
	for _, ch := range a.choices {
		if ch.finish == "" {
			return false
		}
	}
	return len(a.choices) > 0
}

// Role sets who speaks; the first word stays. val is a JSON string.
func (ch *Choice) Role(val []byte) {
	if ch.role == "" {
		ch.role = jsonwalk.Clip(jsonwalk.Str(val), maxWord)
	}
}

// Finish sets the finish reason, where val is a JSON string that is not empty. The
// last word stays.
func (ch *Choice) Finish(val []byte) {
	if s := jsonwalk.Str(val); s != "" {
		ch.finish = jsonwalk.Clip(s, maxWord)
	}
}

// Add adds a piece to the part of that type and index, and reports whether there
// was any text in it. val is a JSON string.
func (ch *Choice) Add(kind string, index int, val []byte) bool {
	raw := jsonwalk.Inner(val)
	if len(raw) == 0 {
		return false
	}
	return ch.Part(kind, index).Add(raw)
}

// Put adds a part that is whole.
func (ch *Choice) Put(p llm.Part) {
	if part := ch.begin(p.Type, len(ch.parts)); part != nil {
		part.done = &p
	}
}

// Part returns the part of that type and index, which begins now if there is none.
func (ch *Choice) Part(kind string, index int) *Part {
	for i := len(ch.parts) - 1; i >= 0; i-- {
		if p := ch.parts[i]; p.index == index && p.kind == kind && p.done == nil {
			return p
		}
	}
	return ch.begin(kind, index)
}

// Call returns the tool call of that index.
func (ch *Choice) Call(index int) *Part { return ch.Part(llm.PartToolCall, index) }

func (ch *Choice) begin(kind string, index int) *Part {
	a := ch.answer
	if a.parts == maxParts || ch == &a.nothing {
		a.more = true
		return nil
	}
	a.parts++
	p := &Part{choice: ch, kind: kind, index: index}
	ch.parts = append(ch.parts, p)
	return p
}

// Add adds to the text of a part, or to the arguments of a tool call. raw is the
// inside of a JSON string.
func (p *Part) Add(raw []byte) bool {
	if p == nil {
		return len(raw) > 0
	}
	return p.text.Add(&p.choice.answer.room, raw)
}

// ID sets the id of a tool call, where val is a JSON string that is not empty.
func (p *Part) ID(val []byte) {
	if s := jsonwalk.Str(val); s != "" && p != nil {
		p.id = jsonwalk.Clip(s, maxWord)
	}
}

// Name sets the name of a tool, where val is a JSON string that is not empty.
func (p *Part) Name(val []byte) {
	if s := jsonwalk.Str(val); s != "" && p != nil {
		p.name = jsonwalk.Clip(s, maxWord)
	}
}

// Arguments sets arguments that come whole: an object, or a text of one.
func (p *Part) Arguments(val []byte) {
	switch {
	case p == nil || jsonwalk.IsNull(val):
	case val[0] == '"':
		p.Add(jsonwalk.Inner(val))
	default:
		room := &p.choice.answer.room
		if len(val) > intake.MaxText-room.Used {
			room.Lost += len(val)
			return
		}
		room.Used += len(val)
		p.object = bare(val)
	}
}

// bare returns JSON without the blanks between its tokens, also where it was cut off.
func bare(val []byte) string {
	out := make([]byte, 0, len(val))
	for i := 0; i < len(val); {
		switch c := val[i]; c {
		case ' ', '\n', '\r', '\t':
			i++
		case '"':
			end, _ := jsonwalk.SkipString(val, i)
			out = append(out, val[i:end]...)
			i = end
		default:
			out = append(out, c)
			i++
		}
	}
	return string(out)
}

// Fill writes the answer into c: messages, finish reasons, rhythm and what could
// not be kept. normal maps finish reasons to those of the conventions (telemetry
// reference, section 3); others stay. cut says that the answer broke off: a choice
// without a finish reason then ended in error.
func (a *Answer) Fill(c *llm.Call, normal map[string]string, cut bool) {
	slices.SortStableFunc(a.choices, func(x, y *Choice) int { return cmp.Compare(x.index, y.index) })
	told := false
	for _, ch := range a.choices {
		finish := ch.finish
		if finish == "" && cut {
			finish = "error"
		}
		told = told || finish != ""
		c.FinishReasons = append(c.FinishReasons, finish)
		c.Output = append(c.Output, ch.message(finish, normal))
	}
	if !told {
		c.FinishReasons = nil
	}
	if a.room.Lost > 0 {
		c.Problems = append(c.Problems, fmt.Sprintf("response: %d bytes of text past the first %d were not kept", a.room.Lost, intake.MaxText))
	}
	if a.more {
		c.Problems = append(c.Problems, fmt.Sprintf("response: only the first %d choices and %d parts were read", maxChoices, maxParts))
	}
}

// FillRhythm writes when the pieces of a stream came.
func (a *Answer) FillRhythm(c *llm.Call) {
	c.FirstToken, c.Chunks = a.rhythm.First(), a.rhythm.Chunks()
}

func (ch *Choice) message(finish string, normal map[string]string) llm.Message {
	m := llm.Message{Role: cmp.Or(ch.role, "assistant"), FinishReason: finish}
	if n, ok := normal[finish]; ok {
		m.FinishReason = n
	} else if finish == "" {
		m.FinishReason = "stop"
	}
	for _, p := range ch.parts {
		m.Parts = append(m.Parts, p.part())
	}
	return m
}

func (p *Part) part() llm.Part {
	if p.done != nil {
		return *p.done
	}
	out := llm.Part{Type: p.kind, ID: p.id, Name: p.name}
	text := jsonwalk.Unescape(p.text.Raw)
	if p.kind != llm.PartToolCall {
		out.Content = text
	} else if out.Arguments = text; text == "" {
		out.Arguments = p.object
	}
	if p.text.Seen > len(p.text.Raw) {
		out.Size = int64(p.text.Seen)
	}
	return out
}
