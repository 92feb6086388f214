package tracing_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/tracing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// exported returns the spans that a receiver gets of calls.
func exported(t testing.TB, change func(*tracing.Config), calls ...*llm.Call) (*receiver, []*tracepb.Span) {
	t.Helper()
	r := newReceiver()
	cfg := quick(tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t)})
	cfg.Batch.Senders = 1 // keeps the order
	if change != nil {
		change(&cfg)
	}
	tr := start(t, cfg, tracing.Settings{Version: "1.2.3"})
	consume(t, tr, calls...)
	closeNow(t, tr)
	spans := r.spans()
	if len(spans) != len(calls) {
		t.Fatalf("%d spans for %d calls", len(spans), len(calls))
	}
	return r, spans
}

// goldenCalls are calls whose spans stand in testdata.
func goldenCalls() map[string]*llm.Call {
	chat := sinktest.Call(1)
	chat.Place.Parent = [8]byte{0, 0, 0, 0, 0, 0, 0, 9}
	chat.Place.Remote, chat.Place.State, chat.Place.Flags = true, "vendor=x", 3

	stream := sinktest.Call(2)
	stream.Usage = llm.Usage{Source: llm.UsageReported}
	stream.Usage.Set(llm.UncachedInput, 188)
	stream.Usage.Set(llm.CacheRead, 500)
	stream.Usage.Set(llm.CacheReadAudio, 12)
	stream.Usage.Set(llm.CacheWrite1h, 40)
	stream.Usage.Set(llm.OutputText, 166)
	stream.Usage.Set(llm.Reasoning, 64)
	stream.Usage.Set(llm.WebSearches, 2)
	stream.FinishReasons = []string{"stop", "tool_calls"}
	stream.Input = []llm.Message{
		{Role: "system", Parts: []llm.Part{{Type: llm.PartText, Content: "You are a helpful bot"}}},
		{Role: "user", Name: "ann", Parts: []llm.Part{
			{Type: llm.PartText, Content: "Weather in \"Zürich\"?\n"},
			{Type: llm.PartURI, Modality: "image", MIMEType: "image/png", URI: "https://example.com/a.png"},
			{Type: llm.PartBlob, MIMEType: "audio/wav", Size: 44100, SHA256: "ab12"},
			{Type: llm.PartFile, Modality: "image", ID: "file_123"},
		}},
		{Role: "assistant", Parts: []llm.Part{{Type: llm.PartToolCall, ID: "call_1", Name: "get_weather", Arguments: `{"location": "Paris"}`}}},
		{Role: "tool", Parts: []llm.Part{{Type: llm.PartToolCallResponse, ID: "call_1", Response: `{"temp":57}`}}},
	}
	stream.Output = []llm.Message{
		{Role: "assistant", FinishReason: "stop", Parts: []llm.Part{{Type: llm.PartReasoning, Content: "…"}, {Type: llm.PartText, Content: "Rainy."}}},
		{Role: "assistant", FinishReason: "tool_call", Parts: []llm.Part{{Type: llm.PartToolCall, ID: "call_2", Name: "broken", Arguments: `{"location": `}}},
	}
	stream.SetAttr("gen_ai.request.choice.count", int64(2))
	stream.SetAttr("gen_ai.request.stop_sequences", []string{"END", "STOP"})
	stream.SetAttr("openai.request.parallel_tool_calls", true)

	embeddings := sinktest.Call(3)
	embeddings.Operation, embeddings.RequestModel, embeddings.ResponseModel = "embeddings", "text-embedding-3-small", "text-embedding-3-small"
	embeddings.System, embeddings.Output, embeddings.Tools, embeddings.FinishReasons = nil, nil, nil, nil
	embeddings.Usage = llm.Usage{Source: llm.UsageReported}
	embeddings.Usage.Set(llm.UncachedInput, 8)
	embeddings.Cost = llm.Cost{Source: llm.CostUnset, Status: llm.CostUnknownModel}

	failed := sinktest.Call(4)
	failed.Status, failed.ErrorType, failed.ErrorMessage = 429, "rate_limit_exceeded", "Rate limit reached"
	failed.Output, failed.FinishReasons, failed.ResponseModel, failed.ResponseID, failed.UsageRaw = nil, nil, "", "", ""
	failed.Usage, failed.Cost = llm.Usage{}, llm.Cost{Status: llm.CostNoUsage}
	failed.FirstToken, failed.Chunks = time.Time{}, llm.Chunks{}

	cut := sinktest.Call(6)
	cut.Ended, cut.Status = llm.EndUpstreamCut, 200
	cut.Output[0].FinishReason = ""
	cut.Usage.Source = llm.UsagePartial

	metadata := sinktest.Call(7)
	metadata.Content = llm.ContentMetadata
	metadata.Input[0].Parts[0] = llm.Part{Type: llm.PartText, Size: 10, SHA256: "5e88"}
	metadata.Output[0].Parts = append(metadata.Output[0].Parts, llm.Part{Type: llm.PartToolCall, ID: "c", Name: "f", Arguments: `{"secret":1}`})

	off := sinktest.Call(8)
	off.Content = llm.ContentOff

	http := sinktest.Call(9)
	http.Kind, http.Operation, http.Method, http.Path = llm.KindHTTP, "", "GET", "/v1/files/file-abc123/content"
	http.System, http.Input, http.Output, http.Tools = nil, nil, nil, nil
	http.Usage, http.Cost, http.UsageRaw = llm.Usage{}, llm.Cost{}, ""
	http.FirstToken, http.Chunks = time.Time{}, llm.Chunks{}

	return map[string]*llm.Call{
		"chat": chat, "stream": stream, "embeddings": embeddings, "error": failed,
		"cut": cut, "metadata": metadata, "off": off, "http": http,
	}
}

