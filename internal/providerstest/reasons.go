package providerstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Reason is why calls say something else than the reading that recordings come
// with, and are right. docs/dialects.md has a row for each. None asks for the name
// of a recording: other recordings of the same kind have the same reason.
type Reason struct {
	Name string
	what string // what differs, or its beginning
	when func(d Difference, c *llm.Call, r Recording) bool
}

// Reasons are all there are.
var Reasons = []Reason{
	{"finish reasons of Responses", "finish reasons", func(d Difference, c *llm.Call, r Recording) bool {
		return d.Want == "[]" && r.ofResponses()
	}},
	{"a choice that never finished", "finish reasons", func(d Difference, c *llm.Call, r Recording) bool {
		return d.Want == "[]" && onlyErrors(d.Got) && c.ErrorType != ""
	}},
	{"reasoning of Responses copies", "reasoning", func(d Difference, c *llm.Call, r Recording) bool {
		return r.ofResponses() && bytes.Contains(r.Response, []byte(`reasoning_text`)) && allSummaries(c, r)
	}},
	{"tool calls without input", "tool call", func(d Difference, c *llm.Call, r Recording) bool {
		return strings.TrimSuffix(d.Got, "{}") == d.Want
	}},
	{"`partialArgs` of Gemini", "tool call", func(d Difference, c *llm.Call, r Recording) bool {
		i := strings.LastIndexByte(d.Want, ' ') + 1
		return bytes.Contains(r.Response, []byte(`"partialArgs"`)) && d.Want[i:] == "{}" && strings.HasPrefix(d.Got, d.Want[:i])
	}},
	{"function calls in streamed interactions", "tool calls", func(d Difference, c *llm.Call, r Recording) bool {
		return d.Want == "[]" && bytes.Contains(r.Response, []byte(`"event_type"`)) && bytes.Contains(r.Response, []byte(`"function_call"`))
	}},
	{"counting", "", func(d Difference, c *llm.Call, r Recording) bool {
		if d.What == "kind" {
			return d.Got == string(llm.KindHTTP) && counted(c, r)
		}
		return (d.What == "usage" || d.What == "figure input" || d.What == "figure total") && !c.Usage.Known() && c.UsageRaw == "" && counted(c, r)
	}},
	{"unfinished batches", "kind", func(d Difference, c *llm.Call, r Recording) bool {
		for _, f := range r.Expected.Figures {
			if f.Value.String() != "0" {
				return false
			}
		}
		return len(r.Expected.Text) == 0 && strings.Contains(r.Target, "/batches")
	}},
	{"Vertex `:predict`", "usage", func(d Difference, c *llm.Call, r Recording) bool {
		var told map[string][]int64
		sum, got := int64(0), int64(0)
		if d.Got != "" || json.Unmarshal(r.Expected.Usage, &told) != nil {
			return false
		}
		for _, n := range told["predictions[].embeddings.statistics.token_count"] {
			sum += n
		}
		got, _ = c.Usage.Input()
		return got == sum
	}},
	{"a prompt that Gemini blocked", "finish reasons", func(d Difference, c *llm.Call, r Recording) bool {
		return d.Got == strings.Replace(d.Want, "[prompt ", "[0 ", 1)
	}},
	{"service tier inside the usage", "service tier", func(d Difference, c *llm.Call, r Recording) bool {
		return d.Want == "" && d.Got == c.Usage.Tier && mentions(c.UsageRaw, "service_tier", "serviceTier", "trafficType")
	}},
	{"model of a transcription", "model", func(d Difference, c *llm.Call, r Recording) bool {
		return d.Want == "" && c.Operation == "transcription" && bytes.Contains(r.Response, []byte(`"model":"`+d.Got+`"`))
	}},
	{"text of OCR", "text", func(d Difference, c *llm.Call, r Recording) bool {
		return d.Want == "[]" && bytes.Contains(r.Response, []byte(`"pages"`)) && bytes.Contains(r.Response, []byte(`"markdown"`))
	}},
	{"Titan streams", "usage", func(d Difference, c *llm.Call, r Recording) bool {
		return bytes.HasPrefix([]byte(d.Got), []byte(`{"inputTextTokenCount":`)) && withoutNull(d.Want) != "" && includes(d.Got, withoutNull(d.Want))
	}},
	{"Grok that another one bills", "figure cost", func(d Difference, c *llm.Call, r Recording) bool {
		return d.Want == "0" && strings.Contains(r.Expected.Figures["cost"].From, "ticks")
	}},
}

// ReasonOfSessions is the one that sessions have.
const ReasonOfSessions = "xAI realtime"

// explain returns the name of the reason for a difference, "" when there is none.
func explain(d Difference, c *llm.Call, r Recording) string {
	for _, reason := range Reasons {
		if (reason.what == "" || d.What == reason.what) && reason.when(d, c, r) {
			return reason.Name
		}
	}
	return ""
}

func (r Recording) ofResponses() bool {
	path, _, _ := strings.Cut(r.Target, "?")
	return strings.HasSuffix(path, "/responses") || strings.Contains(path, "/responses/")
}

// counted says that a call counted tokens and says how many, as the recording does.
func counted(c *llm.Call, r Recording) bool {
	for _, key := range []string{"anthropic.count_tokens.input_tokens", "gemini.count_tokens.total_tokens", "spanwire.counted.input_tokens"} {
		n, ok := attr(c, key).(int64)
		for _, name := range []string{"input", "total"} {
			if f, told := r.Expected.Figures[name]; ok && told && f.Value.String() == fmt.Sprint(n) {
				return true
			}
		}
	}
	return false
}

func mentions(usage string, keys ...string) bool {
	var v map[string]any
	_ = json.Unmarshal([]byte(usage), &v)
	for _, k := range keys {
		if v[k] != nil {
			return true
		}
	}
	return false
}

// withoutNull leaves out of an object what is null; "" when s is no object.
func withoutNull(s string) string {
	var v map[string]any
	if json.Unmarshal([]byte(s), &v) != nil {
		return ""
	}
	for k := range v {
		if v[k] == nil {
			delete(v, k)
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// includes says that an object has all members of another.
func includes(whole, part string) bool {
	var w, p map[string]any
	if json.Unmarshal([]byte(whole), &w) != nil || json.Unmarshal([]byte(part), &p) != nil {
		return false
	}
	for k := range p {
		if fmt.Sprint(w[k]) != fmt.Sprint(p[k]) {
			return false
		}
	}
	return true
}

// allSummaries says that what a recording takes for the reasoning, the summaries
// alone, is part of the reasoning that was read.
func allSummaries(c *llm.Call, r Recording) bool {
	chars := 0
	for _, w := range r.Expected.Reasoning {
		chars += w.Chars
	}
	got := 0
	for _, m := range c.Output {
		for _, p := range m.Parts {
			if p.Type == llm.PartReasoning {
				got += len([]rune(p.Content))
			}
		}
	}
	return got > chars
}

// onlyErrors says that every finish reason in a list of them is "error".
func onlyErrors(list string) bool {
	for i, word := range strings.Fields(strings.Trim(list, "[]")) {
		if i%2 == 1 && word != "error" {
			return false
		}
	}
	return true
}
