package attribution

import (
	"strconv"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// reading gathers what the sources of one call say. The first one wins.
type reading struct {
	call  *llm.Call
	to    *llm.Attribution
	lower llm.ContentMode // what the caller wishes; "" for nothing
}

// set takes a value from outside, unless there is one.
func set(to *string, value string) {
	if *to == "" {
		*to = clean(value, idBytes)
	}
}

// session takes a session's id. The source is kept as it is: it must not be a
// piece of the request.
func (r *reading) session(value, source string) {
	if r.to.Session == "" {
		if r.to.Session = clean(value, idBytes); r.to.Session != "" {
			r.to.SessionSource = source
		}
	}
}

func (r *reading) header(m match) {
	if m.row == generic {
		return
	}
	h := headers[m.row]
	switch h.use {
	case useTeam:
		set(&r.to.Team, m.value)
	case useUser:
		set(&r.to.User, m.value)
	case useSession:
		r.session(m.value, h.name)
	case useAgent:
		set(&r.to.Agent, agentName(m.value))
	case useUserAgent:
		r.userAgent(m.value)
	case useTags:
		r.tags(m.value)
	case useMetadata:
		r.metadata(h.name, m.value)
	case usePair:
		name := strings.ToLower(m.name)
		key := name[len(h.name)-1:]
		r.pair(key, m.value)
		r.meaning(key, m.value, clean(name, idBytes))
	case useContent:
		r.content(m.value)
	case useOmitInput:
		r.call.OmitInput = r.call.OmitInput || isTrue(m.value)
	case useOmitOutput:
		r.call.OmitOutput = r.call.OmitOutput || isTrue(m.value)
	case useRetry:
		r.retry(m.value, 0)
	case useAttempt:
		r.attempt(m.value)
	case useTurn:
		r.turn(m.value)
		r.carry(h.name, m.value)
	case useOriginator:
		set(&r.to.Agent, agentName(m.value))
		r.carry(h.name, m.value)
	case useThread:
		r.session(m.value, h.name)
		set(&r.call.Told.Agent, m.value)
	case useCarry:
		r.carry(h.name, m.value)
	case useToldAgent, useToldParent, useToldClass, useToldTools:
		r.told(h.use, m.value)
		r.carry(h.name, m.value)
	}
}

// carry keeps a header as an attribute of the HTTP conventions.
func (r *reading) carry(name, value string) {
	const most = 4 // of one name
	v := clean(value, textBytes)
	if v == "" {
		return
	}
	key := "http.request.header." + name
	for i := range r.call.Attrs {
		if a := &r.call.Attrs[i]; a.Key == key {
			if vs, ok := a.Value.([]string); ok && len(vs) < most {
				a.Value = append(vs, v)
			}
			return
		}
	}
	r.call.Attrs = append(r.call.Attrs, llm.Attr{Key: key, Value: []string{v}})
}

// content takes the wish for less content. What is no mode is a wish, too: that
// it was misspelt must not cost privacy.
func (r *reading) content(value string) {
	mode := llm.ContentMode(strings.ToLower(value))
	if strictness(mode) < 0 {
		r.problem("x-spanwire-content: want full, metadata or off; taken as off")
		mode = llm.ContentOff
	}
	if r.lower == "" || strictness(mode) > strictness(r.lower) {
		r.lower = mode
	}
}

func (r *reading) retry(value string, first int) {
	const most = 1000
	if n, err := strconv.Atoi(value); err == nil && n > first && n <= most && r.call.Retry == 0 {
		r.call.Retry = n - first
	}
}

// attempt reads what AWS SDKs send: "attempt=2; max=3", where 1 is no retry.
func (r *reading) attempt(value string) {
	for field := range strings.SplitSeq(value, ";") {
		if n, ok := strings.CutPrefix(strings.TrimSpace(field), "attempt="); ok {
			r.retry(n, 1)
		}
	}
}

func (r *reading) tags(list string) {
	for tag := range strings.SplitSeq(list, ",") {
		r.tag(tag)
	}
}

func (r *reading) tag(tag string) {
	tag = clean(tag, idBytes)
	if tag == "" || len(r.to.Tags) >= mostTags {
		return
	}
	for _, t := range r.to.Tags {
		if t == tag {
			return
		}
	}
	r.to.Tags = append(r.to.Tags, tag)
}

// pair adds one pair of metadata, unless its key is there.
func (r *reading) pair(key, value string) {
	key, value = clean(key, idBytes), clean(value, textBytes)
	if key == "" || value == "" || len(r.to.Metadata) >= mostPairs {
		return
	}
	for _, a := range r.to.Metadata {
		if a.Key == key {
			return
		}
	}
	r.to.Metadata = append(r.to.Metadata, llm.Attr{Key: key, Value: value})
}

// meanings are the keys of metadata that mean one thing everywhere, in the order in
// which they are asked, written as in sameKey.
var meanings = []field{
	{"team", useTeam},
	{"team_id", useTeam},
	{"user", useUser},
	{"user_id", useUser},
	{"trace_user_id", useUser},
	{"session_id", useSession},
	{"conversation_id", useSession},
	{"thread_id", useSession},
}

// sameKey says whether a key is the one of meanings: user_id, user-id, user.id,
// userId and _user_id are all the same.
func sameKey(key, want string) bool {
	if len(key) > 2*len(want) || key == "" || key[len(key)-1]|0x20 != want[len(want)-1] {
		return false
	}
	i := 0
	for j := range len(key) {
		b := key[j]
		switch {
		case b == '_' || b == '-' || b == '.':
			continue
		case 'A' <= b && b <= 'Z':
			b |= 0x20
		}
		for i < len(want) && want[i] == '_' {
			i++
		}
		if i == len(want) || want[i] != b {
			return false
		}
		i++
	}
	return i == len(want)
}

// meaning takes what a pair of metadata says by its key.
func (r *reading) meaning(key, value, source string) {
	for _, m := range meanings {
		if sameKey(key, m.key) {
			r.field(field{source, m.use}, value)
		}
	}
}

// problem notes what could not be read, never with its text.
func (r *reading) problem(text string) {
	const most = 32
	if len(r.call.Problems) < most {
		r.call.Problems = append(r.call.Problems, text)
	}
}

func isTrue(value string) bool { return value == "1" || strings.EqualFold(value, "true") }