func TestGoldenSpans(t *testing.T) {
	for name, call := range goldenCalls() {
		t.Run(name, func(t *testing.T) {
			_, spans := exported(t, nil, call)
			got, err := json.MarshalIndent(readable(spans[0]), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("span differs from %s (-update rewrites it):\n%s", path, got)
			}
		})
	}
}

// readable returns a span as JSON for people: content as JSON and not as text.
func readable(s *tracepb.Span) map[string]any {
	attributes := map[string]any{}
	for _, kv := range s.Attributes {
		v := valueOf(kv.Value)
		if text, ok := v.(string); ok && strings.HasPrefix(text, "[{") {
			v = json.RawMessage(text)
		}
		attributes[kv.Key] = v
	}
	return map[string]any{
		"name": s.Name, "kind": s.Kind.String(), "trace": hex.EncodeToString(s.TraceId), "span": hex.EncodeToString(s.SpanId),
		"parent": hex.EncodeToString(s.ParentSpanId), "state": s.TraceState, "flags": s.Flags,
		"start": s.StartTimeUnixNano, "end": s.EndTimeUnixNano,
		"status": map[string]any{"code": s.Status.GetCode().String(), "message": s.Status.GetMessage()}, "attributes": attributes,
	}
}

func valueOf(v *commonpb.AnyValue) any {
	switch v := v.Value.(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_DoubleValue:
		return v.DoubleValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_ArrayValue:
		var all []any
		for _, e := range v.ArrayValue.Values {
			all = append(all, valueOf(e))
		}
		return all
	}
	return fmt.Sprintf("unexpected %T", v.Value)
}

func TestSpanAroundIt(t *testing.T) {
	r, _ := exported(t, func(c *tracing.Config) { c.Resource = map[string]string{"deployment.environment.name": "test"} }, sinktest.Call(1))
	rs := r.requests[0].ResourceSpans[0]
	resource := map[string]string{}
	for _, kv := range rs.Resource.Attributes {
		resource[kv.Key] = kv.Value.GetStringValue()
	}
	for key, want := range map[string]string{"service.name": "spanwire", "service.version": "1.2.3", "deployment.environment.name": "test", "telemetry.sdk.language": "go"} {
		if resource[key] != want {
			t.Errorf("resource attribute %s is %q, want %q", key, resource[key], want)
		}
	}
	if resource["service.instance.id"] == "" {
		t.Error("the instance has no id")
	}
	ss := rs.ScopeSpans[0]
	if ss.Scope.Name != "github.com/spanwire/spanwire/tracing" || ss.Scope.Version != "1.2.3" {
		t.Errorf("scope is %v", ss.Scope)
	}
	if ss.SchemaUrl != "https://opentelemetry.io/schemas/1.41.0" || rs.SchemaUrl != ss.SchemaUrl {
		t.Errorf("schema URLs are %q and %q", rs.SchemaUrl, ss.SchemaUrl)
	}
}

