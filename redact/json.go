package redact

import (
	"bytes"
	"encoding/json"
	"strings"
)

// json is text for what may be JSON: there each string is gone through by itself, with
// its escapes undone, and what stands in its place is written so that the JSON stays
// JSON. Where a number goes a string comes, or null. What is no JSON is text.
func (w *work) json(s string) string {
	body := strings.TrimLeft(s, " \t\r\n")
	if body == "" || strings.IndexByte(`{["`, body[0]) < 0 {
		return w.text(s)
	}
	if len(s) > maxText {
		w.count(unscanned)
		return ""
	}
	if !json.Valid([]byte(s)) {
		return w.text(s)
	}
	var out []byte // nil as long as nothing changed
	at := 0        // s[:at] is in out
	put := func(from, to int, text string) {
		out = append(append(out, s[at:from]...), text...)
		at = to
	}
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"':
			end, escaped := stringEnd(s, i+1)
			if text, changed := w.quoted(s[i+1:end], escaped); changed {
				put(i+1, end, text)
			}
			i = end + 1
		case class[c]&digitByte != 0 || c == '-':
			end := i + 1
			for end < len(s) && (class[s[end]]&(digitByte|lowerByte|upperByte) != 0 || strings.IndexByte("+-.", s[end]) >= 0) {
				end++
			}
			if text, changed := w.number(s[i:end]); changed {
				put(i, end, text)
			}
			i = end
		default: // punctuation, true, false, null
			i++
		}
	}
	if out == nil {
		return s
	}
	return string(append(out, s[at:]...))
}

// stringEnd returns where the string ends that begins at i: at its quotation mark, or
// where the text does.
func stringEnd(s string, i int) (end int, escaped bool) {
	for i < len(s) && s[i] != '"' {
		if s[i] == '\\' {
			escaped = true
			i++
		}
		i++
	}
	return min(i, len(s)), escaped
}

// quoted goes through what is between quotation marks.
func (w *work) quoted(s string, escaped bool) (text string, changed bool) {
	if !escaped {
		text = w.text(s)
		return text, text != s
	}
	var plain string
	if json.Unmarshal([]byte(`"`+s+`"`), &plain) != nil {
		text = w.text(s)
		return text, text != s
	}
	clean := w.inner(plain)
	if clean == plain {
		return s, false
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(clean) != nil { // a string can always be written
		return "", true
	}
	written := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return string(written[1 : len(written)-1]), true
}

// maxNested is how often JSON may be within a string of JSON.
const maxNested = 3

// inner is json for what was a string with escapes: often it is JSON again.
func (w *work) inner(s string) string {
	if w.depth >= maxNested {
		return w.text(s)
	}
	w.depth++
	defer func() { w.depth-- }()
	return w.json(s)
}

// number goes through a number: it is something only as a whole.
func (w *work) number(s string) (text string, changed bool) {
	spans := w.find(s)
	if len(spans) != 1 || spans[0].start != 0 || spans[0].end != len(s) {
		return s, false
	}
	x := spans[0]
	if text = w.instead(&x, s); text == "" {
		return "null", true
	}
	return `"` + text + `"`, true
}
