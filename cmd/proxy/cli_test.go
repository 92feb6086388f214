package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// cli runs the program to its end in an empty folder and returns what it said.
func cli(t *testing.T, args ...string) (out, errOut string, err error) {
	t.Helper()
	var o, e output
	err = run(context.Background(), args, settings{stdout: &o, stderr: &e})
	return o.String(), e.String(), err
}

func TestCommandLine(t *testing.T) {
	good := writeConfig(t, "listen: 127.0.0.1:0\n")
	bad := writeConfig(t, "lisen: 127.0.0.1:0\n")
	t.Chdir(t.TempDir())
	f := func(ok bool, want string, args ...string) {
		t.Helper()
		out, errOut, err := cli(t, args...)
		if (err == nil) != ok || !strings.Contains(out+errOut, want) {
			t.Errorf("%q: error %v, said %q and %q", args, err, out, errOut)
		}
		if (errOut == "") != ok {
			t.Errorf("%q: standard error %q", args, errOut)
		}
	}
	f(true, "spanwire "+version, "--version")
	f(true, "Usage", "--help")
	f(true, "doctor", "--help")
	f(true, "configuration is valid", "--check")
	f(true, good, "--check", "--config", good)
	f(false, `unknown key "lisen"`, "--check", "--config", bad)
	f(false, `unknown key "lisen"`, "--config", bad)
	f(false, "no such file", "--check", "--config", "missing.yaml")
	f(false, "unknown flag", "--lisen", "x")
	f(false, `unknown command "serv"`, "serv")
	f(false, "did you mean call", "cals")
	f(false, `unknown command "tre", did you mean tree: see spanwire runs --help`, "runs", "tre")
	f(false, `calls takes no argument such as "x": see spanwire calls --help`, "calls", "x")
	f(false, "see spanwire calls --help", "calls", "--tema", "x")
	f(false, "there is no store in ./spanwire-data: Spanwire makes it when it starts", "calls")
	f(false, "there is no journal in spanwire-data/journal: Spanwire makes it when it starts", "audit", "verify")
	f(false, "there is no journal in here: ", "audit", "export", "--dir", "here", "--output", "x")
	f(false, "there is no journal in here: ", "audit", "export", "--dir", "here", "--output", "x") // no file was made
	f(false, "nowhere", "--check", "--listen", "nowhere")
	f(false, "log.level", "--check", "--log-level", "loud")
	f(false, "runs explain CALL_ID: want one argument, the id of a call: the header x-spanwire-call-id", "runs", "explain")
	f(false, "call ID: want one argument, the id of a call", "call")
	f(false, "runs tree FILE: want one argument, a file of spans", "runs", "tree", "a", "b")
	f(false, "prices of MODEL: want one argument, the name of a model", "prices", "of")
	t.Setenv("SPANWIRE_CONFIG", bad)
	f(false, `unknown key "lisen"`, "--check")
}

// TestCheckFindsAll: providers, prices and exporters are checked as well.
func TestCheckFindsAll(t *testing.T) {
	f := func(config, want string) {
		t.Helper()
		_, errOut, err := cli(t, "--check", "--config", writeConfig(t, config))
		if err == nil || !strings.Contains(errOut, want) {
			t.Errorf("%s: error %v, said %q", config, err, errOut)
		}
	}
	f("default_provider: nobody\n", "nobody")
	f("providers: [{name: x}]\n", "x")
	f("providers: [{name: x, base_url: 'http://a', dialect: klingon}]\n", "klingon")
	f("tracing: {exporters: [{type: pigeon}]}\n", "pigeon")
	f("tracing: {exporters: [{type: otlp, endpoint: 'localhost:4318'}]}\n", "endpoint")
	f("tracing: {exporters: [{type: otlp, endpoint: 'https://a', tls: {ca_file: /nowhere.pem}}]}\n", "nowhere")
	f("teams: {a: {content: some}}\n", "content")
	f("keys: {zz: {team: a}}\n", "fingerprint")
	f("pricing: {file: /nowhere.json}\n", "nowhere")
}

// TestInvocation: what people are told to type can be typed.
func TestInvocation(t *testing.T) {
	for arg0, want := range map[string]string{
		"/tmp/go-build123/b001/exe/proxy": "go run ./cmd/proxy", "/usr/local/bin/spanwire": "spanwire", "bin/proxy": "proxy",
	} {
		if got := invocation(arg0); got != want {
			t.Errorf("%s: %s, want %s", arg0, got, want)
		}
	}
}

