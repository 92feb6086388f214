package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// agent is the demo's program: it talks to OpenAI's API at base as any client
// does, and knows nothing of the proxy but the address.
type agent struct {
	base string // ends in /v1
	out  io.Writer
	http *http.Client
	step int
}

// agentCalls is how many calls one run of the agent makes.
const agentCalls = 4

// agentTools are what the agent offers to the model. The examples make the fake
// model ask for something that reads well.
const agentTools = `[
 {"type":"function","function":{"name":"get_weather","description":"Weather of a city, now.","parameters":{"type":"object",
  "properties":{"city":{"type":"string","examples":["Lisbon"]},"unit":{"type":"string","enum":["celsius","fahrenheit"]}},"required":["city"]}}},
 {"type":"function","function":{"name":"get_time","description":"Local time of a city.","parameters":{"type":"object",
  "properties":{"city":{"type":"string","examples":["Lisbon"]}},"required":["city"]}}}]`

// chatMessage is a message of a chat, with what the agent must send back of it.
type chatMessage struct {
	Role       string          `json:"role"`
	Content    string          `json:"content"`
	ToolCallID string          `json:"tool_call_id,omitempty"`
	ToolCalls  []agentToolCall `json:"tool_calls,omitempty"`
}

type agentToolCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// run asks a question, runs the tools that the model asks for, streams the final
// answer, embeds it, and makes one call that fails.
func (a *agent) run(ctx context.Context) error {
	history := []chatMessage{
		{Role: "system", Content: "You are a helpful travel assistant."},
		{Role: "user", Content: "What should I wear in Lisbon right now?"},
	}
	asked, err := a.ask(ctx, history)
	if err != nil {
		return err
	}
	history = append(history, asked)
	for _, c := range asked.ToolCalls {
		history = append(history, chatMessage{Role: "tool", ToolCallID: c.ID, Content: runTool(c)})
	}
	answer, err := a.stream(ctx, history)
	if err != nil {
		return err
	}
	if err := a.embed(ctx, answer); err != nil {
		return err
	}
	return a.fail(ctx)
}

func runTool(c agentToolCall) string {
	if c.Function.Name == "get_time" {
		return "It is half past nine in the evening."
	}
	return "It is 17 degrees with light rain in Lisbon."
}

func (a *agent) ask(ctx context.Context, history []chatMessage) (chatMessage, error) {
	var reply struct {
		Choices []struct {
			Message chatMessage `json:"message"`
		} `json:"choices"`
	}
	body, err := a.post(ctx, "/chat/completions", map[string]any{
		"model": "gpt-4o-mini", "messages": history, "tools": json.RawMessage(agentTools), "temperature": 0.2,
	})
	if err != nil {
		return chatMessage{}, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&reply); err != nil {
		return chatMessage{}, fmt.Errorf("read answer: %w", err)
	}
	if len(reply.Choices) == 0 {
		return chatMessage{}, fmt.Errorf("the answer has no choices")
	}
	m := reply.Choices[0].Message
	var names []string
	for _, c := range m.ToolCalls {
		names = append(names, c.Function.Name)
	}
	a.say("chat", "the model asks for "+strings.Join(names, " and "))
	return m, nil
}

func (a *agent) stream(ctx context.Context, history []chatMessage) (string, error) {
	body, err := a.post(ctx, "/chat/completions", map[string]any{
		"model": "gpt-4o-mini", "messages": history, "tools": json.RawMessage(agentTools), "stream": true,
	})
	if err != nil {
		return "", err
	}
	defer body.Close()
	var answer strings.Builder
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var chunk struct {
			Choices []struct {
				Delta chatMessage `json:"delta"`
			} `json:"choices"`
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return "", fmt.Errorf("read stream: %w", err)
		}
		for _, c := range chunk.Choices {
			answer.WriteString(c.Delta.Content)
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("read stream: %w", err)
	}
	a.say("chat, streamed", `"`+answer.String()+`"`)
	return answer.String(), nil
}

func (a *agent) embed(ctx context.Context, text string) error {
	body, err := a.post(ctx, "/embeddings", map[string]any{"model": "text-embedding-3-small", "input": text, "encoding_format": "base64"})
	if err != nil {
		return err
	}
	defer body.Close()
	n, err := io.Copy(io.Discard, body)
	if err != nil {
		return fmt.Errorf("read embedding: %w", err)
	}
	a.say("embeddings", fmt.Sprintf("a vector of %d bytes", n))
	return nil
}

// fail makes a call that the provider refuses, which is traced like any other.
func (a *agent) fail(ctx context.Context) error {
	body, err := a.post(ctx, "/chat/completions", map[string]any{
		"model": "fake-err-429", "messages": []chatMessage{{Role: "user", Content: "Are you busy?"}},
	})
	if err == nil {
		body.Close()
		return fmt.Errorf("the call that should fail did not")
	}
	a.say("chat", err.Error())
	return nil
}

// post sends a request as the SDKs do and returns the body of a good answer.
func (a *agent) post(ctx context.Context, path string, v any) (io.ReadCloser, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer demo-key")
	req.Header.Set("User-Agent", "travel-agent/1.0")
	req.Header.Set("X-Spanwire-Team", "demo")
	req.Header.Set("X-Spanwire-User", "traveller")
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", path, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var e struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&e) // a body in another form has no message to show
	return nil, fmt.Errorf("%s: %s", resp.Status, e.Error.Message)
}

func (a *agent) say(what, result string) {
	a.step++
	fmt.Fprintf(a.out, "  %d  %-15s %s\n", a.step, what, result)
}
