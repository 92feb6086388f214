package journal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

// Every field of a call, at every depth, is filled with something of its own; what
// comes back must have all of it. A new field that is forgotten fails here.
func TestEveryFieldComesBack(t *testing.T) {
	for _, seed := range []int{1, 1000} {
		var want llm.Call
		n := seed
		fill(t, reflect.ValueOf(&want).Elem(), "Call", &n)
		want.Told = llm.Told{} // only for finding the place of the call
		if got := roundTrip(t, &want); !reflect.DeepEqual(got, &want) {
			t.Errorf("came back as\n%+v\nwant\n%+v", got, &want)
		}
	}
}

// fill sets v to values that are all different. It fails the test for a type that
// it does not know, so that nothing is left out unseen.
func fill(t *testing.T, v reflect.Value, path string, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1_800_000_000+int64(*n), int64(*n)*1_000_003%1e9).UTC()))
		return
	case llm.Usage:
		fillUsage(t, v.Addr().Interface().(*llm.Usage), path, n)
		return
	case llm.Attr:
		values := []any{"text", int64(*n), float64(*n) + 0.5, *n%2 == 0, []string{"a", fmt.Sprint(*n)}}
		v.Set(reflect.ValueOf(llm.Attr{Key: fmt.Sprintf("%s-%d", path, *n), Value: values[*n%len(values)]}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("%s-%d", path, *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) * 1_000_003)
	case reflect.Uint8:
		v.SetUint(uint64(*n%255 + 1))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), path, n)
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), fmt.Sprintf("%s[%d]", path, i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 7, 7)) // more than there are kinds of attributes
		for i := range v.Len() {
			fill(t, v.Index(i), fmt.Sprintf("%s[%d]", path, i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(t, v.Field(i), path+"."+f.Name, n)
			} else {
				t.Errorf("%s.%s is private: teach the test and the record about it", path, f.Name)
			}
		}
	default:
		t.Errorf("%s is a %s: teach the test and the record about it", path, v.Type())
	}
}

// fillUsage sets every other kind, and 0 among them, by the API: which kinds are
// known is private.
func fillUsage(t *testing.T, u *llm.Usage, path string, n *int) {
	t.Helper()
	for i, k := range llm.UsageKinds() {
		if (i+*n)%2 == 0 {
			u.Set(k, int64(i%5)*int64(*n))
		}
	}
	v := reflect.ValueOf(u).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case f.IsExported():
			fill(t, v.Field(i), path+"."+f.Name, n)
		case f.Name != "n" && f.Name != "known":
			t.Errorf("%s.%s is private: teach the test and the record about it", path, f.Name)
		}
	}
}

func TestOddValuesComeBack(t *testing.T) {
	f := func(name string, change func(*llm.Call)) {
		t.Helper()
		want := &llm.Call{ID: name}
		change(want)
		if got := roundTrip(t, want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: came back as\n%+v\nwant\n%+v", name, got, want)
		}
	}
	f("nothing", func(*llm.Call) {})
	f("1970", func(c *llm.Call) { c.Start, c.End = time.Unix(0, 0).UTC(), time.Unix(0, 1).UTC() })
	f("far times", func(c *llm.Call) { c.Start, c.End = time.Unix(1<<40, 999_999_999).UTC(), time.Unix(-1<<40, 0).UTC() })
	f("extremes", func(c *llm.Call) {
		c.Status, c.RequestBytes, c.Cost.Total = math.MinInt, math.MinInt64, math.MaxInt64
		for _, k := range llm.UsageKinds() {
			c.Usage.Set(k, math.MaxInt64)
		}
	})
	f("known and 0", func(c *llm.Call) { c.Usage.Set(llm.CacheRead, 0) })
	f("not UTF-8", func(c *llm.Call) {
		c.RequestModel = "\xff\x00\xed\xa0\x80"
		c.Input = []llm.Message{{Role: "\xc3\x28", Parts: []llm.Part{{Content: "\x00\xff"}}}}
		c.Attrs = []llm.Attr{{Key: "\xff", Value: "\xfe"}, {Value: []string{"\xff"}}}
	})
	f("attributes", func(c *llm.Call) {
		c.Attrs = []llm.Attr{
			{Key: "whole float", Value: 2.0}, {Key: "inf", Value: math.Inf(-1)}, {Key: "least", Value: int64(math.MinInt64)},
			{Key: "no", Value: false}, {Key: "empty", Value: ""}, {Key: "none", Value: []string{}}, {Key: "nil", Value: nil}, {Key: "0", Value: int64(0)},
		}
	})
	// Kinds that an attribute cannot have become text; nothing is lost.
	got := roundTrip(t, &llm.Call{Attrs: []llm.Attr{{Key: "n", Value: 7}, {Key: "s", Value: struct{ A int }{1}}, {Key: "nan", Value: math.NaN()}}})
	if got.Attrs[0].Value != int64(7) || got.Attrs[1].Value != "{1}" || !math.IsNaN(got.Attrs[2].Value.(float64)) {
		t.Errorf("attributes came back as %v", got.Attrs)
	}
}

