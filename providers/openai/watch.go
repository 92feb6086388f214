package openai

import (
	"net/http"
	"time"

	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/llm"
)

// Watcher reads one response while it passes. Wrote is called by one goroutine,
// then Finish once, which writes what was read into the call.
type Watcher interface {
	Wrote(p []byte, at time.Time)
	Finish(*llm.Call, *llm.Exchange) error
}

// maxEvent bounds an event of these streams: the objects in them repeat the whole
// instructions and the definitions of all tools.
const maxEvent = 8 << 20

// Watch returns what reads the response of x, whose response head is there. For a
// WebSocket it is a *[Session], which wants to see both sides.
func (d Dialect) Watch(x *llm.Exchange) Watcher {
	if x.Status == http.StatusSwitchingProtocols {
		return newSession(x)
	}
	kind, _ := find(x.Method, x.Asked())
	switch kind {
	case other, chat, completions, embeddings:
		return d.NewReader(x)
	case responses, told, counting:
		return newResponseReader(x, kind)
	}
	return newResultReader(x, kind)
}

// intakeOf makes the intake of a reader: events go to take, long base64 is left out.
func intakeOf(x *llm.Exchange, h intake.Handler) *intake.Body {
	h.Lean, h.MaxEvent = true, maxEvent
	return intake.New(x, intake.Unknown, h)
}
