package openai_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/openai"
)

var dialect = providerstest.Dialect{
	ReadRequest: openai.Dialect{}.ReadRequest,
	NewReader:   func(x *llm.Exchange) providerstest.Reader { return openai.Dialect{}.Watch(x) },
}

func spoken(r providerstest.Recording) bool {
	path, _, _ := strings.Cut(r.Target, "?")
	for _, suffix := range []string{"/chat/completions", "/completions", "/embeddings"} {
		if strings.HasSuffix(path, suffix) {
			return r.Method == "POST"
		}
	}
	return false
}

// Every recording of a vendor that speaks this format reads to what an
// independent parser read from it, in pieces of any size and under gzip.
func TestRecordings(t *testing.T) {
	recordings := providerstest.Recordings(t, spoken)
	for _, r := range recordings {
		t.Run(r.Name, func(t *testing.T) {
			for _, n := range []int{1, 7, 333, 4096, len(r.Response) + 1} {
				c, err := dialect.Read(r.Exchange(), providerstest.Cut(r.Response, n)...)
				if err != nil {
					t.Fatalf("pieces of %d: %v", n, err)
				}
				for _, diff := range compare(c, r.Expected) {
					t.Errorf("pieces of %d: %s", n, diff)
				}
				if t.Failed() {
					return
				}
			}
			x := r.Exchange()
			x.ResponseHeader = append(bytes.Clone(x.ResponseHeader), "Content-Encoding: gzip\r\n"...)
			for _, n := range []int{1, 333, 4096} {
				c, err := dialect.Read(x, providerstest.Cut(zip(t, r.Response), n)...)
				if err != nil {
					t.Fatalf("gzip, pieces of %d: %v", n, err)
				}
				for _, diff := range compare(c, r.Expected) {
					t.Errorf("gzip, pieces of %d: %s", n, diff)
				}
			}
		})
	}
	t.Logf("%d recordings", len(recordings))
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

// compare lists what in a call differs from what was expected.
func compare(c *llm.Call, e providerstest.Expected) (diffs []string) {
	differ := func(what string, got, want any) {
		if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
			diffs = append(diffs, fmt.Sprintf("%s: got %s, want %s", what, g, w))
		}
	}
	if c.Kind != llm.KindLLM || c.Operation == "" {
		differ("kind", c.Kind, llm.KindLLM)
	}
	differ("model", c.ResponseModel, text(e.Model))
	differ("id", c.ResponseID, text(e.ID))
	differ("service tier", attr(c, "openai.response.service_tier"), text(e.ServiceTier))
	differ("fingerprint", attr(c, "openai.response.system_fingerprint"), text(e.SystemFingerprint))
	differ("embeddings", number(attr(c, "spanwire.embeddings.count")), deref(e.Embeddings))

	var finish []string
	for i, f := range c.FinishReasons {
		if f != "" && !(f == "error" && len(e.FinishReasons) == 0) {
			finish = append(finish, fmt.Sprint(i, f))
		}
	}
	var wantFinish []string
	for _, f := range e.FinishReasons {
		wantFinish = append(wantFinish, fmt.Sprint(f.Choice, f.Value))
	}
	differ("finish reasons", finish, wantFinish)
	differ("text", digests(c, llm.PartText), wantDigests(e.Text))
	differ("reasoning", digests(c, llm.PartReasoning), wantDigests(e.Reasoning))
	var refusals []string
	for _, r := range e.Refusal {
		refusals = append(refusals, fmt.Sprint(r.Choice, r.Value))
	}
	differ("refusal", plain(c, llm.PartRefusal), refusals)
	var calls, wantCalls []string
	for i, m := range c.Output {
		for _, p := range m.Parts {
			if p.Type == llm.PartToolCall {
				calls = append(calls, fmt.Sprintf("%d %s %s %s", i, p.ID, p.Name, p.Arguments))
			}
		}
	}
	for _, w := range e.ToolCalls {
		wantCalls = append(wantCalls, fmt.Sprintf("%v %s %s %s", w.Choice, text(w.ID), w.Name, w.Arguments))
	}
	differ("tool calls", calls, wantCalls)
	differ("usage", canonical(c.UsageRaw), canonical(string(e.Usage)))
	diffs = append(diffs, compareFigures(c, e)...)
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

// compareFigures compares the normal form with the provider's own numbers: what
// was told is not lost, and the sums say what the provider means by them.
func compareFigures(c *llm.Call, e providerstest.Expected) (diffs []string) {
	f := func(name string) (int64, bool) {
		v, ok := e.Figures[name]
		if !ok {
			return 0, false
		}
		n, err := v.Value.Int64()
		return n, err == nil
	}
	sum := func(what string, got int64, known bool, want int64) {
		if !known || got != want {
			diffs = append(diffs, fmt.Sprintf("%s: got %d (known %v), want %d", what, got, known, want))
		}
	}
	in, hasIn := f("input")
	out, hasOut := f("output")
	total, hasTotal := f("total")
	input, inKnown := c.Usage.Input()
	output, outKnown := c.Usage.Output()
	switch {
	case hasIn && hasOut && hasTotal:
		// Whatever stands outside of the two, the total holds it.
		sum("input + output", input+output, inKnown && outKnown, max(total, in+out))
		if input < in || output < out {
			sum("input", input, inKnown, in)
			sum("output", output, outKnown, out)
		}
	case hasIn:
		sum("input", input, inKnown, in)
	case hasTotal:
		sum("input", input, inKnown, total)
	}
	if n, ok := f("cache_read"); ok {
		got, known := c.Usage.CacheReads()
		sum("cache read", got, known, min(n, input))
	}
	if n, ok := f("reasoning"); ok {
		got, known := c.Usage.Get(llm.Reasoning)
		sum("reasoning", got, known, min(n, output))
	}
	if n, ok := f("audio_input"); ok {
		a, known := c.Usage.Get(llm.AudioInput)
		b, _ := c.Usage.Get(llm.CacheReadAudio)
		sum("audio input", a+b, known, n)
	}
	if n, ok := f("image_input"); ok {
		a, known := c.Usage.Get(llm.ImageInput)
		b, _ := c.Usage.Get(llm.CacheReadImage)
		sum("image input", a+b, known, n)
	}
	if v, ok := e.Figures["cost"]; ok {
		want := exact(v.Value.String(), v.From)
		if want == "0" && strings.Contains(v.From, "ticks") {
			want = "unset"
		}
		got := "unset"
		if c.Cost.Known() {
			got = c.Cost.Total.String()
		}
		if got != want {
			diffs = append(diffs, fmt.Sprintf("cost: got %s, want %s", got, want))
		}
	}
	return diffs
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func deref(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func attr(c *llm.Call, key string) any {
	for _, a := range c.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

func number(v any) any {
	if v == "" {
		return 0
	}
	return v
}

// digests renders the joined text of each choice as the recordings do.
func digests(c *llm.Call, kind string) (out []string) {
	for i, m := range c.Output {
		all := ""
		for _, p := range m.Parts {
			if p.Type == kind {
				all += p.Content
			}
		}
		if all != "" {
			sum := sha256.Sum256([]byte(all))
			out = append(out, fmt.Sprintf("%d %d %s", i, utf8.RuneCountInString(all), hex.EncodeToString(sum[:])))
		}
	}
	return out
}

func plain(c *llm.Call, kind string) (out []string) {
	for i, m := range c.Output {
		for _, p := range m.Parts {
			if p.Type == kind {
				out = append(out, fmt.Sprint(i, p.Content))
			}
		}
	}
	return out
}

func wantDigests(ts []providerstest.ChoiceText) (out []string) {
	for _, w := range ts {
		out = append(out, fmt.Sprintf("%v %d %s", w.Choice, w.Chars, w.SHA256))
	}
	return out
}

// canonical renders a JSON object whatever its order, blanks and number forms.
func canonical(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil || v == nil {
		return "none"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
