package jsonwalk_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// told writes down what a cursor meets, three walks deep.
func told(cur *jsonwalk.Cursor, depth int, out *strings.Builder) {
	switch c := cur.Peek(); {
	case c == '{' && depth > 0:
		for o := cur.Object(); o.Next(); {
			fmt.Fprintf(out, "%s:", o.Key)
			told(cur, depth-1, out)
		}
	case c == '[' && depth > 0:
		for a := cur.Array(); a.Next(); {
			told(cur, depth-1, out)
		}
	default:
		fmt.Fprintf(out, "%s ", cur.Value())
	}
}

func TestCursor(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		cur := jsonwalk.Read([]byte(text))
		var out strings.Builder
		told(&cur, 3, &out)
		if out.String() != want || !cur.Whole() {
			t.Errorf("%s: %q, whole %v; want %q", text, out.String(), cur.Whole(), want)
		}
	}
	f(`{"a":1,"b":{"c":[1,"x\"]"],"d":{"e":{"f":[0]}}},"g":null}`, `a:1 b:c:1 "x\"]" d:e:{"f":[0]} g:null `)
	f(" [ 1 , [ 2 , [ 3 , [ 4 ] ] ] , { } , \"\" ] ", `1 2 3 [ 4 ] "" `)
	f(`{}`, ``)
	f(`"x"`, `"x" `)
}

// What is not taken, or not walked to its end, is passed over.
func TestCursorPassesOver(t *testing.T) {
	const text = `{"a":[1,{"b":"]}"},[[2]],3],"c":{"d":[{"e":5},6],"f":7},"g":"last"}`
	for stop := range 12 {
		cur := jsonwalk.Read([]byte(text))
		n, last := 0, ""
		more := func() bool { n++; return n <= stop }
		for o := cur.Object(); o.Next(); {
			switch string(o.Key) {
			case "a":
				for a := cur.Array(); a.Next() && more(); {
					for in := cur.Object(); in.Next() && more(); {
					}
				}
			case "c":
				for in := cur.Object(); in.Next() && more(); {
					for a := cur.Array(); a.Next() && more(); {
						cur.Value()
					}
				}
			case "g":
				last = jsonwalk.Str(cur.Value())
			}
		}
		if last != "last" || !cur.Whole() {
			t.Errorf("after %d steps: %q, whole %v", stop, last, cur.Whole())
		}
	}
}

// A text that was cut off is read as far as it goes.
func TestCursorCut(t *testing.T) {
	const text = `{"a":"x","list":[{"b":"yy"},{"b":"zzz"}]}`
	for n := range len(text) {
		cur := jsonwalk.Read([]byte(text[:n]))
		got := ""
		for o := cur.Object(); o.Next(); {
			if string(o.Key) == "a" {
				got += jsonwalk.Str(cur.Value())
			}
			for a := cur.Array(); a.Next(); {
				for in := cur.Object(); in.Next(); {
					got += jsonwalk.Str(cur.Value())
				}
			}
		}
		if cur.Whole() || cur.Bad() || !strings.HasPrefix("xyyzzz", got) {
			t.Errorf("%q: %q, whole %v, bad %v", text[:n], got, cur.Whole(), cur.Bad())
		}
	}
	for _, text := range []string{`[`, `x`, `{"a" 1}`, `{x}`, `"s"`} {
		cur := jsonwalk.Read([]byte(text))
		for o := cur.Object(); o.Next(); {
		}
		if !cur.Bad() {
			t.Errorf("%s passes for an object", text)
		}
	}
}

