package fakellm

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"math"
	"strings"

	"github.com/valyala/fasthttp"
)

// completionBody is a text_completion object, whole or as a chunk.
type completionBody struct {
	ID      string             `json:"id"`
	Object  string             `json:"object"`
	Created int64              `json:"created"`
	Model   string             `json:"model"`
	Choices []completionChoice `json:"choices"`
	Usage   *usage             `json:"usage,omitempty"`
}

type completionChoice struct {
	Text         string  `json:"text"`
	Index        int     `json:"index"`
	Logprobs     *int    `json:"logprobs"`
	FinishReason *string `json:"finish_reason"`
}

// completion answers a legacy completion.
func (s *Server) completion(ctx *fasthttp.RequestCtx) {
	var r chatRequest
	if !decode(ctx, &r, &r.Model) {
		return
	}
	id := s.newID(ctx.PostBody())
	vendorHeaders(ctx, id)
	b := behave(r.Model)
	s.pause(s.cfg.First + b.wait)
	if b.fails(ctx, r.Model) {
		return
	}
	prompt := strings.Join(inputs(r.Prompt), " ")
	content, _ := json.Marshal(prompt)
	r.Messages = []chatMessage{{Role: "user", Content: content}}
	a := s.answer(&r, b, id)
	a.id = "cmpl-" + id
	if r.Stream {
		s.stream(ctx, r.Model, b, a.completionEvents(&r))
		return
	}
	body := completionBody{ID: a.id, Object: "text_completion", Created: created, Model: a.model, Usage: a.usage}
	for i := range r.choices() {
		body.Choices = append(body.Choices, completionChoice{Text: a.text, Index: i, FinishReason: &a.finish})
	}
	s.send(ctx, b, marshal(body))
}

func (a *answer) completionEvents(r *chatRequest) []string {
	var out []string
	add := func(choices []completionChoice, u *usage) {
		out = append(out, string(marshal(completionBody{
			ID: a.id, Object: "text_completion", Created: created, Model: a.model, Choices: choices, Usage: u,
		})))
	}
	for _, p := range pieces(a.text) {
		for i := range r.choices() {
			add([]completionChoice{{Text: p, Index: i}}, nil)
		}
	}
	for i := range r.choices() {
		add([]completionChoice{{Index: i, FinishReason: &a.finish}}, nil)
	}
	if r.StreamOptions.IncludeUsage && a.usage != nil {
		add([]completionChoice{}, a.usage)
	}
	return append(out, "[DONE]")
}

// inputs returns the texts of a prompt or of an embedding input: a string, a
// list of strings, or token ids (a list of numbers or of such lists), for which
// a placeholder of a fitting length stands in.
func inputs(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	var ids []int
	if json.Unmarshal(raw, &ids) == nil {
		return []string{strings.Repeat("tok ", len(ids))}
	}
	var lists [][]int
	if json.Unmarshal(raw, &lists) != nil {
		return nil
	}
	var out []string
	for _, l := range lists {
		out = append(out, strings.Repeat("tok ", len(l)))
	}
	return out
}

type embeddingRequest struct {
	Model          string          `json:"model"`
	Input          json.RawMessage `json:"input"`
	EncodingFormat string          `json:"encoding_format"`
	Dimensions     int             `json:"dimensions"`
}

type embeddingBody struct {
	Object string          `json:"object"`
	Data   []embeddingItem `json:"data"`
	Model  string          `json:"model"`
	Usage  *embeddingUsage `json:"usage,omitempty"`
}

type embeddingItem struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // []float32, or base64 of them in little-endian
}

type embeddingUsage struct {
	PromptTokens int `json:"prompt_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

// Dimensions of an embedding when the caller does not ask for any, and at most.
const (
	dimensions    = 256
	maxDimensions = 8192
)

func (s *Server) embeddings(ctx *fasthttp.RequestCtx) {
	var r embeddingRequest
	if !decode(ctx, &r, &r.Model) {
		return
	}
	id := s.newID(ctx.PostBody())
	vendorHeaders(ctx, id)
	b := behave(r.Model)
	s.pause(s.cfg.First + b.wait)
	if b.fails(ctx, r.Model) {
		return
	}
	in := inputs(r.Input)
	if len(in) == 0 {
		writeError(ctx, fasthttp.StatusBadRequest, "'input' must be a text, a list of texts or token ids.", "invalid_type")
		return
	}
	if r.Dimensions <= 0 {
		r.Dimensions = dimensions
	}
	body := embeddingBody{Object: "list", Model: r.Model}
	n := 0
	for i, text := range in {
		item := embeddingItem{Object: "embedding", Index: i}
		v := vector(text, min(r.Dimensions, maxDimensions))
		if r.EncodingFormat == "base64" {
			item.Embedding = base64.StdEncoding.EncodeToString(littleEndian(v))
		} else {
			item.Embedding = v
		}
		body.Data = append(body.Data, item)
		n += tokens(text)
	}
	if !b.noUsage {
		body.Usage = &embeddingUsage{PromptTokens: n, TotalTokens: n}
	}
	s.send(ctx, b, marshal(body))
}

// vector returns a unit vector that depends on the text alone.
func vector(text string, dim int) []float32 {
	h := fnv.New64a()
	h.Write([]byte(text))
	x := h.Sum64() | 1
	v := make([]float32, dim)
	var sum float64
	for i := range v {
		x ^= x << 13 // xorshift: the same on every machine
		x ^= x >> 7
		x ^= x << 17
		v[i] = float32(int64(x)) / math.MaxInt64
		sum += float64(v[i]) * float64(v[i])
	}
	norm := float32(math.Sqrt(sum))
	for i := range v {
		v[i] /= norm
	}
	return v
}

func littleEndian(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

type modelItem struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (s *Server) models(ctx *fasthttp.RequestCtx) {
	vendorHeaders(ctx, s.newID(nil))
	var list []modelItem
	for _, id := range []string{"gpt-4.1-mini", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small"} {
		list = append(list, modelItem{ID: id, Object: "model", Created: created, OwnedBy: "fakellm"})
	}
	writeJSON(ctx, map[string]any{"object": "list", "data": list})
}
