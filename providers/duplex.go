package providers

import (
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Duplex is a reader of a connection that both sides use freely, a WebSocket. What
// the caller sends is shown to it too. It records each call that ends within the
// connection by Exchange.Emit, with a Reader of that call as its Observer; its own
// Finish is asked for the connection as a whole.
type Duplex interface {
	Reader
	Sent(p []byte, at time.Time)
}

// talk is what watches such a connection.
type talk struct {
	observation
	both Duplex
}

func (t *talk) Sent(p []byte, at time.Time) { t.both.Sent(p, at) }

// watch makes the observer of a reader.
func watch(row *Row, d *dialect, reader Reader, x *llm.Exchange) llm.Observer {
	o := observation{row: row, dialect: d, reader: reader}
	both, ok := reader.(Duplex)
	if !ok {
		return &o
	}
	if emit := x.Emit; emit != nil {
		x.Emit = func(call *llm.Exchange) {
			if r, ok := call.Observer.(Reader); ok {
				call.Observer = &observation{row: row, dialect: d, reader: r}
			}
			emit(call)
		}
	}
	return &talk{observation: o, both: both}
}

// watcher returns what watched an exchange, nil when nobody did.
func watcher(x *llm.Exchange) *observation {
	switch o := x.Observer.(type) {
	case *observation:
		return o
	case *talk:
		return &o.observation
	}
	return nil
}
