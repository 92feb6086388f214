package proxy

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Router says where a request goes. It is asked once a request, on the data
// path, by many goroutines: it must not block.
type Router interface {
	// Route takes the method, and the path and query as the caller sent them. It
	// returns a nil upstream when there is no provider for them; the error text is
	// then shown to the caller.
	Route(method, target string, h llm.Header) (Route, error)
}

// Route is where one request goes.
type Route struct {
	Upstream *Upstream
	Target   string // path and query for the upstream
}

// Upstream is one provider as the relay sees it: an address and rules. It is
// immutable once a Router has returned it, and compared by pointer: connections
// are pooled by what they connect to, so a reload keeps them.
type Upstream struct {
	Name   string // provider row
	Scheme string // "http" or "https"
	Host   string // name or address without port
	Port   int

	// Set holds fields to send in place of the caller's fields of the same names:
	// configured credentials and extra headers. Drop names fields of the caller
	// that are left out (other ways to carry the credential that Set replaces).
	Set  []Field
	Drop []string

	Timeouts   Timeouts
	Disconnect Disconnect
	MaxIdle    time.Duration // how long an idle connection is kept; 0 means 55 s

	Dialect Dialect

	// Signer, when set, signs each request. The whole body is then read, at most
	// SignedBytes of it, before anything of the request is sent on.
	Signer      Signer
	SignedBytes int64
}

// Signer makes a credential out of the whole of a request. Its methods are called
// by many goroutines.
type Signer interface {
	// Sign takes the request as the upstream gets it: method, path with query, all
	// field lines (Host among them), and the SHA-256 of its body. It returns the field
	// lines that are put behind the others. It may wait until ctx ends, and otherwise
	// only for a credential that is on its way. The text of an error is shown to the
	// caller.
	Sign(ctx context.Context, method, target string, fields llm.Header, body [sha256.Size]byte) (llm.Header, error)
	// Refused is told the fields of an answer with status 401 or 403 to a request that
	// was signed. It does not block.
	Refused(llm.Header)
}

// Field is one header field.
type Field struct{ Name, Value string }

// Timeouts bound the phases of an exchange with an upstream; 0 means no bound.
type Timeouts struct {
	Connect time.Duration // TCP connection
	TLS     time.Duration // TLS handshake
	Header  time.Duration // from the end of the request to the head of the response
	Idle    time.Duration // between two pieces of a body, either way
}

// Disconnect says what happens to the upstream exchange when the caller goes
// away: with Drain false it ends at once; with Drain true the rest of the answer
// is read and thrown away, at most for Time and Bytes.
type Disconnect struct {
	Drain bool
	Time  time.Duration
	Bytes int64
}

// Dialect is what the relay asks of a wire format it does not understand. All
// methods are called by many goroutines.
type Dialect interface {
	// Observe returns what watches the response of this exchange, or nil. It is
	// called when the response head was read: Status and ResponseHeader are set.
	Observe(*llm.Exchange) llm.Observer
	// Error returns the JSON body, in the dialect's error shape, of an answer that
	// the proxy makes itself. code is a stable word (spanwire's x-spanwire-error).
	Error(status int, code, message string) []byte
	// WantsBody says whether Edit is to see the whole body of a request before it
	// is sent. It gets method and upstream target.
	WantsBody(method, target string) bool
	// Edit looks at a whole request body and returns what to insert at which
	// offset; with insert == "" nothing is changed. cut then removes from the
	// response what the insertion brought into it.
	Edit(method, target string, body []byte) (at int, insert string, cut Filter)
}

// Filter removes from a response body (free of framing and content-encoding)
// what an edit of the request brought into it. It is used by one goroutine.
type Filter interface {
	// Pass appends to dst the bytes that may go to the caller now. What cannot be
	// decided yet is held back, bounded, until a later call. p is not kept.
	Pass(dst, p []byte) []byte
	// Rest appends what is still held at the end of the body.
	Rest(dst []byte) []byte
}
