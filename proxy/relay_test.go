package proxy

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

func TestRequestGoesOnAsItCame(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, answering(hello, got))
	f := func(sent, want string) {
		t.Helper()
		p := b.dial().send(sent)
		p.expect(hello)
		want = strings.ReplaceAll(want, "UP", b.upLn.Addr().String())
		if g := wait(t, got, "upstream"); g != want {
			t.Errorf("upstream got\n%q\nwant\n%q", g, want)
		}
		if ex := b.record(); ex.Ended != llm.EndComplete || ex.Status != 200 || ex.Response.Size != 5 {
			t.Errorf("recorded %v %d %d bytes, %s", ex.Ended, ex.Status, ex.Response.Size, ex.Err)
		}
	}
	// Names keep their case and order, repeats stay apart, odd values stay odd.
	f("POST /v1/x?b=2&a=%2F%7e&&c HTTP/1.1\r\nX-b: 2\r\nHOST: proxy\r\nx-A:1\r\nX-b:  3 \r\nContent-Length: 2\r\nEmpty:\r\nCookie: a=1; b=\"2\"\r\n\r\nhi",
		"POST /v1/x?b=2&a=%2F%7e&&c HTTP/1.1\r\nX-b: 2\r\nHOST: UP\r\nx-A:1\r\nX-b:  3 \r\nContent-Length: 2\r\nEmpty:\r\nCookie: a=1; b=\"2\"\r\n\r\nhi")
	// What belongs to one connection stays there, and so does what Connection lists, but never framing.
	f("POST / HTTP/1.1\r\nHost: proxy\r\nConnection: keep-alive, X-Mine, Content-Length, host\r\nKeep-Alive: timeout=5\r\nX-Mine: 1\r\nTE: trailers\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nUpgrade: h2c\r\nContent-Length: 1\r\nX-Yours: 2\r\n\r\nx",
		"POST / HTTP/1.1\r\nHost: UP\r\nContent-Length: 1\r\nX-Yours: 2\r\n\r\nx")
	// An offer of another protocol ends here, unless it is a WebSocket.
	f("GET / HTTP/1.1\r\nHost: proxy\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n", "GET / HTTP/1.1\r\nHost: UP\r\n\r\n")
	// Chunked framing passes with its extensions and trailers.
	chunked := "POST /c HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;name=\"v\"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"
	f(chunked, strings.Replace(chunked, "Host: p\r", "Host: UP\r", 1))
	// Blank lines before a request are passed over; a path prefix goes where the route says.
	f("\r\n\r\n"+"GET /prefix/y HTTP/1.1\r\nHost: p\r\n\r\n", "GET /y HTTP/1.1\r\nHost: UP\r\n\r\n")
	// Bytes that are not ASCII.
	f("GET /\xc3\xa9 HTTP/1.1\r\nHost: p\r\nX-Title: caf\xc3\xa9\r\n\r\n", "GET /\xc3\xa9 HTTP/1.1\r\nHost: UP\r\nX-Title: caf\xc3\xa9\r\n\r\n")
}

