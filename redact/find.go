package redact

import (
	"net/netip"
	"strings"
)

// kind is a kind of personal data.
type kind uint8

const (
	none kind = iota
	email
	phone
	card
	iban
	nationalID
	ipAddress
	kinds
)

var kindNames = [kinds]string{email: "email", phone: "phone", card: "card", iban: "iban", nationalID: "national_id", ipAddress: "ip"}

func (k kind) String() string { return kindNames[k] }

// Kinds returns the names of the kinds that can be looked for.
func Kinds() []string { return append([]string(nil), kindNames[1:]...) }

func kindOf(name string) (kind, bool) {
	for k := none + 1; k < kinds; k++ {
		if kindNames[k] == name {
			return k, true
		}
	}
	return none, false
}

func joined(names []string) string { return strings.Join(names, ", ") }

// kindSet is a set of kinds, a bit each.
type kindSet uint16

func (s kindSet) has(k kind) bool { return s>>k&1 == 1 }

// Classes of bytes.
const (
	digitByte uint8 = 1 << iota
	upperByte
	lowerByte
	hexByte
	localByte // of the part of an address before '@'
	hostByte
	anchorByte // something may begin, or be, here

	wordByte = digitByte | upperByte | lowerByte
)

var class = func() (t [256]uint8) {
	set := func(c uint8, bytes string) {
		for i := range len(bytes) {
			t[bytes[i]] |= c
		}
	}
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	set(digitByte, digits)
	set(upperByte, upper)
	set(lowerByte, lower)
	set(hexByte, digits+"abcdefABCDEF")
	set(localByte, lower+upper+digits+"._%+-'")
	set(hostByte, lower+upper+digits+"-")
	for b := 0x80; b < 0x100; b++ { // letters of other scripts
		t[b] |= localByte | hostByte
	}
	set(anchorByte, digits+"@+(:"+upper)
	return t
}()

// match is a value in a text.
type match struct {
	start, end int
	kind       kind
}

// finder looks for values in one text. Each place is looked at once; what is read
// around it is bounded, so that time is linear.
type finder struct {
	s    string
	want kindSet
}

// next returns the first match at or after from; ok is false when there is none.
func (f *finder) next(from int) (m match, ok bool) {
	s := f.s
	for i := from; i < len(s); i++ {
		c := class[s[i]]
		if c&anchorByte == 0 {
			continue
		}
		switch {
		case s[i] == '@':
			m, ok = f.email(i, from)
		case s[i] == ':':
			m, ok = f.ipv6(i, from)
		case c&upperByte != 0:
			if !f.begins(i) {
				continue
			}
			if m, ok = f.iban(i); !ok {
				m, ok = f.letteredID(i)
			}
		default: // a digit, '+' or '('
			if !f.begins(i) {
				if c&digitByte != 0 {
					i = f.digits(i) - 1 // no value begins within digits
				}
				continue
			}
			if m, ok = f.number(i); !ok && c&digitByte != 0 {
				i = f.digits(i) - 1
			}
		}
		if ok {
			return m, true
		}
	}
	return match{}, false
}

// begins says whether a word can begin at i. The letter of an escape, as in \n, belongs
// to no word.
func (f *finder) begins(i int) bool {
	if i == 0 {
		return true
	}
	b := f.s[i-1]
	if b == '_' || class[b]&wordByte != 0 {
		return i >= 2 && f.s[i-2] == '\\' && strings.IndexByte("nrtbf", b) >= 0
	}
	if b == '.' || b == '-' || b == '/' || b == ':' { // 1.2345, 2024-11-21/7 go on
		return i < 2 || class[f.s[i-2]]&digitByte == 0
	}
	return true
}

// ends says whether a word can end before i.
func (f *finder) ends(i int) bool {
	if i >= len(f.s) {
		return true
	}
	b := f.s[i]
	if b == '_' || class[b]&wordByte != 0 {
		return false
	}
	return b != '.' && b != '-' || i+1 >= len(f.s) || class[f.s[i+1]]&digitByte == 0
}

// digits returns where the digits end that i is in.
func (f *finder) digits(i int) int {
	for i < len(f.s) && class[f.s[i]]&digitByte != 0 {
		i++
	}
	return i
}

// email finds an address by its '@' (RFC 5321, section 4.1.2, without quoted parts).
func (f *finder) email(at, from int) (match, bool) {
	const mostLocal, mostHost = 64, 253
	if !f.want.has(email) {
		return match{}, false
	}
	s, start := f.s, at
	for start > from && at-start <= mostLocal && class[s[start-1]]&localByte != 0 {
		start--
	}
	for start < at && (s[start] == '.' || s[start] == '\'' || s[start] == '-') {
		start++
	}
	// The letter of an escape before it is none of the address.
	if start > 0 && s[start-1] == '\\' && at-start > 1 && strings.IndexByte("nrtbf", s[start]) >= 0 {
		start++
	}
	end, dot := at+1, -1
	for end < len(s) && end-at <= mostHost {
		if s[end] == '.' && end > at+1 && s[end-1] != '.' {
			dot = end
		} else if class[s[end]]&hostByte == 0 {
			break
		}
		end++
	}
	if dot == end-1 { // the end of a sentence
		end--
		dot = strings.LastIndexByte(s[at+1:end], '.') + at + 1
	}
	if start == at || at-start > mostLocal || dot <= at+1 || end-dot < 3 || end-at > mostHost {
		return match{}, false
	}
	for _, b := range []byte(s[dot+1 : end]) {
		if class[b]&digitByte != 0 {
			return match{}, false
		}
	}
	return match{start, end, email}, true
}

// ipv6 finds an address by one of its colons.
func (f *finder) ipv6(at, from int) (match, bool) {
	const most = 45
	if !f.want.has(ipAddress) {
		return match{}, false
	}
	s, start, end, colons, digits, groups := f.s, at, at, 0, 0, 1
	for start > from && at-start < most && (class[s[start-1]]&hexByte != 0 || s[start-1] == ':') {
		start--
	}
	for end < len(s) && end-start <= most && (class[s[end]]&hexByte != 0 || s[end] == ':' || s[end] == '.') {
		end++
	}
	for end > at && (s[end-1] == '.' || s[end-1] == ':' && (end-2 < start || s[end-2] != ':')) {
		end--
	}
	for start < at && s[start] == ':' && (s[start+1] != ':' || s[start+2:end] != "" && s[start+2] == ':') { // of mailto:2001:…
		start++
	}
	for i := start; i < end; i++ {
		if s[i] == ':' {
			colons++
			if i > start && s[i-1] != ':' {
				groups++
			}
		} else if class[s[i]]&digitByte != 0 {
			digits++
		}
	}
	if end > start && s[end-1] == ':' {
		groups--
	}
	if colons < 2 || digits == 0 || groups < 2 && s[start] != ':' || end-start > most || !f.begins(start) || end < len(s) && class[s[end]]&wordByte != 0 {
		return match{}, false
	}
	a, err := netip.ParseAddr(s[start:end])
	if err != nil || a.IsUnspecified() || a.IsLoopback() {
		return match{}, false
	}
	return match{start, end, ipAddress}, true
}

// keep returns the bytes of s that are of a class.
func keep(s string, of uint8) string {
	var b strings.Builder
	for i := range len(s) {
		if class[s[i]]&of != 0 {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
