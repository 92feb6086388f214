package fakellm

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"
)

// ReplayHeader is the request field that says what a replaying provider plays.
const ReplayHeader = "X-Fakellm-Replay"

// Play says how a recorded exchange is served.
type Play struct {
	Exchange string // its folder, below the root
	Piece    int    // bytes a write (see singly), and a chunk of a stream; 0 writes the body in one piece
	// CutAfter is after how many bytes of the body, as they go over the wire, the
	// connection is closed; 0 never. A stream of no more than that lacks its end.
	CutAfter int
	Gzip     bool // compress the body and say so in content-encoding
}

// Header returns the value of ReplayHeader that asks for p.
func (p Play) Header() string {
	return fmt.Sprintf("%s; piece=%d; cut=%d; gzip=%t", p.Exchange, p.Piece, p.CutAfter, p.Gzip)
}

// parsePlay reads what Header wrote. Only a path below the root is taken, so that
// a request cannot reach outside the recordings.
func parsePlay(s string) (Play, error) {
	name, rest, _ := strings.Cut(s, ";")
	p := Play{Exchange: strings.TrimSpace(name)}
	if !filepath.IsLocal(p.Exchange) || filepath.Clean(p.Exchange) == "." {
		return p, fmt.Errorf("%s: %q is not the name of a recording", ReplayHeader, p.Exchange)
	}
	for _, field := range strings.Split(rest, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		var err error
		switch key {
		case "":
		case "piece":
			p.Piece, err = strconv.Atoi(value)
		case "cut":
			p.CutAfter, err = strconv.Atoi(value)
		case "gzip":
			p.Gzip, err = strconv.ParseBool(value)
		default:
			err = fmt.Errorf("no such key")
		}
		if err != nil {
			return p, fmt.Errorf("%s: %q: %w", ReplayHeader, field, err)
		}
	}
	return p, nil
}

// Recording is one recorded exchange (format llm-exchange/1).
type Recording struct {
	Name           string
	Provider       string
	Method         string
	Host           string // of the provider that answered
	Target         string // path and query of the request
	RequestHeader  []string
	RequestBody    []byte // nil when none was recorded
	Status         int
	ResponseHeader []string // "name: value" in the order recorded
	ResponseBody   []byte
	Stream         bool // the body is a stream and goes out in chunks
}

// Load reads one recording from its folder.
func Load(dir string) (*Recording, error) {
	var meta struct {
		Provider string `json:"provider"`
		Request  struct {
			Method   string   `json:"method"`
			Host     string   `json:"host"`
			Target   string   `json:"target"`
			Headers  []string `json:"headers"`
			BodyFile string   `json:"body_file"`
		} `json:"request"`
		Response struct {
			Status   int      `json:"status"`
			Headers  []string `json:"headers"`
			BodyFile string   `json:"body_file"`
		} `json:"response"`
	}
	b, err := os.ReadFile(filepath.Join(dir, "exchange.json"))
	if err != nil {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	if err := json.Unmarshal(b, &meta); err != nil {
		return nil, fmt.Errorf("read recording %s: %w", dir, err)
	}
	r := &Recording{
		Name: filepath.Base(dir), Provider: meta.Provider,
		Method: meta.Request.Method, Host: meta.Request.Host, Target: meta.Request.Target, RequestHeader: meta.Request.Headers,
		Status: meta.Response.Status, ResponseHeader: meta.Response.Headers,
	}
	switch filepath.Ext(meta.Response.BodyFile) {
	case ".sse", ".ndjson":
		r.Stream = true
	case ".bin":
		r.Stream = slices.ContainsFunc(r.ResponseHeader, func(line string) bool { return strings.Contains(line, "eventstream") })
	}
	if r.RequestBody, err = readPart(dir, meta.Request.BodyFile); err != nil {
		return nil, err
	}
	if r.ResponseBody, err = readPart(dir, meta.Response.BodyFile); err != nil {
		return nil, err
	}
	return r, nil
}

func readPart(dir, name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	b, err := os.ReadFile(filepath.Join(dir, filepath.Base(name)))
	if err != nil {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	return b, nil
}

// library serves recordings from a folder and keeps those it has read.
type library struct {
	root string
	mu   sync.Mutex
	read map[string]*Recording
}

func (l *library) get(name string) (*Recording, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.read[name]; r != nil {
		return r, nil
	}
	r, err := Load(filepath.Join(l.root, name))
	if err != nil {
		return nil, err
	}
	if l.read == nil {
		l.read = make(map[string]*Recording)
	}
	l.read[name] = r
	return r, nil
}

// serve writes a recorded answer by hand, since a server of a library would
// change the order of its fields and the pieces of its body.
func (l *library) serve(ctx *fasthttp.RequestCtx) {
	play, err := parsePlay(string(ctx.Request.Header.Peek(ReplayHeader)))
	if err != nil {
		writeError(ctx, fasthttp.StatusBadRequest, err.Error(), "bad_replay")
		return
	}
	r, err := l.get(play.Exchange)
	if err != nil {
		writeError(ctx, fasthttp.StatusNotFound, err.Error(), "no_such_recording")
		return
	}
	head := ctx.IsHead()
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(c net.Conn) {
		// A caller that hangs up ends the play; there is nobody to tell.
		_ = r.play(c, play, head)
	})
}

// play writes the answer to w.
func (r *Recording) play(w io.Writer, p Play, headOnly bool) error {
	body := r.ResponseBody
	if p.Gzip {
		body = compress(body)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.Status, http.StatusText(r.Status))
	for _, line := range r.ResponseHeader {
		if name, _, _ := strings.Cut(line, ":"); framing(name) {
			continue
		}
		b.WriteString(line + "\r\n")
	}
	if p.Gzip {
		b.WriteString("content-encoding: gzip\r\n")
	}
	b.WriteString("connection: close\r\n")
	bare := headOnly || r.Status == http.StatusNoContent || r.Status == http.StatusNotModified
	switch {
	case bare:
	case r.Stream:
		b.WriteString("transfer-encoding: chunked\r\n")
	default:
		fmt.Fprintf(&b, "content-length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	if _, err := w.Write(b.Bytes()); err != nil || bare {
		return err
	}
	return r.writeBody(w, body, p)
}

// Of a body in very many pieces the first ones are written one by one, the others
// several at once: the chunks stay as small, and a play takes no seconds.
const (
	singly   = 1000
	together = 50
)

func (r *Recording) writeBody(w io.Writer, body []byte, p Play) error {
	cut := p.CutAfter > 0 && (p.CutAfter < len(body) || r.Stream)
	if cut {
		body = body[:min(p.CutAfter, len(body))]
	}
	if p.Piece <= 0 {
		p.Piece = max(len(body), 1)
	}
	buf := bufio.NewWriter(w) // joins a chunk with its framing, flushed after each
	var out io.Writer = buf
	if r.Stream {
		out = httputil.NewChunkedWriter(buf)
	}
	for i := 0; len(body) > 0; i++ {
		n := min(p.Piece, len(body))
		if _, err := out.Write(body[:n]); err != nil {
			return err
		}
		if i < singly || i%together == 0 {
			if err := buf.Flush(); err != nil {
				return err
			}
		}
		body = body[n:]
	}
	if r.Stream && !cut {
		buf.WriteString("0\r\n\r\n") // an error stays in buf until Flush
	}
	return buf.Flush()
}

// framing says whether play sets a field itself.
func framing(name string) bool {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "content-length", "transfer-encoding", "connection", "content-encoding":
		return true
	}
	return false
}

func compress(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b) // neither can fail on a bytes.Buffer
	z.Close()
	return out.Bytes()
}
