package store

import (
	"slices"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// heard is what the last call of each conversation said. The next one says all of it
// again, and is compared with it instead of hashed, which takes a fifth of the time. It
// keeps texts of its own, and forgets conversations that did not go on in a long time.
// Used by one goroutine.
type heard struct {
	young, old map[talkKey]*talk
	bytes      int // of the texts in young
	none       talk
}

const (
	heardBytes = 4 << 20 // of the texts of each of the two
	longTalk   = 8       // pieces of a call from which on it is worth it
	partBytes  = 200     // that a message, part or tool takes beside its texts, about
)

// talkKey tells conversations apart. Two that look alike cost time and nothing else.
type talkKey struct {
	session, model string
	tools          int
}

// of takes out the conversation that c goes on with, or a new one. One without a key
// is not worth keeping.
func (h *heard) of(c *llm.Call) *talk {
	if len(c.System)+len(c.Tools)+len(c.Input) < longTalk {
		return h.short()
	}
	k := talkKey{c.Attribution.Session, c.Model(), len(c.Tools)}
	if c.Run != nil && c.Run.Session != "" {
		k.session = c.Run.Session
	}
	if k.session == "" {
		return h.short()
	}
	t, ok := h.young[k]
	if ok {
		h.bytes -= t.bytes()
		delete(h.young, k)
	} else if t, ok = h.old[k]; ok {
		delete(h.old, k)
	} else {
		k.session, k.model = strings.Clone(k.session), strings.Clone(k.model)
		t = &talk{key: k}
	}
	return t
}

// short returns a conversation of which nothing is known.
func (h *heard) short() *talk {
	h.none = talk{}
	return &h.none
}

// keep puts back a conversation after its call, whose pieces are in list.
func (h *heard) keep(t *talk, c *llm.Call, list *manifest) {
	if t.key == (talkKey{}) {
		return
	}
	t.system.learn(c.System, list[secSystem], clonePart)
	t.tools.learn(c.Tools, list[secTools], cloneTool)
	t.input.learn(c.Input, list[secInput], cloneMessage)
	if t.bytes() > heardBytes/4 {
		return
	}
	if h.young == nil || h.bytes+t.bytes() > heardBytes {
		h.old, h.young, h.bytes = h.young, map[talkKey]*talk{}, 0
	}
	h.young[t.key] = t
	h.bytes += t.bytes()
}

func (t *talk) bytes() int { return t.system.bytes() + t.tools.bytes() + t.input.bytes() }

// talk is one conversation: what was said last.
type talk struct {
	key    talkKey
	system told[llm.Part]
	tools  told[llm.Tool]
	input  told[llm.Message]
}

// told is what was said in one section: copies, the numbers of their pieces, and how
// many bytes of text they are up to each.
type told[T any] struct {
	said []T
	ids  []int64
	ends []int
}

func (t *told[T]) bytes() int {
	if len(t.ends) == 0 {
		return 0
	}
	return t.ends[len(t.ends)-1]
}

// again returns the pieces of what now begins with as before, and forgets what came
// after that.
func (t *told[T]) again(now []T, same func(a, b *T) bool) []int64 {
	n := 0
	for n < len(t.said) && n < len(now) && same(&t.said[n], &now[n]) {
		n++
	}
	clear(t.said[n:])
	t.said, t.ids, t.ends = t.said[:n], t.ids[:n], t.ends[:n]
	return t.ids
}

// learn remembers what is new.
func (t *told[T]) learn(now []T, ids []int64, clone func(T) (T, int)) {
	end := t.bytes()
	for i := len(t.said); i < len(now); i++ {
		own, n := clone(now[i])
		end += n
		t.said, t.ids, t.ends = append(t.said, own), append(t.ids, ids[i]), append(t.ends, end)
	}
}

func sameMessage(a, b *llm.Message) bool {
	return a.Role == b.Role && a.Name == b.Name && a.FinishReason == b.FinishReason && slices.Equal(a.Parts, b.Parts)
}

func samePart(a, b *llm.Part) bool { return *a == *b }
func sameTool(a, b *llm.Tool) bool { return *a == *b }

// The copies share no memory with a call, whose texts may be parts of larger ones.

func clonePart(p llm.Part) (llm.Part, int) {
	n := 0
	for _, s := range [...]*string{&p.Type, &p.Content, &p.ID, &p.Name, &p.Arguments, &p.Response, &p.Item, &p.Modality, &p.MIMEType, &p.URI, &p.SHA256, &p.Detail} {
		n += len(*s)
		*s = strings.Clone(*s)
	}
	return p, n + partBytes
}

func cloneTool(t llm.Tool) (llm.Tool, int) {
	n := 0
	for _, s := range [...]*string{&t.Type, &t.Name, &t.Description, &t.Parameters} {
		n += len(*s)
		*s = strings.Clone(*s)
	}
	return t, n + partBytes
}

func cloneMessage(m llm.Message) (llm.Message, int) {
	n := 0
	for _, s := range [...]*string{&m.Role, &m.Name, &m.FinishReason} {
		n += len(*s)
		*s = strings.Clone(*s)
	}
	parts := make([]llm.Part, len(m.Parts))
	for i, p := range m.Parts {
		var size int
		parts[i], size = clonePart(p)
		n += size
	}
	m.Parts = parts
	return m, n + partBytes
}
