package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"
)

// hints is what the log was told for whoever runs the proxy: what callers cannot read,
// or need not know.
type hints struct {
	tls, http2 sync.Once

	mu      sync.Mutex
	unheard map[string]unheard // by provider
}

// unheard is how often a provider could not be reached without a word about it, and
// until when.
type unheard struct {
	times int
	until time.Time
}

// unreached says why there is no connection to a provider, at most once a minute for
// each. Its error names addresses and holds nothing of a request.
func (s *Server) unreached(up *Upstream, err error) {
	if errors.Is(err, context.Canceled) {
		return // the caller left
	}
	now := time.Now()
	s.hints.mu.Lock()
	h := s.hints.unheard[up.Name]
	before := h.times
	h.times++
	quiet := now.Before(h.until)
	if !quiet {
		h = unheard{until: now.Add(time.Minute)}
	}
	if s.hints.unheard == nil {
		s.hints.unheard = map[string]unheard{}
	}
	s.hints.unheard[up.Name] = h
	s.hints.mu.Unlock()
	if !quiet {
		s.set.Log.Warn("a provider cannot be reached", "provider", up.Name, "error", err, "more", before)
	}
}

// explainTLS answers a caller whose handshake ended with err, if what it speaks is HTTP,
// in the only way that it understands.
func (s *Server) explainTLS(c *caller, err error) {
	var other tls.RecordHeaderError
	if !errors.As(err, &other) || other.Conn == nil || !startsRequest(other.RecordHeader[:]) {
		return
	}
	s.stats.refused.Add(1)
	(&caller{conn: c.tcp}).refuse(400, "bad_request", "this address speaks TLS: let the base URL begin with https://")
}

// startsRequest says whether bytes are those with which a request line begins, and no
// TLS record.
func startsRequest(b []byte) bool {
	for i, c := range b {
		if (c < 'A' || c > 'Z') && (i == 0 || c != ' ' && c != '/') {
			return false
		}
	}
	return true
}

// hint tells whoever runs this about the first caller whose own error says nothing: it
// cannot read an answer in HTTP/1.1.
func (s *Server) hint(in []byte) {
	switch {
	case len(in) > 1 && in[0] == 0x16 && in[1] == 3: // a handshake record (RFC 8446 section 5.1)
		s.hints.tls.Do(func() {
			s.set.Log.Warn("a caller speaks TLS to an address without: let its base URL begin with http://, or configure a certificate (tls). This is said once")
		})
	case bytes.HasPrefix(in, []byte("PRI * HTTP/2")): // RFC 9113 section 3.4
		s.hints.http2.Do(func() {
			s.set.Log.Warn("a caller speaks HTTP/2, which is not spoken here: let it speak HTTP/1.1. This is said once")
		})
	}
}
