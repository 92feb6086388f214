package gemini

import (
	"strconv"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/websocket"
	"github.com/spanwire/spanwire/llm"
)

// Bounds on what is kept of what the caller sent.
const (
	maxSetup = 512 << 10
	maxSent  = 1 << 20
)

// Session reads a Live session (wire reference, section 12): both sides' frames,
// JSON in text or binary messages. Each turn of the model is recorded as a call of
// its own as it ends; what the caller said since the last one is its input, the
// session's setup its parameters. The usage of a turn comes with its last frame,
// or right behind it.
type Session struct {
	x        *llm.Exchange
	up, down websocket.Splitter

	setup   []byte
	turn    *turn // under way
	pending *turn // over, and its usage not told yet
	turns   int

	closing      websocket.Closing
	unread       int // messages that could not be read
	upErr, dnErr bool
}

// NewSession returns the reader of a Live session, whose handshake is x; nil when
// x is none.
func (Dialect) NewSession(x *llm.Exchange) *Session {
	if e, _, _ := find(x.Method, x.Asked()); e != live || x.Status != 101 {
		return nil
	}
	s := &Session{x: x}
	s.up, s.down = websocket.Agreed(x.ResponseHeader.Get("sec-websocket-extensions"))
	return s
}

// Sent takes what the caller sent; Wrote what the provider did. p is not kept.
func (s *Session) Sent(p []byte, at time.Time) { s.each(&s.up, &s.upErr, p, at, s.sent) }

// Wrote implements [llm.Observer].
func (s *Session) Wrote(p []byte, at time.Time) { s.each(&s.down, &s.dnErr, p, at, s.wrote) }

func (s *Session) each(from *websocket.Splitter, failed *bool, p []byte, at time.Time, f func(*websocket.Message, time.Time)) {
	from.Feed(p)
	for {
		m, ok, err := from.Next()
		if err != nil && !*failed {
			*failed = true
			s.unread++
		}
		if !ok {
			return
		}
		switch m.Opcode {
		case websocket.Ping, websocket.Pong:
		case websocket.Text, websocket.Binary:
			if m.Data == nil && m.Size > 0 {
				s.unread++
				continue
			}
			fallthrough
		default:
			f(&m, at)
		}
	}
}

// sent takes a message of the caller.
func (s *Session) sent(m *websocket.Message, at time.Time) {
	if s.closing.Saw(m, true) {
		s.flush(at, llm.EndClientGone)
		return
	}
	for w := jsonwalk.Object(m.Data); w.Next(); {
		switch string(camel(w.Key)) {
		case "setup":
			if len(m.Data) <= maxSetup {
				s.setup = append(s.setup[:0], compactLine(m.Data)...)
			}
			return
		case "realtimeInput":
			s.begin(at).hear(w.Val)
			if jsonwalk.Member(w.Val, "text") == nil {
				return
			}
			s.emitPending()
			s.turn.send(m.Data)
			return
		case "clientContent", "toolResponse":
			s.emitPending()
			s.begin(at).send(m.Data)
			return
		}
	}
}

// compactLine puts a JSON message on one line.
func compactLine(data []byte) []byte {
	line := make([]byte, len(data))
	for i, c := range data {
		if c == '\n' || c == '\r' { // outside of texts only: inside they are escaped
			c = ' '
		}
		line[i] = c
	}
	return line
}

// wrote takes a message of the provider.
func (s *Session) wrote(m *websocket.Message, at time.Time) {
	if s.closing.Saw(m, false) {
		s.flush(at, s.endOfClose())
		return
	}
	var content, calls, usage, failure []byte
	for w := jsonwalk.Object(m.Data); w.Next(); {
		switch string(camel(w.Key)) {
		case "serverContent":
			content = objectOnly(w.Val)
		case "toolCall":
			calls = objectOnly(w.Val)
		case "usageMetadata":
			usage = w.Val
		case "error":
			failure = w.Val
		}
	}
	if content == nil && calls == nil && failure == nil {
		if usage != nil {
			s.tally(usage, at)
		}
		return
	}
	s.emitPending()
	t := s.begin(at)
	if t.first.IsZero() {
		t.first = at
	}
	t.size += m.Size
	t.answer.setError(failure)
	t.answer.setUsage(usage)
	over := t.content(content, at)
	if t.toolCalls(calls, at); usage != nil && calls != nil {
		over, t.called = true, true // what it used is told: the rest is another call
	}
	if !over {
		return
	}
	t.end, t.ended = at, llm.EndComplete
	s.turn, s.pending = nil, t
	if usage != nil {
		s.emitPending()
	}
}

func objectOnly(val []byte) []byte {
	if !jsonwalk.IsObject(val) {
		return nil
	}
	return val
}

// tally takes a usage that comes alone: of the turn under way, or of the one that
// is just over.
func (s *Session) tally(usage []byte, at time.Time) {
	switch {
	case s.pending != nil:
		s.pending.answer.setUsage(usage)
		s.emitPending()
	case s.turn != nil:
		s.turn.answer.setUsage(usage)
	}
}

// begin returns the turn under way.
func (s *Session) begin(at time.Time) *turn {
	if s.turn == nil {
		s.turn = &turn{start: at, answer: newAnswer()}
		s.turn.answer.light = true
	}
	return s.turn
}

func (s *Session) emitPending() {
	if t := s.pending; t != nil {
		s.pending = nil
		s.emit(t)
	}
}

// flush records what is left when the session ends. A turn of which nothing was
// answered was not one.
func (s *Session) flush(at time.Time, ended llm.End) {
	s.emitPending()
	if t := s.turn; t != nil && !t.first.IsZero() {
		t.end, t.ended = at, ended
		s.turn = nil
		s.emit(t)
	}
}

func (s *Session) emit(t *turn) {
	s.turns++
	if s.x.Emit == nil {
		return
	}
	body := append(append(append([]byte(nil), s.setup...), '\n'), t.sent...)
	s.x.Emit(&llm.Exchange{
		Request: llm.Body{Data: body, Size: int64(len(body)) + t.heard.size}, Response: llm.Body{Size: t.size},
		Start: t.start, Sent: t.start, FirstByte: t.first, FirstWrite: t.first, End: t.end, Ended: t.ended, Observer: t,
	})
}

// endOfClose says how a close frame of the provider ended what was under way.
func (s *Session) endOfClose() llm.End {
	if s.closing.Failed() {
		return llm.EndUpstreamCut
	}
	return llm.EndComplete
}

// Finish writes into c what there is to say of the session as a whole. It is no
// call of a model: its turns were.
func (s *Session) Finish(c *llm.Call, x *llm.Exchange) error {
	end := x.Ended
	if end == llm.EndComplete { // no close frame
		if end = llm.EndClientGone; x.ProviderLeft {
			end = llm.EndUpstreamCut
		}
	}
	s.flush(x.End, end)
	q := request{c: &llm.Call{}, kind: live}
	q.frames(s.setup)
	c.Kind, c.RequestModel = llm.KindHTTP, q.c.RequestModel
	c.SetAttr("gemini.live.turns", int64(s.turns))
	switch {
	case s.closing.Failed():
		c.ErrorType, c.ErrorMessage = "websocket_"+strconv.Itoa(int(s.closing.Code)), apierror.Scrub(s.closing.Reason)
	case s.closing.None() && x.ProviderLeft && x.Ended == llm.EndComplete:
		c.Ended, c.ErrorType = llm.EndUpstreamCut, string(llm.EndUpstreamCut)
	}
	if s.unread > 0 {
		c.Problems = append(c.Problems, "session: "+strconv.Itoa(s.unread)+" messages could not be read")
	}
	return nil
}
