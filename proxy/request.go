package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// editLimit bounds the bodies that a dialect may look at before they are sent.
const editLimit = 4 << 20

// prepare takes what has arrived of the request body, and all of it where the
// dialect may want to edit it.
func (x *exchange) prepare() (failure, bool) {
	c := x.c
	if x.body.kind == kindLength {
		x.captured.expect(x.req.length)
	}
	in := c.in[x.req.n:]
	n, err := x.body.feed(in)
	if err != nil {
		return failure{400, "bad_request", "malformed request: " + err.Error()}, false
	}
	for _, p := range x.body.content {
		x.captured.write(p)
	}
	if limit := x.conf.MaxRequestBytes; limit > 0 && x.captured.size > limit {
		return tooLarge, false
	}
	x.first, x.taken = in[:n], x.req.n+n
	wanted := x.editable()
	switch {
	case x.body.done:
	case wanted || x.signing() && x.body.kind == kindLength:
		x.consume()
		if f, ok := x.gather(); !ok {
			return f, false
		}
	case x.signing():
		x.consume()
		if f, ok := x.gatherChunks(); !ok {
			return f, false
		}
	}
	if x.body.done {
		x.atHand()
		if x.body.kind != kindChunked && x.captured.whole() {
			x.consume() // the copy serves as well
		}
		c.watching(x)
	}
	if wanted {
		e := &x.edited
		e.at, e.insert, e.cut = x.route.Upstream.Dialect.Edit(x.ex.Method, x.route.Target, x.whole)
		x.ex.UsageAsked = e.insert != ""
	}
	return failure{}, true
}

var tooLarge = failure{413, "request_too_large", "the request body is larger than max_request_bytes"}

// consume gives up the caller's bytes that belong to this request.
func (x *exchange) consume() {
	if x.taken > 0 {
		x.c.consume(x.taken)
	}
	x.first, x.taken = nil, 0
}

// atHand makes the whole body available for sending it at once or once more, if
// nothing of it was left out of the copy.
func (x *exchange) atHand() {
	switch {
	case x.body.hasTrailers():
	case x.captured.whole():
		if x.whole = x.captured.data; x.whole == nil {
			x.whole = []byte{}
		}
	case x.body.kind != kindChunked && x.first != nil:
		x.whole = x.first
	}
}

// watching tells the watcher that nothing is read from the caller for a while.
func (c *caller) watching(x *exchange) {
	c.watched = true
	x.s.watch.waiting(c)
}

// editable says whether the dialect wants to see the body of this request.
func (x *exchange) editable() bool {
	d := x.route.Upstream.Dialect
	return d != nil && x.body.kind == kindLength && !x.req.http10 &&
		x.req.length <= editLimit && x.req.length <= int64(x.captured.limit) &&
		d.WantsBody(x.ex.Method, x.route.Target) && x.ex.RequestHeader.Get("content-encoding") == ""
}

// gather reads the rest of a request body straight into its copy.
func (x *exchange) gather() (failure, bool) {
	idle := x.route.Upstream.Timeouts.Idle
	for x.body.left > 0 {
		if idle > 0 {
			_ = x.c.conn.SetReadDeadline(time.Now().Add(idle))
		}
		n, err := x.captured.readFrom(x.c.conn, x.body.left)
		x.body.left -= int64(n)
		if err != nil && x.body.left > 0 {
			return x.lostCaller(err)
		}
	}
	if idle > 0 {
		_ = x.c.conn.SetReadDeadline(time.Time{})
	}
	x.body.done = true
	return failure{}, true
}

// lostCaller says how a request ended whose body did not come.
func (x *exchange) lostCaller(err error) (failure, bool) {
	if isTimeout(err) && !x.c.gone.Load() {
		return failure{408, "request_timeout", "the request body did not arrive in time"}, false
	}
	x.c.hangUp()
	x.ex.Ended = llm.EndClientGone
	return failure{400, "client_gone", "the caller went away before its request was complete"}, false
}

