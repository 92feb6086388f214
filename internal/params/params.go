// Package params carries the parameters of requests over to attributes, by a table
// in which a member of the request is one row.
package params

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

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
	MaxText  = 1024 // bytes of a text, and of JSON
	maxTexts = 64
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
	v := gjson.ParseBytes(val)
	switch r.Form {
	case Double:
		if v.Type == gjson.Number {
			c.SetAttr(r.Key, v.Num)
		}
	case Int:
		if n, err := strconv.ParseInt(strings.TrimSuffix(v.Raw, ".0"), 10, 64); err == nil && v.Type == gjson.Number {
			c.SetAttr(r.Key, n)
		}
	case Text:
		if v.Type == gjson.String && v.Str != "" {
			c.SetAttr(r.Key, jsonwalk.Clip(v.Str, MaxText))
		}
	case Texts:
		if list := List(val); len(list) > 0 {
			c.SetAttr(r.Key, list)
		}
	case Bool:
		if v.IsBool() {
			c.SetAttr(r.Key, v.Bool())
		}
	case Seconds:
		if n, ok := Count(val); ok {
			c.SetAttr(r.Key, float64(n)/1e9)
		}
	case JSON:
		switch {
		case v.Type == gjson.String && v.Str != "":
			c.SetAttr(r.Key, jsonwalk.Clip(v.Str, MaxText))
		case (v.IsObject() || v.IsArray()) && len(val) <= MaxText:
			c.SetAttr(r.Key, string(val))
		}
	}
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
	v := gjson.ParseBytes(val)
	text := v.Raw
	switch v.Type {
	case gjson.Number:
	case gjson.String:
		text = v.Str
	default:
		return 0, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, n >= 0 && n < 1<<53
	}
	f, err := strconv.ParseFloat(text, 64)
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
