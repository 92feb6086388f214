package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spanwire/spanwire/internal/fakellm"
	"github.com/spanwire/spanwire/llm"
)

func TestMain(m *testing.M) {
	if asProgram() || asKeeper() {
		return
	}
	if child() {
		return
	}
	goleak.VerifyTestMain(m,
		goleak.Cleanup(func(code int) {
			if *everything {
				scores.print(os.Stdout)
			}
			os.Exit(code)
		}),
		// These of the fake provider's HTTP library end some time after it, or never.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// patience bounds each wait; nothing waits for it on a good day.
const patience = 60 * time.Second

// captured is a sink that keeps every call.
type captured struct {
	mu    sync.Mutex
	calls []*llm.Call
	more  chan struct{} // has a token when calls came
}

func newCaptured() *captured { return &captured{more: make(chan struct{}, 1)} }

func (c *captured) Consume(_ context.Context, calls []*llm.Call) error {
	c.mu.Lock()
	c.calls = append(c.calls, calls...)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
	return nil
}

func (c *captured) Close(context.Context) error { return nil }

// call waits for the call with an id.
func (c *captured) call(t *testing.T, id string) *llm.Call {
	t.Helper()
	late := time.After(patience)
	for {
		c.mu.Lock()
		for _, call := range c.calls {
			if call.ID == id {
				c.mu.Unlock()
				return call
			}
		}
		c.mu.Unlock()
		select {
		case <-c.more:
		case <-late:
			t.Fatalf("call %s was not recorded", id)
		}
	}
}

// output is a buffer that a run writes to and a test reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// program is a run of the whole program in this process.
type program struct {
	at       addresses
	url      string // of the proxy, without a path
	calls    *captured
	signals  chan os.Signal
	reloaded chan error
	out, err output
	ended    chan error
}

// start runs the program with a configuration until the test ends.
func start(t *testing.T, config string, args ...string) *program {
	t.Helper()
	return startFile(t, writeConfig(t, config), args...)
}

func startFile(t *testing.T, file string, args ...string) *program {
	t.Helper()
	t.Setenv("SPANWIRE_RECORDER_BATCH_DELAY", "1ms") // tests wait for calls one by one
	if text, err := os.ReadFile(file); err == nil && !strings.Contains(string(text), "data_dir:") {
		t.Setenv("SPANWIRE_DATA_DIR", t.TempDir()) // nothing is left beside the source
	}
	p := &program{calls: newCaptured(), signals: make(chan os.Signal, 4), reloaded: make(chan error, 16), ended: make(chan error, 1)}
	started := make(chan addresses, 1)
	s := settings{
		stdout: &p.out, stderr: &p.err, signals: p.signals, sink: p.calls, poll: time.Millisecond,
		started:  func(at addresses) { started <- at },
		reloaded: func(err error) { p.reloaded <- err },
	}
	args = append([]string{"--config", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)
	go func() { p.ended <- run(context.Background(), args, s) }()
	select {
	case p.at = <-started:
	case err := <-p.ended:
		t.Fatalf("the program ended: %v\n%s", err, p.err.String())
	case <-time.After(patience):
		t.Fatal("the program did not start")
	}
	p.url = "http://" + p.at.proxy
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop ends the run as an init system does; a second call does nothing.
func (p *program) stop(t *testing.T) {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	if p.ended == nil {
		return
	}
	p.signals <- syscall.SIGTERM
	p.wait(t)
}

// wait waits for the end of the run, which must be a good one.
func (p *program) wait(t *testing.T) {
	t.Helper()
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("the program ended: %v", err)
		}
	case <-time.After(patience):
		t.Error("the program did not end")
	}
	p.ended = nil
}

// reload waits for the end of an attempt to take up a configuration.
func (p *program) reload(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.reloaded:
		return err
	case <-time.After(patience):
		t.Fatal("no reload happened")
		return nil
	}
}

// provider serves a fake provider until the test ends, and returns its base URL.
func provider(t *testing.T, s *fakellm.Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shut the provider down: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("provider: %v", err)
		}
	})
	return "http://" + ln.Addr().String()
}

// rows is a configuration whose providers of these names all are at one address.
func rows(url string, names ...string) string {
	var b strings.Builder
	b.WriteString("providers:\n")
	for _, n := range names {
		fmt.Fprintf(&b, "  - {name: %s, base_url: '%s', dialect: openai}\n", n, url)
	}
	return b.String()
}

const chatPath = "/v1/chat/completions"

func chatBody(model, more string) string {
	return `{"model":"` + model + `","messages":[{"role":"user","content":"What is this?"}]` + more + `}`
}

