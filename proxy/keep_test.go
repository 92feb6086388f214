package proxy

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// shelf is a keeper that tells of each exchange and waits for a word.
type shelf struct {
	came chan *llm.Exchange
	kept chan bool
}

func (s *shelf) Keep(ex *llm.Exchange) bool {
	s.came <- ex
	return <-s.kept
}

func kept() (*shelf, option) {
	s := &shelf{came: make(chan *llm.Exchange, 10), kept: make(chan bool)}
	return s, func(_ *bench, _ *Config, set *Settings) { set.Keeper = s }
}

// quiet fails when anything more comes to the caller.
func (p *peer) quiet() {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if b, err := p.br.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Errorf("%q, %v came before the record was durable", b, err)
	}
	_ = p.SetReadDeadline(time.Now().Add(patience))
}

// However an answer is framed, its end waits for the record, and nothing else does; the
// bytes are the same, and the connection serves further requests.
func TestTheEndWaitsForTheRecord(t *testing.T) {
	f := func(method, answer string) {
		t.Helper()
		s, opt := kept()
		b := start(t, answering(answer, nil), opt)
		p := b.dial()
		for _, durable := range []bool{true, false} {
			p.send(method + " / HTTP/1.1\r\nHost: p\r\n\r\n")
			p.expect(answer[:len(answer)-1])
			ex := <-s.came
			if ex.Ended != llm.EndComplete || ex.End.IsZero() {
				t.Errorf("%q: recorded as %q", answer, ex.Ended)
			}
			p.quiet()
			s.kept <- durable
			p.expect(answer[len(answer)-1:])
		}
		if n := b.srv.Stats().Unkept; n != 1 {
			t.Errorf("%q: %d answers ended without their record, want 1", answer, n)
		}
	}
	f("GET", hello)
	f("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	f("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
	f("GET", "HTTP/1.1 500 Oh\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100000))
	f("GET", "HTTP/1.1 204 No Content\r\n\r\n")
	f("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	f("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
}

// What has no end but that of its connection ends when the record is durable.
func TestTheConnectionsEndWaitsForTheRecord(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\n\r\nhello"
	s, opt := kept()
	b := start(t, func(c net.Conn) {
		if _, _, err := message(newReader(c)); err == nil {
			_, _ = c.Write([]byte(answer))
		}
	}, opt)
	p := b.dial().send("GET / HTTP/1.1\r\nHost: p\r\n\r\n")
	p.expect("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")
	<-s.came
	p.quiet()
	s.kept <- true
	if rest, err := p.end(); rest != "" || err != nil {
		t.Errorf("then came %q, %v", rest, err)
	}
}

// So do answers that the proxy makes itself.
func TestOwnAnswersWaitForTheRecord(t *testing.T) {
	s, opt := kept()
	b := start(t, answering(hello, nil), opt)
	p := b.dial().send("POST /nowhere HTTP/1.1\r\nHost: p\r\nContent-Length: 2\r\n\r\nhi")
	ex := <-s.came
	if ex.OwnError != "no_route" {
		t.Errorf("recorded %q", ex.OwnError)
	}
	got := make(chan string, 1)
	go func() {
		_, body, _ := p.response("POST")
		got <- body
	}()
	select {
	case body := <-got:
		t.Errorf("%q was whole before the record was durable", body)
	case <-time.After(30 * time.Millisecond):
	}
	s.kept <- true
	if body := <-got; !strings.HasSuffix(body, "}}") && !strings.HasSuffix(body, "}}\n") {
		t.Errorf("the caller got %q", body)
	}
}

// A cut answer stays cut: nothing is made whole by its record.
func TestACutAnswerStaysCut(t *testing.T) {
	s, opt := kept()
	b := start(t, func(c net.Conn) {
		if _, _, err := message(newReader(c)); err == nil {
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"))
		}
	}, opt)
	p := b.dial().send("GET / HTTP/1.1\r\nHost: p\r\n\r\n")
	if ex := <-s.came; ex.Ended != llm.EndUpstreamCut {
		t.Errorf("recorded %q", ex.Ended)
	}
	s.kept <- true
	if rest, _ := p.end(); rest != "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello" {
		t.Errorf("the caller got %q", rest)
	}
}
