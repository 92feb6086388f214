package gemini

import (
	"strconv"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// turn is one turn of a session, and the reader of the call that it is.
type turn struct {
	start, first, end time.Time
	ended             llm.End
	sent              []byte // frames of the caller, one a line, media left out
	lost              int
	heard             heard
	size              int64 // bytes of the provider's messages
	answer            answer
	transcript        intake.Text // of what the caller said
	interrupted       bool
	called            bool // it ended with a call of a tool
}

// heard is the media that the caller streamed.
type heard struct {
	size  int64
	parts []llm.Part // one a type of media
}

func (t *turn) send(frame []byte) {
	if len(t.sent)+len(frame) > maxSent {
		t.lost += len(frame)
		return
	}
	t.sent = append(append(t.sent, compactLine(frame)...), '\n')
}

// hear takes media of the caller: their size and type.
func (t *turn) hear(val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "audio", "video", "mediaChunks":
			eachPart(m.Val, func(p []byte) { t.heard.add(readBlob(p, true)) })
		}
	}
}

func (h *heard) add(p llm.Part) {
	h.size += p.Size
	for i := range h.parts {
		if h.parts[i].MIMEType == p.MIMEType {
			h.parts[i].Size += p.Size
			return
		}
	}
	if len(h.parts) < 8 {
		h.parts = append(h.parts, p)
	}
}

// content takes serverContent and reports whether it ended the turn.
func (t *turn) content(val []byte, at time.Time) (over bool) {
	a := &t.answer
	pieces := 0
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "modelTurn":
			pieces += a.readContent(a.candidate(0), m.Val)
		case "outputTranscription":
			if a.addText(a.candidate(0), llm.PartText, jsonwalk.Inner(jsonwalk.Member(m.Val, "text"))) {
				pieces++
			}
		case "inputTranscription":
			t.transcript.Add(&a.room, jsonwalk.Inner(jsonwalk.Member(m.Val, "text")))
		case "groundingMetadata":
			a.readGrounding(m.Val)
		case "turnCompleteReason":
			setEnum(&a.candidate(0).finish, m.Val)
		case "interrupted":
			t.interrupted = t.interrupted || string(m.Val) == "true"
		case "turnComplete":
			over = string(m.Val) == "true"
		}
	}
	if pieces > 0 {
		a.rhythm.Piece(at)
	}
	return over
}

func (t *turn) toolCalls(val []byte, at time.Time) {
	a := &t.answer
	for m := jsonwalk.Object(val); m.Next(); {
		if string(camel(m.Key)) != "functionCalls" {
			continue
		}
		for e := jsonwalk.Array(m.Val); e.Next(); {
			if a.readCall(a.candidate(0), e.Val) {
				a.rhythm.Piece(at)
			}
		}
	}
}

// Wrote is never called: the session has read what passed.
func (t *turn) Wrote([]byte, time.Time) {}

// Finish writes the turn into c.
func (t *turn) Finish(c *llm.Call, _ *llm.Exchange) error {
	a := &t.answer
	a.tell(c)
	if t.lost > 0 {
		c.Problems = append(c.Problems, "request: "+strconv.Itoa(t.lost)+" bytes of frames were not kept")
	}
	c.FirstToken, c.Chunks = a.rhythm.First(), a.rhythm.Chunks()
	said := append([]llm.Part(nil), t.heard.parts...)
	if t.transcript.Seen > 0 {
		said = append(said, llm.Part{Type: llm.PartText, Content: jsonwalk.Unescape(t.transcript.Raw)})
	}
	if len(said) > 0 {
		c.Input = append(c.Input, llm.Message{Role: "user", Parts: said})
	}
	a.fillUsage(c, t.ended != llm.EndComplete)
	if a.err != nil {
		c.ErrorType, c.ErrorMessage = first(a.err.Code, "_OTHER"), apierror.Scrub(a.err.Message)
	}
	for _, cand := range a.candidates {
		told := jsonwalk.Unescape(cand.finish)
		c.Output = append(c.Output, cand.message(t.finish(told)))
		if told != "" {
			c.FinishReasons = append(c.FinishReasons, told)
		}
	}
	return nil
}

// finish is why the turn ended.
func (t *turn) finish(told string) string {
	switch {
	case told != "":
		return finishName(told, false)
	case t.ended != llm.EndComplete:
		return "error"
	case t.called:
		return "tool_call"
	case t.interrupted:
		return "interrupted"
	}
	return "stop"
}
