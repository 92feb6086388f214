package openai

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// apiError is an error that a provider told.
type apiError struct {
	code    string // stable word of low cardinality; "" when there is none
	message string
}

// parseError reads an error in any of the shapes of wire reference section 14:
// the error object itself, a text, or the object that carries it. nil when there
// is none in it.
func parseError(val []byte) *apiError {
	if e := array(val); len(val) > 0 && val[0] == '[' {
		if !e.next() {
			return nil
		}
		val = e.val
	}
	if len(val) > 0 && val[0] == '"' {
		if s := str(val); s != "" {
			return &apiError{message: clip(s, maxMessage)}
		}
		return nil
	}
	if !isObject(val) || empty(val) {
		return nil
	}
	f := readErrorFields(val)
	if isObject(f.inner) && !empty(f.inner) {
		in := readErrorFields(f.inner)
		return in.apiError()
	}
	if len(f.inner) > 0 && f.inner[0] == '"' { // {"code": …, "error": "text"}
		f.message = f.inner
	}
	return f.apiError()
}

// errorFields are the members that errors are told in.
type errorFields struct {
	code, kind, status, message, inner []byte
}

func readErrorFields(val []byte) (f errorFields) {
	for m := object(val); m.next(); {
		switch string(m.key) {
		case "error":
			f.inner = m.val
		case "code":
			f.code = m.val
		case "type", "__type":
			f.kind = m.val
		case "status":
			f.status = m.val
		case "message", "Message", "msg":
			f.message = m.val
		case "detail":
			if len(f.message) == 0 {
				f.message = m.val
			}
		}
	}
	return f
}

func (f *errorFields) apiError() *apiError {
	e := &apiError{}
	switch {
	case len(f.message) == 0:
	case f.message[0] == '"':
		e.message = str(f.message)
	case !isNull(f.message):
		e.message = string(f.message) // a list of what is wrong with a request
	}
	e.message = clip(e.message, maxMessage)
	// A code in words says most; then the kind of error; then Google's status; a
	// number is the HTTP status once more.
	for _, v := range [][]byte{f.code, f.kind, f.status} {
		if w := str(v); word(w) && !digits(w) {
			e.code = w
			return e
		}
	}
	for _, v := range [][]byte{f.code, f.status} {
		if w := gjson.ParseBytes(v).String(); digits(w) && len(w) <= 6 {
			e.code = w
			return e
		}
	}
	if e.message == "" {
		return nil
	}
	return e
}

// maxMessage bounds an error message.
const maxMessage = 2048

// word says whether a text can be an error type: short, without blanks.
func word(s string) bool {
	if s == "" || len(s) > 64 || s == "error" {
		return false
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

// ErrorOf reads the error that the body of a response tells, in any of the
// shapes that vendors use (wire reference, section 14). status is the HTTP
// status; below 400 only a body that says that it is an error is one. code is a
// short word for error.type, "" when the body has none; ok is false when the
// body tells no error.
func ErrorOf(status int, body []byte) (code, message string, ok bool) {
	if i := skipSpace(body, 0); i < len(body) {
		body = body[i:]
	}
	var e *apiError
	switch {
	case status >= 400:
		e = parseError(body)
	case isObject(body):
		if v := member(body, "error"); !empty(v) {
			e = parseError(body)
		} else if k := str(member(body, "object")); k == "error" {
			e = parseError(body)
		}
	}
	if e == nil {
		return "", "", false
	}
	return e.code, Scrub(e.message), true
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
	if s == "" {
		return ""
	}
	return keys.ReplaceAllStringFunc(s, func(hit string) string {
		if i := strings.IndexAny(hit, " \t\n="); i >= 0 {
			return hit[:i+1] + "[redacted]"
		}
		return "[redacted]"
	})
}

// errorFor returns the error of a response: what the body says, else what its
// status says. code is "" when there is none.
func (r *Reader) errorFor(status int) (code, message string) {
	e := r.answer.err
	if r.form == object_ && (status >= 400 || e != nil && !empty(member(r.plainHead(), "error"))) {
		if whole := parseError(r.plainHead()); whole != nil {
			e = whole // some put the code beside the error
		}
	}
	if e == nil && status < 400 {
		return "", ""
	}
	if e != nil {
		code, message = e.code, e.message
	} else if r.form == words {
		message = sentence(r.plain.head)
	}
	if code == "" && status >= 400 {
		code = strconv.Itoa(status)
	}
	if code == "" {
		code = "_OTHER"
	}
	if message == "" {
		message = http.StatusText(status)
	}
	return code, Scrub(message)
}

func (r *Reader) plainHead() []byte {
	if r.endpoint == embeddings {
		return r.frame.out.head
	}
	return r.plain.head
}

// sentence returns a body of text when it is a short one, and not a page.
func sentence(body []byte) string {
	s := strings.TrimSpace(string(body[:min(len(body), 512)]))
	if len(s) >= 300 || strings.ContainsAny(s, "<>") {
		return ""
	}
	return strings.ToValidUTF8(s, "�")
}

// ErrorBody returns the JSON of an error in OpenAI's shape, as an answer that the
// proxy makes itself carries it. code is a stable word.
func (Dialect) ErrorBody(_ int, code, message string) []byte {
	var e struct {
		Error struct {
			Message string  `json:"message"`
			Type    string  `json:"type"`
			Param   *string `json:"param"`
			Code    string  `json:"code"`
		} `json:"error"`
	}
	e.Error.Message, e.Error.Type, e.Error.Code = message, "proxy_error", code
	b, err := json.Marshal(e)
	if err != nil {
		panic("BUG: error body: " + err.Error()) // texts alone
	}
	return b
}
