package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/proxy"
	"github.com/spanwire/spanwire/recorder"
	"github.com/spanwire/spanwire/tokenizer"
	"github.com/spanwire/spanwire/tracing"
)

// closeTime bounds how long the recorder and the exporters may take to send what
// they have when the program ends.
const closeTime = 10 * time.Second

// serve runs the proxy until a signal or ctx ends it. Parts are built in the order
// in which they need each other, and stopped in reverse: callers first, so that
// nothing is recorded after the recorder has closed its sinks.
func serve(ctx context.Context, cfg loaded, load func() (loaded, error), s settings) error {
	began := cfg.Config // before what cannot be had is switched off
	level := new(slog.LevelVar)
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return fmt.Errorf("log.level: %w", err)
	}
	log := newLogger(cfg.Log.Format, level, s.stderr)
	for _, w := range cfg.warnings {
		log.Warn(w)
	}

	callers, err := listen("listen", cfg.Listen)
	if err != nil {
		return err
	}
	defer callers.Close()
	var private net.Listener
	if cfg.Admin != off {
		if private, err = listen("admin", cfg.Admin); err != nil {
			return err
		}
		defer private.Close()
	}

	cert, err := cfg.certificate()
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	certs := &certificates{cert: cert}
	live, err := newLive(cfg.Config, log)
	if err != nil {
		return err
	}
	live.start()
	defer live.stop()
	traces, err := tracing.New(cfg.Tracing, tracing.Settings{Version: version, Stdout: s.stdout, Log: log, Env: s.env})
	if err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	counter, err := tokenizer.Open(cfg.Tokenizer, tokenizer.Settings{Log: log, Stands: live.prices.Stands})
	if err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	var warming sync.WaitGroup
	warming.Go(tokenizer.Warm)
	defer warming.Wait()
	var wait *strict
	reading := cfg.Recorder
	if cfg.Journal.Mode == journal.ModeStrict {
		wait = newStrict(cfg.Journal.StrictTimeout, log)
		reading.BatchDelay = min(reading.BatchDelay, strictDelay)
	}
	to, keep, err := sinks(&cfg.Config, traces, s.sink, wait, log)
	if err != nil {
		return errors.Join(err, traces.Close(ctx))
	}
	stages := recorder.Stages{
		Reader: live, Tracer: traces, Attributor: live, Counter: counter, Pricer: live, Redactor: live, Credentials: live.Credentials,
		Place: traces.Place, Sinks: to, KeepRaw: cfg.Capture.Raw, Log: log,
	}
	linker := newLinker(cfg.Config, log)
	if linker != nil {
		stages.Runs = linker
	}
	rec := recorder.New(reading, stages)
	toRelay := proxy.Settings{Router: live, Recorder: rec, Directive: live.Directive, TLS: certs.config(cfg.Config), Log: log}
	if wait != nil {
		wait.rec, toRelay.Keeper = rec, wait
	}
	if cfg.Capture.Raw {
		toRelay.KeepAnswers = cfg.Proxy.CaptureRequestBytes
	}
	relay, err := proxy.New(cfg.Proxy, toRelay)
	if err != nil {
		return errors.Join(fmt.Errorf("start the relay: %w", err), rec.Close(ctx))
	}
	if err := errors.Join(publish(traces, relay, rec), publishRedacted(traces, live.seen), publishRuns(traces, linker)); err != nil {
		return errors.Join(fmt.Errorf("publish metrics: %w", err), relay.Shutdown(ctx), rec.Close(ctx))
	}
	at := addresses{proxy: callers.Addr().String()}

	// From here on everything runs; failed is told what cannot go on.
	failed := make(chan error, 2)
	var running sync.WaitGroup
	running.Go(func() {
		if err := relay.Serve(callers); !errors.Is(err, proxy.ErrClosed) {
			failed <- err
		}
	})
	kept := keepRuns(cfg.Config, linker, log)
	state := &state{recorder: rec, limits: cfg.Recorder}
	adminCtx, closeAdmin := context.WithCancel(context.Background())
	if private != nil {
		at.admin = private.Addr().String()
		a := admin{metrics: traces.Handler(), ready: state.ready, status: &reporter{time.Now(), state, keep, traces}, runs: linker, pprof: cfg.Pprof, about: about(at)}
		h := a.handler()
		if loopback(at.admin) {
			h = guarded(h)
		}
		running.Go(func() {
			if err := serveAdmin(adminCtx, private, h); err != nil {
				failed <- err
			}
		})
		if !loopback(at.admin) {
			log.Warn("the admin address can be reached from other machines and asks for no password", "admin", at.admin)
		}
	}
	if !s.quiet {
		greet(s.stdout, cfg, at, traces.Exporters())
	}
	if s.started != nil {
		s.started(at)
	}

	r := &reloader{cfg: cfg, began: began, load: load, live: live, relay: relay, certs: certs, level: level, log: log, watch: cfg.watch, done: s.reloaded}
	err = r.wait(ctx, s, failed)

	drain := r.cfg.DrainTimeout
	log.Info("stopping: no new calls, waiting for open ones", "drain_timeout", drain)
	state.draining.Store(true)
	return errors.Join(err, stop(s.signals, drain, relay, rec, func() {
		closeAdmin()
		running.Wait()
		kept.close()
	}), closeCounter(counter))
}

