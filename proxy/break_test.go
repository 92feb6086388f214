package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// phase is a moment of an exchange at which somebody goes away.
type phase struct {
	name    string
	request string
	answer  string // what the upstream sends before the moment; it then holds still
}

var phases = []phase{
	{"waiting for the answer", get("/"), ""},
	{"within the answer's head", get("/"), "HTTP/1.1 200 OK\r\nContent-Le"},
	{"within a body", get("/"), "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome of it"},
	{"within a stream", get("/"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n"},
	{"within a chunk", get("/"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\ndata"},
	{"within a body that ends with its connection", get("/"), "HTTP/1.1 200 OK\r\n\r\ndata"},
	{"within the upload", "POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 1000000\r\n\r\nsome", ""},
	{"within a chunked upload", "POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nso", ""},
}

// In every phase the end of a caller ends the upstream exchange, at once.
func TestCallerGoesAway(t *testing.T) {
	for _, ph := range phases {
		t.Run(ph.name, func(t *testing.T) {
			eachWatcher(t, func(t *testing.T) {
				arrived, ended := make(chan struct{}), make(chan error, 1)
				b := start(t, func(c net.Conn) {
					br := newReader(c)
					_, _, err := messageHead(br)
					if err == nil {
						_, err = io.WriteString(c, ph.answer)
					}
					close(arrived)
					for err == nil {
						_, err = br.ReadByte()
					}
					ended <- err
				})
				p := b.dial().send(ph.request)
				wait(t, arrived, "the request upstream")
				if _, after, ok := strings.Cut(ph.answer, "\r\n\r\n"); ok {
					head, _, _ := strings.Cut(ph.answer, "\r\n\r\n")
					if !strings.Contains(head, ":") {
						head += "\r\nConnection: close"
					}
					p.expect(head + "\r\n\r\n" + after)
				}
				p.Close()
				wait(t, ended, "the upstream did not notice")
				ex := b.record()
				if ex.Ended != llm.EndClientGone {
					t.Errorf("recorded as %q (%s)", ex.Ended, ex.Err)
				}
				if len(ph.answer) > 40 && ex.Response.Size == 0 {
					t.Error("nothing of the answer was counted")
				}
				if s := b.srv.Stats(); s.ClientGone != 1 || s.Active != 0 {
					t.Errorf("stats: %+v", s)
				}
			})
		})
	}
}

// With the drain policy the answer is read to its end, for its usage, and the
// connection is not cut; time and bytes bound it.
func TestDrain(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	run := func(t *testing.T, d Disconnect, rest func(c net.Conn) error) (*llm.Exchange, string, error) {
		gone, ended := make(chan struct{}), make(chan error, 1)
		var seen strings.Builder
		b := start(t, func(c net.Conn) {
			if _, _, err := message(newReader(c)); err != nil {
				return
			}
			io.WriteString(c, head+"5\r\nfirst\r\n")
			<-gone
			ended <- rest(c)
		}, func(b *bench, _ *Config, _ *Settings) {
			b.up.Disconnect = d
			b.up.Dialect = dialect{observe: func(*llm.Exchange) llm.Observer { return collect{&seen} }}
		})
		p := b.dial().send(get("/"))
		p.expect(head + "5\r\nfirst\r\n")
		p.Close()
		for b.srv.Stats().Callers > 0 && !b.callerGone() { // until the proxy knows
			runtime.Gosched()
		}
		close(gone)
		ex := b.record()
		return ex, seen.String(), wait(t, ended, "the upstream's end")
	}
	t.Run("to the end", func(t *testing.T) {
		ex, seen, _ := run(t, Disconnect{Drain: true, Time: patience}, func(c net.Conn) error {
			_, err := io.WriteString(c, "4\r\nlast\r\n0\r\n\r\n")
			return err
		})
		if seen != "firstlast" || ex.Ended != llm.EndClientGone {
			t.Errorf("saw %q, %v", seen, ex.Ended)
		}
	})
	t.Run("bounded by bytes", func(t *testing.T) {
		ex, _, err := run(t, Disconnect{Drain: true, Time: patience, Bytes: 1 << 20}, func(c net.Conn) error {
			var err error
			for err == nil {
				_, err = fmt.Fprintf(c, "%x\r\n%s\r\n", 10000, strings.Repeat("x", 10000))
			}
			return err
		})
		if err == nil || ex.Ended != llm.EndClientGone || ex.Response.Size > 8<<20 {
			t.Errorf("%v after %d bytes (%v)", ex.Ended, ex.Response.Size, err)
		}
	})
	t.Run("bounded by time", func(t *testing.T) {
		ex, _, _ := run(t, Disconnect{Drain: true, Time: 30 * time.Millisecond}, func(c net.Conn) error {
			_, err := io.Copy(io.Discard, c)
			return err
		})
		if ex.Ended != llm.EndClientGone {
			t.Error(ex.Ended)
		}
	})
}

func (b *bench) callerGone() bool {
	b.srv.mu.Lock()
	defer b.srv.mu.Unlock()
	for c := range b.srv.callers {
		return c.gone.Load()
	}
	return true
}

// An upstream that ends early is never made to look like the end of an answer.
func TestUpstreamBreaksOff(t *testing.T) {
	for _, how := range []string{"close", "reset"} {
		for _, ph := range phases[:6] {
			if how == "close" && strings.Contains(ph.name, "ends with its connection") {
				continue // that is how it ends
			}
			t.Run(how+" "+ph.name, func(t *testing.T) {
				seen := make(chan struct{})
				b := start(t, func(c net.Conn) {
					if _, _, err := message(newReader(c)); err != nil {
						return
					}
					io.WriteString(c, ph.answer)
					if strings.Contains(ph.answer, "\r\n\r\n") {
						<-seen
					}
					if how == "reset" {
						_ = c.(*net.TCPConn).SetLinger(0)
					}
				})
				p := b.dial().send(ph.request)
				if !strings.Contains(ph.answer, "\r\n\r\n") {
					r, body, err := p.response("GET")
					if err != nil || r.StatusCode != 502 || r.Header.Get("X-Spanwire-Error") != "upstream_closed" || !strings.Contains(body, "test") {
						t.Fatalf("%v %q %v", r, body, err)
					}
					if ex := b.record(); ex.OwnError != "upstream_closed" || ex.Ended != llm.EndError || ex.Status != 502 {
						t.Errorf("recorded %+v", ex)
					}
					return
				}
				var first [1]byte
				if _, err := io.ReadFull(p.br, first[:]); err != nil {
					t.Fatal(err)
				}
				_ = p.br.UnreadByte()
				close(seen)
				_, _, err := p.response("GET")
				if err == nil {
					t.Error("the caller took it for a whole answer")
				}
				if ex := b.record(); ex.Ended != llm.EndUpstreamCut || ex.Err == "" || ex.Status != 200 {
					t.Errorf("recorded %v %q", ex.Ended, ex.Err)
				}
			})
		}
	}
}

func TestMalformedAnswers(t *testing.T) {
	for _, answer := range []string{
		"nonsense\r\n\r\n", "\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 200 OK\nX: y\n\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 300<<10),
	} {
		b := start(t, answering(answer, nil))
		r, _, err := b.dial().send(get("/")).response("GET")
		if err != nil || r.StatusCode != 502 || r.Header.Get("X-Spanwire-Error") != "bad_upstream_response" {
			t.Errorf("%.40q: %v %v", answer, r, err)
		}
		b.record()
	}
	// Broken chunks after a good head cut the connection.
	b := start(t, answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX", nil))
	if _, body, err := b.dial().send(get("/")).response("GET"); err == nil {
		t.Errorf("broken chunks passed as %q", body)
	}
	if ex := b.record(); ex.Ended != llm.EndUpstreamCut {
		t.Error(ex.Ended)
	}
}

func TestTimeouts(t *testing.T) {
	short := 30 * time.Millisecond
	hang := func(answer string) func(net.Conn) {
		return func(c net.Conn) {
			br := newReader(c)
			if _, _, err := messageHead(br); err == nil {
				io.WriteString(c, answer)
				_, _ = io.Copy(io.Discard, br)
			}
		}
	}
	own := func(name string, set Timeouts, request string, status int, code string, ended llm.End) {
		t.Run(name, func(t *testing.T) {
			b := start(t, hang(""), func(b *bench, _ *Config, _ *Settings) { b.up.Timeouts = set })
			r, _, err := b.dial().send(request).response("POST")
			if err != nil || r.StatusCode != status || r.Header.Get("X-Spanwire-Error") != code {
				t.Fatalf("%v %v", r, err)
			}
			if ex := b.record(); ex.Ended != ended {
				t.Errorf("recorded %v", ex.Ended)
			}
		})
	}
	own("response head", Timeouts{Header: short}, post("/", "x"), 504, "upstream_timeout", llm.EndTimeout)
	own("response head after an upload", Timeouts{Header: short}, "POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100000), 504, "upstream_timeout", llm.EndTimeout)
	own("request body", Timeouts{Idle: short}, "POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 100000\r\n\r\nx", 408, "request_timeout", llm.EndTimeout)
	t.Run("between bytes", func(t *testing.T) {
		b := start(t, hang("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), func(b *bench, _ *Config, _ *Settings) { b.up.Timeouts.Idle = short })
		if _, body, err := b.dial().send(get("/")).response("GET"); err == nil || body != "abc" {
			t.Errorf("got %q %v", body, err)
		}
		if ex := b.record(); ex.Ended != llm.EndTimeout {
			t.Error(ex.Ended)
		}
	})
	t.Run("request head", func(t *testing.T) {
		b := start(t, hang(""), func(_ *bench, conf *Config, _ *Settings) { conf.HeaderTimeout = short })
		r, _, err := b.dial().send("GET / HTT").response("GET")
		if err != nil || r.StatusCode != 408 {
			t.Errorf("%v %v", r, err)
		}
	})
	t.Run("TLS handshake", func(t *testing.T) {
		b := start(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, func(b *bench, _ *Config, _ *Settings) {
			b.up.Scheme, b.up.Timeouts.TLS = "https", short
		})
		r, _, err := b.dial().send(get("/")).response("GET")
		if err != nil || r.StatusCode != 504 {
			t.Errorf("%v %v", r, err)
		}
		b.record()
	})
}

// A connection that died while it was idle is replaced without a word; one that
// was fresh, or that had begun to answer, is not.
func TestRetryOfIdleConnections(t *testing.T) {
	bodies := map[string]string{
		"small":   post("/", "hi"),
		"large":   post("/", strings.Repeat("x", 300<<10)),
		"chunked": "POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		"none":    get("/"),
	}
	for name, request := range bodies {
		t.Run(name, func(t *testing.T) {
			first := make(chan struct{}, 1)
			first <- struct{}{}
			got := make(chan string, 10)
			b := start(t, func(c net.Conn) {
				br := newReader(c)
				select {
				case <-first: // answers once, then dies at the next request
					if _, _, err := message(br); err == nil {
						io.WriteString(c, hello)
						_, _ = br.ReadByte()
						_ = c.(*net.TCPConn).SetLinger(0)
					}
				default:
					answering(hello, got)(c)
				}
			})
			p := b.dial().send(get("/first"))
			p.expect(hello)
			b.record()
			p.send(request).expect(hello)
			if ex := b.record(); ex.Retries != 1 || ex.Status != 200 {
				t.Errorf("%d retries, status %d", ex.Retries, ex.Status)
			}
			_, want, _ := strings.Cut(request, "\r\n\r\n")
			if _, body, _ := strings.Cut(<-got, "\r\n\r\n"); body != want {
				t.Errorf("the second attempt sent %.60q, want %.60q", body, want)
			}
		})
	}
}

func TestShutdownLetsStreamsEnd(t *testing.T) {
	more := make(chan struct{})
	b := start(t, func(c net.Conn) {
		if _, _, err := message(newReader(c)); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
		<-more
		io.WriteString(c, "1\r\nb\r\n0\r\n\r\n")
	})
	idle := b.dial().send(get("/"))
	idle.expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
	waiting := b.dial()
	for b.srv.Stats().Callers < 2 {
		runtime.Gosched()
	}
	done := make(chan error, 1)
	go func() { done <- b.srv.Shutdown(context.Background()) }()
	if rest, _ := waiting.end(); rest != "" { // idle connections are closed
		t.Errorf("got %q", rest)
	}
	if _, err := net.Dial("tcp", b.addr); err == nil {
		t.Error("still accepting")
	}
	close(more)
	idle.expect("1\r\nb\r\n0\r\n\r\n")
	if err := wait(t, done, "Shutdown"); err != nil {
		t.Error(err)
	}
	if ex := b.record(); ex.Ended != llm.EndComplete {
		t.Error(ex.Ended)
	}
}

func TestShutdownOutOfPatience(t *testing.T) {
	b := start(t, func(c net.Conn) {
		br := newReader(c)
		if _, _, err := message(br); err == nil {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na")
			_, _ = io.Copy(io.Discard, br)
		}
	})
	p := b.dial().send(get("/"))
	p.expect("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	b.record() // cut, and still recorded
}
