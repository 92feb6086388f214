package proxy

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/spanwire/spanwire/llm"
)

var (
	errTooLarge = errors.New("the request head is larger than max_header_bytes")
	errSlowHead = errors.New("the request head did not arrive within header_timeout")
)

// failure is an answer that the proxy makes itself.
type failure struct {
	status  int
	code    string // a stable word: x-spanwire-error
	message string
}

// refusal maps what is wrong with a request head to the answer for it.
func refusal(err error) (status int, code, message string) {
	switch {
	case errors.Is(err, errTooLarge):
		return 431, "request_head_too_large", err.Error()
	case errors.Is(err, errSlowHead):
		return 408, "request_timeout", err.Error()
	case errors.Is(err, errVersion):
		return 505, "http_version", "only HTTP/1.1 and HTTP/1.0 are spoken here"
	}
	return 400, "bad_request", "malformed request: " + err.Error()
}

// plainError is the error body where no dialect is known yet. It is the shape of
// OpenAI, which most clients can read.
func plainError(code, message string) []byte {
	type e struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    string  `json:"code"`
	}
	b, err := json.Marshal(map[string]e{"error": {Message: message, Type: "spanwire_error", Code: code}})
	if err != nil {
		panic("BUG: cannot encode an error body: " + err.Error())
	}
	return b
}

// refuse answers a request that was never routed, and ends the connection.
func (c *caller) refuse(status int, code, message string) {
	body := plainError(code, message)
	out := appendOwnHead(nil, status, code, "", len(body), true)
	_ = c.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.conn.Write(append(out, body...)); err == nil {
		c.linger()
	}
}

// linger lets an answer reach a caller that is still sending: closing with unread
// bytes would reset the connection, and the answer would be lost with it.
func (c *caller) linger() {
	if cw, ok := c.conn.(interface{ CloseWrite() error }); ok {
		_ = cw.CloseWrite()
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.CopyN(io.Discard, c.conn, 1<<20)
}

func appendOwnHead(b []byte, status int, code, callID string, length int, end bool) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, statusText(status)...)
	b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(length), 10)
	b = append(b, "\r\nx-spanwire-error: "...)
	b = append(b, code...)
	if callID != "" {
		b = append(b, "\r\nx-spanwire-call-id: "...)
		b = append(b, callID...)
	}
	if end {
		b = append(b, "\r\nConnection: close"...)
	}
	return append(b, "\r\n\r\n"...)
}

func statusText(status int) string {
	switch status {
	case 400:
		return "Bad Request"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 408:
		return "Request Timeout"
	case 413:
		return "Content Too Large"
	case 431:
		return "Request Header Fields Too Large"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 504:
		return "Gateway Timeout"
	case 505:
		return "HTTP Version Not Supported"
	}
	return "Error"
}

// fail answers the caller itself, as long as nothing of an answer went out. It
// returns whether the connection can serve another request.
func (x *exchange) fail(f failure) bool {
	c, ex := x.c, x.ex
	ex.OwnError, ex.Err, ex.Status = f.code, f.message, f.status
	if ex.Ended == "" {
		ex.Ended = llm.EndError
		if f.status == 504 || f.status == 408 {
			ex.Ended = llm.EndTimeout
		}
	}
	if c.gone.Load() {
		ex.Ended, ex.Status = llm.EndClientGone, 0
		return false
	}
	body := plainError(f.code, f.message)
	if x.route.Upstream != nil && x.route.Upstream.Dialect != nil {
		body = x.route.Upstream.Dialect.Error(f.status, f.code, f.message)
	}
	id := ""
	if x.conf.CallIDHeader {
		id = ex.ID
	}
	again := x.body.done && x.uploading == nil && !x.req.close
	out := appendOwnHead(nil, f.status, f.code, id, len(body), !again)
	if ex.Method != "HEAD" {
		out = append(out, body...)
	}
	_, out = x.holdBack(nil, out)
	_ = c.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, err := c.conn.Write(out)
	_ = c.conn.SetWriteDeadline(time.Time{})
	ex.FirstWrite = time.Now()
	if err != nil {
		ex.Ended = llm.EndClientGone
		return false
	}
	switch {
	case x.held.has:
		x.held.linger = !again
	case !again:
		c.linger()
	}
	return again
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errTimeout) || errors.As(err, &ne) && ne.Timeout()
}

// unreachable says in words why an upstream could not be reached, without an
// address that a caller need not know.
func unreachable(name string, err error) failure {
	if isTimeout(err) {
		return failure{504, "upstream_timeout", "provider " + name + " did not accept a connection in time"}
	}
	var dns *net.DNSError
	reason := "the connection was refused or broke off"
	switch {
	case errors.As(err, &dns):
		reason = "its name could not be resolved"
	case isTLS(err):
		reason = "its TLS certificate or handshake was not accepted"
	}
	return failure{502, "upstream_unreachable", "cannot reach provider " + name + ": " + reason}
}

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
