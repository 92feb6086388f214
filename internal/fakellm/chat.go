package fakellm

import (
	"encoding/json"
	"strconv"

	"github.com/valyala/fasthttp"
)

// created is the clock of every answer: fixed, so that answers are deterministic.
const created = 1764547200

// fingerprint is the system_fingerprint of every answer.
const fingerprint = "fp_0fa4e11a0d"

// chatBody is a chat.completion object and, with Delta in place of Message, a
// chat.completion.chunk.
type chatBody struct {
	ID                string   `json:"id"`
	Object            string   `json:"object"`
	Created           int64    `json:"created"`
	Model             string   `json:"model"`
	Choices           []choice `json:"choices"`
	Usage             *usage   `json:"usage,omitempty"`
	ServiceTier       string   `json:"service_tier"`
	SystemFingerprint string   `json:"system_fingerprint"`
}

type choice struct {
	Index        int      `json:"index"`
	Message      *message `json:"message,omitempty"`
	Delta        *delta   `json:"delta,omitempty"`
	Logprobs     *int     `json:"logprobs"`
	FinishReason *string  `json:"finish_reason"`
}

type message struct {
	Role      string     `json:"role"`
	Content   *string    `json:"content"`
	Refusal   *string    `json:"refusal"`
	Reasoning string     `json:"reasoning_content,omitempty"`
	ToolCalls []callBody `json:"tool_calls,omitempty"`
}

type callBody struct {
	Index    *int         `json:"index,omitempty"` // in streams
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"`
	Function functionBody `json:"function"`
}

type functionBody struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

func (s *Server) chat(ctx *fasthttp.RequestCtx) {
	var r chatRequest
	if !decode(ctx, &r, &r.Model) {
		return
	}
	if len(r.Messages) == 0 {
		writeError(ctx, fasthttp.StatusBadRequest, "Missing required parameter: 'messages'.", "missing_required_parameter")
		return
	}
	id := s.newID(ctx.PostBody())
	vendorHeaders(ctx, id)
	b := behave(r.Model)
	s.pause(s.cfg.First + b.wait)
	if b.fails(ctx, r.Model) {
		return
	}
	a := s.answer(&r, b, id)
	if r.Stream {
		s.stream(ctx, r.Model, b, a.chatEvents(&r, b))
		return
	}
	body := a.chatBody("chat.completion", r.ServiceTier)
	for i := range r.choices() {
		body.Choices = append(body.Choices, choice{Index: i, Message: a.message(), FinishReason: &a.finish})
	}
	body.Usage = a.usage
	s.send(ctx, b, marshal(body))
}

// decode reads a JSON request; it answers the request itself when it cannot.
func decode(ctx *fasthttp.RequestCtx, into any, model *string) bool {
	if err := json.Unmarshal(ctx.PostBody(), into); err != nil {
		writeError(ctx, fasthttp.StatusBadRequest, "We could not parse the JSON body of your request.", "invalid_json")
		return false
	}
	if *model == "" {
		writeError(ctx, fasthttp.StatusBadRequest, "you must provide a model parameter", "missing_required_parameter")
		return false
	}
	return true
}

// vendorHeaders sets the fields that OpenAI sends beside each answer (wire
// reference, sections 15.1 and 15.2).
func vendorHeaders(ctx *fasthttp.RequestCtx, id string) {
	h := &ctx.Response.Header
	h.Set("Openai-Organization", "fake-org")
	h.Set("Openai-Processing-Ms", strconv.Itoa(100+len(ctx.PostBody())%100))
	h.Set("Openai-Version", "2020-10-01")
	h.Set("X-Ratelimit-Limit-Requests", "10000")
	h.Set("X-Ratelimit-Limit-Tokens", "200000")
	h.Set("X-Ratelimit-Remaining-Requests", "9999")
	h.Set("X-Ratelimit-Remaining-Tokens", "199000")
	h.Set("X-Ratelimit-Reset-Requests", "8.64s")
	h.Set("X-Ratelimit-Reset-Tokens", "300ms")
	h.Set("X-Request-Id", "req_"+id)
}

func (a *answer) chatBody(object, tier string) chatBody {
	if tier == "" || tier == "auto" {
		tier = "default"
	}
	return chatBody{ID: a.id, Object: object, Created: created, Model: a.model, Choices: []choice{}, ServiceTier: tier, SystemFingerprint: fingerprint}
}

func (a *answer) message() *message {
	m := &message{Role: "assistant", Reasoning: a.reasoning}
	if a.refusal != "" {
		m.Refusal = &a.refusal
	} else if len(a.calls) == 0 {
		m.Content = &a.text
	}
	for _, c := range a.calls {
		m.ToolCalls = append(m.ToolCalls, callBody{ID: c.id, Type: "function", Function: functionBody{Name: c.name, Arguments: c.arguments}})
	}
	return m
}
