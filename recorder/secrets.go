package recorder

import "strings"

// A secret is recognised by a fixed part, its mark, and by what follows it. Every
// mark has one byte that is rare in prose: its anchor. Text without a mark is
// passed over at the speed of strings.IndexByte, one pass an anchor.
//
//	'-'  sk-…  xai-…  nvapi-…  pplx-…  -----BEGIN … PRIVATE KEY-----
//	'_'  gsk_…  ek_…  hf_…  r8_…  ghp_… and its kin  github_pat_…
//	'='  ?key=…  &sig=…  X-Amz-Signature=… and other values of that kind
//	'I'  AIza…  AKIA…  ASIA…
//	'J'  eyJ….….…
//	'B'  Bearer …  Authorization: Basic …, in any case
const anchors = "-_=IJBb"

var isAnchor = func() (t [256]bool) {
	for i := range len(anchors) {
		t[anchors[i]] = true
	}
	return t
}()

// secret is where in a text one was found: shown up to shown, hidden up to end.
type secret struct{ start, shown, end int }

// finder looks for secrets in one text. It remembers what it measured, so that
// many marks in one long word do not cost more than one.
type finder struct {
	s       string
	runs    [runKinds]struct{ from, to int }
	noJWT   int // no token starts before here
	pemEnd  int // the first end line at or after pemFrom
	pemFrom int
	noPEM   bool // no end line at all after pemFrom
}

// any says whether there is a secret at all.
func (f *finder) any() bool {
	if len(f.s) < 8 {
		return false
	}
	for a := range len(anchors) {
		for i := 0; ; i++ {
			next := strings.IndexByte(f.s[i:], anchors[a])
			if next < 0 {
				break
			}
			i += next
			if anchors[a]|0x20 == 'b' && !f.mayAuthorize(i) {
				continue // most words with a b
			}
			if _, ok := f.at(i); ok {
				return true
			}
		}
	}
	return false
}

// at returns the secret whose anchor is at i.
func (f *finder) at(i int) (secret, bool) {
	switch f.s[i] {
	case '-':
		if strings.HasPrefix(f.s[i:], pemBegin) {
			return f.pem(i)
		}
		return f.key(i)
	case '_':
		return f.key(i)
	case '=':
		return f.value(i)
	case 'I':
		return f.upper(i)
	case 'J':
		return f.jwt(i)
	default:
		return f.authorization(i)
	}
}

// mark is the fixed part of a kind of key, up to its anchor.
type mark struct {
	text  string
	least int // characters that follow
	how   traits
}

// traits say how surely a mark tells a key from a word.
type traits uint8

const (
	sure  traits = 1 << iota // no word looks like it: whatever follows is a key
	loose                    // where a word begins, one digit in what follows is enough
	solid                    // what follows has neither '-' nor '_' in it
	alone                    // only where a word begins: too short to be told in the middle of base64
)

var marks = [256][]mark{ // by the byte before the anchor
	'k': {{"gsk_", 20, solid}, {"ek_", 16, 0}, {"sk-", 16, loose}},
	'i': {{"xai-", 20, solid}, {"nvapi-", 20, 0}},
	'x': {{"pplx-", 20, solid}},
	'f': {{"hf_", 20, solid | alone}},
	'8': {{"r8_", 20, solid | alone}},
	'p': {{"ghp_", 20, sure}},
	'o': {{"gho_", 20, sure}},
	'u': {{"ghu_", 20, sure}},
	's': {{"ghs_", 20, sure}},
	'r': {{"ghr_", 20, sure}},
	't': {{"github_pat_", 20, sure}, {"sk-ant-", 8, sure | alone}},
	'j': {{"sk-proj-", 8, sure | alone}},
}

// prefixed finds the keys of vendors that begin with a word and '-' or '_'.
func (f *finder) prefixed(i int) (secret, bool) {
	if i == 0 {
		return secret{}, false
	}
	for _, m := range marks[f.s[i-1]] {
		if strings.HasSuffix(f.s[:i+1], m.text) {
			if x, ok := f.marked(m, i+1); ok {
				return x, true
			}
		}
	}
	return secret{}, false
}

// key finds a key by its own mark, or by the name of the field it is in.
func (f *finder) key(i int) (secret, bool) {
	if x, ok := f.prefixed(i); ok {
		return x, true
	}
	return f.field(i)
}

// marked returns the key that follows a mark, at from.
func (f *finder) marked(m mark, from int) (secret, bool) {
	start, end := from-len(m.text), f.run(runKey, from)
	text := f.s[from:min(end, from+64)]
	if m.how&solid != 0 {
		if n := strings.IndexAny(text, "-_"); n >= 0 {
			text = text[:n]
		}
	}
	glued := f.inWord(start)
	if len(text) < m.least || glued && m.how&alone != 0 {
		return secret{}, false
	}
	ok := m.how&sure != 0 || keyLike(text, glued, m.how&loose != 0)
	return secret{start, start + min(4, len(m.text)), end}, ok
}

