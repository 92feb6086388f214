package pricing

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spanwire/spanwire/llm"
)

const (
	// maxID bounds a model id. Longer ones, which no provider has, match nothing.
	maxID = 256
	// maxCached bounds the matches that are remembered: ids come from outside.
	maxCached = 4096
	// maxCandidates bounds the forms of an id that normalisation tries.
	maxCandidates = 64
)

// key is what a match depends on.
type key struct{ route, provider, host, response, request string }

// match is the row that prices a call, and what of its rules can be decided
// without the usage. It is read-only.
type match struct {
	p           *provider // nil: the provider is not known
	m           *model    // nil: no row
	free        bool      // by the provider's suffix, without a row
	price       string
	regions     []*region     // those for this model
	multipliers []*multiplier // those for this provider and model
	host        string        // lower case
	part        string        // what the * of the host pattern stands for: a location, for some
}

// cache remembers matches, also those that found nothing. Most questions are
// answered from a slot that the ends of the names choose, which costs less than to
// hash them; others from a map that is never written to, without a lock; new matches
// wait in another until they are worth a copy.
type cache struct {
	slots [cacheSlots]atomic.Pointer[slot]
	old   atomic.Pointer[map[key]*match]
	mu    sync.Mutex
	fresh map[key]*match
}

// slot is a match with the key that it is for. It is read-only.
type slot struct {
	key   key
	match *match
}

// cacheSlots is a power of two.
const cacheSlots = 256

// slot returns where the match for k may be kept.
func (c *cache) slot(k *key) *atomic.Pointer[slot] {
	h := uint(len(k.route))<<4 ^ uint(len(k.host))<<2 ^ uint(len(k.request))
	for _, s := range [...]string{k.response, k.request, k.provider} {
		if n := len(s); n > 3 {
			h = h*31 ^ uint(s[n-1]) ^ uint(s[n-3])<<3 ^ uint(s[n/2])<<5 ^ uint(n)
		}
	}
	return &c.slots[(h^h>>8)%cacheSlots]
}

