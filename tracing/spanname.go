package tracing

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

func kindOf(c *llm.Call) llm.Kind {
	if c.Kind == llm.KindHTTP {
		return llm.KindHTTP
	}
	return llm.KindLLM
}

// errorType returns error.type: what was read of the answer, else the status, else
// how the exchange broke. It is "" on success.
// https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
func errorType(c *llm.Call) string {
	switch {
	case c.ErrorType != "":
		return c.ErrorType
	case c.Status >= http.StatusBadRequest:
		return strconv.Itoa(c.Status)
	case c.Ended == llm.EndUpstreamCut, c.Ended == llm.EndTimeout:
		return string(c.Ended)
	case c.Ended == llm.EndError:
		return "_OTHER"
	}
	return ""
}

// since returns the seconds from a to b; ok is false when either never came or
// the clock went backwards.
func since(a, b time.Time) (seconds float64, ok bool) {
	if a.IsZero() || b.IsZero() || b.Before(a) {
		return 0, false
	}
	return b.Sub(a).Seconds(), true
}

// timesOf returns start and end of a call, such that neither is outside of what
// OTLP can say and the end is not before the start.
func timesOf(c *llm.Call) (start, end time.Time) {
	start, end = c.Start, c.End
	if !sayable(end) {
		end = start
	}
	if !sayable(start) {
		start = end
	}
	if !sayable(start) {
		start = time.Now()
		end = start
	}
	if end.Before(start) {
		end = start
	}
	return start, end
}

func sayable(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 2262 }

// spanNameOf returns the name by which backends group spans: few different ones.
func spanNameOf(c *llm.Call) string {
	if c.Kind == llm.KindHTTP {
		return httpName(c)
	}
	operation := first(c.Operation, "llm")
	if c.RequestModel == "" {
		return operation
	}
	return operation + " " + cleanText(c.RequestModel, maxKey)
}

const otherMethod = "_OTHER"

// methodOf returns a method that the conventions know, for callers may send any word.
func methodOf(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return m
	case "":
		return ""
	}
	return otherMethod
}

// httpName returns "{method} {path}" with everything that looks like an id taken
// out of the path, and the method alone where the path says nothing (an address
// that is not served may be any text).
func httpName(c *llm.Call) string {
	method := methodOf(c.Method)
	if method == otherMethod || method == "" {
		method = "HTTP"
	}
	if c.Route == "" || c.Status == http.StatusNotFound || !strings.HasPrefix(c.Path, "/") {
		return method
	}
	var b strings.Builder
	b.WriteString(method + " ")
	for i, seg := range strings.Split(c.Path[1:], "/") {
		if i == 8 {
			b.WriteString("/…")
			break
		}
		b.WriteByte('/')
		if isWord(seg) {
			b.WriteString(seg)
		} else {
			b.WriteString("{id}")
		}
	}
	return b.String()
}

// isWord says whether a path segment is a name that an API gave and not one that
// its data has: letters, or a version such as v1 and v1beta.
func isWord(seg string) bool {
	if len(seg) > 24 {
		return false
	}
	for i := range len(seg) {
		c := seg[i]
		letter := c >= 'a' && c <= 'z' || c == '_' || c == '-' || c == '.'
		version := c >= '0' && c <= '9' && i > 0 && seg[0] == 'v' && len(seg) <= 8
		if !letter && !version {
			return false
		}
	}
	return true
}
