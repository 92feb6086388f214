package proxy

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// Where a head ends, and what it says, must not depend on how it was cut.
func FuzzRequestHead(f *testing.F) {
	for _, s := range []string{
		get("/"), post("/v1/chat/completions?x=1", "{}"), "GET / HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\nConnection: x, close\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "\r\n\r\n", "\r\n", "\n", "A B HTTP/1.1\r\n : \r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := findEnd(b, 0)
		for i, seen := 0, 0; i <= len(b); i++ { // byte by byte
			m, e := findEnd(b[:i], seen)
			if e == errShort {
				seen = i
				continue
			}
			if m != n || e != err {
				t.Fatalf("at once %d %v, byte by byte %d %v", n, err, m, e)
			}
			break
		}
		if err != nil {
			return
		}
		var h head
		if h.parseRequest(b[:n]) != nil || gateCheck(b[:n], &h) != nil {
			return
		}
		if h.chunked && h.length >= 0 || bytes.ContainsAny(h.target, " \r\n\x00") || len(h.fields) > 0 && !bytes.HasSuffix(h.fields, crlf) {
			t.Fatalf("accepted %q", b[:n])
		}
		for rest := h.fields; len(rest) > 0; {
			var name []byte
			if name, _, rest, err = nextField(rest); err != nil {
				t.Fatalf("accepted a field that cannot be read again: %v", err)
			}
			_ = h.hopByHop(name)
		}
	})
}

func FuzzResponseHead(f *testing.F) {
	f.Add([]byte(hello))
	f.Add([]byte(chunkedHead))
	f.Add([]byte("HTTP/1.0 999\r\nConnection: close,\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := findEnd(b, 0)
		if err != nil {
			return
		}
		var h head
		if h.parseResponse(b[:n]) == nil && (h.status < 100 || h.status > 999) {
			t.Fatalf("status %d of %q", h.status, b[:n])
		}
	})
}

// Any cut of a body finds the same end and the same content.
func FuzzFraming(f *testing.F) {
	f.Add([]byte("5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\nnext"), uint8(2), uint8(3))
	f.Add([]byte("0\r\n\r\n"), uint8(2), uint8(1))
	f.Add([]byte("fffffffff\r\n"), uint8(2), uint8(2))
	f.Add([]byte("hello, world"), uint8(1), uint8(5))
	f.Fuzz(func(t *testing.T, b []byte, kind, size uint8) {
		read := func(step int) (used int, content string, done bool, err error) {
			var fr framing
			fr.reset(bodyKind(kind%4), 7)
			fr.keepTrailer = true
			for rest := b; len(rest) > 0 && !fr.done && err == nil; {
				var n int
				n, err = fr.feed(rest[:min(step, len(rest))])
				used += n
				for _, p := range fr.content {
					content += string(p)
				}
				if err == nil && !fr.done && n != min(step, len(rest)) {
					t.Fatalf("fed %d bytes, %d taken, and not done", min(step, len(rest)), n)
				}
				rest = rest[n:]
			}
			return used, content, fr.done, err
		}
		u1, c1, d1, e1 := read(max(len(b), 1))
		u2, c2, d2, e2 := read(int(size)%16 + 1)
		if u1 != u2 || c1 != c2 || d1 != d2 || e1 != e2 {
			t.Fatalf("at once %d %q %v %v, in pieces %d %q %v %v", u1, c1, d1, e1, u2, c2, d2, e2)
		}
	})
}

func TestCaptureKeepsHeadAndTail(t *testing.T) {
	f := func(limit, size, step int) {
		t.Helper()
		var c capture
		c.reset(limit)
		all := make([]byte, size)
		for i := range all {
			all[i] = byte(i * 7 >> 3)
		}
		for rest := all; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			c.write(rest[:min(step, len(rest))])
		}
		b := c.body()
		if b.Size != int64(size) {
			t.Fatalf("size %d", b.Size)
		}
		if !b.Truncated {
			if !bytes.Equal(b.Data, all) {
				t.Fatalf("limit %d size %d step %d: not truncated and not equal", limit, size, step)
			}
			return
		}
		if size <= limit+tailBytes || !bytes.Equal(b.Data[:b.Head], all[:limit]) || !bytes.Equal(b.Data[b.Head:], all[size-tailBytes:]) {
			t.Fatalf("limit %d size %d step %d: head or tail is wrong", limit, size, step)
		}
	}
	for _, limit := range []int{0, 1, 1000, 200 << 10} {
		for _, size := range []int{0, 1, 999, 1000, 1001, tailBytes, tailBytes + 1000, tailBytes + 1001, 300 << 10, 1 << 20} {
			for _, step := range []int{1001, tailBytes, 1 << 20} {
				f(limit, size, step)
			}
		}
	}
	// A claimed length reserves little.
	var c capture
	c.reset(1 << 30)
	c.expect(1 << 40)
	if cap(c.data) > 1<<20 {
		t.Errorf("%d bytes reserved for a claim", cap(c.data))
	}
	n, err := c.readFrom(strings.NewReader("abc"), 2)
	if n != 2 || err != nil || string(c.data) != "ab" {
		t.Errorf("read %d %v %q", n, err, c.data)
	}
	if _, err := c.readFrom(strings.NewReader(""), 2); err != io.EOF {
		t.Error(err)
	}
}
