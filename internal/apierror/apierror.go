// Package apierror reads the errors that providers tell, in any of their shapes.
package apierror

import (
	"regexp"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// Error is an error that a provider told.
type Error struct {
	Code    string // stable word of low cardinality; "" when there is none
	Message string
}

// Parse reads an error in any of the shapes of wire reference section 14:
// the error object itself, a text, or the object that carries it. nil when there
// is none in it.
func Parse(val []byte) *Error {
	if e := jsonwalk.Array(val); len(val) > 0 && val[0] == '[' {
		if !e.Next() {
			return nil
		}
		val = e.Val
	}
	if len(val) > 0 && val[0] == '"' {
		if s := jsonwalk.Str(val); s != "" {
			return &Error{Message: jsonwalk.Clip(s, maxMessage)}
		}
		return nil
	}
	if !jsonwalk.IsObject(val) || jsonwalk.Empty(val) {
		return nil
	}
	f := readErrorFields(val)
	if len(f.inner) > 0 && f.inner[0] == '[' { // the first says enough
		e := jsonwalk.Array(f.inner)
		e.Next()
		f.inner = e.Val
	}
	if jsonwalk.IsObject(f.inner) && !jsonwalk.Empty(f.inner) {
		in := readErrorFields(f.inner)
		return in.made()
	}
	if len(f.inner) > 0 && f.inner[0] == '"' {
		if len(f.description) > 0 { // {"error": "invalid_grant", "error_description": "text"}
			f.code, f.message = f.inner, f.description
			return f.made()
		}
		f.message = f.inner // {"code": …, "error": "text"}
	}
	return f.made()
}

// errorFields are the members that errors are told in.
type errorFields struct {
	code, kind, status, message, description, inner []byte
	titled                                          bool // the message is but a title
}

func readErrorFields(val []byte) (f errorFields) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "error":
			f.inner = m.Val
		case "errors": // Cloudflare, watsonx, Writer
			if jsonwalk.Empty(f.inner) && m.Val[0] == '[' {
				f.inner = m.Val
			}
		case "fault": // Fireworks' gateway
			f.inner = m.Val
		case "code", "error_code":
			f.code = m.Val
		case "type", "__type", "error_type":
			f.kind = m.Val
		case "key": // Writer
			if len(f.kind) == 0 {
				f.kind = m.Val
			}
		case "error_description":
			f.description = m.Val
		case "status":
			f.status = m.Val
		case "message", "Message", "msg", "faultstring":
			f.message = m.Val
		case "detail", "title", "description":
			// Of a problem (RFC 9457) the detail says more than the title before it.
			if len(f.message) == 0 || f.titled {
				f.message, f.titled = m.Val, string(m.Key) == "title"
			}
		}
	}
	return f
}

func (f *errorFields) made() *Error {
	e := &Error{}
	switch {
	case len(f.message) == 0:
	case f.message[0] == '"':
		e.Message = jsonwalk.Str(f.message)
	case !jsonwalk.IsNull(f.message):
		e.Message = string(f.message) // a list of what is wrong with a request
	}
	e.Message = jsonwalk.Clip(e.Message, maxMessage)
	// A code in words says most; then the kind of error; then Google's status; a
	// number is the HTTP status once more.
	for _, v := range [][]byte{f.code, f.kind, f.status} {
		w := jsonwalk.Str(v)
		if i := strings.IndexByte(w, '#'); i >= 0 { // com.amazon.coral.service#ThrottlingException
			w = w[i+1:]
		}
		if word(w) && !digits(w) {
			e.Code = w
			return e
		}
	}
	for _, v := range [][]byte{f.code, f.status} {
		if w := gjson.ParseBytes(v).String(); digits(w) && len(w) <= 6 {
			e.Code = w
			return e
		}
	}
	if e.Message == "" {
		return nil
	}
	return e
}

// maxMessage bounds an error message.
const maxMessage = 2048

// word says whether a text can be an error type: short, without blanks.
func word(s string) bool {
	if s == "" || len(s) > 64 || s == "error" || s == "about:blank" || strings.Contains(s, "//") {
		return false // an address is the type of a problem (RFC 9457)
	}
	for _, c := range []byte(s) {
		if c != '_' && c != '-' && c != '.' && c != ':' && c != '/' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Of reads the error that the body of a response tells, in any of the
// shapes that vendors use (wire reference, section 14). status is the HTTP
// status; below 400 only a body that says that it is an error is one. code is a
// short word for error.type, "" when the body has none; ok is false when the
// body tells no error.
func Of(status int, body []byte) (code, message string, ok bool) {
	if i := jsonwalk.SkipSpace(body, 0); i < len(body) {
		body = body[i:]
	}
	var e *Error
	switch {
	case status >= 400:
		e = Parse(body)
	case jsonwalk.IsObject(body):
		if v := jsonwalk.Member(body, "error"); !jsonwalk.Empty(v) {
			e = Parse(body)
		} else if k := jsonwalk.Str(jsonwalk.Member(body, "object")); k == "error" {
			e = Parse(body)
		}
	}
	if e == nil {
		return "", "", false
	}
	return e.Code, Scrub(e.Message), true
}

// keys finds what looks like a credential in an error message: vendors echo them
// (wire reference, section 17, trap 25).
var keys = regexp.MustCompile(`(?i)\b(?:(?:sk|pk|rk|gsk|csk|xai|pplx|nvapi|tgp|hf|r8|ek)[-_][A-Za-z0-9_*.…-]{6,}` +
	`|AIza[A-Za-z0-9_*-]{6,}|(?:AKIA|ASIA)[A-Z0-9]{8,}|eyJ[A-Za-z0-9_.-]{10,}` +
	`|(?:bearer|basic)\s+[A-Za-z0-9+/=_.*~-]{6,}` +
	`|(?:(?:api|access)[-_]?)?(?:key|token|sig|signature|secret|password)=[^\s&"']+)`)

// Scrub takes what looks like a credential out of a text. The word that announces
// it, as "Bearer" and "key=" do, stays.
func Scrub(s string) string {
	return keys.ReplaceAllStringFunc(s, func(hit string) string {
		if i := strings.IndexAny(hit, " \t\n="); i >= 0 {
			return hit[:i+1] + "[redacted]"
		}
		return "[redacted]"
	})
}

// Sentence returns a body of text when it is a short one, and not a page.
func Sentence(body []byte) string {
	s := strings.TrimSpace(string(body[:min(len(body), 512)]))
	if len(s) >= 300 || strings.ContainsAny(s, "<>") {
		return ""
	}
	return strings.ToValidUTF8(s, "�")
}
