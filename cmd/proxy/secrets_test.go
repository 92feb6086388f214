package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// parrot is a provider that says again what it heard: the text of the request, the
// address and the credential, in an answer, a tool call, or an error.
type parrot struct {
	mu     sync.Mutex
	bodies []string
}

func (p *parrot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	p.bodies = append(p.bodies, string(body))
	p.mu.Unlock()
	heard := strings.Join([]string{r.URL.String(), "Authorization: " + r.Header.Get("Authorization"), r.Header.Get("Api-Key"), r.Header.Get("Cookie"), string(body)}, "\n")
	said, _ := json.Marshal(heard)
	args, _ := json.Marshal(string(said))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Set-Cookie", "__cf_bm="+r.Header.Get("Cookie"))
	w.Header().Set("X-Request-Id", "req_1")
	if strings.Contains(string(body), "please-fail") {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":{"message":%s,"type":"invalid_request_error","code":"invalid_api_key"}}`, said)
		return
	}
	fmt.Fprintf(w, `{"id":"chatcmpl-1","object":"chat.completion","model":"m-1","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":%s,
"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":%s}}]}}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`, said, args)
}

// credentials are of every kind that must never be kept, made when the test runs.
func credentials() map[string]string {
	const mixed = "Zq8Wm3Xr5Tn7Kp2Lv9Bc4Hd6Jf1Gs0Ya"
	return map[string]string{
		"openai": "sk" + "-proj-" + mixed + mixed, "anthropic": "sk" + "-ant-api03-" + mixed + mixed, "google": "AI" + "za" + mixed + "abc", "groq": "gsk" + "_" + mixed + mixed[:20],
		"realtime": "ek" + "_" + strings.Repeat("0123456789abcdef", 3), "jwt": "ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + mixed, "aws id": "AK" + "IA" + "QWERTYUIOPASDFGH",
		"pem":    "-----BEGIN " + "PRIVATE KEY-----\n" + mixed + "\n" + mixed + "\n-----END " + "PRIVATE KEY-----",
		"bearer": "Bearer " + mixed + mixed[:9],
		"sas":    "https://images.example/a.png?sv=2024&sig=" + url.QueryEscape(mixed+"/+=") + "&x=1",
		"signed": "https://b.s3.amazonaws.com/x?X-Amz-Credential=" + mixed + "&X-Amz-Security-Token=" + mixed + "&X-Amz-Signature=" + strings.Repeat("ab12", 16),
	}
}

