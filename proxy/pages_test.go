package proxy

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// A page of some site must not spend what is configured here; programs, apps, pages of
// this machine, and whoever brings a credential of its own are not asked.
func TestPagesAndConfiguredCredentials(t *testing.T) {
	keyed := func(b *bench, _ *Config, _ *Settings) { b.up.Set = []Field{{"Authorization", "Bearer configured"}} }
	named := func(b *bench, _ *Config, _ *Settings) { b.up.Set = []Field{{"Host", "internal.example"}} }
	allowing := func(list ...string) option {
		return func(_ *bench, conf *Config, _ *Settings) { conf.AllowedOrigins = list }
	}
	f := func(code, fields string, opts ...option) {
		t.Helper()
		b := start(t, answering(hello, nil), opts...)
		if !strings.Contains(fields, "Host: ") {
			fields = "Host: localhost:8080\r\n" + fields
		}
		p := b.dial().send("POST /v1/chat/completions HTTP/1.1\r\n" + fields + "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}")
		r, body, err := p.response("POST")
		if err != nil {
			t.Fatalf("%q: %v", fields, err)
		}
		p.Close() // a refusal waits for the caller to read it
		ex := b.record()
		if code == "" {
			if r.StatusCode != 200 || body != "hello" || ex.OwnError != "" {
				t.Errorf("%q: %d %s", fields, r.StatusCode, body)
			}
			return
		}
		if r.StatusCode != 403 || r.Header.Get("X-Spanwire-Error") != code || r.Header.Get("Access-Control-Allow-Origin") != "" || b.accepted.Load() != 0 {
			t.Errorf("%q: %d %v, %d connections to the provider", fields, r.StatusCode, r.Header, b.accepted.Load())
		}
		if ex.OwnError != code || ex.Provider != "test" || strings.Contains(body+ex.Err, "evil") {
			t.Errorf("%q: recorded as %q of %q; said %q", fields, ex.OwnError, ex.Provider, body)
		}
	}
	const page, host = "origin_not_allowed", "host_not_allowed"
	const evil = "Origin: https://evil.example\r\n"

	// No browser: curl, SDKs, Node (which sends a Sec-Fetch-Mode of its own).
	f("", "", keyed)
	f("", "sec-fetch-mode: cors\r\n", keyed)
	f("", "Host: 127.0.0.1:8080\r\n", keyed)
	f("", "Host: [::1]:8080\r\n", keyed)
	f("", "Host: 192.168.7.9\r\n", keyed)
	f("", "Host: spanwire\r\n", keyed)
	f("", "Host: HOST.docker.internal:8080\r\n", keyed)
	f("", "Host: mine.local.:8080\r\n", keyed)

	// Pages of this machine, and apps with a browser inside.
	for _, origin := range []string{
		"http://localhost:5173", "https://LOCALHOST", "http://app.localhost:1", "http://127.0.0.1:3000", "http://127.8.9.1", "http://[::1]:3000", "http://0.0.0.0:3000",
		"app://obsidian.md", "file://", "tauri://localhost", "http://tauri.localhost", "vscode-webview://0a1b2c", "vscode-file://vscode-app", "capacitor://localhost",
	} {
		f("", "Origin: "+origin+"\r\nSec-Fetch-Site: cross-site\r\n", keyed)
	}

	// Pages of sites.
	for _, origin := range []string{
		"https://evil.example", "http://evil.example:8080", "null", "http://localhost.evil.example", "http://evil-localhost", "http://127.0.0.1.evil.example",
		"http://127.evil", "http://localhost:1@evil.example", "http://evil.example#.localhost", "http://evil.example/.localhost", "http://[::1].evil.example", "http://localhost:evil",
		"http://192.168.1.7", "http://[::2]", "chrome-extension://evil", "localhost", "http://", "://", "https://evil.example http://localhost",
	} {
		f(page, "Origin: "+origin+"\r\n", keyed)
	}
	f(page, evil, signedBy(&stamp{}))
	f(page, "oRIGIN:https://evil.example\r\n", keyed)
	f(page, "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n", keyed)
	f("", "Sec-Fetch-Site: none\r\n", keyed)
	f("", "Sec-Fetch-Site: same-site\r\n", keyed)
	// A name of its own that resolves to here, with an Origin and without.
	f(page, "Host: evil.example:8080\r\nOrigin: http://evil.example:8080\r\n", keyed)
	f(host, "Host: evil.example:8080\r\n", keyed)
	f(host, "Host: localhost.evil.example\r\n", keyed)
	f(host, "Host: evil.example.\r\nOrigin: http://localhost\r\n", keyed)

	// The caller's own credential is its own affair, as it is at the provider.
	f("", evil+"Authorization: Bearer mine\r\n")
	f("", evil+"Authorization: Bearer mine\r\n", named)
	f("", "Host: evil.example\r\n")

	// What the owner allows.
	f("", "Origin: https://chat.example.com\r\n", keyed, allowing("https://chat.example.com"))
	f("", "Host: llm.example.com\r\nOrigin: https://LLM.example.com\r\n", keyed, allowing("https://llm.example.com:*", "https://llm.example.com"))
	f("", "Host: llm.example.com:8080\r\n", keyed, allowing("https://*.example.com"))
	f("", "Origin: https://a.b.example.com\r\n", keyed, allowing("http://x", "https://*.example.com"))
	f("", "Origin: chrome-extension://abc\r\n", keyed, allowing("chrome-extension://*"))
	f("", "Origin: null\r\n", keyed, allowing("null"))
	f("", "Host: evil.example\r\n"+evil, keyed, allowing("*"))
	f("", "Host: evil.example\r\nSec-Fetch-Site: cross-site\r\n", keyed, allowing("*"))
	f(page, "Origin: http://chat.example.com\r\n", keyed, allowing("https://chat.example.com"))
	f(page, "Origin: https://chat.example.com:444\r\n", keyed, allowing("https://chat.example.com"))
	f(page, "Origin: https://evilexample.com\r\n", keyed, allowing("https://*.example.com"))
	f(host, "Host: evil.example\r\n", keyed, allowing("https://llm.example.com", "chrome-extension://*", "null"))
}

