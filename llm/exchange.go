package llm

import (
	"iter"
	"strings"
	"time"
	"unsafe"
)

// Exchange is one HTTP request and its response as they were relayed. The proxy
// fills it while it relays, hands it over after the last byte and does not
// touch it again; from then on it is read-only and belongs to its receiver.
//
// An exchange may hold credentials (in RequestHeader and in Target): it stays
// in memory. What is kept of it is a [Call], which never does.
type Exchange struct {
	ID       string // UUIDv7, lower-case hex with dashes
	Provider string // name of the provider row that served it; "" when no route matched

	Method         string
	Target         string // path and query as the caller sent them
	UpstreamTarget string // path and query as the provider got them
	Scheme         string // "http" or "https", of the upstream
	Host           string // upstream host without port
	Port           int    // upstream port

	RequestHeader  Header // as the caller sent it
	ResponseHeader Header // as the provider sent it; empty when there was no answer
	Status         int    // as the caller got it; 0 when nothing was sent

	Request  Body // as the caller sent it, without chunked framing
	Response Body // as the provider sent it, without chunked framing, content-encoding still on

	// Clock readings; zero when the moment never came.
	Start      time.Time // the request head was complete
	Sent       time.Time // the request head was written upstream
	FirstByte  time.Time // first byte of the final response head read from upstream
	FirstWrite time.Time // first byte of the final response written to the caller
	End        time.Time // the last byte was relayed, or the exchange broke

	Ended      End
	Err        string // why it did not complete, in words without secrets; "" when it did
	OwnError   string // x-spanwire-error of an answer that the proxy made itself; "" otherwise
	UsageAsked bool   // the proxy added stream_options.include_usage to the request
	Retries    int    // silent retries on a fresh upstream connection

	// Within a connection that both sides use freely (a WebSocket) calls end long
	// before the exchange does. Trace and Span are then given beforehand, so that
	// they can be its children; Session is the ID of the exchange around this one.
	Trace   [16]byte
	Span    [8]byte
	Session string
	Around  [8]byte // span of the exchange around this one
	// Emit records such a call at once: the observer gives clock readings, bodies,
	// Ended and Observer, the rest is filled in from this exchange. Nil elsewhere.
	Emit func(*Exchange)

	// ProviderLeft says of such a connection that the provider's side of it ended first.
	ProviderLeft bool

	// Observer watched the response go by; nil when there was none to watch.
	// The recorder asks the same object for what it read.
	Observer Observer
}

// Asked is path and query as the provider got them; before the exchange came that far,
// as the caller sent them.
func (x *Exchange) Asked() string {
	if x.UpstreamTarget != "" {
		return x.UpstreamTarget
	}
	return x.Target
}

// AskedPath is Asked without its query.
func (x *Exchange) AskedPath() string {
	path, _, _ := strings.Cut(x.Asked(), "?")
	return path
}

// Observer sees a response body piece by piece, after each piece was written to
// the caller, on the goroutine of the relay: cheap, bounded in memory, and never
// failing. p is only valid during the call: what an observer keeps it copies.
// The pieces are free of transfer framing but still content-encoded.
type Observer interface {
	Wrote(p []byte, at time.Time)
}

// Duplex is an observer of a connection that both sides use freely. Its two
// methods are called from two goroutines, but never both at once.
type Duplex interface {
	Observer                     // sees what the provider sent
	Sent(p []byte, at time.Time) // sees what the caller sent; the rules of Wrote hold
}

// End says how an exchange ended (spanwire.end).
type End string

// The ways an exchange ends.
const (
	EndComplete    End = "complete"     // every byte was relayed
	EndClientGone  End = "client_gone"  // the caller went away first
	EndUpstreamCut End = "upstream_cut" // the provider's answer broke off
	EndTimeout     End = "timeout"      // a configured time ran out
	EndError       End = "error"        // the proxy answered itself, or could not go on
)

// Body is a bounded copy of a message body. Up to a limit Data is the whole
// body. Past it Data is the first Head bytes followed by the last bytes, since
// the usage of a response stands at its end.
type Body struct {
	Data      []byte
	Size      int64 // bytes relayed in all, whatever was kept
	Head      int   // with Truncated: how much of Data is from the start
	Truncated bool
}

// Header is the field lines of a message head as they came over the wire, each
// ended by CRLF, without the start line and the closing empty line. Order, case
// and repeats are those of the sender.
type Header []byte

// Get returns the first value of the named field, trimmed of blanks, or "".
// Names compare without case.
func (h Header) Get(name string) string {
	rest := h.text()
	for rest != "" {
		line := rest
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		// Most names differ in length: only those that end where this one does are
		// worth a look.
		if len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(line[:len(name)], name) {
			return trimmed(line[len(name)+1:])
		}
	}
	return ""
}

// text is h as a string: nobody changes it once it was handed over.
func (h Header) text() string { return unsafe.String(unsafe.SliceData(h), len(h)) }

// trimmed takes blanks off both ends of a value.
func trimmed(s string) string {
	for s != "" && blank(s[0]) {
		s = s[1:]
	}
	for s != "" && blank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// Values returns every value of the named field in the order sent.
func (h Header) Values(name string) []string {
	var vs []string
	for n, v := range h.All() {
		if strings.EqualFold(n, name) {
			vs = append(vs, v)
		}
	}
	return vs
}

// All yields each field's name and its value trimmed of blanks, in the order
// sent. Lines without a colon are passed over. What is yielded shares the memory
// of h, which nobody changes once it was handed over.
func (h Header) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		rest := h.text()
		for rest != "" {
			line, tail, _ := strings.Cut(rest, "\n")
			rest = tail
			name, value, ok := strings.Cut(line, ":")
			if ok && !yield(name, trimmed(value)) {
				return
			}
		}
	}
}
