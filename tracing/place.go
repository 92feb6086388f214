package tracing

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"strings"

	"go.opentelemetry.io/contrib/propagators/aws/xray"
	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/contrib/propagators/jaeger"
	"go.opentelemetry.io/contrib/propagators/ot"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/spanwire/spanwire/llm"
)

// NewPlace completes a place: a call without a trace becomes the root of a new
// one, and a call without a span id gets one. Ids are random, so a trace of ours
// says so in its flags (https://www.w3.org/TR/trace-context-2/#random-trace-id-flag).
// It is safe for concurrent use.
func NewPlace(p llm.Place) llm.Place {
	if p.Trace == ([16]byte{}) {
		p.Parent, p.Remote, p.State = [8]byte{}, false, ""
		p.Flags = byte(trace.FlagsSampled | trace.FlagsRandom)
		for p.Trace == ([16]byte{}) {
			binary.BigEndian.PutUint64(p.Trace[:8], rand.Uint64())
			binary.BigEndian.PutUint64(p.Trace[8:], rand.Uint64())
		}
	}
	for p.Span == ([8]byte{}) {
		binary.BigEndian.PutUint64(p.Span[:], rand.Uint64())
	}
	return p
}

// Place is [NewPlace].
func (t *Tracing) Place(p llm.Place) llm.Place { return NewPlace(p) }

// Parent is [Parent].
func (t *Tracing) Parent(h llm.Header) llm.Place { return Parent(h) }

// Parent reads the trace context that a caller sent, in any of the formats that
// are in use. W3C wins over the others, for it is what tracers send beside their
// own format; then the order is that of formats, below. It returns the zero place
// when there is none. A context that does not say whether it is sampled counts as
// sampled. It is safe for concurrent use.
func Parent(h llm.Header) llm.Place {
	fields, found := contextFields(h)
	if !found {
		return llm.Place{}
	}
	for _, read := range formats {
		if p := read(fields); p.Trace != ([16]byte{}) {
			p.Remote = true
			return p
		}
	}
	return llm.Place{}
}

// formats are the readers of trace context; the first that finds one wins. What
// says more stands before what says less: X-Ray and Cloud headers are also added
// by load balancers on the way.
var formats = []func(carrier) llm.Place{
	readW3C,
	readB3,
	readJaeger,
	readDatadog,
	readOpenTracing,
	readXRay,
	readCloud,
}

// carrier holds the header fields that trace context is carried in, by lower-case
// name. It is what the propagators read from.
type carrier map[string]string

// Get returns the value of a field.
func (c carrier) Get(name string) string { return c[strings.ToLower(name)] }

// Set does nothing: a caller's header is only read.
func (c carrier) Set(string, string) {}

// Keys returns nothing: no field is looked for by prefix (baggage is read elsewhere).
func (c carrier) Keys() []string { return nil }

const (
	fieldTraceparent = "traceparent"
	fieldTracestate  = "tracestate"
	fieldDDTrace     = "x-datadog-trace-id"
	fieldDDParent    = "x-datadog-parent-id"
	fieldDDSampling  = "x-datadog-sampling-priority"
	fieldDDTags      = "x-datadog-tags"
	fieldOTSampled   = "ot-tracer-sampled"
	fieldB3          = "b3"
	fieldXRay        = "x-amzn-trace-id"
	fieldCloud       = "x-cloud-trace-context"
)

// contextField says for each field of trace context whether its value is read in lower case: readers
// want lower-case hex, and some tracers send upper case.
var contextField = map[string]bool{
	fieldTraceparent: false, fieldTracestate: false,
	fieldB3: true, "x-b3-traceid": true, "x-b3-spanid": true, "x-b3-parentspanid": true, "x-b3-sampled": true, "x-b3-flags": true,
	"uber-trace-id": true,
	fieldDDTrace:    false, fieldDDParent: false, fieldDDSampling: false, fieldDDTags: false,
	"ot-tracer-traceid": true, "ot-tracer-spanid": true, fieldOTSampled: true,
	fieldXRay:  false,
	fieldCloud: true,
}

