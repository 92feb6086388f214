package jsonwalk_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/spanwire/spanwire/internal/jsonwalk"
)

func TestCutOffTexts(t *testing.T) {
	const text = `{"a": "x\"y", "b": [1, {"c": null}], "d": {"e": "caf\u00e9"}}`
	for n := range len(text) {
		m := jsonwalk.Object([]byte(text[:n]))
		for m.Next() {
			for e := jsonwalk.Array(m.Val); e.Next(); {
				_ = jsonwalk.Empty(e.Val)
			}
			_ = jsonwalk.Str(m.Val)
		}
		if m.Whole() {
			t.Errorf("%q counts as whole", text[:n])
		}
	}
	if got := jsonwalk.Str(jsonwalk.Member(jsonwalk.Member([]byte(text), "d"), "e")); got != "café" {
		t.Errorf("got %q", got)
	}
	if got := jsonwalk.Str([]byte(`"half \u00`)); got != "half " {
		t.Errorf("got %q", got)
	}
}

// Of a valid object the walk finds the members that encoding/json finds; it never
// runs past any text.
func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":"\\\"","c":[{}],"d":{"e":[[]]}}`))
	f.Add([]byte(`{"a"`))
	f.Add([]byte(` [1,"]",{"a":"}"}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := map[string]int{}
		m := jsonwalk.Object(b)
		for m.Next() {
			got[jsonwalk.Unescape(m.Key)]++
			_ = jsonwalk.Str(m.Val)
		}
		for e := jsonwalk.Array(b); e.Next(); {
			if len(e.Val) == 0 {
				t.Fatal("an element of no bytes")
			}
		}
		var want map[string]json.RawMessage
		if !utf8.Valid(b) || json.Unmarshal(b, &want) != nil || want == nil {
			return
		}
		if !m.Whole() {
			t.Fatalf("%q is an object and was not read to its end", b)
		}
		for k := range want {
			if got[k] == 0 {
				t.Fatalf("%q: member %q was not found in %v", b, k, got)
			}
		}
	})
}
