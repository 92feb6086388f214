package proxy

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

type collect struct{ *strings.Builder }

func (c collect) Wrote(p []byte, _ time.Time) { c.Write(p) }

type faulty struct{ after int }

func (f *faulty) Wrote([]byte, time.Time) {
	if f.after--; f.after < 0 {
		panic("an observer that fails")
	}
}

const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestObserverSeesContentWithoutFraming(t *testing.T) {
	for framing, answer := range map[string]string{
		"chunked": chunkedHead + "5;x\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n",
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world",
	} {
		var seen strings.Builder
		b := start(t, answering(answer, nil), func(b *bench, _ *Config, _ *Settings) {
			b.up.Dialect = dialect{observe: func(ex *llm.Exchange) llm.Observer {
				if ex.Status != 200 || len(ex.ResponseHeader) == 0 {
					t.Error("the observer was asked for before the head was read")
				}
				return collect{&seen}
			}}
		})
		b.dial().send(get("/")).expect(answer)
		ex := b.record()
		if seen.String() != "hello, world" || ex.Observer != (collect{&seen}) || ex.Response.Size != 12 {
			t.Errorf("%s: saw %q", framing, seen.String())
		}
		if !(ex.Start.Before(ex.Sent) && ex.Sent.Before(ex.FirstByte) && ex.FirstByte.Before(ex.FirstWrite) && !ex.End.Before(ex.FirstWrite)) {
			t.Errorf("clock readings out of order: %v %v %v %v %v", ex.Start, ex.Sent, ex.FirstByte, ex.FirstWrite, ex.End)
		}
	}
}

func TestFailingObserverCostsItsReadingOnly(t *testing.T) {
	answer := chunkedHead + "1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
	for after := range 2 {
		b := start(t, answering(answer, nil), func(b *bench, _ *Config, _ *Settings) {
			b.up.Dialect = dialect{observe: func(*llm.Exchange) llm.Observer { return &faulty{after} }}
		})
		b.dial().send(get("/")).expect(answer)
		if ex := b.record(); ex.Observer != nil || ex.Ended != llm.EndComplete || b.srv.Stats().ObserverFault != 1 {
			t.Errorf("recorded %v %v", ex.Observer, ex.Ended)
		}
	}
}

// cutting removes "[added]" from a body, whatever way it is cut into pieces.
type cutting struct{ held []byte }

func (c *cutting) Pass(dst, p []byte) []byte {
	c.held = bytes.ReplaceAll(append(c.held, p...), []byte("[added]"), nil)
	for n := min(len(c.held), len("[added]")-1); n >= 0; n-- {
		if bytes.HasSuffix(c.held, []byte("[added]")[:n]) {
			dst = append(dst, c.held[:len(c.held)-n]...)
			c.held = append(c.held[:0], c.held[len(c.held)-n:]...)
			return dst
		}
	}
	return dst
}

func (c *cutting) Rest(dst []byte) []byte { return append(dst, c.held...) }

func editing(b *bench, _ *Config, _ *Settings) {
	b.up.Dialect = dialect{
		edit: func(body string) (int, string, Filter) {
			if !strings.HasPrefix(body, "{") {
				return 0, "", nil
			}
			return 1, "+ask", &cutting{}
		},
		observe: func(*llm.Exchange) llm.Observer { return collect{&strings.Builder{}} },
	}
}

