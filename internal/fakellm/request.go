package fakellm

import (
	"encoding/json"
	"strings"
)

// chatRequest is what the fake provider reads of a chat or legacy completion.
type chatRequest struct {
	Model               string          `json:"model"`
	Messages            []chatMessage   `json:"messages"`
	Prompt              json.RawMessage `json:"prompt"` // legacy completions: text or list of texts
	Stream              bool            `json:"stream"`
	StreamOptions       streamOptions   `json:"stream_options"`
	N                   int             `json:"n"`
	MaxTokens           int             `json:"max_tokens"`
	MaxCompletionTokens int             `json:"max_completion_tokens"`
	ServiceTier         string          `json:"service_tier"`
	Tools               []toolDef       `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`
	ResponseFormat      responseFormat  `json:"response_format"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type chatMessage struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"`
	ToolCallID string          `json:"tool_call_id"`
}

type toolDef struct {
	Type     string `json:"type"`
	Function struct {
		Name       string `json:"name"`
		Parameters schema `json:"parameters"`
	} `json:"function"`
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Schema schema `json:"schema"`
	} `json:"json_schema"`
}

// text returns the text of a message content: a string, or the text parts of a list.
func text(content json.RawMessage) string {
	var s string
	if json.Unmarshal(content, &s) == nil {
		return s
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(content, &parts) != nil {
		return ""
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// lastUser returns the text of the last message of a user.
func (r *chatRequest) lastUser() string {
	for i := len(r.Messages) - 1; i >= 0; i-- {
		if r.Messages[i].Role == "user" {
			return text(r.Messages[i].Content)
		}
	}
	return ""
}

// toolResults returns the texts of the tool messages that end the conversation.
func (r *chatRequest) toolResults() []string {
	i := len(r.Messages)
	for i > 0 && r.Messages[i-1].Role == "tool" {
		i--
	}
	var out []string
	for _, m := range r.Messages[i:] {
		out = append(out, text(m.Content))
	}
	return out
}

// limit returns how many tokens the caller allows; 0 means no limit.
func (r *chatRequest) limit() int {
	if r.MaxCompletionTokens > 0 {
		return r.MaxCompletionTokens
	}
	return r.MaxTokens
}

// promptTokens is a plausible, deterministic size of the prompt: a token for
// every four bytes, and three to wrap each message.
func (r *chatRequest) promptTokens() int {
	n := 3
	for _, m := range r.Messages {
		n += 3 + tokens(string(m.Content))
	}
	for _, t := range r.Tools {
		n += 8 + tokens(t.Function.Name) + 4*len(t.Function.Parameters.Properties)
	}
	return n
}

func tokens(s string) int { return (len(s) + 3) / 4 }

// calls returns the tools to ask for: none when the caller forbids it or has
// already sent results, the named one when the choice names it, else the first
// two (one when parallel calls are off).
func (r *chatRequest) calls() []toolDef {
	if len(r.Tools) == 0 || len(r.toolResults()) > 0 {
		return nil
	}
	var word string
	if json.Unmarshal(r.ToolChoice, &word) == nil && word == "none" {
		return nil
	}
	var named struct {
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if json.Unmarshal(r.ToolChoice, &named) == nil && named.Function.Name != "" {
		for _, t := range r.Tools {
			if t.Function.Name == named.Function.Name {
				return []toolDef{t}
			}
		}
	}
	if len(r.Tools) > 1 && (r.ParallelToolCalls == nil || *r.ParallelToolCalls) {
		return r.Tools[:2]
	}
	return r.Tools[:1]
}

// choices returns how many answers to give.
func (r *chatRequest) choices() int { return min(max(r.N, 1), maxChoices) }
