package pricing

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spanwire/spanwire/llm"
)

//go:embed prices.json
var embedded []byte

// Table prices calls. It is safe for concurrent use, also while it is replaced.
type Table struct {
	now atomic.Pointer[compiled]
}

// Option changes what a table says.
type Option func(*compiled) error

// New checks a table in the format of prices.json and makes it ready. A table with
// a mistake is refused as a whole; the error names the rows. The bytes are not kept.
func New(table []byte, opts ...Option) (*Table, error) {
	c, err := compile(table)
	if err != nil {
		return nil, fmt.Errorf("read price table: %w", err)
	}
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return nil, fmt.Errorf("read price table: %w", err)
		}
	}
	t := &Table{}
	t.now.Store(c)
	return t, nil
}

// Embedded returns a copy of the table that comes with the program.
func Embedded() []byte { return bytes.Clone(embedded) }

// Default is New of the embedded table.
func Default(opts ...Option) (*Table, error) { return New(embedded, opts...) }

// WithModels prices names as other names: "prod-chat": "gpt-4o". A key may be
// qualified by route or provider ("azure/prod-chat"), a value by the provider whose
// price it is ("openai/gpt-4o"). It goes before what the table says of either name.
func WithModels(priced map[string]string) Option {
	return func(c *compiled) error {
		for name, as := range priced {
			if name == "" || as == "" {
				return fmt.Errorf("models: %q: %q: both names are needed", name, as)
			}
			if !c.canPrice(name, as) {
				return fmt.Errorf("models: %s: the table has no price for %q", name, as)
			}
			c.models[strings.ToLower(name)] = as
		}
		return nil
	}
}

// canPrice says whether some provider has a row for as: a mapping to nothing is a
// slip of the pen, better told at the start than by an unset cost.
func (c *compiled) canPrice(name, as string) bool {
	if first, _, ok := strings.Cut(strings.ToLower(name), "/"); ok && c.names[first] != nil {
		_, m, free := c.target(c.names[first], as)
		return m != nil || free
	}
	for _, p := range c.ids {
		if _, m, free := c.target(p, as); m != nil || free {
			return true
		}
	}
	return false
}

// WithOverlay lays rows of the operator's own over the table: a file in the same
// format, of which only "providers" is needed, and no provenance. Its rows replace
// those of the same name as a whole; the cost that they make has the source
// "override". A row with the id "*" prices every other model of its provider: 0 for
// a server of one's own that costs nothing a token.
func WithOverlay(table []byte) Option {
	return func(c *compiled) error {
		var f tableFile
		if err := decodeStrict(table, &f); err != nil {
			return fmt.Errorf("overlay: %w", err)
		}
		if f.Schema != "" && f.Schema != Schema {
			return fmt.Errorf("overlay: schema %q is not %q", f.Schema, Schema)
		}
		currency, err := orCurrency(f.Currency, llm.USD)
		if err != nil {
			return fmt.Errorf("overlay: %w", err)
		}
		var all problems
		for _, raw := range f.Providers {
			all.add(c.addProvider(raw, llm.CostOverride, currency))
		}
		if err := all.err(); err != nil {
			return fmt.Errorf("overlay: %w", err)
		}
		return nil
	}
}

// Override is the price of one model in the operator's own words, as it stands in
// a configuration file.
type Override struct {
	Provider string // name of the provider or route
	Model    string // "*" for every model of the provider without a row
	// Currency is what the rates are in, by its code; "" for USD.
	Currency string
	// Rates are by the table's names (input, output, cache_read, per_request …) in
	// decimal text: money per 1,000,000 tokens, fees in money each.
	Rates map[string]string
}

// WithOverrides lays single prices over the table; see WithOverlay.
func WithOverrides(rows []Override) Option {
	return func(c *compiled) error {
		var all problems
		for _, row := range rows {
			if err := c.override(row); err != nil {
				all.add(fmt.Errorf("override %s/%s: %w", row.Provider, row.Model, err))
			}
		}
		return all.err()
	}
}

func (c *compiled) override(row Override) error {
	id := strings.ToLower(row.Provider)
	if p := c.names[id]; p != nil {
		id = p.id
	}
	doc, err := json.Marshal(map[string]any{
		"id":     id,
		"models": []any{map[string]any{"id": row.Model, "price": row.Rates, "currency": row.Currency}},
	})
	if err != nil {
		return err
	}
	return c.addProvider(doc, llm.CostOverride, llm.USD)
}

// Stands returns the model that the configuration says a name of a call stands for, be it
// that which answered or that which was asked. It is "" where the configuration says
// nothing, and may be qualified by a provider: "openai/gpt-4o".
func (t *Table) Stands(call *llm.Call, name string) string {
	c := t.now.Load()
	if len(c.models) == 0 || len(name) > maxID {
		return ""
	}
	k := key{route: call.Route, provider: call.Provider, host: call.ServerAddress}
	p, _ := c.provider(&k)
	to, _ := c.mapped(k, p, name)
	return to
}

// Replace takes over what next says, at once and for all calls from then on. next
// may be used further.
func (t *Table) Replace(next *Table) { t.now.Store(next.now.Load()) }

// AsOf returns the date of the table in force.
func (t *Table) AsOf() string { return t.now.Load().asOf }

// Query is a question for a cost in plain values.
type Query struct {
	// The provider is found by Route, else Provider, else Host (without port).
	Route, Provider, Host string
	// The price is that of ResponseModel, else of RequestModel.
	ResponseModel, RequestModel string
	At                          time.Time     // when the request started; zero asks for the table's date
	Took                        time.Duration // how long it took, for prices by the hour
	Team                        string        // for negotiated multipliers
	Usage                       llm.Usage     // with tier, speed, region and batch
}

// Cost says what a use costs. The parts of the amount sum up to it. When the
// source is CostUnset there is no amount, and the status says why. A row that
// has no rate for something that was used, or none at that time, is unset as
// CostUnknownModel with its price id kept.
func (t *Table) Cost(q *Query) llm.Cost {
	c := t.now.Load()
	m := c.find(key{q.Route, q.Provider, q.Host, q.ResponseModel, q.RequestModel})
	return c.cost(m, deal{at: q.At, took: q.Took, team: q.Team}, &q.Usage)
}

// Price sets the cost of a call from its usage, its models and its start. What a
// provider told stays the amount, and the table's own goes beside it. What the
// reader set otherwise, as that local models are free, stays where the table cannot
// say. It leaves alone what is not a call of a model.
func (t *Table) Price(call *llm.Call) {
	if call.Kind == llm.KindHTTP {
		return
	}
	c := t.now.Load()
	cost := c.callCost(call)
	if call.Cost.Source != llm.CostProvider {
		if cost.Known() || !call.Cost.Known() {
			call.Cost = cost
		}
		return
	}
	if cost.Known() {
		call.Cost.Price = cost.Price
		if cost.Currency == call.Cost.Currency {
			call.Cost.Table, call.Cost.HasTable = cost.Total, true
		}
	}
	if call.Cost.Status == "" {
		call.Cost.Status = llm.CostOK
	}
}
