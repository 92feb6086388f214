package apierror

import (
	"net/http"
	"strconv"

	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// Settle returns the error of a response: its type, which is "" when there is none,
// and a message without credentials. stream is the error that was told within a
// stream, nil when none was; body is a body that is no stream, or its beginning. The
// provider's word comes first, then the HTTP status (telemetry reference, section 1).
func Settle(status int, stream *Error, body []byte) (kind, message string) {
	e := stream
	if i := jsonwalk.SkipSpace(body, 0); i < len(body) {
		body = body[i:]
	}
	switch {
	case status >= 400 && len(body) > 0 && (body[0] == '{' || body[0] == '['):
		if told := Parse(body); told != nil {
			e = told
		}
	case e == nil && len(body) > 0 && jsonwalk.IsObject(body) && !jsonwalk.Empty(jsonwalk.Member(body, "error")):
		e = Parse(body)
	}
	if e == nil && status < 400 {
		return "", ""
	}
	switch {
	case e != nil:
		kind, message = e.Code, e.Message
	case len(body) > 0 && body[0] != '{' && body[0] != '[':
		message = Sentence(body)
	}
	if kind == "" && status >= 400 {
		kind = strconv.Itoa(status)
	}
	if kind == "" {
		kind = "_OTHER"
	}
	if message == "" {
		message = http.StatusText(status)
	}
	return kind, Scrub(message)
}
