package gemini_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/gemini"
)

var dialect = providerstest.Dialect{
	ReadRequest: gemini.Dialect{}.ReadRequest,
	NewReader:   func(x *llm.Exchange) providerstest.Reader { return gemini.Dialect{}.NewReader(x) },
}

func verb(r providerstest.Recording) string {
	path, _, _ := strings.Cut(r.Target, "?")
	return path[strings.LastIndexAny(path, "/:")+1:]
}

func spoken(r providerstest.Recording) bool {
	return r.Method == "POST" && slices.Contains([]string{
		"generateContent", "streamGenerateContent", "embedContent", "batchEmbedContents", "predict", "interactions",
	}, verb(r))
}

func counting(r providerstest.Recording) bool { return verb(r) == "countTokens" }

// Every recording of Google's APIs reads to what an independent parser read from it.
func TestRecordings(t *testing.T) {
	providerstest.Judge(t, dialect, spoken, func(c *llm.Call, r providerstest.Recording) []string {
		e := r.Expected
		if verb(r) == "predict" { // the figure stands in each prediction, not in an object
			e.Usage = nil
		}
		if verb(r) == "interactions" && e.Kind == "sse" && len(e.ToolCalls) == 0 {
			c = withoutCalls(c) // the parser of the recordings did not look for calls in these streams
		}
		for i, f := range e.FinishReasons {
			e.FinishReasons[i].Value = fmt.Sprint(f.Value)
			if f.Choice == "prompt" { // a refused prompt is the one choice there is
				e.FinishReasons[i].Choice = 0
			}
		}
		if slices.Contains(e.Flags, "partial_args") {
			// The parser of the recordings did not put pieces of arguments together: it
			// found an empty object for each call.
			e.ToolCalls = nil
			c = withoutCalls(c)
		}
		diffs := append(providerstest.Compare(c, e), figures(c, r)...)
		if want := e.ServiceTier; want != nil && c.Usage.Tier != *want {
			diffs = append(diffs, fmt.Sprintf("service tier: got %s, want %s", c.Usage.Tier, *want))
		}
		return diffs
	})
}

func withoutCalls(c *llm.Call) *llm.Call {
	out := *c
	out.Output = nil
	for _, m := range c.Output {
		m.Parts = slices.DeleteFunc(slices.Clone(m.Parts), func(p llm.Part) bool { return p.Type == llm.PartToolCall })
		out.Output = append(out.Output, m)
	}
	return &out
}

// figures compares the normal form with the provider's own numbers.
func figures(c *llm.Call, r providerstest.Recording) []string {
	u := c.Usage
	prompt := func() (int64, bool) {
		in, ok := u.Input()
		beside, _ := u.Get(llm.ToolUseInput)
		return in - beside, ok
	}
	output := func() (int64, bool) {
		out, ok := u.Output()
		beside, _ := u.Get(llm.Reasoning)
		return out - beside, ok
	}
	sums := map[string]func() (int64, bool){
		"input":           prompt,
		"output":          output,
		"cache_read":      u.CacheReads,
		"reasoning":       func() (int64, bool) { return u.Get(llm.Reasoning) },
		"tool_use_prompt": func() (int64, bool) { return u.Get(llm.ToolUseInput) },
	}
	if verb(r) == "predict" {
		delete(sums, "input")
		var told map[string][]int64 // a count for each prediction
		_ = json.Unmarshal(r.Expected.Usage, &told)
		want := int64(0)
		for _, n := range told["predictions[].embeddings.statistics.token_count"] {
			want += n
		}
		if n, _ := u.Input(); n != want {
			return []string{fmt.Sprintf("input: got %d, want %d", n, want)}
		}
	}
	if _, ok := r.Expected.Figures["total"]; ok {
		sums["total"] = func() (int64, bool) {
			in, ok := u.Input()
			out, _ := u.Output()
			return in + out, ok
		}
	}
	return providerstest.Figures(r.Expected, sums)
}

// Arguments that come value by value are put together.
func TestPartialArgumentsOfRecordings(t *testing.T) {
	want := map[string]string{
		"payloads/gemini-streamgeneratecontent-stream-02": `read_theme {}, read_screen {"id":"A"}, read_screen {"id":"B"}, read_screen {"id":"C"}`,
		"payloads/gemini-streamgeneratecontent-stream-03": `writeItems {"operations":[{"action":"add","description":"Fresh red apple","itemid":"apple_001","price":0.5},{"action":"add","description":"Ripe yellow banana","itemid":"banana_001","price":0.3}]}`,
	}
	met := 0
	for _, r := range providerstest.Recordings(t, spoken) {
		if !slices.Contains(r.Expected.Flags, "partial_args") {
			continue
		}
		c, err := dialect.Read(r.Exchange(), providerstest.Cut(r.Response, 13)...)
		if err != nil {
			t.Fatal(err)
		}
		var calls, names, wantNames []string
		for _, p := range c.Output[0].Parts {
			if p.Type == llm.PartToolCall {
				calls, names = append(calls, p.Name+" "+p.Arguments), append(names, p.Name)
			}
		}
		for _, w := range r.Expected.ToolCalls {
			wantNames = append(wantNames, w.Name)
		}
		if !slices.Equal(names, wantNames) {
			t.Errorf("%s: calls of %q, want %q", r.Name, names, wantNames)
		}
		if w, ok := want[r.Name]; ok {
			met++
			if got := strings.Join(calls, ", "); got != w {
				t.Errorf("%s: %s", r.Name, got)
			}
		}
	}
	if met != len(want) {
		t.Errorf("%d of %d recordings were there", met, len(want))
	}
}

// Counting the tokens of a prompt uses none.
func TestRecordingsOfTokenCounts(t *testing.T) {
	for _, r := range providerstest.Recordings(t, counting) {
		c, err := dialect.Read(r.Exchange(), providerstest.Cut(r.Response, 7)...)
		if err != nil {
			t.Fatal(err)
		}
		if c.Kind != llm.KindHTTP || c.Usage.Known() || c.UsageRaw != "" || len(c.Input) > 0 {
			t.Errorf("%s: a token count became a call of a model: %+v", r.Name, c)
		}
		got := ""
		if n := attr(c, "gemini.count_tokens.total_tokens"); n != nil {
			got = fmt.Sprint(n)
		}
		if want := r.Expected.Figures["total"].Value.String(); got != want {
			t.Errorf("%s: count %q, want %q", r.Name, got, want)
		}
		if n := len(r.Expected.Errors); n > 0 && c.ErrorMessage != r.Expected.Errors[n-1].Message || n == 0 && c.ErrorType != "" {
			t.Errorf("%s: error %s %s", r.Name, c.ErrorType, c.ErrorMessage)
		}
	}
}

func attr(c *llm.Call, key string) any {
	for _, a := range c.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}
