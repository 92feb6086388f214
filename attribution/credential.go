package attribution

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// keys holds the configured keys by the digits of a fingerprint that are shown.
type keys map[string][]keyEntry

type keyEntry struct {
	digits string // as configured, in lower case
	key    Key
}

func newKeys(cfg map[string]Key) keys {
	ks := make(keys, len(cfg))
	for digits, k := range cfg {
		if len(digits) < fingerprintDigits {
			continue
		}
		digits = strings.ToLower(digits)
		short := digits[:fingerprintDigits]
		ks[short] = append(ks[short], keyEntry{digits, k})
	}
	for _, es := range ks {
		slices.SortFunc(es, func(a, b keyEntry) int { return len(b.digits) - len(a.digits) })
	}
	return ks
}

// identify sets the fingerprint of the caller's credential. A request may carry
// several: that of the provider goes before that of a gateway, but one that is
// mapped goes before all, so that a second one does not hide it.
func (ks keys) identify(to *llm.Attribution, found []match, target string) (key Key, ok bool) {
	see := func(credential string) {
		if credential == "" || ok {
			return
		}
		sum := sha256.Sum256([]byte(credential))
		var digest [digestDigits]byte
		hex.Encode(digest[:], sum[:])
		short := digest[:fingerprintDigits]
		if to.Key == "" {
			to.Key = string(short)
		}
		for _, e := range ks[string(short)] {
			if strings.HasPrefix(string(digest[:]), e.digits) {
				to.Key, key, ok = string(short), e.key, true
				return
			}
		}
	}
	for _, gateway := range [...]bool{false, true} {
		for _, m := range found {
			if m.row != generic && headers[m.row].strip == gateway {
				m.credentials(see)
			}
		}
		if !gateway {
			inTarget(target, see)
		}
	}
	return key, ok
}

// Credentials returns the tokens of every credential in the fields and the target of a
// request, cookies among them. The caller keeps them no longer than the exchange.
func Credentials(fields llm.Header, target string) (all []string) {
	see := func(credential string) {
		if credential != "" {
			all = append(all, credential)
		}
	}
	var room [32]match
	for _, m := range matches(room[:0], fields) {
		if m.row == generic {
			continue
		}
		m.credentials(see)
		if headers[m.row].use == useCookies {
			cookies(m.value, see)
		}
	}
	inTarget(target, see)
	return all
}

// credentials shows those in a header that tell whose call it is.
func (m match) credentials(see func(string)) {
	switch headers[m.row].use {
	case useCredential:
		see(token(m.value))
	case useProtocols:
		protocols(m.value, see)
	}
}

// token returns the credential in the value of an authorization field: what
// follows the scheme, of an AWS signature the id of the key.
func token(value string) string {
	scheme, rest, ok := strings.Cut(value, " ")
	switch {
	case !ok && isScheme(value): // nothing follows
		return ""
	case !ok:
		return value
	case strings.HasPrefix(scheme, "AWS4-"):
		_, id, _ := strings.Cut(rest, "Credential=")
		id, _, _ = strings.Cut(id, "/")
		return id
	}
	return strings.TrimSpace(rest)
}

func isScheme(s string) bool { return strings.EqualFold(s, "bearer") || strings.EqualFold(s, "basic") }

// inTarget finds the credentials in a query: Gemini's key, and the id of the key
// in a signed address of AWS.
func inTarget(target string, see func(string)) {
	_, query, _ := strings.Cut(target, "?")
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		isKey := name == "key"
		if !isKey && !strings.EqualFold(name, "X-Amz-Credential") {
			continue
		}
		if plain, err := url.QueryUnescape(value); err == nil {
			value = plain
		}
		if !isKey {
			value, _, _ = strings.Cut(value, "/")
		}
		see(value)
	}
}
