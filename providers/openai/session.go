package openai

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	param "github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/internal/websocket"
	"github.com/spanwire/spanwire/llm"
)

// Bounds on what a session holds.
const (
	maxFrame = 8 << 20 // bytes of a message
	maxOpen  = 64      // responses under way, and requests that wait for theirs
	maxKept  = 1 << 20 // bytes of items that wait for a response to be made of them
)

// Session reads a WebSocket of the Realtime API, or of the Responses API (wire
// reference, sections 5.4 and 12). Each response in it is a call of its own, and
// so is each transcription that is billed; the session is the exchange around them.
//
// Wrote and Sent are never called at once. Finish is called when the connection
// has ended.
type Session struct {
	x                *llm.Exchange
	caller, provider websocket.Splitter
	closing          websocket.Closing
	broken           error

	api   string // openai.api.type
	model string // asked for in the address
	setup *setup
	asks  []demand
	turns []*turn

	items  []llm.Message // said since the last response was made
	kept   int
	heard  int64 // bytes of base64 sent since the last audio item
	since  time.Time
	asked  int64 // bytes sent since the last response
	ended  int
	failed *turn // a session that never made a response: why
}

// setup is how a session is configured. It is not changed once a turn has it.
type setup struct {
	id, model, ear string // ear: the model that transcribes
	system         []llm.Part
	tools          []llm.Tool
	attrs          []llm.Attr
}

// demand is a request for a response that was not answered yet.
type demand struct {
	body []byte
	at   time.Time
}

func newSession(x *llm.Exchange) *Session {
	s := &Session{x: x, setup: &setup{}, api: "realtime"}
	s.caller, s.provider = websocket.Agreed(x.ResponseHeader.Get("sec-websocket-extensions"))
	s.caller.Limit, s.provider.Limit = maxFrame, maxFrame
	path, query, _ := strings.Cut(x.Asked(), "?")
	if strings.HasSuffix(strings.TrimSuffix(path, "/"), "/responses") {
		s.api = "responses"
	}
	if values, err := url.ParseQuery(query); err == nil {
		for _, key := range []string{"model", "deployment"} {
			if s.model == "" {
				s.model = jsonwalk.Clip(values.Get(key), param.MaxText)
			}
		}
	}
	return s
}

// Wrote takes what the provider sent.
func (s *Session) Wrote(p []byte, at time.Time) {
	s.read(&s.provider, false, p, func(data []byte) { s.told(data, at) })
}

// Sent takes what the caller sent.
func (s *Session) Sent(p []byte, at time.Time) {
	s.read(&s.caller, true, p, func(data []byte) { s.said(data, at) })
}

func (s *Session) read(from *websocket.Splitter, caller bool, p []byte, take func([]byte)) {
	from.Feed(p)
	for s.broken == nil {
		m, ok, err := from.Next()
		if err != nil {
			s.broken = err
		}
		if !ok {
			return
		}
		if s.closing.Saw(&m, caller) {
			continue
		}
		if data := bytes.TrimSpace(m.Data); m.Opcode == websocket.Text && len(data) > 0 {
			take(data)
		}
	}
}

// said takes an event of the caller's.
func (s *Session) said(data []byte, at time.Time) {
	s.asked += int64(len(data))
	h, _ := readEvent(nil, data)
	switch string(h.kind) {
	case "conversation.item.create":
		s.hear(h.item, at)
	case "input_audio_buffer.append":
		s.heard += int64(len(jsonwalk.Inner(jsonwalk.Member(data, "audio"))))
	case "response.create":
		if len(s.asks) == maxOpen {
			s.asks = s.asks[1:]
		}
		s.asks = append(s.asks, demand{bytes.Clone(data), at})
	}
}

// hear keeps an item of the conversation until a response is made of it.
func (s *Session) hear(item []byte, at time.Time) {
	if !jsonwalk.IsObject(item) || s.kept+len(item) > maxKept {
		return
	}
	s.kept += len(item)
	role, parts := readItem(item)
	s.items = append(s.items, llm.Message{Role: role, Parts: parts})
	s.since = at
}

