package tracing

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/spanwire/spanwire/llm"
)

// readDatadog reads Datadog's own headers: ids are 64-bit decimals, and the upper
// half of a 128-bit trace id stands in hex in the tag _dd.p.tid. A context with no
// parent id continues the trace without one.
// https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/
func readDatadog(c carrier) llm.Place {
	low, err := strconv.ParseUint(c[fieldDDTrace], 10, 64)
	if err != nil || low == 0 {
		return llm.Place{}
	}
	var p llm.Place
	binary.BigEndian.PutUint64(p.Trace[8:], low)
	if high, ok := datadogHigh(c[fieldDDTags]); ok {
		binary.BigEndian.PutUint64(p.Trace[:8], high)
	}
	if parent, err := strconv.ParseUint(c[fieldDDParent], 10, 64); err == nil {
		binary.BigEndian.PutUint64(p.Parent[:], parent)
	}
	// Priorities: -1 and 0 reject, 1 and 2 keep; absent is undecided.
	if n, err := strconv.Atoi(c[fieldDDSampling]); err != nil || n > 0 {
		p.Flags = byte(trace.FlagsSampled)
	}
	return p
}

func datadogHigh(tags string) (high uint64, ok bool) {
	for tag := range strings.SplitSeq(tags, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(tag), "=")
		if name == "_dd.p.tid" && len(value) == 16 {
			high, err := strconv.ParseUint(value, 16, 64)
			return high, err == nil
		}
	}
	return 0, false
}

// readCloud reads Google Cloud's "TRACE_ID/SPAN_ID;o=OPTIONS": the trace id in
// hex, the span id in decimal, bit 0 of the options says sampled. Span and options
// may be absent.
// https://docs.cloud.google.com/trace/docs/trace-context#legacy-http-header
func readCloud(c carrier) llm.Place {
	value, options, hasOptions := strings.Cut(c[fieldCloud], ";o=")
	id, span, _ := strings.Cut(value, "/")
	var p llm.Place
	if len(id) != hex.EncodedLen(len(p.Trace)) {
		return llm.Place{}
	}
	if _, err := hex.Decode(p.Trace[:], []byte(id)); err != nil {
		return llm.Place{}
	}
	if n, err := strconv.ParseUint(span, 10, 64); err == nil {
		binary.BigEndian.PutUint64(p.Parent[:], n)
	}
	if n, err := strconv.ParseUint(options, 10, 8); !hasOptions || err == nil && n&1 == 1 {
		p.Flags = byte(trace.FlagsSampled)
	}
	return p
}
