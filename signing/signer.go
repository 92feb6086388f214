package signing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/spanwire/spanwire/llm"
)

// Signer signs requests for one service in one region. Its methods may be called
// by many goroutines. It has credentials only while, or after, Run ran.
type Signer struct {
	conf   Config
	v4     *v4.Signer
	source source
	log    *slog.Logger

	held  atomic.Pointer[held]
	tried chan struct{} // closed when credentials were asked for once
	renew chan struct{} // asks for new credentials before their time
	skew  atomic.Int64  // nanoseconds to add to our clock to have AWS's
}

// New returns a signer for a valid configuration whose Service is set. It reads
// the shared files, if there are any, and asks nobody for credentials yet.
func New(conf Config, log *slog.Logger) (*Signer, error) {
	if err := conf.Validate(); err != nil {
		return nil, err
	}
	if conf.Service == "" {
		return nil, errors.New("service: it is not known what to sign for")
	}
	src, err := newSource(conf)
	if err != nil {
		return nil, err
	}
	return newSigner(conf, src, log), nil
}

func newSigner(conf Config, src source, log *slog.Logger) *Signer {
	return &Signer{
		conf: conf, source: src, log: log, v4: v4.NewSigner(),
		tried: make(chan struct{}), renew: make(chan struct{}, 1),
	}
}

// Sign returns the lines that make a request signed: Authorization and the fields
// that belong to it. Method, target and fields are those that go out, Host among
// the fields; body is the SHA-256 of the body. It waits for the first credentials
// while they are asked for, until ctx ends. The texts of its errors hold nothing
// that a caller may not see.
func (s *Signer) Sign(ctx context.Context, method, target string, fields llm.Header, body [sha256.Size]byte) (llm.Header, error) {
	cr, err := s.credentials(ctx)
	if err != nil {
		return nil, err
	}
	digest := hex.EncodeToString(body[:])
	path, query, _ := strings.Cut(target, "?")
	req := &http.Request{
		Method: method, Header: http.Header{},
		// Opaque, so that the path is signed as it is sent. Without a scheme, so
		// that a port in Host is signed where it is sent.
		URL: &url.URL{Opaque: "//host" + normal(path), RawQuery: query},
	}
	for name, value := range fields.All() {
		switch {
		case strings.EqualFold(name, "host"):
			req.Host = value
		case covered(name):
			req.Header.Add(name, value)
		}
	}
	req.Header.Set("X-Amz-Content-Sha256", digest)
	if err := s.v4.SignHTTP(ctx, cr, req, digest, s.conf.Service, s.conf.Region, s.now()); err != nil {
		return nil, errors.New("the signature could not be made")
	}
	var lines []byte
	for _, name := range [...]string{"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "Authorization"} {
		if v := req.Header.Get(name); v != "" {
			lines = fmt.Appendf(lines, "%s: %s\r\n", name, v)
		}
	}
	return lines, nil
}

// covered says whether a field is signed. Those that must be are (IAM user guide,
// "Create a signed AWS API request", step 1), and no others: what lies between here
// and AWS may change them.
func covered(name string) bool {
	if strings.EqualFold(name, "content-type") {
		return true
	}
	const prefix = "x-amz"
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) && !strings.EqualFold(name, "x-amzn-trace-id")
}

// normal is a path as it is signed: without empty and dot segments (the same
// guide, canonical URI). It is encoded once more by the signer, as for every
// service but S3: %3A in a model's id is signed as %253A.
func normal(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var out []string
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "", ".":
		case "..":
			out = out[:max(len(out)-1, 0)]
		default:
			out = append(out, part)
		}
	}
	s := "/" + strings.Join(out, "/")
	for _, end := range [...]string{"/", "/.", "/.."} {
		if s != "/" && strings.HasSuffix(path, end) {
			return s + "/"
		}
	}
	return s
}

// tolerance is how far a signature's time may be from AWS's, less a minute.
const tolerance = 4 * time.Minute

// now is the time to sign with.
func (s *Signer) now() time.Time { return time.Now().Add(time.Duration(s.skew.Load())) }

// Refused is told the fields of an answer that refused a signature. It learns from
// it how far our clock is off, as AWS's own SDKs do, and whether the credentials
// are no longer good: the next request is then signed better.
func (s *Signer) Refused(h llm.Header) {
	if date, err := http.ParseTime(h.Get("date")); err == nil {
		off := time.Until(date)
		if off.Abs() < tolerance {
			off = 0
		}
		s.skew.Store(int64(off))
	}
	kind := h.Get("x-amzn-errortype")
	for _, bad := range [...]string{"ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature"} {
		if strings.HasPrefix(kind, bad) {
			select {
			case s.renew <- struct{}{}:
			default:
			}
			return
		}
	}
}