func TestEditAndFilter(t *testing.T) {
	const content = "data: one\n\ndata: [addeddata: two\n\n[added]data: three\n\n[add"
	const want = "data: one\n\ndata: [addeddata: two\n\ndata: three\n\n[add"
	packed := func(s string) string {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		for i := range len(s) {
			_, _ = w.Write([]byte{s[i]})
			if i%10 == 0 {
				_ = w.Flush()
			}
		}
		_ = w.Close()
		return z.String()
	}
	chunks := func(s string, n int) string {
		var b strings.Builder
		for len(s) > 0 {
			k := min(n, len(s))
			fmt.Fprintf(&b, "%x\r\n%s\r\n", k, s[:k])
			s = s[k:]
		}
		return b.String()
	}
	const sse = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nX-A: 1\r\n"
	large := post("/", "{"+strings.Repeat(" ", 100<<10)+"}")
	for name, answer := range map[string]string{
		"chunked":           sse + "Transfer-Encoding: chunked\r\n\r\n" + chunks(content, 7) + "0\r\n\r\n",
		"chunked, bytes":    sse + "Transfer-Encoding: chunked\r\n\r\n" + chunks(content, 1) + "0\r\nX-T: 1\r\n\r\n",
		"length":            sse + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(content)) + content,
		"gzip":              sse + "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(packed(content), 3) + "0\r\n\r\n",
		"end of connection": sse + "\r\n" + content,
	} {
		for _, request := range []string{post("/", "{}"), large} {
			t.Run(fmt.Sprint(name, len(request)), func(t *testing.T) {
				got := make(chan string, 1)
				b := start(t, func(c net.Conn) {
					head, body, err := message(newReader(c))
					if err != nil {
						return
					}
					got <- head + body
					io.WriteString(c, answer)
				}, editing)
				r, body, err := b.dial().send(request).response("POST")
				if err != nil || body != want {
					t.Fatalf("the caller got %q, %v", body, err)
				}
				if r.Header.Get("X-A") != "1" || r.Header.Get("Content-Encoding") != "" || r.ContentLength != -1 {
					t.Errorf("head %v", r.Header)
				}
				if strings.Contains(answer, "X-T") && r.Trailer.Get("X-T") != "1" {
					t.Errorf("trailers are lost: %v", r.Trailer)
				}
				_, sent, _ := strings.Cut(request, "\r\n\r\n")
				if g := <-got; !strings.HasSuffix(g, "\r\n\r\n{+ask"+sent[1:]) || !strings.Contains(g, fmt.Sprintf("Content-Length: %d\r\n", len(sent)+4)) {
					t.Errorf("upstream got %.200q", g)
				}
				ex := b.record()
				seen := ex.Observer.(collect).String()
				if strings.Contains(name, "gzip") {
					if seen != packed(content) {
						t.Errorf("the observer saw other bytes than the provider sent")
					}
				} else if seen != content {
					t.Errorf("the observer saw %q", seen)
				}
				if !ex.UsageAsked || string(ex.Request.Data) != sent || ex.Ended != llm.EndComplete {
					t.Errorf("recorded %v %.60q %v", ex.UsageAsked, ex.Request.Data, ex.Ended)
				}
			})
		}
	}
	t.Run("cut", func(t *testing.T) {
		b := start(t, func(c net.Conn) {
			if _, _, err := message(newReader(c)); err == nil {
				io.WriteString(c, sse+"Transfer-Encoding: chunked\r\n\r\n"+chunks(content, 9))
			}
		}, editing)
		if _, body, err := b.dial().send(post("/", "{}")).response("POST"); err == nil {
			t.Errorf("a cut stream ended in order: %q", body)
		}
		if ex := b.record(); ex.Ended != llm.EndUpstreamCut {
			t.Error(ex.Ended)
		}
	})
	t.Run("not a stream", func(t *testing.T) {
		answer := "HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n[added]{}"
		b := start(t, answering(answer, nil), editing)
		b.dial().send(post("/", "{}")).expect(answer)
	})
	t.Run("not edited", func(t *testing.T) {
		got := make(chan string, 1)
		answer := sse + "Content-Length: 7\r\n\r\n[added]"
		b := start(t, answering(answer, got), editing)
		b.dial().send(post("/", "no")).expect(answer)
		if g := <-got; !strings.HasSuffix(g, "\r\n\r\nno") {
			t.Errorf("upstream got %q", g)
		}
	})
}

// A stream costs no memory a chunk, and an exchange little.
func TestAllocations(t *testing.T) {
	chunk := []byte("20\r\n" + strings.Repeat("x", 32) + "\r\n")
	const n = 2000
	b := start(t, func(c net.Conn) {
		br := newReader(c)
		for {
			head, _, err := message(br)
			if err != nil {
				return
			}
			if strings.HasPrefix(head, "GET /small") {
				io.WriteString(c, hello)
				continue
			}
			io.WriteString(c, chunkedHead)
			for range n {
				_, _ = c.Write(chunk)
			}
			io.WriteString(c, "0\r\n\r\n")
		}
	})
	p := b.dial()
	in := make([]byte, 64<<10)
	run := func(request []byte, size int) func() {
		return func() {
			_, _ = p.Write(request)
			for left := size; left > 0; {
				k, err := p.Conn.Read(in[:min(left, len(in))])
				if err != nil {
					t.Fatal(err)
				}
				left -= k
			}
			<-b.records
		}
	}
	small := testing.AllocsPerRun(50, run([]byte(get("/small")), len(hello)))
	stream := testing.AllocsPerRun(5, run([]byte(get("/stream")), len(chunkedHead)+n*len(chunk)+5))
	t.Logf("allocations: %.0f an exchange, %.0f a stream of %d chunks (both sides of the test in it)", small, stream, n)
	if small > 40 {
		t.Errorf("%.0f allocations an exchange", small)
	}
	if stream-small > 50 {
		t.Errorf("%.0f allocations more for %d chunks", stream-small, n)
	}
}
