package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/spanwire/spanwire/attribution"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
	"github.com/spanwire/spanwire/providers"
	"github.com/spanwire/spanwire/proxy"
	"github.com/spanwire/spanwire/redact"
)

// live is what a reload swaps while calls go on: where requests go, whose they
// are, what they cost. The relay and the recorder ask it, many at a time, and
// each question sees one configuration as a whole.
type live struct {
	parts  atomic.Pointer[parts]
	prices *pricing.Table
	seen   *redact.Counts // what was taken out of calls
	log    *slog.Logger
}

type parts struct {
	table       *providers.Table
	upstreams   map[*providers.Row]*proxy.Upstream
	attribution *attribution.Attributor
	redactor    *redact.Redactor // nil: there is nothing to take out
	signers     signers
}

// newLive puts a configuration together. Nothing runs before start.
func newLive(c Config, log *slog.Logger) (*live, error) {
	prices, err := c.Pricing.table()
	if err != nil {
		return nil, fmt.Errorf("pricing: %w", err)
	}
	seen := redact.NewCounts(c.Redact.Config)
	p, err := newParts(c, nil, seen, log)
	if err != nil {
		return nil, err
	}
	l := &live{prices: prices, seen: seen, log: log}
	l.parts.Store(p)
	return l, nil
}

// set puts another configuration into force, or none of it.
func (l *live) set(c Config) error {
	prices, err := c.Pricing.table()
	if err != nil {
		return fmt.Errorf("pricing: %w", err)
	}
	old := l.parts.Load()
	next, err := newParts(c, old.signers, l.seen, l.log)
	if err != nil {
		return err
	}
	l.prices.Replace(prices)
	next.signers.start()
	l.parts.Store(next)
	old.signers.stop(next.signers)
	return nil
}

// start runs what has to run beside the calls; stop ends it.
func (l *live) start() { l.parts.Load().signers.start() }

func (l *live) stop() { l.parts.Load().signers.stop(nil) }

// entries returns the rows of the configuration for the table of providers.
func (c *Config) entries() ([]providers.Entry, error) {
	entries := make([]providers.Entry, 0, len(c.Providers))
	for _, p := range c.Providers {
		e := providers.Entry{Name: p.Name, BaseURL: p.BaseURL, Dialect: p.Dialect, Headers: p.Headers, Usage: p.Usage}
		if p.APIKey != nil {
			key, err := p.APIKey.read()
			if err != nil {
				return nil, fmt.Errorf("providers: %s: api_key: %w", p.Name, err)
			}
			e.APIKey, e.Bearer = key, p.APIKey.Bearer
		}
		if p.AWS != nil {
			e.Signed, e.Region = true, p.AWS.Region
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// newParts builds the parts. Signers of before whose configuration is still the
// same go on, with the credentials that they have.
func newParts(c Config, before signers, seen *redact.Counts, log *slog.Logger) (*parts, error) {
	entries, err := c.entries()
	if err != nil {
		return nil, err
	}
	table, err := providers.New(entries, c.DefaultProvider)
	if err != nil {
		return nil, fmt.Errorf("providers: %w", err)
	}
	p := &parts{table: table, upstreams: make(map[*providers.Row]*proxy.Upstream), signers: signers{}, attribution: attribution.New(c.Attribution)}
	key, err := c.redactKey()
	if err == nil {
		p.redactor, err = redact.New(c.Redact.Config, key, seen)
	}
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	for _, row := range table.Rows() {
		p.upstreams[row] = upstream(row, c)
	}
	for _, entry := range c.Providers {
		if entry.AWS == nil {
			continue
		}
		row := table.Row(entry.Name)
		s, err := p.signers.add(*entry.AWS, row.Service, before, log)
		if err != nil {
			return nil, fmt.Errorf("providers: %s: aws: %w", entry.Name, err)
		}
		p.upstreams[row].Signer, p.upstreams[row].SignedBytes = s, entry.AWS.Body()
	}
	return p, nil
}

// upstream is a row as the relay sees it, with the rules of the configuration.
func upstream(row *providers.Row, c Config) *proxy.Upstream {
	u := &proxy.Upstream{
		Name: row.Name, Scheme: row.Scheme, Host: row.Host, Port: row.Port, Drop: row.Drop, Dialect: dialect{row},
		Timeouts: proxy.Timeouts(c.Timeouts),
	}
	for _, f := range row.Set {
		u.Set = append(u.Set, proxy.Field(f))
	}
	policy := c.OnDisconnect
	for _, p := range c.Providers {
		if p.Name != row.Name {
			continue
		}
		policy = cmp.Or(p.OnDisconnect, policy)
		override(&u.Timeouts.Connect, p.Timeouts.Connect)
		override(&u.Timeouts.TLS, p.Timeouts.TLS)
		override(&u.Timeouts.Header, p.Timeouts.Header)
		override(&u.Timeouts.Idle, p.Timeouts.Idle)
	}
	u.Disconnect = proxy.Disconnect{Drain: policy == "drain", Time: c.Drain.Time, Bytes: c.Drain.Bytes}
	return u
}

func override(d, by *time.Duration) {
	if by != nil {
		*d = *by
	}
}

// dialect is a row as the relay's dialect: the same methods, with the relay's own
// word for what filters an answer.
type dialect struct{ *providers.Row }

func (d dialect) Edit(method, target string, body []byte) (at int, insert string, cut proxy.Filter) {
	at, insert, filter := d.Row.Edit(method, target, body)
	if filter != nil {
		cut = filter
	}
	return at, insert, cut
}

// Route is the relay's Router.
func (l *live) Route(method, target string, _ llm.Header) (proxy.Route, error) {
	p := l.parts.Load()
	row, upstreamTarget, err := p.table.Route(method, target)
	if err != nil {
		return proxy.Route{}, err
	}
	return proxy.Route{Upstream: p.upstreams[row], Target: upstreamTarget}, nil
}

// Directive says which fields of a request are not for the provider.
func (l *live) Directive(name []byte) bool { return l.parts.Load().attribution.Directive(name) }

// Read is the recorder's Reader.
func (l *live) Read(x *llm.Exchange) (*llm.Call, error) { return l.parts.Load().table.Read(x) }

// Attribute is the recorder's Attributor.
func (l *live) Attribute(c *llm.Call, x *llm.Exchange) { l.parts.Load().attribution.Attribute(c, x) }

// Credentials are those of the caller, and those that its provider's row sets.
func (l *live) Credentials(x *llm.Exchange) []string {
	all := attribution.Credentials(x.RequestHeader, x.Target)
	if row := l.parts.Load().table.Row(x.Provider); row != nil {
		var set llm.Header
		for _, f := range row.Set {
			set = append(set, f.Name+": "+f.Value+"\r\n"...)
		}
		all = append(all, attribution.Credentials(set, "")...)
	}
	return all
}

// Price is the recorder's Pricer.
func (l *live) Price(c *llm.Call) { l.prices.Price(c) }

// Redact is the recorder's Redactor.
func (l *live) Redact(c *llm.Call) { l.parts.Load().redactor.Redact(c) }
