package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
)

// A page of any site can make its visitor's browser send requests to an address on
// that machine or network: a POST of text/plain needs nobody's leave, and under a name
// of its own that resolves to here it may read the answer too (DNS rebinding). With
// the page's own credential that is its right. With one that was configured here it
// would spend the owner's money.

// lends says whether requests go out with something of ours that may be a credential.
func (u *Upstream) lends() bool {
	for i := range u.Set {
		if !equalFold([]byte("host"), u.Set[i].Name) {
			return true
		}
	}
	return u.Signer != nil
}

// admitPage refuses what a web page asks for, or may ask for, with a credential of
// ours. Programs that are no browser send none of what it looks at but Host.
func (x *exchange) admitPage() (failure, bool) {
	req, allowed := &x.req, x.conf.AllowedOrigins
	refused := func(code, why string) (failure, bool) {
		return failure{403, code, "provider " + x.route.Upstream.Name + " is called with a credential that is configured here, " + why}, false
	}
	switch {
	case len(req.origin) > 0 && !originAllowed(req.origin, allowed):
		return refused("origin_not_allowed", "which web pages may use only if proxy.allowed_origins has their origin")
	case len(req.origin) == 0 && fold(req.site, "cross-site") && !anyOrigin(allowed):
		// A browser leaves Origin out of what it fetches for a page as an image or a link.
		return refused("origin_not_allowed", "and the request comes from a page of another site without its origin")
	case x.c.local && !hostAllowed(req.host, allowed):
		return refused("host_not_allowed", "and this address listens on loopback: ask for it as localhost, by its IP address, or by a name that proxy.allowed_origins has")
	}
	return failure{}, true
}

// appSchemes are the origins of programs with a browser inside, which are installed on
// this machine. No page of a site has one of them.
var appSchemes = []string{"app", "file", "tauri", "vscode-webview", "vscode-file", "capacitor", "ionic"}

// originAllowed says whether a page of this origin (RFC 6454 section 7) may use what
// is configured: one that this machine serves itself, an app, or one of the list.
func originAllowed(origin []byte, allowed []string) bool {
	scheme, rest, ok := bytes.Cut(origin, []byte("://"))
	if ok && isHTTP(scheme) {
		if host, ok := hostName(rest); ok && ofThisMachine(host) {
			return true
		}
	} else if ok {
		for _, s := range appSchemes {
			if fold(scheme, s) {
				return true
			}
		}
	}
	for _, a := range allowed {
		if matches(origin, a) {
			return true
		}
	}
	return false
}

// hostAllowed says whether a name that somebody asked for can only have led here by
// this machine's doing: an address, a name without dots, one that the public DNS does
// not have (RFC 6761 section 6.3, RFC 6762 section 3; .internal is reserved), or one
// that the list has.
func hostAllowed(host []byte, allowed []string) bool {
	name, ok := hostName(host)
	if !ok {
		return len(host) == 0 || anyOrigin(allowed)
	}
	if isAddress(name) || bytes.IndexByte(name, '.') < 0 {
		return true
	}
	for _, end := range []string{".localhost", ".internal", ".local"} {
		if hasEnd(name, end) {
			return true
		}
	}
	for _, a := range allowed {
		if a == "*" {
			return true
		}
		scheme, rest, _ := strings.Cut(a, "://")
		if at := strings.LastIndexByte(rest, ':'); at > strings.LastIndexByte(rest, ']') {
			rest = rest[:at]
		}
		if isHTTP([]byte(scheme)) && matches(name, rest) {
			return true
		}
	}
	return false
}

func anyOrigin(allowed []string) bool {
	for _, a := range allowed {
		if a == "*" {
			return true
		}
	}
	return false
}

func isHTTP(scheme []byte) bool { return fold(scheme, "http") || fold(scheme, "https") }

// hostName returns the name in a host with or without a port, in brackets where it is
// in these, and without the dot at its end. It is false for what is none.
func hostName(b []byte) (name []byte, ok bool) {
	end := bytes.IndexByte(b, ']') + 1
	if i := bytes.IndexByte(b[end:], ':'); i >= 0 {
		if _, ok := decimal(b[end+i+1:]); !ok {
			return nil, false
		}
		b = b[:end+i]
	}
	if end > 0 {
		return b, b[0] == '[' && len(b) == end
	}
	b = bytes.TrimSuffix(b, []byte("."))
	for _, c := range b {
		if c != '-' && c != '.' && c != '_' && !('0' <= c && c <= '9') && !('a' <= c|0x20 && c|0x20 <= 'z') {
			return nil, false
		}
	}
	return b, len(b) > 0
}

// isAddress says whether a name is an IP address: nobody resolves it.
func isAddress(name []byte) bool {
	if name[0] == '[' {
		return true
	}
	for _, c := range name {
		if c != '.' && !('0' <= c && c <= '9') {
			return false
		}
	}
	return true
}

// ofThisMachine says whether a name means the machine that resolves it.
func ofThisMachine(name []byte) bool {
	return fold(name, "localhost") || hasEnd(name, ".localhost") || string(name) == "[::1]" || string(name) == "0.0.0.0" ||
		isAddress(name) && bytes.HasPrefix(name, []byte("127."))
}

// hasEnd compares the end of a name with a lower-case text without regard to case.
func hasEnd(name []byte, end string) bool {
	return len(name) > len(end) && fold(name[len(name)-len(end):], end)
}

// matches compares a text with a pattern without regard to case; one * in it stands
// for anything.
func matches(b []byte, pattern string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return equalFold(b, pattern)
	}
	return len(b) >= len(before)+len(after) && equalFold(b[:len(before)], before) && equalFold(b[len(b)-len(after):], after)
}

// validOrigin says what is wrong with an entry of the list.
func validOrigin(a string) error {
	if a == "*" || a == "null" {
		return nil
	}
	scheme, rest, ok := strings.Cut(a, "://")
	switch {
	case !ok || scheme == "" || rest == "" || strings.ContainsAny(rest, "/?#@, \t"):
		return fmt.Errorf("allowed_origins: %q: want an origin such as https://app.example.com or http://10.0.0.5:3000, without a path", a)
	case strings.Count(a, "*") > 1 || strings.Contains(scheme, "*"):
		return fmt.Errorf("allowed_origins: %q: want one * at most, behind ://", a)
	}
	return nil
}

func validOrigins(all []string) error {
	var errs []error
	for _, a := range all {
		errs = append(errs, validOrigin(a))
	}
	return errors.Join(errs...)
}

// onLoopback says whether an address can be reached from this machine only.
func onLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
