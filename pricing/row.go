package pricing

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// anyModel is the id of a row that prices every model of its provider that no
// other row does. Only what the operator configures may have it: for a server of
// one's own, whose models are free or all cost the same.
const anyModel = "*"

// newModel reads one row and the names that it goes by. Its prices are in currency where
// it names none of its own.
func (c *compiled) newModel(raw json.RawMessage, source llm.CostSource, currency llm.Currency) (*model, []string, error) {
	var f modelFile
	if err := decodeStrict(raw, &f); err != nil {
		return nil, nil, fmt.Errorf("model %.60q: %w", f.ID, err)
	}
	currency, err := orCurrency(f.Currency, currency)
	if err != nil {
		return nil, nil, fmt.Errorf("model %.60q: %w", f.ID, err)
	}
	m := &model{id: strings.ToLower(f.ID), source: source, currency: currency, tiers: map[string]*tier{}, tools: map[string]toolFee{},
		about: about{f.Aliases, f.Src, f.Evidence, f.Note, f.Retired}}
	if err := c.fill(m, &f); err != nil {
		return nil, nil, fmt.Errorf("model %.60q: %w", f.ID, err)
	}
	names := []string{m.id}
	for _, a := range f.Aliases {
		names = append(names, strings.ToLower(a))
	}
	for _, n := range names {
		if n == "" || len(n) > maxID || n != strings.TrimSpace(n) {
			return nil, nil, fmt.Errorf("model %.60q: %.60q is no model name", f.ID, n)
		}
	}
	return m, names, nil
}

func (c *compiled) fill(m *model, f *modelFile) error {
	if m.source == llm.CostTable {
		if m.id == anyModel {
			return errors.New("a table prices models by name")
		}
		if len(f.Src) == 0 && f.Evidence == "" {
			return errors.New("no src and no evidence: a price without provenance is not taken")
		}
		for _, s := range f.Src {
			if c.sources[s] == "" {
				return fmt.Errorf("src %q is not among the sources", s)
			}
		}
	}
	if f.Retired != "" {
		if _, err := time.Parse(time.DateOnly, f.Retired); err != nil {
			return fmt.Errorf("retired %q is not a date", f.Retired)
		}
	}
	es, err := elements(f.Price)
	if err != nil {
		return fmt.Errorf("price: %w", err)
	}
	for _, e := range es {
		p, err := c.newPeriod(e, m.currency)
		if err != nil {
			return fmt.Errorf("price: %w", err)
		}
		if n := len(m.periods); n > 0 && !p.from.After(m.periods[n-1].from) {
			return errors.New("price: the list is not ordered by from")
		}
		m.periods = append(m.periods, p)
	}
	if err := addTools(m.tools, f.Tools, m.currency); err != nil {
		return err
	}
	if err := m.addImages(f.PerImage); err != nil {
		return err
	}
	if len(m.periods) == 0 || m.empty() {
		return errors.New("no rate and no fee: leave the row out, or give 0 for free")
	}
	for i := range m.periods {
		m.timed = m.timed || m.periods[i].fees.lists(feeGPUHour)
	}
	for name, raw := range f.Tiers {
		t, err := m.newTier(raw)
		if err != nil {
			return fmt.Errorf("tier %s: %w", name, err)
		}
		m.tiers[strings.ToLower(name)] = t
	}
	return nil
}

func (m *model) empty() bool {
	if len(m.perImage) > 0 {
		return false
	}
	for i := range m.periods {
		if m.periods[i].base.has == 0 && m.periods[i].fees.has == 0 {
			return true
		}
	}
	return false
}

// maxImageFee bounds what one image can cost, in USD.
const maxImageFee = 100

func (m *model) addImages(from map[string]json.RawMessage) error {
	for key, raw := range from {
		v, err := parseFee(string(raw), 0, maxImageFee, m.currency)
		if err != nil {
			return fmt.Errorf("per_image %s: %w", key, err)
		}
		if m.perImage == nil {
			m.perImage = map[string]int64{}
		}
		m.perImage[strings.ToLower(key)] = v
	}
	return nil
}

func (c *compiled) newPeriod(raw json.RawMessage, currency llm.Currency) (period, error) {
	var p period
	ms, err := members(raw)
	if err != nil {
		return p, err
	}
	for _, m := range ms {
		if err := c.addToPeriod(&p, m, currency); err != nil {
			return p, fmt.Errorf("%s: %w", m.key, err)
		}
	}
	return p, p.chargeGPUs()
}

func (c *compiled) addToPeriod(p *period, m member, currency llm.Currency) error {
	if r, ok := rateNames[m.key]; ok {
		v, err := parseRate(string(m.value), currency)
		if err == nil {
			p.base.set(r, v)
		}
		return err
	}
	if rule, ok := feeNames[m.key]; ok {
		v, err := parseFee(string(m.value), rule.per, rule.most, currency)
		if err == nil && rule.kept {
			p.fees.set(rule.fee, v)
		}
		p.lacks = p.lacks || !rule.kept && v > 0
		return err
	}
	switch m.key {
	case "gpus":
		return p.addGPUs(string(m.value))
	case "from":
		var s string
		if err := json.Unmarshal(m.value, &s); err != nil {
			return err
		}
		t, err := parseFrom(s)
		if err == nil && t.IsZero() {
			return errors.New("empty")
		}
		p.from = t
		return err
	case "long":
		return p.addLong(m.value, currency)
	case "windows":
		return c.addWindows(p, m.value, currency)
	}
	return errors.New("not a rate or fee of the format")
}

