// Package redact takes personal data out of calls before anybody keeps them: e-mail
// addresses, phone and card numbers, bank accounts, national ids, network addresses,
// and whatever users describe by a pattern.
//
// What has a check digit is checked by it, so that a match is a value that can exist.
// Names, addresses and other things that only their meaning tells are not found.
// Secrets are another matter: package recorder takes them out, always.
//
// Text is gone through once, in time linear in it; a pattern of the user's own goes
// through it once more (RE2).
package redact

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spanwire/spanwire/llm"
)

// Attribute is the prefix of the attributes that say what was taken out of a call,
// kind by kind: how often.
const Attribute = "spanwire.redacted."

// maxText bounds the text that is gone through. A longer one is not kept at all: what
// nobody looked through may hold anything.
const maxText = 32 << 20

// unscanned is the kind of texts that were longer.
const unscanned = "unscanned"

// Redactor takes out what its rules say. It is safe for concurrent use.
type Redactor struct {
	all   *rules
	teams map[string]*rules
	key   []byte
	seen  *Counts
}

// rules are compiled Rules; nil looks for nothing.
type rules struct {
	actions [kinds]Action // "" for what is not looked for
	wanted  kindSet
	custom  []custom
	in      map[string]bool
}

type custom struct {
	kind   string
	re     *regexp.Regexp
	action Action
}

// New makes a redactor, or none (nil, which does nothing) when cfg looks for nothing.
// key is for hashes; seen counts what is found.
func New(cfg Config, key []byte, seen *Counts) (*Redactor, error) {
	if err := cfg.Validate(len(key) > 0); err != nil {
		return nil, err
	}
	if !cfg.On() {
		return nil, nil
	}
	r := &Redactor{all: cfg.Rules.compile(), teams: map[string]*rules{}, key: key, seen: seen}
	for name, t := range cfg.Teams {
		r.teams[name] = t.over(cfg.Rules).compile()
	}
	return r, nil
}

func (r Rules) compile() *rules {
	if !r.on() {
		return nil
	}
	out := &rules{in: map[string]bool{Prompts: true, Answers: true, ToolArguments: true}}
	for _, name := range Kinds() {
		k, _ := kindOf(name)
		if a := cmp.Or(r.Kinds[name], r.Kinds[all]); a != "" {
			out.actions[k], out.wanted = a, out.wanted|1<<k
		}
	}
	for _, c := range r.Custom {
		out.custom = append(out.custom, custom{c.Kind, regexp.MustCompile(c.Pattern), cmp.Or(c.Action, Mask)}) // it was validated
	}
	if r.In != nil {
		clear(out.in)
		for _, p := range r.In {
			out.in[p] = true
		}
	}
	return out
}

// Redact takes out of a call what the rules of its team say, and sets an attribute for
// each kind that it found. A nil redactor does nothing.
func (r *Redactor) Redact(c *llm.Call) {
	if r == nil {
		return
	}
	rs, own := r.teams[c.Attribution.Team]
	if !own {
		rs = r.all
	}
	if rs == nil {
		return
	}
	c.Raw = nil // nobody knows where in it a name stands
	w := work{rules: rs, key: r.key}
	w.call(c)
	for _, kind := range slices.Sorted(maps.Keys(w.found)) {
		c.SetAttr(Attribute+kind, w.found[kind])
		r.seen.add(kind, w.found[kind])
	}
}

// work is the redaction of one call.
type work struct {
	*rules
	key   []byte
	found map[string]int64
	spans []span
	depth int // of JSON within strings of JSON
}

func (w *work) count(kind string) {
	if w.found == nil {
		w.found = map[string]int64{}
	}
	w.found[kind]++
}

// hash is a keyed digest of a value, in the form in which the same value is always
// written: equal ones can be joined, and none can be guessed without the key.
func (w *work) hash(kind, value string) string {
	m := hmac.New(sha256.New, w.key)
	m.Write([]byte(kind))
	m.Write([]byte{0})
	m.Write([]byte(value))
	return hex.EncodeToString(m.Sum(nil)[:8])
}

