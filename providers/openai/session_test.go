package openai_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

func realtime(target string) *llm.Exchange {
	return providerstest.Fixture{Method: "GET", Target: target, ResponseHeader: llm.Header("Upgrade: websocket\r\n")}.Exchange()
}

// Every recorded session of this format gives the calls that an independent parser
// read from it, however its frames are cut.
func TestSessionRecordings(t *testing.T) {
	for _, s := range providerstest.Sessions(t, func(s providerstest.Session) bool { return s.Expected.Provider != "google" }) {
		t.Run(s.Name, func(t *testing.T) {
			for _, n := range []int{1, 7, 13, 333, 4096} {
				around, within := dialect.ReadSession(t, realtime("/v1/realtime?model=asked"), s.Messages, n)
				compareSession(t, s, around, within)
				if t.Failed() {
					return
				}
			}
			for k := range s.Messages { // the connection breaks
				x := realtime("/v1/realtime?model=asked")
				x.Ended = llm.EndUpstreamCut
				_, within := dialect.ReadSession(t, x, s.Messages[:k], 4096)
				for _, c := range within {
					if c.Ended != llm.EndComplete && c.Usage.Known() {
						t.Fatalf("after %d messages: usage of a response that was not done", k)
					}
				}
			}
		})
	}
}

func compareSession(t *testing.T, s providerstest.Session, around *llm.Call, within []*llm.Call) {
	t.Helper()
	e := s.Expected
	if got := attr(around, "openai.session.id"); got != e.Session {
		t.Errorf("session: got %v, want %s", got, e.Session)
	}
	if len(e.Models) > 0 && around.ResponseModel != e.Models[len(e.Models)-1] {
		t.Errorf("model: got %s, want %v", around.ResponseModel, e.Models)
	}
	var ids, wantIDs, calls, wantCalls []string
	var usages, wantUsages []any
	for _, c := range within {
		if c.Kind != llm.KindLLM || c.RequestModel == "" {
			t.Errorf("kind %s, model %q", c.Kind, c.RequestModel)
		}
		if c.Operation == "transcription" {
			if c.UsageRaw != "" {
				usages = append(usages, map[string]any{"transcription": value(t, c.UsageRaw)})
			}
			continue
		}
		if c.Operation != "chat" || c.FirstToken.IsZero() {
			t.Errorf("operation %q, first token %v", c.Operation, c.FirstToken)
		}
		ids = append(ids, fmt.Sprint(c.ResponseID, " ", attr(c, "openai.response.status")))
		if c.UsageRaw != "" {
			usages = append(usages, value(t, c.UsageRaw))
			checkSums(t, c)
		}
		for _, m := range c.Output {
			for _, p := range m.Parts {
				if p.Type == llm.PartToolCall {
					calls = append(calls, fmt.Sprintf("%s %s %q", p.ID, p.Name, p.Arguments))
				}
			}
		}
	}
	for _, r := range e.Responses {
		wantIDs = append(wantIDs, r.ID+" "+r.Status)
	}
	for _, u := range e.Usages {
		wantUsages = append(wantUsages, value(t, string(u)))
	}
	for _, c := range e.ToolCalls {
		var text string
		if json.Unmarshal(c.Arguments, &text) != nil {
			text = string(c.Arguments)
		}
		wantCalls = append(wantCalls, fmt.Sprintf("%s %s %q", c.ID, c.Name, text))
	}
	differ := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	differ("responses", ids, wantIDs)
	differ("tool calls", calls, wantCalls)
	if e.Provider == "xai" && len(wantUsages) == 0 {
		// It stands beside the response, where the parser did not look.
		if told := strings.Contains(string(all(s)), `"output_tokens"`); told && len(usages) != len(e.Responses) {
			t.Errorf("usages: got %v of %d responses", usages, len(e.Responses))
		}
		return
	}
	differ("usages", usages, wantUsages)
}

func all(s providerstest.Session) (b []byte) {
	for _, m := range s.Messages {
		b = append(b, m.Data...)
	}
	return b
}

func value(t *testing.T, s string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// checkSums: the kinds add up to what the provider calls input and output, and what
// it says of the cache is kept by modality.
func checkSums(t *testing.T, c *llm.Call) {
	t.Helper()
	var u struct {
		Input  int64 `json:"input_tokens"`
		Output int64 `json:"output_tokens"`
		In     struct {
			Audio  int64 `json:"audio_tokens"`
			Cached int64 `json:"cached_tokens"`
			Of     struct {
				Audio int64 `json:"audio_tokens"`
			} `json:"cached_tokens_details"`
		} `json:"input_token_details"`
		Out struct {
			Audio int64 `json:"audio_tokens"`
		} `json:"output_token_details"`
	}
	if err := json.Unmarshal([]byte(c.UsageRaw), &u); err != nil {
		t.Fatal(err)
	}
	sum := func(what string, got, want int64) {
		if got != want {
			t.Errorf("%s: %s: got %d, want %d", c.ResponseID, what, got, want)
		}
	}
	in, _ := c.Usage.Input()
	out, _ := c.Usage.Output()
	cached, _ := c.Usage.CacheReads()
	audio, _ := c.Usage.Get(llm.AudioInput)
	cachedAudio, _ := c.Usage.Get(llm.CacheReadAudio)
	audioOut, _ := c.Usage.Get(llm.AudioOutput)
	sum("input", in, u.Input)
	sum("output", out, u.Output)
	sum("cached", cached, u.In.Cached)
	sum("audio", audio+cachedAudio, u.In.Audio)
	sum("cached audio", cachedAudio, u.In.Of.Audio)
	sum("audio out", audioOut, u.Out.Audio)
}
