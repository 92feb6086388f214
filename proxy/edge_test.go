package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

// Interim answers pass one by one, wherever they are cut, as many as there are.
func TestInterimAnswersInPieces(t *testing.T) {
	next := make(chan string)
	b := start(t, func(c net.Conn) {
		br := newReader(c)
		if _, _, err := message(br); err != nil {
			return
		}
		for s := range next {
			if _, err := io.WriteString(c, s); err != nil {
				return
			}
		}
	})
	p := b.dial().send(get("/"))
	const hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
	next <- hints[:20]
	next <- hints[20:] + "HTTP/1.1 1"
	p.expect(hints) // before anything more came
	next <- "02 Processing\r\n\r"
	next <- "\nHTTP/1.1 100 Continue\r\n\r\n" + strings.Repeat("HTTP/1.1 102 Again\r\n\r\n", 2000) + hello[:30]
	next <- hello[30:]
	close(next)
	p.expect("HTTP/1.1 102 Processing\r\n\r\n" + strings.Repeat("HTTP/1.1 102 Again\r\n\r\n", 2000) + hello)
	if ex := b.record(); ex.Status != 200 || ex.Ended != llm.EndComplete {
		t.Errorf("recorded %d %v", ex.Status, ex.Ended)
	}
}

func TestInterimAnswersAndHTTP10(t *testing.T) {
	b := start(t, answering("HTTP/1.1 103 Early Hints\r\n\r\n"+hello, nil))
	p := b.dial().send("GET / HTTP/1.0\r\n\r\n")
	if got, err := p.end(); err != nil || got != "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello" {
		t.Errorf("%q %v", got, err)
	}
	b.record()
}

// An upstream that ends after an interim answer has answered nothing.
func TestNothingButInterimAnswers(t *testing.T) {
	b := start(t, func(c net.Conn) {
		if _, _, err := message(newReader(c)); err == nil {
			io.WriteString(c, "HTTP/1.1 102 Processing\r\n\r\n")
		}
	})
	p := b.dial().send(get("/"))
	p.expect("HTTP/1.1 102 Processing\r\n\r\n")
	if r, _, err := p.response("GET"); err != nil || r.StatusCode != 502 || r.Header.Get("X-Spanwire-Error") != "upstream_closed" {
		t.Errorf("%v %v", r, err)
	}
	b.record()
}

