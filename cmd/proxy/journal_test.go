package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/fakellm"
)

// receiver is a collector that can be away. It keeps what it was sent.
type receiver struct {
	mu     sync.Mutex
	away   bool
	bodies strings.Builder
	more   chan struct{}
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away || err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	c.bodies.Write(body)
	select {
	case c.more <- struct{}{}:
	default:
	}
}

func (c *receiver) setAway(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
}

func (c *receiver) got() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bodies.String()
}

// wait waits until every id was received.
func (c *receiver) wait(t *testing.T, ids []string) {
	t.Helper()
	late := time.After(patience)
	for {
		got := c.got()
		missing := 0
		for _, id := range ids {
			if !strings.Contains(got, id) {
				missing++
			}
		}
		if missing == 0 {
			return
		}
		select {
		case <-c.more:
		case <-late:
			t.Fatalf("%d of %d calls did not arrive", missing, len(ids))
		}
	}
}

// The collector is away while calls are made, and while the program ends and
// starts again. It gets all of them when it is back, and the journal proves them.
func TestJournalOutlivesTheCollectorAndTheProgram(t *testing.T) {
	collector := &receiver{more: make(chan struct{}, 1), away: true}
	far := httptest.NewServer(collector)
	defer far.Close()
	dir := t.TempDir()
	t.Setenv("JOURNAL_KEY", strings.Repeat("5a", 32))
	config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + fmt.Sprintf(`
data_dir: %q
journal: {mode: "on"}
audit: {retention: 1h, signing_key: {env: JOURNAL_KEY}}
tracing:
  exporters:
    - {type: otlp, name: "The Far One", protocol: http/json, traces_endpoint: '%s/v1/traces', skip_metrics: true}
`, dir, far.URL)

	var ids []string
	p := start(t, config)
	call := func() {
		t.Helper()
		resp, _, err := send(t, "POST", p.url+chatPath, chatBody("mock", ""), "Authorization", "Bearer sk-not-a-real-key-000000000000")
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v, %v", resp, err)
		}
		id := resp.Header.Get("X-Spanwire-Call-Id")
		p.calls.call(t, id)
		ids = append(ids, id)
	}
	for range 5 {
		call()
	}
	p.stop(t)
	if collector.got() != "" {
		t.Fatal("the collector was away")
	}

	p = start(t, config)
	call()
	collector.setAway(false)
	collector.wait(t, ids)
	_, page, err := send(t, "GET", "http://"+p.at.admin+"/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"spanwire_journal_appended", "spanwire_journal_size", "spanwire_journal_follower_lag", "spanwire_journal_follower_retries"} {
		if !strings.Contains(page, "\n"+name) {
			t.Errorf("/metrics does not have %s", name)
		}
	}
	p.stop(t)

	journal := filepath.Join(dir, "journal")
	out, _, err := cli(t, "audit", "verify", "--dir", journal)
	if err != nil || !strings.Contains(out, "6 calls") || !strings.Contains(out, "every record is as it was written") {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, _, err = cli(t, "audit", "export", "--dir", journal, "--from", "2020-01-01")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(out) {
		var record struct {
			Call *struct{ ID string }
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record.Call != nil && strings.Contains(strings.Join(ids, " "), record.Call.ID) {
			found++
		}
	}
	if found != 6 || strings.Contains(out, "sk-not-a-real-key") {
		t.Errorf("the export has %d of the calls:\n%s", found, out)
	}
	// Somebody changes one byte.
	files, err := filepath.Glob(filepath.Join(journal, "*.journal"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	data[400] ^= 1
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, err := cli(t, "audit", "verify", "--dir", journal)
	if err == nil || !strings.Contains(out, "BROKEN at record 1 ") || !strings.Contains(errOut, "record 1 ") {
		t.Errorf("a changed journal: %v\n%s%s", err, out, errOut)
	}
}

func TestAuditArguments(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		if _, errOut, err := cli(t, append([]string{"audit"}, args...)...); err == nil || !strings.Contains(errOut, want) {
			t.Errorf("%v: %v, %q does not say %q", args, err, errOut, want)
		}
	}
	empty := t.TempDir()
	f("holds no journal", "verify", "--dir", empty)
	f("holds no journal", "export", "--dir", empty)
	f("--from", "verify", "--dir", empty, "--from", "yesterday")
	f("before", "export", "--dir", empty, "--from", "2026-11-21", "--to", "2026-11-20")
	f("--key", "verify", "--dir", empty, "--key", "abc")
	f("there is no journal", "verify", "--dir", filepath.Join(empty, "nowhere"))
}

func TestJournalConfigErrors(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		_, err := source{file: writeConfig(t, text), flags: noFlags()}.load()
		if err == nil {
			t.Errorf("%q: no error", text)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: error %q does not say %q", text, err, w)
			}
		}
	}
	f("journal: {mode: perhaps}", "mode", "off, on, strict")
	f("journal: {mode: strict, strict_timeout: 0s}", "strict_timeout")
	f("journal: {segment_bytes: 1KiB}", "journal: segment_bytes")
	f("journal: {max_bytes: 100MiB}", "journal: max_bytes")
	f("journal: {max_age: -1h, sync_delay: 1h}", "max_age", "sync_delay")
	f("audit: {retention: -1h}", "audit.retention")
	f("audit: {signing_key: {env: NOT_SET_ANYWHERE}}", "audit.signing_key", "NOT_SET_ANYWHERE")
	f("data_dir: ''", "data_dir")
	t.Setenv("BAD_KEY", "hunter2hunter2")
	_, err := source{file: writeConfig(t, "audit: {signing_key: {env: BAD_KEY}}"), flags: noFlags()}.load()
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "audit.signing_key") {
		t.Errorf("a key that is none: %v", err)
	}
}

