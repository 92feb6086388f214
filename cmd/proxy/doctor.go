package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/store"
)

// doctorProvider is the name under which the doctor's provider is configured.
const doctorProvider = "doctor"

// checkTime bounds one check: loopback needs milliseconds, 64 MiB on a machine under load much more.
const checkTime = time.Minute

// errDoctor says that the relay changed what it must not change.
var errDoctor = errors.New("the relay is not transparent")

// doctor sends every check through a relay at address, whose provider is the
// doctor's own, and prints a table with the digests of both sides. It returns
// errDoctor when one of them fails.
func doctor(ctx context.Context, out io.Writer, address string, p *patient) error {
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "check\trequest sent\tarrived\tanswer sent\tarrived\tverdict")
	failed, all := 0, checks()
	for _, c := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		r := p.examine(ctx, address, c)
		if r.fault != "" {
			failed++
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", c.name, short(r.requestSent), short(r.requestArrived), short(r.answerSent), short(r.answerArrived), r.verdict(c))
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	fmt.Fprintf(out, "\n%d checks, %d failed\n", len(all), failed)
	if failed > 0 {
		return errDoctor
	}
	return nil
}

func short(digest string) string {
	if digest == "" {
		return "-"
	}
	return digest[:12]
}

// result is what a check showed. A digest is "" where nothing was sent or came.
type result struct {
	requestSent, requestArrived string
	answerSent, answerArrived   string
	fault                       string // "" when the relay did what it must
}

func (r result) verdict(c check) string {
	if r.fault != "" {
		return "FAIL: " + r.fault
	}
	return [...]string{relayed: "same", refused: "refused", broken: "cut shows"}[c.want]
}

// patient is the provider behind the relay: a plain TCP server that keeps what
// arrived and answers with what it was told.
type patient struct {
	ln      net.Listener
	script  chan check    // the answer to the next request
	arrived chan *message // requests, in the order they came
}

func newPatient() (*patient, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the doctor's provider: %w", err)
	}
	return &patient{ln: ln, script: make(chan check, 1), arrived: make(chan *message, 16)}, nil
}

// serve takes connections until the listener is closed, and returns when all of
// them have ended.
func (p *patient) serve(ctx context.Context) {
	var talks sync.WaitGroup
	defer talks.Wait()
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		talks.Go(func() {
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			defer c.Close()
			p.talk(c)
		})
	}
}

// talk answers one request after the other.
func (p *patient) talk(c net.Conn) {
	r := bufio.NewReaderSize(c, 64<<10)
	for {
		m, err := readHead(r)
		if err != nil {
			return
		}
		if err := m.readBody(r, true); err != nil {
			return // the caller of a refused request is cut off, and so are we
		}
		p.arrived <- m
		var todo check
		select {
		case todo = <-p.script:
		default:
			return // the relay tried once more; one answer is all there is
		}
		if err := writePieces(c, todo.answer, todo.piece); err != nil {
			return
		}
		switch todo.end {
		case finish:
			return
		case reset:
			c.(*net.TCPConn).SetLinger(0)
			return
		}
	}
}

func writePieces(w io.Writer, s string, n int) error {
	if n == 0 {
		n = max(len(s), 1)
	}
	for len(s) > 0 {
		m := min(n, len(s))
		if _, err := io.WriteString(w, s[:m]); err != nil {
			return err
		}
		s = s[m:]
	}
	return nil
}

// examine sends one check through the relay at address and compares both sides.
func (p *patient) examine(ctx context.Context, address string, c check) (r result) {
	p.clear()
	p.script <- c
	const prefix = "/" + doctorProvider
	text := strings.Replace(c.request, "@", prefix, 1)
	if sent, err := parseMessage(text, true, ""); err == nil && c.want != refused {
		r.requestSent = sent.digest(prefix)
	}
	method, _, _ := strings.Cut(text, " ")
	answered, err := parseMessage(afterInterim(c.answer), false, method)
	if err == nil && c.want == relayed {
		r.answerSent = answered.digest("")
	}
	got, err := converse(ctx, address, text)
	if got != nil {
		r.answerArrived = got.digest("")
	}
	select {
	case m := <-p.arrived:
		r.requestArrived = m.digest("")
	default:
	}
	r.fault = r.compare(c, got, answered, err)
	return r
}

// clear forgets what an earlier check left behind.
func (p *patient) clear() {
	select {
	case <-p.script:
	default:
	}
	for {
		select {
		case <-p.arrived:
			continue
		default:
			return
		}
	}
}

