package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Server relays what callers send to the providers that its Router names. Its
// methods may be called by many goroutines.
type Server struct {
	set   Settings
	conf  atomic.Pointer[Config]
	pool  *pool
	watch watcher
	stats counters

	hints hints

	closing atomic.Bool
	mu      sync.Mutex
	lns     map[net.Listener]struct{}
	callers map[*caller]struct{}
	served  sync.WaitGroup // callers' goroutines
	stop    chan struct{}  // ends the sweeper
	swept   chan struct{}
}

// New returns a server that serves nothing yet. Settings.Router and Recorder must be set.
func New(conf Config, set Settings) (*Server, error) {
	if err := conf.Validate(); err != nil {
		return nil, err
	}
	if set.Log == nil {
		set.Log = slog.Default()
	}
	w, err := newWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch for hang-ups: %w", err)
	}
	return newServer(conf, set, w), nil
}

func newServer(conf Config, set Settings, w watcher) *Server {
	s := &Server{
		set: set, pool: newPool(set.UpstreamTLS), watch: w,
		lns: map[net.Listener]struct{}{}, callers: map[*caller]struct{}{},
		stop: make(chan struct{}), swept: make(chan struct{}),
	}
	s.conf.Store(&conf)
	go s.sweep()
	return s
}

// Reconfigure puts another configuration in force for requests that come from now
// on. Streams that run are not touched.
func (s *Server) Reconfigure(conf Config) error {
	if err := conf.Validate(); err != nil {
		return err
	}
	s.conf.Store(&conf)
	return nil
}

// ErrClosed is what Serve returns after Shutdown.
var ErrClosed = errors.New("the proxy is shut down")

// Serve accepts callers on ln, which must yield TCP connections, until Shutdown
// or until ln fails for good. It closes ln.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		return ErrClosed
	}
	s.lns[ln] = struct{}{}
	s.mu.Unlock()
	local := onLoopback(ln.Addr())
	for {
		conn, err := ln.Accept()
		if err != nil {
			if s.closing.Load() {
				return ErrClosed
			}
			// Out of descriptors, or a caller that left the queue: it passes.
			//lint:ignore SA1019 it is the only word there is for errors of accept(2) that pass
			if ne, ok := err.(net.Error); ok && ne.Temporary() {
				s.set.Log.Warn("cannot accept a connection", "error", err)
				select {
				case <-time.After(20 * time.Millisecond):
					continue
				case <-s.stop:
					return ErrClosed
				}
			}
			return fmt.Errorf("accept: %w", err)
		}
		s.accept(conn, local)
	}
}

func (s *Server) accept(conn net.Conn, local bool) {
	c := &caller{conn: conn, tcp: conn, local: local}
	if s.set.TLS != nil {
		c.conn = tls.Server(conn, s.set.TLS)
	} else {
		c.raw = newRawReader(conn)
	}
	limit := s.conf.Load().MaxConnections
	s.mu.Lock()
	full := limit > 0 && len(s.callers) >= limit
	if !s.closing.Load() {
		s.callers[c] = struct{}{}
		s.served.Add(1)
		s.mu.Unlock()
		go s.serve(c, full)
		return
	}
	s.mu.Unlock()
	_ = conn.Close()
}

func (s *Server) forget(c *caller) {
	s.watch.remove(c)
	s.mu.Lock()
	delete(s.callers, c)
	s.mu.Unlock()
	if tc, ok := c.conn.(*tls.Conn); ok && !c.cut {
		_ = c.tcp.SetDeadline(time.Now().Add(time.Second)) // the goodbye must not block
		_ = tc.Close()
	}
	_ = c.tcp.Close()
	s.served.Done()
}

// Shutdown stops accepting, closes idle connections and waits until the exchanges
// that run have ended and were recorded; when ctx ends first they are cut. It
// returns ctx's error in that case.
func (s *Server) Shutdown(ctx context.Context) error {
	if !s.closing.CompareAndSwap(false, true) {
		s.served.Wait()
		return nil
	}
	s.mu.Lock()
	for ln := range s.lns {
		_ = ln.Close()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.served.Wait(); close(done) }()
	var err error
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for wait := true; wait; {
		s.closeCallers(func(c *caller) bool { return c.idleSince.Load() != 0 })
		select {
		case <-done:
			wait = false
		case <-ctx.Done():
			err = ctx.Err()
			s.closeCallers(func(*caller) bool { return true })
			<-done
			wait = false
		case <-tick.C: // a connection may have become idle after it was looked at
		}
	}
	close(s.stop)
	<-s.swept
	s.pool.close()
	s.watch.close()
	return err
}

func (s *Server) closeCallers(which func(*caller) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.callers {
		if which(c) {
			_ = c.tcp.SetDeadline(past)
			c.hangUp()
		}
	}
}

// sweep closes callers' connections that were idle for too long. One ticker for
// all costs a request nothing; a deadline each would.
func (s *Server) sweep() {
	defer close(s.swept)
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			if keep := s.conf.Load().KeepAlive; keep > 0 {
				old := now.Add(-keep).UnixNano()
				s.closeCallers(func(c *caller) bool { t := c.idleSince.Load(); return t != 0 && t < old })
			}
		}
	}
}