// maxField bounds a field that is looked at; a tracestate may have 512 characters and more.
const maxField = 8 << 10

// contextFields picks the fields of trace context out of a head in one pass.
func contextFields(h llm.Header) (fields carrier, found bool) {
	var lower [32]byte
	for name, value := range h.All() {
		if len(name) > len(lower) || len(value) > maxField || !mayCarry(name) {
			continue
		}
		n := copy(lower[:], name)
		for i := range n {
			if c := lower[i]; c >= 'A' && c <= 'Z' {
				lower[i] = c + 'a' - 'A'
			}
		}
		fold, known := contextField[string(lower[:n])]
		if !known {
			continue
		}
		if fold {
			value = strings.ToLower(value)
		}
		if fields == nil {
			fields = carrier{}
		}
		fields.add(string(lower[:n]), value)
	}
	return fields, fields != nil
}

// mayCarry is a quick look at the first letter.
func mayCarry(name string) bool {
	if name == "" {
		return false
	}
	switch name[0] | 0x20 {
	case 't', 'b', 'x', 'u', 'o':
		return true
	}
	return false
}

// add takes one more field line. A tracestate may be spread over several lines
// (https://www.w3.org/TR/trace-context/#combined-header-value); any other field
// that is there twice with two values says nothing.
func (c carrier) add(name, value string) {
	old, repeated := c[name]
	switch {
	case !repeated:
		c[name] = value
	case name == fieldTracestate:
		c[name] = old + "," + value
	case old != value:
		c[name] = ""
	}
}

func placeOf(sc trace.SpanContext) llm.Place {
	if !sc.IsValid() {
		return llm.Place{}
	}
	return llm.Place{
		Trace:  sc.TraceID(),
		Parent: sc.SpanID(),
		Flags:  byte(sc.TraceFlags()),
		State:  sc.TraceState().String(),
	}
}

func readW3C(c carrier) llm.Place {
	if c[fieldTraceparent] == "" {
		return llm.Place{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), c)
	return placeOf(trace.SpanContextFromContext(ctx))
}

var b3Reader = b3.New()

func readB3(c carrier) llm.Place {
	if c[fieldB3] == "" && c["x-b3-traceid"] == "" {
		return llm.Place{}
	}
	ctx := b3Reader.Extract(context.Background(), c)
	p := placeOf(trace.SpanContextFromContext(ctx))
	undecided := c["x-b3-sampled"] == "" && c["x-b3-flags"] != "1"
	if c[fieldB3] != "" {
		undecided = strings.Count(c[fieldB3], "-") < 2
	}
	return sampledIf(p, undecided)
}

func readJaeger(c carrier) llm.Place {
	// Some clients percent-encode the colons.
	value := strings.ReplaceAll(c["uber-trace-id"], "%3a", ":")
	if value == "" {
		return llm.Place{}
	}
	ctx := jaeger.Jaeger{}.Extract(context.Background(), carrier{"uber-trace-id": value})
	return placeOf(trace.SpanContextFromContext(ctx))
}

func readOpenTracing(c carrier) llm.Place {
	if c["ot-tracer-traceid"] == "" {
		return llm.Place{}
	}
	ctx := ot.OT{}.Extract(context.Background(), c)
	p := placeOf(trace.SpanContextFromContext(ctx))
	return sampledIf(p, c[fieldOTSampled] == "")
}

func readXRay(c carrier) llm.Place {
	value := c[fieldXRay]
	if value == "" {
		return llm.Place{}
	}
	// The reader does not expect the blanks that some libraries put after each semicolon.
	value = strings.ReplaceAll(value, " ", "")
	ctx := xray.Propagator{}.Extract(context.Background(), carrier{fieldXRay: value})
	p := placeOf(trace.SpanContextFromContext(ctx))
	return sampledIf(p, !strings.Contains(value, "Sampled=0") && !strings.Contains(value, "Sampled=1"))
}

// sampledIf sets the sampled flag of a context that left the decision open.
func sampledIf(p llm.Place, undecided bool) llm.Place {
	if undecided && p.Trace != ([16]byte{}) {
		p.Flags |= byte(trace.FlagsSampled)
	}
	return p
}
