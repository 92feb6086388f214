package params_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

func TestForms(t *testing.T) {
	f := func(form params.Form, val, want string) {
		t.Helper()
		c := &llm.Call{}
		params.Table{"m": {Key: "k", Form: form}}.SetAll(c, []byte(`{"m":`+val+`,"other":1}`))
		got := ""
		for _, a := range c.Attrs {
			got += fmt.Sprintf("%s %T %v", a.Key, a.Value, a.Value)
		}
		if got != want {
			t.Errorf("%s as %d: %q, want %q", val, form, got, want)
		}
	}
	f(params.Double, `0.5`, "k float64 0.5")
	f(params.Double, `1`, "k float64 1")
	f(params.Double, `"1"`, "")
	f(params.Double, `null`, "")
	f(params.Int, `7`, "k int64 7")
	f(params.Int, `7.0`, "k int64 7")
	f(params.Int, `7.5`, "")
	f(params.Int, `true`, "")
	f(params.Text, `"a\u00e9"`, "k string aé")
	f(params.Text, `""`, "")
	f(params.Text, `[]`, "")
	f(params.Texts, `"a"`, "k []string [a]")
	f(params.Texts, `["a",1,"b"]`, "k []string [a b]")
	f(params.Texts, `[]`, "")
	f(params.Bool, `false`, "k bool false")
	f(params.Bool, `0`, "")
	f(params.Seconds, `1500000000`, "k float64 1.5")
	f(params.Seconds, `-1`, "")
	f(params.JSON, `"auto"`, "k string auto")
	f(params.JSON, `{"a": [1]}`, `k string {"a": [1]}`)
	f(params.JSON, `{"a":"`+strings.Repeat("x", 2000)+`"}`, "")
}

func TestCount(t *testing.T) {
	f := func(val string, want int64, known bool) {
		t.Helper()
		if n, ok := params.Count([]byte(val)); n != want && ok || ok != known {
			t.Errorf("%s: %d %v, want %d %v", val, n, ok, want, known)
		}
	}
	f(`12`, 12, true)
	f(`0`, 0, true)
	f(`188.0`, 188, true)
	f(`"12"`, 12, true)
	f(`1e3`, 1000, true)
	f(`-1`, 0, false)
	f(`1e300`, 0, false)
	f(`99999999999999999999`, 0, false)
	f(`"NaN"`, 0, false)
	f(`null`, 0, false)
	f(`{}`, 0, false)
	f(``, 0, false)
}

func TestNames(t *testing.T) {
	names := params.Table{"b": {}, "a": {}}.Names()
	slices.Sort(names)
	if fmt.Sprint(names) != "[a b]" {
		t.Error(names)
	}
}

func TestPairs(t *testing.T) {
	f := func(obj string, want string) {
		t.Helper()
		var c llm.Call
		params.Pairs(&c, "p.", []byte(obj))
		if got := fmt.Sprint(c.Attrs); got != want {
			t.Errorf("%.80s gives %.200s, want %s", obj, got, want)
		}
	}
	f(`{"a":"x","b":5,"c":true,"d":["y","z"],"e":{"f":1},"g":null,"h":[1],"\u0069":"j"}`, "[{p.a x} {p.b 5} {p.c true} {p.d [y z]} {p.i j}]")
	f(`[]`, "[]")
	f(`"x"`, "[]")
	f(`{"a":"`, "[]")
	var c llm.Call
	many := "{" + strings.Repeat(`"k":"v",`, 1) + `"` + strings.Repeat("n", 1000) + `":"` + strings.Repeat("v", 5000) + `"`
	for i := range 200 {
		many += fmt.Sprintf(`,"k%d":1`, i)
	}
	params.Pairs(&c, "", []byte(many+"}"))
	if len(c.Attrs) != 64 || len(c.Attrs[1].Key) != 128 || len(c.Attrs[1].Value.(string)) != params.MaxText {
		t.Errorf("%d attributes of a large object", len(c.Attrs))
	}
}
