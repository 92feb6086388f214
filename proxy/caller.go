package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"time"
)

// serve is the life of a caller's connection: one request after the other.
func (s *Server) serve(c *caller, full bool) {
	defer s.forget(c)
	defer c.release()
	if s.watch.add(c) != nil {
		return
	}
	if err := c.handshake(s.conf.Load().HeaderTimeout); err != nil {
		s.explainTLS(c, err)
		return
	}
	x := &exchange{s: s, c: c}
	for {
		if err := c.head(s.conf.Load(), &x.req); err != nil {
			if c.gone.Load() || len(c.in) == 0 {
				return
			}
			s.stats.refused.Add(1)
			s.hint(c.in)
			c.refuse(refusal(err))
			return
		}
		if full {
			s.stats.refused.Add(1)
			c.refuse(503, "too_many_connections", "the proxy serves as many connections as it is configured for (max_connections)")
			return
		}
		if !x.relay() || s.closing.Load() {
			return
		}
	}
}

// handshake makes a TLS caller show itself in time; without TLS there is nothing to do.
func (c *caller) handshake(limit time.Duration) error {
	tc, ok := c.conn.(*tls.Conn)
	if !ok {
		return nil
	}
	if limit > 0 {
		_ = tc.SetDeadline(time.Now().Add(limit))
	}
	if err := tc.Handshake(); err != nil {
		return err
	}
	return tc.SetDeadline(time.Time{})
}

// head reads until a whole request head stands in c.in, and parses it.
func (c *caller) head(conf *Config, h *head) error {
	seen, timed := 0, false
	if len(c.in) == 0 {
		c.idleSince.Store(time.Now().UnixNano())
	}
	defer c.idleSince.Store(0)
	for {
		if len(c.in) > 0 {
			if c.in = trimBlankLines(c.in); len(c.in) > 0 {
				n, err := findEnd(c.in, seen)
				if err == nil && n > conf.MaxHeaderBytes || err == errShort && len(c.in) >= conf.MaxHeaderBytes {
					return errTooLarge
				}
				if err == nil {
					if timed {
						_ = c.conn.SetReadDeadline(time.Time{})
					}
					if err = h.parseRequest(c.in[:n]); err == nil {
						err = gateCheck(c.in[:n], h)
					}
					return err
				}
				if err != errShort {
					return err
				}
				seen = len(c.in)
			}
			c.idleSince.Store(0)
			if !timed && conf.HeaderTimeout > 0 {
				timed = true
				_ = c.conn.SetReadDeadline(time.Now().Add(conf.HeaderTimeout))
			}
		}
		if err := c.fill(); err != nil {
			if timed && isTimeout(err) && !c.gone.Load() {
				return errSlowHead
			}
			c.gone.Store(true)
			return err
		}
	}
}

// trimBlankLines drops the empty lines that some clients send between requests
// (RFC 9112 section 2.2).
func trimBlankLines(b []byte) []byte {
	for bytes.HasPrefix(b, crlf) {
		b = b[2:]
	}
	return b
}

var crlf = []byte("\r\n")

// fill reads more bytes behind those in c.in.
func (c *caller) fill() error {
	if len(c.ahead) > 0 {
		c.grow(len(c.ahead))
		c.in = append(c.in, c.ahead...)
		c.ahead = c.ahead[:0]
		return nil
	}
	if len(c.in) == 0 && c.raw != nil {
		c.release()
		b, n, err := c.raw.read()
		if err != nil {
			return err
		}
		c.buf, c.in = b, b[:n]
		return nil
	}
	c.grow(1)
	n, err := c.conn.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// grow makes room for n more bytes behind c.in, in a buffer that starts with it.
func (c *caller) grow(n int) {
	if c.buf == nil && c.in == nil {
		c.buf = getBuf()
		c.in = c.buf[:0]
	}
	if cap(c.in)-len(c.in) >= n {
		return
	}
	if c.buf != nil && len(c.in)+n <= bufSize {
		c.in = c.buf[:copy(c.buf[:], c.in)]
		return
	}
	old := c.buf
	c.in = append(make([]byte, 0, 2*(len(c.in)+n)), c.in...)
	c.buf = nil
	if old != nil {
		putBuf(old)
	}
}

// consume drops the first n bytes of c.in, and its buffer when nothing is left.
func (c *caller) consume(n int) {
	if c.in = c.in[n:]; len(c.in) == 0 {
		c.release()
	}
}

func (c *caller) release() {
	if c.buf != nil {
		putBuf(c.buf)
	}
	c.buf, c.in = nil, nil
}
