package pricing

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// compiled is a table in the form that costs are made from. It is read-only,
// apart from its cache of matches.
type compiled struct {
	asOf        string
	currency    llm.Currency // of rows whose provider and own words name none
	asOfTime    time.Time
	sources     map[string]string // what each is, and of which date
	calendars   map[string]*calendar
	ids         map[string]*provider // by id
	names       map[string]*provider // by id and by match
	hosts       map[string]*provider
	wild        []wildHost
	models      map[string]string // from the configuration: name → priced-as name
	multipliers []multiplier
	cache       cache
}

type provider struct {
	id         string
	currency   llm.Currency // of rows that name none
	prefixes   []string
	strip      []*regexp.Regexp
	fineTune   bool
	freeSuffix string
	tiers      map[string]*ratio // nil: known to have no price
	regions    []*region
	tools      map[string]toolFee
	models     map[string]*model // by id and alias, lower case
}

// model is one row.
type model struct {
	id       string
	source   llm.CostSource
	currency llm.Currency // of all its prices
	periods  []period     // by from
	tiers    map[string]*tier
	tools    map[string]toolFee
	perImage map[string]int64
	timed    bool // a price of it is by the hour
	about    about
}

// toolFee is what one call of a tool costs.
type toolFee struct {
	pico     int64
	currency llm.Currency
}

// period is the price from an instant on.
type period struct {
	from    time.Time // zero: always
	base    rateSet
	fees    feeSet
	gpus    ratio  // GPUs that feeGPUHour is for; zero: one
	lacks   bool   // it lists a fee that nothing is counted for: an amount is a lower bound
	long    []long // by min
	windows []window
}

// long replaces rates for the whole of a request with at least min input tokens.
type long struct {
	min   int64
	rates rateSet
}

// window replaces rates at hours of the day, UTC.
type window struct {
	spans    [][2]int // minutes of the day, end excluded
	days     [8]bool  // by ISO weekday, 1 is Monday
	holidays *calendar
	rates    rateSet
}

// tier is a service tier with rates of its own. Rates that it does not list
// follow scale: by period, the factors of the input and of the output side.
type tier struct {
	rates rateSet
	scale [][2]ratio
}

// region multiplies token charges.
type region struct {
	hosts     map[string]bool
	values    map[string]bool
	notIn     map[string]bool // nil when the rule is not about a location
	factor    ratio
	models    *regexp.Regexp
	from      time.Time
	hostParts []string // first labels of hosts: "eu" of eu.api.openai.com
}

type wildHost struct {
	prefix, suffix string
	p              *provider
}

// compile checks a table and puts it into its final form. All mistakes of all
// rows are reported, up to a bound.
func compile(data []byte) (*compiled, error) {
	if len(data) > maxTable {
		return nil, fmt.Errorf("table of %d bytes is above the bound of %d", len(data), maxTable)
	}
	c := &compiled{
		sources: map[string]string{}, calendars: map[string]*calendar{}, ids: map[string]*provider{},
		names: map[string]*provider{}, hosts: map[string]*provider{}, models: map[string]string{},
	}
	f, err := c.head(data)
	if err != nil {
		return nil, err
	}
	if len(f.Sources) == 0 {
		return nil, errors.New("no sources: a price without provenance is not taken")
	}
	for name, s := range f.Sources {
		if s.What == "" || s.Date == "" {
			return nil, fmt.Errorf("source %q does not say what it is and of which date", name)
		}
		c.sources[name] = s.What + ", " + s.Date
	}
	if len(f.Providers) == 0 {
		return nil, errors.New("no providers")
	}
	var problems problems
	for _, raw := range f.Providers {
		problems.add(c.addProvider(raw, llm.CostTable, c.currency))
	}
	return c, problems.err()
}

