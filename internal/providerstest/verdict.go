package providerstest

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Difference is one thing that a call does not say as its recording does.
type Difference struct {
	What, Got, Want string
	// Why is why the call is right, one of [Reasons]; "" when it is not.
	Why string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: got %s, want %s", d.What, clip(d.Got), clip(d.Want))
}

func clip(s string) string {
	if len(s) > 600 {
		return s[:600] + "…"
	}
	return s
}

// verdict compares one call with one recording.
type verdict struct {
	c     *llm.Call
	r     Recording
	diffs []Difference
}

// Differences compares all that is known of a recording with the call that it was
// read to, whatever its provider and format are: what a figure means is told by the
// place it stands at (wire reference, section 13).
func Differences(c *llm.Call, r Recording) []Difference {
	v := &verdict{c: c, r: r}
	e := r.Expected
	v.differ("model", c.ResponseModel, told(e.Model))
	v.differ("id", c.ResponseID, told(e.ID))
	if e.Status != nil {
		v.differ("status", or(attr(c, "openai.response.status"), attr(c, "gemini.response.status")), *e.Status)
	}
	v.differ("service tier", or(attr(c, "openai.response.service_tier"), c.Usage.Tier), told(e.ServiceTier))
	v.differ("fingerprint", or(attr(c, "openai.response.system_fingerprint")), told(e.SystemFingerprint))
	v.differ("finish reasons", v.finish(), choiceValues(e.FinishReasons))
	v.differ("text", digests(c, llm.PartText), wantDigests(e.Text))
	v.differ("reasoning", digests(c, llm.PartReasoning), wantDigests(e.Reasoning))
	v.differ("refusal", v.refusals(), choiceValues(e.Refusal))
	v.tools()
	v.differ("embeddings", or(attr(c, "spanwire.embeddings.count"), 0), count(e.Embeddings))
	images, _ := c.Usage.Get(llm.Images)
	v.differ("images", images, count(e.Images))
	v.usage()
	v.errors()
	if answered := len(e.Text)+len(e.ToolCalls)+len(e.Figures)+count(e.Images)+count(e.Embeddings) > 0; answered {
		v.differ("kind", c.Kind, llm.KindLLM)
	}
	for i := range v.diffs {
		v.diffs[i].Why = explain(v.diffs[i], c, r)
	}
	return v.diffs
}

func (v *verdict) differ(what string, got, want any) {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		v.diffs = append(v.diffs, Difference{What: what, Got: g, Want: w})
	}
}

// or returns the first value that says something, "" when none does.
func or(values ...any) any {
	for _, v := range values {
		if v != nil && v != "" {
			return v
		}
	}
	return ""
}

