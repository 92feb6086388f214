package proxy

import (
	"io"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// tunnel relays a connection that both sides have agreed to use for another
// protocol (101): bytes both ways until either side ends. p is what the upstream
// sent behind its head.
func (x *exchange) tunnel(p []byte) bool {
	c, u := x.c, x.up
	if c.watched {
		x.s.watch.done(c)
		c.watched = false
	}
	x.answer.reset(kindClose, 0)
	x.answer.add(p)
	hb := getBuf()
	err := writeAll(c.conn, x.appendAnswerHead(hb[:0], ""), p)
	putBuf(hb)
	x.ex.FirstWrite = time.Now()
	if err != nil {
		c.hangUp()
		x.ex.Ended = llm.EndClientGone
		return false
	}
	x.show(x.ex.FirstWrite)
	first := append(append([]byte(nil), c.ahead...), c.in...)
	c.release()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := u.Write(first); err == nil {
			_, _ = io.Copy(struct{ io.Writer }{u.Conn}, struct{ io.Reader }{c.conn})
		}
		_ = u.SetDeadline(past) // the caller has ended it
	}()
	n, _ := io.Copy(struct{ io.Writer }{c.conn}, struct{ io.Reader }{u.Conn})
	x.ex.Response.Size += n
	_ = c.conn.SetDeadline(past)
	<-done
	x.ex.Ended = llm.EndComplete
	return false
}
