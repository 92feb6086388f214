package callrecord

import (
	"bytes"
	"math"
	"reflect"
	"testing"
)

// fill gives every field of v a value that is not empty, and different ones to fields
// of a kind.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(string(rune('a'+*n%26)) + "\x00\xff" + string(make([]byte, *n%300)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		sizes := []int64{1, -1, 24, 200, -300, 70_000, 1 << 30}
		v.SetInt(sizes[*n%len(sizes)] + int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n%250 + 1))
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Interface: // of an attribute
		values := []any{"text", int64(math.MinInt64), int64(math.MaxInt64), 0.1, math.NaN(), math.Inf(1), math.Inf(-1), true, false, []string{"a", ""}, []string{}, []string(nil), nil}
		v.Set(reflect.Zero(v.Type()))
		if x := values[*n%len(values)]; x != nil {
			v.Set(reflect.ValueOf(x))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "_" {
				fill(t, v.Field(i), n)
			}
		}
	default:
		t.Fatalf("teach the test about a %s", v.Kind())
	}
}

// What is written field by field is what the library writes: with everything there,
// with nothing there, and with each field of a call alone.
func TestFieldsAreWrittenAsTheLibraryDoes(t *testing.T) {
	f := func(v any, got []byte) {
		t.Helper()
		var want bytes.Buffer
		if err := encoding.MarshalToBuffer(v, &want); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%+v\nbecame %x\nwant   %x", v, got, want.Bytes())
		}
	}
	f(&Facts{}, appendFacts(nil, &Facts{}))
	f(&Said{}, appendSaid(nil, &Said{}))
	for n := range 40 { // other values of attributes, other lengths
		var facts Facts
		var said Said
		at := n
		fill(t, reflect.ValueOf(&facts).Elem(), &at)
		fill(t, reflect.ValueOf(&said).Elem(), &at)
		f(&facts, appendFacts(nil, &facts))
		f(&said, appendSaid(nil, &said))
		f(&said.Input[0], appendMessage(nil, &said.Input[0]))
		f(said.System, appendParts(nil, said.System))
		f(&said.Tools[0], appendTool(nil, &said.Tools[0]))
		for i := range reflect.ValueOf(facts).NumField() {
			var one Facts
			reflect.ValueOf(&one).Elem().Field(i).Set(reflect.ValueOf(facts).Field(i))
			f(&one, appendFacts([]byte{1, 2, 3}, &one)[3:])
		}
	}
	f([]part(nil), appendParts(nil, nil))
	f([]part{}, appendParts(nil, []part{}))
	said := Said{Inferred: [][]part{nil, {}, {{Type: "text"}}}}
	f(&said, appendSaid(nil, &said))
}