func TestResponseGoesOnAsItCame(t *testing.T) {
	f := func(method, sent, want string, kept bool) {
		t.Helper()
		b := start(t, answering(sent, nil))
		p := b.dial().send(method + " / HTTP/1.1\r\nHost: p\r\n\r\n")
		p.expect(want)
		b.record()
		if !kept {
			if rest, err := p.end(); rest != "" || err != nil {
				t.Errorf("after the answer: %q, %v", rest, err)
			}
			return
		}
		p.send(method + " /2 HTTP/1.1\r\nHost: p\r\n\r\n").expect(want)
		b.record()
	}
	same := func(method, s string) { t.Helper(); f(method, s, s, true) }

	same("GET", "HTTP/1.1 200 All is well, \xe4\xf6\r\ndate: yesterday\r\nX-a: 1\r\nx-A: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nCONTENT-LENGTH: 2\r\n\r\nhi")
	same("GET", "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n")
	same("GET", "HTTP/1.1 204\r\n\r\n")
	same("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\nETag: x\r\n\r\n")
	same("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
	same("OPTIONS", "HTTP/1.1 200 OK\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n")
	// Interim answers pass; trailers and extensions pass.
	same("GET", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n000\r\nX-T: 1\r\nX-U: 2\r\n\r\n")
	// A 100 that nobody waits for does not.
	f("GET", "HTTP/1.1 100 Continue\r\n\r\n"+hello, hello, true)
	// The upstream's wish to close is its own affair, as is its version.
	f("GET", "HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 3\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true)
	f("GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true)
}

func TestAnswerThatEndsWithItsConnection(t *testing.T) {
	b := start(t, func(c net.Conn) {
		if _, _, err := message(newReader(c)); err == nil {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX: y\r\n\r\nall of it")
		}
	})
	p := b.dial().send(get("/"))
	p.expect("HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\nall of it")
	if rest, err := p.end(); rest != "" || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
	if ex := b.record(); ex.Ended != llm.EndComplete || ex.Response.Size != 9 {
		t.Errorf("recorded %v, %d bytes", ex.Ended, ex.Response.Size)
	}
}

func TestEachPieceComesWhenItCame(t *testing.T) {
	next := make(chan struct{})
	pieces := []string{"data: a", "\r\n\r\n: ping\n", "\n", "data: \xe2\x82", "\xac\n\n"}
	b := start(t, func(c net.Conn) {
		if _, _, err := message(newReader(c)); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for _, s := range pieces {
			<-next
			fmt.Fprintf(c, "%x\r\n%s\r\n", len(s), s)
		}
		<-next
		io.WriteString(c, "0\r\n\r\n")
	})
	p := b.dial().send(get("/"))
	p.expect("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
	for _, s := range pieces {
		next <- struct{}{}
		p.expect(fmt.Sprintf("%x\r\n%s\r\n", len(s), s)) // before the next piece is even sent
	}
	next <- struct{}{}
	p.expect("0\r\n\r\n")
	b.record()
}

func TestRequestsOnOneConnection(t *testing.T) {
	got := make(chan string, 10)
	b := start(t, answering(hello, got))
	p := b.dial()
	// Two at once, one in pieces, one with a body that comes late.
	p.send(post("/1", "a") + post("/2", "b"))
	p.expect(hello + hello)
	for _, s := range []string{"GET /3 HT", "TP/1.1\r", "\nHost: p\r\n\r", "\n"} {
		p.send(s)
	}
	p.expect(hello)
	p.send("POST /4 HTTP/1.1\r\nHost: p\r\nContent-Length: 4\r\n\r\n").send("bo").send("dy")
	p.expect(hello)
	p.send("GET /5 HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n")
	p.expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
	for i := range 5 {
		if g := <-got; !strings.Contains(g, fmt.Sprintf(" /%d ", i+1)) {
			t.Errorf("request %d is %q", i+1, g)
		}
		b.record()
	}
	if n := b.accepted.Load(); n != 1 {
		t.Errorf("%d upstream connections for five requests, want one", n)
	}
}

func TestExpectContinue(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, answering(hello, got))
	p := b.dial().send("POST / HTTP/1.1\r\nHost: p\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	p.expect("HTTP/1.1 100 Continue\r\n\r\n")
	p.send("abc").expect(hello)
	if g := <-got; strings.Contains(g, "Expect") || !strings.HasSuffix(g, "\r\n\r\nabc") {
		t.Errorf("upstream got %q", g)
	}
}

func TestCallerOfHTTP10(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, answering(hello, got))
	p := b.dial().send("GET / HTTP/1.0\r\n\r\n")
	p.expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
	if _, err := p.end(); err != nil {
		t.Error(err)
	}
	if g := <-got; g != "GET / HTTP/1.0\r\nHost: "+b.upLn.Addr().String()+"\r\n\r\n" {
		t.Errorf("upstream got %q", g)
	}
}

// A 40 MiB upload passes at constant memory: head and tail are kept of it.
func TestLargeBodiesStreamThrough(t *testing.T) {
	const size = 40 << 20
	sum := make(chan int64, 1)
	b := start(t, func(c net.Conn) {
		br := newReader(c)
		if _, _, err := messageHead(br); err != nil {
			return
		}
		n, _ := io.CopyN(io.Discard, br, size)
		sum <- n
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		_, _ = io.CopyN(c, pattern{}, size)
	}, func(_ *bench, conf *Config, _ *Settings) { conf.CaptureRequestBytes = 1 << 20 })
	p := b.dial().send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: p\r\nContent-Length: %d\r\n\r\n", size))
	if _, err := io.CopyN(p, pattern{}, size); err != nil {
		t.Fatal(err)
	}
	r, body, err := p.response("POST")
	if err != nil || r.StatusCode != 200 || len(body) != size {
		t.Fatalf("got %d bytes, %v", len(body), err)
	}
	if n := <-sum; n != size {
		t.Errorf("upstream got %d bytes", n)
	}
	req := b.record().Request
	if req.Size != size || !req.Truncated || req.Head != 1<<20 || len(req.Data) != req.Head+tailBytes {
		t.Errorf("kept %d of %d bytes, head %d", len(req.Data), req.Size, req.Head)
	}
	whole := make([]byte, 2*tailBytes)
	_, _ = io.ReadFull(pattern{}, whole)
	if string(req.Data[:100]) != string(whole[:100]) || req.Data[len(req.Data)-1] != patternAt(size-1) {
		t.Error("head or tail of the copy is not what was sent")
	}
}

// When the recorder is pressed, large bodies pass as ever and are not copied for it.
func TestPressedRecorderGetsNoLargeBodies(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, answering(hello, got))
	p := b.dial()
	b.pressed.Store(true)
	for range 3 {
		body := strings.Repeat("x", 100<<10)
		p.send(post("/", body)).expect(hello)
		if g := <-got; !strings.HasSuffix(g, body) {
			t.Error("the body did not pass whole")
		}
		if req := b.record().Request; req.Data != nil || req.Size != 100<<10 || !req.Truncated {
			t.Errorf("recorded %d of %d bytes", len(req.Data), req.Size)
		}
	}
	p.send(post("/", "small")).expect(hello)
	if req := b.record().Request; string(req.Data) != "small" {
		t.Errorf("recorded %q", req.Data)
	}
	<-got
	b.pressed.Store(false)
	p.send(post("/", strings.Repeat("y", 100<<10))).expect(hello)
	if req := b.record().Request; string(req.Data) != strings.Repeat("y", 100<<10) {
		t.Error("a body is not whole when it may be kept")
	}
}

// An upstream may answer before the request was read to its end.
func TestEarlyAnswer(t *testing.T) {
	b := start(t, func(c net.Conn) {
		if _, _, err := messageHead(newReader(c)); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\n\r\nno!\n")
	})
	p := b.dial().send("POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 100000000\r\n\r\n" + strings.Repeat("x", 100000))
	p.expect("HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\n\r\nno!\n")
	if ex := b.record(); ex.Status != 413 || ex.Ended != llm.EndComplete {
		t.Errorf("recorded %d %v", ex.Status, ex.Ended)
	}
}

func TestUpgradeBecomesATunnel(t *testing.T) {
	eachWatcher(t, func(t *testing.T) {
		b := start(t, func(c net.Conn) {
			br := newReader(c)
			if _, _, err := message(br); err != nil {
				return
			}
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
			_, _ = io.Copy(c, br) // echo
		})
		p := b.dial().send("GET /v1/realtime HTTP/1.1\r\nHost: p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		p.expect("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
		p.send("ping\x00\xff").expect("ping\x00\xff")
		p.Close()
		if ex := b.record(); ex.Status != 101 || ex.Response.Size != int64(len("firstping\x00\xff")) {
			t.Errorf("recorded %d, %d bytes", ex.Status, ex.Response.Size)
		}
	})
}