func (c *cache) get(k *key) *match {
	at := c.slot(k)
	s := at.Load()
	if s != nil && s.key == *k {
		return s.match
	}
	if old := c.old.Load(); old != nil {
		if m := (*old)[*k]; m != nil {
			if s == nil { // the first to come stays: two in turn would copy their names each time
				at.Store(&slot{k.clone(), m})
			}
			return m
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fresh[*k]
}

// clone copies the names: they are parts of whole requests, and must not keep those
// alive.
func (k *key) clone() key {
	return key{strings.Clone(k.route), strings.Clone(k.provider), strings.Clone(k.host), strings.Clone(k.response), strings.Clone(k.request)}
}

// put keeps m. A full cache starts anew: whoever floods it with names costs the
// others one slow lookup each.
func (c *cache) put(k key, m *match) {
	k = k.clone()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh == nil {
		c.fresh = make(map[key]*match)
	}
	c.fresh[k] = m
	var old map[key]*match
	if p := c.old.Load(); p != nil {
		old = *p
	}
	if len(c.fresh) <= len(old)/4 {
		return
	}
	if len(old)+len(c.fresh) > maxCached {
		old = nil
	}
	all := make(map[key]*match, len(old)+len(c.fresh))
	maps.Copy(all, old)
	maps.Copy(all, c.fresh)
	c.old.Store(&all)
	c.fresh = nil
}

func (c *compiled) find(k key) *match {
	if len(k.response) > maxID {
		k.response = ""
	}
	if len(k.request) > maxID {
		k.request = ""
	}
	if len(k.route) > maxID || len(k.provider) > maxID || len(k.host) > maxID {
		return &match{}
	}
	if m := c.cache.get(&k); m != nil {
		return m
	}
	m := c.resolve(k)
	c.cache.put(k, m)
	return m
}

// resolve finds the provider by its configured name, else by host, and the row by
// the model that answered, else by the one that was asked. A name that the
// configuration maps goes before both.
func (c *compiled) resolve(k key) *match {
	m := &match{host: strings.ToLower(k.host)}
	m.p, m.part = c.provider(&k)
	for _, name := range []string{k.response, k.request} {
		if to, ok := c.mapped(k, m.p, name); ok {
			var owner *provider
			owner, m.m, m.free = c.target(m.p, to)
			m.finish(c, k, owner, to)
			return m
		}
	}
	if m.p == nil {
		return m
	}
	for _, name := range []string{k.response, k.request} {
		if m.m, m.free = m.p.lookup(name); m.m != nil || m.free {
			m.finish(c, k, m.p, name)
			return m
		}
	}
	if m.m = m.p.models[anyModel]; m.m != nil {
		m.finish(c, k, m.p, anyModel)
	}
	return m
}

// provider finds the provider by its configured name, else by host. part is what the *
// of the host pattern stands for.
func (c *compiled) provider(k *key) (p *provider, part string) {
	if p = c.names[strings.ToLower(k.route)]; p == nil {
		p = c.names[strings.ToLower(k.provider)]
	}
	byHost, part := c.byHost(strings.ToLower(k.host))
	switch {
	case p == nil:
		return byHost, part
	case p == byHost:
		return p, part
	}
	return p, ""
}

// finish sets what follows from the row.
func (m *match) finish(c *compiled, k key, owner *provider, name string) {
	if m.m == nil && !m.free {
		return
	}
	m.p = owner
	id := strings.ToLower(name)
	if m.m != nil {
		id = m.m.id
	}
	m.price = owner.id + "/" + id + "@" + c.asOf
	for _, r := range owner.regions {
		if r.models.MatchString(id) {
			m.regions = append(m.regions, r)
		}
	}
	for i := range c.multipliers {
		if r := &c.multipliers[i]; r.fits(k, m, name) {
			m.multipliers = append(m.multipliers, r)
		}
	}
}

// mapped returns what the configuration says that name is priced as. A key may be
// qualified by the route or the provider: "azure/prod-chat".
func (c *compiled) mapped(k key, p *provider, name string) (string, bool) {
	if name == "" || len(c.models) == 0 {
		return "", false
	}
	name = strings.ToLower(name)
	owners := []string{strings.ToLower(k.route), strings.ToLower(k.provider)}
	if p != nil {
		owners = append(owners, p.id)
	}
	for _, o := range owners {
		if to, ok := c.models[o+"/"+name]; ok && o != "" {
			return to, true
		}
	}
	to, ok := c.models[name]
	return to, ok
}

// target finds what a configured name stands for: a model of the same provider,
// or of the one that it names: "openai/gpt-4o".
func (c *compiled) target(p *provider, name string) (owner *provider, m *model, free bool) {
	if p != nil {
		if m, free = p.lookup(name); m != nil || free {
			return p, m, free
		}
	}
	first, rest, ok := strings.Cut(name, "/")
	if other := c.names[strings.ToLower(first)]; ok && other != nil {
		m, free = other.lookup(rest)
		return other, m, free
	}
	return p, nil, false
}

func (c *compiled) byHost(host string) (p *provider, part string) {
	if p := c.hosts[host]; p != nil {
		return p, ""
	}
	for _, w := range c.wild {
		if len(host) > len(w.prefix)+len(w.suffix) && strings.HasPrefix(host, w.prefix) && strings.HasSuffix(host, w.suffix) {
			return w.p, host[len(w.prefix) : len(host)-len(w.suffix)]
		}
	}
	return nil, ""
}

// lookup finds a row by its exact id after normalisation: the id, then without the
// provider's prefixes, then with its patterns stripped, breadth first. free is
// true when there is no row and the id's suffix says that it costs nothing.
func (p *provider) lookup(id string) (m *model, free bool) {
	if id == "" {
		return nil, false
	}
	level := p.forms(strings.ToLower(id))
	tried := slices.Clone(level)
	for len(level) > 0 {
		var next []string
		for _, form := range level {
			if m := p.models[form]; m != nil && form != anyModel {
				return m, false
			}
			for _, re := range p.strip {
				at := re.FindStringIndex(form)
				if at == nil || at[0] == 0 {
					continue
				}
				if s := form[:at[0]]; !slices.Contains(tried, s) && len(tried) < maxCandidates {
					tried, next = append(tried, s), append(next, s)
				}
			}
		}
		level = next
	}
	return nil, p.freeSuffix != "" && len(id) > len(p.freeSuffix) && strings.HasSuffix(strings.ToLower(id), p.freeSuffix)
}

// forms returns the id itself and without prefixes, which may be nested.
func (p *provider) forms(id string) []string {
	if base, ok := strings.CutPrefix(id, "ft:"); ok && p.fineTune {
		// ft:BASE:organisation:name:id is priced as ft:BASE, never as BASE.
		base, _, _ = strings.Cut(base, ":")
		id = "ft:" + base
	}
	if strings.HasPrefix(id, "arn:") {
		id = arnModel(id)
	}
	forms := []string{id}
	for i := 0; i < len(forms) && len(forms) < maxCandidates; i++ {
		for _, prefix := range p.prefixes {
			if s, ok := strings.CutPrefix(forms[i], prefix); ok && s != "" && !slices.Contains(forms, s) {
				forms = append(forms, s)
			}
		}
	}
	return forms
}

// arnModel returns the model, or the profile over regions, that an ARN names by its id.
// The other kinds hide it: those of application profiles, of what was provisioned and of
// what was imported are for the configuration to name. (Amazon Bedrock, "Service
// Authorization Reference", resource types.)
func arnModel(arn string) string {
	for _, kind := range []string{":foundation-model/", ":inference-profile/"} {
		if _, name, ok := strings.Cut(arn, kind); ok && name != "" {
			return name
		}
	}
	return arn
}

// factor is what the first region rule in force multiplies token charges by.
func (m *match) factor(u *llm.Usage, at int64) ratio {
	for _, r := range m.regions {
		if !r.from.IsZero() && at < r.from.Unix() {
			continue
		}
		if r.holds(m, strings.ToLower(u.Region)) {
			return r.factor
		}
	}
	return one
}

func (r *region) holds(m *match, told string) bool {
	if r.hosts[m.host] || r.values[told] {
		return true
	}
	// A host rule also holds for a region by name: eu is eu.api.openai.com.
	if told != "" && slices.Contains(r.hostParts, told) {
		return true
	}
	if r.notIn == nil {
		return false
	}
	if told == "" {
		told = m.part
	}
	return told != "" && !r.notIn[told]
}
