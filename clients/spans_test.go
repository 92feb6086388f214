package clients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A span is one span of the file exporter, as OTLP's JSON encoding has it
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
type span struct {
	Name       string `json:"name"`
	Trace      string `json:"traceId"`
	Start      nanos  `json:"startTimeUnixNano"`
	End        nanos  `json:"endTimeUnixNano"`
	Attributes []struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	} `json:"attributes"`
	Status struct {
		Code    int    `json:"code"` // 2: error
		Message string `json:"message"`
	} `json:"status"`
}

type value struct {
	String *string  `json:"stringValue"`
	Int    *nanos   `json:"intValue"`
	Double *float64 `json:"doubleValue"`
	Bool   *bool    `json:"boolValue"`
	Array  *struct {
		Values []value `json:"values"`
	} `json:"arrayValue"`
}

// nanos is a 64-bit integer, which OTLP's JSON writes as a text.
type nanos int64

func (n *nanos) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	*n = nanos(v)
	return err
}

func (n nanos) time() time.Time { return time.Unix(0, int64(n)) }

// text returns an attribute as text, whatever its type; "" when it is absent.
func (s span) text(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.text()
		}
	}
	return ""
}

// all returns every attribute, for what must be in none.
func (s span) all() string {
	var b strings.Builder
	for _, a := range s.Attributes {
		b.WriteString(a.Key + "=" + a.Value.text() + "\n")
	}
	return b.String()
}

func (s span) int(key string) int64 {
	n, _ := strconv.ParseInt(s.text(key), 10, 64)
	return n
}

func (s span) float(key string) float64 {
	x, _ := strconv.ParseFloat(s.text(key), 64)
	return x
}

func (v value) text() string {
	switch {
	case v.String != nil:
		return *v.String
	case v.Int != nil:
		return strconv.FormatInt(int64(*v.Int), 10)
	case v.Double != nil:
		return strconv.FormatFloat(*v.Double, 'g', -1, 64)
	case v.Bool != nil:
		return strconv.FormatBool(*v.Bool)
	case v.Array != nil:
		var all []string
		for _, item := range v.Array.Values {
			all = append(all, item.text())
		}
		return strings.Join(all, ",")
	}
	return ""
}

// A message is one of gen_ai.input.messages or gen_ai.output.messages.
type message struct {
	Role  string `json:"role"`
	Parts []struct {
		Type      string          `json:"type"`
		Content   string          `json:"content"`
		ID        string          `json:"id"`
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
		Response  json.RawMessage `json:"response"` // a text, or what the caller's JSON was
	} `json:"parts"`
}

func (s span) messages(key string) ([]message, error) {
	var all []message
	if err := json.Unmarshal([]byte(s.text(key)), &all); err != nil {
		return nil, fmt.Errorf("read %s of the span: %w", key, err)
	}
	return all, nil
}

// said joins what parts of one type say.
func said(all []message, kind string) string {
	var b strings.Builder
	for _, m := range all {
		for _, p := range m.Parts {
			if p.Type == kind {
				b.WriteString(p.Content)
				var text string
				if json.Unmarshal(p.Response, &text) != nil {
					text = string(p.Response)
				}
				b.WriteString(text)
			}
		}
	}
	return b.String()
}

// readSpans reads what the file exporter wrote, in the order of the starts.
func readSpans(name string) ([]span, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []span
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var export struct {
			ResourceSpans []struct {
				ScopeSpans []struct {
					Spans []span `json:"spans"`
				} `json:"scopeSpans"`
			} `json:"resourceSpans"`
		}
		if err := json.Unmarshal(lines.Bytes(), &export); err != nil {
			return nil, fmt.Errorf("read a line of %s: %w", name, err)
		}
		for _, r := range export.ResourceSpans {
			for _, s := range r.ScopeSpans {
				all = append(all, s.Spans...)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b span) int { return a.Start.time().Compare(b.Start.time()) })
	return all, lines.Err()
}
