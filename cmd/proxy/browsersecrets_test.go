package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
)

// What a browser sends as a credential, a cookie or a subprotocol of a WebSocket, is in
// nothing that is kept or exported, though the provider says it again; what else is in
// its cookies stays where it was said.
func TestCredentialsOfBrowsersAreNotKept(t *testing.T) {
	const cookie, key, model = "fern-6-cookie", "moss-5-subprotocol", "gpt-4o-mini-2024-07-18"
	const cookies = "theme=dark; session=" + cookie + "; model=" + model
	far := httptest.NewServer(&parrot{})
	defer far.Close()
	with := newSpeaker(t)
	dir := t.TempDir()
	p := start(t, fmt.Sprintf(`
providers:
  - {name: openai, base_url: %q, dialect: openai, usage: count}
  - {name: live, base_url: %q, dialect: openai}
capture: {raw: true}
journal: {mode: "on"}
tracing: {exporters: [{type: file, path: %q}]}
data_dir: %q
`, far.URL, "http://"+with.ln.Addr().String(), filepath.Join(dir, "spans.jsonl"), dir))

	var ids []string
	for _, text := range []string{"hello", "please-fail"} {
		resp, said, err := send(t, "POST", p.url+chatPath, fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}]}`, model, text), "Cookie", cookies)
		if err != nil || !strings.Contains(said, cookie) {
			t.Fatalf("the caller got %q, %v", said, err)
		}
		ids = append(ids, resp.Header.Get("X-Spanwire-Call-Id"))
		p.calls.call(t, ids[len(ids)-1])
	}
	around := p.converse(t, with, "live", "/v1/realtime?model=m-1", script{
		fields: "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key." + key + "\r\nCookie: " + cookies + "\r\n", piece: 4096,
		messages: []providerstest.SessionMessage{
			{Caller: true, Data: []byte(`{"type":"response.create","response":{"instructions":"say ` + key + `"}}`)},
			{Data: []byte(`{"type":"response.created","response":{"id":"resp_1","status":"in_progress"}}`)},
			{Data: []byte(`{"type":"response.done","response":{"id":"resp_1","object":"realtime.response","status":"completed","output":[{"id":"i","type":"message","role":"assistant","content":[{"type":"text","text":"hello ` + key + ` with ` + cookie + `, I am ` + model + `"}]}],"usage":{"total_tokens":3,"input_tokens":1,"output_tokens":2}}}`)},
			{Data: []byte(`{"type":"error","error":{"type":"invalid_request_error","code":"bad","message":"not ` + key + `"}}`)},
		},
	})
	p.stop(t)
	_, within := p.calls.session(t, []string{around})
	if len(within) == 0 {
		t.Fatal("no call in the session")
	}
	ids = append(ids, around)
	for _, c := range within {
		ids = append(ids, c.ID)
	}

	spans, err := os.ReadFile(filepath.Join(dir, "spans.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{"the spans": string(spans), "the log": p.err.String()}
	keep := func(where string, args ...string) {
		t.Helper()
		out, errOut, err := cli(t, args...)
		if err != nil {
			t.Fatalf("%s: %v %s", where, err, errOut)
		}
		kept[where] = out
	}
	keep("the journal", "audit", "export", "--dir", filepath.Join(dir, "journal"))
	keep("the list of calls", "calls", "--dir", dir, "--json")
	for _, id := range ids {
		keep("call "+id, "call", id, "--dir", dir)
	}
	for _, id := range ids[:2] {
		keep("the request of "+id, "call", id, "--dir", dir, "--raw", "request")
		if out, errOut, err := cli(t, "call", id, "--dir", dir, "--raw", "response"); err == nil || !strings.Contains(errOut, "credential") {
			t.Errorf("the answer to %s is shown as if it were whole: %s%s", id, out, errOut)
		}
	}
	for where, text := range kept {
		for _, secret := range []string{cookie, key} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in %s: %s", secret, where, text)
			}
		}
	}
	for _, where := range []string{"the spans", "the journal", "call " + ids[0]} {
		if text := kept[where]; !strings.Contains(text, model) || !strings.Contains(text, "[redacted]") {
			t.Errorf("%s: %s", where, text)
		}
	}
}