// compare says what the relay did wrong.
func (r result) compare(c check, got, answered *message, err error) string {
	own := got != nil && got.field("x-spanwire-error") != ""
	switch c.want {
	case refused:
		switch {
		case r.requestArrived != "":
			return "it reached the provider"
		case got == nil: // closed without a word, which is safe
			return ""
		case !own:
			return "answered " + got.line
		}
		return ""
	case broken:
		switch {
		case r.requestArrived != r.requestSent:
			return "the request was changed"
		case own, err != nil && got == nil:
			return ""
		case err == nil:
			return "the caller saw a finished answer"
		case answered != nil && !strings.HasPrefix(string(answered.body), string(got.body)):
			return "the caller saw other bytes than were sent"
		}
		return ""
	}
	switch {
	case err != nil:
		return err.Error()
	case own:
		return "the relay answered itself: " + got.field("x-spanwire-error")
	case r.requestArrived != r.requestSent:
		return "the request was changed"
	case r.answerArrived != r.answerSent:
		return "the answer was changed"
	}
	return ""
}

// afterInterim returns what follows the 1xx heads of an answer.
func afterInterim(answer string) string {
	for strings.HasPrefix(answer, "HTTP/1.1 1") {
		_, rest, ok := strings.Cut(answer, "\r\n\r\n")
		if !ok {
			return ""
		}
		answer = rest
	}
	return answer
}

// parseMessage reads a message from a text. method is that of the request that
// an answer is for.
func parseMessage(text string, request bool, method string) (*message, error) {
	r := bufio.NewReader(strings.NewReader(text))
	m, err := readHead(r)
	if err != nil || m.bare(method) {
		return m, err
	}
	return m, m.readBody(r, request)
}

// bare says whether an answer has no body whatever its fields say.
func (m *message) bare(method string) bool {
	status := m.status()
	return method == "HEAD" || status == 204 || status == 304 || status >= 100 && status < 200
}

// status returns the status of an answer, 0 for a request.
func (m *message) status() int {
	_, rest, ok := strings.Cut(m.line, " ")
	if !ok || !strings.HasPrefix(m.line, "HTTP/") || len(rest) < 3 {
		return 0
	}
	n, _ := strconv.Atoi(rest[:3])
	return n
}

// converse sends a request and reads the answer. When the answer breaks off, what
// came of it is returned beside the error.
func converse(ctx context.Context, address, text string) (*message, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to the relay: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(checkTime)); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	method, _, _ := strings.Cut(text, " ")
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	if strings.Contains(head, "100-continue") {
		if _, err := io.WriteString(conn, head+"\r\n\r\n"); err != nil {
			return nil, err
		}
		if m, err := readHead(r); err != nil || m.status() != 100 {
			return m, fmt.Errorf("no 100 Continue came: %w", err)
		}
		text = body
	}
	// Written beside reading: a relay may answer before it has read everything.
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		_, _ = io.WriteString(conn, text) // an answer that comes all the same decides
	}()
	defer func() { conn.Close(); <-wrote }()
	for {
		m, err := readHead(r)
		if err != nil {
			return nil, err
		}
		if status := m.status(); status >= 100 && status < 200 {
			continue
		}
		if m.bare(method) {
			return m, nil
		}
		return m, m.readBody(r, false)
	}
}

// runDoctor starts the relay as serve does, with the doctor's provider, and
// examines it.
func runDoctor(ctx context.Context, cfg loaded, s settings) error {
	p, err := newPatient()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan struct{})
	go func() {
		defer close(served)
		p.serve(ctx)
	}()
	defer func() {
		cancel()
		p.ln.Close()
		<-served
	}()
	cfg = leaveNothing(cfg)
	s.env = func(string) (string, bool) { return "", false } // no exporter of the environment either
	cfg.Listen, cfg.Admin = "127.0.0.1:0", off
	cfg.TLS.Cert, cfg.TLS.Key = "", ""
	cfg.Log.Level = "error"
	cfg.Proxy.MaxRequestBytes = 0
	cfg.Providers = append(cfg.Providers, Provider{Name: doctorProvider, BaseURL: "http://" + p.ln.Addr().String(), Dialect: "openai", Usage: "count"})
	examined := make(chan error, 1)
	s.quiet = true
	s.started = func(at addresses) {
		go func() {
			defer cancel()
			examined <- doctor(ctx, s.stdout, at.proxy, p)
		}()
	}
	if err := serve(ctx, cfg, func() (loaded, error) { return cfg, nil }, s); err != nil {
		return err
	}
	select {
	case err := <-examined:
		return err
	case <-time.After(checkTime): // interrupted in the middle of a check
		return context.Canceled
	}
}

// leaveNothing switches off all that keeps a call or sends it on. What the doctor sends
// is no call of anybody's: it belongs into no store, no audit trail and no backend, and
// the program that writes to data_dir may be running.
func leaveNothing(cfg loaded) loaded {
	cfg.file = ""
	cfg.Tracing.Exporters = nil
	cfg.Store.Mode, cfg.Journal.Mode = store.ModeOff, journal.ModeOff
	cfg.Runs.Enabled = false
	cfg.Capture.Raw = false
	cfg.Tokenizer.CalibrationFile = ""
	return cfg
}