func TestHostileCallsComeBack(t *testing.T) {
	for i, c := range sinktest.Hostile() {
		got := roundTrip(t, c)
		if len(got.Input) != len(c.Input) || len(got.Attrs) != len(c.Attrs) || got.Path != c.Path || got.Usage != c.Usage || !got.Start.Equal(c.Start) {
			t.Errorf("hostile call %d is not the same", i)
		}
	}
}

// roundTrip appends a call and reads it from disk with a follower of another run.
func roundTrip(t *testing.T, c *llm.Call) *llm.Call {
	t.Helper()
	dir := t.TempDir()
	j := open(t, dir)
	if err := j.Append(t.Context(), []*llm.Call{c}); err != nil {
		t.Fatal(err)
	}
	shut(t, j)
	calls := contents(t, dir)
	if len(calls) != 1 {
		t.Fatalf("%d calls came back", len(calls))
	}
	return calls[0]
}

// contents returns the calls that a new follower of a journal gets.
func contents(t *testing.T, dir string) []*llm.Call {
	t.Helper()
	cfg := config(dir)
	cfg.MaxAge = 0 // a simulated clock may have written it
	j, err := journal.Open(cfg, journal.Settings{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	var calls []*llm.Call
	name := fmt.Sprintf("reader-%d", time.Now().UnixNano())
	err = j.Follow(name, func(_ context.Context, cs []*llm.Call) error {
		calls = append(calls, cs...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, j)
	return calls
}

func config(dir string) journal.Config {
	cfg := journal.DefaultConfig()
	cfg.Mode, cfg.Dir = journal.ModeOn, dir
	return cfg
}

func open(t testing.TB, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(config(dir), journal.Settings{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func shut(t testing.TB, j *journal.Journal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := j.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func ids(calls []*llm.Call) []string {
	out := make([]string, 0, len(calls))
	for _, c := range calls {
		out = append(out, c.ID)
	}
	return out
}

func numbered(from, to int) []*llm.Call {
	var out []*llm.Call
	for n := from; n < to; n++ {
		out = append(out, sinktest.Call(n))
	}
	return out
}

func TestJournalIsASink(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		dir := t.TempDir()
		j := open(t, dir)
		t.Cleanup(func() { shut(t, j) })
		return sinktest.Subject{Sink: j, Ordered: true, Delivered: func(t *testing.T) []string { return ids(contents(t, dir)) }}
	})
}

// What stands in the export is read by people and programs that know nothing of
// this one.
func TestExport(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	odd := sinktest.Call(2)
	odd.Attrs = append(odd.Attrs, llm.Attr{Key: "nan", Value: math.NaN()})
	odd.Cost = llm.Cost{Source: llm.CostUnset, Status: llm.CostUnknownModel}
	odd.Start = time.Unix(1<<40, 0)
	if err := j.Append(t.Context(), []*llm.Call{sinktest.Call(1), odd}); err != nil {
		t.Fatal(err)
	}
	shut(t, j)
	var out strings.Builder
	n, err := journal.Export(t.Context(), dir, journal.Range{}, nil, &out)
	if err != nil || n != 2 {
		t.Fatalf("%d records, %v", n, err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var first, second map[string]any
	for i, to := range []*map[string]any{&first, &second} {
		if err := json.Unmarshal([]byte(lines[i]), to); err != nil {
			t.Fatal(err)
		}
	}
	if first["hash"] != second["prev"] || first["record"] != 1.0 {
		t.Errorf("the lines are no chain: %s", out.String())
	}
	call := first["call"].(map[string]any)
	if call["id"] != sinktest.ID(1) || call["cost"].(map[string]any)["total_usd"] != "0.000006" {
		t.Errorf("call %v", call)
	}
	if counts := call["usage"].(map[string]any)["counts"].(map[string]any); counts["uncached_input"] != 12.0 || counts["cache_read"] != nil {
		t.Errorf("counts %v", counts)
	}
	if place := call["place"].(map[string]any); len(place["trace"].(string)) != 32 || place["parent"] != nil {
		t.Errorf("place %v", place)
	}
	if input := call["input"].([]any)[0].(map[string]any); input["role"] != "user" {
		t.Errorf("input %v", input)
	}
	if c := second["call"].(map[string]any)["cost"].(map[string]any); c["total_usd"] != nil || c["status"] != "unknown_model" {
		t.Errorf("an unknown cost is exported as %v", c)
	}
}
