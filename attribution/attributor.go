package attribution

import (
	"slices"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Attributor attributes calls. It is immutable: its methods may be called by
// many goroutines.
type Attributor struct {
	cfg  Config
	keys keys

	stripped, kept patterns // header names
}

// New returns an attributor for a valid configuration. Of one that Validate
// refuses, a key that is no fingerprint matches nothing and a content mode that
// is none counts as off.
func New(cfg Config) *Attributor {
	a := &Attributor{cfg: cfg, keys: newKeys(cfg.Keys)}
	a.stripped, a.kept = newDirectives(cfg)
	return a
}

// Attribute sets c.Attribution, c.Told, c.Content, c.OmitInput, c.OmitOutput and
// c.Retry, adds the attributes user_agent.original and http.request.header.* to
// c.Attrs, and a line to c.Problems for what could not be read. It reads the
// request's headers, its target, and what the reader kept of the body in
// c.Attrs. It keeps nothing of ex.
func (a *Attributor) Attribute(c *llm.Call, ex *llm.Exchange) {
	r := reading{call: c, to: &c.Attribution}
	*r.to, c.Told = llm.Attribution{}, llm.Told{}
	var room [32]match
	found := matches(room[:0], ex.RequestHeader)

	key, pinned := a.keys.identify(r.to, found, ex.Target)
	if pinned && !key.AllowOverride {
		r.to.Team, r.to.User = clean(key.Team, idBytes), clean(key.User, idBytes)
	}
	for _, m := range found {
		r.header(m)
	}
	for _, m := range found {
		if m.row == generic && isPlainID(m.value) {
			r.session(m.value, clean(strings.ToLower(m.name), idBytes))
		}
	}
	r.body()
	for _, m := range found {
		if m.row != generic && headers[m.row].use == useBaggage {
			r.baggage(m.value)
		}
	}
	if pinned {
		set(&r.to.Team, key.Team)
		set(&r.to.User, key.User)
	}
	set(&r.to.Team, a.cfg.DefaultTeam)
	c.Content = a.content(key, r.to.Team, r.lower)
}

// content returns how much of a call is kept. What the caller wished can only
// make it less.
func (a *Attributor) content(key Key, team string, wish llm.ContentMode) llm.ContentMode {
	mode := llm.ContentFull
	for _, m := range [...]llm.ContentMode{a.cfg.Content, a.cfg.Teams[team].Content, key.Content} {
		switch {
		case m == "":
		case strictness(m) < 0:
			mode = llm.ContentOff
		default:
			mode = m
		}
	}
	if strictness(wish) > strictness(mode) {
		mode = wish
	}
	return mode
}

// match is a header of the request that a row knows.
type match struct {
	row         int // index in headers, or generic
	name, value string
}

// generic stands for x-…-session-id, which comes after all rows.
const generic = 1 << 30

// matches returns the headers that are known, in the order of the table.
func matches(found []match, h llm.Header) []match {
	var buf [longestName]byte
	for name, value := range h.All() {
		if value == "" {
			continue
		}
		low := lowered(&buf, name)
		if i, ok := byName.find(low); ok {
			if headers[i].use != useNothing {
				found = append(found, match{i, name, value})
			}
		} else if isSessionName(low) {
			found = append(found, match{generic, name, value})
		}
	}
	slices.SortStableFunc(found, func(a, b match) int { return a.row - b.row })
	return found
}

// isSessionName is ^x-.+-session-id$, the form that LiteLLM takes from anybody.
func isSessionName(low []byte) bool {
	const prefix, suffix = "x-", "-session-id"
	return len(low) > len(prefix)+len(suffix) && string(low[:len(prefix)]) == prefix && string(low[len(low)-len(suffix):]) == suffix
}

// isPlainID is ^[a-zA-Z0-9_-]{8,}$, what a value has to look like for that form.
func isPlainID(s string) bool {
	for i := range len(s) {
		b := s[i]
		if (b|0x20 < 'a' || b|0x20 > 'z') && (b < '0' || b > '9') && b != '_' && b != '-' {
			return false
		}
	}
	return len(s) >= 8
}
