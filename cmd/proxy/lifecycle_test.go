package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanwire/spanwire/internal/fakellm"
	"github.com/spanwire/spanwire/llm"
)

// gated is a provider that holds each stream after three events until released.
type gated struct {
	url     string
	reached chan struct{} // has a token for each stream that is held
	release chan struct{} // closed to let them go on
}

func newGated(t *testing.T) *gated {
	g := &gated{reached: make(chan struct{}, 8), release: make(chan struct{})}
	g.url = provider(t, fakellm.New(fakellm.Config{Gate: func(_ string, n int) {
		if n == 3 {
			g.reached <- struct{}{}
			<-g.release
		}
	}}))
	return g
}

// answer is what a stream in the background came to.
type answer struct {
	id, body string
	err      error
}

func stream(t *testing.T, url string) <-chan answer {
	out := make(chan answer, 1)
	req, err := http.NewRequest("POST", url, strings.NewReader(chatBody("gpt-4o-mini", `,"stream":true`)))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			out <- answer{err: err}
			return
		}
		defer resp.Body.Close()
		var b strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := resp.Body.Read(buf)
			b.Write(buf[:n])
			if err != nil {
				if err.Error() == "EOF" {
					err = nil
				}
				out <- answer{resp.Header.Get("X-Spanwire-Call-Id"), b.String(), err}
				return
			}
		}
	}()
	return out
}

// TestShutdown: SIGTERM lets a stream end, takes no new calls, says so at /readyz,
// and the stream is recorded before the run ends.
func TestShutdown(t *testing.T) {
	g := newGated(t)
	p := start(t, rows(g.url, "openai"))
	if code, _ := p.get(t, "/readyz"); code != 200 {
		t.Errorf("readyz before: %d", code)
	}
	got := stream(t, p.url+chatPath)
	<-g.reached
	p.signals <- syscall.SIGTERM
	eventually(t, "readyz says 503", func() bool { code, _ := p.get(t, "/readyz"); return code == 503 })
	if code, _ := p.get(t, "/healthz"); code != 200 {
		t.Errorf("healthz while draining: %d", code)
	}
	eventually(t, "new connections are refused", func() bool {
		c, err := net.Dial("tcp", p.at.proxy)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(g.release)
	a := <-got
	if a.err != nil || !strings.HasSuffix(a.body, "data: [DONE]\n\n") {
		t.Errorf("the stream was cut: %v, %q", a.err, a.body)
	}
	http.DefaultClient.CloseIdleConnections()
	p.wait(t)
	if c := p.calls.call(t, a.id); c.Ended != llm.EndComplete {
		t.Errorf("ended %q", c.Ended)
	}
}

// TestDrainTimeout: a stream that goes on for too long is cut, and recorded.
func TestDrainTimeout(t *testing.T) {
	g := newGated(t)
	defer close(g.release)
	p := start(t, "drain_timeout: 10ms\n"+rows(g.url, "openai"))
	got := stream(t, p.url+chatPath)
	<-g.reached
	p.signals <- syscall.SIGTERM
	if a := <-got; a.err == nil {
		t.Errorf("the stream ended well: %q", a.body)
	}
	p.wait(t)
	if len(p.calls.calls) != 1 || p.calls.calls[0].Ended == llm.EndComplete {
		t.Errorf("calls %+v", p.calls.calls)
	}
}

func TestSecondSignal(t *testing.T) {
	g := newGated(t)
	defer close(g.release)
	// Nothing is kept: what ends at once leaves files that are still written to.
	p := start(t, "drain_timeout: 1h\nstore: {mode: 'off'}\n"+rows(g.url, "openai"))
	got := stream(t, p.url+chatPath)
	<-g.reached
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for p.ended != nil {
		select {
		case <-again.C:
			select {
			case p.signals <- syscall.SIGINT:
			default:
			}
		case err := <-p.ended:
			if !errors.Is(err, errSignal) {
				t.Errorf("ended with %v", err)
			}
			p.ended = nil
		case <-late:
			t.Fatal("the program did not end")
		}
	}
	<-got
}

// TestSecondSignalIsAnother: what comes with the first signal asks for no more than that.
func TestSecondSignalIsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals, done, ended := make(chan os.Signal, 4), make(chan struct{}), make(chan bool, 1)
		run := func() { ended <- second(signals, done) }
		go run()
		signals <- syscall.SIGTERM // at once, as from timeout(1)
		time.Sleep(sameSignal - 1)
		signals <- syscall.SIGINT
		synctest.Wait()
		time.Sleep(sameSignal)
		signals <- syscall.SIGHUP
		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("an echo of the first signal was taken for a second one")
		default:
		}
		signals <- syscall.SIGTERM
		if !<-ended {
			t.Error("a second signal does not count")
		}
		go run()
		close(done)
		if <-ended {
			t.Error("a signal that nobody sent")
		}
	})
}

