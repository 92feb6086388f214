package tracing

import (
	"encoding/binary"
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
		res.b = tag(res.b, 1, protowire.BytesType)
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

// pieces returns an ExportTraceServiceRequest with the spans
// (opentelemetry/proto/collector/trace/v1/trace_service.proto) in pieces, which
// joined are the request: the spans themselves are among them and not copied.
func (e *envelope) pieces(spans [][]byte) (pieces [][]byte, size int) {
	scope := len(e.scope) + len(e.schema)
	for _, s := range spans {
		scope += 1 + protowire.SizeBytes(len(s))
	}
	resource := len(e.resource) + 1 + protowire.SizeBytes(scope) + len(e.schema)
	// What stands between the spans is written one after the other; its capacity is
	// never exceeded, for pieces point into it.
	const most = 1 + binary.MaxVarintLen64
	frame := make([]byte, 0, 2*most+len(e.resource)+len(e.scope)+len(spans)*most+2*len(e.schema))
	pieces = make([][]byte, 0, 2*len(spans)+1)

	frame = tag(frame, 1, protowire.BytesType)
	frame = varint(frame, uint64(resource))
	frame = append(frame, e.resource...)
	frame = tag(frame, 2, protowire.BytesType)
	frame = varint(frame, uint64(scope))
	frame = append(frame, e.scope...)
	from := 0
	for _, s := range spans {
		frame = tag(frame, 2, protowire.BytesType)
		frame = varint(frame, uint64(len(s)))
		pieces = append(pieces, frame[from:], s)
		from = len(frame)
	}
	frame = append(frame, e.schema...)
	frame = append(frame, e.schema...)
	return append(pieces, frame[from:]), 1 + protowire.SizeBytes(resource)
}

// request appends the same in one piece.
func (e *envelope) request(dst []byte, spans [][]byte) []byte {
	pieces, size := e.pieces(spans)
	dst = slices.Grow(dst, size)
	for _, p := range pieces {
		dst = append(dst, p...)
	}
	return dst
}

func attributesOf(attrs map[string]string) []attribute.KeyValue {
	var kvs []attribute.KeyValue
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		kvs = append(kvs, attribute.String(cleanText(key, maxKey), cleanText(attrs[key], 4<<10)))
	}
	return kvs
}
