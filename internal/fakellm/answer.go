package fakellm

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
)

// answer is what a fake model says, before it is put into a wire format.
type answer struct {
	id        string
	model     string
	text      string
	refusal   string
	reasoning string
	calls     []toolCall
	finish    string
	usage     *usage // nil: not reported
}

type toolCall struct {
	id, name, arguments string
}

type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`

	PromptTokensDetails     *promptDetails     `json:"prompt_tokens_details,omitempty"`
	CompletionTokensDetails *completionDetails `json:"completion_tokens_details,omitempty"`
}

type promptDetails struct {
	CachedTokens int `json:"cached_tokens"`
	AudioTokens  int `json:"audio_tokens"`
}

type completionDetails struct {
	ReasoningTokens          int `json:"reasoning_tokens"`
	AudioTokens              int `json:"audio_tokens"`
	AcceptedPredictionTokens int `json:"accepted_prediction_tokens"`
	RejectedPredictionTokens int `json:"rejected_prediction_tokens"`
}

// snapshots are the dated names that OpenAI answers with for its aliases.
var snapshots = map[string]string{
	"gpt-4o":                 "gpt-4o-2024-08-06",
	"gpt-4o-mini":            "gpt-4o-mini-2024-07-18",
	"gpt-4.1":                "gpt-4.1-2025-04-14",
	"gpt-4.1-mini":           "gpt-4.1-mini-2025-04-14",
	"gpt-3.5-turbo-instruct": "gpt-3.5-turbo-instruct:20230824-v2",
}

// answer makes up what the model says to a chat request.
func (s *Server) answer(r *chatRequest, b behaviour, id string) answer {
	a := answer{id: "chatcmpl-" + id, model: r.Model, finish: "stop"}
	if dated, ok := snapshots[r.Model]; ok {
		a.model = dated
	}
	switch results := r.toolResults(); {
	case b.refuse:
		a.refusal = "I'm sorry, I can't help with that."
	case len(r.calls()) > 0:
		for i, t := range r.calls() {
			a.calls = append(a.calls, toolCall{
				id: fmt.Sprintf("call_%s%d", id[:20], i), name: t.Function.Name, arguments: t.Function.Parameters.example(),
			})
		}
		a.finish = "tool_calls"
	case r.ResponseFormat.Type == "json_schema":
		a.text = r.ResponseFormat.JSONSchema.Schema.example()
	case r.ResponseFormat.Type == "json_object":
		a.text = `{"answer":"example"}`
	case len(results) > 0:
		a.text = "Here is what I found. " + strings.Join(results, " ") + " That answers your question."
	case b.words > 0:
		a.text = strings.TrimSpace(strings.Repeat("word ", b.words))
	default:
		a.text = "This answer comes from the built-in provider, and nothing left your machine. You said: " + clip(r.lastUser(), 200)
	}
	if b.reason {
		a.reasoning = "The caller wants an answer. I will give a short one."
	}
	a.cutTo(r.limit())
	a.count(r.promptTokens(), b, r.choices())
	return a
}

// cutTo shortens the text to n tokens, as a model that runs into its limit does.
func (a *answer) cutTo(n int) {
	pieces := pieces(a.text)
	if n <= 0 || len(pieces) <= n {
		return
	}
	a.text = strings.Join(pieces[:n], "")
	a.finish = "length"
}

// count fills in the usage. Prompts of 1024 tokens and more count as half cached.
func (a *answer) count(prompt int, b behaviour, choices int) {
	if b.noUsage {
		return
	}
	reasoning := len(pieces(a.reasoning)) * choices
	out := (len(pieces(a.text))+len(pieces(a.refusal)))*choices + reasoning
	for _, c := range a.calls {
		out += (8 + tokens(c.name) + tokens(c.arguments)) * choices
	}
	cached := 0
	if prompt >= 1024 {
		cached = prompt / 2 / 128 * 128 // OpenAI caches in steps of 128
	}
	a.usage = &usage{
		PromptTokens: prompt, CompletionTokens: out, TotalTokens: prompt + out,
		PromptTokensDetails:     &promptDetails{CachedTokens: cached},
		CompletionTokensDetails: &completionDetails{ReasoningTokens: reasoning},
	}
}

// pieces cuts a text into words with the blank before each, which is about how
// a model's tokens fall. Joined they give the text again.
func pieces(s string) []string {
	var out []string
	for len(s) > 0 {
		end := strings.IndexByte(s[1:], ' ') + 1
		if end == 0 {
			end = len(s)
		}
		out = append(out, s[:end])
		s = s[end:]
	}
	return out
}

func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n]) + "…"
}

// newID returns 29 letters and digits that depend on the request and on how many
// answers came before.
func (s *Server) newID(body []byte) string {
	h := sha256.New()
	h.Write(body)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], s.serial.Add(1))
	h.Write(n[:])
	return base32.StdEncoding.EncodeToString(h.Sum(nil))[:29]
}
