package proxy

import (
	"crypto/tls"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// said is a log that can be read while it is written to.
type said struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) count(words string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.b.String(), words)
}

// A caller that speaks HTTP to an address with TLS is told so, in HTTP. What is neither
// gets nothing.
func TestPlainCallerOfTLS(t *testing.T) {
	cert, pool := certificate(t)
	b := start(t, answering(hello, nil), secure(cert, pool))
	for _, request := range []string{get("/"), post("/v1/x", strings.Repeat("x", 100<<10)), "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"} {
		r, body, err := b.dial().send(request).response("GET")
		if err != nil || r.StatusCode != 400 || !strings.Contains(body, "https://") || r.Header.Get("X-Spanwire-Error") != "bad_request" {
			t.Errorf("%.20q: %v %q %v", request, r, body, err)
		}
	}
	if rest, _ := b.dial().send("\x05\x01\x00\x00\x00\x00").end(); strings.HasPrefix(rest, "HTTP") {
		t.Errorf("who does not speak HTTP was told %q", rest)
	}
}

// A caller that speaks TLS, or HTTP/2, cannot read what it is told: whoever runs the
// proxy is told once.
func TestHints(t *testing.T) {
	log := &said{}
	b := start(t, answering(hello, nil), func(_ *bench, _ *Config, set *Settings) { set.Log = slog.New(slog.NewTextHandler(log, nil)) })
	for range 2 {
		if err := tls.Client(b.dial().Conn, &tls.Config{ServerName: "localhost"}).Handshake(); err == nil {
			t.Error("a handshake without TLS")
		}
		if r, _, err := b.dial().send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").response("GET"); err != nil || r.StatusCode != 505 {
			t.Errorf("HTTP/2: %v, %v", r, err)
		}
		if r, _, err := b.dial().send("GET / HTTP/3.0\r\nHost: a\r\n\r\n").response("GET"); err != nil || r.StatusCode != 505 {
			t.Errorf("HTTP/3: %v, %v", r, err)
		}
	}
	for _, words := range []string{"http://", "HTTP/2, which", "level=WARN"} {
		if n := log.count(words); n != 1+strings.Count(words, "level") {
			t.Errorf("the log says %q %d times:\n%s", words, n, log.b.String())
		}
	}
}

// Why a provider cannot be reached is said in full where its caller does not see it, and
// not once for every call.
func TestUnreachedIsLogged(t *testing.T) {
	log := &said{}
	b := start(t, answering(hello, nil), func(b *bench, _ *Config, set *Settings) {
		b.up.Port = 1 // nobody listens there
		set.Log = slog.New(slog.NewTextHandler(log, nil))
	})
	for range 3 {
		r, body, err := b.dial().send(post("/", "s3cr3t")).response("POST")
		if err != nil || r.StatusCode != 502 || strings.Contains(body, "127.0.0.1") {
			t.Errorf("%v %q %v", r, body, err)
		}
		b.record()
	}
	if log.count("provider=test") != 1 || log.count("127.0.0.1:1:") == 0 || log.count("s3cr3t") != 0 {
		t.Errorf("the log says:\n%s", log.b.String())
	}
}
