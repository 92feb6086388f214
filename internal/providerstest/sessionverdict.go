package providerstest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// SessionDifferences compares all that is known of a recorded session with what it
// was read to: the call around each of its connections, and the calls within them in
// the order in which they ended.
func SessionDifferences(around, within []*llm.Call, s Session) []Difference {
	v := &verdict{c: around[0]}
	e := s.Expected
	connections := s.Connections()
	for i, c := range around {
		wrong := ""
		if last := connections[i][len(connections[i])-1]; last.Code > 1001 {
			wrong = fmt.Sprint("websocket_", last.Code)
		}
		if c.Kind != llm.KindHTTP || c.Usage.Known() || c.ErrorType != wrong || len(c.Problems) > 0 {
			v.differ("connection", fmt.Sprint(c.Kind, " ", c.UsageRaw, c.ErrorType, c.Problems), llm.KindHTTP)
		}
	}
	v.differ("session", or(attr(around[0], "openai.session.id")), e.Session)
	var responses, wantResponses, calls, wantCalls []string
	var usages, wantUsages []any
	models := map[string]bool{}
	for _, c := range within {
		models[c.Model()] = true
		if c.Kind != llm.KindLLM || c.Ended != llm.EndComplete || c.Usage.Known() && c.Usage.Source != llm.UsageReported && c.UsageRaw != "" {
			v.differ("call", fmt.Sprint(c.Kind, " ", c.Ended, " ", c.Usage.Source), "llm complete reported")
		}
		if c.UsageRaw != "" {
			usages = append(usages, parsed(c.Operation, []byte(c.UsageRaw)))
		}
		if c.Operation == "transcription" {
			continue
		}
		if status := attr(c, "openai.response.status"); status != nil {
			responses = append(responses, fmt.Sprint(c.ResponseID, " ", status))
		}
		for _, m := range c.Output {
			for _, p := range m.Parts {
				if p.Type == llm.PartToolCall {
					calls = append(calls, fmt.Sprint(p.ID, " ", p.Name, " ", compact([]byte(p.Arguments))))
				}
			}
		}
		v.diffs = append(v.diffs, toldSums(c)...)
	}
	for _, m := range e.Models {
		if !models[m] && around[0].Model() != m {
			v.differ("model", models, m)
		}
	}
	for _, r := range e.Responses {
		wantResponses = append(wantResponses, r.ID+" "+r.Status)
	}
	for _, u := range e.Usages {
		wantUsages = append(wantUsages, parsed("", u))
	}
	for _, c := range e.ToolCalls {
		wantCalls = append(wantCalls, c.ID+" "+c.Name+" "+compact(c.Arguments))
	}
	v.differ("responses", responses, wantResponses)
	v.differ("tool calls", calls, wantCalls)
	if !reflect.DeepEqual(usages, wantUsages) {
		d := Difference{What: "usages", Got: fmt.Sprint(usages), Want: fmt.Sprint(wantUsages)}
		if len(wantUsages) == 0 && len(usages) == len(e.Responses) && usageBesideResponses(s) {
			d.Why = ReasonOfSessions
		}
		v.diffs = append(v.diffs, d)
	}
	return v.diffs
}

// parsed is a usage as the recordings write it: that of a transcription has a name.
func parsed(operation string, usage []byte) (v any) {
	_ = json.Unmarshal(usage, &v)
	if operation == "transcription" {
		return map[string]any{"transcription": v}
	}
	return v
}

// compact renders arguments, an object or a text of one, so that blanks and the
// order of members make no difference.
func compact(arguments []byte) string {
	var text string
	if json.Unmarshal(arguments, &text) == nil {
		arguments = []byte(text)
	}
	var v any
	if json.Unmarshal(arguments, &v) != nil {
		return string(arguments)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return string(arguments)
	}
	return string(b)
}

// usageBesideResponses says that the usage of responses stands beside them in the
// event that ends them, where the other reading did not look.
func usageBesideResponses(s Session) bool {
	for _, m := range s.Messages {
		var e struct {
			Type  string
			Usage map[string]any
		}
		if json.Unmarshal(m.Data, &e) == nil && e.Type == "response.done" && len(e.Usage) > 0 {
			return true
		}
	}
	return false
}

// toldSums compares the kinds of a call with the numbers that its own usage tells, in
// the words of both kinds of session (wire reference, section 12).
func toldSums(c *llm.Call) (diffs []Difference) {
	var u map[string]any
	if json.Unmarshal([]byte(c.UsageRaw), &u) != nil {
		return nil
	}
	at := func(path string) (sum int64) {
		for _, p := range strings.Split(path, "+") {
			var v any = u
			for _, k := range strings.Split(p, ".") {
				m, _ := v.(map[string]any)
				v = m[k]
			}
			n, _ := v.(float64)
			sum += int64(n)
		}
		return sum
	}
	in, _ := c.Usage.Input()
	out, _ := c.Usage.Output()
	cached, _ := c.Usage.CacheReads()
	get := func(ks ...llm.UsageKind) (n int64) {
		for _, k := range ks {
			m, _ := c.Usage.Get(k)
			n += m
		}
		return n
	}
	check := func(name string, got int64, path string) {
		if want := at(path); got != want {
			diffs = append(diffs, Difference{What: "figure " + name, Got: fmt.Sprint(got), Want: fmt.Sprint(want)})
		}
	}
	switch {
	case u["promptTokenCount"] != nil:
		check("input", in, "promptTokenCount+toolUsePromptTokenCount")
		check("output", out, "responseTokenCount+thoughtsTokenCount")
		check("reasoning", get(llm.Reasoning), "thoughtsTokenCount")
	case u["input_tokens"] != nil:
		check("input", in, "input_tokens")
		check("output", out, "output_tokens")
		check("cache_read", cached, "input_token_details.cached_tokens")
		check("audio_input", get(llm.AudioInput, llm.CacheReadAudio), "input_token_details.audio_tokens")
		check("audio_output", get(llm.AudioOutput), "output_token_details.audio_tokens")
	}
	return diffs
}
