package textgen

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Dialect is the wire format. It has no state beyond its guest: one value serves all
// goroutines.
type Dialect struct {
	// Chat reads watsonx's chat, which is OpenAI's. Its requests and answers name the
	// model in members of their own.
	Chat Guest
}

// Guest is another dialect. It is given an exchange whose target is that of its own
// API.
type Guest struct {
	ReadRequest func(*llm.Call, *llm.Exchange) error
	NewReader   func(*llm.Exchange) Reading
}

// Reading is a response that a guest reads: see [Reader].
type Reading interface {
	Wrote(p []byte, at time.Time)
	Finish(*llm.Call, *llm.Exchange) error
}

// chatTarget is where the guest is at home.
const chatTarget = "/v1/chat/completions"

// endpoint is what a path means.
type endpoint uint8

const (
	other      endpoint = iota // relayed; only its errors are read
	generation                 // watsonx, and Hugging Face's server
	embeddings
	rerank
	chat
	prediction // Replicate: made, or asked for again
)

// endpoints maps the end of a path to what it means.
var endpoints = []struct {
	suffix    string
	endpoint  endpoint
	operation string
	stream    bool
}{
	{"/generation/text", generation, "text_completion", false},
	{"/generation/text_stream", generation, "text_completion", true},
	{"/text/generation", generation, "text_completion", false},
	{"/text/generation_stream", generation, "text_completion", true},
	{"/text/embeddings", embeddings, "embeddings", false},
	{"/text/rerank", rerank, "rerank", false},
	{"/text/chat", chat, "chat", false},
	{"/text/chat_stream", chat, "chat", true},
	{"/predictions", prediction, "text_completion", false},
	{"/generate", generation, "text_completion", false},
	{"/generate_stream", generation, "text_completion", true},
	{"/embed", embeddings, "embeddings", false}, // Hugging Face's server for embeddings
	{"/pipeline/feature-extraction", embeddings, "embeddings", false},
}

// place is what the address of a request tells.
type place struct {
	endpoint  endpoint
	operation string
	stream    bool
	model     string
}

// find reads the address of a request.
func find(x *llm.Exchange) (p place) {
	path := strings.TrimSuffix(x.AskedPath(), "/")
	if x.Method == "GET" {
		if _, id, ok := strings.Cut(path, "/v1/predictions/"); ok && id != "" && !strings.Contains(id, "/") {
			return place{endpoint: prediction, operation: "text_completion"}
		}
		if strings.HasPrefix(path, "/v1/stream/") || strings.HasPrefix(x.Host, "stream.replicate.") {
			return place{endpoint: prediction, operation: "text_completion", stream: true}
		}
		return p
	}
	if x.Method != "POST" {
		return p
	}
	for _, e := range endpoints {
		if strings.HasSuffix(path, e.suffix) {
			return place{e.endpoint, e.operation, e.stream, modelIn(path)}
		}
	}
	if name := modelIn(path); name != "" && strings.HasSuffix(path, "/models/"+name) {
		return place{generation, "text_completion", false, name}
	}
	return p
}

// modelIn returns the model or the deployment that a path names: owner/name at
// Replicate and Hugging Face, an id at watsonx.
func modelIn(path string) string {
	for _, part := range []string{"/models/", "/deployments/"} {
		if _, rest, ok := strings.Cut(path, part); ok {
			for _, end := range []string{"/predictions", "/text/", "/pipeline/"} {
				rest, _, _ = strings.Cut(rest, end)
			}
			if name, err := url.PathUnescape(rest); err == nil {
				return name
			}
			return rest
		}
	}
	return ""
}

// at returns the exchange as the guest is to see it.
func at(x *llm.Exchange) *llm.Exchange {
	own := *x
	own.Target, own.UpstreamTarget = chatTarget, chatTarget
	return &own
}

// ErrorBody returns the JSON of an error, as an answer that the proxy makes itself
// carries it: Hugging Face's clients look for error, Replicate's for detail and
// watsonx's for errors.
func (Dialect) ErrorBody(status int, code, message string) []byte {
	type one struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	b, err := json.Marshal(struct {
		Error  string `json:"error"`
		Detail string `json:"detail"`
		Status int    `json:"status_code"`
		Errors []one  `json:"errors"`
	}{message, message, status, []one{{code, message}}})
	if err != nil {
		panic("BUG: error body: " + err.Error()) // texts and a number
	}
	return b
}
