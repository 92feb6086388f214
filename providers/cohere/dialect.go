package cohere

import (
	"encoding/json"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Dialect is the wire format. It has no state: one value serves all goroutines.
type Dialect struct{}

// endpoint is what a path means.
type endpoint uint8

const (
	other endpoint = iota // relayed; usage is read by shape
	chat
	generate
	embed
	rerank
)

// endpoints maps the end of a path to what it means (wire reference, section 2).
var endpoints = []struct {
	suffix    string
	endpoint  endpoint
	operation string
}{
	{"/chat", chat, "chat"},
	{"/generate", generate, "text_completion"},
	{"/summarize", generate, "text_completion"},
	{"/embed", embed, "embeddings"},
	{"/rerank", rerank, "rerank"},
}

// find returns what a request is for.
func find(x *llm.Exchange) (endpoint, string) {
	path := strings.TrimSuffix(x.AskedPath(), "/")
	for _, e := range endpoints {
		if x.Method == "POST" && strings.HasSuffix(path, e.suffix) {
			return e.endpoint, e.operation
		}
	}
	return other, ""
}

// ErrorBody returns the JSON of an error in Cohere's shape, as an answer that the
// proxy makes itself carries it.
func (Dialect) ErrorBody(_ int, _, message string) []byte {
	b, err := json.Marshal(map[string]string{"message": message})
	if err != nil {
		panic("BUG: error body: " + err.Error()) // a text alone
	}
	return b
}
