package tracing_test

import (
	"io"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/tracing"
)

func scrape(t testing.TB, tr *tracing.Tracing) string {
	t.Helper()
	w := httptest.NewRecorder()
	tr.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("status %d, %v: %s", w.Code, err, body)
	}
	return string(body)
}

// hasLine checks that a line of the page matches a pattern.
func hasLine(t *testing.T, page, pattern string) {
	t.Helper()
	pattern = strings.ReplaceAll(strings.ReplaceAll(pattern, "{", `\{`), "}", `\}`)
	if !regexp.MustCompile(`(?m)^` + pattern + `$`).MatchString(page) {
		name, _, _ := strings.Cut(pattern, `\{`)
		var alike []string
		for line := range strings.SplitSeq(page, "\n") {
			if strings.Contains(line, strings.Fields(name)[0]) {
				alike = append(alike, line)
			}
		}
		t.Errorf("no line %s among\n%s", pattern, strings.Join(alike, "\n"))
	}
}

// value returns the sum of all samples of a metric.
func value(page, name string) (sum float64) {
	for line := range strings.SplitSeq(page, "\n") {
		if strings.HasPrefix(line, name+"{") || strings.HasPrefix(line, name+" ") {
			v, _ := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			sum += v
		}
	}
	return sum
}

func TestMetrics(t *testing.T) {
	tr := start(t, tracing.DefaultConfig(), tracing.Settings{Version: "1.2.3"})
	stream := sinktest.Call(2)
	told := sinktest.Call(3)
	told.Cost = llm.Cost{Source: llm.CostProvider, Status: llm.CostOK, Total: 7_000_000, Table: 5_000_000, HasTable: true}
	unknown := sinktest.Call(5)
	unknown.RequestModel, unknown.ResponseModel = "brand-new", ""
	unknown.Cost = llm.Cost{Source: llm.CostUnset, Status: llm.CostUnknownModel}
	unknown.Usage = llm.Usage{Source: llm.UsageEstimated}
	unknown.Usage.Set(llm.UncachedInput, 1000)
	failed := sinktest.Call(7)
	failed.Status, failed.ErrorType, failed.Usage, failed.Cost = 429, "rate_limit_exceeded", llm.Usage{}, llm.Cost{Status: llm.CostNoUsage}
	plain := sinktest.Call(9)
	plain.Kind, plain.Ended = llm.KindHTTP, llm.EndClientGone
	yuan := sinktest.Call(11)
	yuan.Cost = llm.Cost{Source: llm.CostProvider, Status: llm.CostOK, Total: 3_000_000, Currency: "CNY", Table: 4_000_000, HasTable: true}
	yuan.Usage = llm.Usage{Source: llm.UsageMissing}
	yuan.Operation = "rerank"
	consume(t, tr, sinktest.Call(1), stream, told, unknown, failed, plain, yuan)
	page := scrape(t, tr)

	const common = `gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini",gen_ai_response_model="gpt-4o-mini-2024-07-18"`
	const server = `server_address="api.openai.com",server_port="443"`
	// The conventions' histograms, with their buckets.
	hasLine(t, page, `gen_ai_client_operation_duration_seconds_count{`+common+`,`+server+`} 3`)
	hasLine(t, page, `gen_ai_client_operation_duration_seconds_bucket{`+common+`,`+server+`,le="1.28"} 0`)
	hasLine(t, page, `gen_ai_client_operation_duration_seconds_bucket{`+common+`,`+server+`,le="2.56"} 3`)
	hasLine(t, page, `gen_ai_client_operation_duration_seconds_count{error_type="rate_limit_exceeded",`+common+`,`+server+`} 1`)
	hasLine(t, page, `gen_ai_client_token_usage_sum{`+strings.Replace(common, "gen_ai_response_model=\"gpt-4o-mini-2024-07-18\"", "gen_ai_response_model=\"gpt-4o-mini-2024-07-18\",gen_ai_token_type=\"input\"", 1)+`,`+server+`} 36`)
	hasLine(t, page, `gen_ai_client_token_usage_bucket{.*gen_ai_token_type="output",.*le="6[.]7108864e[+]07"} 3`)
	hasLine(t, page, `gen_ai_client_operation_time_to_first_chunk_seconds_count{.*} 1`)
	hasLine(t, page, `gen_ai_client_operation_time_per_output_chunk_seconds_count{.*} 39`)
	if got := value(page, "gen_ai_client_operation_time_per_output_chunk_seconds_sum"); got < 1.1699 || got > 1.1701 {
		t.Errorf("gaps sum up to %v s, want 39 times the mean of 30 ms", got)
	}
	hasLine(t, page, `gen_ai_client_operation_time_per_output_chunk_seconds_bucket{.*le="0.16"} 38`)

	// Tokens that nobody reported are in our own counter, by their source.
	if strings.Contains(page, `gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="brand-new"`) {
		t.Error("estimated tokens are in the conventions' histogram")
	}
	hasLine(t, page, `spanwire_tokens_total{gen_ai_provider_name="openai",gen_ai_token_type="uncached_input",spanwire_model="brand-new",spanwire_team="search",spanwire_usage_source="estimated"} 1000`)
	hasLine(t, page, `spanwire_tokens_total{gen_ai_provider_name="openai",gen_ai_token_type="output_text",spanwire_model="gpt-4o-mini-2024-07-18",spanwire_team="search",spanwire_usage_source="reported"} 21`)
	hasLine(t, page, `spanwire_usage_total{gen_ai_provider_name="openai",spanwire_model="gpt-4o-mini-2024-07-18",spanwire_usage_source="missing"} 2`)

	// Money.
	hasLine(t, page, `spanwire_cost_total{gen_ai_provider_name="openai",spanwire_model="gpt-4o-mini-2024-07-18",spanwire_team="search"} 1.9e-05`)
	hasLine(t, page, `spanwire_cost_unknown_total{gen_ai_provider_name="openai",spanwire_cost_status="unknown_model",spanwire_model="brand-new"} 1`)
	hasLine(t, page, `spanwire_cost_other_total{gen_ai_provider_name="openai",spanwire_cost_currency="CNY",spanwire_model="gpt-4o-mini-2024-07-18",spanwire_team="search"} 3e-06`)
	hasLine(t, page, `spanwire_cost_told_total{.*} 7e-06`)
	hasLine(t, page, `spanwire_cost_difference{.*} -2e-06`)

	hasLine(t, page, `spanwire_calls_total{http_response_status_code="200",spanwire_end="client_gone",spanwire_operation_kind="http",spanwire_route="openai",spanwire_team="search"} 1`)
	hasLine(t, page, `spanwire_calls_total{http_response_status_code="429",spanwire_end="complete",spanwire_operation_kind="llm",.*} 1`)
	hasLine(t, page, `target_info{.*service_name="spanwire",service_version="1.2.3".*} 1`)
	hasLine(t, page, `go_goroutines [0-9]+`)
}