// TestAllFaultsAtOnce: one look at the configuration is enough, whatever kinds of faults
// it has, and none is told twice.
func TestAllFaultsAtOnce(t *testing.T) {
	_, errOut, err := cli(t, "--check", "--config", writeConfig(t, `listn: 127.0.0.1:1
timeouts: {idle: 10}
on_disconnect: abort
providers:
  - {name: mine}
  - {name: other, base_url: 'http://a', dialect: klingon}
log: {level: verbose}
journal: {mode: strct}
tracing: {exporters: [{type: pigeon}]}
`))
	if err == nil {
		t.Fatal("valid")
	}
	for _, want := range []string{
		`:1: unknown key "listn"`, ":2: timeouts.idle: 10", `on_disconnect: "abort"`, "mine: base_url is missing", `dialect "klingon"`,
		`log.level: "verbose"`, `journal: mode: "strct"`, `"pigeon"`,
	} {
		if n := strings.Count(errOut, want); n != 1 {
			t.Errorf("%q is said %d times:\n%s", want, n, errOut)
		}
	}
	if n := strings.Count(errOut, "\n"); n != 8 {
		t.Errorf("%d lines for 8 faults:\n%s", n, errOut)
	}
}

func TestAddressInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := ln.Addr().String()
	config := writeConfig(t, "")
	f := func(key string, args ...string) {
		t.Helper()
		_, errOut, err := cli(t, append(args, "--config", config)...)
		for _, want := range []string{taken, "in use", "--" + key, "SPANWIRE_" + strings.ToUpper(key)} {
			if err == nil || !strings.Contains(errOut, want) {
				t.Errorf("%s: error %v does not say %q: %s", key, err, want, errOut)
			}
		}
		if _, err := os.Stat("/proc/self/comm"); err == nil && !strings.Contains(errOut, fmt.Sprint(os.Getpid())) {
			t.Errorf("%s: the error does not say which process it is: %s", key, errOut)
		}
	}
	f("listen", "--listen", taken, "--admin", "off")
	f("admin", "--listen", "127.0.0.1:0", "--admin", taken)
}

