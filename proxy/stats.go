package proxy

import "sync/atomic"

// Stats is a reading of the relay's counters.
type Stats struct {
	Callers       int   // connections from callers, now
	Active        int64 // exchanges that run, now
	UpstreamOpen  int   // connections to upstreams, now
	UpstreamIdle  int   // of these, idle
	Exchanges     int64 // ended
	Refused       int64 // requests refused before they were routed: malformed, too large, too many
	ClientGone    int64 // exchanges that the caller left
	UpstreamCut   int64 // answers that broke off
	Timeouts      int64
	Retries       int64 // silent retries on a fresh connection
	Unrecorded    int64 // exchanges that the recorder had no room for
	Unkept        int64 // answers that ended although their record was not durable yet
	ObserverFault int64 // observers that panicked and were left out
	RequestBytes  int64 // bodies relayed
	ResponseBytes int64
}

type counters struct {
	active, exchanges, refused, gone, cut, timeouts, retries, unrecorded, unkept, faults, in, out atomic.Int64
}

// Stats returns the counters as they are now.
func (s *Server) Stats() Stats {
	open, idle := s.pool.counts()
	s.mu.Lock()
	callers := len(s.callers)
	s.mu.Unlock()
	c := &s.stats
	return Stats{
		Callers: callers, Active: c.active.Load(), UpstreamOpen: open, UpstreamIdle: idle,
		Exchanges: c.exchanges.Load(), Refused: c.refused.Load(), ClientGone: c.gone.Load(),
		UpstreamCut: c.cut.Load(), Timeouts: c.timeouts.Load(), Retries: c.retries.Load(),
		Unrecorded: c.unrecorded.Load(), Unkept: c.unkept.Load(), ObserverFault: c.faults.Load(),
		RequestBytes: c.in.Load(), ResponseBytes: c.out.Load(),
	}
}