// eventually waits for a condition that is about to come true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it never came true that %s", what)
		}
	}
}

// TestReload: providers and teams change while a stream goes on, which ends as it
// began; a broken file changes nothing.
func TestReload(t *testing.T) {
	g := newGated(t)
	second := provider(t, fakellm.New(fakellm.Config{Seen: func(fakellm.Request) {}}))
	file := writeConfig(t, rows(g.url, "openai")+"default_team: before\n")
	p := startFile(t, file)
	got := stream(t, p.url+chatPath)
	<-g.reached

	replace(t, file, rows(second, "openai")+"default_team: after\nadmin: 127.0.0.1:9\n")
	if err := p.reload(t); err != nil {
		t.Fatal(err)
	}
	resp, _, err := send(t, "POST", p.url+chatPath, chatBody("gpt-4o-mini", ""))
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("after the reload: %v", err)
	}
	c := p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id"))
	if c.Attribution.Team != "after" || !strings.HasSuffix(second, ":"+port(c)) {
		t.Errorf("team %q, port %d", c.Attribution.Team, c.ServerPort)
	}

	replace(t, file, "providers: [{name: openai, base_ur: x}]\n")
	if err := p.reload(t); err == nil || !strings.Contains(err.Error(), "base_ur") {
		t.Errorf("a broken file gives %v", err)
	}
	if log := p.err.String(); !strings.Contains(log, "refused") || !strings.Contains(log, "base_ur") {
		t.Errorf("the log does not say why the file was refused:\n%s", log)
	}
	if resp, _, err := send(t, "POST", p.url+chatPath, chatBody("gpt-4o-mini", "")); err != nil || resp.StatusCode != 200 {
		t.Errorf("after a broken file: %v", err)
	}

	close(g.release)
	if a := <-got; a.err != nil || !strings.HasSuffix(a.body, "data: [DONE]\n\n") {
		t.Errorf("the stream was cut: %v, %q", a.err, a.body)
	}
}

// TestReloadFixed: what cannot change while running is named in the log, as long as it is
// not what the program was started with.
func TestReloadFixed(t *testing.T) {
	file := writeConfig(t, "pprof: false\n")
	p := startFile(t, file)
	replace(t, file, "pprof: true\nrecorder: {workers: 3}\n")
	if err := p.reload(t); err != nil {
		t.Fatal(err)
	}
	log := p.err.String()
	for _, want := range []string{"pprof", "recorder.workers", "next start", "nothing that changes while running"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
	for i, text := range []string{"pprof: true\ndefault_team: a\n", "pprof: false\ndefault_team: b\n"} {
		replace(t, file, text)
		if err := p.reload(t); err != nil {
			t.Fatal(err)
		}
		if log := p.err.String(); strings.Count(log, "next start") != 2 || strings.Count(log, "recorder.workers") != 1 {
			t.Errorf("after change %d the log says:\n%s", i, log)
		}
	}
}

func TestHangUpSignalReloads(t *testing.T) {
	p := start(t, "")
	p.signals <- syscall.SIGHUP
	if err := p.reload(t); err != nil {
		t.Error(err)
	}
}

func port(c *llm.Call) string { return big.NewInt(int64(c.ServerPort)).String() }

// replace writes a file as an editor does: a new one, moved over the old.
func replace(t *testing.T, file, text string) {
	t.Helper()
	fresh := file + ".new"
	if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, file); err != nil {
		t.Fatal(err)
	}
}