// send makes a request and returns the answer with its whole body. The error is
// that of reading the body.
func send(t *testing.T, method, url, body string, header ...string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// get fetches a page of the admin address.
func (p *program) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, body, err := send(t, http.MethodGet, "http://"+p.at.admin+path, "")
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func TestCall(t *testing.T) {
	p := start(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai"))
	resp, body, err := send(t, "POST", p.url+chatPath, chatBody("gpt-4o-mini", ""), "X-Spanwire-Team", "search", "Authorization", "Bearer secret-of-the-caller")
	if err != nil || resp.StatusCode != 200 || !strings.Contains(body, "chat.completion") {
		t.Fatalf("answer %d %s, %v", resp.StatusCode, body, err)
	}
	c := p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id"))
	in, _ := c.Usage.Input()
	if c.Kind != llm.KindLLM || c.RequestModel != "gpt-4o-mini" || c.ResponseModel != "gpt-4o-mini-2024-07-18" || in == 0 ||
		c.Usage.Source != llm.UsageReported || !c.Cost.Known() || c.Cost.Total <= 0 || c.Attribution.Team != "search" {
		t.Errorf("call %+v", c)
	}
	if _, metrics := p.get(t, "/metrics"); !strings.Contains(metrics, `spanwire_team="search"`) && !strings.Contains(metrics, `team="search"`) {
		t.Errorf("no team in metrics:\n%s", metrics)
	}
	if s := p.out.String() + p.err.String() + fmt.Sprintf("%+v", c); strings.Contains(s, "secret-of-the-caller") {
		t.Error("the caller's credential was kept")
	}
}

// TestAskedUsage: a stream whose caller asked for no usage gets none, and the
// record has what the provider reported all the same.
func TestAskedUsage(t *testing.T) {
	p := start(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai"))
	resp, body, err := send(t, "POST", p.url+chatPath, chatBody("gpt-4o-mini", `,"stream":true`))
	if err != nil || strings.Contains(body, "prompt_tokens") || !strings.HasSuffix(body, "data: [DONE]\n\n") {
		t.Fatalf("answer %s, %v", body, err)
	}
	c := p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id"))
	if in, ok := c.Usage.Input(); !ok || in == 0 || c.Usage.Source != llm.UsageReported {
		t.Errorf("usage %+v", c.Usage)
	}
}

func TestCutStream(t *testing.T) {
	p := start(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai"))
	resp, body, err := send(t, "POST", p.url+chatPath, chatBody("fake-cut", `,"stream":true`))
	if err == nil {
		t.Errorf("the caller saw a finished answer: %s", body)
	}
	if c := p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id")); c.Ended != llm.EndUpstreamCut {
		t.Errorf("ended %q", c.Ended)
	}
}

// TestConfiguredKey: a row's key goes to the provider in place of the caller's,
// our own headers do not.
func TestConfiguredKey(t *testing.T) {
	seen := make(chan fakellm.Request, 1)
	t.Setenv("SPANWIRE_TEST_KEY", "configured-key")
	url := provider(t, fakellm.New(fakellm.Config{Seen: func(r fakellm.Request) { seen <- r }}))
	p := start(t, "providers:\n  - {name: mine, base_url: '"+url+"/base', dialect: openai, api_key: {env: SPANWIRE_TEST_KEY}, headers: {X-Extra: 'yes'}}\n")
	resp, body, err := send(t, "POST", p.url+"/mine"+chatPath, chatBody("m", ""), "Authorization", "Bearer callers-key", "X-Spanwire-Team", "a")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %s %v", resp.StatusCode, body, err)
	}
	r := <-seen
	for _, want := range []string{"Bearer configured-key\r\n", "X-Extra: yes\r\n"} {
		if !strings.Contains(r.Header, want) {
			t.Errorf("the provider did not get %q:\n%s", want, r.Header)
		}
	}
	for _, not := range []string{"callers-key", "Spanwire"} {
		if strings.Contains(r.Header, not) {
			t.Errorf("the provider got %q:\n%s", not, r.Header)
		}
	}
	if r.Target != "/base/v1/chat/completions" {
		t.Errorf("target %s", r.Target)
	}
}

// A file that holds a token is read again when it changes: the next call has the
// new one. What cannot be a token changes nothing.
func TestKeyFileIsReadAgain(t *testing.T) {
	seen := make(chan fakellm.Request, 1)
	url := provider(t, fakellm.New(fakellm.Config{Seen: func(r fakellm.Request) { seen <- r }}))
	token := filepath.Join(t.TempDir(), "token")
	replace(t, token, "first-token\n")
	p := start(t, "providers:\n  - {name: azure, base_url: '"+url+"', api_key: {file: '"+token+"', bearer: true}}\n")
	sends := func(want string) {
		t.Helper()
		if resp, body, err := send(t, "POST", p.url+"/azure/openai"+chatPath, chatBody("m", ""), "api-key", "callers-key"); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s %v", body, err)
		}
		if h := (<-seen).Header; !strings.Contains(h, "Authorization: Bearer "+want+"\r\n") || strings.Contains(h, "callers-key") {
			t.Errorf("the provider got\n%s, want %s", h, want)
		}
	}
	sends("first-token")
	replace(t, token, "second-token\n")
	if err := p.reload(t); err != nil {
		t.Fatal(err)
	}
	sends("second-token")
	replace(t, token, "\n")
	if err := p.reload(t); err == nil {
		t.Error("an empty file was taken up")
	}
	sends("second-token")
	replace(t, token, "third-token\n")
	if err := p.reload(t); err != nil {
		t.Fatal(err)
	}
	sends("third-token")
	p.stop(t)
	if log := p.err.String() + p.out.String(); strings.Contains(log, "-token") {
		t.Errorf("a token is in the log:\n%s", log)
	}
}

func TestNoRoute(t *testing.T) {
	p := start(t, "default_provider: openai\nproviders:\n  - {name: openai, base_url: 'http://127.0.0.1:1'}\n")
	resp, body, err := send(t, "POST", p.url+chatPath, chatBody("m", ""))
	if err != nil || resp.StatusCode != 502 || resp.Header.Get("X-Spanwire-Error") == "" || !strings.Contains(body, `"error"`) {
		t.Errorf("unreachable provider: %d %s, %v", resp.StatusCode, body, err)
	}
	c := p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id"))
	if c.Ended != llm.EndError || c.ErrorType == "" || c.Status != 502 {
		t.Errorf("call %+v", c)
	}
}

func gunzip(t *testing.T, s string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
