package attribution

import (
	"net/url"
	"strings"
)

// most bounds what is taken from one header of a browser: each costs a look through
// everything that was said.
const most = 32

// protocols finds the credentials among the subprotocols of a WebSocket, where the
// browser's API lets a page put one: OpenAI's openai-insecure-api-key.KEY (Realtime,
// "Connect with WebSocket"), NAME.bearer.TOKEN and its kin, and Deepgram's and others'
// "token, KEY".
func protocols(value string, see func(string)) {
	after := false // a word that says that a credential follows
	for range most {
		entry, rest, more := strings.Cut(value, ",")
		entry = strings.TrimSpace(entry)
		switch key, found := marked(entry); {
		case found:
			see(key)
		case after:
			see(entry)
		}
		after = announces(entry)
		if value = rest; !more {
			return
		}
	}
}

// announcing are the words in a subprotocol behind which a credential stands.
var announcing = []string{"api-key", "api_key", "apikey", "bearer", "authorization", "access_token", "access-token", "token", "jwt"}

// announces says whether an entry is such a word, or ends with one.
func announces(entry string) bool {
	for _, w := range announcing {
		if n := len(entry) - len(w); n >= 0 && strings.EqualFold(entry[n:], w) {
			return true
		}
	}
	return false
}

// marked returns what stands behind the first such word and a dot.
func marked(entry string) (key string, ok bool) {
	for i := range len(entry) {
		if entry[i] == '.' && i+1 < len(entry) && announces(entry[:i]) {
			rest := entry[i+1:]
			if deeper, ok := marked(rest); ok { // authorization.bearer.TOKEN
				return deeper, true
			}
			return rest, true
		}
	}
	return "", false
}

// cookies finds those that let somebody in. Others hold choices, such as the name of a
// model, which must not be taken for a secret where it is said.
func cookies(value string, see func(string)) {
	for range most {
		pair, rest, more := strings.Cut(value, ";")
		name, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if v = strings.Trim(v, `"`); letsIn(name) || looksRandom(v) {
			see(v)
			if plain, err := url.QueryUnescape(v); err == nil && plain != v {
				see(plain)
			}
		}
		if value = rest; !more {
			return
		}
	}
}

// letsIn says whether a cookie's name is one of those that sessions have.
func letsIn(name string) bool {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, "sid") {
		return true
	}
	for _, w := range []string{"sess", "auth", "token", "jwt", "key", "secret", "csrf", "xsrf", "credential", "passw", "cf_bm", "cfuvid", "clearance"} {
		if strings.Contains(name, w) {
			return true
		}
	}
	return false
}

// looksRandom says whether letters of both cases and digits take turns in one word of a
// text as they do in no name: four times, or in a long one at all.
func looksRandom(s string) bool {
	turns, length := 0, 0
	var last byte
	for i := range len(s) {
		kind := byte(0)
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			kind = '0'
		case 'a' <= c && c <= 'z':
			kind = 'a'
		case 'A' <= c && c <= 'Z':
			kind = 'A'
		}
		if kind == 0 {
			turns, length, last = 0, 0, 0
			continue
		}
		length++
		capital := length == 2 && last == 'A' && kind == 'a'
		if last != 0 && kind != last && !capital {
			turns++
		}
		if last = kind; turns >= 4 || turns > 0 && length >= 20 {
			return true
		}
	}
	return false
}