func TestExpectations(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, answering("HTTP/1.1 100 Continue\r\n\r\n"+hello, got)) // it answers them, too
	f := func(what, request, answer string, passes bool) {
		t.Helper()
		p := b.dial().send(request)
		p.expect(answer)
		if g := wait(t, got, what); strings.Contains(g, "\r\nExpect:") != passes {
			t.Errorf("%s: %q went out", what, g)
		}
		b.record()
	}
	f("the body is there", "POST / HTTP/1.1\r\nHost: p\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", hello, false)
	f("no body", "GET / HTTP/1.1\r\nHost: p\r\nExpect: 100-Continue\r\n\r\n", hello, false)
	f("an empty body", "POST / HTTP/1.1\r\nHost: p\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", hello, false)
	f("HTTP/1.0", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\n", false)
	f("another expectation", "POST / HTTP/1.1\r\nHost: p\r\nExpect: the-best\r\nContent-Length: 3\r\n\r\nabc", hello, true)

	p := b.dial().send("POST / HTTP/1.1\r\nHost: p\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
	p.expect("HTTP/1.1 100 Continue\r\n\r\n")
	p.send("3\r\nabc\r\n0\r\n\r\n").expect(hello)
	<-got
	b.record()
}

// A body that is refused is not asked for.
func TestExpectationOfTooMuch(t *testing.T) {
	b := start(t, nil, func(_ *bench, c *Config, _ *Settings) { c.MaxRequestBytes = 2 })
	p := b.dial().send("POST / HTTP/1.1\r\nHost: p\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	if r, _, err := p.response("POST"); err != nil || r.StatusCode != 413 {
		t.Errorf("%v %v", r, err)
	}
	b.record()
}

// A request with trailers is not kept with all its parts, so it is sent once only.
func TestTrailersAreSentOnce(t *testing.T) {
	got := make(chan string, 2)
	b := start(t, func(c net.Conn) {
		br := newReader(c)
		if _, _, err := message(br); err != nil {
			return
		}
		io.WriteString(c, hello)
		_, body, _ := message(br)
		got <- body
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	p := b.dial().send(get("/first"))
	p.expect(hello)
	b.record()
	const body = "2;e=1\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n"
	r, _, err := p.send("POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n" + body).response("POST")
	if err != nil || r.StatusCode != 502 {
		t.Errorf("%v %v", r, err)
	}
	if g := <-got; g != body {
		t.Errorf("%q went out", g)
	}
	if ex := b.record(); ex.Retries != 0 || string(ex.Request.Data) != "{}" {
		t.Errorf("recorded %d retries, body %q", ex.Retries, ex.Request.Data)
	}
}

func TestHostOfTheUsersOwn(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, answering(hello, got), func(b *bench, _ *Config, _ *Settings) {
		b.up.Set = []Field{{"X-A", "1"}, {"host", "llm.internal"}, {"X-B", "2"}}
	})
	b.dial().send("GET / HTTP/1.1\r\nX: 1\r\nHOST: proxy\r\nY: 2\r\n\r\n").expect(hello)
	if g := <-got; g != "GET / HTTP/1.1\r\nX: 1\r\nHOST: llm.internal\r\nY: 2\r\nX-A: 1\r\nX-B: 2\r\n\r\n" {
		t.Errorf("%q went out", g)
	}
	b.record()
	b.dial().send("GET / HTTP/1.0\r\n\r\n")
	if g := <-got; g != "GET / HTTP/1.0\r\nHost: llm.internal\r\nX-A: 1\r\nX-B: 2\r\n\r\n" {
		t.Errorf("%q went out", g)
	}
}

const (
	upgrade  = "GET /ws HTTP/1.1\r\nHost: p\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
	switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)

// echoing is an upstream that switches protocols and sends everything back.
func echoing(got chan<- string) func(net.Conn) {
	return func(c net.Conn) {
		br := newReader(c)
		head, _, err := message(br)
		if err != nil {
			return
		}
		if got != nil {
			got <- head
		}
		io.WriteString(c, switched)
		_, _ = io.Copy(c, br)
	}
}

// What a caller offers and a provider accepts is theirs: the offer, and every bit of
// the frames after it.
func TestExtensionsPassATunnel(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, echoing(got))
	p := b.dial().send(upgrade)
	p.expect(switched)
	if g := <-got; !strings.Contains(g, "\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n") {
		t.Errorf("%q went out", g)
	}
	frames := []byte("\xc1\x87\x01\x02\x03\x04\xf2\x48\xcd\xc9\xc9\x07\x00" + "\x89\x80\x00\x00\x00\x00" + "\x88\x82\x00\x00\x00\x00\x03\xe8")
	for i := range frames {
		p.send(string(frames[i : i+1])).expect(string(frames[i : i+1]))
	}
	p.Close()
	if ex := b.record(); ex.Status != 101 || ex.Ended != llm.EndComplete {
		t.Errorf("recorded %d %v", ex.Status, ex.Ended)
	}
}

// A frame may be of any size; nothing of it is collected.
func TestHugeFramesPassATunnel(t *testing.T) {
	const size = 32 << 20
	b := start(t, echoing(nil))
	p := b.dial().send(upgrade)
	p.expect(switched)
	sent := make(chan error, 1)
	go func() {
		if _, err := io.WriteString(p.Conn, "\x82\x7f\x00\x00\x00\x00\x02\x00\x00\x00"); err != nil {
			sent <- err
			return
		}
		_, err := io.CopyN(p.Conn, pattern{}, size)
		sent <- err
	}()
	head := make([]byte, 10)
	if _, err := io.ReadFull(p.br, head); err != nil {
		t.Fatal(err)
	}
	buf, want := make([]byte, 32<<10), make([]byte, 32<<10)
	_, _ = io.ReadFull(pattern{}, want)
	for n := 0; n < size; n += len(buf) {
		if _, err := io.ReadFull(p.br, buf); err != nil || !bytes.Equal(buf, want) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
	if err := wait(t, sent, "the sender"); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if ex := b.record(); ex.Response.Size != size+10 || ex.Request.Size != size+10 || ex.Request.Data != nil {
		t.Errorf("recorded %d bytes out, %d in, %d kept", ex.Request.Size, ex.Response.Size, len(ex.Request.Data))
	}
}

// Some callers do not wait for the answer to their offer.
func TestFramesBeforeTheSwitch(t *testing.T) {
	b := start(t, echoing(nil))
	p := b.dial().send(upgrade + "early")
	p.expect(switched + "early")
	p.send("late").expect("late")
	p.Close()
	if ex := b.record(); ex.Request.Size != 9 {
		t.Errorf("%d bytes recorded", ex.Request.Size)
	}
}

// An offer that is turned down leaves an ordinary connection.
func TestOfferTurnedDown(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nno",
		"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno",
	} {
		b := start(t, answering(answer, nil))
		p := b.dial().send(upgrade)
		p.expect(answer)
		b.record()
		p.send(get("/")).expect(answer[:20])
		b.record()
	}
}

// A caller that ends its sending side ends the tunnel, behind what it sent; so does
// a provider.
func TestHalfClosedTunnels(t *testing.T) {
	t.Run("caller", func(t *testing.T) {
		said := make(chan string, 1)
		b := start(t, func(c net.Conn) {
			br := newReader(c)
			if _, _, err := message(br); err == nil {
				io.WriteString(c, switched)
				all, _ := io.ReadAll(br)
				said <- string(all)
			}
		})
		p := b.dial().send(upgrade)
		p.expect(switched)
		p.send("\x88\x80\x00\x00\x00\x00")
		if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if s := wait(t, said, "the provider"); s != "\x88\x80\x00\x00\x00\x00" {
			t.Errorf("the provider heard %q", s)
		}
		if rest, err := p.end(); rest != "" || err != nil {
			t.Errorf("the caller got %q, %v", rest, err)
		}
		if ex := b.record(); ex.ProviderLeft {
			t.Error("the provider is said to have left")
		}
	})
	t.Run("provider", func(t *testing.T) {
		heard := make(chan struct{})
		b := start(t, func(c net.Conn) {
			br := newReader(c)
			if _, _, err := message(br); err == nil {
				io.WriteString(c, switched+"\x88\x02\x03\xe8")
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = br.ReadByte() // it waits for the other side to end
			}
			close(heard)
		})
		p := b.dial().send(upgrade)
		p.expect(switched + "\x88\x02\x03\xe8")
		if rest, err := p.end(); rest != "" || err != nil {
			t.Errorf("the caller got %q, %v", rest, err)
		}
		if ex := b.record(); !ex.ProviderLeft || ex.Ended != llm.EndComplete {
			t.Errorf("recorded %+v", ex)
		}
		wait(t, heard, "the provider")
	})
}

// The last bytes of an answer come with the end of the connection in many ways: each
// is whole, and none hangs.
func TestEndsOfAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"length":           "Content-Length: 3\r\n\r\nabc",
		"chunked":          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"chunked, trailer": "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\nX-U: " + strings.Repeat("u", 3000) + "\r\n\r\n",
	} {
		answer := "HTTP/1.1 200 OK\r\n" + body
		b := start(t, func(c net.Conn) {
			if _, _, err := message(newReader(c)); err == nil {
				for i := range len(answer) { // byte by byte, then the end at once
					if _, err := io.WriteString(c, answer[i:i+1]); err != nil {
						return
					}
				}
			}
		})
		p := b.dial().send(get("/"))
		p.expect(answer)
		if ex := b.record(); ex.Ended != llm.EndComplete || ex.Response.Size != 3 {
			t.Errorf("%s: recorded %v, %d bytes", name, ex.Ended, ex.Response.Size)
		}
		p.send(fmt.Sprintf("HEAD /%d HTTP/1.1\r\nHost: p\r\n\r\n", len(name)))
		p.expect("HTTP/1.1 200 OK\r\n") // the caller's connection goes on, on another one upstream
		b.record()
	}
}