// told takes an event of the provider's.
func (s *Session) told(data []byte, at time.Time) {
	h, ok := readEvent(nil, data)
	if !ok {
		return
	}
	kind := string(h.kind)
	switch kind {
	case "session.created", "session.updated", "transcription_session.created", "transcription_session.updated":
		s.configure(jsonwalk.Member(data, "session"))
	case "input_audio_buffer.committed":
		if s.heard > 0 {
			s.items = append(s.items, llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartBlob, Modality: "audio", ID: string(clipRaw(h.itemID)), Size: s.heard}}})
		}
		s.heard, s.since = 0, at
	case "conversation.item.input_audio_transcription.completed", "conversation.item.input_audio_transcription.failed":
		s.transcribed(&h, data, at)
	case "error":
		s.refused(&h, data, at)
	default:
		if strings.HasPrefix(kind, "response.") {
			s.happened(&h, data, at)
		}
	}
}

// configure reads what a session is set up with.
func (s *Session) configure(val []byte) {
	if !jsonwalk.IsObject(val) {
		return
	}
	c := &llm.Call{}
	n := &setup{id: s.setup.id, model: s.setup.model, ear: s.setup.ear}
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "id":
			if n.id == "" { // a session that is resumed keeps its first name
				n.id = jsonwalk.Clip(jsonwalk.Str(m.Val), param.MaxText)
			}
		case "model":
			if v := jsonwalk.Str(m.Val); v != "" {
				n.model = jsonwalk.Clip(v, param.MaxText)
			}
		case "input_audio_transcription":
			n.hearWith(m.Val)
		case "audio":
			n.hearWith(jsonwalk.Member(jsonwalk.Member(m.Val, "input"), "transcription"))
			turnParams.SetAll(c, jsonwalk.Member(m.Val, "output"))
		default:
			turnMember(c, m.Key, m.Val)
		}
	}
	n.system, n.tools, n.attrs = c.System, c.Tools, c.Attrs
	s.setup = n
}

func (n *setup) hearWith(val []byte) {
	if m := jsonwalk.Str(jsonwalk.Member(val, "model")); m != "" {
		n.ear = jsonwalk.Clip(m, param.MaxText)
	}
}

// turn finds the response that an event belongs to; nil when there is none.
func (s *Session) turn(h *happening) *turn {
	id := h.responseID
	if jsonwalk.IsObject(h.response) {
		id = jsonwalk.Inner(jsonwalk.Member(h.response, "id"))
	}
	for i := len(s.turns) - 1; i >= 0; i-- {
		t := s.turns[i]
		switch {
		case len(id) > 0:
			if bytes.Equal(t.answer.id, id) {
				return t
			}
		case len(h.stream) > 0:
			if bytes.Equal(t.stream, h.stream) {
				return t
			}
		default:
			return t
		}
	}
	return nil
}

// begin opens the call of a response.
func (s *Session) begin(h *happening, at time.Time) *turn {
	t := &turn{session: s.about(), start: at, input: s.items, stream: bytes.Clone(clipRaw(h.stream)), asked: s.asked}
	if len(s.asks) > 0 {
		t.ask, t.start = s.asks[0].body, s.asks[0].at
		s.asks = s.asks[1:]
	} else if !s.since.IsZero() {
		t.start = s.since
	}
	t.answer.setID(jsonwalk.Member(h.response, "id"))
	s.items, s.kept, s.since, s.asked = nil, 0, time.Time{}, 0
	if len(s.turns) == maxOpen {
		s.end(s.turns[0], at, llm.EndError)
	}
	s.turns = append(s.turns, t)
	return t
}

// about is what a call within the session needs to know of it.
func (s *Session) about() about { return about{api: s.api, model: s.model, setup: s.setup} }

// happened takes an event of a response.
func (s *Session) happened(h *happening, data []byte, at time.Time) {
	t := s.turn(h)
	if t == nil {
		if !jsonwalk.IsObject(h.response) {
			return
		}
		t = s.begin(h, at)
	}
	if t.first.IsZero() {
		t.first = at
	}
	t.size += int64(len(data))
	t.answer.happen(h, data, at)
	if t.answer.ended {
		s.end(t, at, llm.EndComplete)
	}
}

