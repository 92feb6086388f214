package content

import "github.com/spanwire/spanwire/llm"

// Parts makes the parts of one message after the other: those of all messages stand
// in a few pieces of memory.
type Parts struct {
	room []llm.Part
	from int // where the message at hand begins
}

// Parts of the first piece of memory, and of the largest.
const (
	firstParts = 4
	mostParts  = 64
)

// Begin gives the memory for the first parts, where there is none yet.
func (p *Parts) Begin(room []llm.Part) {
	if p.room == nil {
		p.room = room
	}
}

// Add begins a part of the message at hand. It may be written to until the next one
// is begun, or the message is done.
func (p *Parts) Add(kind string) *llm.Part {
	n := len(p.room)
	if n == cap(p.room) {
		held := p.room[p.from:]
		p.room = append(make([]llm.Part, 0, max(firstParts, min(2*n, mostParts), 2*len(held))), held...)
		p.from, n = 0, len(held)
	}
	p.room = p.room[:n+1]
	part := &p.room[n]
	part.Type = kind
	return part
}

// Put adds parts that were made elsewhere.
func (p *Parts) Put(parts ...llm.Part) {
	for i := range parts {
		*p.Add("") = parts[i]
	}
}

// Done returns the parts of the message at hand, nil when there are none, and begins
// the next one.
func (p *Parts) Done() []llm.Part {
	n := len(p.room)
	if n == p.from {
		return nil
	}
	parts := p.room[p.from:n:n]
	p.from = n
	return parts
}