func (p *period) addLong(raw json.RawMessage, currency llm.Currency) error {
	es, err := elements(raw)
	if err != nil {
		return err
	}
	for _, e := range es {
		rest, rates, err := splitRates(e, currency)
		if err != nil {
			return err
		}
		l := long{rates: rates}
		for _, m := range rest {
			if m.key != "min" {
				return fmt.Errorf("%s: not a rate of the format", m.key)
			}
			if l.min, err = strconv.ParseInt(string(m.value), 10, 64); err != nil || l.min < 2 {
				return fmt.Errorf("min %s is not a count of tokens", m.value)
			}
		}
		if l.min == 0 || rates.has == 0 {
			return errors.New("an entry without min or without rates")
		}
		if n := len(p.long); n > 0 && l.min <= p.long[n-1].min {
			return errors.New("the list is not ordered by min")
		}
		p.long = append(p.long, l)
	}
	return nil
}

func (c *compiled) addWindows(p *period, raw json.RawMessage, currency llm.Currency) error {
	es, err := elements(raw)
	if err != nil {
		return err
	}
	for _, e := range es {
		rest, rates, err := splitRates(e, currency)
		if err != nil {
			return err
		}
		w := window{rates: rates}
		if err := c.fillWindow(&w, rest); err != nil {
			return err
		}
		if len(w.spans) == 0 || rates.has == 0 {
			return errors.New("an entry without hours or without rates")
		}
		p.windows = append(p.windows, w)
	}
	return nil
}

func (c *compiled) fillWindow(w *window, rest []member) error {
	obj := map[string]json.RawMessage{}
	for _, m := range rest {
		obj[m.key] = m.value
	}
	joined, err := json.Marshal(obj)
	if err != nil {
		return err
	}
	var f windowFile
	if err := decodeStrict(joined, &f); err != nil {
		return err
	}
	for _, s := range f.UTC {
		span, err := parseSpan(s)
		if err != nil {
			return err
		}
		w.spans = append(w.spans, span)
	}
	if len(f.Days) == 0 {
		f.Days = []int{1, 2, 3, 4, 5, 6, 7}
	}
	for _, d := range f.Days {
		if d < 1 || d > 7 {
			return fmt.Errorf("day %d is not an ISO weekday", d)
		}
		w.days[d] = true
	}
	if f.Holidays != "" {
		if w.holidays = c.calendars[f.Holidays]; w.holidays == nil {
			return fmt.Errorf("no holidays %q in the table", f.Holidays)
		}
	}
	return nil
}

// parseSpan reads "01:00-04:00" into minutes of the day.
func parseSpan(s string) (span [2]int, err error) {
	from, to, ok := strings.Cut(s, "-")
	if !ok {
		return span, fmt.Errorf("hours %q are not of the form 01:00-04:00", s)
	}
	for i, part := range []string{from, to} {
		if part == "24:00" {
			span[i] = 24 * 60
			continue
		}
		t, err := time.Parse("15:04", part)
		if err != nil {
			return span, fmt.Errorf("hours %q are not of the form 01:00-04:00", s)
		}
		span[i] = t.Hour()*60 + t.Minute()
	}
	if span[0] >= span[1] {
		return span, fmt.Errorf("hours %q end before they begin: split them at midnight", s)
	}
	return span, nil
}

// splitRates takes the token rates out of an object; the other members are returned.
func splitRates(raw json.RawMessage, currency llm.Currency) (rest []member, rates rateSet, err error) {
	ms, err := members(raw)
	if err != nil {
		return nil, rates, err
	}
	for _, m := range ms {
		r, ok := rateNames[m.key]
		if !ok {
			rest = append(rest, m)
			continue
		}
		v, err := parseRate(string(m.value), currency)
		if err != nil {
			return nil, rates, fmt.Errorf("%s: %w", m.key, err)
		}
		rates.set(r, v)
	}
	return rest, rates, nil
}

func (m *model) newTier(raw json.RawMessage) (*tier, error) {
	rest, rates, err := splitRates(raw, m.currency)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%s: not a rate of the format", rest[0].key)
	}
	if rates.has == 0 {
		return nil, errors.New("no rates")
	}
	t := &tier{rates: rates}
	for i := range m.periods {
		in, err := t.factor(&m.periods[i], rInput)
		if err != nil {
			return nil, err
		}
		out, err := t.factor(&m.periods[i], rOutput)
		if err != nil {
			return nil, err
		}
		t.scale = append(t.scale, [2]ratio{in, out})
	}
	return t, nil
}

// factor is by how much the rates of one side that the tier does not list differ
// from the ordinary ones: as the side's main rate does.
func (t *tier) factor(p *period, side rate) (ratio, error) {
	if !t.needsFactor(p, side.output()) {
		return one, nil
	}
	base, own := p.base.v[side], t.rates.v[side]
	switch {
	case !p.base.lists(side) || !t.rates.lists(side):
		return one, errors.New("it lists neither all rates nor the input and output that the others follow")
	case base == own:
		return one, nil
	}
	r, err := newRatio(own, base)
	if err != nil {
		return one, fmt.Errorf("%w: list all rates of the tier", err)
	}
	return r, nil
}

// needsFactor says whether a rate of the side may be in force that the tier does not list.
func (t *tier) needsFactor(p *period, output bool) bool {
	needs := func(s *rateSet, listed bool) bool {
		for r := range tokenRates {
			if r.output() == output && s.lists(r) && !(listed && t.rates.lists(r)) {
				return true
			}
		}
		return false
	}
	if needs(&p.base, true) {
		return true
	}
	for i := range p.long {
		if needs(&p.long[i].rates, false) {
			return true
		}
	}
	for i := range p.windows {
		if needs(&p.windows[i].rates, false) {
			return true
		}
	}
	return false
}
