package providerstest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

// Judge holds a dialect against the recordings that keep selects: each reads to
// what an independent parser read from it, in pieces of any size and under gzip,
// and to its beginning when it is cut. compare lists what differs.
func Judge(t *testing.T, d Dialect, keep func(Recording) bool, compare func(*llm.Call, Recording) []string) {
	t.Helper()
	recordings := Recordings(t, keep)
	for _, r := range recordings {
		t.Run(r.Name, func(t *testing.T) { d.judge(t, r, compare) })
	}
	t.Logf("%d recordings", len(recordings))
}

func (d Dialect) judge(t *testing.T, r Recording, compare func(*llm.Call, Recording) []string) {
	check := func(how string, x *llm.Exchange, body []byte, n int) {
		c, err := d.Read(x, Cut(body, n)...)
		if err != nil {
			t.Errorf("%s, pieces of %d: %v", how, n, err)
			return
		}
		for _, diff := range compare(c, r) {
			t.Errorf("%s, pieces of %d: %s", how, n, diff)
		}
	}
	for _, n := range []int{1, 7, 13, 333, 4096, len(r.Response) + 1} {
		if check("plain", r.Exchange(), r.Response, n); t.Failed() {
			return
		}
	}
	packed := r.Exchange()
	packed.ResponseHeader = append(bytes.Clone(packed.ResponseHeader), "Content-Encoding: gzip\r\n"...)
	body := zip(t, r.Response)
	for _, n := range []int{1, 333, 4096} {
		check("gzip", packed, body, n)
	}
	d.judgeCuts(t, r)
}

// judgeCuts cuts a recording after many lengths: what had come by then is read, and
// nothing that was not said.
func (d Dialect) judgeCuts(t *testing.T, r Recording) {
	all, err := d.Read(r.Exchange(), r.Response)
	if err != nil {
		t.Fatal(err)
	}
	for k := 0; k < len(r.Response); k += 1 + len(r.Response)/97 {
		x := r.Exchange()
		x.Ended, x.Err, x.Response.Size = llm.EndUpstreamCut, "unexpected EOF", int64(k)
		c, err := d.Read(x, Cut(r.Response[:k], 333)...)
		if err != nil {
			t.Fatalf("cut after %d bytes: %v", k, err)
		}
		for _, said := range Beyond(c, all) {
			t.Fatalf("cut after %d bytes: %s", k, said)
		}
	}
}

// Beyond lists what a call that was cut says, and the whole call does not: there
// must be nothing.
func Beyond(cut, whole *llm.Call) (said []string) {
	for i := range cut.Output {
		for _, p := range cut.Output[i].Parts {
			if !prefixOfAny(p, whole.Output) {
				said = append(said, fmt.Sprintf("%q was never said", p.Content+p.Arguments))
			}
		}
	}
	if got, _ := cut.Usage.Output(); cut.Usage.Known() && cut.Usage.Source == llm.UsageReported {
		if most, _ := whole.Usage.Output(); got > most {
			said = append(said, fmt.Sprintf("%d tokens of output, of %d", got, most))
		}
	}
	return said
}

func zip(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Compare lists what in a call differs from what a recording is expected to say,
// all but the figures of the usage: which of those contain which is for the dialect
// to say (see [Figures]).
func Compare(c *llm.Call, e Expected) (diffs []string) {
	differ := func(what string, got, want any) {
		if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
			diffs = append(diffs, fmt.Sprintf("%s: got %s, want %s", what, g, w))
		}
	}
	if c.Kind != llm.KindLLM || c.Operation == "" {
		differ("kind", c.Kind, llm.KindLLM)
	}
	differ("model", c.ResponseModel, told(e.Model))
	differ("id", c.ResponseID, told(e.ID))
	embeddings := int64(0)
	if e.Embeddings != nil {
		embeddings = int64(*e.Embeddings)
	}
	got, _ := attr(c, "spanwire.embeddings.count").(int64)
	differ("embeddings", got, embeddings)

	var finish, wantFinish []string
	for i, f := range c.FinishReasons {
		if f != "" && !(f == "error" && len(e.FinishReasons) == 0) {
			finish = append(finish, fmt.Sprint(i, f))
		}
	}
	for _, f := range e.FinishReasons {
		wantFinish = append(wantFinish, fmt.Sprint(f.Choice, f.Value))
	}
	differ("finish reasons", finish, wantFinish)
	differ("text", digests(c, llm.PartText), wantDigests(e.Text))
	differ("reasoning", digests(c, llm.PartReasoning), wantDigests(e.Reasoning))

	var refusals, wantRefusals, calls, wantCalls []string
	for i, m := range c.Output {
		for _, p := range m.Parts {
			switch p.Type {
			case llm.PartRefusal:
				refusals = append(refusals, fmt.Sprint(i, p.Content))
			case llm.PartToolCall, llm.PartServerToolCall:
				if !e.lists(&p) {
					continue
				}
				calls = append(calls, fmt.Sprintf("%d %s %s %s", i, p.ID, p.Name, p.Arguments))
			}
		}
	}
	for _, r := range e.Refusal {
		wantRefusals = append(wantRefusals, fmt.Sprint(r.Choice, r.Value))
	}
	for _, w := range e.ToolCalls {
		wantCalls = append(wantCalls, fmt.Sprintf("%v %s %s %s", w.Choice, told(w.ID), w.Name, w.Arguments))
	}
	differ("refusal", refusals, wantRefusals)
	differ("tool calls", calls, wantCalls)
	diffs = append(diffs, compareUsage(c.UsageRaw, e.Usage)...)
	if len(e.Errors) > 0 {
		differ("error message", c.ErrorMessage, e.Errors[len(e.Errors)-1].Message)
		if c.ErrorType == "" {
			differ("error type", c.ErrorType, e.Errors)
		}
	} else if c.ErrorType != "" {
		differ("error type", c.ErrorType, "")
	}
	return diffs
}

// compareUsage looks for each figure that is expected in the usage object that was
// kept. It may hold more, where a provider tells its figures in several places.
func compareUsage(raw string, expected json.RawMessage) []string {
	var got, want map[string]any
	_ = json.Unmarshal([]byte(raw), &got)
	_ = json.Unmarshal(expected, &want)
	if want == nil && raw != "" {
		return []string{fmt.Sprintf("usage: got %s, want none", raw)}
	}
	for k, v := range want {
		if v != nil && !reflect.DeepEqual(got[k], v) {
			return []string{fmt.Sprintf("usage: got %s, want %s", raw, expected)}
		}
	}
	return nil
}

// Figures compares sums over kinds of usage with the figures of a recording, by
// their names. A figure that was not told must not be known.
func Figures(e Expected, sums map[string]func() (int64, bool)) (diffs []string) {
	for name, sum := range sums {
		got, known := sum()
		v, ok := e.Figures[name]
		if !ok {
			if known {
				diffs = append(diffs, fmt.Sprintf("%s: got %d, want nothing", name, got))
			}
			continue
		}
		f, err := v.Value.Float64()
		if err != nil || !known || float64(got) != f {
			diffs = append(diffs, fmt.Sprintf("%s: got %d (known %v), want %s", name, got, known, v.Value))
		}
	}
	return diffs
}

func told(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func attr(c *llm.Call, key string) any {
	for _, a := range c.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}
