package pricing

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Multiplier is a negotiated price: what the table says, times a factor.
type Multiplier struct {
	Team     string // "" for every team
	Provider string // name of the provider or route; "" for all
	Model    string // id; may end in "*"; "" for all
	From     string // first day (UTC), or instant, on which it holds; "" for always
	To       string // last day, or the instant at which it ends; "" for never
	Multiply string // decimal text or a fraction: "0.85", "17/20"
}

// multiplier is a Multiplier in the form that it is looked up in.
type multiplier struct {
	team, provider, model string
	prefix                bool // model is the beginning of a name
	from, to              time.Time
	factor                ratio
}

// WithMultipliers multiplies amounts that the table makes, those of overrides
// included, tokens and fees alike. Of the rules that hold for a call the first
// one is applied, once, before the amount is rounded; the cost then has the
// source "override". What a provider told is left as it is.
func WithMultipliers(rules []Multiplier) Option {
	return func(c *compiled) error {
		var all problems
		for i, r := range rules {
			m, err := c.newMultiplier(r)
			if err != nil {
				all.add(fmt.Errorf("multiplier %d: %w", i+1, err))
				continue
			}
			c.multipliers = append(c.multipliers, m)
		}
		return all.err()
	}
}

func (c *compiled) newMultiplier(r Multiplier) (m multiplier, err error) {
	m = multiplier{team: r.Team, provider: strings.ToLower(r.Provider), model: strings.ToLower(r.Model)}
	if p := c.names[m.provider]; p != nil {
		m.provider = p.id
	}
	m.model, m.prefix = strings.CutSuffix(m.model, "*")
	if m.factor, err = parseFraction(r.Multiply); err != nil {
		return m, fmt.Errorf("multiply: %w", err)
	}
	if m.from, err = parseFrom(r.From); err != nil {
		return m, err
	}
	if m.to, err = parseFrom(r.To); err != nil {
		return m, fmt.Errorf("to: %q is neither a date nor an instant", r.To)
	}
	if r.To != "" && len(r.To) == len(time.DateOnly) {
		m.to = m.to.AddDate(0, 0, 1) // a last day is meant with its evening
	}
	if r.To != "" && !m.from.Before(m.to) {
		return m, errors.New("it ends before it begins")
	}
	return m, nil
}

// parseFraction reads a positive number as decimal text or as a/b of whole numbers.
func parseFraction(text string) (ratio, error) {
	top, bottom, ok := strings.Cut(strings.TrimSpace(text), "/")
	if !ok {
		return parseRatio(top)
	}
	a, err := parseRatio(strings.TrimSpace(top))
	if err != nil {
		return ratio{}, err
	}
	b, err := parseRatio(strings.TrimSpace(bottom))
	if err != nil {
		return ratio{}, err
	}
	return newRatio(a.num*b.den, a.den*b.num)
}

// fits says whether the rule is about the provider and the model of a match.
func (r *multiplier) fits(k key, m *match, name string) bool {
	switch r.provider {
	case "", m.p.id, strings.ToLower(k.route), strings.ToLower(k.provider):
	default:
		return false
	}
	if r.model == "" {
		return true
	}
	names := []string{strings.ToLower(name), strings.ToLower(k.response), strings.ToLower(k.request)}
	if m.m != nil {
		names = append(names, m.m.id)
	}
	for _, n := range names {
		if n == r.model || r.prefix && strings.HasPrefix(n, r.model) {
			return true
		}
	}
	return false
}

// holds says whether the rule is about the team and the time.
func (r *multiplier) holds(team string, at time.Time) bool {
	return (r.team == "" || r.team == team) && !at.Before(r.from) && (r.to.IsZero() || at.Before(r.to))
}

// negotiated returns the factor of a call, and whether there is one.
func (m *match) negotiated(team string, at time.Time) (ratio, bool) {
	for _, r := range m.multipliers {
		if r.holds(team, at) {
			return r.factor, true
		}
	}
	return one, false
}

func (r *multiplier) text() string {
	text := "negotiated"
	if r.team != "" {
		text += " for team " + r.team
	}
	if !r.from.IsZero() {
		text += " from " + day(r.from)
	}
	if !r.to.IsZero() {
		text += " before " + day(r.to)
	}
	return text
}

// day writes an instant, at midnight as a date.
func day(t time.Time) string {
	return strings.TrimSuffix(t.UTC().Format("2006-01-02 15:04 UTC"), " 00:00 UTC")
}
