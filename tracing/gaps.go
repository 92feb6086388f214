package tracing

import (
	"context"
	"sort"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/spanwire/spanwire/llm"
)

// gaps is the histogram gen_ai.client.operation.time_per_output_chunk, which has a
// record for each chunk after the first. A call comes with the count, mean, 95th
// percentile and maximum of its gaps and not with each of them, so a whole call is
// recorded at once: count and sum are exact, and so is where the largest lies; the
// others lie in the bucket of the 95th percentile or of the mean of the rest. The
// SDK can record only one value at a time; this is a producer of its own for it.
type gaps struct {
	start time.Time
	scope instrumentation.Scope

	mu   *sync.Mutex
	rows map[attribute.Distinct]*gapRow
}

type gapRow struct {
	set     attribute.Set
	count   uint64
	sum     float64
	min     float64
	max     float64
	buckets []uint64
}

func newGaps(mu *sync.Mutex, scope instrumentation.Scope) *gaps {
	return &gaps{start: time.Now(), scope: scope, mu: mu, rows: map[attribute.Distinct]*gapRow{}}
}

// row returns the row of a set of attributes; the mutex is held.
func (g *gaps) row(set attribute.Set) *gapRow {
	r, ok := g.rows[set.Equivalent()]
	if !ok {
		r = &gapRow{set: set, buckets: make([]uint64, len(durationBounds)+1)}
		g.rows[set.Equivalent()] = r
	}
	return r
}

// add records the gaps of one call.
func (r *gapRow) add(c llm.Chunks) {
	n := c.Count - 1
	if n < 1 {
		return
	}
	mean, p95, most := c.GapMean.Seconds(), c.GapP95.Seconds(), c.GapMax.Seconds()
	total := mean * float64(n)
	r.put(most, 1)
	high := min(n/20, n-1)
	r.put(p95, high)
	if rest := n - 1 - high; rest > 0 {
		r.put(max(total-most-p95*float64(high), 0)/float64(rest), rest)
	}
	r.sum += total
}

// put counts n gaps of v seconds.
func (r *gapRow) put(v float64, n int) {
	if n <= 0 {
		return
	}
	if r.count == 0 || v < r.min {
		r.min = v
	}
	r.max = max(r.max, v)
	r.count += uint64(n)
	r.buckets[sort.SearchFloat64s(durationBounds, v)] += uint64(n)
}

// Produce returns the histogram as it is now. It is called by the SDK.
func (g *gaps) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.rows) == 0 {
		return nil, nil
	}
	data := metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality}
	now := time.Now()
	for _, r := range g.rows {
		data.DataPoints = append(data.DataPoints, metricdata.HistogramDataPoint[float64]{
			Attributes: r.set, StartTime: g.start, Time: now,
			Count: r.count, Sum: r.sum, Bounds: durationBounds, BucketCounts: append([]uint64(nil), r.buckets...),
			Min: metricdata.NewExtrema(r.min), Max: metricdata.NewExtrema(r.max),
		})
	}
	return []metricdata.ScopeMetrics{{Scope: g.scope, Metrics: []metricdata.Metrics{{
		Name: "gen_ai.client.operation.time_per_output_chunk", Unit: "s",
		Description: "Time between two chunks of a streamed answer.", Data: data,
	}}}}, nil
}
