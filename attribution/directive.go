package attribution

import "strings"

// pattern is a header name in lower case, or what names begin with.
type pattern struct {
	text   string
	prefix bool
}

func (p pattern) matches(name []byte) bool {
	if len(name) < len(p.text) || !p.prefix && len(name) != len(p.text) {
		return false
	}
	for i := range len(p.text) {
		if lowerByte(name[i]) != p.text[i] {
			return false
		}
	}
	return true
}

// patterns is a set of them by the first byte of the name, which tells most
// names apart.
type patterns [256][]pattern

func (ps *patterns) add(name string) {
	p := pattern{text: strings.ToLower(name)}
	p.text, p.prefix = strings.CutSuffix(p.text, "*")
	if p.text == "" {
		return
	}
	for _, q := range ps[p.text[0]] {
		if (q.prefix || !p.prefix) && q.matches([]byte(p.text)) {
			return // covered
		}
	}
	ps[p.text[0]] = append(ps[p.text[0]], p)
}

func (ps *patterns) has(name []byte) bool {
	if len(name) == 0 {
		return false
	}
	for _, p := range ps[lowerByte(name[0])] {
		if p.matches(name) {
			return true
		}
	}
	return false
}

// own is our own headers, which are never sent on.
var own = pattern{ownPrefix, true}

// newDirectives returns what is stripped, and what is kept nevertheless. The
// beginnings go first: they make most of the single names needless.
func newDirectives(cfg Config) (stripped, kept patterns) {
	for _, family := range [...]bool{true, false} {
		for _, h := range headers {
			if h.strip && strings.HasSuffix(h.name, "*") == family {
				stripped.add(h.name)
			}
		}
	}
	for _, name := range cfg.StripHeaders {
		stripped.add(name)
	}
	for _, name := range cfg.KeepHeaders {
		kept.add(name)
	}
	return stripped, kept
}

// Directive says whether a request header is meant for a gateway, ours or
// another, and so is not sent to the provider. Case does not matter. It is made
// for the data path: it does not allocate, and does not keep name.
func (a *Attributor) Directive(name []byte) bool {
	return a.stripped.has(name) && (!a.kept.has(name) || own.matches(name))
}

func lowerByte(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		b |= 0x20
	}
	return b
}
