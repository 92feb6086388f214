// Package params carries the parameters of requests over to attributes, by a table
// in which a member of the request is one row.
package params

import (
	"bytes"
	"strconv"

	"github.com/spanwire/spanwire/internal/canon"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// Form says how a value is read. A value of another type is left out.
type Form uint8

// The forms.
const (
	Double Form = iota
	Int         // a whole number, also written as 5.0
	Text
	Texts // a text or a list of texts, as a list
	Bool
	JSON    // an object or list verbatim, or a text; left out where it is long
	Seconds // nanoseconds, as seconds
)

// Row is what becomes of a member.
type Row struct {
	Key  string
	Form Form
}

// Table maps members to attributes.
type Table map[string]Row

// Bounds on what is carried.
const (
	MaxText   = 1024 // bytes of a text, and of JSON
	maxTexts  = 64
	maxNumber = 64
)

// Set carries one member over and says whether the table has a row for it.
func (t Table) Set(c *llm.Call, member, val []byte) bool {
	row, ok := t[string(member)]
	if ok {
		row.Set(c, val)
	}
	return ok
}

// SetAll carries the members of an object over that the table has a row for.
func (t Table) SetAll(c *llm.Call, obj []byte) {
	for m := jsonwalk.Object(obj); m.Next(); {
		t.Set(c, m.Key, m.Val)
	}
}

// Names returns the members that the table has rows for, in no order.
func (t Table) Names() []string {
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	return names
}

// Set sets the attribute of the row from a JSON value.
func (r Row) Set(c *llm.Call, val []byte) {
	if jsonwalk.IsNull(val) {
		return
	}
	switch r.Form {
	case Double:
		if f, ok := double(val); ok {
			c.SetAttr(r.Key, canon.Float(f))
		}
	case Int:
		if n, err := strconv.ParseInt(string(bytes.TrimSuffix(val, []byte(".0"))), 10, 64); err == nil {
			c.SetAttr(r.Key, canon.Int(n))
		}
	case Text:
		setText(c, r.Key, val)
	case Texts:
		if list := List(val); len(list) > 0 {
			c.SetAttr(r.Key, list)
		}
	case Bool:
		if s := string(val); s == "true" || s == "false" {
			c.SetAttr(r.Key, s == "true")
		}
	case Seconds:
		if n, ok := Count(val); ok {
			c.SetAttr(r.Key, float64(n)/1e9)
		}
	case JSON:
		if (val[0] == '{' || val[0] == '[') && len(val) <= MaxText {
			c.SetAttr(r.Key, string(val))
		} else {
			setText(c, r.Key, val)
		}
	}
}

// setText sets an attribute from a JSON string that is not empty.
func setText(c *llm.Call, key string, val []byte) {
	switch raw := jsonwalk.Inner(val); {
	case len(raw) == 0:
	case len(raw) <= canon.MaxText && bytes.IndexByte(raw, '\\') < 0:
		c.SetAttr(key, canon.Any(raw))
	default:
		if s := jsonwalk.Unescape(raw); s != "" {
			c.SetAttr(key, jsonwalk.Clip(s, MaxText))
		}
	}
}

// Bounds on pairs.
const (
	maxPairs = 64
	maxName  = 128 // bytes of a name
)

// Pairs carries a caller's own names and values over, as metadata and labels hold
// them: texts, numbers and booleans as texts, a list of texts as a list. Attribution
// reads them.
func Pairs(c *llm.Call, prefix string, obj []byte) {
	n := 0
	for m := jsonwalk.Object(obj); m.Next() && n < maxPairs; n++ {
		var value any
		switch m.Val[0] {
		case '"':
			text := jsonwalk.Str(m.Val)
			if text == "" {
				continue
			}
			value = jsonwalk.Clip(text, MaxText)
		case '[':
			list := List(m.Val)
			if len(list) == 0 {
				continue
			}
			value = list
		case '{', 'n': // an object, null
			continue
		default: // a number, true, false
			value = jsonwalk.Clip(string(m.Val), MaxText)
		}
		c.SetAttr(prefix+jsonwalk.Clip(jsonwalk.Unescape(m.Key), maxName), value)
	}
}

// double reads a JSON number.
func double(val []byte) (float64, bool) {
	if c := val[0]; c != '-' && (c < '0' || c > '9') {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(val), 64)
	return f, err == nil
}

// List reads a text or a list of texts.
func List(val []byte) (list []string) {
	if len(val) > 0 && val[0] == '"' {
		return []string{jsonwalk.Clip(jsonwalk.Str(val), MaxText)}
	}
	for e := jsonwalk.Array(val); e.Next() && len(list) < maxTexts; {
		if e.Val[0] == '"' {
			list = append(list, jsonwalk.Clip(jsonwalk.Str(e.Val), MaxText))
		}
	}
	return list
}

// Count reads a number that counts something: vendors send integers, floats and
// texts of them (wire reference, section 1). Negative and absurd ones are none.
func Count(val []byte) (n int64, ok bool) {
	if n, ok := digits(val); ok {
		return n, true
	}
	text := val
	if len(val) > 0 && val[0] == '"' {
		text = jsonwalk.Inner(val)
	}
	if len(text) == 0 || len(text) > maxNumber || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return 0, false
	}
	if n, ok := digits(text); ok {
		return n, true
	}
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, n >= 0 && n < 1<<53
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(f >= 0 && f < 1<<53) {
		return 0, false
	}
	return int64(f + 0.5), true
}

// digits reads the form that all but all counts have.
func digits(val []byte) (n int64, ok bool) {
	if len(val) == 0 || len(val) > 15 {
		return 0, false
	}
	for _, c := range val {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}