func TestFollowerNames(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"otlp", "otlp-2", "Otlp", "ötlp", "a b", "a/b", "../x", strings.Repeat("long", 40), strings.Repeat("long", 41), "langfuse"} {
		f := followerOf(name)
		if other, twice := seen[f]; twice {
			t.Errorf("%q and %q are both %s", name, other, f)
		}
		seen[f] = name
		if len(f) > 64 || strings.ContainsAny(f, "/ ") {
			t.Errorf("%q is %s", name, f)
		}
	}
	if followerOf("otlp") != "tracing.otlp" {
		t.Errorf("otlp follows as %s", followerOf("otlp"))
	}
}

// With a key nothing that was said can be read on disk, and the export with the same
// configuration has it again.
func TestContentIsEncryptedOnDisk(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CONTENT_KEY", strings.Repeat("7c", 32))
	config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + fmt.Sprintf(`
data_dir: %q
journal: {mode: "on"}
audit: {retention: 1h}
encryption: {key: {env: CONTENT_KEY}}
`, dir)
	p := start(t, config)
	resp, _, err := send(t, "POST", p.url+chatPath, `{"model":"mock","messages":[{"role":"user","content":"the merger is called Bluebird"}]}`)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id"))
	p.stop(t)
	journal := filepath.Join(dir, "journal")
	files, err := filepath.Glob(filepath.Join(journal, "*.journal"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil || strings.Contains(string(data), "Bluebird") {
			t.Errorf("%s: %v, or the prompt is in it", f, err)
		}
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(has bool, args ...string) {
		t.Helper()
		out, _, err := cli(t, args...)
		if err != nil || strings.Contains(out, "Bluebird") != has || strings.Contains(out, "encrypted") == has {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
	f(false, "audit", "verify", "--dir", journal)
	f(true, "audit", "export", "--config", file)
	f(false, "audit", "export", "--dir", journal)
	t.Setenv("CONTENT_KEY", "short")
	if _, errOut, err := cli(t, "audit", "export", "--config", file); err == nil || !strings.Contains(errOut, "encryption.key") || strings.Contains(errOut, "short") {
		t.Errorf("a key that is none: %v, %s", err, errOut)
	}
}
