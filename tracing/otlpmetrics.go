package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc/credentials"
	stdgzip "google.golang.org/grpc/encoding/gzip"
)

// metricReaders returns a reader for each OTLP exporter that takes metrics.
func metricReaders(cfg Config, env environment, log *slog.Logger, extra sdkmetric.Producer) ([]sdkmetric.Reader, error) {
	var readers []sdkmetric.Reader
	fail := func(i int, err error) ([]sdkmetric.Reader, error) {
		for _, r := range readers {
			r.Shutdown(done()) // nothing was counted yet
		}
		return nil, fmt.Errorf("open exporters[%d] for metrics: %w", i, err)
	}
	for i, e := range cfg.Exporters {
		if e.Type != "otlp" || e.SkipMetrics {
			continue
		}
		t, err := env.resolve(e)
		if err != nil {
			return fail(i, err)
		}
		if t.metrics == "" {
			continue
		}
		exp, err := metricExporter(t)
		if err != nil {
			return fail(i, err)
		}
		readers = append(readers, sdkmetric.NewPeriodicReader(
			&calmExporter{Exporter: exp, target: t, log: log},
			sdkmetric.WithInterval(cfg.Metrics.Interval), sdkmetric.WithProducer(extra)))
	}
	return readers, nil
}

// done returns a context that is done: what is closed with it does not wait.
func done() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// metricExporter returns the SDK's exporter. It reads the OTEL_* variables by
// itself, so that each option that decides where things go is given, empty or not.
func metricExporter(t target) (sdkmetric.Exporter, error) {
	trust, err := t.tls.config()
	if err != nil {
		return nil, err
	}
	headers := t.metricHeads
	if headers == nil {
		headers = map[string]string{}
	}
	if t.protocol == protocolGRPC {
		opts := []otlpmetricgrpc.Option{
			otlpmetricgrpc.WithEndpointURL(t.metrics), otlpmetricgrpc.WithHeaders(headers), otlpmetricgrpc.WithTimeout(t.timeout),
		}
		if t.plaintext {
			opts = append(opts, otlpmetricgrpc.WithInsecure())
		} else {
			opts = append(opts, otlpmetricgrpc.WithTLSCredentials(credentials.NewTLS(trust)))
		}
		if t.compression == compressGzip {
			opts = append(opts, otlpmetricgrpc.WithCompressor(stdgzip.Name))
		}
		return otlpmetricgrpc.New(context.Background(), opts...)
	}
	compression := otlpmetrichttp.NoCompression
	if t.compression == compressGzip {
		compression = otlpmetrichttp.GzipCompression
	}
	opts := []otlpmetrichttp.Option{
		otlpmetrichttp.WithEndpointURL(t.metrics), otlpmetrichttp.WithHeaders(headers), otlpmetrichttp.WithTimeout(t.timeout),
		otlpmetrichttp.WithCompression(compression),
	}
	if strings.HasPrefix(t.metrics, "https:") {
		opts = append(opts, otlpmetrichttp.WithTLSClientConfig(trust))
	}
	return otlpmetrichttp.New(context.Background(), opts...)
}

// calmExporter logs a failure once a minute, where the SDK would hand each one to
// a handler that is global to the process.
type calmExporter struct {
	sdkmetric.Exporter
	target target
	log    *slog.Logger
	quiet  atomic.Int64
}

// Export sends metrics. What could not be sent is in the next export again, for
// sums are cumulative.
func (e *calmExporter) Export(ctx context.Context, data *metricdata.ResourceMetrics) error {
	err := e.Exporter.Export(ctx, data)
	now := time.Now().UnixNano()
	quiet := e.quiet.Load()
	if err != nil && now >= quiet && e.quiet.CompareAndSwap(quiet, now+int64(time.Minute)) {
		e.log.Warn("metrics not exported; they stay on the admin address", "error", e.target.scrub(err.Error()))
	}
	return nil
}
