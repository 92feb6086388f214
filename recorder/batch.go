package recorder

import (
	"sync"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// batchBytes ends a batch before it is full: one of nothing but long prompts
// would not fit into the queue of a sink.
const batchBytes = 4 << 20

// batch is some calls on their way to the sinks. All sinks share it.
type batch struct {
	calls []*llm.Call
	bytes int64
}

// batcher gathers calls and hands each full or overdue batch to all sinks.
type batcher struct {
	most  int
	delay time.Duration
	sinks []*delivery

	mu     sync.Mutex // held while handing over, so that all sinks see one order
	now    batch
	timer  *time.Timer // runs while now has calls: for when no worker gets idle
	closed bool
}

func newBatcher(most int, delay time.Duration, sinks []*delivery) *batcher {
	b := &batcher{most: most, delay: delay, sinks: sinks}
	b.mu.Lock() // on a busy machine the timer may fire before it is stopped, or even stored
	defer b.mu.Unlock()
	b.timer = time.AfterFunc(delay, b.flush)
	b.timer.Stop()
	return b
}

// add takes a call, unless the batcher was closed.
func (b *batcher) add(c *llm.Call) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	if b.now.calls == nil {
		b.now.calls = make([]*llm.Call, 0, min(b.most, takeMost))
		b.timer.Reset(b.delay)
	}
	b.now.calls = append(b.now.calls, c)
	b.now.bytes += callBytes(c)
	if len(b.now.calls) >= b.most || b.now.bytes >= batchBytes {
		b.handOver()
	}
	return true
}

// flush hands over what there is. A timer that fired too late finds the next
// batch and sends it early, which does no harm.
func (b *batcher) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handOver()
}

// close hands over what there is, and takes nothing more.
func (b *batcher) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.handOver()
}

func (b *batcher) handOver() {
	b.timer.Stop()
	if len(b.now.calls) == 0 {
		return
	}
	for _, d := range b.sinks {
		d.push(b.now)
	}
	b.now = batch{}
}

// callBytes is what a call holds in memory, nearly.
func callBytes(c *llm.Call) int64 {
	const fixed, part, attr = 2 << 10, 160, 64
	n := fixed + len(c.ErrorMessage) + len(c.UsageRaw) + attr*(len(c.Attrs)+len(c.Attribution.Metadata))
	parts := func(ps []llm.Part) {
		for i := range ps {
			p := &ps[i]
			n += part + len(p.Content) + len(p.Arguments) + len(p.Response) + len(p.URI)
		}
	}
	parts(c.System)
	for i := range c.Input {
		parts(c.Input[i].Parts)
	}
	for i := range c.Output {
		parts(c.Output[i].Parts)
	}
	if c.Run != nil {
		n += fixed / 4
		for i := range c.Run.Inferred {
			n += part
			parts(c.Run.Inferred[i].Parts)
		}
	}
	for i := range c.Tools {
		n += part + len(c.Tools[i].Description) + len(c.Tools[i].Parameters)
	}
	for _, a := range c.Attrs {
		if s, ok := a.Value.(string); ok {
			n += len(s)
		}
	}
	return int64(n)
}