// TestMoneyIsExact adds up what floats cannot.
func TestMoneyIsExact(t *testing.T) {
	tr := start(t, tracing.DefaultConfig(), tracing.Settings{})
	var calls []*llm.Call
	for n := range 1000 {
		c := sinktest.Call(n)
		c.Cost.Total = 1 // 10⁻¹² USD
		calls = append(calls, c)
	}
	large := sinktest.Call(0)
	large.Cost.Total = 9_000_000 * 1_000_000_000_000 // near the range of one call
	consume(t, tr, large, large, large)              // past the range of the type
	consume(t, tr, calls...)
	if got := value(scrape(t, tr), "spanwire_cost_total"); got != 27_000_000.000000001 {
		t.Errorf("cost is %v", got)
	}
}

// TestBoundedLabels shows that callers cannot make series without end.
func TestBoundedLabels(t *testing.T) {
	cfg := tracing.DefaultConfig()
	cfg.Metrics.Teams, cfg.Metrics.Models = 3, 4
	tr := start(t, cfg, tracing.Settings{})
	for n := range 100 {
		c := sinktest.Call(n)
		c.Attribution.Team = "team-" + strconv.Itoa(n)
		c.RequestModel, c.ResponseModel = "model-"+strconv.Itoa(n), ""
		c.ErrorType = strings.Repeat("x", 1000) + strconv.Itoa(n)
		consume(t, tr, c)
	}
	for _, c := range sinktest.Hostile() {
		consume(t, tr, c)
	}
	page := scrape(t, tr)
	teams := regexp.MustCompile(`spanwire_team="[^"]*"`).FindAllString(page, -1)
	models := regexp.MustCompile(`gen_ai_request_model="[^"]*"`).FindAllString(page, -1)
	if n := len(unique(teams)); n != 4 {
		t.Errorf("%d teams, want 3 and other: %v", n, unique(teams))
	}
	if n := len(unique(models)); n != 5 {
		t.Errorf("%d models, want 4 and other: %v", n, unique(models))
	}
	if !strings.Contains(page, `spanwire_team="other"`) {
		t.Error("teams past the bound are not counted")
	}
	if got := value(page, "spanwire_calls_total"); got != float64(100+len(sinktest.Hostile())) {
		t.Errorf("%v calls are counted", got)
	}
}