// TestSpanNames are few and hold nothing of a caller's data.
func TestSpanNames(t *testing.T) {
	f := func(change func(*llm.Call), want string) {
		t.Helper()
		c := sinktest.Call(1)
		change(c)
		_, spans := exported(t, nil, c)
		if spans[0].Name != want {
			t.Errorf("name is %q, want %q", spans[0].Name, want)
		}
	}
	http := func(method, path string) func(*llm.Call) {
		return func(c *llm.Call) { c.Kind, c.Method, c.Path = llm.KindHTTP, method, path }
	}
	f(func(*llm.Call) {}, "chat gpt-4o-mini")
	f(func(c *llm.Call) { c.RequestModel = "" }, "chat")
	f(http("GET", "/v1/models"), "GET /v1/models")
	f(http("GET", "/v1/files/file-9aB/content"), "GET /v1/files/{id}/content")
	f(http("POST", "/v1beta/models/x:count"), "POST /v1beta/models/{id}")
	f(http("BREW", "/v1/models"), "HTTP /v1/models")
	f(http("GET", ""), "GET")
	// Paths that are not served may be any text.
	f(func(c *llm.Call) { http("GET", "/wp-admin/setup")(c); c.Status = 404 }, "GET")
	f(func(c *llm.Call) { http("GET", "/v1/models")(c); c.Route = "" }, "GET")
}

func TestAbsentAttributes(t *testing.T) {
	c := &llm.Call{ID: "x", Kind: llm.KindLLM, Operation: "chat", Provider: "openai", Attrs: []llm.Attr{
		{Key: "gen_ai.request.choice.count", Value: int64(1)},
		{Key: "gen_ai.request.model", Value: "not what was computed"},
		{Key: "twice", Value: "first"}, {Key: "twice", Value: "second"},
	}}
	_, spans := exported(t, nil, c)
	a := attrs(spans[0])
	for _, key := range []string{
		"gen_ai.request.stream", "gen_ai.request.choice.count", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.usage.input_tokens",
		"gen_ai.usage.output_tokens", "gen_ai.usage.cost", "spanwire.cost.usd", "error.type", "server.port", "http.response.status_code",
		"gen_ai.conversation.id", "gen_ai.input.messages", "gen_ai.output.messages", "spanwire.retry.count", "spanwire.team",
		"spanwire.time_to_first_token", "gen_ai.response.time_to_first_chunk", "spanwire.chunks.gap.mean",
	} {
		if v, ok := a[key]; ok {
			t.Errorf("%s is there as %v, though nothing is known", key, v)
		}
	}
	if a["spanwire.usage.source"].GetStringValue() != "missing" || a["spanwire.cost.source"].GetStringValue() != "unset" {
		t.Error("what is unknown is not said to be")
	}
	if a["twice"].GetStringValue() != "first" || len(a) != len(spans[0].Attributes) {
		t.Errorf("keys are not unique: %v", spans[0].Attributes)
	}
	if spans[0].Status.GetCode() != tracepb.Status_STATUS_CODE_UNSET {
		t.Errorf("status is %v", spans[0].Status)
	}
	if len(spans[0].TraceId) != 16 || strings.Trim(string(spans[0].TraceId), "\x00") == "" || strings.Trim(string(spans[0].SpanId), "\x00") == "" {
		t.Error("a span without ids was sent: receivers refuse the whole batch")
	}
	if spans[0].StartTimeUnixNano == 0 || spans[0].EndTimeUnixNano < spans[0].StartTimeUnixNano {
		t.Errorf("times are %d to %d", spans[0].StartTimeUnixNano, spans[0].EndTimeUnixNano)
	}
}

func TestErrorType(t *testing.T) {
	f := func(change func(*llm.Call), want string) {
		t.Helper()
		c := sinktest.Call(1)
		change(c)
		_, spans := exported(t, nil, c)
		if got := attrs(spans[0])["error.type"].GetStringValue(); got != want {
			t.Errorf("error.type is %q, want %q", got, want)
		}
		if failed := spans[0].Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR; failed != (want != "") {
			t.Errorf("status is %v with error.type %q", spans[0].Status, want)
		}
	}
	f(func(c *llm.Call) {}, "")
	f(func(c *llm.Call) { c.ErrorType, c.Status = "insufficient_quota", 429 }, "insufficient_quota")
	f(func(c *llm.Call) { c.Status = 503 }, "503")
	f(func(c *llm.Call) { c.Ended = llm.EndTimeout }, "timeout")
	f(func(c *llm.Call) { c.Ended = llm.EndUpstreamCut }, "upstream_cut")
	f(func(c *llm.Call) { c.Ended, c.Status = llm.EndError, 0 }, "_OTHER")
	f(func(c *llm.Call) { c.Ended = llm.EndClientGone }, "")
}

