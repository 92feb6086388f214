package recorder

import (
	"strings"
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
	of   map[string]claim // what was billed
	ring []string
	next int
}

// claim says which call was billed, and whether that call made what it was billed for
// or asked for it later.
type claim struct {
	call string
	made bool
}

// settle takes the usage off a call that tells one which is billed already.
func (o *once) settle(c *llm.Call) {
	if c.UsageOf == "" || !c.Usage.Known() {
		return
	}
	by := o.first(c.Provider+" "+c.UsageOf, claim{c.ID, makes(c)})
	if by == c.ID {
		return
	}
	c.Usage, c.Steps, c.Cost = llm.Usage{Source: llm.UsageMissing}, nil, llm.Cost{}
	c.SetAttr("spanwire.usage.billed_by", by)
}

// makes says that a call makes what its usage is of. One that asks for it, stops it
// or goes on with it has its id in the path.
func makes(c *llm.Call) bool {
	return c.Method == "POST" && !strings.Contains(c.Path, c.UsageOf)
}

// first returns which call billed it: this one, when none did before. A second call
// that makes something of a name made something else: servers for tests, and some
// that run here, give the same id again and again.
func (o *once) first(what string, c claim) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if by, ok := o.of[what]; ok {
		if by.made && c.made {
			o.of[what], by = c, c
		}
		return by.call
	}
	if o.of == nil {
		o.of = map[string]claim{}
	}
	if len(o.ring) < onceKept {
		o.ring = append(o.ring, what)
	} else {
		delete(o.of, o.ring[o.next])
		o.ring[o.next] = what
		o.next = (o.next + 1) % onceKept
	}
	o.of[what] = c
	return c.call
}