// A listener that others reach has names of which we know nothing; pages are looked
// at there as well.
func TestHostIsAskedOnLoopbackOnly(t *testing.T) {
	b := start(t, answering(hello, nil), func(b *bench, _ *Config, _ *Settings) { b.up.Set = []Field{{"X-Api-Key", "configured"}} })
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.srv.Serve(ln) }()
	t.Cleanup(func() { ln.Close(); <-served })
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b.addr = net.JoinHostPort("127.0.0.1", port)
	b.dial().send("GET / HTTP/1.1\r\nHost: llm.example.com\r\n\r\n").expect(hello)
	r, _, err := b.dial().send("GET / HTTP/1.1\r\nHost: llm.example.com\r\nOrigin: https://llm.example.com\r\n\r\n").response("GET")
	if err != nil || r.StatusCode != 403 {
		t.Errorf("%v %v", r, err)
	}
}

func TestAllowedOriginsAreChecked(t *testing.T) {
	f := func(ok bool, origin string) {
		t.Helper()
		conf := DefaultConfig()
		conf.AllowedOrigins = []string{"https://fine.example", origin}
		if err := conf.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", origin, err)
		}
	}
	for _, origin := range []string{"*", "null", "https://a.example", "http://10.0.0.5:3000", "https://*.a.example", "http://a.example:*", "chrome-extension://*", "http://[fd00::1]:80"} {
		f(true, origin)
	}
	for _, origin := range []string{"", "a.example", "https://", "https://a.example/", "https://a.example/path", "https://*.*", "*://a", "https://a b", "https://me@a", "https://a,https://b"} {
		f(false, origin)
	}
}

// Whatever an origin is, it is taken for this machine's only where a URL reader finds
// this machine in it too.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"http://localhost:3000", "https://[::1]", "http://127.0.0.1:", "http://a.localhost.", "null", "http://localhost@evil", "http://127.1", "HTTP://x"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, origin, host string) {
		_ = hostAllowed([]byte(host), []string{origin})
		scheme, _, _ := strings.Cut(strings.ToLower(origin), "://")
		if !originAllowed([]byte(origin), nil) || scheme != "http" && scheme != "https" {
			return
		}
		u, err := url.Parse(origin)
		if err != nil {
			t.Fatalf("%q is allowed and no URL: %v", origin, err)
		}
		name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
		if name == "localhost" || strings.HasSuffix(name, ".localhost") || strings.HasPrefix(name, "127.") && strings.Trim(name, "0123456789.") == "" {
			return // 127.1 is 127.0.0.1 to a browser
		}
		if a, err := netip.ParseAddr(name); err != nil || !a.IsLoopback() && !a.IsUnspecified() {
			t.Fatalf("%q is allowed, and its host is %q", origin, name)
		}
	})
}
