package redact

import "net/netip"

const (
	// maxRun and maxDigits bound what is read as one number: a card has 19 digits.
	maxRun    = 40
	maxDigits = 24
)

// run is digits with what people write between them.
type run struct {
	s      string
	digits [maxDigits]byte // as numbers
	n      int
	groups [maxDigits]group
	m      int
}

// group is digits without anything between them.
type group struct {
	start, end int  // in the text
	from       int  // its first digit
	before     byte // what stands before it: 0, ' ', '-', '.', '/', '(', ')' or 'x' for several
}

// number finds values made of digits: it reads what looks like one number, and tries
// the longest that could be something first.
func (f *finder) number(i int) (match, bool) {
	if m, ok := f.ipv4(i); ok {
		return m, true
	}
	if f.want&(1<<card|1<<phone|1<<nationalID|1<<iban) == 0 {
		return match{}, false
	}
	var r run
	f.read(&r, i)
	if r.m == 0 || f.s[i] == '(' && (r.groups[0].end == len(f.s) || f.s[r.groups[0].end] != ')') {
		return match{}, false // a parenthesis that only surrounds it
	}
	for last := r.m - 1; last >= 0; last-- {
		g := r.groups[last]
		if !f.ends(g.end) {
			continue
		}
		n := g.from + g.end - g.start
		if k := f.kind(&r, i, n, last+1); k != none {
			return match{i, g.end, k}, true
		}
	}
	return f.dni(i, &r)
}

// read reads the run that begins at i.
func (f *finder) read(r *run, i int) {
	r.s = f.s
	before, at := byte(0), i
	for at < len(f.s) && at-i <= maxRun && r.m < maxDigits {
		c := f.s[at]
		if class[c]&digitByte == 0 {
			switch c {
			case ' ', '-', '.', '/', '(', ')':
			case '+':
				if at != i {
					return
				}
			default:
				return
			}
			switch {
			case at == i:
				before = c
			case r.m == 0: // nothing stands between '+' or '(' and the first digit
				return
			case before == 0:
				before = c
			case at-r.end() >= 3: // too far apart
				return
			default:
				before = 'x'
			}
			at++
			continue
		}
		end := f.digits(at)
		if r.n+end-at > maxDigits {
			return
		}
		r.groups[r.m] = group{at, end, r.n, before}
		for ; at < end; at++ {
			r.digits[r.n] = f.s[at] - '0'
			r.n++
		}
		r.m++
		before = 0
	}
}

// end is where the last group ends.
func (r *run) end() int {
	if r.m == 0 {
		return 0
	}
	return r.groups[r.m-1].end
}

// kind says what the first n digits are, which are in the first m groups.
func (f *finder) kind(r *run, i, n, m int) kind {
	d, g := r.digits[:n], r.groups[:m]
	plain := r.s[i] != '+' && r.s[i] != '('
	if plain && f.want.has(nationalID) && isNationalID(d, g) {
		return nationalID
	}
	if plain && f.want.has(card) && isCard(d, g) {
		return card
	}
	if f.want.has(phone) && isPhone(r.s[i], d, g) {
		return phone
	}
	return none
}

// ipv4 finds four numbers with dots between them.
func (f *finder) ipv4(i int) (match, bool) {
	const most = 15
	if !f.want.has(ipAddress) || class[f.s[i]]&digitByte == 0 {
		return match{}, false
	}
	end, dots := i, 0
	for end < len(f.s) && end-i < most+1 && (class[f.s[end]]&digitByte != 0 || f.s[end] == '.') {
		if f.s[end] == '.' {
			if dots++; dots > 3 {
				break
			}
		}
		end++
	}
	if dots < 3 || !f.ends(end) {
		return match{}, false
	}
	a, err := netip.ParseAddr(f.s[i:end])
	if err != nil || a.IsUnspecified() || a.IsLoopback() {
		return match{}, false
	}
	return match{i, end, ipAddress}, true
}

// isCard says whether digits are the number of a payment card: an issuer's first
// digits, and the check digit of ISO/IEC 7812-1 (Luhn).
func isCard(d []byte, g []group) bool {
	if len(d) < 13 || len(d) > 19 || !sameBetween(g, ' ', '-') {
		return false
	}
	two := int(d[0])*10 + int(d[1])
	switch {
	case d[0] == 4, two >= 51 && two <= 55, two >= 22 && two <= 27, two == 34, two == 37, two == 35, two == 36, two == 38, two == 30, d[0] == 6, two == 50, two >= 56 && two <= 58:
	default:
		return false
	}
	return luhn(d) && !repeated(d)
}

// sameBetween says whether all groups are parted by the same one of some bytes.
func sameBetween(g []group, by ...byte) bool {
	if len(g) == 1 {
		return true
	}
	for _, b := range by {
		same := true
		for _, x := range g[1:] {
			same = same && x.before == b
		}
		if same {
			return true
		}
	}
	return false
}

func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		x := int(d[len(d)-1-i])
		if i%2 == 1 {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	return sum%10 == 0
}

func repeated(d []byte) bool {
	for _, x := range d[1:] {
		if x != d[0] {
			return false
		}
	}
	return true
}

// isPhone says whether digits are a phone number: in the international form (ITU-T
// E.164), in that of North America, or with a trunk 0 and parted as people do.
func isPhone(first byte, d []byte, g []group) bool {
	switch {
	case first == '+':
		return len(d) >= 8 && len(d) <= 15 && d[0] != 0
	case len(d) >= 10 && d[0] == 0 && d[1] == 0:
		return len(d) <= 17 && d[2] != 0 && !repeated(d[2:])
	}
	if len(g) < 2 {
		return false
	}
	// (212) 555-0123, 212-555-0123, 1-212-555-0123, 212.555.0123
	if n := northAmerican(g); n >= 0 && d[n] >= 2 && d[n+3] >= 2 && (n == 0 || d[0] == 1) {
		return true
	}
	if d[0] != 0 || d[1] == 0 || len(d) < 9 || len(d) > 12 {
		return false
	}
	for i, x := range g {
		if n := x.end - x.start; n < 2 && i > 0 || x.before == '.' && len(g) < 4 {
			return false
		}
	}
	return true
}

// northAmerican returns where the area code begins of digits that are parted 3-3-4, or
// 1-3-3-4; -1 for others.
func northAmerican(g []group) int {
	size := func(i int) int { return g[i].end - g[i].start }
	at := len(g) - 3
	if at < 0 || at > 1 || at == 1 && size(0) != 1 || size(at) != 3 || size(at+1) != 3 || size(at+2) != 4 {
		return -1
	}
	for _, x := range g[1:] {
		if x.before == '/' {
			return -1
		}
	}
	return at
}