// closeCounter keeps what was learnt of token counts.
func closeCounter(c *tokenizer.Counter) error {
	if err := c.Close(); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	return nil
}

// stop ends the run: open streams go on for as long as drain allows, then the
// recorder hands on what it has. A second signal ends both at once.
func stop(signals <-chan os.Signal, drain time.Duration, relay *proxy.Server, rec *recorder.Recorder, last func()) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		if second(signals, stopped) {
			cancel(errSignal)
		}
	}()
	streams, cancelStreams := context.WithTimeout(ctx, drain)
	defer cancelStreams()
	err := relay.Shutdown(streams)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // streams that were cut at the end of their time are no fault of the run
	}
	sinks, cancelSinks := context.WithTimeout(ctx, closeTime)
	defer cancelSinks()
	if cerr := rec.Close(sinks); cerr != nil {
		err = fmt.Errorf("send the last spans: %w", cerr)
	}
	last()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// sameSignal is how soon after the first signal another is the same one. What stops a
// group of processes (timeout, a supervisor, a shell) often tells each of them and then
// the group, and means no more by it.
const sameSignal = 250 * time.Millisecond

// second waits for a signal that asks once more to end, and says whether one came
// before done.
func second(signals <-chan os.Signal, done <-chan struct{}) bool {
	asked := time.NewTimer(sameSignal)
	defer asked.Stop()
	counts := false
	for {
		select {
		case sig := <-signals:
			if counts && sig != syscall.SIGHUP {
				return true
			}
		case <-asked.C:
			counts = true
		case <-done:
			return false
		}
	}
}

// newLogger returns the program's log.
func newLogger(format string, level *slog.LevelVar, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// baseURL returns the address to point a client at.
func baseURL(cfg Config, at string) string {
	scheme := "http"
	if cfg.TLS.Cert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return scheme + "://" + at
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.IsLoopback() && ip.To4() != nil {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// greet says what listens where and what to do next.
func greet(out io.Writer, cfg loaded, at addresses, exporters []string) {
	url := baseURL(cfg.Config, at.proxy)
	var b strings.Builder
	fmt.Fprintf(&b, "spanwire %s listens on %s", version, url)
	if at.admin != "" {
		fmt.Fprintf(&b, ", admin on http://%s", at.admin)
	}
	if cfg.file != "" {
		fmt.Fprintf(&b, ", configured by %s", cfg.file)
	}
	b.WriteString("\n")
	if len(exporters) == 0 {
		b.WriteString("spans go nowhere: set OTEL_EXPORTER_OTLP_ENDPOINT or tracing.exporters\n")
	}
	for _, e := range exporters {
		fmt.Fprintf(&b, "spans: %s\n", e)
	}
	b.WriteString(kept(cfg.Config))
	fmt.Fprintf(&b, "\n  export OPENAI_BASE_URL=%s/v1\n\n", url)
	_, _ = io.WriteString(out, b.String()) // nobody may be reading
}

func about(at addresses) string {
	return "Spanwire " + version + ": LLM reverse proxy with automatic tracing.\nIt takes calls at " + at.proxy + ".\n"
}

// certificates is what callers are served with, replaced by a reload.
type certificates struct {
	mu   sync.Mutex
	cert *tls.Certificate
}

// config returns the TLS configuration, nil when none is configured.
func (c *certificates) config(cfg Config) *tls.Config {
	if cfg.TLS.Cert == "" {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: c.get}
}

func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cert, nil
}

func (c *certificates) set(cert *tls.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cert = cert
}

// healthcheck asks a program that runs on this machine whether it is ready.
func healthcheck(ctx context.Context, address string) error {
	if _, err := askAdmin(ctx, address, "/readyz"); err != nil {
		return fmt.Errorf("healthcheck: not ready: %w", err)
	}
	return nil
}

// askAdmin gets a page of a program that runs on this machine.
func askAdmin(ctx context.Context, address, path string) (string, error) {
	if address == off {
		return "", errors.New("there is no admin address")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(strings.TrimSpace(string(text)))
	}
	return string(text), nil
}