func unique(all []string) map[string]bool {
	m := map[string]bool{}
	for _, s := range all {
		m[s] = true
	}
	return m
}

func TestPublished(t *testing.T) {
	tr := start(t, tracing.DefaultConfig(), tracing.Settings{})
	reason := func(r string) llm.Attr { return llm.Attr{Key: "reason", Value: r} }
	n := func(v int64) func() int64 { return func() int64 { return v } }
	for _, err := range []error{
		tr.Gauge("spanwire.proxy.streams", "{stream}", "Streams now open.", n(5)),
		tr.Counter("spanwire.recorder.dropped", "{exchange}", "Exchanges lost.", n(1), reason("full")),
		tr.Counter("spanwire.recorder.dropped", "{exchange}", "Exchanges lost.", n(2), reason("panic")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	page := scrape(t, tr)
	hasLine(t, page, `spanwire_proxy_streams 5`)
	hasLine(t, page, `spanwire_recorder_dropped_total{reason="full"} 1`)
	hasLine(t, page, `spanwire_recorder_dropped_total{reason="panic"} 2`)
	if tr.Gauge("spanwire.recorder.dropped", "{exchange}", "", n(0)) == nil {
		t.Error("one name is a counter and a gauge")
	}
	if tr.Gauge("no name", "", "", n(0)) == nil {
		t.Error("a name that no metric can have was taken")
	}
}

func TestMetricsOverOTLP(t *testing.T) {
	f := func(e tracing.Exporter, r *receiver, want bool) {
		t.Helper()
		tr := start(t, quick(e), tracing.Settings{})
		consume(t, tr, sinktest.Call(1), sinktest.Call(2))
		closeNow(t, tr)
		names := map[string]bool{}
		for _, req := range r.metrics {
			for _, rm := range req.ResourceMetrics {
				for _, sm := range rm.ScopeMetrics {
					for _, m := range sm.Metrics {
						names[m.Name] = true
					}
				}
			}
		}
		for _, name := range []string{"gen_ai.client.operation.duration", "gen_ai.client.operation.time_per_output_chunk", "spanwire.cost", "spanwire.exporter.sent"} {
			if names[name] != want {
				t.Errorf("%s over %s: came %v, want %v; got %v", name, e.Protocol, names[name], want, names)
			}
		}
	}
	r := newReceiver()
	f(tracing.Exporter{Type: "otlp", Protocol: "http/protobuf", Endpoint: r.serveHTTP(t)}, r, true)
	r = newReceiver()
	f(tracing.Exporter{Type: "otlp", Protocol: "grpc", Endpoint: r.serveGRPC(t, nil), Insecure: true}, r, true)
	r = newReceiver()
	f(tracing.Exporter{Type: "otlp", Endpoint: r.serveHTTP(t), SkipMetrics: true}, r, false)
	r = newReceiver()
	f(tracing.Exporter{Type: "otlp", TracesEndpoint: r.serveHTTP(t) + "/v1/traces"}, r, false)
	r = newReceiver()
	f(tracing.Exporter{Type: "otlp", Protocol: "grpc", TracesEndpoint: "http://" + r.serveGRPC(t, nil)}, r, false)
}