// head reads everything but the providers.
func (c *compiled) head(data []byte) (*tableFile, error) {
	var f tableFile
	if err := decodeStrict(data, &f); err != nil {
		return nil, err
	}
	if f.Schema != Schema {
		return nil, fmt.Errorf("schema %q is not %q", f.Schema, Schema)
	}
	var err error
	if f.Currency == "" {
		return nil, errors.New("no currency: say which one the prices are in")
	}
	if c.currency, err = llm.ParseCurrency(f.Currency); err != nil {
		return nil, err
	}
	at, err := time.Parse(time.DateOnly, f.AsOf)
	if err != nil {
		return nil, fmt.Errorf("as_of %q is not a date", f.AsOf)
	}
	c.asOf, c.asOfTime = f.AsOf, at
	for name, raw := range f.Holidays {
		cal, err := newCalendar(raw)
		if err != nil {
			return nil, fmt.Errorf("holidays %s: %w", name, err)
		}
		c.calendars[name] = cal
	}
	return &f, nil
}

// addProvider adds a provider, or, in an overlay, lays it over the one with its id.
// Its prices are in currency where it names none of its own.
func (c *compiled) addProvider(raw json.RawMessage, source llm.CostSource, currency llm.Currency) error {
	var f providerFile
	if err := decodeStrict(raw, &f); err != nil {
		return fmt.Errorf("provider %.40q: %w", f.ID, err)
	}
	if f.ID == "" || f.ID != strings.ToLower(f.ID) {
		return fmt.Errorf("provider id %q is not a lower-case name", f.ID)
	}
	currency, err := orCurrency(f.Currency, currency)
	if err != nil {
		return fmt.Errorf("provider %s: %w", f.ID, err)
	}
	p := c.ids[f.ID]
	if p != nil && source == llm.CostTable {
		return fmt.Errorf("provider %s is there twice", f.ID)
	}
	if p == nil {
		p = &provider{id: f.ID, currency: currency, tiers: map[string]*ratio{}, tools: map[string]toolFee{}, models: map[string]*model{}}
		c.ids[f.ID] = p
		f.Match = append(f.Match, f.ID)
	}
	var all problems
	all.add(c.addNames(p, &f))
	all.add(p.addRules(&f, currency))
	own := map[string]bool{} // ids and aliases of this file
	for _, raw := range f.Models {
		m, names, err := c.newModel(raw, source, currency)
		if err != nil {
			all.add(err)
			continue
		}
		for _, n := range names {
			if own[n] {
				all.add(fmt.Errorf("model %s: the name %q stands for another row already", m.id, n))
				continue
			}
			own[n], p.models[n] = true, m
		}
	}
	if err := all.err(); err != nil {
		return fmt.Errorf("provider %s: %w", f.ID, err)
	}
	return nil
}

// orCurrency reads a code; without one it is the other currency.
func orCurrency(code string, other llm.Currency) (llm.Currency, error) {
	if code == "" {
		return other, nil
	}
	return llm.ParseCurrency(code)
}

func (c *compiled) addNames(p *provider, f *providerFile) error {
	for _, n := range f.Match {
		n = strings.ToLower(n)
		if other := c.names[n]; other != nil && other != p {
			return fmt.Errorf("the name %q is %s's already", n, other.id)
		}
		c.names[n] = p
	}
	for _, h := range f.Hosts {
		h = strings.ToLower(h)
		prefix, suffix, wild := strings.Cut(h, "*")
		switch {
		case !wild && c.hosts[h] != nil && c.hosts[h] != p:
			return fmt.Errorf("the host %q is %s's already", h, c.hosts[h].id)
		case !wild:
			c.hosts[h] = p
			continue
		case strings.Contains(suffix, "*") || !strings.Contains(suffix, "."):
			return fmt.Errorf("host pattern %q: one * and then a domain", h)
		}
		w := wildHost{prefix, suffix, p}
		for _, o := range c.wild {
			if o.p != p && o.overlaps(w) {
				return fmt.Errorf("host pattern %q matches hosts of %s", h, o.p.id)
			}
		}
		c.wild = append(c.wild, w)
	}
	return nil
}

func (w wildHost) overlaps(o wildHost) bool {
	return (strings.HasPrefix(w.prefix, o.prefix) || strings.HasPrefix(o.prefix, w.prefix)) &&
		(strings.HasSuffix(w.suffix, o.suffix) || strings.HasSuffix(o.suffix, w.suffix))
}

