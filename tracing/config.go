package tracing

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

// Config is what users set. Start from [DefaultConfig]: a zero size or time is an
// error and not a default. Keys are the same in YAML and in mapstructure.
type Config struct {
	// Exporters are where spans go, each independent of the others. With none,
	// and with OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
	// set, there is one OTLP exporter that the environment describes.
	Exporters []Exporter `mapstructure:"exporters" yaml:"exporters"`

	Batch      Batch  `mapstructure:"batch" yaml:"batch"`
	Retry      Retry  `mapstructure:"retry" yaml:"retry"`
	QueueBytes int64  `mapstructure:"queue_bytes" yaml:"queue_bytes"` // encoded spans that one exporter may hold, waiting and in flight
	Limits     Limits `mapstructure:"limits" yaml:"limits"`

	// Resource attributes of every span and metric. They win over
	// OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME, which win over
	// service.name "spanwire".
	Resource map[string]string `mapstructure:"resource" yaml:"resource"`

	// HonourSampled leaves out spans of traces whose caller decided not to sample
	// them. Metrics and cost never depend on it.
	HonourSampled bool `mapstructure:"honour_sampled" yaml:"honour_sampled"`

	// HideUsageUnderParent leaves gen_ai.usage.* out of spans below a caller's own
	// span, for callers that are instrumented themselves: else backends that sum
	// up a trace count each token twice. The spanwire.usage.* attributes stay.
	HideUsageUnderParent bool `mapstructure:"hide_usage_under_parent" yaml:"hide_usage_under_parent"`

	Metrics Metrics `mapstructure:"metrics" yaml:"metrics"`
}

// Exporter describes one place that spans go to.
type Exporter struct {
	Type string `mapstructure:"type" yaml:"type"` // otlp, stdout or file
	Name string `mapstructure:"name" yaml:"name"` // in metrics and logs; the type when empty

	// OTLP. An exporter that names no endpoint takes all that it leaves open from
	// the OTEL_EXPORTER_OTLP_* variables; one that names an endpoint takes nothing
	// from them, so that a key meant for one receiver never reaches another.
	Protocol       string            `mapstructure:"protocol" yaml:"protocol"`               // http/protobuf (default), http/json or grpc
	Endpoint       string            `mapstructure:"endpoint" yaml:"endpoint"`               // base URL; /v1/traces is added for HTTP
	TracesEndpoint string            `mapstructure:"traces_endpoint" yaml:"traces_endpoint"` // URL for spans as it is; no metrics go there
	Headers        map[string]string `mapstructure:"headers" yaml:"headers"`                 // may hold keys: never logged
	Compression    string            `mapstructure:"compression" yaml:"compression"`         // none (default) or gzip, which costs more than all else that a span costs
	Timeout        time.Duration     `mapstructure:"timeout" yaml:"timeout"`                 // of one attempt; 10s when 0
	Insecure       bool              `mapstructure:"insecure" yaml:"insecure"`               // gRPC without TLS, for an endpoint without a scheme
	TLS            TLS               `mapstructure:"tls" yaml:"tls"`
	SkipMetrics    bool              `mapstructure:"skip_metrics" yaml:"skip_metrics"` // spans only

	// File.
	Path        string `mapstructure:"path" yaml:"path"`
	RotateBytes int64  `mapstructure:"rotate_bytes" yaml:"rotate_bytes"` // start a new file past this size; 0 means never
	RotateKeep  int    `mapstructure:"rotate_keep" yaml:"rotate_keep"`   // old files to keep; 0 means all
}

// TLS says whom to trust and who we are.
type TLS struct {
	CAFile     string `mapstructure:"ca_file" yaml:"ca_file"` // PEM; the system's roots when empty
	CertFile   string `mapstructure:"cert_file" yaml:"cert_file"`
	KeyFile    string `mapstructure:"key_file" yaml:"key_file"`
	ServerName string `mapstructure:"server_name" yaml:"server_name"`
	SkipVerify bool   `mapstructure:"insecure_skip_verify" yaml:"insecure_skip_verify"`
}

// Batch says when spans are sent, and how many at once.
type Batch struct {
	Bytes   int           `mapstructure:"bytes" yaml:"bytes"` // encoded, before compression
	Spans   int           `mapstructure:"spans" yaml:"spans"`
	Delay   time.Duration `mapstructure:"delay" yaml:"delay"`     // how long a span waits for others
	Senders int           `mapstructure:"senders" yaml:"senders"` // batches in flight at once
}

// Retry says how a batch that a receiver could not take now is tried again: after
// Initial, doubling up to Max, give or take a third; a receiver's Retry-After wins.
type Retry struct {
	Initial    time.Duration `mapstructure:"initial" yaml:"initial"`
	Max        time.Duration `mapstructure:"max" yaml:"max"`
	MaxElapsed time.Duration `mapstructure:"max_elapsed" yaml:"max_elapsed"` // then the batch is dropped and counted
}

// Limits bound what one span may hold.
type Limits struct {
	ContentBytes int `mapstructure:"content_bytes" yaml:"content_bytes"` // of each attribute with messages, instructions or tools
	ValueBytes   int `mapstructure:"value_bytes" yaml:"value_bytes"`     // of any other attribute
	Attributes   int `mapstructure:"attributes" yaml:"attributes"`
}