// certify writes a certificate for 127.0.0.1 and its key, and returns it.
func certify(t *testing.T, cert, key string) *x509.Certificate {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	replace(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestTLS: callers are served with the certificate, and with a new one after a reload.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	first := certify(t, cert, key)
	p := start(t, "tls: {cert: "+cert+", key: "+key+"}\n"+rows(provider(t, fakellm.New(fakellm.Config{})), "openai"))
	call := func(trust *x509.Certificate) error {
		pool := x509.NewCertPool()
		pool.AddCert(trust)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		defer client.CloseIdleConnections()
		resp, err := client.Post("https://"+p.at.proxy+chatPath, "application/json", strings.NewReader(chatBody("gpt-4o", "")))
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := call(first); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.out.String(), "OPENAI_BASE_URL=https://") {
		t.Errorf("greeting %q", p.out.String())
	}
	second := certify(t, cert, key)
	for { // the two files may be seen one by one
		if err := p.reload(t); err == nil && call(second) == nil {
			break
		}
	}
}

func TestAdmin(t *testing.T) {
	p := start(t, "")
	for path, want := range map[string]string{"/": "/metrics", "/healthz": "ok", "/readyz": "ready", "/metrics": "spanwire_proxy_exchanges"} {
		if code, body := p.get(t, path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for _, path := range []string{"/debug/pprof/", "/nothing"} {
		if code, _ := p.get(t, path); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
	p = start(t, "pprof: true\n")
	if code, body := p.get(t, "/debug/pprof/"); code != 200 || !strings.Contains(body, "goroutine") {
		t.Errorf("pprof: %d", code)
	}
}

func TestAdminOff(t *testing.T) {
	p := start(t, "", "--admin", "off")
	if p.at.admin != "" || strings.Contains(p.out.String(), "admin") {
		t.Errorf("admin at %q:\n%s", p.at.admin, p.out.String())
	}
}

func TestAdminOpen(t *testing.T) {
	p := start(t, "", "--admin", "0.0.0.0:0")
	if !strings.Contains(p.err.String(), "no password") {
		t.Errorf("no warning about an open admin address:\n%s", p.err.String())
	}
}

// A page in a browser of this machine reaches loopback under a name of its own.
func TestAdminOnLoopbackAnswersOnlyItsOwnNames(t *testing.T) {
	f := func(admin, host string, want int) {
		t.Helper()
		req, err := http.NewRequest("GET", "http://"+admin+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, _ := io.ReadAll(resp.Body); resp.StatusCode != want || want == 403 && !strings.Contains(string(body), "localhost") {
			t.Errorf("Host %q: %d %.80q", host, resp.StatusCode, body)
		}
	}
	p := start(t, "")
	for _, host := range []string{p.at.admin, "localhost:8081", "LOCALHOST", "a.localhost", "[::1]:8081", "::1", "127.0.0.1"} {
		f(p.at.admin, host, 200)
	}
	for _, host := range []string{"evil.example", "evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost"} {
		f(p.at.admin, host, 403)
	}
	open := start(t, "", "--admin", "0.0.0.0:0")
	_, port, err := net.SplitHostPort(open.at.admin)
	if err != nil {
		t.Fatal(err)
	}
	f("127.0.0.1:"+port, "spanwire.cluster.internal", 200)
}

func TestHealthcheck(t *testing.T) {
	p := start(t, "")
	f := func(admin string, ok bool) {
		t.Helper()
		var out, errOut output
		err := run(context.Background(), []string{"healthcheck", "--admin", admin, "--config", writeConfig(t, "")}, settings{stdout: &out, stderr: &errOut})
		if (err == nil) != ok {
			t.Errorf("healthcheck of %s: %v", admin, err)
		}
	}
	f(p.at.admin, true)
	f("off", false)
	p.stop(t)
	f(p.at.admin, false)
}