// A cost in another currency is never under a name that says dollars.
func TestCostInAnotherCurrency(t *testing.T) {
	c := sinktest.Call(1)
	c.Cost.Currency = "CNY"
	_, spans := exported(t, nil, c)
	a := attrs(spans[0])
	if a["gen_ai.usage.cost"] != nil || a["spanwire.cost.usd"] != nil {
		t.Errorf("as dollars: %v", a)
	}
	for key, want := range map[string]string{"spanwire.cost.total": "0.000006", "spanwire.cost.currency": "CNY", "spanwire.cost.input": "0.0000018", "spanwire.cost.output": "0.0000042", "spanwire.cost.source": "table"} {
		if got := a[key].GetStringValue(); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	_, spans = exported(t, nil, sinktest.Call(1))
	if a := attrs(spans[0]); a["spanwire.cost.total"] != nil || a["spanwire.cost.currency"] != nil || a["spanwire.cost.usd"].GetStringValue() != "0.000006" {
		t.Errorf("in dollars: %v", a)
	}
}

func TestUsageUnderParent(t *testing.T) {
	c := sinktest.Call(1)
	c.Place.Parent, c.Place.Remote = [8]byte{1}, true
	_, spans := exported(t, func(cfg *tracing.Config) { cfg.HideUsageUnderParent = true }, c, sinktest.Call(2))
	under, root := attrs(spans[0]), attrs(spans[1])
	if under["gen_ai.usage.input_tokens"] != nil || under["gen_ai.usage.cost"] != nil {
		t.Error("usage is counted twice by backends that sum up a trace")
	}
	if under["spanwire.usage.uncached_input"].GetIntValue() != 12 || under["spanwire.cost.usd"] == nil {
		t.Error("what the call used is lost")
	}
	if root["gen_ai.usage.input_tokens"].GetIntValue() != 12 {
		t.Error("a call without a caller's span lost its usage")
	}
}

func TestLimits(t *testing.T) {
	c := sinktest.Call(1)
	c.Input[0].Parts[0].Content = strings.Repeat("é\n", 50_000)
	c.Input = append(c.Input, llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: "short"}}})
	c.UsageRaw = strings.Repeat("é", 5000)
	for i := range 500 {
		c.Attrs = append(c.Attrs, llm.Attr{Key: fmt.Sprint("k", i), Value: "v"})
	}
	_, spans := exported(t, func(cfg *tracing.Config) {
		cfg.Limits = tracing.Limits{ContentBytes: 4096, ValueBytes: 1001, Attributes: 200}
	}, c)
	a := attrs(spans[0])
	text := a["gen_ai.input.messages"].GetStringValue()
	if len(text) > 4096 || len(text) < 3500 || !json.Valid([]byte(text)) {
		t.Errorf("content is cut to %d bytes, valid %v", len(text), json.Valid([]byte(text)))
	}
	if !strings.Contains(text, `"short"`) || !strings.Contains(text, "…") {
		t.Error("the longest text is not what was cut")
	}
	if n := a["spanwire.content.truncated"].GetIntValue(); n < 100_000 {
		t.Errorf("truncated says %d bytes", n)
	}
	if got := a["spanwire.usage.raw"].GetStringValue(); got != strings.Repeat("é", 500) {
		t.Errorf("a value has %d bytes, want 1000: whole characters within the limit", len(got))
	}
	if len(spans[0].Attributes) != 200 || spans[0].DroppedAttributesCount == 0 {
		t.Errorf("%d attributes, %d dropped", len(spans[0].Attributes), spans[0].DroppedAttributesCount)
	}
}

func TestHonourSampled(t *testing.T) {
	not, ours := sinktest.Call(1), sinktest.Call(2)
	not.Place.Remote, not.Place.Flags = true, 0
	ours.Place.Flags = 0
	r := newReceiver()
	cfg := quick(tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t)})
	cfg.HonourSampled = true
	tr := start(t, cfg, tracing.Settings{})
	consume(t, tr, not, ours, sinktest.Call(3))
	page := scrape(t, tr)
	closeNow(t, tr)
	if got := r.ids(); len(got) != 2 {
		t.Errorf("%d spans were exported, want the 2 that no caller left out", len(got))
	}
	hasLine(t, page, `spanwire_spans_unsampled_total 1`)
	hasLine(t, page, `gen_ai_client_operation_duration_seconds_count{.*} [0-9]+`)
	if _, spans := exported(t, nil, not); len(spans) != 1 {
		t.Error("by default every call is exported")
	}
}
