package tracing

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"
)

const scopeName = "github.com/spanwire/spanwire/tracing"

// resourceOf returns the attributes that describe this process, in the order of
// who wins: config, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, our own.
func resourceOf(cfg Config, version string, env environment) (map[string]string, error) {
	attrs := map[string]string{
		"service.name":           "spanwire",
		"service.instance.id":    uuid.NewString(),
		"telemetry.sdk.name":     "spanwire",
		"telemetry.sdk.language": "go",
	}
	if version != "" {
		attrs["service.version"] = version
		attrs["telemetry.sdk.version"] = version
	}
	told, err := parseAttributes(env.get("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		return nil, fmt.Errorf("%w: OTEL_RESOURCE_ATTRIBUTES: %w", ErrConfig, err)
	}
	maps.Copy(attrs, told)
	if name := env.get("OTEL_SERVICE_NAME"); name != "" {
		attrs["service.name"] = name
	}
	maps.Copy(attrs, cfg.Resource)
	return attrs, nil
}

// parseAttributes reads k=v pairs with commas between them, values percent-encoded
// (https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable).
func parseAttributes(s string) (map[string]string, error) {
	attrs := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" {
			return nil, fmt.Errorf("%q is not key=value", strings.TrimSpace(pair))
		}
		value = strings.TrimSpace(value)
		if decoded, err := url.PathUnescape(value); err == nil {
			value = decoded
		}
		attrs[key] = value
	}
	return attrs, nil
}

// envelope is what stands around the spans of a request: an
// ExportTraceServiceRequest has one ResourceSpans with one ScopeSpans.
type envelope struct {
	resource []byte // field 1 of ResourceSpans
	scope    []byte // field 1 of ScopeSpans
	schema   []byte // field 3 of both
}

func newEnvelope(attrs map[string]string, version string) envelope {
	// A Resource has its attributes as field 1, a Span as field 9: everything else
	// is the same, so the attributes are written as those of a span and retagged.
	var res message
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		m := message{limit: 4 << 10, max: 1}
		m.raw(cleanText(key, maxKey), cleanText(attrs[key], m.limit))
		if len(m.b) == 0 {
			continue
		}
		_, _, n := protowire.ConsumeTag(m.b)
		res.b = protowire.AppendTag(res.b, 1, protowire.BytesType)
		res.b = append(res.b, m.b[n:]...)
	}
	var scope, resource, inner, schema message
	inner.text(1, scopeName)
	inner.text(2, version)
	resource.bytes(1, res.b)
	scope.bytes(1, inner.b)
	schema.text(3, schemaURL)
	return envelope{resource: resource.b, scope: scope.b, schema: schema.b}
}

// request appends an ExportTraceServiceRequest with the spans
// (opentelemetry/proto/collector/trace/v1/trace_service.proto).
func (e *envelope) request(dst []byte, spans [][]byte) []byte {
	scope := len(e.scope) + len(e.schema)
	for _, s := range spans {
		scope += 1 + protowire.SizeBytes(len(s))
	}
	resource := len(e.resource) + 1 + protowire.SizeBytes(scope) + len(e.schema)
	dst = protowire.AppendTag(dst, 1, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(resource))
	dst = append(dst, e.resource...)
	dst = protowire.AppendTag(dst, 2, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(scope))
	dst = append(dst, e.scope...)
	for _, s := range spans {
		dst = protowire.AppendTag(dst, 2, protowire.BytesType)
		dst = protowire.AppendBytes(dst, s)
	}
	dst = append(dst, e.schema...)
	return append(dst, e.schema...)
}

func attributesOf(attrs map[string]string) []attribute.KeyValue {
	var kvs []attribute.KeyValue
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		kvs = append(kvs, attribute.String(cleanText(key, maxKey), cleanText(attrs[key], 4<<10)))
	}
	return kvs
}
