package recorder

import "strings"

// What the bytes of secrets are made of.
const (
	lower uint16 = 1 << iota
	upper
	digit
	hexDigit
	keyByte   // base64url
	tokenByte // base64, base64url, percent-encoding
	valueByte // what the value of a query parameter may be
	pemByte   // base64 in lines, escaped or not
	blank

	inWord = lower | upper | digit
)

var is = func() (t [256]uint16) {
	set := func(class uint16, bytes string) {
		for i := range len(bytes) {
			t[bytes[i]] |= class
		}
	}
	const small, big, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	set(lower, small)
	set(upper, big)
	set(digit, digits)
	set(hexDigit, digits+"abcdefABCDEF")
	set(keyByte, small+big+digits+"-_")
	set(tokenByte, small+big+digits+"-_.~+/=%")
	set(pemByte, small+big+digits+"+/=-:,\\ \t\r\n")
	set(blank, " \t")
	for b := byte('!'); b <= '~'; b++ {
		if strings.IndexByte("&#\"'<>`\\()[]{},;|", b) < 0 {
			t[b] |= valueByte
		}
	}
	return t
}()

// A run is a stretch of bytes of one kind.
const (
	runKey = iota
	runToken
	runValue
	runPEM
	runUpper
	runBlank
	runKinds
)

var runBytes = [runKinds]uint16{
	runKey: keyByte, runToken: tokenByte, runValue: valueByte, runPEM: pemByte, runUpper: upper | digit, runBlank: blank,
}

// run returns where the run that from is in ends. The last run of each kind is
// kept, since many marks may stand in one.
func (f *finder) run(kind, from int) int {
	last := &f.runs[kind]
	if from >= last.from && from < last.to {
		return last.to
	}
	to, of := from, runBytes[kind]
	for to < len(f.s) && is[f.s[to]]&of != 0 {
		to++
	}
	last.from, last.to = from, to
	return to
}

// parameters are the names whose values are secrets; signed are those that mean
// nothing else, whatever stands before them.
var (
	parameters = map[string]bool{
		"key": true, "api_key": true, "api-key": true, "apikey": true, "x-api-key": true, "x-goog-api-key": true,
		"sig": true, "signature": true, "token": true, "access_token": true, "id_token": true, "refresh_token": true,
		"secret": true, "client_secret": true, "password": true,
	}
	signed = []string{
		"x-amz-signature", "x-amz-security-token", "x-amz-credential", "x-goog-signature", "x-goog-credential",
	}
)

// value finds the value of a parameter that is a secret, by the '=' before it.
func (f *finder) value(i int) (secret, bool) {
	const longest = 24
	s, start := f.s, i
	for start > 0 && i-start < longest && (is[s[start-1]]&keyByte != 0) {
		start--
	}
	if i-start < len("key") {
		return secret{}, false
	}
	var folded [longest]byte
	name := folded[:copy(folded[:], s[start:i])]
	for j, b := range name {
		if is[b]&upper != 0 {
			name[j] = b | 0x20
		}
	}
	query := start > 0 && (s[start-1] == '?' || s[start-1] == '&' || strings.HasSuffix(s[:start], "&amp;"))
	if start > 0 && s[start-1] == '\\' { // JSON writers escape '&'
		if rest, ok := strings.CutPrefix(string(name), "u0026"); ok {
			name, query = []byte(rest), true
		}
	}
	sure := isSigned(name)
	if !sure && !parameters[string(name)] {
		return secret{}, false
	}
	query = query || sure
	from := i + 1
	end := f.run(runValue, from)
	ok := query && end-from >= 8 || end-from >= 16 && keyLike(s[from:min(end, from+64)], true, false)
	return secret{from, from, end}, ok
}

func isSigned(name []byte) bool {
	for _, suffix := range signed {
		if len(name) >= len(suffix) && string(name[len(name)-len(suffix):]) == suffix {
			return true
		}
	}
	return false
}

// field finds a random value after the name of a header field for keys, in the
// ways that programs, logs and JSON write it: api-key: …, "api_key": "…".
func (f *finder) field(i int) (secret, bool) {
	s := f.s
	const before, after, between = "api", "key", 8
	if i < len(before) || len(s)-i-1 < len(after) || s[i-1]|0x20 != 'i' ||
		!strings.EqualFold(s[i-len(before):i], before) || !strings.EqualFold(s[i+1:i+1+len(after)], after) {
		return secret{}, false
	}
	from, assigned := i+1+len(after), false
	for range between {
		if from == len(s) || strings.IndexByte(" \t\"'`:=\\", s[from]) < 0 {
			break
		}
		assigned = assigned || s[from] == ':' || s[from] == '='
		from++
	}
	end := f.run(runToken, from)
	ok := assigned && end-from >= 16 && keyLike(s[from:min(end, from+64)], true, false)
	return secret{from, from, end}, ok
}

const (
	pemBegin = "-----BEGIN "
	pemEnd   = "-----END "
	pemLabel = "PRIVATE KEY"
	pemLine  = 64 // most of a label
)

// pem finds a private key from its first line to its last. Where the last line
// is missing, or belongs to something else, it goes as far as it looks like one.
func (f *finder) pem(i int) (secret, bool) {
	s := f.s
	from, ok := pemLineEnd(s, i+len(pemBegin))
	if !ok {
		return secret{}, false
	}
	if !f.noPEM && (f.pemEnd < from || f.pemFrom > from) {
		f.pemFrom = from
		if n := strings.Index(s[from:], pemEnd); n < 0 {
			f.noPEM = true
		} else {
			f.pemEnd = from + n
		}
	}
	if !f.noPEM {
		if end, ok := pemLineEnd(s, f.pemEnd+len(pemEnd)); ok {
			return secret{i, i, end}, true
		}
	}
	return secret{i, i, f.run(runPEM, from)}, true
}

// pemLineEnd returns where the line ends whose label starts at from, if it is
// that of a private key.
func pemLineEnd(s string, from int) (int, bool) {
	label := s[from:min(len(s), from+pemLine)]
	n := strings.Index(label, "-----")
	if n < 0 || !strings.Contains(label[:n], pemLabel) {
		return 0, false
	}
	return from + n + len("-----"), true
}
