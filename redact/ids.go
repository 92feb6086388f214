package redact

import "strings"

// ibanLength is how long the account numbers of a country are (ISO 13616, the
// registry of SWIFT).
var ibanLength = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28,
	"CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
	"GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
	"LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
	"NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24,
	"SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

// iban finds an account number, in one piece or in groups: country, check digits, and
// the remainder that those make (ISO 7064, mod 97-10).
func (f *finder) iban(i int) (match, bool) {
	s := f.s
	if !f.want.has(iban) || i+4 > len(s) || class[s[i+1]]&upperByte == 0 || class[s[i+2]]&class[s[i+3]]&digitByte == 0 {
		return match{}, false
	}
	length := ibanLength[s[i:i+2]]
	if length == 0 {
		return match{}, false
	}
	var text [34]byte
	n, at := 0, i
	for at < len(s) && n < length {
		switch c := s[at]; {
		case class[c]&(digitByte|upperByte) != 0:
			text[n] = c
			n++
		case c == ' ' && at > i && s[at-1] != ' ':
		default:
			return match{}, false
		}
		at++
	}
	if n < length || !f.ends(at) {
		return match{}, false
	}
	rest := 0
	for _, c := range append(text[4:length:length], text[:4]...) {
		if class[c]&digitByte != 0 {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	return match{i, at, iban}, rest == 1
}

// isNationalID says whether digits are somebody's number with a state. Those without a
// check digit are believed in their printed form only.
func isNationalID(d []byte, g []group) bool {
	var text [2 * maxDigits]byte
	form := text[:0]
	for i, x := range g {
		if i > 0 {
			form = append(form, x.before)
		}
		for range x.end - x.start {
			form = append(form, '9')
		}
	}
	switch string(form) {
	case "999-99-9999": // United States: social security
		area := number(d[:3])
		return area != 0 && area != 666 && area < 900 && number(d[3:5]) != 0 && number(d[5:]) != 0
	case "999.999.999-99", "99999999999": // Brazil: CPF; Poland: PESEL; Germany: tax
		return isCPF(d) || len(g) == 1 && (isPESEL(d) || isSteuerID(d))
	case "99 999 999 999":
		return isSteuerID(d)
	case "9999 9999 9999": // India: Aadhaar
		return d[0] > 1 && verhoeff(d)
	case "9 99 99 99 999 999 99", "999999999999999", "9 99 99 99 99999 999 99": // France: NIR
		return isNIR(d)
	case "999999999999999999": // China
		century := number(d[6:8])
		return century >= 18 && century <= 20 && isDate(d[10:14]) && chineseRest(d[:17]) == int(d[17])
	case "999999-9999": // Sweden; Korea has seven
		return isDate(d[2:6]) && luhn(d)
	case "999999-9999999": // Korea
		return isDate(d[2:6]) && koreaCheck(d)
	}
	return false
}

func number(d []byte) (n int) {
	for _, x := range d {
		n = n*10 + int(x)
	}
	return n
}

// isDate says whether four digits are a month and a day.
func isDate(d []byte) bool {
	month, day := number(d[:2]), number(d[2:4])
	return month >= 1 && month <= 12 && day >= 1 && day <= 31
}

func weighed(d []byte, weights ...int) (sum int) {
	for i, w := range weights {
		sum += w * int(d[i])
	}
	return sum
}

func isCPF(d []byte) bool {
	first := weighed(d, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
	second := weighed(d, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
	return int(d[9]) == first && int(d[10]) == second && !repeated(d)
}

func isPESEL(d []byte) bool {
	month := number(d[2:4]) % 20 // the century is in the month
	day := number(d[4:6])
	return month >= 1 && month <= 12 && day >= 1 && day <= 31 && (10-weighed(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)%10)%10 == int(d[10])
}

// isSteuerID checks the German tax number: ISO 7064, mod 11,10, and of the first ten
// digits one comes twice or three times and the others once at most.
func isSteuerID(d []byte) bool {
	var seen [10]int
	product := 10
	for _, x := range d[:10] {
		seen[x]++
		sum := (int(x) + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = 2 * sum % 11
	}
	more := 0
	for _, n := range seen {
		if n > 3 {
			return false
		}
		if n > 1 {
			more++
		}
	}
	return d[0] != 0 && more == 1 && (11-product)%10 == int(d[10])
}

// isNIR checks the French number: sex, year, month, place, and 97 less the rest.
func isNIR(d []byte) bool {
	month := number(d[3:5])
	return (d[0] == 1 || d[0] == 2) && (month >= 1 && month <= 12 || month >= 20) && 97-number(d[:13])%97 == number(d[13:])
}

func koreaCheck(d []byte) bool {
	return d[6] >= 1 && d[6] <= 8 && (11-weighed(d, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)%11)%10 == int(d[12])
}

var (
	dihedral = [10][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7}, {4, 0, 1, 2, 3, 9, 5, 6, 7, 8},
		{5, 9, 8, 7, 6, 0, 4, 3, 2, 1}, {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3}, {8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
	}
	permuted = [8][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
		{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
	}
)

// verhoeff checks digits by the dihedral group of order ten.
func verhoeff(d []byte) bool {
	c := byte(0)
	for i := range d {
		c = dihedral[c][permuted[i%8][d[len(d)-1-i]]]
	}
	return c == 0
}

const dniLetters = "TRWAGMYFPDXBNJZSQVHLCKE"

// dni finds the Spanish number of eight digits and their letter, and the Chinese one of
// seventeen digits and X.
func (f *finder) dni(i int, r *run) (match, bool) {
	if !f.want.has(nationalID) || r.m == 0 || r.groups[0].start != i {
		return match{}, false
	}
	g := r.groups[0]
	n, at := g.end-g.start, g.end
	if n == 8 && at < len(f.s) && f.s[at] == '-' {
		at++
	}
	if at >= len(f.s) || !f.ends(at+1) {
		return match{}, false
	}
	d := r.digits[:n]
	switch {
	case n == 8 && f.s[at] == dniLetters[number(d)%23]:
	case n == 17 && f.s[at] == 'X' && chineseRest(d) == 10:
	default:
		return match{}, false
	}
	return match{i, at + 1, nationalID}, true
}

// chineseRest is the last digit of a resident's number (GB 11643, ISO 7064 mod 11-2).
func chineseRest(d []byte) int {
	return (12 - weighed(d, 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)%11) % 11
}

// letteredID finds the numbers that begin with letters: national insurance (United
// Kingdom), NIE (Spain), codice fiscale (Italy).
func (f *finder) letteredID(i int) (match, bool) {
	if !f.want.has(nationalID) {
		return match{}, false
	}
	var text [16]byte
	n, at := 0, i
	for at < len(f.s) && n < len(text) && class[f.s[at]]&(digitByte|upperByte) != 0 || at < len(f.s) && n > 0 && n < 9 && f.s[at] == ' ' {
		if f.s[at] != ' ' {
			text[n] = f.s[at]
			n++
			if n == 9 && at-i <= 13 && isNINO(text[:9]) && f.ends(at+1) {
				return match{i, at + 1, nationalID}, true
			}
			if n == 9 && at-i == 8 && isNIE(text[:9]) && f.ends(at+1) {
				return match{i, at + 1, nationalID}, true
			}
		}
		at++
	}
	return match{i, at, nationalID}, n == 16 && at-i == 16 && isCodice(text[:]) && f.ends(at)
}

// isNINO: two letters, six digits, a suffix A to D.
func isNINO(t []byte) bool {
	if strings.IndexByte("DFIQUV", t[0]) >= 0 || strings.IndexByte("DFIQUVO", t[1]) >= 0 || class[t[0]]&class[t[1]]&upperByte == 0 || t[8] < 'A' || t[8] > 'D' {
		return false
	}
	for _, c := range t[2:8] {
		if class[c]&digitByte == 0 {
			return false
		}
	}
	return true
}

// isNIE: X, Y or Z, seven digits, the letter of the number that they make.
func isNIE(t []byte) bool {
	first := strings.IndexByte("XYZ", t[0])
	if first < 0 {
		return false
	}
	n := first
	for _, c := range t[1:8] {
		if class[c]&digitByte == 0 {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return t[8] == dniLetters[n%23]
}

// codiceOdd is what the characters at odd places count.
var codiceOdd = [...]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

// isCodice: LLLLLLDDLDDLDDDL, the last one by the others (decree of 23 December 1976).
func isCodice(t []byte) bool {
	sum := 0
	for i, c := range t {
		letter := class[c]&upperByte != 0
		if letter != ("LLLLLL..L..L...L"[i] == 'L') {
			return false
		}
		if i == 15 {
			break
		}
		v := int(c - '0')
		if letter {
			v = int(c - 'A')
		}
		if i%2 == 0 {
			v = codiceOdd[v]
		}
		sum += v
	}
	return int(t[15]-'A') == sum%26
}
