package proxy

import (
	"encoding/json"

	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

// Heads that two readers could take for two different requests never go on.
func TestAmbiguousRequests(t *testing.T) {
	const base = "POST / HTTP/1.1\r\nHost: p\r\n"
	for name, request := range map[string]string{
		"length and chunked":            base + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked and length":            base + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"two lengths":                   base + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"the same length twice":         base + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"a list of lengths":             base + "Content-Length: 5, 5\r\n\r\nhello",
		"a signed length":               base + "Content-Length: +5\r\n\r\nhello",
		"a negative length":             base + "Content-Length: -5\r\n\r\nhello",
		"a hexadecimal length":          base + "Content-Length: 0x5\r\n\r\nhello",
		"an empty length":               base + "Content-Length:\r\n\r\n",
		"a huge length":                 base + "Content-Length: 99999999999999999999\r\n\r\n",
		"an unknown coding":             base + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"two codings":                   base + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunked twice":                 base + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"identity":                      base + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx",
		"chunked in HTTP/1.0":           "POST / HTTP/1.0\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a blank before the colon":      base + "Content-Length : 5\r\n\r\nhello",
		"a tab before the colon":        base + "Content-Length\t: 5\r\n\r\nhello",
		"a folded line":                 base + "X: a\r\n b\r\n\r\n",
		"a folded first line":           "GET / HTTP/1.1\r\n X: a\r\nHost: p\r\n\r\n",
		"a bare CR":                     base + "X: a\rContent-Length: 5\r\n\r\nhello",
		"a NUL":                         base + "X: a\x00b\r\n\r\n",
		"a control character":           base + "X: a\x01b\r\n\r\n",
		"bare LF":                       "GET / HTTP/1.1\nHost: p\n\n",
		"one bare LF":                   "GET / HTTP/1.1\r\nHost: p\nX: y\r\n\r\n",
		"an empty name":                 base + ": x\r\n\r\n",
		"no colon":                      base + "nonsense\r\n\r\n",
		"a bad name":                    base + "X(y): 1\r\n\r\n",
		"no Host":                       "GET / HTTP/1.1\r\n\r\n",
		"two Hosts":                     "GET / HTTP/1.1\r\nHost: p\r\nHost: q\r\n\r\n",
		"three words too many":          "GET / / / HTTP/1.1\r\nHost: p\r\n\r\n",
		"no version":                    "GET /\r\nHost: p\r\n\r\n",
		"a bad method":                  "G(T / HTTP/1.1\r\nHost: p\r\n\r\n",
		"a control in the target":       "GET /\x7f HTTP/1.1\r\nHost: p\r\n\r\n",
		"a chunk size that is no size":  base + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		"a signed chunk size":           base + "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
		"a chunk size with bare LF":     base + "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
		"a chunk too long for its size": base + "Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
		"a chunk size beyond reason":    base + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
		"an absolute target":            "GET http://elsewhere/ HTTP/1.1\r\nHost: p\r\n\r\n",
		"a target without a slash":      "GET * HTTP/1.1\r\nHost: p\r\n\r\n",
		"the target of CONNECT":         "CONNECT elsewhere:443 HTTP/1.1\r\nHost: p\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, answering(hello, nil))
			r, body, err := b.dial().send(request).response("POST")
			if err != nil || r.StatusCode != 400 || r.Header.Get("X-Spanwire-Error") != "bad_request" || !r.Close && !strings.Contains(name, "target") {
				t.Fatalf("%v %q %v", r, body, err)
			}
			if n := b.accepted.Load(); n != 0 {
				t.Error("it reached the upstream")
			}
			var shape struct {
				Error struct{ Message, Type, Code string }
			}
			if err := json.Unmarshal([]byte(body), &shape); err != nil || shape.Error.Message == "" || shape.Error.Code != "bad_request" {
				t.Errorf("body %q: %v", body, err)
			}
		})
	}
}

