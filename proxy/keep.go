package proxy

import (
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Keeper takes finished exchanges in the place of Recorder.Record, before their callers
// have the end of the answer. Keep returns when the record is durable, and false when it
// is not, after a time that it bounds itself: the answer then ends all the same. It may
// block for that time; the exchange is its own from the call on.
type Keeper interface {
	Keep(*llm.Exchange) bool
}

// holding is the last byte of an answer, which a keeper lets out: of a body with a
// length that of the body, of a chunked one that of the last chunk, and of one without
// either that of the head. A body that ends with its connection needs none, since the
// connection is closed after the exchange was recorded.
type holding struct {
	has    bool
	b      [1]byte
	linger bool // an answer of our own, which may be lost when the connection is closed at once
}

// holdBack takes the last byte off what ends an answer, where there is a keeper.
func (x *exchange) holdBack(head, p []byte) (h, rest []byte) {
	if x.s.set.Keeper == nil {
		return head, p
	}
	from := &p
	if len(p) == 0 {
		from = &head
	}
	n := len(*from)
	if n == 0 {
		return head, p
	}
	x.held.has, x.held.b[0] = true, (*from)[n-1]
	*from = (*from)[:n-1]
	return head, p
}

// record hands the exchange over. With a keeper it then lets the end of the answer out.
func (x *exchange) record(ex *llm.Exchange) {
	st := &x.s.stats
	k := x.s.set.Keeper
	if k == nil {
		if !x.s.set.Recorder.Record(ex) {
			st.unrecorded.Add(1)
		}
		return
	}
	if !k.Keep(ex) {
		st.unkept.Add(1)
	}
	c, held := x.c, x.held
	x.held = holding{}
	if c.gone.Load() {
		return
	}
	if held.has {
		_ = c.conn.SetWriteDeadline(time.Now().Add(lastWords))
		if _, err := c.conn.Write(held.b[:]); err != nil {
			c.hangUp()
			return
		}
		_ = c.conn.SetWriteDeadline(time.Time{})
	}
	if held.linger {
		c.linger()
	}
}
