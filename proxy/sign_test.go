package proxy

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

// stamp is a signer whose signature can be read: what it was shown of a request.
type stamp struct {
	fail    error
	asked   chan string // one token for each request that it was asked to sign
	hold    bool        // waits for the end of its context
	refused chan llm.Header
}

func (s *stamp) Sign(ctx context.Context, method, target string, fields llm.Header, body [sha256.Size]byte) (llm.Header, error) {
	if s.asked != nil {
		s.asked <- string(fields)
	}
	if s.hold {
		<-ctx.Done()
		return nil, errors.New("nothing came")
	}
	if s.fail != nil {
		return nil, s.fail
	}
	return fmt.Appendf(nil, "Authorization: %s %s %x %d\r\n", method, target, body[:8], len(fields)), nil
}

func (s *stamp) Refused(h llm.Header) {
	if s.refused != nil {
		s.refused <- h
	}
}

const signedBound = 64 << 10

func signedBy(s *stamp) option {
	return func(b *bench, conf *Config, _ *Settings) {
		b.up.Signer, b.up.SignedBytes = s, signedBound
		b.up.Drop = []string{"authorization", "x-amz-date"}
		b.up.Set = []Field{{"X-Set", "1"}}
	}
}

// went is the request as it has to go out: the fields, then the signature over them.
func (b *bench) went(start, fields, body string) string {
	method, rest, _ := strings.Cut(start, " ")
	sum := sha256.Sum256([]byte(body))
	return fmt.Sprintf("%s HTTP/1.1\r\n%sAuthorization: %s %s %x %d\r\n\r\n%s", start, fields, method, rest, sum[:8], len(fields), body)
}

func TestSignedRequests(t *testing.T) {
	got := make(chan string, 10)
	b := start(t, answering(hello, got), signedBy(&stamp{}))
	host := fmt.Sprintf("Host: 127.0.0.1:%d\r\n", b.up.Port)
	big := strings.Repeat("0123456789abcdef", signedBound/16)
	f := func(name, request, want string) {
		t.Run(name, func(t *testing.T) {
			p := b.dial().send(request)
			p.expect(hello)
			if g := wait(t, got, "the request"); g != want {
				t.Errorf("%.300q went out, want %.300q", g, want)
			}
			ex := b.record()
			if ex.Ended != llm.EndComplete || strings.Contains(string(ex.RequestHeader), fmt.Sprintf("Authorization: %s /", ex.Method)) {
				t.Errorf("recorded %+v", ex)
			}
			p.send(get("/next")).expect(hello) // nothing is left over
			<-got
			b.record()
		})
	}
	f("none", get("/a?b=%2F"), b.went("GET /a?b=%2F", host+"X-Set: 1\r\n", ""))
	f("length", "POST /model/a%3A0/x HTTP/1.1\r\nA: 1\r\nhost: proxy\r\nX-AMZ-Date: old\r\nx-amz-meta: kept\r\nauthorization: AWS4-HMAC-SHA256 old\r\nContent-Length: 2\r\nB: 2\r\n\r\n{}",
		b.went("POST /model/a%3A0/x", "A: 1\r\n"+strings.ToLower(host[:4])+host[4:]+"x-amz-meta: kept\r\nContent-Length: 2\r\nB: 2\r\nX-Set: 1\r\n", "{}"))
	f("large", post("/", big), b.went("POST /", host+fmt.Sprintf("Content-Length: %d\r\nX-Set: 1\r\n", len(big)), big))
	const chunked = "POST / HTTP/1.1\r\nHost: proxy\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\nA: 1\r\n\r\n"
	// The chunks are taken off: the length is known, and AWS likes to know it.
	f("chunked", chunked+"2;ext\r\n{}\r\n3\r\nabc\r\n0\r\n\r\n", b.went("POST /", host+"Content-Length: 5\r\nA: 1\r\nX-Set: 1\r\n", "{}abc"))
	f("trailers", chunked+"1\r\nx\r\n0\r\nX-T: 1\r\n\r\n", b.went("POST /", host+"Content-Length: 1\r\nA: 1\r\nX-Set: 1\r\n", "x"))
	f("empty chunked", chunked+"0\r\n\r\n", b.went("POST /", host+"Content-Length: 0\r\nA: 1\r\nX-Set: 1\r\n", ""))
	f("large chunked", chunked+fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(big), big), b.went("POST /", host+fmt.Sprintf("Content-Length: %d\r\nA: 1\r\nX-Set: 1\r\n", len(big)), big))
}