// What is wrong with a head is said without a word of it: it holds credentials.
func TestRefusalsQuoteNothing(t *testing.T) {
	const fields = "Host: p\r\nAuthorization: Bearer opensesame\r\nX-Api-Key: opensesame\r\n"
	for _, head := range []string{
		"GET opensesame HTTP/1.1\r\n" + fields, "GET ?opensesame HTTP/1.1\r\n" + fields, "GET \\opensesame HTTP/1.1\r\n" + fields,
		"GET http://opensesame/ HTTP/1.1\r\n" + fields, "GET /\x7f HTTP/1.1\r\n" + fields, "GET / HTTP/1.1\r\nHost:\r\nCookie: opensesame\r\n",
		"GET / HTTP/1.1\r\nHost: p\r\nHost: opensesame\r\n", "GET / HTTP/1.1\r\n" + fields + "Cookie : opensesame\r\n",
		"POST / HTTP/1.1\r\n" + fields + "Content-Length: opensesame\r\n", "POST / HTTP/1.1\r\n" + fields + "Transfer-Encoding: opensesame\r\n",
	} {
		b := start(t, answering(hello, nil))
		r, body, err := b.dial().send(head + "\r\n").response("GET")
		if err != nil || r.StatusCode != 400 || strings.Contains(body, "opensesame") {
			t.Errorf("%q: %v %q %v", head, r, body, err)
		}
		if n := b.accepted.Load(); n != 0 {
			t.Errorf("%q reached the upstream", head)
		}
	}
}

// An answer to TRACE is the request: it would hand out the configured key.
func TestTraceIsRefusedWhereAKeyIsConfigured(t *testing.T) {
	keyed := func(b *bench, _ *Config, _ *Settings) { b.up.Set = []Field{{"Authorization", "Bearer configured"}} }
	for _, opts := range [][]option{{keyed}, {signedBy(&stamp{})}} {
		for _, method := range []string{"TRACE", "trace"} {
			b := start(t, answering(hello, nil), opts...)
			r, _, err := b.dial().send(method + " / HTTP/1.1\r\nHost: p\r\n\r\n").response("GET")
			if err != nil || r.StatusCode != 403 || r.Header.Get("X-Spanwire-Error") != "forbidden" || b.accepted.Load() != 0 {
				t.Errorf("%s: %v %v", method, r, err)
			}
		}
	}
	b := start(t, answering(hello, nil))
	b.dial().send("TRACE / HTTP/1.1\r\nHost: p\r\n\r\n").expect(hello)
}

func TestLimits(t *testing.T) {
	f := func(request string, status int, code string, opts ...option) {
		t.Helper()
		b := start(t, answering(hello, nil), opts...)
		r, _, err := b.dial().send(request).response("POST")
		if err != nil || r.StatusCode != status || r.Header.Get("X-Spanwire-Error") != code {
			t.Errorf("%.40q: %v %v", request, r, err)
		}
	}
	f("GET / HTTP/1.1\r\nHost: p\r\nX: "+strings.Repeat("y", 70<<10)+"\r\n\r\n", 431, "request_head_too_large")
	f("GET / HTTP/1.1\r\nHost: p\r\nX: "+strings.Repeat("y", 50<<10)+"\r\n\r\n", 200, "")
	f("GET / HTTP/2.0\r\nHost: p\r\n\r\n", 505, "http_version")
	f("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http_version")
	small := func(_ *bench, conf *Config, _ *Settings) { conf.MaxRequestBytes = 10 }
	f(post("/", "01234567890"), 413, "request_too_large", small)
	f(post("/", "0123456789"), 200, "", small)
	f("POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n", 413, "request_too_large", small)
	one := func(_ *bench, conf *Config, _ *Settings) { conf.MaxConnections = 1 }
	b := start(t, answering(hello, nil), one)
	p := b.dial().send(get("/"))
	p.expect(hello)
	if r, _, err := b.dial().send(get("/")).response("GET"); err != nil || r.StatusCode != 503 {
		t.Errorf("second connection: %v %v", r, err)
	}
	p.send(get("/")).expect(hello)
}

