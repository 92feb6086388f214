package tracing

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Words of the OTLP exporter specification.
const (
	protocolHTTP = "http/protobuf"
	protocolJSON = "http/json"
	protocolGRPC = "grpc"

	compressGzip = "gzip"
	compressNone = "none"

	tracesPath  = "/v1/traces"
	metricsPath = "/v1/metrics"

	defaultTimeout = 10 * time.Second
)

// environment reads the standard variables, by
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/: one for traces
// alone wins over the general one, and an empty one counts as absent.
type environment func(string) (string, bool)

func (env environment) get(name string) string {
	v, _ := env(name)
	return strings.TrimSpace(v)
}

func (env environment) otlp(signal, name string) string {
	if v := env.get("OTEL_EXPORTER_OTLP_" + signal + "_" + name); v != "" {
		return v
	}
	return env.get("OTEL_EXPORTER_OTLP_" + name)
}

// wantsExporter says whether the environment alone describes an exporter.
func (env environment) wantsExporter() bool {
	return env.otlp("TRACES", "ENDPOINT") != "" && env.get("OTEL_TRACES_EXPORTER") != "none" &&
		!strings.EqualFold(env.get("OTEL_SDK_DISABLED"), "true")
}

// target is an OTLP exporter with everything decided: what config and environment
// together say.
type target struct {
	protocol    string
	endpoint    string            // URL of spans; for gRPC scheme and host
	metrics     string            // URL of metrics; "" when none go there
	headers     map[string]string // may hold keys
	metricHeads map[string]string // of metrics, likewise
	compression string
	timeout     time.Duration
	plaintext   bool // gRPC without TLS
	tls         TLS
}

// resolve decides what e leaves open.
func (env environment) resolve(e Exporter) (target, error) {
	t := target{
		protocol: e.Protocol, headers: e.Headers, metricHeads: e.Headers, compression: e.Compression,
		timeout: e.Timeout, tls: e.TLS,
	}
	insecure := e.Insecure
	base, exact := e.Endpoint, e.TracesEndpoint
	metricsExact := ""
	if base == "" && exact == "" {
		if err := env.fill(&t, &insecure); err != nil {
			return target{}, err
		}
		base = env.get("OTEL_EXPORTER_OTLP_ENDPOINT")
		exact = env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
		metricsExact = env.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
	}
	t.protocol = first(t.protocol, protocolHTTP)
	t.compression = first(t.compression, compressNone)
	if t.timeout == 0 {
		t.timeout = defaultTimeout
	}
	if err := t.place(base, exact, metricsExact, insecure); err != nil {
		return target{}, err
	}
	if e.SkipMetrics || env.get("OTEL_METRICS_EXPORTER") == "none" {
		t.metrics = ""
	}
	return t, checkOTLP(Exporter{Protocol: t.protocol, Compression: t.compression, Headers: t.headers, TLS: t.tls})
}

// fill takes from the environment what is still open.
func (env environment) fill(t *target, insecure *bool) error {
	t.protocol = first(t.protocol, env.otlp("TRACES", "PROTOCOL"))
	t.compression = first(t.compression, env.otlp("TRACES", "COMPRESSION"))
	t.tls.CAFile = first(t.tls.CAFile, env.otlp("TRACES", "CERTIFICATE"))
	t.tls.CertFile = first(t.tls.CertFile, env.otlp("TRACES", "CLIENT_CERTIFICATE"))
	t.tls.KeyFile = first(t.tls.KeyFile, env.otlp("TRACES", "CLIENT_KEY"))
	*insecure = *insecure || strings.EqualFold(env.otlp("TRACES", "INSECURE"), "true")
	if v := env.otlp("TRACES", "TIMEOUT"); v != "" && t.timeout == 0 {
		ms, err := strconv.ParseInt(v, 10, 32)
		if err != nil || ms <= 0 {
			return fmt.Errorf("%w: OTEL_EXPORTER_OTLP_TIMEOUT: %q is not a number of milliseconds", ErrConfig, v)
		}
		t.timeout = time.Duration(ms) * time.Millisecond
	}
	if t.headers != nil {
		return nil
	}
	var err error
	if t.headers, err = parseHeaders(env.otlp("TRACES", "HEADERS")); err == nil {
		t.metricHeads, err = parseHeaders(env.otlp("METRICS", "HEADERS"))
	}
	if err != nil {
		return fmt.Errorf("%w: OTEL_EXPORTER_OTLP_HEADERS: %w", ErrConfig, err)
	}
	return nil
}

// place decides the addresses: a base gets the signal's path added, an address of
// one signal is taken as it is.
func (t *target) place(base, exact, metricsExact string, insecure bool) error {
	if t.protocol == protocolGRPC {
		return t.placeGRPC(first(exact, base), first(metricsExact, base), exact != "" && base == "", insecure)
	}
	if base == "" && exact == "" {
		base = "http://localhost:4318"
	}
	for _, endpoint := range []string{base, exact, metricsExact} {
		if err := checkEndpoint(t.protocol, endpoint); err != nil {
			return fmt.Errorf("%w: otlp endpoint %w", ErrConfig, err)
		}
	}
	t.endpoint, t.metrics = exact, metricsExact
	if t.endpoint == "" {
		t.endpoint = signalURL(base, tracesPath)
	}
	if t.metrics == "" && base != "" {
		t.metrics = signalURL(base, metricsPath)
	}
	return nil
}

// signalURL adds the path of a signal to a base. A base that already ends with
// the path for spans, as vendors write it, is a base all the same.
func signalURL(base, path string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), tracesPath) + path
	u.RawPath = ""
	return u.String()
}

func (t *target) placeGRPC(endpoint, metrics string, spansOnly, insecure bool) error {
	endpoint = first(endpoint, "http://localhost:4317")
	scheme, host, ok := strings.Cut(endpoint, "://")
	if !ok {
		scheme, host = "https", endpoint
		if insecure {
			scheme = "http"
		}
	}
	if scheme != "http" && scheme != "https" {
		return fmt.Errorf("%w: otlp endpoint: scheme %q is not http or https", ErrConfig, scheme)
	}
	host, _, _ = strings.Cut(host, "/")
	t.plaintext = scheme == "http"
	t.endpoint = scheme + "://" + host
	switch {
	case strings.Contains(metrics, "://"):
		t.metrics = metrics
	case metrics != "" || !spansOnly:
		t.metrics = t.endpoint
	}
	return nil
}

// parseHeaders reads the value of OTEL_EXPORTER_OTLP_HEADERS: pairs k=v with
// commas between them, percent-encoded as in W3C baggage. Errors do not repeat it.
func parseHeaders(s string) (map[string]string, error) {
	if s == "" {
		return nil, nil
	}
	headers := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("pair %d has no equals sign", len(headers)+1)
		}
		name, err := url.PathUnescape(strings.TrimSpace(name))
		if err != nil || !isToken(name) {
			return nil, fmt.Errorf("pair %d has a name that HTTP cannot carry", len(headers)+1)
		}
		value, err = url.PathUnescape(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("the value of %q is not percent-encoded (a blank is %%20)", name)
		}
		headers[name] = value
	}
	return headers, nil
}