// The cursor meets in any object what the walk by members meets.
func FuzzCursor(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":"\\\"","c":[{}],"d":{"e":[[]]}}`), 3)
	f.Add([]byte(`{"a":{"b":[1`), 2)
	f.Add([]byte(` {"a" : [ 1 , {"b":2} ] , "c":"\ud83d\ude00" } x`), 1)
	f.Fuzz(func(t *testing.T, b []byte, depth int) {
		var out strings.Builder
		cur := jsonwalk.Read(b)
		told(&cur, depth%8, &out)
		if !json.Valid(b) || !utf8.Valid(b) || b[jsonwalk.SkipSpace(b, 0)] != '{' {
			return
		}
		cur = jsonwalk.Read(b)
		m, texts := jsonwalk.Object(b), jsonwalk.TextsOf(b)
		for o := cur.Object(); o.Next(); {
			if !m.Next() || string(m.Key) != string(o.Key) || string(m.Val) != string(cur.Value()) {
				t.Fatalf("%q: the walks differ at %q", b, o.Key)
			}
			var want string
			if m.Val[0] == '"' && json.Unmarshal(m.Val, &want) == nil && (texts.Str(m.Val) != want || jsonwalk.Str(m.Val) != want) {
				t.Fatalf("%s: %q and %q, want %q", m.Val, texts.Str(m.Val), jsonwalk.Str(m.Val), want)
			}
		}
		if m.Next() || !cur.Whole() {
			t.Fatalf("%q: the walk ended early", b)
		}
	})
}

// Texts are what they would be without sharing, and of a body that is large and of
// which little is kept they are copies.
func TestTexts(t *testing.T) {
	for _, size := range []int{10, 5000, 100_000} {
		body := []byte(`{"pad":"` + strings.Repeat("x", size) + `","a":"plain","b":"esc\n\u00e9 ` + strings.Repeat(`\\`, 40) + strings.Repeat("y", 200) + `","c":"plain too"}`)
		texts := jsonwalk.TextsOf(body)
		got := map[string]string{}
		cur := jsonwalk.Read(body)
		for o := cur.Object(); o.Next(); {
			got[string(o.Key)] = texts.Str(cur.Value())
		}
		var want map[string]string
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatal(err)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%d: %s is %q, want %q", size, k, got[k], v)
			}
		}
		before := got["a"]
		for i := range body {
			body[i] = '!'
		}
		if changed := got["a"] != "plain"; changed != (size == 10) {
			t.Errorf("%d: a short text became %q", size, before)
		}
	}
	var copies jsonwalk.Texts
	b := []byte(strings.Repeat("z", 500))
	kept := copies.Keep(b)
	b[0] = '!'
	if kept[0] != 'z' {
		t.Error("the zero value shares")
	}
}

// Text is read eight bytes at a time: an escape may be anywhere in them, and one that
// JSON does not know never makes a text longer than it was sent.
func TestEscapesAnywhere(t *testing.T) {
	const letters = "abcdefghijklmnopqrst"
	for _, escape := range []string{`\n`, `\"`, `\\`, `\u0041`, `\u00e9`, `\u20ac`, `\ud83d\ude00`, `\ud83d`, `\ude00x`, `\\\"\u0000\/`, `\t\t\t\t\t\t\t\t\t`} {
		for before := range len(letters) {
			for after := range len(letters) {
				text := `"` + letters[:before] + escape + letters[:after] + `"`
				var want string
				if err := json.Unmarshal([]byte(text), &want); err != nil {
					t.Fatal(err)
				}
				if got := jsonwalk.Str([]byte(text)); got != want {
					t.Fatalf("%s is %q, want %q", text, got, want)
				}
				if end, ok := jsonwalk.SkipString([]byte(text+letters), 0); !ok || end != len(text) {
					t.Fatalf("%s ends at %d, %v", text, end, ok)
				}
			}
		}
	}
	for text, want := range map[string]string{
		strings.Repeat(`\uzzzz`, 9): strings.Repeat("uzzzz", 9),
		`\x\u12g4\ud83d\u00`:        "xu12g4\ufffd",
		`\ud83d\u0041`:              "\ufffdA",
	} {
		if got := jsonwalk.Unescape([]byte(text)); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}
