package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	prombridge "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/spanwire/spanwire/llm"
)

// Bucket boundaries that the conventions give
// (https://github.com/open-telemetry/semantic-conventions/blob/v1.41.1/docs/gen-ai/gen-ai-metrics.md).
var (
	durationBounds = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBounds    = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
)

// metrics counts calls. Its record is used by one goroutine at a time; reading is
// safe beside it.
type metrics struct {
	cfg      Metrics
	provider *sdkmetric.MeterProvider
	meter    metric.Meter
	handler  http.Handler

	duration, firstChunk metric.Float64Histogram
	tokens               metric.Int64Histogram

	mu                                                                  sync.Mutex // of the ledgers, the gaps and the observables
	cost, costOther, tokenSums, usage, calls, unpriced, told, different *ledger
	gaps                                                                *gaps
	observed                                                            map[string]*observable

	teams, models, words *labels
	known                map[callKey]*callRows
	recent               [4]recentRows
	next                 int // the one of recent to replace
}

func newMetrics(cfg Config, env environment, s Settings, attrs map[string]string) (*metrics, error) {
	m := &metrics{
		cfg: cfg.Metrics, observed: map[string]*observable{}, known: map[callKey]*callRows{},
		teams: newLabels(cfg.Metrics.Teams), models: newLabels(cfg.Metrics.Models), words: newLabels(maxWords),
	}
	scope := instrumentation.Scope{Name: scopeName, Version: s.Version, SchemaURL: schemaURL}
	m.gaps = newGaps(&m.mu, scope)
	res := resource.NewWithAttributes(schemaURL, attributesOf(attrs)...)

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	bridge, err := prombridge.New(prombridge.WithRegisterer(registry), prombridge.WithoutScopeInfo(), prombridge.WithProducer(m.gaps))
	if err != nil {
		return nil, fmt.Errorf("start Prometheus metrics: %w", err)
	}
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError})

	readers, err := metricReaders(cfg, env, s.Log, m.gaps)
	if err != nil {
		return nil, err
	}
	opts := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithReader(bridge), sdkmetric.WithCardinalityLimit(2 * maxRows)}
	for _, r := range readers {
		opts = append(opts, sdkmetric.WithReader(r))
	}
	m.provider = sdkmetric.NewMeterProvider(opts...)
	m.meter = m.provider.Meter(scope.Name, metric.WithInstrumentationVersion(scope.Version), metric.WithSchemaURL(schemaURL))
	return m, m.instruments()
}

// instruments makes every metric that calls are counted in.
func (m *metrics) instruments() error {
	var errs [3]error
	m.duration, errs[0] = m.meter.Float64Histogram("gen_ai.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of calls of models."), metric.WithExplicitBucketBoundaries(durationBounds...))
	m.firstChunk, errs[1] = m.meter.Float64Histogram("gen_ai.client.operation.time_to_first_chunk", metric.WithUnit("s"),
		metric.WithDescription("Time to the first chunk of a streamed answer."), metric.WithExplicitBucketBoundaries(durationBounds...))
	m.tokens, errs[2] = m.meter.Int64Histogram("gen_ai.client.token.usage", metric.WithUnit("{token}"),
		metric.WithDescription("Tokens that calls used."), metric.WithExplicitBucketBoundaries(tokenBounds...))

	m.cost = newLedger(&m.mu, keyTeam, keyProvider, keyModel)
	m.costOther = newLedger(&m.mu, keyCostCurrency, keyTeam, keyProvider, keyModel)
	m.tokenSums = newLedger(&m.mu, keyTeam, keyProvider, keyModel, keyTokenType, keyUsageSource)
	m.usage = newLedger(&m.mu, keyProvider, keyModel, keyUsageSource)
	m.calls = newLedger(&m.mu, keyKind, keyRoute, keyEnd, keyHTTPStatus, keyTeam)
	m.unpriced = newLedger(&m.mu, keyProvider, keyModel, keyCostStatus)
	m.told = newLedger(&m.mu, keyProvider, keyModel)
	m.different = newLedger(&m.mu, keyProvider, keyModel)
	return errors.Join(append(errs[:],
		m.money("spanwire.cost", unitUSD, "Cost of calls that are priced in US dollars.", m.cost),
		// A metric of its own: a sum over all rows of the other one is one of dollars.
		m.money("spanwire.cost.other", unitOther, "Cost of calls that are priced in another currency, by currency.", m.costOther),
		m.count("spanwire.tokens", "{token}", "Tokens that calls used, in disjoint types, by where the counts are from.", m.tokenSums),
		m.count("spanwire.usage", "{call}", "Calls of models, by where their token counts are from.", m.usage),
		m.count("spanwire.calls", "{call}", "Exchanges, by how they ended.", m.calls),
		m.count("spanwire.cost.unknown", "{call}", "Calls whose cost is not known, by why.", m.unpriced),
		m.money("spanwire.cost.told", unitUSD, "Cost that providers told and the price table knows as well, in US dollars.", m.told),
		m.difference("spanwire.cost.difference", "Table cost less the cost that providers told, in US dollars.", m.different),
	)...)
}

