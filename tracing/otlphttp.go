package tracing

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
)

// httpSender posts batches. Safe for concurrent use.
type httpSender struct {
	target target
	around envelope
	client *http.Client
	header http.Header
	gzips  sync.Pool // *gzip.Writer
	kept   atomic.Bool
}

// maxAnswer bounds what is read of a receiver's answer.
const maxAnswer = 64 << 10

func openHTTP(t target, trust *tls.Config, around envelope) *httpSender {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = trust
	transport.MaxIdleConnsPerHost = 16
	transport.DisableCompression = true
	transport.WriteBufferSize = 64 << 10 // batches are large
	h := http.Header{}
	for name, value := range t.headers {
		h.Set(name, value)
	}
	h.Set("Content-Type", "application/x-protobuf")
	if t.protocol == protocolJSON {
		h.Set("Content-Type", "application/json")
	}
	if t.compression == compressGzip {
		h.Set("Content-Encoding", "gzip")
	}
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "spanwire-otlp")
	}
	return &httpSender{target: t, around: around, header: h, client: &http.Client{
		Transport: transport,
		Timeout:   t.timeout,
		// A redirect would take keys in headers of any name to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *httpSender) close() error {
	s.client.CloseIdleConnections()
	return nil
}

// String returns the URL without user, password and query, which may be keys.
func (s *httpSender) String() string {
	u, err := url.Parse(s.target.endpoint)
	if err != nil {
		return s.target.protocol
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String() + " (" + s.target.protocol + ")"
}

func (s *httpSender) send(ctx context.Context, spans [][]byte) (int64, error) {
	pieces, size, err := s.body(spans)
	if err != nil {
		return 0, err
	}
	// An answer may come before all of a request was read. Ending the attempt ends
	// the reading, and only then the spans are nobody's.
	body := newUpload(pieces)
	defer s.finish(body)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.target.endpoint, body.open())
	if err != nil {
		return 0, errors.New("make export request: the endpoint is not a URL")
	}
	req.ContentLength = int64(size)
	// The transport begins again when a connection died that had been idle.
	req.GetBody = func() (io.ReadCloser, error) { return body.open(), nil }
	req.Header = s.header.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := s.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, which may hold a key
		}
		return 0, &sendError{err: fmt.Errorf("post spans to %s: %w", req.URL.Host, err), retry: true}
	}
	defer resp.Body.Close()
	// What could not be read of the answer is taken as not told: its status decides.
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 == 2 {
		rejected, _ := readSuccess(resp.Header.Get("Content-Type"), answer)
		return rejected, nil
	}
	return 0, s.refusal(resp, answer)
}

// finish waits until the transport has closed all that it read an upload with, which
// it does in any case. Should it not do so soon, spans are not used again.
func (s *httpSender) finish(u *upload) {
	if u.reading.Load() == 0 {
		return
	}
	timer := time.NewTimer(closeWithin)
	defer timer.Stop()
	for u.reading.Load() > 0 {
		select {
		case <-u.closed:
		case <-timer.C:
			s.kept.Store(true)
			return
		}
	}
}

const closeWithin = 5 * time.Second

func (s *httpSender) keeps() bool { return s.kept.Load() }

// body returns the request's body in pieces, and their length.
func (s *httpSender) body(spans [][]byte) (pieces [][]byte, size int, err error) {
	if s.target.protocol == protocolJSON {
		text, err := jsonRequest(nil, s.around.request(nil, spans))
		if err != nil {
			return nil, 0, fmt.Errorf("write spans as JSON: %w", err)
		}
		pieces, size = [][]byte{text}, len(text)
	} else {
		pieces, size = s.around.pieces(spans)
	}
	if s.target.compression != compressGzip {
		return pieces, size, nil
	}
	packed, err := s.compress(pieces, size)
	return [][]byte{packed}, len(packed), err
}

func (s *httpSender) compress(pieces [][]byte, size int) ([]byte, error) {
	w, _ := s.gzips.Get().(*gzip.Writer)
	if w == nil {
		// Level 1 is four times cheaper than the default and a tenth larger.
		var err error
		if w, err = gzip.NewWriterLevel(nil, gzip.BestSpeed); err != nil {
			panic("BUG: gzip refuses its own level: " + err.Error())
		}
	}
	defer s.gzips.Put(w)
	var out bytes.Buffer
	out.Grow(size / 4)
	w.Reset(&out)
	for _, p := range pieces {
		if _, err := w.Write(p); err != nil {
			return nil, fmt.Errorf("compress spans: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress spans: %w", err)
	}
	return out.Bytes(), nil
}

// upload is what a request sends: pieces one after the other, as often as they are
// asked for.
type upload struct {
	pieces  [][]byte
	reading atomic.Int32  // readers that are not closed
	closed  chan struct{} // one token: a reader was closed
}

func newUpload(pieces [][]byte) *upload {
	return &upload{pieces: pieces, closed: make(chan struct{}, 1)}
}

func (u *upload) open() io.ReadCloser {
	u.reading.Add(1)
	return &uploadReader{of: u, rest: slices.Clone(u.pieces)}
}

type uploadReader struct {
	of *upload

	mu    sync.Mutex // the transport closes what it may still be reading
	rest  [][]byte
	ended bool
}

func (r *uploadReader) Read(p []byte) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < len(p) && len(r.rest) > 0 {
		k := copy(p[n:], r.rest[0])
		n += k
		if r.rest[0] = r.rest[0][k:]; len(r.rest[0]) == 0 {
			r.rest = r.rest[1:]
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close ends reading: what comes after it finds the end.
func (r *uploadReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil
	}
	r.rest, r.ended = nil, true
	r.of.reading.Add(-1)
	select {
	case r.of.closed <- struct{}{}:
	default:
	}
	return nil
}

// refusal says what an answer that is no success means
// (https://opentelemetry.io/docs/specs/otlp/#failures-1).
func (s *httpSender) refusal(resp *http.Response, answer []byte) error {
	text := statusMessageOf(answer)
	if text == "" || !strings.Contains(resp.Header.Get("Content-Type"), "protobuf") {
		text = string(answer)
	}
	e := &sendError{err: fmt.Errorf("post spans to %s: status %d: %s", resp.Request.URL.Host, resp.StatusCode, s.target.scrub(text))}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.retry = true
		e.after = retryAfter(resp.Header.Get("Retry-After"))
	case http.StatusRequestEntityTooLarge:
		e.err = fmt.Errorf("%w: %w", errTooBig, e.err)
		e.tooBig = true
	}
	return e
}

// retryAfter reads seconds or a date (https://www.rfc-editor.org/rfc/rfc9110#name-retry-after).
func retryAfter(v string) time.Duration {
	if n, err := strconv.ParseInt(v, 10, 32); err == nil {
		return max(time.Duration(n)*time.Second, 0)
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// readSuccess reads how many spans were rejected, in either encoding.
func readSuccess(contentType string, answer []byte) (rejected int64, why string) {
	if !strings.Contains(contentType, "json") {
		return partialSuccess(answer)
	}
	var told struct {
		PartialSuccess struct {
			RejectedSpans json.Number `json:"rejectedSpans"` // int64 is text in protobuf's JSON
			ErrorMessage  string      `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return 0, ""
	}
	n, err := strconv.ParseInt(told.PartialSuccess.RejectedSpans.String(), 10, 64)
	if err != nil {
		return 0, told.PartialSuccess.ErrorMessage
	}
	return n, told.PartialSuccess.ErrorMessage
}
