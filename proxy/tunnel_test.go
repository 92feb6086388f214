package proxy

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// lines is a dialect of a made-up protocol: each line that the provider sends ends
// a call that began with a line of the caller.
type lines struct {
	ex   *llm.Exchange
	sent strings.Builder
	got  strings.Builder
}

func (l *lines) Sent(p []byte, _ time.Time) { l.sent.Write(p) }

func (l *lines) Wrote(p []byte, at time.Time) {
	l.got.Write(p)
	if strings.HasSuffix(l.got.String(), "\n") {
		l.ex.Emit(&llm.Exchange{Start: at, End: at, Ended: llm.EndComplete, Request: llm.Body{Data: []byte(l.sent.String())}})
		l.sent.Reset()
	}
}

func TestCallsWithinATunnel(t *testing.T) {
	var seen *lines
	b := start(t, func(c net.Conn) {
		br := newReader(c)
		if _, _, err := message(br); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi\n")
		_, _ = io.Copy(c, br)
	}, func(b *bench, _ *Config, _ *Settings) {
		b.up.Dialect = dialect{observe: func(ex *llm.Exchange) llm.Observer { seen = &lines{ex: ex}; return seen }}
	})
	p := b.dial().send("GET /live?model=m HTTP/1.1\r\nHost: p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer k\r\n\r\n")
	p.expect("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi\n")
	first := b.record()
	p.send("one\n").expect("one\n")
	second := b.record() // while the tunnel is open
	p.Close()
	around := b.record()
	if around.Status != 101 || around.Session != "" || around.Span == [8]byte{} || around.Request.Size != 4 || around.Request.Truncated || around.Response.Size != 7 {
		t.Errorf("the session is recorded as %+v", around)
	}
	for _, ex := range []*llm.Exchange{first, second} {
		if ex.ID == around.ID || len(ex.ID) != 36 || ex.Session != around.ID || ex.Around != around.Span || ex.Trace != around.Trace ||
			ex.Provider != "test" || ex.Target != "/live?model=m" || ex.RequestHeader.Get("authorization") != "Bearer k" {
			t.Errorf("a call within is recorded as %+v", ex)
		}
	}
	if string(second.Request.Data) != "one\n" || seen.got.String() != "hi\none\n" {
		t.Errorf("seen %q, the call's request %q", seen.got.String(), second.Request.Data)
	}
}

// What a caller sent goes out before its end does, however soon it hangs up after it.
func TestLastWordsOfATunnel(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, func(c net.Conn) {
		br := newReader(c)
		if _, _, err := message(br); err == nil {
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
			all, _ := io.ReadAll(br)
			got <- string(all)
		}
	})
	want := strings.Repeat("the last words", 100)
	for range 30 {
		p := b.dial().send("GET / HTTP/1.1\r\nHost: p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		p.expect("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		for i := range 100 {
			p.send(want[i*14 : i*14+14])
		}
		p.Close()
		if said := <-got; said != want {
			t.Fatalf("%d of %d bytes went out", len(said), len(want))
		}
		if ex := b.record(); ex.ProviderLeft {
			t.Fatal("the provider is said to have left")
		}
	}
}

func TestProviderLeavesATunnel(t *testing.T) {
	b := start(t, func(c net.Conn) {
		br := newReader(c)
		if _, _, err := message(br); err == nil {
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		}
	})
	p := b.dial().send("GET / HTTP/1.1\r\nHost: p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	p.expect("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	if ex := b.record(); !ex.ProviderLeft {
		t.Errorf("nobody is said to have left: %+v", ex)
	}
}

func TestFailingObserverOfATunnel(t *testing.T) {
	b := start(t, func(c net.Conn) {
		br := newReader(c)
		if _, _, err := message(br); err == nil {
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
			_, _ = io.Copy(c, br)
		}
	}, func(b *bench, _ *Config, _ *Settings) {
		b.up.Dialect = dialect{observe: func(*llm.Exchange) llm.Observer { return &faulty{} }}
	})
	p := b.dial().send("GET / HTTP/1.1\r\nHost: p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	p.expect("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	p.send("a").expect("a")
	p.send("b").expect("b")
	p.Close()
	if ex := b.record(); ex.Observer != nil || ex.Ended != llm.EndComplete {
		t.Errorf("recorded %v %v", ex.Observer, ex.Ended)
	}
}