// keyModel is the model that a call is priced by.
const keyModel = "spanwire.model"

// Units of money are annotations: "USD" as a unit would end up inside Prometheus names.
const (
	unitUSD   = "{USD}"
	unitOther = "{currency}" // which one the label spanwire.cost.currency says
)

func (m *metrics) money(name, unit, description string, l *ledger) error {
	_, err := m.meter.Float64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			l.each(func(a amount, set metric.MeasurementOption) { o.Observe(a.float(), set) })
			return nil
		}))
	return err
}

func (m *metrics) difference(name, description string, l *ledger) error {
	_, err := m.meter.Float64ObservableUpDownCounter(name, metric.WithUnit(unitUSD), metric.WithDescription(description),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			l.each(func(a amount, set metric.MeasurementOption) { o.Observe(a.float(), set) })
			return nil
		}))
	return err
}

func (m *metrics) count(name, unit, description string, l *ledger) error {
	_, err := m.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			l.each(func(a amount, set metric.MeasurementOption) { o.Observe(a.whole, set) })
			return nil
		}))
	return err
}

func (m *metrics) close(ctx context.Context) error {
	if err := m.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("close metrics: %w", err)
	}
	return nil
}

// observable is a metric that others publish: one name, any number of readings.
type observable struct {
	kind, unit string
	readings   []reading
}

type reading struct {
	read func() int64
	set  metric.MeasurementOption
}

// Gauge publishes a value that goes up and down, read whenever metrics are
// collected: read must be cheap and safe for concurrent use. The same name may be
// published several times with different attributes, whose values are text.
func (t *Tracing) Gauge(name, unit, description string, read func() int64, attrs ...llm.Attr) error {
	return t.metrics.observe("gauge", name, unit, description, read, attrs)
}

// Counter publishes a sum that only grows, otherwise as [Tracing.Gauge].
func (t *Tracing) Counter(name, unit, description string, read func() int64, attrs ...llm.Attr) error {
	return t.metrics.observe("counter", name, unit, description, read, attrs)
}

func (m *metrics) observe(kind, name, unit, description string, read func() int64, attrs []llm.Attr) error {
	r := reading{read: read, set: metric.WithAttributeSet(setOf(attrs))}
	m.mu.Lock()
	o, known := m.observed[name]
	if !known {
		o = &observable{kind: kind, unit: unit}
		m.observed[name] = o
	}
	if o.kind != kind || o.unit != unit {
		m.mu.Unlock()
		return fmt.Errorf("publish metric %s: it is a %s of unit %q already", name, o.kind, o.unit)
	}
	o.readings = append(o.readings[:len(o.readings):len(o.readings)], r)
	m.mu.Unlock()
	if known {
		return nil
	}
	callback := func(_ context.Context, out metric.Int64Observer) error {
		m.mu.Lock()
		readings := o.readings
		m.mu.Unlock()
		for _, r := range readings {
			out.Observe(r.read(), r.set)
		}
		return nil
	}
	var err error
	if kind == "gauge" {
		_, err = m.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description), metric.WithInt64Callback(callback))
	} else {
		_, err = m.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description), metric.WithInt64Callback(callback))
	}
	if err != nil {
		return fmt.Errorf("publish metric %s: %w", name, err)
	}
	return nil
}
