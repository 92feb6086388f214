package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

const (
	defaultMaxIdle = 55 * time.Second // just below what most providers allow
	staleAfter     = time.Second      // idle connections older than this are looked at before use
)

// address is what a connection goes to. Providers with the same address share connections.
type address struct {
	tls  bool
	host string
	port int
}

func (u *Upstream) address() address { return address{u.Scheme == "https", u.Host, u.Port} }

// pool keeps idle upstream connections, the freshest on top.
type pool struct {
	tls  *tls.Config
	dial net.Dialer

	mu     sync.Mutex
	idle   map[address][]*upConn
	closed bool
	open   int // connections in use or idle
	stop   chan struct{}
	ended  chan struct{}
}

// upConn is a connection to an upstream.
type upConn struct {
	net.Conn
	tcp     net.Conn
	raw     *rawReader // nil under TLS
	end     *endOf     // under TLS
	to      address
	since   time.Time // idle since
	maxIdle time.Duration
	reused  bool
	pool    *pool
}

// endOf notes whether a TCP connection has ended. Under TLS an end without a
// close_notify before it may be a cut, but crypto/tls reports both as io.EOF.
type endOf struct {
	net.Conn
	ended bool
}

func (e *endOf) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	e.ended = e.ended || err == io.EOF
	return n, err
}

func newPool(base *tls.Config) *pool {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		conf = base.Clone()
	}
	conf.NextProtos = []string{"http/1.1"}
	if conf.ClientSessionCache == nil {
		conf.ClientSessionCache = tls.NewLRUClientSessionCache(256)
	}
	p := &pool{tls: conf, idle: map[address][]*upConn{}, stop: make(chan struct{}), ended: make(chan struct{})}
	go p.sweep()
	return p
}

// get returns an idle connection, or nil.
func (p *pool) get(to address, now time.Time) *upConn {
	for {
		p.mu.Lock()
		list := p.idle[to]
		if len(list) == 0 {
			p.mu.Unlock()
			return nil
		}
		u := list[len(list)-1]
		list[len(list)-1] = nil
		p.idle[to] = list[:len(list)-1]
		p.mu.Unlock()
		age := now.Sub(u.since)
		if age < u.maxIdle && (age < staleAfter || !stale(u.tcp)) {
			u.reused = true
			return u
		}
		u.drop()
	}
}

// dialNew opens a connection. The error is errTimeout when a configured time ran out.
func (p *pool) dialNew(ctx context.Context, up *Upstream) (*upConn, error) {
	to := up.address()
	hostport := net.JoinHostPort(to.host, strconv.Itoa(to.port))
	c, err := within(ctx, up.Timeouts.Connect, func(ctx context.Context) (net.Conn, error) {
		return p.dial.DialContext(ctx, "tcp", hostport)
	})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", hostport, err)
	}
	u := &upConn{Conn: c, tcp: c, to: to, pool: p, maxIdle: up.MaxIdle}
	if u.maxIdle <= 0 {
		u.maxIdle = defaultMaxIdle
	}
	if to.tls {
		conf := p.tls
		if conf.ServerName == "" {
			conf = conf.Clone()
			conf.ServerName = to.host
		}
		u.end = &endOf{Conn: c}
		tc := tls.Client(u.end, conf)
		if _, err := within(ctx, up.Timeouts.TLS, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, tc.HandshakeContext(ctx)
		}); err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("TLS handshake with %s: %w", hostport, err)
		}
		u.Conn = tc
	} else {
		u.raw = newRawReader(c)
	}
	p.mu.Lock()
	p.open++
	p.mu.Unlock()
	return u, nil
}

// errTimeout wraps errors that come of a configured time that ran out.
var errTimeout = errors.New("timeout")

func within[T any](ctx context.Context, d time.Duration, do func(context.Context) (T, error)) (T, error) {
	if d <= 0 {
		return do(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d, errTimeout)
	defer cancel()
	v, err := do(ctx)
	if err != nil && context.Cause(ctx) == errTimeout {
		err = fmt.Errorf("%w after %v: %w", errTimeout, d, err)
	}
	return v, err
}

// put gives a connection back whose exchange ended cleanly. timed says that a
// deadline was set on it.
func (u *upConn) put(now time.Time, timed bool) {
	if timed && u.SetDeadline(time.Time{}) != nil {
		u.drop()
		return
	}
	u.since = now
	p := u.pool
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.idle[u.to] = append(p.idle[u.to], u)
	}
	p.mu.Unlock()
	if closed {
		u.drop()
	}
}

// drop closes a connection for good.
func (u *upConn) drop() {
	_ = u.tcp.Close() // without the TLS goodbye: it could block
	u.pool.mu.Lock()
	u.pool.open--
	u.pool.mu.Unlock()
}

// sweep closes connections that were idle for too long.
func (p *pool) sweep() {
	defer close(p.ended)
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			for _, u := range p.expired(now) {
				u.drop()
			}
		}
	}
}

func (p *pool) expired(now time.Time) (old []*upConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for to, list := range p.idle {
		keep := list[:0]
		for _, u := range list {
			if now.Sub(u.since) < u.maxIdle {
				keep = append(keep, u)
			} else {
				old = append(old, u)
			}
		}
		clear(list[len(keep):])
		if p.idle[to] = keep; len(keep) == 0 {
			delete(p.idle, to)
		}
	}
	return old
}

func (p *pool) counts() (open, idle int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.idle {
		idle += len(l)
	}
	return p.open, idle
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = map[address][]*upConn{}
	p.mu.Unlock()
	close(p.stop)
	<-p.ended
	for _, l := range idle {
		for _, u := range l {
			u.drop()
		}
	}
}
