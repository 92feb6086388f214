package providers_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers"
)

var begin = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func exchange(provider, target string, status int) *llm.Exchange {
	return &llm.Exchange{
		ID: "id", Provider: provider, Method: "POST", Target: "/" + provider + target, UpstreamTarget: target,
		Scheme: "https", Host: "h.example", Port: 443, Status: status, Ended: llm.EndComplete,
		Start: begin, Sent: begin.Add(time.Millisecond), FirstByte: begin.Add(time.Second), FirstWrite: begin.Add(time.Second + 2*time.Millisecond), End: begin.Add(3 * time.Second),
	}
}

// show lets a table watch an answer, as the relay does.
func show(t *testing.T, tab *providers.Table, x *llm.Exchange, body string) *llm.Call {
	t.Helper()
	x.Response.Size = int64(len(body))
	if x.Observer = tab.Row(x.Provider).Observe(x); x.Observer != nil {
		x.Observer.Wrote([]byte(body), x.FirstByte)
	}
	c, err := tab.Read(x)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func attr(c *llm.Call, key string) any {
	for _, a := range c.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

func TestFrameOfEveryExchange(t *testing.T) {
	x := exchange("anthropic", "/v1/files?beta=true", 200)
	x.Request.Size = 11
	c := show(t, table(t), x, `{"type":"message"}`)
	want := &llm.Call{
		ID: "id", Kind: llm.KindHTTP, Provider: "anthropic", Route: "anthropic", Method: "POST", Path: "/v1/files",
		ServerAddress: "h.example", ServerPort: 443, Status: 200, Start: x.Start, FirstByte: x.FirstByte, End: x.End,
		Overhead: 3 * time.Millisecond, Ended: llm.EndComplete, RequestBytes: 11, ResponseBytes: 18,
	}
	if got, want := providerstest.Show(c), providerstest.Show(want); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWatchedAndCopiedReadTheSame(t *testing.T) {
	tab := table(t)
	const body = `{"id":"x","model":"m-1","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`
	watched := show(t, tab, exchange("groq", "/openai/v1/chat/completions", 200), body)
	x := exchange("groq", "/openai/v1/chat/completions", 200)
	x.Response = llm.Body{Data: []byte(body), Size: int64(len(body))}
	copied, err := tab.Read(x)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := providerstest.Show(watched), providerstest.Show(copied); a != b {
		t.Errorf("watched\n%s\ncopied\n%s", a, b)
	}
	if watched.Kind != llm.KindLLM || watched.ResponseModel != "m-1" || watched.Provider != "groq" {
		t.Errorf("%+v", watched)
	}
}

// A reload may take the row away while its exchange is under way.
func TestReadAfterReload(t *testing.T) {
	old := table(t, providers.Entry{Name: "gone", BaseURL: "http://h"})
	x := exchange("gone", "/v1/chat/completions", 200)
	x.Observer = old.Row("gone").Observe(x)
	x.Observer.Wrote([]byte(`{"model":"m","choices":[]}`), begin)
	c, err := table(t).Read(x)
	if err != nil || c.ResponseModel != "m" || c.Provider != "gone" {
		t.Errorf("%+v, %v", c, err)
	}
}

// The same path is the same format, whoever answers (wire reference, section 1).
func TestPathsOfAnotherFormat(t *testing.T) {
	tab := table(t)
	const body = `{"id":"x","model":"m","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`
	for provider, target := range map[string]string{
		"anthropic": "/v1/chat/completions", "gemini": "/v1beta/openai/chat/completions", "ollama": "/v1/chat/completions",
		"cohere": "/compatibility/v1/chat/completions", "vertex": "/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
	} {
		if c := show(t, tab, exchange(provider, target, 200), body); c.Operation != "chat" || c.ResponseModel != "m" {
			t.Errorf("%s %s: %+v", provider, target, c)
		}
	}
	const message = `{"type":"message","id":"x","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}`
	for provider, target := range map[string]string{
		"openrouter": "/api/v1/messages", "ollama": "/v1/messages?beta=true", "deepseek": "/anthropic/v1/messages",
		"vertex": "/v1/projects/p/locations/global/publishers/anthropic/models/claude-x@1:rawPredict",
	} {
		if c := show(t, tab, exchange(provider, target, 200), message); c.Operation != "chat" || len(c.FinishReasons) != 1 || c.FinishReasons[0] != "end_turn" {
			t.Errorf("%s %s: %+v", provider, target, c)
		}
	}
	if c := show(t, tab, exchange("ollama", "/api/embeddings", 200), `{"embedding":[1]}`); c.Operation != "embeddings" || len(c.Problems) > 0 {
		t.Errorf("Ollama's own embeddings: %+v", c)
	}
}

func TestErrorTypes(t *testing.T) {
	tab := table(t, providers.Entry{Name: "azure", BaseURL: "https://r.openai.azure.com"})
	f := func(provider string, status int, body, kind, message string) {
		t.Helper()
		for _, target := range []string{"/v1/chat/completions", "/x/unknown"} {
			c := show(t, tab, exchange(provider, target, status), body)
			if c.ErrorType != kind || c.ErrorMessage != message {
				t.Errorf("%s %d %s:\ngot  %q %q\nwant %q %q", provider, status, body, c.ErrorType, c.ErrorMessage, kind, message)
			}
		}
	}
	// Wire reference, section 14, row by row.
	f("openai", 401, `{"error":{"message":"Incorrect API key provided: sk-wrong****-key.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, "invalid_api_key", "Incorrect API key provided: [redacted]")
	f("openai", 429, `{"error":{"message":"no quota","type":"insufficient_quota","param":null,"code":null}}`, "insufficient_quota", "no quota")
	f("vllm", 404, `{"error":{"message":"no model","type":"NotFoundError","code":404}}`, "NotFoundError", "no model")
	f("azure", 401, `{"error":{"code":"401","message":"Access denied"}}`, "401", "Access denied")
	f("azure", 404, `{"error":{"code":"DeploymentNotFound","message":"no"}}`, "DeploymentNotFound", "no")
	f("anthropic", 529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}`, "overloaded_error", "Overloaded")
	f("gemini", 400, `{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT"}}`, "INVALID_ARGUMENT", "API key not valid")
	f("gemini", 429, `[{"error":{"code":429,"message":"later","status":"RESOURCE_EXHAUSTED"}}]`, "RESOURCE_EXHAUSTED", "later")
	f("bedrock-mantle", 400, `{"message":"bad"}`, "400", "bad")
	f("mistral", 401, `{"detail":"Invalid API Key"}`, "401", "Invalid API Key")
	f("mistral", 422, `{"object":"error","message":"bad","type":"invalid_request_invalid_args","param":null,"code":"1500"}`, "invalid_request_invalid_args", "bad")
	f("mistral", 422, `{"detail":[{"loc":["body"],"msg":"m"}]}`, "422", `[{"loc":["body"],"msg":"m"}]`)
	f("cohere", 404, `{"id":"1","message":"model not found"}`, "404", "model not found")
	f("openrouter", 402, `{"error":{"message":"no credits","code":402},"user_id":"u"}`, "402", "no credits")
	f("xai", 400, `{"code":"Client specified an invalid argument","error":"Incorrect API key: xa***zz"}`, "400", "Incorrect API key: xa***zz")
	f("ollama", 404, `{"error":"model 'x' not found"}`, "404", "model 'x' not found")
	f("openai", 502, `<html>Bad Gateway</html>`, "502", "Bad Gateway")
	f("openai", 503, ``, "503", "Service Unavailable")
	f("openai", 200, `{"error":{"message":"filtered","code":"content_filter","status":400}}`, "content_filter", "filtered")
}

func TestCompressedErrorIsRead(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(`{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}`))
	_ = w.Close()
	x := exchange("anthropic", "/v1/messages", 429)
	x.ResponseHeader = llm.Header("Content-Encoding: gzip\r\n")
	if c := show(t, table(t), x, b.String()); c.ErrorType != "rate_limit_error" {
		t.Errorf("%q %q", c.ErrorType, c.ErrorMessage)
	}
}

func TestErrorsOfTheProxyAndOfTheWay(t *testing.T) {
	tab := table(t)
	f := func(change func(*llm.Exchange), body, kind, message string) {
		t.Helper()
		x := exchange("openai", "/v1/chat/completions", 200)
		x.ResponseHeader = llm.Header("Content-Type: text/event-stream\r\n")
		change(x)
		if c := show(t, tab, x, body); c.ErrorType != kind || c.ErrorMessage != message {
			t.Errorf("got %q %q, want %q %q", c.ErrorType, c.ErrorMessage, kind, message)
		}
	}
	const begun = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"
	const ended = begun + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
	f(func(x *llm.Exchange) {
		x.Status, x.Ended, x.OwnError, x.Err = 502, llm.EndError, "upstream_unreachable", "connect: refused, key=abcdef"
	}, "", "upstream_unreachable", "connect: refused, key=[redacted]")
	f(func(x *llm.Exchange) { x.Ended, x.Err = llm.EndTimeout, "idle for 30s" }, begun, "timeout", "idle for 30s")
	f(func(x *llm.Exchange) { x.Ended, x.Err = llm.EndUpstreamCut, "unexpected EOF" }, begun, "upstream_cut", "unexpected EOF")
	f(func(x *llm.Exchange) { x.Ended, x.Err = llm.EndClientGone, "reset" }, begun, "client_gone", "reset")
	// A client that hangs up after the end has what it asked for.
	f(func(x *llm.Exchange) { x.Ended, x.Err = llm.EndClientGone, "reset" }, ended, "", "")
	f(func(*llm.Exchange) {}, ended, "", "")

	x := exchange("", "/nowhere", 404)
	x.OwnError, x.Err, x.Ended = "no_route", "no provider", llm.EndError
	if c, err := tab.Read(x); err != nil || c.ErrorType != "no_route" || c.Provider != "" || c.Kind != llm.KindHTTP {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestVendorHeaders(t *testing.T) {
	tab := table(t)
	f := func(head, key string, want any) {
		t.Helper()
		x := exchange("openai", "/v1/models", 200)
		x.ResponseHeader = llm.Header(strings.ReplaceAll(head, "|", "\r\n") + "\r\n")
		if got := attr(show(t, tab, x, `{}`), key); got != want {
			t.Errorf("%s: %s is %v (%T), want %v", head, key, got, got, want)
		}
	}
	const id, took, queue, ttft = "spanwire.vendor.request_id", "spanwire.vendor.processing_time", "spanwire.vendor.queue_time", "spanwire.vendor.time_to_first_token"
	f("X-Request-ID: req_1", id, "req_1")
	f("request-id: req_2", id, "req_2")
	f("apim-request-id: a|x-request-id: b", id, "b")
	f("inference-id: c", id, "c")
	f("openai-processing-ms: 176", took, 0.176)
	f("openai-processing-ms: soon", took, nil)
	f("server-timing: gfet4t7; dur=1234", took, 1.234)
	f("x-total-time: 0.5", took, 0.5)
	f("x-queue-time: 0.25", queue, 0.25)
	f("x-metrics-ttft-ms: 40", ttft, 0.04)
	const limit, left, reset = "spanwire.ratelimit.limit.requests", "spanwire.ratelimit.remaining.requests", "spanwire.ratelimit.reset.requests"
	f("x-ratelimit-limit-requests: 10000", limit, int64(10000))
	f("x-ratelimit-limit-requests: -1", limit, nil)
	f("x-ratelimit-remaining-requests: 0", left, int64(0))
	f("x-ratelimit-reset-requests: 8.64s", reset, 8.64)
	f("x-ratelimit-reset-requests: 1m30s", reset, 90.0)
	f("x-ratelimit-reset-requests: 6ms", reset, 0.006)
	f("x-ratelimit-reset-requests: 7", reset, 7.0)
	f("anthropic-ratelimit-requests-reset: 2026-11-01T12:01:03Z", reset, 60.0)
	f("X-RateLimit-Reset: 1793534463000", reset, 60.0)
	f("x-ratelimit-reset-requests: whenever", reset, nil)
	f("x-ratelimit-reset-requests: NaN", reset, nil)
	f(`ratelimit: "api";r=999;t=295`, left, int64(999))
	f(`ratelimit: "api";r=999;t=295`, reset, 295.0)
	f("anthropic-ratelimit-tokens-remaining: 5", "spanwire.ratelimit.remaining.tokens", int64(5))
	f("x-ratelimit-limit-tokens-minute: 5", "spanwire.ratelimit.limit.tokens", int64(5))
}

// No credential that stands in a head, a target or a body gets into a call.
func TestNoSecretsInCalls(t *testing.T) {
	const secret = "hunter2hunter2"
	x := exchange("openai", "/v1/chat/completions?key="+secret, 401)
	x.RequestHeader = llm.Header("Authorization: Bearer " + secret + "\r\nx-api-key: " + secret + "\r\nCookie: a=" + secret + "\r\n")
	x.ResponseHeader = llm.Header("Set-Cookie: __cf_bm=" + secret + "\r\n")
	x.Request.Data = []byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://u:` + secret + `@h/a.png?sig=` + secret + `&w=1"}}]}]}`)
	c := show(t, table(t), x, `{"error":{"message":"Incorrect API key provided: sk-`+secret+`, Bearer `+secret+`, key=`+secret+`","code":"invalid_api_key"}}`)
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte(secret)) {
		t.Errorf("a secret is in the call: %s", b)
	}
	if got := c.Input[0].Parts[0].URI; got != "https://h/a.png?w=1" {
		t.Errorf("uri %q", got)
	}
}

// Whatever was recorded of any vendor, there is a call with its frame and, for a
// failure, an error type.
func TestEveryRecordingGivesACall(t *testing.T) {
	tab := table(t)
	for _, r := range providerstest.Recordings(t, func(providerstest.Recording) bool { return true }) {
		for _, row := range tab.Rows() {
			if row.Scheme == "" {
				continue
			}
			x := r.Exchange()
			x.Provider = row.Name
			c := show(t, tab, x, string(r.Response))
			if c.Status != r.Status || c.Method != r.Method || (r.Status >= 400) != (c.ErrorType != "") && r.Status >= 400 {
				t.Errorf("%s by %s: %+v", r.Name, row.Name, c)
			}
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("x-ratelimit-reset-requests: 1s\r\nserver-timing: a;dur=1\r\nratelimit: \"a\";r=1;t=2\r\n")
	f.Add("openai-processing-ms: 1e999\r\nx-ratelimit-reset: Inf\r\n")
	tab, err := providers.New(nil, "openai")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, head string) {
		x := exchange("openai", "/v1/models", 200)
		x.ResponseHeader = llm.Header(head)
		c, err := tab.Read(x)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(c.Attrs); err != nil {
			t.Fatalf("an attribute cannot be written: %v", err)
		}
	})
}
