package attribution

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on what is kept of one call.
const (
	idBytes   = 256  // a name or id
	textBytes = 1024 // a value of metadata, a header
	mostTags  = 64
	mostPairs = 64
)

// clean returns s as it may be kept: valid UTF-8, without control characters and
// outer blanks, at most so many bytes. It is always a copy, so that it does not
// keep a head in memory that may hold a credential.
func clean(s string, most int) string {
	s = strings.TrimSpace(s)
	if len(s) <= most && isPlain(s) {
		return strings.Clone(s)
	}
	s = s[:min(len(s), 4*most)] // more than enough, and bounded
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.TrimSpace(s)
	if len(s) > most {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most]
	}
	return strings.Clone(s)
}

// isPlain says whether s is printable ASCII.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