// inWord says whether the byte before i belongs to the same word. The letter of
// an escape in JSON, as in \n, does not.
func (f *finder) inWord(i int) bool {
	if i == 0 || is[f.s[i-1]]&inWord == 0 {
		return false
	}
	return i < 2 || f.s[i-2] != '\\' || strings.IndexByte("nrt", f.s[i-1]) < 0
}

// keyLike tells the text of a key from a word. Random text changes between
// upper case, lower case and digits all the time, words and numbers hardly ever.
// glued says that the mark is itself the end of a word, as in "task-": then only
// what is surely random counts, and no UUID.
func keyLike(s string, glued, loose bool) bool {
	if glued && isUUID(s) {
		return false
	}
	var changes, digits, longest, length int
	var last uint16
	for i := range len(s) {
		k := is[s[i]] & (lower | upper | digit)
		if k == digit {
			digits++
		}
		if k == 0 { // '-' or '_': a new word
			length, last = 0, 0
			continue
		}
		length++
		longest = max(longest, length)
		capital := length == 2 && last == upper && k == lower
		if last != 0 && k != last && !capital {
			changes++
		}
		last = k
	}
	switch {
	case changes >= 5, changes >= 2 && longest >= 30:
		return true
	case glued:
		return false
	default:
		return longest >= 20 || loose && digits > 0
	}
}

// isUUID says whether s begins with a UUID: names such as task-<uuid> are common.
func isUUID(s string) bool {
	const length = 36
	if len(s) < length || len(s) > length && is[s[length]]&inWord != 0 {
		return false
	}
	for i := range length {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && is[s[i]]&hexDigit == 0 {
			return false
		}
	}
	return true
}

// upper finds the keys of Google and the key ids of AWS.
func (f *finder) upper(i int) (secret, bool) {
	s := f.s
	if i == 0 || i+2 >= len(s) {
		return secret{}, false
	}
	start, kind, least := i-2, runUpper, 16
	switch {
	case s[i-1] == 'A' && s[i+1] == 'z' && s[i+2] == 'a':
		start, kind, least = i-1, runKey, 30
	case i >= 2 && s[i-2] == 'A' && s[i+1] == 'A' && (s[i-1] == 'K' || s[i-1] == 'S'):
	default:
		return secret{}, false
	}
	from := start + 4
	end := f.run(kind, from)
	return secret{start, from, end}, end-from >= least
}

// jwt finds JSON web tokens: two to five words of base64url with dots between.
func (f *finder) jwt(i int) (secret, bool) {
	start := i - 2
	if start < f.noJWT || f.s[start:i] != "ey" {
		return secret{}, false
	}
	end := f.run(runKey, start)
	if end-start < 10 || end == len(f.s) || f.s[end] != '.' {
		f.noJWT = end // a later start in this word ends the same way
		return secret{}, false
	}
	head, words := end, 1
	for ; words < 5 && end < len(f.s) && f.s[end] == '.'; words++ {
		end = f.run(runKey, end+1)
	}
	if words == 2 && end-head <= 10 {
		f.noJWT = head
		return secret{}, false
	}
	return secret{start, start + 3, end}, true
}

// mayAuthorize is a quick look at the letters after the b of a scheme.
func (f *finder) mayAuthorize(i int) bool {
	return i+2 < len(f.s) && (f.s[i+2]|0x20 == 'a' || f.s[i+2]|0x20 == 's')
}

// authorization finds the token after an authentication scheme.
func (f *finder) authorization(i int) (secret, bool) {
	s := f.s
	if !f.mayAuthorize(i) {
		return secret{}, false
	}
	scheme := 0
	for _, name := range [...]string{"bearer", "basic"} {
		if len(s)-i > len(name) && strings.EqualFold(s[i:i+len(name)], name) {
			scheme = len(name)
		}
	}
	if scheme == 0 {
		return secret{}, false
	}
	from := f.run(runBlank, i+scheme)
	if strings.HasPrefix(s[from:], "%20") {
		from += 3
	}
	if from == i+scheme {
		return secret{}, false
	}
	end := f.run(runToken, from)
	length := end - from
	ok := length >= 4 && afterAuthorization(s[:i])
	if scheme == len("bearer") && !ok {
		ok = length >= 20 || length >= 8 && strings.ContainsAny(s[from:end], "0123456789")
	}
	return secret{from, from, end}, ok
}

// afterAuthorization says whether s ends with the name of the header field, in
// any of the ways it is quoted.
func afterAuthorization(s string) bool {
	const name, between = "authorization", 8
	for range between {
		if s == "" || strings.IndexByte(" \t\"'`:=\\>", s[len(s)-1]) < 0 {
			break
		}
		s = s[:len(s)-1]
	}
	return len(s) >= len(name) && strings.EqualFold(s[len(s)-len(name):], name)
}
