package main

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

// Whom a body names is read in every format, by its dialect first and attribution
// then: each knows nothing of the other, and this holds them together.
func TestWhomABodyNames(t *testing.T) {
	live, err := newLive(defaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	names := func(c *llm.Call) string {
		a := c.Attribution
		return fmt.Sprintf("%s|%s|%s|%v", a.Team, a.User, a.Session, a.Tags)
	}
	const pairs = `{"team":"t","user_id":"u","session_id":"s","tags":["a","b"],"k":"v","n":5,"list":["x"],"o":{"a":1},"z":null}`
	const all = "t|u|s|[a b]"
	f := func(row, target, body, want string) {
		t.Helper()
		call, err := live.Read(&llm.Exchange{
			Provider: row, Method: "POST", Target: "/" + row + target, UpstreamTarget: target, Status: 200, Ended: llm.EndComplete,
			RequestHeader: llm.Header("Content-Type: application/json\r\n"),
			Request:       llm.Body{Data: []byte(body), Size: int64(len(body))},
		})
		if err != nil {
			t.Fatalf("%s%s: %v", row, target, err)
		}
		live.Attribute(call, &llm.Exchange{})
		if got := names(call); got != want {
			t.Errorf("%s%s %s\nis for %s, want %s", row, target, body, got, want)
		}
		if m := call.Attribution.Metadata; want == all && (!slices.Contains(m, llm.Attr{Key: "k", Value: "v"}) || !slices.Contains(m, llm.Attr{Key: "n", Value: "5"})) {
			t.Errorf("%s%s: metadata %v", row, target, m)
		}
	}
	// Pairs, in each format that has them.
	for row, targets := range map[string][]string{
		"openai":    {"/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions", "/v1/images/generations", "/v1/threads/runs", "/v1/batches", "/v1/unheard/of"},
		"groq":      {"/openai/v1/chat/completions"},
		"anthropic": {"/v1/messages"},
		"vertex":    {"/v1/projects/p/locations/l/publishers/anthropic/models/claude:rawPredict"},
	} {
		for _, target := range targets {
			f(row, target, `{"model":"m","messages":[{"role":"user","content":"x"}],"metadata":`+pairs+`}`, all)
		}
	}
	f("gemini", "/v1beta/models/m:generateContent", `{"contents":[],"labels":`+pairs+`}`, all)
	f("vertex", "/v1/projects/p/locations/l/publishers/google/models/m:generateContent", `{"contents":[],"labels":`+pairs+`}`, all)
	f("vertex", "/v1/projects/p/locations/l/publishers/google/models/m:predict", `{"instances":[],"labels":`+pairs+`}`, all)
	f("gemini", "/v1beta/interactions", `{"model":"m","input":"x","labels":`+pairs+`}`, all)
	f("bedrock", "/model/m/converse", `{"messages":[],"requestMetadata":`+pairs+`}`, all)
	f("bedrock", "/model/anthropic.claude-v1%3A0/invoke", `{"anthropic_version":"bedrock-2023-05-31","messages":[],"metadata":`+pairs+`}`, all)

	// Members of their own.
	chat := func(member string) string { return `{"model":"m","messages":[],` + member + `}` }
	for _, target := range []string{"/v1/chat/completions", "/v1/responses", "/v1/images/generations", "/v1/unheard/of"} {
		f("openai", target, chat(`"user":"u"`), "|u||[]")
		f("openai", target, chat(`"safety_identifier":"u"`), "|u||[]")
		f("openai", target, chat(`"user_id":"u"`), "|u||[]")
		f("openai", target, chat(`"prompt_cache_key":"s"`), "||s|[]")
		f("openai", target, chat(`"litellm_session_id":"s"`), "||s|[]")
		f("openai", target, chat(`"session_id":"s"`), "||s|[]")
	}
	f("openai", "/v1/responses", chat(`"conversation":"conv_1"`), "||conv_1|[]")
	f("openai", "/v1/responses", chat(`"conversation":{"id":"conv_1"}`), "||conv_1|[]")
	f("openai", "/v1/threads/thread_1/runs", `{"assistant_id":"a"}`, "||thread_1|[]")
	f("cohere", "/v1/chat", `{"message":"x","conversation_id":"c"}`, "||c|[]")
	f("anthropic", "/v1/messages", chat(`"metadata":{"user_id":"user_1_account_2_session_3"}`), "|user_1|3|[]")
}