func TestOwnErrorsAreRecorded(t *testing.T) {
	b := start(t, nil, func(b *bench, _ *Config, set *Settings) {
		b.upLn.Close()
		b.up.Dialect = dialect{}
	}, func(_ *bench, conf *Config, _ *Settings) { conf.CallIDHeader = true })
	p := b.dial()
	f := func(request string, status int, code, body string, provider string) {
		t.Helper()
		r, got, err := p.send(request).response("POST")
		if err != nil || r.StatusCode != status || r.Header.Get("X-Spanwire-Error") != code || !strings.Contains(got, body) {
			t.Errorf("%q: %v %q %v", request, r, got, err)
		}
		ex := b.record()
		if ex.OwnError != code || ex.Status != status || ex.Provider != provider || ex.ID != r.Header.Get("X-Spanwire-Call-Id") || ex.Err == "" {
			t.Errorf("recorded %+v", ex)
		}
	}
	// The connection goes on after them, for nothing was left unread.
	f(post("/v1/x", "{}"), 502, "upstream_unreachable", "dialect: cannot reach provider test", "test")
	f(get("/nowhere/x"), 404, "no_route", "no provider is called", "")
}

func TestCredentialsAndDirectives(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, answering(hello, got), func(b *bench, _ *Config, set *Settings) {
		b.up.Set = []Field{{"Authorization", "Bearer configured"}, {"X-Extra", "1"}}
		b.up.Drop = []string{"x-api-key"}
		set.Directive = func(name []byte) bool { return strings.HasPrefix(strings.ToLower(string(name)), "x-spanwire-") }
	})
	p := b.dial()
	p.send("GET / HTTP/1.1\r\nauthorization: Bearer mine\r\nX-API-Key: mine\r\nX-Spanwire-Team: red\r\nX-Other: 2\r\nHost: p\r\n\r\n").expect(hello)
	want := "GET / HTTP/1.1\r\nX-Other: 2\r\nHost: " + b.upLn.Addr().String() + "\r\nAuthorization: Bearer configured\r\nX-Extra: 1\r\n\r\n"
	if g := <-got; g != want {
		t.Errorf("upstream got %q", g)
	}
	ex := b.record()
	if ex.RequestHeader.Get("authorization") != "Bearer mine" || ex.RequestHeader.Get("x-spanwire-team") != "red" {
		t.Errorf("the record has %q", ex.RequestHeader)
	}
	conf := DefaultConfig()
	conf.StripDirectives, conf.CallIDHeader = false, false
	if err := b.srv.Reconfigure(conf); err != nil {
		t.Fatal(err)
	}
	p.send("GET / HTTP/1.1\r\nX-Spanwire-Team: red\r\nHost: p\r\n\r\n").expect(hello)
	if g := <-got; !strings.Contains(g, "X-Spanwire-Team: red\r\n") {
		t.Errorf("upstream got %q", g)
	}
}

func TestCallIDHeader(t *testing.T) {
	b := start(t, answering(hello, nil), func(_ *bench, conf *Config, _ *Settings) { conf.CallIDHeader = true })
	r, _, err := b.dial().send(get("/")).response("GET")
	if id := r.Header.Get("X-Spanwire-Call-Id"); err != nil || len(id) != 36 || id[14] != '7' || id != b.record().ID {
		t.Errorf("id %q, %v", id, err)
	}
}

// dialect is a wire format for tests.
type dialect struct {
	observe func(*llm.Exchange) llm.Observer
	edit    func(body string) (at int, insert string, cut Filter)
}

func (d dialect) Observe(ex *llm.Exchange) llm.Observer {
	if d.observe == nil {
		return nil
	}
	return d.observe(ex)
}

func (d dialect) Error(_ int, _, message string) []byte { return []byte("dialect: " + message) }

func (d dialect) WantsBody(string, string) bool { return d.edit != nil }

func (d dialect) Edit(_, _ string, body []byte) (int, string, Filter) { return d.edit(string(body)) }