func TestListeningTable(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1
short
`
	if got := listening(table, 8080); len(got) != 1 || got[0] != "4711" {
		t.Errorf("got %v", got)
	}
}

// TestDemo runs the demo to its end: every kind of call is shown, with tokens and
// money, and what to do next.
func TestDemo(t *testing.T) {
	t.Chdir(t.TempDir())
	out, errOut, err := cli(t, "--demo", "--demo-once", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	if err != nil || errOut != "" {
		t.Fatalf("%v: %s", err, errOut)
	}
	for _, want := range []string{
		"get_weather and get_time", "light rain in Lisbon", "a vector of", "429",
		"gpt-4o-mini", "text-embedding-3-small", fmt.Sprintf("%d calls, 1 of them an error", agentCalls), "$0.000", "OPENAI_BASE_URL",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not show %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "without a known price") || strings.Contains(out, "demo-key") {
		t.Errorf("the demo shows what it should not:\n%s", out)
	}
}

// TestDemoBesideAnother: an address that is taken does not stop the demo, which leaves
// nothing in the folders of the configuration.
func TestDemoBesideAnother(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dir := t.TempDir()
	t.Chdir(dir)
	config := writeConfig(t, "data_dir: ./kept\njournal: {mode: on, dir: ./audited}\ntokenizer: {calibration_file: learnt.json}\n")
	if out, errOut, err := cli(t, "--demo-once", "--config", config, "--listen", ln.Addr().String(), "--admin", "off"); err != nil {
		t.Errorf("%v: %s%s", err, out, errOut)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the demo left %v behind, %v", left, err)
	}
}

// TestDoctor runs every check against the real relay. What it sends is nobody's call: it
// reaches no store, no journal and no backend, and needs no folder that another program
// may be using.
func TestDoctor(t *testing.T) {
	var exported atomic.Int64
	backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { exported.Add(1) }))
	defer backend.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.URL)
	dir := t.TempDir()
	t.Chdir(dir)
	config := writeConfig(t, "data_dir: ./kept\njournal: {mode: strict}\ncapture: {raw: true}\ntokenizer: {calibration_file: learnt.json}\n")
	out, errOut, err := cli(t, "doctor", "--config", config)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errOut)
	}
	for _, c := range checks() {
		if !strings.Contains(out, c.name) {
			t.Errorf("the table has no line for %q", c.name)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the doctor left %v behind, %v", left, err)
	}
	if n := exported.Load(); n > 0 {
		t.Errorf("the doctor sent %d requests to the backend", n)
	}
}

// TestDoctorFinds makes sure that the doctor can fail: each kind of damage that a
// relay can do is found.
func TestDoctorFinds(t *testing.T) {
	f := func(name string, c check, r result, got *message, err error) {
		t.Helper()
		answered, _ := parseMessage(afterInterim(c.answer), false, "GET")
		if r.compare(c, got, answered, err) == "" {
			t.Errorf("%s was not found", name)
		}
	}
	same := result{requestSent: "a", requestArrived: "a", answerSent: "b", answerArrived: "b"}
	ok := &message{line: "HTTP/1.1 200 OK"}
	f("a changed request", check{}, result{requestSent: "a", requestArrived: "x", answerSent: "b", answerArrived: "b"}, ok, nil)
	f("a request that did not arrive", check{}, result{requestSent: "a", answerSent: "b", answerArrived: "b"}, ok, nil)
	f("a changed answer", check{}, result{requestSent: "a", requestArrived: "a", answerSent: "b", answerArrived: "x"}, ok, nil)
	f("a cut answer", check{}, same, ok, net.ErrClosed)
	f("an answer of the relay", check{}, same, &message{line: "HTTP/1.1 502 Bad Gateway", fields: []string{"x-spanwire-error: a"}}, nil)
	f("a hidden cut", check{want: broken, answer: small}, same, ok, nil)
	f("other bytes before a cut", check{want: broken, answer: small}, same, &message{line: ok.line, body: []byte("zz")}, net.ErrClosed)
	f("an ambiguous head that was let through", check{want: refused}, same, ok, nil)
	if r := same.compare(check{}, ok, ok, nil); r != "" {
		t.Errorf("an untouched exchange fails: %s", r)
	}
}

// TestDigest: the digest sees every byte that must not change.
func TestDigest(t *testing.T) {
	base := "POST /v1/x HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-b: 2\r\nContent-Length: 2\r\n\r\nhi"
	digest := func(text, prefix string) string {
		m, err := parseMessage(text, true, "")
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return m.digest(prefix)
	}
	want := digest(base, "")
	if _, err := hex.DecodeString(want); err != nil || len(want) != 64 {
		t.Fatalf("digest %q", want)
	}
	same := func(old, new string) {
		t.Helper()
		if digest(strings.Replace(base, old, new, 1), "/p") != want {
			t.Errorf("%q for %q changes the digest", new, old)
		}
	}
	differs := func(old, new string) {
		t.Helper()
		if digest(strings.Replace(base, old, new, 1), "") == want {
			t.Errorf("%q for %q does not change the digest", new, old)
		}
	}
	same("Host: a", "Host: b")
	same("/v1", "/p/v1")
	same("Host: a\r\n", "Host: a\r\nConnection: close\r\n")
	differs("X-A: 1\r\nx-b: 2", "x-b: 2\r\nX-A: 1")
	differs("X-A", "X-a")
	differs("X-A: 1", "X-A:1")
	differs("/v1/x", "/v1/y")
	differs("POST", "PUT")
	differs("hi", "ho")
}

func TestReadMessage(t *testing.T) {
	f := func(text string, request bool, body, trailer string, ok bool) {
		t.Helper()
		m, err := parseMessage(text, request, "GET")
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if m != nil && (string(m.body) != body || m.trailer != trailer) {
			t.Errorf("%q: body %q, trailer %q", text, m.body, m.trailer)
		}
	}
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n0\r\nX: 1\r\n\r\n", false, "abc", "X: 1\r\n", true)
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false, "abc", "", false)
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", false, "ab", "", false)
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false, "", "", false)
	f("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", false, "ab", "", false)
	f("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab", false, "", "", false)
	f("HTTP/1.1 200 OK\r\n\r\nab", false, "ab", "", true)
	f("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", false, "", "", true)
	f("POST / HTTP/1.1\r\n\r\nab", true, "", "", true)
	f("POST / HTTP/1.1\r\nA: b", true, "", "", false)
	f("", true, "", "", false)
}

func TestFileWatch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	w := newFileWatch(file)
	if w.changed() {
		t.Error("nothing has changed")
	}
	if err := os.WriteFile(file, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w.changed() {
		t.Error("the file may still be written to")
	}
	if !w.changed() {
		t.Error("the file is at rest and was not there before")
	}
	w.settle()
	for range 2 {
		if w.changed() {
			t.Error("it is known by now")
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.changed()
	if !w.changed() {
		t.Error("the file is gone")
	}
}

// A file that is changed after it was read, and before the program gets round to
// watching it, is a changed file.
func TestWatchBeginsBeforeTheFileIsRead(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	for _, text := range []string{"one", "another"} {
		replace(t, key, text)
		file := writeConfig(t, "providers: [{name: mine, base_url: 'http://127.0.0.1:1', dialect: openai, api_key: {file: '"+key+"'}}]\n")
		cfg, err := source{file: file, flags: noFlags()}.load()
		if err != nil {
			t.Fatal(err)
		}
		changed := key
		if text == "one" {
			changed = file
		}
		replace(t, changed, "pprof: true")
		if cfg.watch.changed(); !cfg.watch.changed() {
			t.Errorf("a change of %s is not seen", changed)
		}
	}
}

// FuzzMessage feeds hostile bytes to what reads both sides of a check.
func FuzzMessage(f *testing.F) {
	for _, c := range checks() {
		if len(c.request)+len(c.answer) < 64<<10 {
			f.Add(c.request, true)
			f.Add(c.answer, false)
		}
	}
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n0\r\n\r\n", false)
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc", false)
	f.Fuzz(func(t *testing.T, text string, request bool) {
		m, err := parseMessage(text, request, "GET")
		if err == nil && len(m.body) > len(text) {
			t.Errorf("a body of %d bytes from %d", len(m.body), len(text))
		}
	})
}