// refused takes an error: that of a request which no response was made for, else of
// the response under way.
func (s *Session) refused(h *happening, data []byte, at time.Time) {
	t := s.turn(h)
	switch {
	case t != nil:
		if s.api == "responses" {
			t.answer.setError(data)
		}
	case len(s.asks) > 0:
		t = s.begin(h, at)
		t.first, t.size = at, int64(len(data))
		t.answer.setError(data)
		s.end(t, at, llm.EndComplete)
	default:
		s.failed = &turn{}
		s.failed.answer.setError(data)
	}
}

// transcribed records that audio of the caller's was written down: another model
// does that, and its usage is its own. One without usage is a part of the session.
func (s *Session) transcribed(h *happening, data []byte, at time.Time) {
	usage := jsonwalk.Member(data, "usage")
	if !jsonwalk.IsObject(usage) && jsonwalk.Empty(h.err) {
		return
	}
	t := &turn{session: s.about(), ear: true, start: at, first: at, size: int64(len(data))}
	if !s.since.IsZero() {
		t.start = s.since
	}
	t.input = []llm.Message{{Role: "user", Parts: []llm.Part{{Type: llm.PartFile, Modality: "audio", ID: string(clipRaw(h.itemID))}}}}
	t.heard = result{kind: transcription, processed: -1}
	t.heard.object(data)
	t.heard.whole.Add(&t.heard.room, jsonwalk.Inner(h.text))
	t.heard.id = bytes.Clone(clipRaw(h.itemID))
	s.emit(t, at, llm.EndComplete)
}

// end records a response.
func (s *Session) end(t *turn, at time.Time, how llm.End) {
	for i := range s.turns {
		if s.turns[i] == t {
			s.turns = append(s.turns[:i:i], s.turns[i+1:]...)
			break
		}
	}
	s.ended++
	s.emit(t, at, how)
}

func (s *Session) emit(t *turn, at time.Time, how llm.End) {
	if s.x.Emit == nil {
		return
	}
	s.x.Emit(&llm.Exchange{
		Start: t.start, Sent: t.start, FirstByte: t.first, FirstWrite: t.first, End: at, Ended: how,
		Request: llm.Body{Size: t.asked}, Response: llm.Body{Size: t.size},
		Observer: t,
	})
}

// Finish writes what was read of the session itself into c. Responses that were
// under way when the connection ended are recorded as they stood.
func (s *Session) Finish(c *llm.Call, x *llm.Exchange) error {
	how := llm.EndClientGone
	if x.Ended == llm.EndUpstreamCut || s.closing.Provider || s.closing.None() && x.ProviderLeft {
		how = llm.EndUpstreamCut
	}
	for len(s.turns) > 0 {
		s.end(s.turns[0], x.End, how)
	}
	for len(s.asks) > 0 {
		s.end(s.begin(&happening{}, x.End), x.End, how)
	}
	if s.broken != nil {
		c.Problems = append(c.Problems, "WebSocket: "+s.broken.Error())
	}
	c.Stream, c.RequestModel, c.ResponseModel = true, s.model, s.setup.model
	c.SetAttr("openai.api.type", s.api)
	if s.setup.id != "" {
		c.SetAttr("openai.session.id", s.setup.id)
	}
	c.SetAttr("openai.session.responses", int64(s.ended))
	switch {
	case s.closing.Failed():
		c.ErrorType, c.ErrorMessage = "websocket_"+strconv.Itoa(int(s.closing.Code)), apierror.Scrub(s.closing.Reason)
	case s.closing.None() && x.ProviderLeft && x.Ended == llm.EndComplete:
		c.Ended, c.ErrorType = llm.EndUpstreamCut, string(llm.EndUpstreamCut)
	}
	if s.failed != nil && s.ended == 0 && s.failed.answer.err != nil {
		c.ErrorType, c.ErrorMessage = s.failed.answer.err.Code, s.failed.answer.err.Message
		if c.ErrorType == "" {
			c.ErrorType = "_OTHER"
		}
	}
	return nil
}