// Metrics bound the label sets of metrics, and say which tokens they count.
type Metrics struct {
	Teams  int `mapstructure:"teams" yaml:"teams"`   // different teams; further ones count as "other"
	Models int `mapstructure:"models" yaml:"models"` // different models, requested and answered; further ones count as "other"
	// CountedTokens lets gen_ai.client.token.usage include tokens that no provider
	// reported and that were counted here. The spanwire.tokens counter has them always, by source.
	CountedTokens bool          `mapstructure:"counted_tokens" yaml:"counted_tokens"`
	Interval      time.Duration `mapstructure:"interval" yaml:"interval"` // between two exports of metrics over OTLP
}

// DefaultConfig returns the defaults of every option.
func DefaultConfig() Config {
	return Config{
		Batch:      Batch{Bytes: 3 << 20, Spans: 512, Delay: time.Second, Senders: 4},
		Retry:      Retry{Initial: 500 * time.Millisecond, Max: 30 * time.Second, MaxElapsed: 5 * time.Minute},
		QueueBytes: 64 << 20,
		Limits:     Limits{ContentBytes: 1 << 20, ValueBytes: 64 << 10, Attributes: 512},
		Metrics:    Metrics{Teams: 200, Models: 200, Interval: time.Minute},
	}
}

// Settings is what code sets. The zero value works.
type Settings struct {
	Version string                      // of the program, for service.version
	Stdout  io.Writer                   // for the stdout exporter; os.Stdout when nil
	Log     *slog.Logger                // for exporters that fail; slog.Default when nil
	Env     func(string) (string, bool) // os.LookupEnv when nil
}

// ErrConfig is wrapped by every error about a configuration.
var ErrConfig = errors.New("tracing configuration")

// Validate returns what is wrong with a configuration, all of it, or nil. Values
// of headers are never part of it.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
	positive := func(key string, n int64) {
		if n <= 0 {
			bad("%s must be more than 0, is %d", key, n)
		}
	}
	positive("batch.bytes", int64(c.Batch.Bytes))
	positive("batch.spans", int64(c.Batch.Spans))
	positive("batch.delay", int64(c.Batch.Delay))
	positive("batch.senders", int64(c.Batch.Senders))
	positive("retry.initial", int64(c.Retry.Initial))
	positive("retry.max", int64(c.Retry.Max))
	positive("retry.max_elapsed", int64(c.Retry.MaxElapsed))
	positive("queue_bytes", c.QueueBytes)
	positive("metrics.teams", int64(c.Metrics.Teams))
	positive("metrics.models", int64(c.Metrics.Models))
	positive("metrics.interval", int64(c.Metrics.Interval))
	if c.Limits.ContentBytes < minValue || c.Limits.ValueBytes < minValue {
		bad("limits.content_bytes and limits.value_bytes must be at least %d", minValue)
	}
	if c.Limits.Attributes < minAttributes {
		bad("limits.attributes must be at least %d, is %d", minAttributes, c.Limits.Attributes)
	}
	for i, e := range c.Exporters {
		for _, err := range e.validate() {
			bad("exporters[%d]: %w", i, err)
		}
	}
	return errors.Join(errs...)
}

// Below these a span could not say the least that it must.
const (
	minValue      = 64
	minAttributes = 128
)

func (e Exporter) validate() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	kind, ok := exporterKinds[e.Type]
	if !ok {
		bad("type %q is not one of %s", e.Type, strings.Join(exporterNames(), ", "))
		return errs
	}
	if e.Timeout < 0 || e.RotateBytes < 0 || e.RotateKeep < 0 {
		bad("timeout, rotate_bytes and rotate_keep must not be negative")
	}
	if err := kind.check(e); err != nil {
		errs = append(errs, err)
	}
	return errs
}

func checkOTLP(e Exporter) error {
	if e.Path != "" {
		return errors.New("path is for type file")
	}
	switch e.Protocol {
	case "", protocolHTTP, protocolJSON, protocolGRPC:
	default:
		return fmt.Errorf("protocol %q is not one of %s, %s, %s", e.Protocol, protocolHTTP, protocolJSON, protocolGRPC)
	}
	switch e.Compression {
	case "", compressGzip, compressNone:
	default:
		return fmt.Errorf("compression %q is not one of %s, %s", e.Compression, compressGzip, compressNone)
	}
	for key, endpoint := range map[string]string{"endpoint": e.Endpoint, "traces_endpoint": e.TracesEndpoint} {
		if err := checkEndpoint(e.Protocol, endpoint); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if (e.TLS.CertFile == "") != (e.TLS.KeyFile == "") {
		return errors.New("tls.cert_file and tls.key_file belong together")
	}
	for name, value := range e.Headers {
		if !isToken(name) || strings.ContainsAny(value, "\r\n\x00") {
			return fmt.Errorf("header %q has a name or value that HTTP cannot carry", name)
		}
	}
	return nil
}

// checkEndpoint does not repeat the endpoint in its errors when it cannot be read:
// it may hold a password.
func checkEndpoint(protocol, endpoint string) error {
	if endpoint == "" {
		return nil
	}
	if !strings.Contains(endpoint, "://") {
		if protocol == protocolGRPC {
			return nil
		}
		return errors.New("has no scheme: write http://… or https://…")
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return errors.New("is not a URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("scheme %q is not http or https", u.Scheme)
	}
	if u.Host == "" {
		return errors.New("names no host")
	}
	return nil
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func checkFile(e Exporter) error {
	if e.Path == "" {
		return errors.New("path is missing")
	}
	return nil
}

func checkStdout(Exporter) error { return nil }