// addRules takes up what holds for all models of the provider.
func (p *provider) addRules(f *providerFile, currency llm.Currency) error {
	for _, s := range f.Prefixes {
		p.prefixes = append(p.prefixes, strings.ToLower(s))
	}
	for _, s := range f.Strip {
		re, err := regexp.Compile(s)
		if err != nil {
			return fmt.Errorf("strip: %w", err)
		}
		if !strings.HasSuffix(s, "$") || re.MatchString("") {
			return fmt.Errorf("strip %q does not name the end of an id", s)
		}
		p.strip = append(p.strip, re)
	}
	switch f.FineTune {
	case "":
	case "ft":
		p.fineTune = true
	default:
		return fmt.Errorf("fine_tune %q is not known", f.FineTune)
	}
	if f.FreeSuffix != "" {
		p.freeSuffix = strings.ToLower(f.FreeSuffix)
	}
	for name, raw := range f.ServiceTiers {
		if string(raw) == "null" {
			p.tiers[strings.ToLower(name)] = nil
			continue
		}
		r, err := parseRatio(string(raw))
		if err != nil {
			return fmt.Errorf("service tier %s: %w", name, err)
		}
		p.tiers[strings.ToLower(name)] = &r
	}
	if err := addTools(p.tools, f.Tools, currency); err != nil {
		return err
	}
	for i, raw := range f.Regions {
		r, err := newRegion(raw)
		if err != nil {
			return fmt.Errorf("region rule %d: %w", i+1, err)
		}
		p.regions = append(p.regions, r)
	}
	return nil
}

// maxToolFee bounds what one call of a tool can cost, in USD.
const maxToolFee = 10

func addTools(to map[string]toolFee, from map[string]json.RawMessage, currency llm.Currency) error {
	for name, raw := range from {
		if _, ok := toolNames[name]; !ok {
			return fmt.Errorf("tool %q is not known", name)
		}
		v, err := parseFee(string(raw), 0, maxToolFee, currency)
		if err != nil {
			return fmt.Errorf("tool %s: %w", name, err)
		}
		to[name] = toolFee{v, currency}
	}
	return nil
}

func newRegion(raw json.RawMessage) (*region, error) {
	var f regionFile
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	r := &region{hosts: map[string]bool{}, values: map[string]bool{}}
	var err error
	if r.factor, err = parseRatio(string(f.Multiply)); err != nil {
		return nil, fmt.Errorf("multiply: %w", err)
	}
	if f.Models == "" {
		return nil, errors.New("models is missing")
	}
	if r.models, err = regexp.Compile(f.Models); err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	if r.from, err = parseFrom(f.From); err != nil {
		return nil, err
	}
	for _, h := range f.Host {
		r.hosts[strings.ToLower(h)] = true
		first, _, _ := strings.Cut(strings.ToLower(h), ".")
		r.hostParts = append(r.hostParts, first)
	}
	for _, v := range f.Values {
		r.values[strings.ToLower(v)] = true
	}
	for _, v := range f.LocationNot {
		if r.notIn == nil {
			r.notIn = map[string]bool{}
		}
		r.notIn[strings.ToLower(v)] = true
	}
	if len(r.hosts) == 0 && len(r.values) == 0 && r.notIn == nil {
		return nil, errors.New("no host, no values and no location_not: it would hold everywhere")
	}
	return r, nil
}

// parseFrom reads a date (midnight UTC) or an instant; "" is the zero time.
func parseFrom(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("from %q is neither a date nor an instant", s)
}

// problems gathers mistakes so that one run shows them all.
type problems struct {
	errs []error
	more int
}

func (p *problems) add(err error) {
	switch {
	case err == nil:
	case len(p.errs) < 20:
		p.errs = append(p.errs, err)
	default:
		p.more++
	}
}

func (p *problems) err() error {
	if p.more > 0 {
		p.errs = append(p.errs, fmt.Errorf("and %d more", p.more))
		p.more = 0
	}
	return errors.Join(p.errs...)
}
