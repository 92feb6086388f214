package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spanwire/spanwire/llm"
)

var buffersHeld atomic.Int64

func TestMain(m *testing.M) {
	held = func(d int) { buffersHeld.Add(int64(d)) }
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if n := buffersHeld.Load(); n != 0 {
			fmt.Printf("%d buffers were not put back\n", n)
			code = 1
		}
		os.Exit(code)
	}))
}

// patience bounds every wait of a test; it is only ever used up by a failure.
const patience = 20 * time.Second

// bench is a proxy between a test and an upstream that the test scripts.
type bench struct {
	t        testing.TB
	srv      *Server
	addr     string
	up       *Upstream
	upLn     net.Listener
	records  chan *llm.Exchange
	accepted atomic.Int64
	pressed  atomic.Bool
	conns    sync.WaitGroup
}

func (b *bench) Record(ex *llm.Exchange) bool { b.records <- ex; return true }

func (b *bench) Pressed() bool { return b.pressed.Load() }

func (b *bench) Route(method, target string, h llm.Header) (Route, error) {
	if strings.HasPrefix(target, "/nowhere") {
		return Route{}, errors.New("no provider is called \"nowhere\"")
	}
	return Route{Upstream: b.up, Target: strings.TrimPrefix(target, "/prefix")}, nil
}

type option func(*bench, *Config, *Settings)

// start runs a proxy whose upstream hands each connection to script. Everything is
// closed at the end of the test, which then checks that nothing is left over.
func start(t testing.TB, script func(net.Conn), opts ...option) *bench {
	t.Helper()
	b := &bench{t: t, records: make(chan *llm.Exchange, 1000)}
	var err error
	if b.upLn, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := b.upLn.Accept()
			if err != nil {
				return
			}
			b.accepted.Add(1)
			b.conns.Go(func() { defer c.Close(); script(c) })
		}
	}()
	port := b.upLn.Addr().(*net.TCPAddr).Port
	b.up = &Upstream{Name: "test", Scheme: "http", Host: "127.0.0.1", Port: port}
	conf, set := DefaultConfig(), Settings{Router: b, Recorder: b}
	conf.CallIDHeader = false
	var w watcher
	for _, o := range opts {
		o(b, &conf, &set)
	}
	if b.srv, err = New(conf, set); err != nil {
		t.Fatal(err)
	}
	if backgroundWatch(t) {
		w = background{}
		b.srv.watch.close()
		b.srv.watch = w
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- b.srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.srv.Shutdown(ctx); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-served; !errors.Is(err, ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
		b.upLn.Close()
		b.conns.Wait()
		if open, _ := b.srv.pool.counts(); open != 0 {
			t.Errorf("%d upstream connections are still open", open)
		}
	})
	return b
}

// eachWatcher runs a test with every way to notice a hang-up.
func eachWatcher(t *testing.T, f func(*testing.T)) {
	t.Run("native", f)
	t.Run("background", f)
}

func backgroundWatch(t testing.TB) bool { return strings.HasSuffix(t.Name(), "/background") }

// peer is a caller's end of a connection.
type peer struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

func (b *bench) dial() *peer {
	b.t.Helper()
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &peer{c, b.t, bufio.NewReader(c)}
}

func (p *peer) send(s string) *peer {
	p.t.Helper()
	if _, err := io.WriteString(p, s); err != nil {
		p.t.Fatalf("send: %v", err)
	}
	return p
}

// expect reads exactly want.
func (p *peer) expect(want string) {
	p.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(p.br, got)
	if string(got[:n]) != want {
		p.t.Fatalf("the caller got\n%q (%v)\nwant\n%q", got[:n], err, want)
	}
}

// end reads until the connection ends and returns what came, and whether it was an orderly end.
func (p *peer) end() (string, error) {
	b, err := io.ReadAll(p.br)
	return string(b), err
}

func (p *peer) response(method string) (*http.Response, string, error) {
	p.t.Helper()
	r, err := http.ReadResponse(p.br, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(r.Body)
	return r, string(body), err
}

func (b *bench) record() *llm.Exchange {
	b.t.Helper()
	select {
	case ex := <-b.records:
		return ex
	case <-time.After(patience):
		b.t.Fatal("no exchange was recorded")
		return nil
	}
}

// message reads one request: its head as it came, and its body with the framing on.
func message(br *bufio.Reader) (head, body string, err error) {
	var h bytes.Buffer
	for !bytes.HasSuffix(h.Bytes(), []byte("\r\n\r\n")) {
		c, err := br.ReadByte()
		if err != nil {
			return h.String(), "", err
		}
		h.WriteByte(c)
	}
	head = h.String()
	low := strings.ToLower(head)
	if _, v, ok := strings.Cut(low, "\r\ncontent-length:"); ok {
		var n int
		_, _ = fmt.Sscanf(v, "%d", &n)
		b := make([]byte, n)
		n, err = io.ReadFull(br, b)
		return head, string(b[:n]), err
	}
	if strings.Contains(low, "\r\ntransfer-encoding: chunked\r\n") {
		var b bytes.Buffer
		for !bytes.HasSuffix(b.Bytes(), []byte("\r\n\r\n")) || !strings.Contains("\r\n"+b.String(), "\r\n0") {
			c, err := br.ReadByte()
			if err != nil {
				return head, b.String(), err
			}
			b.WriteByte(c)
		}
		return head, b.String(), nil
	}
	return head, "", nil
}

// answering is an upstream that answers every request with the same bytes and
// tells what it got.
func answering(answer string, got chan<- string) func(net.Conn) {
	return func(c net.Conn) {
		br := bufio.NewReader(c)
		for {
			head, body, err := message(br)
			if err != nil {
				return
			}
			if got != nil {
				got <- head + body
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: proxy\r\n\r\n" }

func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: proxy\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func wait[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("%s: nothing came", what)
		panic("unreachable")
	}
}

func newReader(c net.Conn) *bufio.Reader { return bufio.NewReader(c) }

// messageHead reads the head of a request only.
func messageHead(br *bufio.Reader) (string, *bufio.Reader, error) {
	var h []byte
	for !bytes.HasSuffix(h, []byte("\r\n\r\n")) {
		c, err := br.ReadByte()
		if err != nil {
			return string(h), br, err
		}
		h = append(h, c)
	}
	return string(h), br, nil
}

// pattern yields bytes that tell their place.
type pattern struct{}

func patternAt(i int) byte { return byte(i%(32<<10)) ^ byte(i%(32<<10)>>8) }

func (pattern) Read(p []byte) (int, error) {
	n := min(len(p), 32<<10)
	for i := range n {
		p[i] = patternAt(i)
	}
	return n, nil
}
