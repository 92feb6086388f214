package tracing

import (
	"context"
	"fmt"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanwire/spanwire/llm"
)

const (
	maxWords = 1000   // different providers, routes, operations, error types, hosts and tiers in all
	maxKnown = 20_000 // call keys remembered
)

// callKey is everything that decides which series a call counts in. Calls repeat
// it, so that their series are found by one look-up.
type callKey struct {
	kind                             llm.Kind
	operation, provider              string
	requestModel, responseModel      string
	address, errorType, tier         string
	team, route                      string
	port, status                     int
	end                              llm.End
	usageSource                      llm.UsageSource
	costSource, costStatus           string
	currency                         llm.Currency
	stream, costKnown, tableIsBeside bool
}

// callRows are the series of calls with one key.
type callRows struct {
	key callKey

	// Slices, for each measurement would otherwise allocate one.
	duration      []metric.RecordOption // common attributes and error.type
	common        []metric.RecordOption
	input, output []metric.RecordOption

	calls, usage, cost, unpriced, told, different *ledgerRow
	gaps                                          *gapRow
	tokens                                        map[llm.UsageKind]*ledgerRow
	labels                                        [3]string // team, provider, model
}

// record counts one call.
func (m *metrics) record(c *llm.Call) {
	if c.Kind == llm.KindRun {
		return // its calls are counted, each by itself
	}
	m.mu.Lock()
	rows := m.rowsOf(c)
	rows.calls.whole++
	if rows.key.kind == llm.KindLLM {
		m.sums(rows, c)
	}
	m.mu.Unlock()
	if rows.key.kind == llm.KindLLM {
		m.histograms(rows, c)
	}
}

// rowsOf returns the series that a call counts in; the mutex is held. Calls come in
// crowds that are alike: comparing with the last few is cheaper than looking up
// every label.
func (m *metrics) rowsOf(c *llm.Call) *callRows {
	told := keyOf(c)
	for i := range m.recent {
		if r := &m.recent[i]; r.rows != nil && r.told == told {
			return r.rows
		}
	}
	key := m.bounded(told)
	rows, ok := m.known[key]
	if !ok {
		if len(m.known) >= maxKnown {
			clear(m.known)
		}
		rows = m.newRows(&key, c)
		m.known[key] = rows
	}
	// Only what is its own label: other texts are the calls', and must not be kept.
	if key == told {
		m.recent[m.next%len(m.recent)] = recentRows{told: key, rows: rows}
		m.next++
	}
	return rows
}

// recentRows are the series of a call that came lately.
type recentRows struct {
	told callKey
	rows *callRows
}

func keyOf(c *llm.Call) callKey {
	return callKey{
		kind: kindOf(c), operation: c.Operation, provider: c.Provider,
		requestModel: c.RequestModel, responseModel: c.ResponseModel,
		address: c.ServerAddress, port: c.ServerPort, errorType: errorType(c),
		tier: tierOf(c), team: c.Attribution.Team, route: c.Route,
		status: c.Status, end: c.Ended, usageSource: c.Usage.Source,
		costSource: string(c.Cost.Source), costStatus: string(c.Cost.Status), currency: c.Cost.Currency,
		stream: c.Stream, costKnown: c.Cost.Known(), tableIsBeside: c.Cost.Source == llm.CostProvider && c.Cost.HasTable,
	}
}

// bounded returns the key with the labels that there are for its texts.
func (m *metrics) bounded(k callKey) callKey {
	for _, word := range []*string{
		&k.operation, &k.provider, &k.address, &k.errorType, &k.tier, &k.route,
		(*string)(&k.end), (*string)(&k.usageSource), &k.costSource, &k.costStatus, (*string)(&k.currency),
	} {
		*word = m.words.get(*word)
	}
	k.requestModel, k.responseModel = m.models.get(k.requestModel), m.models.get(k.responseModel)
	k.team = m.teams.get(k.team)
	return k
}

// tierOf returns the tier that served. The conventions also recommend OpenAI's
// system_fingerprint as a label; it changes with each deployment of theirs and
// would multiply every series, so it stays on spans.
func tierOf(c *llm.Call) string {
	if c.Usage.Tier != "" {
		return c.Usage.Tier
	}
	for i := range c.Attrs {
		if c.Attrs[i].Key == keyServiceTier {
			tier, _ := c.Attrs[i].Value.(string)
			return tier
		}
	}
	return ""
}

