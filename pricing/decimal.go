package pricing

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// decimal is a non-negative decimal number as it was written: n × 10^exp.
type decimal struct {
	n   uint64
	exp int
}

var errNotDecimal = errors.New("not a decimal number")

// parseDecimal reads a JSON number, or the same in quotes. It never goes through
// floating point. Negative numbers, and more digits than 18, are refused.
func parseDecimal(text string) (decimal, error) {
	s := text
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	if strings.HasPrefix(s, "-") {
		return decimal{}, fmt.Errorf("%.40s is negative", text)
	}
	mantissa, exp, hasExp := cutExponent(s)
	d := decimal{}
	if hasExp {
		e, err := parseExponent(exp)
		if err != nil {
			return decimal{}, fmt.Errorf("%.40q: %w", text, err)
		}
		d.exp = e
	}
	digits, point := 0, false
	for _, c := range []byte(mantissa) {
		switch {
		case c == '.' && !point && digits > 0:
			point = true
		case c >= '0' && c <= '9':
			digits++
			if d.n > (1<<63-10)/10 {
				return decimal{}, fmt.Errorf("%.40q has too many digits", text)
			}
			d.n = d.n*10 + uint64(c-'0')
			if point {
				d.exp--
			}
		default:
			return decimal{}, fmt.Errorf("%.40q: %w", text, errNotDecimal)
		}
	}
	if digits == 0 || mantissa[len(mantissa)-1] == '.' {
		return decimal{}, fmt.Errorf("%.40q: %w", text, errNotDecimal)
	}
	for d.n != 0 && d.n%10 == 0 {
		d.n, d.exp = d.n/10, d.exp+1
	}
	if d.n == 0 {
		d.exp = 0
	}
	return d, nil
}

// String returns the number without an exponent and without needless zeros.
func (d decimal) String() string {
	s := strconv.FormatUint(d.n, 10)
	if d.exp >= 0 {
		return s + strings.Repeat("0", d.exp)
	}
	if len(s) <= -d.exp {
		s = strings.Repeat("0", 1-d.exp-len(s)) + s
	}
	return s[:len(s)+d.exp] + "." + s[len(s)+d.exp:]
}

func cutExponent(s string) (mantissa, exp string, ok bool) {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func parseExponent(s string) (int, error) {
	sign := 1
	switch {
	case strings.HasPrefix(s, "-"):
		sign, s = -1, s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	if s == "" || len(s) > 2 {
		return 0, errNotDecimal
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, errNotDecimal
		}
		n = n*10 + int(c-'0')
	}
	return sign * n, nil
}

// scaled returns the number times 10^shift as a whole number. ok is false when it
// is not whole, or does not fit.
func (d decimal) scaled(shift int) (n int64, ok bool) {
	v := d.n
	if v == 0 {
		return 0, true
	}
	for e := d.exp + shift; e != 0; {
		if e < 0 { // trailing zeros were taken off: nothing divides by ten any more
			return 0, false
		}
		hi, lo := bits.Mul64(v, 10)
		if hi != 0 || lo > 1<<63-1 {
			return 0, false
		}
		v, e = lo, e-1
	}
	return int64(v), true
}

// ratio is a positive rational number in lowest terms; the zero value is not one.
type ratio struct{ num, den int64 }

var one = ratio{1, 1}

// maxTerm bounds the terms of every factor of a table, so that products of them
// and of any rate fit into the 128 bits that the sums are made in.
const maxTerm = 10_000

func newRatio(num, den int64) (ratio, error) {
	if num <= 0 || den <= 0 {
		return ratio{}, fmt.Errorf("factor %d/%d is not positive", num, den)
	}
	g := gcd(num, den)
	r := ratio{num / g, den / g}
	if r.num > maxTerm || r.den > maxTerm {
		return ratio{}, fmt.Errorf("factor %d/%d has terms above %d", r.num, r.den, maxTerm)
	}
	return r, nil
}

func parseRatio(text string) (ratio, error) {
	d, err := parseDecimal(text)
	if err != nil {
		return ratio{}, err
	}
	n, den := int64(0), int64(1)
	for shift := range 5 {
		if v, ok := d.scaled(shift); ok {
			n = v
			return newRatio(n, den)
		}
		den *= 10
	}
	return ratio{}, fmt.Errorf("factor %s has more than 4 decimals", text)
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
