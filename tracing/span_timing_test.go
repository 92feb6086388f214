package tracing

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
)

// The benchmarks stand side by side so that one run compares them: the same call
// with 4 KB of content, encoded here and by the OpenTelemetry SDK.

func call4K() *llm.Call {
	c := sinktest.Call(1)
	c.Input[0].Parts[0].Content = strings.Repeat("The quick brown fox jumps over the lazy dog.\n", 80)
	c.Output[0].Parts[0].Content = strings.Repeat("Answers are shorter, mostly. ", 18)
	return c
}

func BenchmarkEncode(b *testing.B) {
	e := newEncoder(DefaultConfig())
	c := call4K()
	b.ReportAllocs()
	for b.Loop() {
		e.encode(c)
	}
	b.SetBytes(int64(len(e.encode(c))))
}

// BenchmarkConsume is all that a call costs before it waits in a queue: metrics,
// encoding and queueing.
func BenchmarkConsume(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Exporters = []Exporter{{Type: "otlp", Endpoint: "http://127.0.0.1:1", SkipMetrics: true}}
	t, err := New(cfg, Settings{Env: func(string) (string, bool) { return "", false }})
	if err != nil {
		b.Fatal(err)
	}
	t.exporters[0].queue.max = 0 // nothing is sent: what is measured ends at the queue
	t.exporters[0].quiet.Store(1 << 62)
	defer t.Close(done())
	batch := make([]*llm.Call, 64)
	for i := range batch {
		batch[i] = call4K()
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := t.Consume(context.Background(), batch[:1]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

func BenchmarkRecordMetrics(b *testing.B) {
	t, err := New(DefaultConfig(), Settings{Env: func(string) (string, bool) { return "", false }})
	if err != nil {
		b.Fatal(err)
	}
	defer t.Close(done())
	c := call4K()
	b.ReportAllocs()
	for b.Loop() {
		t.metrics.record(c)
	}
}

// BenchmarkStructs encodes the same attributes through the official OTLP types.
func BenchmarkStructs(b *testing.B) {
	s := &tracepb.Span{}
	if err := proto.Unmarshal(newEncoder(DefaultConfig()).encode(call4K()), s); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		span := &tracepb.Span{TraceId: s.TraceId, SpanId: s.SpanId, Name: s.Name, Kind: s.Kind, StartTimeUnixNano: s.StartTimeUnixNano, EndTimeUnixNano: s.EndTimeUnixNano}
		for _, kv := range s.Attributes {
			span.Attributes = append(span.Attributes, &commonpb.KeyValue{Key: kv.Key, Value: copyValue(kv.Value)})
		}
		if _, err := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{span}}}}}}); err != nil {
			b.Fatal(err)
		}
	}
}

func copyValue(v *commonpb.AnyValue) *commonpb.AnyValue {
	switch v := v.Value.(type) {
	case *commonpb.AnyValue_StringValue:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v.StringValue}}
	case *commonpb.AnyValue_IntValue:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: v.IntValue}}
	case *commonpb.AnyValue_DoubleValue:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v.DoubleValue}}
	}
	return v
}

type noExporter struct{}

func (noExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (noExporter) Shutdown(context.Context) error                             { return nil }

// BenchmarkSDK makes the same span with the SDK and hands it to its batcher; the
// translation to OTLP and its encoding, BenchmarkStructs, come on top.
func BenchmarkSDK(b *testing.B) {
	s := &tracepb.Span{}
	if err := proto.Unmarshal(newEncoder(DefaultConfig()).encode(call4K()), s); err != nil {
		b.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(noExporter{}, sdktrace.WithBlocking()))
	defer provider.Shutdown(context.Background())
	tracer := provider.Tracer("bench")
	b.ReportAllocs()
	for b.Loop() {
		attrs := make([]attribute.KeyValue, 0, len(s.Attributes))
		for _, kv := range s.Attributes {
			switch v := kv.Value.Value.(type) {
			case *commonpb.AnyValue_StringValue:
				attrs = append(attrs, attribute.String(kv.Key, v.StringValue))
			case *commonpb.AnyValue_IntValue:
				attrs = append(attrs, attribute.Int64(kv.Key, v.IntValue))
			case *commonpb.AnyValue_DoubleValue:
				attrs = append(attrs, attribute.Float64(kv.Key, v.DoubleValue))
			}
		}
		_, span := tracer.Start(context.Background(), "chat gpt-4o-mini", trace.WithSpanKind(trace.SpanKindClient))
		span.SetAttributes(attrs...)
		span.End()
	}
}
