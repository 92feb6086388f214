package proxy

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// watcher notices callers that hang up while nothing is read from them.
type watcher interface {
	// add begins to watch a connection; remove ends it, before it is closed.
	add(*caller) error
	remove(*caller)
	// waiting brackets the time in which the caller's request was read whole and
	// its answer is still going on.
	waiting(*caller)
	done(*caller)
	close()
}

// caller is a connection from an application.
type caller struct {
	conn net.Conn // TCP or TLS: what is read and written
	tcp  net.Conn // the socket beneath
	raw  *rawReader
	id   uint64 // of the watcher

	local bool // it came to an address on loopback

	in  []byte         // bytes read and not used yet
	buf *[bufSize]byte // pooled buffer that in lies in; nil when it has its own

	gone      atomic.Bool
	idleSince atomic.Int64 // Unix nanoseconds since when it waits for a request; 0 while it is served
	watched   bool         // the watcher was told to wait
	cut       bool         // the connection ends without a goodbye, so that the caller can tell

	mu      sync.Mutex
	running *exchange // to be told when the caller goes away

	ahead []byte        // bytes that the background watcher read: the start of the next request
	watch chan struct{} // background watcher: closed when its read has returned
}

// hangUp marks the caller as gone and ends what runs for it.
func (c *caller) hangUp() {
	c.gone.Store(true)
	c.mu.Lock()
	x := c.running
	if x != nil {
		x.callerGone()
	}
	c.mu.Unlock()
}

// run sets the exchange that is told of a hang-up; nil for none.
func (c *caller) run(x *exchange) {
	c.mu.Lock()
	c.running = x
	c.mu.Unlock()
}

// past is a deadline that makes a blocked read or write return at once.
var past = time.Unix(1, 0)

// background watches by reading one byte ahead in a goroutine while an answer is
// relayed. It is for systems without epoll: a goroutine and a few system calls a
// request, but the same behaviour.
type background struct{}

func (background) add(*caller) error { return nil }
func (background) remove(*caller)    {}
func (background) close()            {}

func (background) waiting(c *caller) {
	done := make(chan struct{})
	c.watch = done
	go func() {
		defer close(done)
		var one [1]byte
		n, err := c.conn.Read(one[:])
		c.ahead = append(c.ahead, one[:n]...)
		if ne, ok := err.(net.Error); err != nil && !(ok && ne.Timeout()) {
			c.hangUp()
		}
	}()
}

func (background) done(c *caller) {
	if c.watch == nil {
		return
	}
	_ = c.conn.SetReadDeadline(past)
	<-c.watch
	c.watch = nil
	_ = c.conn.SetReadDeadline(time.Time{})
}