// newRows finds the series of a key; the mutex is held.
func (m *metrics) newRows(k *callKey, c *llm.Call) *callRows {
	status := ""
	if k.status > 0 && k.status < 1000 {
		status = strconv.Itoa(k.status)
	}
	r := &callRows{key: *k, calls: m.calls.row(string(k.kind), k.route, string(k.end), status, k.team)}
	if k.kind != llm.KindLLM {
		return r
	}
	model := m.models.get(c.Model())
	r.labels = [3]string{k.team, k.provider, model}
	r.tokens = map[llm.UsageKind]*ledgerRow{}

	attrs := commonAttributes(k)
	common := attribute.NewSet(attrs...)
	with := func(set attribute.Set) []metric.RecordOption {
		return []metric.RecordOption{metric.WithAttributeSet(set)}
	}
	r.common = with(common)
	r.duration = r.common
	if k.errorType != "" {
		r.duration = with(attribute.NewSet(append(attrs, attribute.String(keyErrorType, k.errorType))...))
	}
	typed := func(t string) []metric.RecordOption {
		return with(attribute.NewSet(append(attrs[:len(attrs):len(attrs)], attribute.String(keyTokenType, t))...))
	}
	r.input, r.output = typed("input"), typed("output")
	if k.stream {
		r.gaps = m.gaps.row(common)
	}
	r.usage = m.usage.row(k.provider, model, first(string(k.usageSource), string(llm.UsageMissing)))
	switch {
	case k.costKnown && k.currency == llm.USD:
		r.cost = m.cost.row(r.labels[:]...)
	case k.costKnown:
		r.cost = m.costOther.row(string(k.currency), k.team, k.provider, model)
	default:
		r.unpriced = m.unpriced.row(k.provider, model, first(k.costStatus, string(llm.CostUnset)))
	}
	if k.tableIsBeside && k.currency == llm.USD {
		r.told, r.different = m.told.row(k.provider, model), m.different.row(k.provider, model)
	}
	return r
}

func commonAttributes(k *callKey) []attribute.KeyValue {
	var attrs []attribute.KeyValue
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, attribute.String(key, value))
		}
	}
	add(keyOperation, k.operation)
	add(keyProvider, k.provider)
	add(keyRequestModel, k.requestModel)
	add(keyResponseModel, k.responseModel)
	add(keyServerAddress, k.address)
	if k.address != "" && k.port > 0 {
		attrs = append(attrs, attribute.Int(keyServerPort, k.port))
	}
	if k.provider == "openai" || k.provider == "azure.ai.openai" {
		add(keyServiceTier, k.tier)
	}
	return attrs
}

// sums adds a call to the ledgers; the mutex is held.
func (m *metrics) sums(r *callRows, c *llm.Call) {
	r.usage.whole++
	if r.cost != nil {
		r.cost.addPico(c.Cost.Total)
	} else {
		r.unpriced.whole++
	}
	if r.told != nil {
		r.told.addPico(c.Cost.Total)
		r.different.addPico(c.Cost.Table)
		r.different.addPico(-c.Cost.Total)
	}
	if r.gaps != nil {
		r.gaps.add(c.Chunks)
	}
	if !c.Usage.Known() {
		return
	}
	for _, kind := range kinds {
		n, ok := c.Usage.Get(kind.kind)
		if !ok || n == 0 || !kind.kind.Tokens() {
			continue
		}
		row := r.tokens[kind.kind]
		if row == nil {
			row = m.tokenSums.row(r.labels[0], r.labels[1], r.labels[2], kind.kind.String(), string(r.key.usageSource))
			r.tokens[kind.kind] = row
		}
		row.whole += n
	}
}

// histograms records a call in the histograms of the conventions.
func (m *metrics) histograms(r *callRows, c *llm.Call) {
	ctx := context.Background()
	if d, ok := since(c.Start, c.End); ok {
		m.duration.Record(ctx, d, r.duration...)
	}
	if c.Stream {
		if d, ok := since(c.Start, c.FirstByte); ok {
			m.firstChunk.Record(ctx, d, r.common...)
		}
	}
	if c.Usage.Source != llm.UsageReported && !m.cfg.CountedTokens {
		return
	}
	if n, ok := c.Usage.Input(); ok {
		m.tokens.Record(ctx, n, r.input...)
	}
	if n, ok := c.Usage.Output(); ok {
		m.tokens.Record(ctx, n, r.output...)
	}
}

func setOf(attrs []llm.Attr) attribute.Set {
	var kvs []attribute.KeyValue
	for _, a := range attrs {
		kvs = append(kvs, attribute.String(a.Key, cleanText(fmt.Sprint(a.Value), maxLabel)))
	}
	return attribute.NewSet(kvs...)
}
