package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/fakellm"
)

// status asks for /status until it is as it should be.
func (p *program) status(t *testing.T, right func(status) bool) (s status, text string) {
	t.Helper()
	late := time.Now().Add(patience)
	for {
		code, text := p.get(t, "/status")
		in := json.NewDecoder(strings.NewReader(text))
		in.DisallowUnknownFields()
		s = status{}
		if err := in.Decode(&s); err != nil || code != http.StatusOK {
			t.Fatalf("%d, %v: %s", code, err, text)
		}
		if right(s) {
			return s, text
		}
		if time.Now().After(late) {
			t.Fatalf("it says: %s", text)
		}
	}
}

func (s *status) follower(name string) (f followerStatus) {
	for _, o := range s.Journal.Followers {
		if strings.HasPrefix(o.Name, name) {
			f = o
		}
	}
	return f
}

// While the collector is away /status says who is behind, by how much and why, and
// holds no key; when it is back nobody is.
func TestStatus(t *testing.T) {
	far := newCollector(t)
	far.set(away)
	dir := t.TempDir()
	t.Setenv("JOURNAL_KEY", strings.Repeat("5a", 32))
	p := start(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+fmt.Sprintf(`
data_dir: %q
audit: {retention: 1h, signing_key: {env: JOURNAL_KEY}}
tracing:
  exporters:
    - {type: otlp, name: far, protocol: http/json, traces_endpoint: '%s/v1/traces?key=hush-hush', headers: {authorization: 'Bearer hush-hush'}, skip_metrics: true}
`, dir, far.url))
	var ids []string
	for range 3 {
		ids = append(ids, p.call(t))
	}
	// A checkpoint is a record too.
	s, text := p.status(t, func(s status) bool {
		f := s.follower("tracing.far")
		return f.LagRecords >= 3 && f.Retries > 0 && f.LastError != "" && s.follower("store").Delivered == 3
	})
	if f := s.follower("tracing.far"); f.LagBytes == 0 || f.LagSeconds <= 0 || f.Delivered != 0 {
		t.Errorf("%+v", f)
	}
	if f := s.follower("store"); f.LagRecords != 0 || f.LastError != "" {
		t.Errorf("%+v", f)
	}
	if s.Ready != "yes" || s.Version == "" || s.Recorder.Calls != 3 || len(s.Recorder.Sinks) == 0 || s.Journal.Appended != 3 || s.Journal.Bytes == 0 ||
		s.Journal.UnsignedCalls > 3 || s.Store == nil || s.Store.Stored != 3 || s.Store.Bytes == 0 || s.Store.Days == 0 || len(s.Exporters) != 1 {
		t.Errorf("it says: %s", text)
	}
	for _, secret := range []string{"hush-hush", "sk-not-a-real-key", "What is this?", strings.Repeat("5a", 32)} {
		if strings.Contains(text, secret) {
			t.Errorf("it says %s: %s", secret, text)
		}
	}
	far.set(willing)
	far.wait(t, ids)
	p.status(t, func(s status) bool {
		f := s.follower("tracing.far")
		return f.LagRecords == 0 && f.Delivered == 3 && f.LastError == "" && s.Exporters[0].Sent > 0
	})

	req, err := http.NewRequest(http.MethodGet, "http://"+p.at.admin+"/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "rebound.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("by another name: %v, %v", resp, err)
	}
	resp.Body.Close()
}

// Without anything on disk there is less to say.
func TestStatusOfAForwarder(t *testing.T) {
	p := start(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+"store: {mode: \"off\"}\n")
	p.call(t)
	_, text := p.status(t, func(s status) bool { return s.Journal == nil && s.Store == nil && s.Recorder.Calls == 1 })
	if !bytes.Contains([]byte(text), []byte("\n  \"journal\": null,\n")) {
		t.Errorf("it says: %s", text)
	}
}
