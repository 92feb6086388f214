package recorder

import (
	"sync"

	"github.com/spanwire/spanwire/llm"
)

// line brings calls, which are read side by side, back into the order in which
// their exchanges were recorded: a conversation is understood in order only.
// Nobody waits for it. Who reads the call that the others wait for gets all of
// them to go on with. What stands in line is still charged to the queue.
type line struct {
	mu    sync.Mutex
	next  uint64 // whose turn it is
	ready map[uint64]entry
}

// entry is an exchange that was read; call is nil when none came out.
type entry struct {
	item item
	call *llm.Call
	own  []string // credentials that it was made with, and that are not to be kept
}

// pass puts a call into line and appends to out those whose turn has come, each
// after place was called with it: with one at a time, in order.
func (l *line) pass(e entry, out []entry, place func(entry) *llm.Call) []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.item.turn != l.next {
		if l.ready == nil {
			l.ready = make(map[uint64]entry)
		}
		l.ready[e.item.turn] = e
		return out
	}
	for {
		e.call = place(e)
		out = append(out, e)
		l.next++
		next, ok := l.ready[l.next]
		if !ok {
			return out
		}
		delete(l.ready, l.next)
		e = next
	}
}
