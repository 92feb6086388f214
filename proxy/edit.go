package proxy

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/encoding"
)

// filtering says whether this answer is to be freed of what an edit of the request
// brought into it: an event stream that succeeded. Everything else is verbatim.
func (x *exchange) filtering() bool {
	if x.edited.cut == nil || x.res.status != 200 || x.answer.done {
		return false
	}
	media, _, _ := strings.Cut(x.ex.ResponseHeader.Get("content-type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/event-stream")
}

// reframe is the framing field for an answer that is filtered, "" for any other:
// bytes leave the middle of the body, so that its own framing does not fit.
func (x *exchange) reframe() string {
	if x.filter == nil {
		return ""
	}
	return "Transfer-Encoding: chunked\r\n"
}

// writeFiltered sends what the filter lets pass of the content, as one chunk.
func (x *exchange) writeFiltered(head []byte, content [][]byte, last bool) error {
	hb := getBuf()
	defer putBuf(hb)
	const gap = 18 // room for the size line, which is known last
	out := append(hb[:0], make([]byte, gap)...)
	for _, p := range content {
		out = x.filter.Pass(out, p)
	}
	if last {
		out = x.filter.Rest(out)
	}
	n := len(out) - gap
	if n > 0 {
		out = append(out, "\r\n"...)
	}
	if last {
		out = appendLastChunk(out, x.answer.trailer)
	}
	if n > 0 {
		size := append(strconv.AppendInt(make([]byte, 0, gap), int64(n), 16), "\r\n"...)
		out = out[gap-len(size):]
		copy(out, size)
	} else {
		out = out[gap:]
	}
	if last {
		head, out = x.holdBack(head, out)
	}
	return x.writeTo(head, out)
}

// writeTo writes head and body to the caller, whichever there are.
func (x *exchange) writeTo(head, body []byte) error {
	switch {
	case len(head) > 0:
		return writeAll(x.c.conn, head, body)
	case len(body) == 0:
		return nil
	}
	_, err := x.c.conn.Write(body)
	return err
}

func appendLastChunk(b, trailer []byte) []byte {
	b = append(b, "0\r\n"...)
	if len(trailer) == 0 {
		return append(b, "\r\n"...)
	}
	return append(b, trailer...)
}

// unpacked relays a content-encoded answer through the filter. The encoding is
// taken off, as bytes cannot be taken out beneath it. It is rare: event streams
// are hardly ever compressed. Where nobody here can read the encoding the answer
// goes as it is, the added event in it.
func (x *exchange) unpacked(enc string, p []byte) error {
	src := &contentReader{x: x, piece: p}
	defer src.release()
	body, err := encoding.NewReader(enc, src)
	if err != nil {
		x.filter = nil
		var none *[bufSize]byte
		defer func() {
			if none != nil {
				putBuf(none)
			}
		}()
		return x.pieces(&none, p)
	}
	if err := x.deliver(src, x.appendAnswerHead(nil, x.reframe()), nil, false); err != nil {
		return err
	}
	in := make([]byte, bufSize)
	for {
		n, err := body.Read(in)
		if err == io.EOF {
			if derr := src.drained(); derr != nil {
				err = derr
			}
		}
		if werr := x.deliver(src, nil, in[:n], err == io.EOF); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// deliver writes to the caller, then shows the observer what was read for it.
func (x *exchange) deliver(src *contentReader, head, content []byte, last bool) error {
	var werr error
	switch {
	case x.deserted:
	case len(head) > 0:
		werr = x.writeTo(head, nil)
	default:
		werr = x.writeFiltered(nil, [][]byte{content}, last)
	}
	if werr != nil && !x.leave() {
		return errCallerGone
	}
	if x.deserted && x.overdue() {
		return errDrained
	}
	now := time.Now()
	if x.ex.FirstWrite.IsZero() {
		x.ex.FirstWrite = now
	}
	src.show(now)
	return nil
}

// contentReader reads the content of the answer's body: framing is followed and
// left out. An early end is an error, and never io.EOF.
type contentReader struct {
	x     *exchange
	piece []byte // not fed to the framing yet
	buf   *[bufSize]byte
	left  [][]byte // content that was fed and not read yet
	seen  []byte   // content read and not shown to the observer yet
}

func (r *contentReader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		if r.x.answer.done {
			return 0, io.EOF
		}
		if len(r.piece) == 0 {
			if err := r.fill(); err != nil {
				return 0, err
			}
		}
		m, err := r.x.answer.feed(r.piece)
		if m < len(r.piece) && r.x.answer.done {
			r.x.res.close = true
		}
		if err != nil {
			return 0, err
		}
		r.piece, r.left = nil, r.x.answer.content
	}
	n := copy(p, r.left[0])
	if r.left[0] = r.left[0][n:]; len(r.left[0]) == 0 {
		r.left = r.left[1:]
	}
	r.seen = append(r.seen, p[:n]...)
	return n, nil
}

func (r *contentReader) fill() error {
	r.x.touch(time.Now())
	r.release()
	b, n, err := r.x.read()
	if err == nil {
		r.buf, r.piece = b, b[:n]
		return nil
	}
	if err == io.EOF {
		if r.x.answer.kind == kindClose {
			r.x.answer.done = true
			return io.EOF
		}
		return io.ErrUnexpectedEOF
	}
	return err
}

// drained checks that the body really was at its end when its content was: the
// compressed data may end before the framing does.
func (r *contentReader) drained() error {
	var p [512]byte
	for {
		if _, err := r.Read(p[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (r *contentReader) show(at time.Time) {
	x := r.x
	x.ex.Response.Size += int64(len(r.seen))
	if x.s.set.KeepAnswers > 0 {
		x.answered.write(r.seen)
	}
	if x.ex.Observer != nil && len(r.seen) > 0 {
		func() {
			defer x.faulty()
			x.ex.Observer.Wrote(r.seen, at)
		}()
	}
	r.seen = r.seen[:0]
}

func (r *contentReader) release() {
	if r.buf != nil {
		putBuf(r.buf)
		r.buf = nil
	}
}
