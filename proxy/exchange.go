package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// exchange relays one request and its answer. One value serves all exchanges of a
// caller's connection, one after the other, on the connection's goroutine; only
// callerGone is called from elsewhere, under caller.mu.
type exchange struct {
	s    *Server
	c    *caller
	conf *Config
	ex   *llm.Exchange

	req, res head
	route    Route
	body     framing // of the request
	answer   framing // of the response
	captured capture // of the request body
	answered capture // of the response body; nothing unless Settings.KeepAnswers

	up     *upConn            // guarded by caller.mu for callerGone
	cancel context.CancelFunc // while a connection is made; the same

	drain     time.Duration // how long an answer may go on without its caller; guarded too
	tunnelled bool          // bytes go both ways, until either side ends; guarded too

	sent      bool      // the whole request was read from the caller and written upstream
	deserted  bool      // the caller is gone and the answer is read to its end all the same
	renew     time.Time // when the idle deadlines are to be set again
	timed     bool      // a deadline of ours is set on the caller's connection
	first     []byte    // what came of the body with the head, framing and all
	taken     int       // bytes of caller.in that are this request's and in use
	whole     []byte    // the content of the request body, when all of it is at hand
	uploading chan uploaded
	large     *[largeSize]byte // of the upload
	held      holding          // for the keeper
	signed    []byte           // the head to send, with its signature; nil: not signed

	filter Filter // takes out of the answer what an edit brought into it; nil: verbatim
	edited struct {
		at     int
		insert string
		cut    Filter
	}
}

// relay serves the request whose head was read. It returns whether the caller's
// connection can serve another one.
func (x *exchange) relay() bool {
	x.begin()
	x.s.stats.active.Add(1)
	again := x.run()
	x.finish()
	return again && !x.c.gone.Load()
}

func (x *exchange) begin() {
	now := time.Now()
	id := newCallID()
	x.conf = x.s.conf.Load()
	x.route, x.up, x.cancel, x.drain, x.uploading, x.whole, x.signed = Route{}, nil, nil, 0, nil, nil, nil
	x.first, x.taken = nil, 0
	x.sent, x.deserted, x.timed, x.tunnelled, x.renew = false, false, false, false, time.Time{}
	x.edited.at, x.edited.insert, x.edited.cut = 0, "", nil
	x.held = holding{}
	x.captured.reset(x.conf.CaptureRequestBytes)
	x.answered.reset(x.s.set.KeepAnswers)
	x.ex = &llm.Exchange{
		ID: id, Start: now,
		Method: method(x.req.method), Target: string(x.req.target),
		RequestHeader: append(llm.Header(nil), x.req.fields...),
	}
	for i, n := range x.req.nominated { // they outlive the buffer of the head
		x.req.nominated[i] = bytes.Clone(n)
	}
}

// method spares the copy of the names that nearly every request has.
func method(b []byte) string {
	switch string(b) {
	case "POST":
		return "POST"
	case "GET":
		return "GET"
	}
	return string(b)
}

// run goes through the phases: route, request, answer.
func (x *exchange) run() bool {
	if f, ok := x.admit(); !ok {
		return x.fail(f)
	}
	x.c.run(x)
	defer x.c.run(nil)
	if x.req.expect && !x.req.http10 && !x.bodyArrived() {
		if _, err := x.c.conn.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			x.c.hangUp()
		}
	}
	if f, ok := x.prepare(); !ok {
		return x.fail(f)
	}
	if f, ok := x.sign(); !ok {
		return x.fail(f)
	}
	for {
		buf, n, err := x.ask()
		if err == nil {
			return x.respond(buf, n)
		}
		var f *failure
		if errors.As(err, &f) {
			return x.fail(*f)
		}
		if !x.again(err) {
			return x.fail(x.broken(err))
		}
		x.ex.Retries++
		x.s.stats.retries.Add(1)
	}
}

func (f *failure) Error() string { return f.message }

// admit finds the route, and refuses what cannot be relayed.
func (x *exchange) admit() (f failure, ok bool) {
	ex := x.ex
	kind := kindNone
	if x.req.chunked {
		kind = kindChunked
	} else if x.req.length > 0 {
		kind = kindLength
	}
	x.body.reset(kind, max(x.req.length, 0))
	x.body.keepTrailer = true
	x.taken = x.req.n
	if ex.Target == "" || ex.Target[0] != '/' {
		return failure{400, "bad_request", "the request target must be a path: this is a reverse proxy"}, false
	}
	if limit := x.conf.MaxRequestBytes; limit > 0 && x.req.length > limit {
		return tooLarge, false
	}
	route, err := x.s.set.Router.Route(ex.Method, ex.Target, ex.RequestHeader)
	if err != nil {
		return failure{404, "no_route", err.Error()}, false
	}
	x.route = route
	up := route.Upstream
	ex.Provider, ex.UpstreamTarget = up.Name, route.Target
	ex.Scheme, ex.Host, ex.Port = up.Scheme, up.Host, up.Port
	if !up.lends() {
		return failure{}, true
	}
	if strings.EqualFold(ex.Method, "TRACE") {
		// The answer to it is the request, with what was configured for it
		// (RFC 9110 section 9.3.8).
		return failure{403, "forbidden", "TRACE would show the credentials that are configured for provider " + up.Name}, false
	}
	if f, ok := x.admitPage(); !ok {
		return f, false
	}
	return x.admitSigned()
}

