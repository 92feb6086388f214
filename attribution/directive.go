package attribution

import "strings"

// patterns is a set of header names, some of them by their beginning.
type patterns struct {
	exact    map[string]bool
	prefixes []string
}

func (p *patterns) add(pattern string) {
	pattern = strings.ToLower(pattern)
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		p.prefixes = append(p.prefixes, prefix)
		return
	}
	if p.exact == nil {
		p.exact = make(map[string]bool)
	}
	p.exact[pattern] = true
}

func (p *patterns) has(name []byte) bool {
	if p.exact[string(name)] {
		return true
	}
	for _, prefix := range p.prefixes {
		if len(name) >= len(prefix) && string(name[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// Directive says whether a request header is meant for a gateway, ours or
// another, and so is not sent to the provider. Case does not matter. It is made
// for the data path: it does not allocate, and does not keep name.
func (a *Attributor) Directive(name []byte) bool {
	if len(name) == 0 {
		return false
	}
	var buf [longestName]byte
	low := lowered(&buf, name)
	if len(low) >= len(ownPrefix) && string(low[:len(ownPrefix)]) == ownPrefix {
		return true
	}
	if a.keep.has(low) {
		return false
	}
	if i, ok := byName.find(low); ok && headers[i].strip {
		return true
	}
	return a.strip.has(low)
}
