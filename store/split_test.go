package store

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

func pieces(body string) (out []string) {
	splitBody(body, func(p string) { out = append(out, p) })
	return out
}

// A conversation that grows makes the pieces that it made before, and a few more.
func TestBodiesAreCutWhereTheyGrow(t *testing.T) {
	body := func(turns int) string {
		var b strings.Builder
		b.WriteString(`{"model":"m","tools":[{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string","enum":["x","y"]}}}}],"messages":[`)
		for i := range turns {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"role":"user","content":[{"type":"text","text":"message %d ]}[{ \" which is long enough to be a piece of its own"}]}`, i)
		}
		return b.String() + `],"stream":true}`
	}
	known := map[string]bool{}
	for turns := 1; turns < 50; turns++ {
		fresh := 0
		all := pieces(body(turns))
		if strings.Join(all, "") != body(turns) {
			t.Fatal("the pieces are not the body")
		}
		for _, p := range all {
			if !known[p] {
				known[p] = true
				fresh += len(p)
			}
		}
		if turns > 2 && fresh > 400 {
			t.Errorf("turn %d makes %d bytes of new pieces", turns, fresh)
		}
	}
	image := strings.Repeat("iVBORw0KGgo", 3000)
	if all := pieces(`{"messages":[{"content":[{"type":"text","text":"what is this? say it in one short sentence please"},{"image_url":"` + image + `"}]}]}`); len(all) < 3 || !strings.Contains(strings.Join(all, "|"), `|"`+image+`"|`) {
		t.Errorf("%d pieces, none is the image", len(all))
	}
}

func FuzzSplitBody(f *testing.F) {
	for _, s := range []string{"", "{", `{"a":[{"b":"c"},{}]}`, `["\`, "data: x\n\n", strings.Repeat("[", 100) + strings.Repeat("]", 200), `{"a":"` + strings.Repeat("x", 20_000) + `"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if got := strings.Join(pieces(body), ""); got != body {
			t.Errorf("%q came back as %q", body, got)
		}
	})
}

func FuzzManifest(f *testing.F) {
	m := manifest{secInput: {pieceID(1, 0), pieceID(1, 1), pieceID(2, 0)}, secOutput: {pieceID(2, 1)}}
	f.Add(m.encode(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeManifest(b)
		if err != nil {
			return
		}
		again, err := decodeManifest(m.encode(nil))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%v became %v: %v", m, again, err)
		}
		_, _ = splitPieces(b)
	})
}

// Every field of what is a piece changes its hash: a new field that is forgotten would
// make two pieces one, and give calls back with the wrong one.
func TestEveryFieldIsInTheHash(t *testing.T) {
	var h hasher
	f := func(zero any, hash func(v reflect.Value) pieceHash) {
		t.Helper()
		typ := reflect.TypeOf(zero)
		seen := map[pieceHash]string{hash(reflect.New(typ).Elem()): "none"}
		for i := range typ.NumField() {
			v := reflect.New(typ).Elem()
			switch field := v.Field(i); field.Kind() {
			case reflect.String:
				field.SetString("x")
			case reflect.Int, reflect.Int64:
				field.SetInt(1)
			case reflect.Bool:
				field.SetBool(true)
			case reflect.Slice:
				field.Set(reflect.MakeSlice(field.Type(), 1, 1))
			default:
				t.Fatalf("%s.%s is a %s: teach the hash and the test about it", typ, typ.Field(i).Name, field.Kind())
			}
			sum := hash(v)
			if other, same := seen[sum]; same {
				t.Errorf("%s.%s is not in the hash: it is that of %s", typ, typ.Field(i).Name, other)
			}
			seen[sum] = typ.Field(i).Name
		}
	}
	f(llm.Part{}, func(v reflect.Value) pieceHash { return h.list([]llm.Part{v.Interface().(llm.Part)}) })
	f(llm.Message{}, func(v reflect.Value) pieceHash { m := v.Interface().(llm.Message); return h.message(&m) })
	f(llm.Tool{}, func(v reflect.Value) pieceHash { x := v.Interface().(llm.Tool); return h.tool(&x) })
}

func FuzzBlock(f *testing.F) {
	var b block
	b.open(7)
	b.add(7, []byte("one"))
	b.add(9, nil)
	f.Add(int64(7), b.plain)
	f.Add(int64(1), []byte{0, 200})
	f.Fuzz(func(t *testing.T, first int64, plain []byte) {
		total := 0
		err := splitBlock(first, plain, func(n int64, what []byte) error {
			total += len(what)
			return nil
		})
		if total > len(plain) || err == nil && len(plain) > 0 && total == len(plain) {
			t.Errorf("%d bytes out of %d, %v", total, len(plain), err)
		}
	})
}

// A message that differs in any field is another one.
func TestSameMessage(t *testing.T) {
	typ := reflect.TypeFor[llm.Message]()
	for i := range typ.NumField() {
		var a, b llm.Message
		switch f := reflect.ValueOf(&a).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		default:
			t.Fatalf("teach sameMessage and the test about %s", typ.Field(i).Name)
		}
		own, _ := cloneMessage(a)
		if sameMessage(&a, &b) || !sameMessage(&a, &a) || !sameMessage(&a, &own) {
			t.Errorf("%s is not compared, or not copied", typ.Field(i).Name)
		}
	}
}