// instead is what stands in the place of a value.
func (w *work) instead(s *span, text string) string {
	w.count(s.kind)
	switch s.action {
	case Drop:
		return ""
	case Hash:
		return fmt.Sprintf("[%s:%s]", s.kind, w.hash(s.kind, s.canonical(text[s.start:s.end])))
	}
	return "[" + s.kind + "]"
}

// text returns s without what was looked for; s itself when there was nothing.
func (w *work) text(s string) string {
	if s == "" {
		return s
	}
	if len(s) > maxText {
		w.count(unscanned)
		return ""
	}
	spans := w.find(s)
	if len(spans) == 0 {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	at := 0
	for i := range spans {
		out.WriteString(s[at:spans[i].start])
		out.WriteString(w.instead(&spans[i], s))
		at = spans[i].end
	}
	out.WriteString(s[at:])
	return out.String()
}

// span is something that was found in a text.
type span struct {
	start, end int
	kind       string
	action     Action
	known      kind // none for a kind of the user's own
}

// canonical is how a value is written for its hash.
func (s *span) canonical(value string) string {
	switch s.known {
	case email:
		return strings.ToLower(value)
	case phone:
		return keep(strings.TrimPrefix(value, "00"), digitByte)
	case card:
		return keep(value, digitByte)
	case iban, nationalID:
		return strings.ToUpper(keep(value, digitByte|upperByte|lowerByte))
	case ipAddress:
		return strings.ToLower(value)
	}
	return value
}

// find returns what is looked for in s, in order and without overlap. The result is
// good until the next call.
func (w *work) find(s string) []span {
	w.spans = w.spans[:0]
	if w.wanted != 0 {
		f := finder{s: s, want: w.wanted}
		for m, ok := f.next(0); ok; m, ok = f.next(m.end) {
			w.spans = append(w.spans, span{m.start, m.end, m.kind.String(), w.actions[m.kind], m.kind})
		}
	}
	if len(w.custom) == 0 {
		return w.spans
	}
	for _, c := range w.custom {
		for _, at := range c.re.FindAllStringIndex(s, -1) {
			if at[0] < at[1] {
				w.spans = append(w.spans, span{at[0], at[1], c.kind, c.action, none})
			}
		}
	}
	// What overlaps becomes one, of the kind that begins first: no part of it stays.
	slices.SortStableFunc(w.spans, func(a, b span) int { return cmp.Or(a.start-b.start, b.end-a.end) })
	out := w.spans[:0]
	for _, x := range w.spans {
		if n := len(out); n > 0 && x.start < out[n-1].end {
			out[n-1].end = max(out[n-1].end, x.end)
			continue
		}
		out = append(out, x)
	}
	return out
}

// Counts is how often each kind was found, in all calls. The kinds are fixed when it is
// made; others count as "other".
type Counts struct{ n map[string]*atomic.Int64 }

const other = "other"

// NewCounts makes counts for all kinds, those of cfg among them.
func NewCounts(cfg Config) *Counts {
	c := &Counts{n: map[string]*atomic.Int64{}}
	names := append(Kinds(), unscanned, other)
	for _, r := range append(slices.Collect(maps.Values(cfg.Teams)), cfg.Rules) {
		for _, x := range r.Custom {
			names = append(names, x.Kind)
		}
	}
	for _, name := range names {
		c.n[name] = new(atomic.Int64)
	}
	return c
}

func (c *Counts) add(kind string, n int64) {
	if _, known := c.n[kind]; !known {
		kind = other
	}
	c.n[kind].Add(n)
}

// Names returns what is counted, in order.
func (c *Counts) Names() []string { return slices.Sorted(maps.Keys(c.n)) }

// Get returns how often a kind was found.
func (c *Counts) Get(kind string) int64 { return c.n[kind].Load() }
