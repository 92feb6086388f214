package recorder

import (
	"sync"

	"github.com/spanwire/spanwire/llm"
)

// onceKept is how many usages are remembered. A response in the background, or a
// batch, is asked for within hours: at a thousand a minute this is over an hour's.
const onceKept = 1 << 16

// once lets a usage that several calls tell (see [llm.Call.UsageOf]) be billed by
// the first of them. It remembers the last few ten thousand, and lives as long as
// the recorder: after a restart one that is told again is billed again.
type once struct {
	mu   sync.Mutex
	of   map[string]string // what was billed, and by which call
	ring []string
	next int
}

// settle takes the usage off a call that tells one which is billed already.
func (o *once) settle(c *llm.Call) {
	if c.UsageOf == "" || !c.Usage.Known() {
		return
	}
	by := o.first(c.Provider+" "+c.UsageOf, c.ID)
	if by == c.ID {
		return
	}
	c.Usage, c.Steps, c.Cost = llm.Usage{Source: llm.UsageMissing}, nil, llm.Cost{}
	c.SetAttr("spanwire.usage.billed_by", by)
}

// first returns which call billed it: this one, when none did before.
func (o *once) first(what, call string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if by, ok := o.of[what]; ok {
		return by
	}
	if o.of == nil {
		o.of = map[string]string{}
	}
	if len(o.ring) < onceKept {
		o.ring = append(o.ring, what)
	} else {
		delete(o.of, o.ring[o.next])
		o.ring[o.next] = what
		o.next = (o.next + 1) % onceKept
	}
	o.of[what] = call
	return call
}
