package pricing

import (
	"math/bits"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// card is the token rates that are in force for one request: numerators over one
// denominator a side.
type card struct {
	num rateSet
	den [2]uint64 // input side, output side
}

// sums are the parts of a cost, each over the denominator of its side.
type sums struct {
	card
	fees    *period
	parts   [parts]wide // token charges
	flat    [parts]wide // fees, over perHour
	fail    llm.CostStatus
	charged bool // there is a fee
	timed   bool // the row is priced by the time that a call took: what has no other price is in it
}

// perHour is the denominator of fees: an hour in milliseconds.
const perHour = 3_600_000

// deal is what a cost depends on beside the match and the usage.
type deal struct {
	at   time.Time
	took time.Duration // 0: not known
	team string
	rest bool // a later step of a call whose time was charged already
}

// cost makes the amount that match says for what was used.
func (c *compiled) cost(m *match, d deal, u *llm.Usage) llm.Cost {
	unset := llm.Cost{Source: llm.CostUnset, Price: m.price}
	switch {
	case !u.Known() && (m.m == nil || !m.m.timed):
		unset.Status, unset.Price = llm.CostNoUsage, ""
		return unset
	case m.m == nil && !m.free:
		unset.Status = llm.CostUnknownModel
		return unset
	case m.m == nil && toolsUsed(u):
		unset.Status = llm.CostToolUnpriced
		return unset
	case m.m == nil:
		return llm.Cost{Source: llm.CostTable, Status: status(u, false), Price: m.price}
	}
	if d.at.IsZero() {
		d.at = c.asOfTime
	}
	p, i := m.m.at(d.at)
	if p == nil {
		unset.Status = llm.CostUnknownModel
		return unset
	}
	s := sums{fees: p, timed: p.fees.lists(feeGPUHour)}
	if (s.timed && d.took <= 0) || (!s.timed && !u.Known()) {
		unset.Status = llm.CostNoUsage
		return unset
	}
	unsure, ok := m.rates(&s.card, p, i, d.at, u)
	if !ok {
		unset.Status = llm.CostTierUnpriced
		return unset
	}
	s.tokens(u)
	if u.Bits()>>len(charges) != 0 {
		unsure = s.units(m.m, u) || unsure
		s.tools(m, u)
	}
	if p.fees.lists(feeRequest) {
		s.fee(partTools, 1, p.fees.v[feeRequest], 1)
	}
	if s.timed && !d.rest {
		s.fee(partTools, d.took.Round(time.Millisecond).Milliseconds(), p.fees.v[feeGPUHour], perHour)
	}
	if s.fail != "" {
		unset.Status = s.fail
		return unset
	}
	factor, negotiated := m.negotiated(d.team, d.at)
	cost, ok := s.total(factor)
	if !ok {
		unset.Status = llm.CostInconsistentUsage
		return unset
	}
	cost.Source, cost.Price, cost.Currency = m.m.source, m.price, m.m.currency
	if negotiated {
		cost.Source = llm.CostOverride
	}
	if s.timed && p.base.has == 0 { // no count of tokens is in the amount
		cost.Status = llm.CostOK
		return cost
	}
	cost.Status = status(u, unsure || p.lacks || lacksOutput(p, u))
	return cost
}

// lacksOutput says that the row prices output and nobody counted it: the amount
// is a lower bound.
func lacksOutput(p *period, u *llm.Usage) bool {
	if u.Bits()&outputKinds != 0 || !p.base.lists(rOutput) || p.base.v[rOutput] == 0 {
		return false
	}
	n, _ := u.Input()
	return n > 0
}

// outputKinds are the kinds of the output side as a set; see llm.Usage.Bits.
const outputKinds = 1<<(llm.RejectedPrediction+1) - 1<<llm.OutputText

func status(u *llm.Usage, unsure bool) llm.CostStatus {
	switch {
	case u.Inconsistent:
		return llm.CostInconsistentUsage
	case unsure:
		return llm.CostEstimated
	}
	switch u.Source {
	case "", llm.UsageReported, llm.UsageExact:
		return llm.CostOK
	}
	return llm.CostEstimated
}

// at returns the price in force, and its index; nil before the first.
func (m *model) at(t time.Time) (*period, int) {
	for i := len(m.periods) - 1; i >= 0; i-- {
		if p := &m.periods[i]; p.from.IsZero() || !t.Before(p.from) {
			return p, i
		}
	}
	return nil, 0
}

// rates sets the token rates in force: the window of the hour, then the step of
// the prompt's length, then the tier, then the region. unsure is true when the
// table cannot quite tell; ok is false when the tier has no price.
func (m *match) rates(k *card, p *period, i int, at time.Time, u *llm.Usage) (unsure, ok bool) {
	k.num = p.base
	var moved uint16 // rates that are not the ordinary ones any more
	if len(p.windows) > 0 {
		utc := at.UTC()
		for j := range p.windows {
			in, known := p.windows[j].holds(utc)
			unsure = unsure || !known
			if !in {
				continue
			}
			k.num.over(&p.windows[j].rates)
			moved |= p.windows[j].rates.has
			break
		}
	}
	if len(p.long) > 0 {
		n, _ := u.Input()
		for j := len(p.long) - 1; j >= 0; j-- {
			if n >= p.long[j].min {
				k.num.over(&p.long[j].rates)
				moved |= p.long[j].rates.has
				break
			}
		}
	}
	in, out, ok := m.tier(k, i, moved, u)
	if !ok {
		return unsure, false
	}
	reg := m.factor(u, at.Unix())
	k.scale(rInput, rOutput, in, reg)
	k.scale(rOutput, tokenRates, out, reg)
	return unsure, true
}

// scale multiplies the rates of one side. Those that a tier lists came with the
// side's denominator already on them (see tier).
func (k *card) scale(from, to rate, f, reg ratio) {
	if reg.num != 1 {
		for r := from; r < to; r++ {
			k.num.v[r] *= reg.num
		}
	}
	side := 0
	if from.output() {
		side = 1
	}
	k.den[side] = uint64(f.den) * uint64(reg.den)
}

// tier applies the service tier that served. The rates come out as numerators
// over the denominators of the two factors.
func (m *match) tier(k *card, i int, moved uint16, u *llm.Usage) (in, out ratio, ok bool) {
	in, out = one, one
	name := servedTier(u)
	if name == "" {
		return in, out, true
	}
	if t := m.m.tiers[name]; t != nil {
		in, out = t.scale[i][0], t.scale[i][1]
		for r := range tokenRates {
			f := in
			if r.output() {
				f = out
			}
			if t.rates.lists(r) && moved>>r&1 == 0 {
				k.num.set(r, t.rates.v[r]*f.den)
			} else {
				k.num.v[r] *= f.num
			}
		}
		return in, out, true
	}
	f, listed := m.p.tiers[name]
	switch {
	case listed && f == nil:
		return in, out, false
	case listed:
		for r := range tokenRates {
			k.num.v[r] *= f.num
		}
		return *f, *f, true
	}
	// The ordinary tier costs what the row says, whether or not the table names it.
	return in, out, name == "default" || name == "standard"
}

// servedTier is the name of the tier that prices the call, or "".
func servedTier(u *llm.Usage) string {
	switch speed := strings.ToLower(u.Speed); {
	case u.Batch:
		return "batch"
	case speed != "" && speed != "standard":
		return speed
	}
	return strings.ToLower(u.Tier)
}

// holds says whether t is in the window, and whether that is certain: it is not
// on a working day of a year whose holidays are not known, nor on a holiday that
// nobody has checked.
func (w *window) holds(t time.Time) (in, certain bool) {
	day := int(t.Weekday())
	if day == 0 {
		day = 7
	}
	if !w.days[day] {
		return false, true
	}
	minute := t.Hour()*60 + t.Minute()
	for _, s := range w.spans {
		if minute < s[0] || minute >= s[1] {
			continue
		}
		if w.holidays == nil {
			return true, true
		}
		off := w.holidays.dates[dayNumber(t)]
		return !off, w.holidays.years[t.Year()] && !(off && w.holidays.unchecked)
	}
	return false, true
}

// tokens charges every kind of token at its own rate, or at that of its whole.
func (s *sums) tokens(u *llm.Usage) {
	chars, _ := u.Get(llm.Characters)
	byChars := chars > 0 && s.fees.fees.lists(feeChars)
	for b := u.Bits() & (1<<len(charges) - 1); b != 0; b &= b - 1 {
		c := &charges[bits.TrailingZeros32(b)]
		n, _ := u.Get(c.kind)
		if n == 0 || byChars && c.kind == llm.UncachedInput {
			continue // text is billed in one unit, not in two
		}
		v, ok := s.rate(c)
		if !ok {
			if s.timed {
				continue
			}
			s.fail = llm.CostUnknownModel
			return
		}
		s.parts[c.part].addProduct(uint64(n), uint64(v))
	}
}

func (k *card) rate(c *charge) (v int64, ok bool) {
	for _, r := range c.chain[:c.n] {
		if k.num.lists(r) {
			return k.num.v[r], true
		}
	}
	return 0, false
}

// fee charges n units at v pico for each per units.
func (s *sums) fee(p part, n, v int64, per uint64) {
	w := wide{}
	w.addProduct(uint64(n), uint64(v))
	s.flat[p].add(w.times(perHour / per))
	s.charged = true
}

// total adds everything up and rounds once. The parts are rounded each; what
// that leaves over or lacks is put on the largest, so that they sum up. factor
// multiplies all of them.
func (s *sums) total(factor ratio) (c llm.Cost, ok bool) {
	in, out := s.den[0], s.den[1]
	var p [parts]int64
	var all wide
	den := in
	if in != out {
		den = in / uint64(gcd(int64(in), int64(out))) * out
	}
	if s.charged {
		den *= perHour
	}
	over, whole := bits.Mul64(den, uint64(factor.den))
	if over != 0 {
		return c, false
	}
	largest := 0
	for i := range s.parts {
		if s.parts[i] == (wide{}) && s.flat[i] == (wide{}) {
			continue
		}
		own := in
		if part(i) == partOutput {
			own = out
		}
		w := s.parts[i]
		if own != den {
			w = w.times(den / own)
		}
		if s.charged {
			w.add(s.flat[i].times(den / perHour))
		}
		w = w.times(uint64(factor.num))
		if p[i], ok = w.over(whole); !ok {
			return c, false
		}
		all.add(w)
		if p[i] > p[largest] {
			largest = i
		}
	}
	sum, ok := all.over(whole)
	if !ok {
		return c, false
	}
	rest := sum
	for i := range p {
		rest -= p[i]
	}
	p[largest] += rest
	c.Total = llm.Pico(sum)
	c.Input, c.Output = llm.Pico(p[partInput]), llm.Pico(p[partOutput])
	c.CacheRead, c.CacheWrite = llm.Pico(p[partCacheRead]), llm.Pico(p[partCacheWrite])
	c.Tools = llm.Pico(p[partTools])
	return c, true
}
