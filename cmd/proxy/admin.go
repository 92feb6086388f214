package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spanwire/spanwire/recorder"
	"github.com/spanwire/spanwire/runs"
)

// admin answers on the admin address: health, metrics, and profiles when asked for.
type admin struct {
	metrics http.Handler
	ready   func() error // why no traffic should be sent here; nil when it may
	status  http.Handler
	runs    *runs.Linker // nil when runs are not looked for
	pprof   bool
	about   string // lines for people who open the address in a browser
}

func (a admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, a.page()) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := a.ready(); err != nil {
			say(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
		say(w, http.StatusOK, "ready\n")
	})
	mux.Handle("GET /metrics", a.metrics)
	mux.Handle("GET /status", a.status)
	mux.HandleFunc("GET /runs/explain", a.explain)
	if a.pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// guarded answers those only who ask by an address or as localhost. An address on
// loopback is meant for this machine; a page in its browser could otherwise reach it
// under a name of its own that resolves to here, and read what it gets.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !local(r.Host) {
			say(w, http.StatusForbidden, "the admin address listens on loopback: ask for it as localhost or by its IP address, or let it listen on another one (admin)\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// local says whether the host of a request is an IP address, or the name of this machine
// that every resolver knows (RFC 6761 section 6.3); or was not given at all.
func local(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(strings.Trim(host, "[]")) != nil
}

func (a admin) page() string {
	s := a.about + `
/healthz   200 while the process lives
/readyz    200 while it takes calls; 503 with the reason while it drains or cannot keep up
/metrics   Prometheus metrics
/status    what waits on the way to disk and to the exporters, and what was lost, as JSON
/runs/explain?call=ID   why a call was placed where it is; &format=json for programs
`
	if a.pprof {
		s += "/debug/pprof/  profiles\n"
	}
	return s
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprint(w, text) // the caller may be gone, which changes nothing
}

// serveAdmin answers on ln until ctx is done.
func serveAdmin(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve admin: %w", err)
	}
	return nil
}

// state is what readiness depends on.
type state struct {
	draining atomic.Bool
	recorder *recorder.Recorder
	limits   recorder.Config
}

// ready says why no calls should be sent here. A recorder whose queue is nearly
// full still relays, but loses records, which another instance would keep.
func (s *state) ready() error {
	if s.draining.Load() {
		return errors.New("draining: the program is about to end")
	}
	st := s.recorder.Stats()
	if nearlyFull(int64(st.Queued), int64(s.limits.QueueExchanges)) || nearlyFull(st.QueuedBytes, s.limits.QueueBytes) {
		return fmt.Errorf("saturated: %d exchanges with %d bytes wait to be recorded", st.Queued, st.QueuedBytes)
	}
	return nil
}

func nearlyFull(n, limit int64) bool { return limit > 0 && n >= limit-limit/10 }