// ask sends the request on a connection and waits for the first bytes of an
// answer, which it returns in a buffer that the caller of ask puts back.
func (x *exchange) ask() (*[bufSize]byte, int, error) {
	x.drop()
	if err := x.connect(); err != nil {
		return nil, 0, err
	}
	werr := x.send()
	if t := x.route.Upstream.Timeouts.Header; t > 0 && x.uploading == nil {
		x.answerBy(t)
	}
	if werr != nil { // it may have refused the request before it was read to the end
		x.answerBy(time.Second)
	} else {
		x.ex.Sent = time.Now()
		if d := x.route.Upstream.Disconnect; d.Drain && x.uploading == nil {
			x.c.mu.Lock()
			x.drain = d.Time
			x.c.mu.Unlock()
		}
	}
	x.sent = werr == nil && x.uploading == nil
	buf, n, err := x.read()
	if err == nil {
		return buf, n, nil
	}
	if x.uploading != nil {
		if f := x.afterUpload(err); f != nil {
			return nil, 0, f
		}
	}
	if werr != nil && isTimeout(err) {
		err = werr
	}
	return nil, 0, err
}

// connect takes an idle connection or makes a new one.
func (x *exchange) connect() error {
	up := x.route.Upstream
	if u := x.s.pool.get(up.address(), time.Now()); u != nil {
		x.attach(u, nil)
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	x.attach(nil, cancel)
	u, err := x.s.pool.dialNew(ctx, up)
	x.attach(u, nil)
	if err != nil {
		x.s.unreached(up, err)
		f := unreachable(up.Name, err)
		return &f
	}
	return nil
}

// answerBy sets when the next bytes must have come, unless the caller is gone.
func (x *exchange) answerBy(d time.Duration) {
	x.timed = true
	_ = x.up.SetReadDeadline(time.Now().Add(d))
	if x.c.gone.Load() {
		x.c.hangUp()
	}
}

// read waits for bytes of the upstream.
func (x *exchange) read() (*[bufSize]byte, int, error) {
	if x.up.raw != nil {
		return x.up.raw.read()
	}
	b := getBuf()
	n, err := x.up.Read(b[:])
	if n > 0 {
		return b, n, nil
	}
	putBuf(b)
	if err == io.EOF && x.up.end != nil && x.up.end.ended {
		err = io.ErrUnexpectedEOF
	}
	return nil, 0, err
}

// send writes the request: head and body at once when the body is at hand, else
// what has come of it, and starts the upload of the rest.
func (x *exchange) send() error {
	hb := getBuf()
	defer putBuf(hb)
	if x.signed != nil {
		return x.sendWhole(append(hb[:0], x.signed...))
	}
	out := x.appendHead(hb[:0])
	if x.first == nil || x.body.kind != kindChunked && x.body.done {
		return x.sendWhole(out)
	}
	err := writeAll(x.up, out, x.first)
	x.consume()
	if !x.body.done {
		x.startUpload(err)
		return nil
	}
	return err
}

func (x *exchange) sendWhole(out []byte) error {
	body := x.whole
	if x.body.kind == kindChunked && x.signed == nil { // sent again: the content in one chunk
		out = strconv.AppendInt(out, int64(len(body)), 16)
		out = append(out, "\r\n"...)
		if len(body) == 0 {
			return writeAll(x.up, append(out, "\r\n"...))
		}
		return writeAll(x.up, out, body, []byte("\r\n0\r\n\r\n"))
	}
	if e := &x.edited; e.insert != "" {
		return writeAll(x.up, out, body[:e.at], []byte(e.insert), body[e.at:])
	}
	return writeAll(x.up, out, body)
}

// writeAll writes parts with one system call: copied together when they fit
// behind the first, which lies in a pooled buffer.
func writeAll(w net.Conn, first []byte, parts ...[]byte) error {
	var err error
	n := len(first)
	for _, p := range parts {
		n += len(p)
	}
	if n <= cap(first) {
		for _, p := range parts {
			first = append(first, p...)
		}
		_, err = w.Write(first)
		return err
	}
	if tcp, ok := w.(*upConn); ok && tcp.raw != nil {
		w = tcp.Conn // the socket itself can write many parts at once
	}
	v := append(net.Buffers{first}, parts...)
	_, err = v.WriteTo(w)
	return err
}

// appendHead builds the request head for the upstream: the caller's lines as they
// are, without those that belong to its connection, with the upstream's Host.
func (x *exchange) appendHead(b []byte) []byte {
	b = x.appendStart(b)
	if len(x.whole) > 0 && x.edited.insert != "" {
		b = x.appendFields(b, strconv.Itoa(len(x.whole)+len(x.edited.insert)))
	} else {
		b = x.appendFields(b, "")
	}
	return append(b, "\r\n"...)
}

func (x *exchange) appendStart(b []byte) []byte {
	b = append(b, x.ex.Method...)
	b = append(b, ' ')
	b = append(b, x.route.Target...)
	if x.req.http10 {
		return append(b, " HTTP/1.0\r\n"...)
	}
	return append(b, " HTTP/1.1\r\n"...)
}

// appendFields writes the fields; length, when given, is what the body has after it
// was edited, or taken out of its chunks.
func (x *exchange) appendFields(b []byte, length string) []byte {
	up := x.route.Upstream
	hosted := false
	for rest := []byte(x.ex.RequestHeader); len(rest) > 0; {
		before := rest
		name, _, after, err := nextField(rest)
		if err != nil {
			panic(fmt.Sprintf("BUG: a checked head has a malformed field: %v", err))
		}
		rest = after
		switch {
		case fold(name, "host"):
			b, hosted = appendHost(b, name, up), true
			continue
		case length != "" && fold(name, "content-length"):
			b = append(append(append(append(b, name...), ": "...), length...), "\r\n"...)
			continue
		case length != "" && fold(name, "transfer-encoding"):
			b = append(append(append(b, "Content-Length: "...), length...), "\r\n"...)
			continue
		case length != "" && x.req.chunked && fold(name, "trailer"):
			continue
		case x.leftOut(name):
			continue
		}
		b = append(b, before[:len(before)-len(after)]...)
	}
	if !hosted {
		b = appendHost(b, []byte("Host"), up)
	}
	for _, f := range up.Set {
		if equalFold([]byte("host"), f.Name) {
			continue // it stands above
		}
		b = append(append(append(append(b, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	return b
}

// appendHost writes the name that the upstream is called by: its own, unless it is
// to be called by another (behind a load balancer that tells names apart).
func appendHost(b, name []byte, up *Upstream) []byte {
	b = append(append(b, name...), ": "...)
	for i := range up.Set {
		if equalFold([]byte("host"), up.Set[i].Name) {
			return append(append(b, up.Set[i].Value...), "\r\n"...)
		}
	}
	if up.Scheme == "https" && up.Port == 443 || up.Scheme == "http" && up.Port == 80 {
		if isIPv6(up.Host) {
			return append(append(append(b, '['), up.Host...), "]\r\n"...)
		}
		return append(append(b, up.Host...), "\r\n"...)
	}
	b = append(b, net.JoinHostPort(up.Host, strconv.Itoa(up.Port))...)
	return append(b, "\r\n"...)
}

func isIPv6(host string) bool {
	for i := range len(host) {
		if host[i] == ':' {
			return true
		}
	}
	return false
}

// leftOut says whether a field of the caller is not sent on.
func (x *exchange) leftOut(name []byte) bool {
	if x.req.hopByHop(name) || x.req.expect && fold(name, "expect") {
		return true
	}
	up := x.route.Upstream
	for i := range up.Set {
		if equalFold(name, up.Set[i].Name) {
			return true
		}
	}
	for i := range up.Drop {
		if equalFold(name, up.Drop[i]) {
			return true
		}
	}
	d := x.s.set.Directive
	return x.conf.StripDirectives && d != nil && d(name)
}

func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if lower(b[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}
