package fakellm

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// maxBody bounds a request body: far above what a prompt needs, far below what
// would hurt the machine that runs the tests.
const maxBody = 256 << 20

// Config sets how the fake provider behaves. The zero value answers at once.
type Config struct {
	First   time.Duration // before the first byte of an answer
	Between time.Duration // between two pieces of a stream

	// Gate, when set, is called before each event of a stream with the model and
	// the number of events sent so far, and holds the stream until it returns.
	// It is called by the goroutine of that stream.
	Gate func(model string, events int)

	// Seen, when set, is called with each request before it is answered. It may
	// be called by several goroutines at once.
	Seen func(Request)
}

// Request is a request as it arrived. Its fields are copies.
type Request struct {
	Method, Target string
	Header         string // field lines as they came, CRLF after each
	Body           []byte // without chunked framing
}

// Server is a fake provider. Its methods may be called by several goroutines.
type Server struct {
	cfg    Config
	replay *library // nil: answers like a model
	http   *fasthttp.Server
	serial atomic.Uint64 // answers so far: keeps ids apart
	stop   chan struct{} // closed by Shutdown: ends every pause
	closed atomic.Bool
}

// New returns a provider that answers like OpenAI's API.
func New(cfg Config) *Server { return newServer(cfg, nil) }

// NewReplay returns a provider that answers with recorded exchanges: root is the
// folder that holds one folder an exchange, and each request says in its field
// ReplayHeader what to play (see Play).
func NewReplay(root string) *Server { return newServer(Config{}, &library{root: root}) }

func newServer(cfg Config, lib *library) *Server {
	s := &Server{cfg: cfg, replay: lib, stop: make(chan struct{})}
	s.http = &fasthttp.Server{
		Handler:                      s.handle,
		Name:                         "fakellm",
		NoDefaultDate:                true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		MaxRequestBodySize:           maxBody,
		Logger:                       quiet{},
	}
	return s
}

// Serve answers on ln until Shutdown. It returns nil after Shutdown.
func (s *Server) Serve(ln net.Listener) error { return s.http.Serve(ln) }

// Shutdown stops listening, ends every pause and waits for open answers until
// ctx is done.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.closed.CompareAndSwap(false, true) {
		close(s.stop)
	}
	return s.http.ShutdownWithContext(ctx)
}

func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	if s.cfg.Seen != nil {
		s.cfg.Seen(Request{
			Method: string(ctx.Method()),
			Target: string(ctx.RequestURI()),
			Header: string(ctx.Request.Header.RawHeaders()),
			Body:   append([]byte(nil), ctx.PostBody()...),
		})
	}
	if s.replay != nil {
		s.replay.serve(ctx)
		return
	}
	s.route(ctx)
}

// route picks the endpoint by the end of the path, so that every prefix that a
// vendor puts before it (/openai/v1, /api/v1, /openai/deployments/x) works.
func (s *Server) route(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.SetContentType("application/json")
	path := strings.TrimSuffix(string(ctx.Path()), "/")
	switch post := ctx.IsPost(); {
	case post && strings.HasSuffix(path, "/chat/completions"):
		s.chat(ctx)
	case post && strings.HasSuffix(path, "/completions"):
		s.completion(ctx)
	case post && strings.HasSuffix(path, "/embeddings"):
		s.embeddings(ctx)
	case ctx.IsGet() && strings.HasSuffix(path, "/models"):
		s.models(ctx)
	default:
		writeError(ctx, fasthttp.StatusNotFound, "Unknown request URL: "+string(ctx.Method())+" "+path+".", "unknown_url")
	}
}

// pause waits for d, or until Shutdown.
func (s *Server) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.stop:
	}
}

// quiet drops fasthttp's log lines: a peer that hangs up is what tests do.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