// A body that comes in pieces is waited for: nothing goes out before all is there.
func TestSignedBodyInPieces(t *testing.T) {
	for name, pieces := range map[string][]string{
		"length":  {"POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 4\r\n\r\n", "a", "bc", "d"},
		"chunked": {"POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r", "\nab\r\n2\r\nc", "d\r\n0\r\n\r", "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 1)
			b := start(t, answering(hello, got), signedBy(&stamp{}))
			p := b.dial()
			for _, s := range pieces {
				if len(got) != 0 || b.accepted.Load() != 0 {
					t.Error("something went out before the body was whole")
				}
				p.send(s)
			}
			p.expect(hello)
			want := b.went("POST /", fmt.Sprintf("Host: 127.0.0.1:%d\r\nContent-Length: 4\r\nX-Set: 1\r\n", b.up.Port), "abcd")
			if g := <-got; g != want {
				t.Errorf("%q went out, want %q", g, want)
			}
			if ex := b.record(); string(ex.Request.Data) != "abcd" {
				t.Errorf("recorded %q", ex.Request.Data)
			}
		})
	}
}

func TestSignedBodyPastItsBound(t *testing.T) {
	asked := make(chan string, 1)
	b := start(t, answering(hello, nil), signedBy(&stamp{asked: asked}))
	big := strings.Repeat("x", signedBound+1)
	for name, request := range map[string]string{
		"length":        post("/", big),
		"expect":        fmt.Sprintf("POST / HTTP/1.1\r\nHost: p\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(big)),
		"chunked":       fmt.Sprintf("POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(big), big),
		"chunked, late": "POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1000\r\n"+strings.Repeat("y", 4096)+"\r\n", 17),
	} {
		p := b.dial().send(request)
		r, _, err := p.response("POST")
		p.Close() // the proxy need not wait for more of it
		if err != nil || r.StatusCode != 413 || r.Header.Get("X-Spanwire-Error") != "request_too_large" {
			t.Errorf("%s: %v %v", name, r, err)
		}
		if ex := b.record(); ex.OwnError != "request_too_large" {
			t.Errorf("%s: recorded %+v", name, ex)
		}
	}
	if len(asked) != 0 || b.accepted.Load() != 0 {
		t.Error("something was signed or sent")
	}
}

// What is kept for the record has its own bound, whatever was read to sign it.
func TestSignedBodyIsKeptWithinBounds(t *testing.T) {
	b := start(t, answering(hello, nil), signedBy(&stamp{}), func(_ *bench, c *Config, _ *Settings) { c.CaptureRequestBytes = 10 })
	body := strings.Repeat("0123456789", 3000)
	for _, request := range []string{post("/", body), fmt.Sprintf("POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)} {
		b.dial().send(request).expect(hello)
		ex := b.record()
		if r := ex.Request; string(r.Data) != body || r.Size != int64(len(body)) || r.Truncated {
			t.Errorf("kept %d of %d bytes, truncated: %v", len(r.Data), r.Size, r.Truncated)
		}
	}
	body = strings.Repeat("0123456789", 6553)
	b2 := start(t, answering(hello, nil), signedBy(&stamp{}), func(_ *bench, c *Config, _ *Settings) { c.CaptureRequestBytes = 0 })
	b2.up.SignedBytes = 1 << 20
	large := strings.Repeat(body, 2)
	b2.dial().send(post("/", large)).expect(hello)
	if r := b2.record().Request; len(r.Data) != tailBytes || !r.Truncated || !strings.HasSuffix(large, string(r.Data)) {
		t.Errorf("kept %d of %d bytes, truncated: %v", len(r.Data), r.Size, r.Truncated)
	}
}

func TestNoSignature(t *testing.T) {
	s := &stamp{fail: errors.New("there are no credentials")}
	b := start(t, answering(hello, nil), signedBy(s), func(b *bench, _ *Config, _ *Settings) { b.up.Dialect = dialect{} })
	p := b.dial()
	for _, request := range []string{post("/", "{}"), get("/"), "POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"} {
		r, body, err := p.send(request).response("POST")
		if err != nil || r.StatusCode != 502 || r.Header.Get("X-Spanwire-Error") != "upstream_credentials" ||
			body != "dialect: cannot sign the request for provider test: there are no credentials" {
			t.Errorf("%v %q %v", r, body, err)
		}
		if ex := b.record(); ex.OwnError != "upstream_credentials" || ex.Status != 502 {
			t.Errorf("recorded %+v", ex)
		}
	}
	if b.accepted.Load() != 0 {
		t.Error("something was sent unsigned")
	}
}

func TestCallerGoesAwayWhileSigning(t *testing.T) {
	eachWatcher(t, func(t *testing.T) {
		s := &stamp{hold: true, asked: make(chan string, 1)}
		b := start(t, answering(hello, nil), signedBy(s))
		p := b.dial().send(post("/", "{}"))
		wait(t, s.asked, "the signer")
		p.Close()
		if ex := b.record(); ex.Ended != llm.EndClientGone || ex.Status != 0 {
			t.Errorf("recorded %+v", ex)
		}
	})
}

func TestCallerGoesAwayBeforeItsSignedBody(t *testing.T) {
	b := start(t, answering(hello, nil), signedBy(&stamp{}))
	for _, head := range []string{"Content-Length: 5\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"} {
		p := b.dial().send("POST / HTTP/1.1\r\nHost: p\r\n" + head)
		p.Close()
		if ex := b.record(); ex.Ended != llm.EndClientGone {
			t.Errorf("recorded %+v", ex)
		}
	}
	p := b.dial().send("POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdeX")
	if r, _, err := p.response("POST"); err != nil || r.StatusCode != 400 {
		t.Errorf("malformed chunks: %v %v", r, err)
	}
	b.record()
}

// The same signed bytes go out again when an idle connection turns out to be dead.
func TestSignedOnceForAllAttempts(t *testing.T) {
	s := &stamp{asked: make(chan string, 10)}
	first := make(chan struct{}, 1)
	first <- struct{}{}
	got := make(chan string, 10)
	b := start(t, func(c net.Conn) {
		br := newReader(c)
		select {
		case <-first: // answers once, then dies at the next request
			if _, _, err := message(br); err == nil {
				io.WriteString(c, hello)
				head, body, _ := message(br)
				got <- head + body
				_ = c.(*net.TCPConn).SetLinger(0)
			}
		default:
			answering(hello, got)(c)
		}
	}, signedBy(s))
	p := b.dial().send(get("/first"))
	p.expect(hello)
	b.record()
	p.send("POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n").expect(hello)
	if ex := b.record(); ex.Retries != 1 {
		t.Errorf("%d retries", ex.Retries)
	}
	one, two := <-got, <-got
	if one != two || len(s.asked) != 2 {
		t.Errorf("signed %d times; %q, then %q", len(s.asked), one, two)
	}
}

func TestSignerHearsOfRefusals(t *testing.T) {
	s := &stamp{refused: make(chan llm.Header, 1)}
	answers := make(chan string, 3)
	b := start(t, func(c net.Conn) {
		br := newReader(c)
		for a := range answers {
			if _, _, err := message(br); err != nil {
				return
			}
			io.WriteString(c, a)
		}
	}, signedBy(s))
	p := b.dial()
	for _, status := range []string{"401", "403"} {
		a := "HTTP/1.1 " + status + " X\r\nDate: d\r\nContent-Length: 0\r\n\r\n"
		answers <- a
		p.send(get("/")).expect(a)
		if h := wait(t, s.refused, "the signer"); h.Get("date") != "d" {
			t.Errorf("%s: told of %q", status, h)
		}
		b.record()
	}
	answers <- hello
	p.send(get("/")).expect(hello)
	close(answers)
	if len(s.refused) != 0 {
		t.Error("told of an answer that refused nothing")
	}
	b.record()
}

// An edit of the body is part of what is signed.
func TestSignedAfterEdit(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, answering(hello, got), editing, signedBy(&stamp{}))
	b.dial().send(post("/", "{}")).expect(hello)
	want := b.went("POST /", fmt.Sprintf("Host: 127.0.0.1:%d\r\nContent-Length: 6\r\nX-Set: 1\r\n", b.up.Port), "{+ask}")
	if g := <-got; g != want {
		t.Errorf("%q went out, want %q", g, want)
	}
	if ex := b.record(); string(ex.Request.Data) != "{}" {
		t.Errorf("recorded %q", ex.Request.Data)
	}
}

func TestSignedForCallerOfHTTP10(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, answering("HTTP/1.1 200 OK\r\n\r\nx", got), signedBy(&stamp{}))
	b.dial().send("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
	if g := wait(t, got, "the request"); !strings.HasPrefix(g, "POST / HTTP/1.0\r\n") || !strings.HasSuffix(g, "\r\n\r\n{}") {
		t.Errorf("%q went out", g)
	}
}