// bodyArrived says that there is nothing more to wait for.
func (x *exchange) bodyArrived() bool {
	return x.body.done || x.req.length >= 0 && int64(len(x.c.in)-x.req.n) >= x.req.length
}

// again says whether a request may be sent once more on another connection: the
// one it was sent on had been idle and died before it answered anything, as idle
// connections do, and the whole request is still at hand.
func (x *exchange) again(err error) bool {
	return x.up != nil && x.up.reused && !isTimeout(err) && !x.c.gone.Load() && x.whole != nil && x.ex.Retries < 3
}

// broken says what to answer when an upstream was reached and gave no answer.
func (x *exchange) broken(err error) failure {
	switch {
	case isTimeout(err):
		return failure{504, "upstream_timeout", "provider " + x.route.Upstream.Name + " did not answer in time"}
	case errors.Is(err, errBadAnswer):
		return failure{502, "bad_upstream_response", "provider " + x.route.Upstream.Name + " sent a malformed response"}
	}
	return failure{502, "upstream_closed", "provider " + x.route.Upstream.Name + " closed the connection without an answer"}
}

var errBadAnswer = errors.New("malformed response")

// attach makes an upstream connection the one that a hang-up ends.
func (x *exchange) attach(u *upConn, cancel context.CancelFunc) {
	x.c.mu.Lock()
	x.up, x.cancel = u, cancel
	x.c.mu.Unlock()
	if x.c.gone.Load() {
		x.c.hangUp()
	}
}

// drop closes the upstream connection, if there is one.
func (x *exchange) drop() {
	x.c.mu.Lock()
	u := x.up
	x.up = nil
	x.c.mu.Unlock()
	if u != nil {
		u.drop()
	}
}

// callerGone ends what runs upstream, or bounds it where the rest is to be read.
func (x *exchange) callerGone() {
	if x.cancel != nil {
		x.cancel()
	}
	if x.up == nil {
		return
	}
	if x.tunnelled {
		// The end of what it sent is met behind all of it: the tunnel sees to that.
		_ = x.up.SetWriteDeadline(time.Now().Add(lastWords))
		return
	}
	end := past
	if x.drain > 0 {
		end = time.Now().Add(x.drain)
	}
	_ = x.up.SetDeadline(end)
	_ = x.c.conn.SetWriteDeadline(past)
}

// finish completes the record and hands it over.
func (x *exchange) finish() {
	ex, c := x.ex, x.c
	c.run(nil)
	x.drop()
	x.consume()
	if x.timed {
		_ = c.conn.SetDeadline(time.Time{})
	}
	if c.watched {
		x.s.watch.done(c)
		c.watched = false
	}
	ex.End = time.Now()
	if x.route.Upstream != nil && x.route.Upstream.Signer != nil {
		x.captured.shrink(x.conf.CaptureRequestBytes)
	}
	ex.Request = x.captured.body()
	if x.tunnelled { // nothing is left out: the observer has seen it
		ex.Request = llm.Body{Size: ex.Request.Size}
	}
	if x.s.set.KeepAnswers > 0 {
		kept := x.answered.body()
		ex.Response.Data, ex.Response.Head, ex.Response.Truncated = kept.Data, kept.Head, kept.Truncated
		x.answered.data, x.answered.tail = nil, nil
	}
	if len(ex.Request.Data) > smallBody && x.s.set.Recorder.Pressed() {
		ex.Request = llm.Body{Size: ex.Request.Size, Truncated: true}
		ex.Response = llm.Body{Size: ex.Response.Size, Truncated: ex.Response.Data != nil}
		x.captured.recycle()
	}
	st := &x.s.stats
	switch ex.Ended {
	case llm.EndClientGone:
		st.gone.Add(1)
	case llm.EndUpstreamCut:
		st.cut.Add(1)
	case llm.EndTimeout:
		st.timeouts.Add(1)
	}
	st.in.Add(ex.Request.Size)
	st.out.Add(ex.Response.Size)
	st.exchanges.Add(1)
	st.active.Add(-1)
	x.ex, x.captured.data, x.captured.tail, x.whole, x.edited.cut, x.signed = nil, nil, nil, nil, nil, nil
	x.record(ex)
}

// touch renews the idle deadlines of both sides. Deadlines cost a timer: they
// are moved only when a part of their time is over.
func (x *exchange) touch(now time.Time) {
	idle := x.route.Upstream.Timeouts.Idle
	if idle <= 0 || now.Before(x.renew) || x.c.gone.Load() {
		return
	}
	x.renew = now.Add(idle / 8)
	x.timed = true
	_ = x.up.SetReadDeadline(now.Add(idle))
	_ = x.c.conn.SetWriteDeadline(now.Add(idle))
	if x.c.gone.Load() { // it was said in between: our deadlines must not outlive it
		x.c.hangUp()
	}
}

func isTLS(err error) bool {
	var rh tls.RecordHeaderError
	var al tls.AlertError
	var cv *tls.CertificateVerificationError
	var ua x509.UnknownAuthorityError
	var hn x509.HostnameError
	return errors.As(err, &rh) || errors.As(err, &al) || errors.As(err, &cv) || errors.As(err, &ua) || errors.As(err, &hn)
}
