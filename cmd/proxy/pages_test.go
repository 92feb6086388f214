package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// A page of some site is refused what the configured key would pay for, in words that
// its SDK reads, and served with a key of its own; a reload lets it in.
func TestWebPagesDoNotSpendTheConfiguredKey(t *testing.T) {
	var asked atomic.Int64
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[{"type":"text","text":%q}],"usage":{"input_tokens":1,"output_tokens":1}}`, r.Header.Get("X-Api-Key")+r.Header.Get("Authorization"))
	}))
	defer far.Close()
	t.Setenv("SPANWIRE_TEST_KEY", "configured")
	config := fmt.Sprintf(`
providers:
  - {name: open, base_url: %[1]q, dialect: anthropic}
  - {name: keyed, base_url: %[1]q, dialect: anthropic, api_key: {env: SPANWIRE_TEST_KEY}}
`, far.URL)
	file := writeConfig(t, config)
	p := startFile(t, file)
	const body = `{"model":"m-1","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}`
	ask := func(row string, fields ...string) (int, string) {
		t.Helper()
		resp, said, err := send(t, "POST", p.url+row+"/v1/messages", body, append([]string{"Content-Type", "text/plain", "X-Api-Key", "mine"}, fields...)...)
		if err != nil {
			t.Fatal(err)
		}
		if c := p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id")); c.Provider == "" || resp.StatusCode == 403 && c.ErrorType != "origin_not_allowed" {
			t.Errorf("%s %q: recorded as %q of %q", row, fields, c.ErrorType, c.Provider)
		}
		return resp.StatusCode, string(said)
	}
	const page = "https://page.example"
	if status, said := ask("/open", "Origin", page); status != 200 || !strings.Contains(said, `"mine"`) {
		t.Errorf("with a key of its own: %d %s", status, said)
	}
	if status, said := ask("/keyed"); status != 200 || !strings.Contains(said, `configured"`) {
		t.Errorf("a program: %d %s", status, said)
	}
	before := asked.Load()
	status, said := ask("/keyed", "Origin", page)
	var shape struct {
		Type  string
		Error struct{ Type, Message string }
	}
	if err := json.Unmarshal([]byte(said), &shape); err != nil || status != 403 || shape.Type != "error" || !strings.Contains(shape.Error.Message, "proxy.allowed_origins") {
		t.Errorf("a page: %d %s (%v)", status, said, err)
	}
	if asked.Load() != before {
		t.Error("it reached the provider")
	}
	replace(t, file, config+"proxy: {allowed_origins: ["+page+"]}\n")
	if err := p.reload(t); err != nil {
		t.Fatal(err)
	}
	if status, said := ask("/keyed", "Origin", page); status != 200 {
		t.Errorf("a page that may: %d %s", status, said)
	}
}
