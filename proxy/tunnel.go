package proxy

import (
	"crypto/rand"
	"errors"
	"io"
	"net"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// tunnel relays a connection that both sides have agreed to use for another
// protocol (101): bytes both ways, as they come, until either side ends. p is
// what the upstream sent behind its head.
func (x *exchange) tunnel(p []byte) bool {
	c, u := x.c, x.up
	if c.watched {
		x.s.watch.done(c)
		c.watched = false
	}
	x.answer.reset(kindClose, 0)
	x.answer.add(p)
	x.allowCalls()
	if d := x.route.Upstream.Dialect; d != nil {
		x.ex.Observer = x.observer(d)
	}
	c.mu.Lock()
	x.tunnelled = true
	c.mu.Unlock()
	hb := getBuf()
	err := writeAll(c.conn, x.appendAnswerHead(hb[:0], ""), p)
	putBuf(hb)
	x.ex.FirstWrite = time.Now()
	if err != nil {
		c.hangUp()
		x.ex.Ended = llm.EndClientGone
		return false
	}
	x.show(x.ex.FirstWrite)

	seen := &order{show: x.shown}
	up := &direction{way: upward, from: c.conn, fromRaw: c.raw, to: u.Conn, seen: seen}
	down := &direction{way: downward, from: u.Conn, fromRaw: u.raw, to: c.conn, seen: seen}
	x.captured.reset(0)
	first := append(append([]byte(nil), c.ahead...), c.in...)
	c.ahead = nil
	c.release()
	done := make(chan error, 1)
	go func() {
		err := up.pass(first)
		if err == nil {
			err = up.run()
		}
		_ = u.SetDeadline(past) // the caller has ended it
		done <- err
	}()
	derr := down.run()
	x.ex.ProviderLeft = errors.Is(derr, io.EOF) || isReset(derr)
	_ = c.conn.SetDeadline(past)
	<-done
	seen.release()
	x.ex.Ended = llm.EndComplete
	if isReset(derr) && !c.gone.Load() {
		x.ex.Ended, x.ex.Err = llm.EndUpstreamCut, "the provider reset the connection"
	}
	return false
}

// lastWords is how long the provider may take to read what a caller sent before it
// went away.
const lastWords = 10 * time.Second

// allowCalls lets the observer of a tunnel record calls that end within it.
func (x *exchange) allowCalls() {
	ex := x.ex
	_, _ = rand.Read(ex.Trace[:])
	_, _ = rand.Read(ex.Span[:])
	s, conf := x.s, x.conf
	ex.Emit = func(call *llm.Exchange) {
		id := newCallID()
		call.ID, call.Session, call.Trace, call.Around = id, ex.ID, ex.Trace, ex.Span
		call.Provider, call.Method, call.Target, call.UpstreamTarget = ex.Provider, ex.Method, ex.Target, ex.UpstreamTarget
		call.Scheme, call.Host, call.Port = ex.Scheme, ex.Host, ex.Port
		call.RequestHeader, call.ResponseHeader = ex.RequestHeader, ex.ResponseHeader
		call.Status = ex.Status
		if limit := conf.CaptureRequestBytes; len(call.Request.Data) > limit {
			call.Request.Data, call.Request.Head, call.Request.Truncated = call.Request.Data[:limit], limit, true
		}
		s.stats.exchanges.Add(1)
		if !s.set.Recorder.Record(call) {
			s.stats.unrecorded.Add(1)
		}
	}
}

// The ways through a tunnel.
const (
	upward   = 0
	downward = 1
)

// shown shows the observer what was written one way.
func (x *exchange) shown(way int, p []byte, at time.Time) {
	defer x.faulty()
	if way == downward {
		x.ex.Response.Size += int64(len(p))
		if x.ex.Observer != nil {
			x.ex.Observer.Wrote(p, at)
		}
		return
	}
	x.captured.size += int64(len(p)) // counted, not kept: the observer reads it
	if d, ok := x.ex.Observer.(llm.Duplex); ok {
		d.Sent(p, at)
	}
}

// direction is one way of a tunnel.
type direction struct {
	way     int
	from    net.Conn
	fromRaw *rawReader
	to      net.Conn
	seen    *order
}

func (d *direction) run() error {
	for {
		b, n, err := d.read()
		if err != nil {
			return err
		}
		err = d.pass(b[:n])
		putBuf(b)
		if err != nil {
			return err
		}
	}
}

func (d *direction) read() (*[bufSize]byte, int, error) {
	if d.fromRaw != nil {
		return d.fromRaw.read()
	}
	b := getBuf()
	n, err := d.from.Read(b[:])
	if n > 0 {
		return b, n, nil
	}
	putBuf(b)
	return nil, 0, err
}

// pass writes first and shows after.
func (d *direction) pass(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	d.seen.begin(d.way)
	if _, err := d.to.Write(p); err != nil {
		d.seen.failed(d.way)
		return err
	}
	d.seen.done(d.way, p, time.Now())
	return nil
}