func count(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func choiceValues(vs []ChoiceValue) (out []string) {
	for _, v := range vs {
		out = append(out, fmt.Sprint(v.Choice, " ", v.Value))
	}
	return out
}

func (v *verdict) finish() (out []string) {
	for i, f := range v.c.FinishReasons {
		if f != "" {
			out = append(out, fmt.Sprint(i, " ", f))
		}
	}
	return out
}

func (v *verdict) refusals() (out []string) {
	for i, m := range v.c.Output {
		for _, p := range m.Parts {
			if p.Type == llm.PartRefusal {
				out = append(out, fmt.Sprint(i, " ", p.Content))
			}
		}
	}
	return out
}

// tools compares the calls one by one, so that a reason for one is no excuse for
// the others.
func (v *verdict) tools() {
	var got []string
	for i, m := range v.c.Output {
		for _, p := range m.Parts {
			if v.r.Expected.lists(&p) {
				got = append(got, fmt.Sprint(i, " ", p.ID, " ", p.Name, " ", p.Arguments))
			}
		}
	}
	var want []string
	for _, w := range v.r.Expected.ToolCalls {
		want = append(want, fmt.Sprint(w.Choice, " ", told(w.ID), " ", w.Name, " ", w.Arguments))
	}
	if len(got) != len(want) {
		v.differ("tool calls", got, want)
		return
	}
	for i := range got {
		v.differ("tool call", got[i], want[i])
	}
}

func (v *verdict) errors() {
	e := v.r.Expected.Errors
	if len(e) == 0 {
		if v.r.Status < 400 {
			v.differ("error type", v.c.ErrorType, "")
		} else if v.c.ErrorType == "" {
			v.differ("error type", "", v.r.Status)
		}
		return
	}
	v.differ("error message", v.c.ErrorMessage, e[len(e)-1].Message)
	if v.c.ErrorType == "" {
		v.differ("error type", "", e[len(e)-1])
	}
}

// usage compares the verbatim object, each figure at its place in it, and the
// normal form that it was brought into.
func (v *verdict) usage() {
	var got, want any
	_ = json.Unmarshal([]byte(v.c.UsageRaw), &got)
	_ = json.Unmarshal(v.r.Expected.Usage, &want)
	if !reflect.DeepEqual(got, want) {
		v.differ("usage", v.c.UsageRaw, string(v.r.Expected.Usage))
	}
	v.diffs = append(v.diffs, v.sums()...)
}

// figure returns what was told under a name, and where.
func (v *verdict) figure(name string) (n int64, from string, ok bool) {
	f, ok := v.r.Expected.Figures[name]
	if !ok {
		return 0, "", false
	}
	x, err := f.Value.Float64()
	return int64(x), f.From, err == nil
}

// kinds adds up kinds of usage that were reported.
func (v *verdict) kinds(ks ...llm.UsageKind) (n int64, known bool) {
	for _, k := range ks {
		if m, ok := v.c.Usage.Get(k); ok {
			n, known = n+m, true
		}
	}
	return n, known
}

// sums compares each figure with the kinds that it is made of.
func (v *verdict) sums() (diffs []Difference) {
	u := v.c.Usage
	input, hasInput := u.Input()
	output, hasOutput := u.Output()
	check := func(name string, got int64, known bool, want int64) {
		if !known || got != want {
			diffs = append(diffs, Difference{What: "figure " + name, Got: fmt.Sprintf("%d (known %v)", got, known), Want: fmt.Sprint(want)})
		}
	}
	in, inFrom, inTold := v.figure("input")
	out, outFrom, outTold := v.figure("output")
	total, _, totalTold := v.figure("total")
	beside, _ := u.Get(llm.ToolUseInput)
	reasoning, _ := u.Get(llm.Reasoning)
	apart := slices.Contains([]string{"candidatesTokenCount", "total_output_tokens"}, outFrom) // reasoning stands beside it
	reads, hasReads := u.CacheReads()
	writes, hasWrites := u.CacheWrites()
	outside := v.cacheOutside()
	hidden := totalTold && !apart && !outside && inTold && outTold && total > in+out

	switch billed, _, ok := v.figure("billed_input"); {
	case ok:
		check("billed_input", input, hasInput, billed)
	case inTold && outside:
		check("input", input-reads-writes, hasInput, in)
	case inTold && (inFrom == "promptTokenCount" || inFrom == "total_input_tokens"):
		check("input", input-beside, hasInput, in)
	case hidden: // the total holds what stands in neither
		check("total", input+output, hasInput && hasOutput, total)
		if input < in || output < out {
			check("input", input, hasInput, in)
			check("output", output, hasOutput, out)
		}
	case inTold:
		check("input", input, hasInput, in)
	}
	switch billed, _, ok := v.figure("billed_output"); {
	case ok:
		check("billed_output", output, hasOutput, billed)
	case outTold && apart:
		check("output", output-reasoning, hasOutput, out)
	case outTold && !hidden:
		check("output", output, hasOutput, out)
	}
	if totalTold && total >= in+out {
		check("total", input+output, hasInput, total)
	}
	for _, f := range []struct {
		name  string
		got   int64
		known bool
		most  int64 // of what it is a part; a provider may tell more
		must  bool  // not told is not known
	}{
		{"cache_read", reads, hasReads, input, true},
		{"cache_write", writes, hasWrites, input, true},
		{"reasoning", reasoning, true, output, false},
		{name: "cache_miss", got: input - reads, known: hasInput, most: input},
		{name: "audio_input", most: input}, {name: "image_input", most: input},
		{name: "audio_output", most: output}, {name: "image_output", most: output},
		{name: "tool_use_prompt", got: beside, known: true, most: input},
		{name: "rejected_prediction", most: output},
		{name: "search_units", most: 1 << 62},
	} {
		if ks := kindsOf[f.name]; ks != nil {
			f.got, f.known = v.kinds(ks...)
		}
		n, _, ok := v.figure(f.name)
		if _, _, billed := v.figure("billed_input"); billed && f.name == "cache_read" {
			f.got, f.known, f.most, f.must = v.beside("cohere.response.cached_tokens", ok)
		}
		switch {
		case ok:
			check(f.name, f.got, f.known, min(n, f.most))
		case f.must && f.known && (u.Source == "" || u.Source == llm.UsageReported): // not counted

			diffs = append(diffs, Difference{What: "figure " + f.name, Got: fmt.Sprint(f.got), Want: "nothing"})
		}
	}
	return append(diffs, v.cost()...)
}

// beside returns a count that is kept, and billed in no kind.
func (v *verdict) beside(key string, want bool) (n int64, known bool, most int64, must bool) {
	n, known = attr(v.c, key).(int64)
	return n, known && want, 1 << 62, false
}

// kindsOf are the kinds that figures are the sum of.
var kindsOf = map[string][]llm.UsageKind{
	"audio_input": {llm.AudioInput, llm.CacheReadAudio}, "image_input": {llm.ImageInput, llm.CacheReadImage},
	"audio_output": {llm.AudioOutput}, "image_output": {llm.ImageOutput},
	"rejected_prediction": {llm.RejectedPrediction}, "search_units": {llm.SearchUnits},
}

// cacheOutside says that the provider counts what it reads from and writes to the
// cache beside its input.
func (v *verdict) cacheOutside() bool {
	_, from, _ := v.figure("input")
	if from == "inputTokens" {
		return true
	}
	for _, name := range []string{"cache_read", "cache_write"} {
		if _, from, ok := v.figure(name); ok && strings.HasPrefix(from, "cache_") {
			return true
		}
	}
	return false
}

// cost compares what the provider said that the call cost.
func (v *verdict) cost() (diffs []Difference) {
	f, ok := v.r.Expected.Figures["cost"]
	if !ok {
		return nil
	}
	want := decimal(f.Value.String(), strings.Contains(f.From, "ticks"))
	got := "not told"
	if v.c.Cost.Source == llm.CostProvider {
		got = v.c.Cost.Total.String()
	}
	if got != want {
		diffs = append(diffs, Difference{What: "figure cost", Got: got, Want: want})
	}
	return diffs
}

// decimal renders a number of dollars, or of ticks of 10⁻¹⁰ dollars, without rounding.
func decimal(value string, ticks bool) string {
	r, ok := new(big.Rat).SetString(value)
	if !ok {
		return "not a number: " + value
	}
	if ticks {
		r.Quo(r, big.NewRat(10_000_000_000, 1))
	}
	s := strings.TrimRight(r.FloatString(12), "0")
	return strings.TrimSuffix(s, ".")
}