// A key without any form, as servers of one's own have, is not kept either when its
// server says it again: the caller's, and the one of the provider's row.
func TestCredentialsWithoutFormAreNotKept(t *testing.T) {
	far := httptest.NewServer(&parrot{})
	defer far.Close()
	dir := t.TempDir()
	t.Setenv("SPANWIRE_TEST_KEY", "orchid-7-configured")
	p := start(t, fmt.Sprintf(`
default_provider: mine
providers:
  - {name: mine, base_url: %[1]q, dialect: openai, usage: count}
  - {name: keyed, base_url: %[1]q, dialect: openai, usage: count, api_key: {env: SPANWIRE_TEST_KEY}}
tracing: {exporters: [{type: file, path: %[2]q}]}
data_dir: %[3]q
`, far.URL, filepath.Join(dir, "spans.jsonl"), dir))
	for _, path := range []string{"", "/keyed"} {
		for _, text := range []string{"tulip-4-pass", "please-fail", "EMPTY-word"} {
			body := fmt.Sprintf(`{"model":"m-1","messages":[{"role":"user","content":%q}]}`, text)
			resp, _, err := send(t, "POST", p.url+path+chatPath+"?key=daisy-9-query", body, "Authorization", "Bearer tulip-4-caller", "Api-Key", "not-needed")
			if err != nil {
				t.Fatal(err)
			}
			p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id"))
		}
	}
	p.stop(t)
	spans, err := os.ReadFile(filepath.Join(dir, "spans.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"tulip-4-caller", "orchid-7", "daisy-9"} {
		if strings.Contains(string(spans), secret) {
			t.Errorf("%s is in a span", secret)
		}
	}
	for _, word := range []string{"tulip-4-pass", "EMPTY-word", "[redacted]"} {
		if !strings.Contains(string(spans), word) {
			t.Errorf("%s is in no span", word)
		}
	}
}

// core is the part of a credential that nobody may find.
func core(secret string) string { return secret[len(secret)/2 : len(secret)/2+10] }

// Every kind of credential, at every place of a request and of its answer, is in nothing
// that the program writes or sends but to the provider, which gets it all as it was.
func TestNoCredentialIsKeptAnywhere(t *testing.T) {
	bird := &parrot{}
	far := httptest.NewServer(bird)
	defer far.Close()
	collector := &receiver{more: make(chan struct{}, 1)}
	otlp := httptest.NewServer(collector)
	defer otlp.Close()
	dir := t.TempDir()
	p := start(t, rows(far.URL, "openai")+fmt.Sprintf(`
data_dir: %q
journal: {mode: "on"}
audit: {retention: 1h}
log: {level: debug}
redact: {kinds: {all: mask}, in: [prompts, answers, tool_arguments, metadata]}
tracing:
  exporters:
    - {type: otlp, protocol: http/json, traces_endpoint: '%s/v1/traces'}
    - {type: file, path: %q}
    - {type: stdout}
`, dir, otlp.URL, filepath.Join(dir, "spans.jsonl")))

	var ids []string
	var sent []string
	for name, secret := range credentials() {
		for _, fail := range []string{"", "please-fail "} {
			q, _ := json.Marshal(fail + "here: " + secret)
			args, _ := json.Marshal(`{"k":` + string(q) + `}`)
			body := fmt.Sprintf(`{"model":"m-1","user":%[1]s,"metadata":{"note":%[1]s},"messages":[{"role":"system","content":%[1]s},
{"role":"user","name":%[1]s,"content":[{"type":"text","text":%[1]s},{"type":"image_url","image_url":{"url":%[1]s}}]},
{"role":"assistant","content":null,"tool_calls":[{"id":"call_0","type":"function","function":{"name":"f","arguments":%[2]s}}]},
{"role":"tool","tool_call_id":"call_0","content":%[1]s},{"role":"user","content":"mail ada@example.com"}],
"tools":[{"type":"function","function":{"name":"f","description":%[1]s,"parameters":{"type":"object","properties":{"k":{"type":"string","description":%[1]s}}}}}],
"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object","description":%[1]s}}}}`, q, args)
			oneLine := strings.NewReplacer("\n", " ", "\r", " ").Replace(secret)
			resp, _, err := send(t, "POST", p.url+chatPath+"?key="+url.QueryEscape(secret), body,
				"Authorization", "Bearer "+strings.ReplaceAll(core(secret)+core(secret), "\n", ""), "Api-Key", oneLine, "Cookie", "session="+oneLine,
				"X-Spanwire-Team", "t", "X-Spanwire-User", oneLine, "X-Spanwire-Session", oneLine, "X-Spanwire-Tags", oneLine, "X-Spanwire-Metadata", "note="+oneLine,
				"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			id := resp.Header.Get("X-Spanwire-Call-Id")
			p.calls.call(t, id)
			ids, sent = append(ids, id), append(sent, body)
		}
	}
	collector.wait(t, ids)
	_, metrics, err := send(t, "GET", "http://"+p.at.admin+"/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`spanwire_redact_values_total{kind="email"`, "spanwire_recorder_redacted_total"} {
		if !strings.Contains(metrics, name) {
			t.Errorf("/metrics does not have %s", name)
		}
	}
	p.stop(t)
	out, _, err := cli(t, "audit", "export", "--dir", filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}

	outputs := map[string]string{"the collector": collector.got(), "stdout": p.out.String(), "the log": p.err.String(), "/metrics": metrics, "the export": out}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		outputs[path] = string(data)
		return err
	})
	if err != nil || len(outputs) < 8 {
		t.Fatalf("%v, outputs %d", err, len(outputs))
	}
	for where, text := range outputs {
		for name, secret := range credentials() {
			if strings.Contains(text, core(secret)) {
				i := strings.Index(text, core(secret))
				t.Errorf("%s (%s) is in %s: …%s", name, core(secret), where, text[max(0, i-200):i+20])
			}
		}
		if strings.Contains(text, "ada@example.com") {
			t.Errorf("the address of somebody is in %s", where)
		}
	}
	bird.mu.Lock()
	defer bird.mu.Unlock()
	for i, body := range sent {
		if i >= len(bird.bodies) || bird.bodies[i] != body {
			t.Fatalf("the provider got something else than was sent")
		}
	}
}
