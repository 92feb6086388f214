package proxy

import (
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// maxAnswerHead bounds the head of a response.
const maxAnswerHead = 256 << 10

// respond relays the answer whose first n bytes are in pb, and returns whether the
// caller's connection can serve another request.
func (x *exchange) respond(pb *[bufSize]byte, n int) bool {
	defer func() {
		if pb != nil {
			putBuf(pb)
		}
	}()
	x.ex.FirstByte = time.Now()
	p, err := x.answerHead(pb[:n])
	if err != nil {
		x.endUpload()
		if f := (*failure)(nil); errors.As(err, &f) {
			return x.fail(*f)
		}
		return x.fail(x.broken(err))
	}
	if x.res.status == 101 {
		return x.tunnel(p)
	}
	x.settle()
	x.filter = nil
	if x.filtering() {
		x.filter, x.answer.keepTrailer = x.edited.cut, true
		if enc := x.ex.ResponseHeader.Get("content-encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
			return x.ended(x.unpacked(enc, p))
		}
	}
	return x.ended(x.pieces(&pb, p))
}

// answerHead reads until a final response head is complete, passing interim ones
// on. It returns what came behind it.
func (x *exchange) answerHead(b []byte) ([]byte, error) {
	for seen := 0; ; {
		n, err := findEnd(b, seen)
		switch {
		case err == errShort && len(b) >= maxAnswerHead, err != nil && err != errShort:
			return nil, errBadAnswer
		case err == errShort:
			seen = len(b)
			if b, err = x.more(b); err != nil {
				return nil, err
			}
			continue
		}
		if err := x.res.parseResponse(b[:n]); err != nil {
			return nil, errBadAnswer
		}
		if x.res.status == 101 && !x.req.upgrade {
			return nil, errBadAnswer // a protocol that was not offered
		}
		if s := x.res.status; s >= 200 || s == 101 {
			x.ex.Status = s
			x.ex.ResponseHeader = append(llm.Header(nil), x.res.fields...)
			return b[n:], nil
		}
		// A 100 answers an Expect that was answered here already; HTTP/1.0 has no
		// interim responses (RFC 9110 section 15.2).
		if x.res.status != 100 && !x.req.http10 {
			if _, err := x.c.conn.Write(b[:n]); err != nil {
				x.c.hangUp()
				return nil, err
			}
		}
		b, seen = b[n:], 0
	}
}

// more reads behind b, which may lie in a buffer with room behind it.
func (x *exchange) more(b []byte) ([]byte, error) {
	if len(b) == cap(b) {
		b = append(make([]byte, 0, 2*len(b)+1024), b...)
	}
	n, err := x.up.Read(b[len(b):cap(b)])
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	if n > 0 {
		err = nil
	}
	return b[:len(b)+n], err
}

// settle decides how the body is framed and who watches it.
func (x *exchange) settle() {
	h := &x.res
	switch {
	case x.ex.Method == "HEAD" || h.status == 204 || h.status == 304:
		x.answer.reset(kindNone, 0)
	case h.chunked:
		x.answer.reset(kindChunked, 0)
	case h.length >= 0:
		x.answer.reset(kindLength, h.length)
	default:
		x.answer.reset(kindClose, 0)
	}
	if s := x.route.Upstream.Signer; s != nil && (h.status == 401 || h.status == 403) {
		s.Refused(x.ex.ResponseHeader)
	}
	if d := x.route.Upstream.Dialect; d != nil && !x.answer.done {
		x.ex.Observer = x.observer(d)
	}
	if x.timed {
		_ = x.up.SetReadDeadline(time.Time{})
		if x.c.gone.Load() {
			x.c.hangUp()
		}
	}
}

func (x *exchange) observer(d Dialect) (o llm.Observer) {
	defer x.faulty()
	return d.Observe(x.ex)
}

// faulty takes the fault of an observer: it costs the reading, not the answer.
func (x *exchange) faulty() {
	if r := recover(); r != nil {
		x.ex.Observer = nil
		x.s.stats.faults.Add(1)
		x.s.set.Log.Error("an observer failed; the answer is relayed without it", "call", x.ex.ID, "fault", r)
	}
}

// pieces relays head and body as they come: read, write, then look.
func (x *exchange) pieces(pb **[bufSize]byte, p []byte) error {
	m, ferr := x.answer.feed(p)
	hb := getBuf()
	werr := x.write(x.appendAnswerHead(hb[:0], x.reframe()), p[:m])
	putBuf(hb)
	now := time.Now()
	x.ex.FirstWrite = now
	surplus := m < len(p)
	for {
		if werr != nil && !x.leave() {
			return errCallerGone
		}
		x.show(now)
		if ferr != nil {
			return ferr
		}
		if x.answer.done {
			if surplus {
				x.res.close = true // bytes that nobody asked for: not a connection to use again
			}
			return nil
		}
		x.touch(now)
		if *pb != nil {
			putBuf(*pb)
			*pb = nil
		}
		b, n, err := x.read()
		if err != nil {
			return x.rest(err)
		}
		*pb = b
		m, ferr = x.answer.feed(b[:n])
		surplus = m < n
		if !x.deserted {
			werr = x.write(nil, b[:m])
		} else if x.overdue() {
			return errDrained
		}
		now = time.Now()
	}
}

// write sends a piece of the answer to the caller, behind its head if there is
// one. p is as the upstream sent it; with a filter its content goes instead.
func (x *exchange) write(head, p []byte) error {
	switch {
	case x.filter != nil:
		return x.writeFiltered(head, x.answer.content, x.answer.done)
	case x.answer.done:
		return x.writeTo(x.holdBack(head, p))
	case len(head) > 0:
		return writeAll(x.c.conn, head, p)
	}
	_, err := x.c.conn.Write(p)
	return err
}

// rest gives out what a filter still holds when the body ends with its connection.
func (x *exchange) rest(err error) error {
	if err == io.EOF && x.answer.kind == kindClose && x.filter != nil {
		x.answer.content = x.answer.content[:0]
		if werr := x.writeFiltered(nil, nil, true); werr != nil {
			return errCallerGone
		}
	}
	return err
}

// overdue says whether an answer that nobody waits for has become too long.
func (x *exchange) overdue() bool {
	limit := x.route.Upstream.Disconnect.Bytes
	return limit > 0 && x.ex.Response.Size > limit
}

var (
	errCallerGone = errors.New("the caller went away")
	errDrained    = errors.New("the caller went away and the answer is too long to be read to its end")
)

// leave notes that the caller is gone; it says whether to read on without it.
func (x *exchange) leave() bool {
	if x.deserted {
		return true
	}
	x.c.hangUp()
	x.deserted = x.drain > 0
	return x.deserted
}

// show lets the observer see the content of the piece that was just written.
func (x *exchange) show(at time.Time) {
	size := 0
	for _, p := range x.answer.content {
		size += len(p)
	}
	x.ex.Response.Size += int64(size)
	if x.s.set.KeepAnswers > 0 {
		for _, p := range x.answer.content {
			x.answered.write(p)
		}
	}
	if x.ex.Observer == nil || size == 0 {
		return
	}
	defer x.faulty()
	for _, p := range x.answer.content {
		x.ex.Observer.Wrote(p, at)
	}
}

// appendAnswerHead builds the response head for the caller: the upstream's lines
// as they are, without those that belong to its connection. reframe, when given,
// is the framing field that takes the place of the body's own.
func (x *exchange) appendAnswerHead(b []byte, reframe string) []byte {
	b = append(append(append(b, "HTTP/1.1 "...), x.res.reason...), "\r\n"...)
	for rest := x.res.fields; len(rest) > 0; {
		name, _, after, err := nextField(rest)
		if err != nil {
			panic("BUG: a checked head has a malformed field: " + err.Error())
		}
		if !x.res.hopByHop(name) && (reframe == "" || !reframed(name)) {
			b = append(b, rest[:len(rest)-len(after)]...)
		}
		rest = after
	}
	if x.conf.CallIDHeader {
		b = append(append(append(b, "x-spanwire-call-id: "...), x.ex.ID...), "\r\n"...)
	}
	b = append(b, reframe...)
	if x.lastOnConnection() && x.res.status != 101 {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}

// reframed says whether a field describes a body that an edit takes apart.
func reframed(name []byte) bool {
	return fold(name, "content-length") || fold(name, "transfer-encoding") || fold(name, "content-encoding")
}

func (x *exchange) lastOnConnection() bool {
	return x.req.close || x.answer.kind == kindClose && x.filter == nil || x.s.closing.Load()
}

// ended settles how the exchange ended, and what becomes of both connections.
func (x *exchange) ended(err error) bool {
	x.endUpload()
	ex, c := x.ex, x.c
	switch {
	case errors.Is(err, io.EOF) && x.answer.kind == kindClose:
		ex.Ended = llm.EndComplete
	case err != nil:
		return x.broke(err)
	default:
		ex.Ended = llm.EndComplete
	}
	if x.deserted {
		ex.Ended = llm.EndClientGone
		return false
	}
	if x.sent && !x.res.close && x.answer.kind != kindClose && !c.gone.Load() {
		c.mu.Lock()
		u := x.up
		x.up = nil
		c.mu.Unlock()
		if c.gone.Load() {
			u.drop() // its deadline may have been set in between
		} else {
			u.put(time.Now(), x.timed)
		}
	}
	return x.sent && !x.lastOnConnection()
}

// broke notes why an answer ended before its end, and lets the caller see it: the
// connection is cut, and never made to look like the end of a body.
func (x *exchange) broke(err error) bool {
	ex, c := x.ex, x.c
	ex.Err = err.Error()
	switch {
	case c.gone.Load() || errors.Is(err, errCallerGone) || errors.Is(err, errDrained):
		ex.Ended, ex.Err = llm.EndClientGone, errCallerGone.Error()
	case isTimeout(err):
		ex.Ended, ex.Err = llm.EndTimeout, "no bytes came for longer than the idle timeout"
	default:
		ex.Ended, ex.Err = llm.EndUpstreamCut, "the provider's answer broke off: "+reason(err)
	}
	c.cut = true
	if tcp, ok := c.tcp.(*net.TCPConn); ok && x.answer.kind == kindClose && x.filter == nil {
		_ = tcp.SetLinger(0) // an orderly close would be the end of this body
	}
	return false
}

// reason puts an error into words without addresses.
func reason(err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	case errors.Is(err, errChunk):
		return err.Error()
	}
	s := err.Error()
	return s[strings.LastIndexByte(s, ':')+1:]
}
