package pricing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Card is what a table says of one model, for people.
type Card struct {
	Provider, Model string
	Aliases         []string
	Source          llm.CostSource // table, or override for a row of the operator's own
	Currency        llm.Currency   // of the prices
	AsOf            string         // date of the table
	Src             []string       // where the row is from
	Evidence, Note  string
	Retired         string // date; "" while it is served
	Prices          []CardPrice
}

// CardPrice is the prices that hold in one case.
type CardPrice struct {
	When  string // "" for always
	Rates []CardRate
}

// CardRate is one price, as decimal text. Currency is that of the card, but for what
// the provider charges in another one; Per is "" for a factor.
type CardRate struct {
	Name, Amount, Per string
	Currency          llm.Currency
}

// about is what a row says for people only.
type about struct {
	Aliases, Src            []string
	Evidence, Note, Retired string
}

// Cards returns the rows that price a model, by its id or any name that calls are
// matched by: at one provider, or with "" at all that have it.
func (t *Table) Cards(provider, model string) []Card {
	c := t.now.Load()
	var cards []Card
	for _, id := range slices.Sorted(maps.Keys(c.ids)) {
		p := c.ids[id]
		if provider != "" && c.names[strings.ToLower(provider)] != p {
			continue
		}
		name := model
		if to, ok := c.mapped(key{provider: provider}, p, model); ok {
			name = to
		}
		owner, m, free := c.target(p, name)
		if owner != p && provider == "" {
			continue // it is listed at its owner
		}
		if m == nil && !free && provider != "" {
			m = p.models[anyModel]
		}
		switch {
		case m != nil:
			cards = append(cards, c.card(owner, m))
		case free:
			cards = append(cards, Card{Provider: owner.id, Model: strings.ToLower(name), Source: llm.CostTable, AsOf: c.asOf,
				Note: "free by its suffix " + owner.freeSuffix, Prices: []CardPrice{{Rates: []CardRate{{Name: "everything", Amount: "0", Per: "call"}}}}})
		}
	}
	return cards
}

func (c *compiled) card(p *provider, m *model) Card {
	card := Card{Provider: p.id, Model: m.id, Aliases: m.about.Aliases, Source: m.source, Currency: m.currency, AsOf: c.asOf,
		Src: m.about.Src, Evidence: m.about.Evidence, Note: m.about.Note, Retired: m.about.Retired}
	for i := range m.periods {
		card.addPeriod(&m.periods[i])
	}
	for _, name := range slices.Sorted(maps.Keys(m.tiers)) {
		card.add("service tier "+name, m.tiers[name].rates.list(m.currency))
	}
	for _, name := range slices.Sorted(maps.Keys(p.tiers)) {
		if f := p.tiers[name]; f != nil && *f != one && m.tiers[name] == nil && m.periods[0].base.has != 0 {
			card.add("service tier "+name, []CardRate{{Name: "tokens", Amount: "× " + f.text()}})
		}
	}
	var tools []CardRate
	for _, name := range slices.Sorted(maps.Keys(toolNames)) {
		v, ok := m.tools[name]
		if !ok {
			v, ok = p.tools[name]
		}
		if ok {
			tools = append(tools, CardRate{name, llm.Pico(v.pico).String(), "call", v.currency})
		}
	}
	card.add("tools that the provider runs", tools)
	var images []CardRate
	for _, k := range slices.Sorted(maps.Keys(m.perImage)) {
		images = append(images, CardRate{k, llm.Pico(m.perImage[k]).String(), "image", m.currency})
	}
	card.add("images, by quality and size", images)
	for _, r := range p.regions {
		if r.models.MatchString(m.id) {
			card.add(r.text(), []CardRate{{Name: "tokens", Amount: "× " + r.factor.text()}})
		}
	}
	of := match{p: p, m: m}
	for i := range c.multipliers {
		if r := &c.multipliers[i]; r.fits(key{provider: p.id}, &of, m.id) {
			card.add(r.text(), []CardRate{{Name: "everything", Amount: "× " + r.factor.text()}})
		}
	}
	return card
}

func (card *Card) add(when string, rates []CardRate) {
	if len(rates) > 0 {
		card.Prices = append(card.Prices, CardPrice{when, rates})
	}
}

func (card *Card) addPeriod(p *period) {
	from := ""
	if !p.from.IsZero() {
		from = "from " + day(p.from)
	}
	both := func(what string) string {
		if from == "" {
			return what
		}
		return from + ", " + what
	}
	card.add(from, append(p.base.list(card.Currency), p.fees.list(card.Currency)...))
	for i := range p.long {
		card.add(both(fmt.Sprintf("prompts of %d tokens and more", p.long[i].min)), p.long[i].rates.list(card.Currency))
	}
	for i := range p.windows {
		card.add(both(p.windows[i].text()), p.windows[i].rates.list(card.Currency))
	}
}

// list writes the rates of a set in their order.
func (s *rateSet) list(c llm.Currency) (out []CardRate) {
	for _, name := range slices.SortedFunc(maps.Keys(rateNames), func(a, b string) int { return cmp.Compare(rateNames[a], rateNames[b]) }) {
		if r := rateNames[name]; s.lists(r) {
			out = append(out, CardRate{name, llm.Pico(s.v[r] * 1_000_000).String(), "1M tokens", c})
		}
	}
	return out
}

// feeUnits are what the fees are for, as they are shown.
var feeUnits = map[string]string{
	"per_request": "request", "per_page": "page", "per_rerank": "search unit", "per_audio_hour": "hour of audio",
	"per_audio_hour_in": "hour of audio heard", "per_audio_hour_out": "hour of audio made", "per_video_second": "second of video",
	"citation": "1M tokens of search results", "per_page_annotated": "page read and annotated", "input_chars": "1M characters", "per_gpu_hour": "hour of the call, all GPUs",
}

func (s *feeSet) list(c llm.Currency) (out []CardRate) {
	for _, name := range slices.Sorted(maps.Keys(feeUnits)) {
		f := feeNames[name]
		if !s.lists(f.fee) {
			continue
		}
		v := s.v[f.fee]
		for range f.per {
			v *= 10
		}
		out = append(out, CardRate{name, llm.Pico(v).String(), feeUnits[name], c})
	}
	return out
}

func (r ratio) text() string {
	for places, den := 0, int64(1); places <= 4; places, den = places+1, den*10 {
		if den%r.den == 0 {
			return llm.Pico(r.num * (1_000_000_000_000 / r.den)).String()
		}
	}
	return fmt.Sprintf("%d/%d", r.num, r.den)
}

func (w *window) text() string {
	var days, hours []string
	for d := time.Monday; d <= time.Saturday+1; d++ {
		if w.days[d] {
			days = append(days, (d % 7).String()[:3])
		}
	}
	for _, s := range w.spans {
		hours = append(hours, fmt.Sprintf("%02d:%02d-%02d:%02d", s[0]/60, s[0]%60, s[1]/60, s[1]%60))
	}
	text := strings.Join(days, " ") + ", " + strings.Join(hours, " and ") + " UTC"
	if w.holidays != nil {
		text += ", holidays left out"
	}
	return text
}

func (r *region) text() string {
	switch {
	case len(r.hosts) > 0:
		return "at " + strings.Join(slices.Sorted(maps.Keys(r.hosts)), ", ")
	case len(r.values) > 0:
		return "in region " + strings.Join(slices.Sorted(maps.Keys(r.values)), ", ")
	}
	return "in regions other than " + strings.Join(slices.Sorted(maps.Keys(r.notIn)), ", ")
}
