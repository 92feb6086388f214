package tracing

import (
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanwire/spanwire/llm"
)

// otherLabel stands for every value that came after a label had as many as it may.
const otherLabel = "other"

// maxLabel bounds a label's value in bytes.
const maxLabel = 128

// labels is a set of label values that does not grow past a bound: callers choose
// models and teams, and each new value is a new time series for good.
type labels struct {
	max  int
	seen map[string]string
}

func newLabels(max int) *labels { return &labels{max: max, seen: map[string]string{}} }

// get returns the value to count s under.
func (l *labels) get(s string) string {
	if s == "" {
		return ""
	}
	if len(s) > maxLabel {
		s = cutText(s, maxLabel)
	}
	if known, ok := l.seen[s]; ok {
		return known
	}
	if len(l.seen) >= l.max {
		return otherLabel
	}
	clean := cleanText(strings.Clone(s), maxLabel)
	l.seen[strings.Clone(s)] = clean
	return clean
}

// amount is a sum of counts, or of money kept exactly: whole units, and 10⁻¹² parts.
type amount struct{ whole, pico int64 }

const picoPerUnit = 1_000_000_000_000

func (a *amount) addPico(p llm.Pico) {
	a.whole += int64(p) / picoPerUnit
	a.pico += int64(p) % picoPerUnit
	if a.pico >= picoPerUnit || a.pico <= -picoPerUnit {
		a.whole += a.pico / picoPerUnit
		a.pico %= picoPerUnit
	}
}

func (a *amount) float() float64 { return float64(a.whole) + float64(a.pico)/picoPerUnit }

// ledger is the sums of one metric by its labels. The SDK's counters add up
// floats and look an attribute set up at each addition; these are exact and an
// addition is one instruction once the row is known.
type ledger struct {
	names []string
	mu    *sync.Mutex // of all ledgers
	rows  map[[maxNames]string]*ledgerRow
}

const (
	maxNames = 5
	maxRows  = 10_000 // then everything counts under "other"
)

type ledgerRow struct {
	amount
	set metric.MeasurementOption
}

func newLedger(mu *sync.Mutex, names ...string) *ledger {
	return &ledger{names: names, mu: mu, rows: map[[maxNames]string]*ledgerRow{}}
}

// row returns the row of these label values; the mutex is held. An empty value is
// a label that is absent.
func (l *ledger) row(values ...string) *ledgerRow {
	var key [maxNames]string
	copy(key[:], values)
	if r, ok := l.rows[key]; ok {
		return r
	}
	if len(l.rows) >= maxRows {
		for i := range l.names {
			key[i] = otherLabel
		}
		if r, ok := l.rows[key]; ok {
			return r
		}
	}
	var attrs []attribute.KeyValue
	for i, name := range l.names {
		if key[i] != "" {
			attrs = append(attrs, attribute.String(name, key[i]))
		}
	}
	r := &ledgerRow{set: metric.WithAttributeSet(attribute.NewSet(attrs...))}
	l.rows[key] = r
	return r
}

// each calls f with the sums as they are now.
func (l *ledger) each(f func(amount, metric.MeasurementOption)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rows {
		f(r.amount, r.set)
	}
}
