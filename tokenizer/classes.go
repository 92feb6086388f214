package tokenizer

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// classText is Unicode 16.0.0, which the vocabularies' own splitters use. Go's
// tables are of another version, and change with the toolchain.
//
//go:embed vocabularies/unicode-16.0.0.txt
var classText string

// class is what the splitters tell apart of a character, as a set of bits.
type class uint8

const (
	letter  class = 1 << iota // \p{L}
	number                    // \p{N}
	space                     // \s
	newline                   // \r or \n
	upper                     // may stand in the upper-case run of a word: Lu Lt Lm Lo M
	lower                     // may stand in the lower-case run of a word: Ll Lm Lo M
)

const (
	word = upper | lower           // of a word, for o200k: a letter or a mark
	bare = letter | number | space // what a run of symbols is without
	firm = letter | number | newline
)

var classNames = map[string]class{
	"upper": letter | upper, "lower": letter | lower, "caseless": letter | upper | lower,
	"mark": upper | lower, "number": number, "space": space,
}

// classes is a table in two stages: a block of 128 characters, and the class in it.
type classes struct {
	ascii  [128]class
	blocks [(utf8.MaxRune + 1) >> 7]uint16
	block  [][128]class
}

var unicode16 = sync.OnceValue(readClasses)

func readClasses() *classes {
	flat := make([]class, utf8.MaxRune+1)
	var now class
	for line := range strings.Lines(classText) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			name, _, _ = strings.Cut(name, "]")
			now = classNames[name]
			continue
		}
		for r := range strings.FieldsSeq(line) {
			lo, hi := codePoints(r)
			for i := lo; i <= hi; i++ {
				flat[i] |= now
			}
		}
	}
	flat['\r'] |= newline
	flat['\n'] |= newline
	c := &classes{}
	copy(c.ascii[:], flat)
	seen := map[[128]class]uint16{}
	for i := range c.blocks {
		b := [128]class(flat[i<<7 : i<<7+128])
		at, ok := seen[b]
		if !ok {
			at = uint16(len(c.block))
			seen[b] = at
			c.block = append(c.block, b)
		}
		c.blocks[i] = at
	}
	return c
}

func codePoints(r string) (lo, hi int64) {
	first, last, ok := strings.Cut(r, "-")
	if !ok {
		last = first
	}
	lo, err := strconv.ParseInt(first, 16, 32)
	if err == nil {
		hi, err = strconv.ParseInt(last, 16, 32)
	}
	if err != nil || lo > hi || hi > utf8.MaxRune {
		panic(fmt.Sprintf("BUG: character table: range %q", r))
	}
	return lo, hi
}

// at returns the class of the character at i and how many bytes it has.
func (c *classes) at(s string, i int) (class, int) {
	if b := s[i]; b < utf8.RuneSelf {
		return c.ascii[b], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return c.block[c.blocks[r>>7]][r&127], n
}

// of returns the class of a character.
func (c *classes) of(r rune) class { return c.block[c.blocks[r>>7]][r&127] }

// run returns where the run of characters that have one of the bits of want ends.
func (c *classes) run(s string, i int, want class) int {
	for i < len(s) {
		k, n := c.at(s, i)
		if k&want == 0 {
			break
		}
		i += n
	}
	return i
}

// runWithout returns where the run of characters without any bit of not ends.
func (c *classes) runWithout(s string, i int, not class) int {
	for i < len(s) {
		k, n := c.at(s, i)
		if k&not != 0 {
			break
		}
		i += n
	}
	return i
}
