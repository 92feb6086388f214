package anthropic

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Dialect is the wire format. It has no state: one value serves all goroutines.
type Dialect struct{}

// endpoint is what a path means.
type endpoint uint8

const (
	other        endpoint = iota // relayed: models, files …
	messages                     // Messages
	completions                  // legacy text completions
	countTokens                  // free, and never usage
	batch                        // a message batch as an object
	batchResults                 // its results, one a line
)

// operations are the names of what is a call of a model. A batch is one: its
// usage is told, and billed, with its results.
var operations = map[endpoint]string{
	messages:     "chat",
	completions:  "text_completion",
	batchResults: "batch",
}

// place is what the address of a request tells.
type place struct {
	endpoint endpoint
	model    string // on Vertex
	region   string // on Vertex
	stream   bool   // the verb asks for a stream
	batch    string // id of a batch
}

// find reads the address of a request (wire reference, section 2).
func find(method, target string) (p place) {
	path, _, _ := strings.Cut(target, "?")
	path = strings.TrimSuffix(path, "/")
	if _, rest, ok := strings.Cut(path, "/messages/batches"); ok {
		return findBatch(method, rest)
	}
	if method != "POST" {
		return p
	}
	if name, verb, ok := vertex(path); ok {
		return findVertex(path, name, verb)
	}
	switch {
	case strings.HasSuffix(path, "/messages/count_tokens"):
		p.endpoint = countTokens
	case strings.HasSuffix(path, "/messages") && !strings.Contains(path, "/threads/"):
		p.endpoint = messages
	case strings.HasSuffix(path, "/complete"):
		p.endpoint = completions
	}
	return p
}

func findBatch(method, rest string) place {
	id, verb, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	p := place{endpoint: batch, batch: unescape(id)}
	if verb == "results" && method == "GET" {
		p.endpoint = batchResults
	}
	return p
}

// vertex splits …/publishers/anthropic/models/{name}:{verb}.
func vertex(path string) (name, verb string, ok bool) {
	_, rest, ok := strings.Cut(path, "/publishers/anthropic/models/")
	if !ok {
		return "", "", false
	}
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return "", "", false
	}
	return unescape(rest[:i]), rest[i+1:], true
}

func findVertex(path, name, verb string) (p place) {
	if _, rest, ok := strings.Cut(path, "/locations/"); ok {
		p.region, _, _ = strings.Cut(rest, "/")
	}
	switch {
	case name == "count-tokens" && verb == "rawPredict":
		p.endpoint = countTokens
	case verb == "rawPredict" || verb == "streamRawPredict":
		p.endpoint, p.model, p.stream = messages, name, verb == "streamRawPredict"
	}
	return p
}

// unescape undoes percent-encoding; what is no such encoding stays.
func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// placeOf reads what the provider was asked; before an exchange got that far, what
// the caller asked.
func placeOf(x *llm.Exchange) place {
	return find(x.Method, x.Asked())
}

// ErrorBody returns the JSON of an error in Anthropic's shape, as an answer that
// the proxy makes itself carries it. code is a stable word.
func (Dialect) ErrorBody(_ int, code, message string) []byte {
	var e struct {
		Type  string `json:"type"`
		Error struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"error"`
	}
	e.Type, e.Error.Type, e.Error.Message = "error", code, message
	b, err := json.Marshal(e)
	if err != nil {
		panic("BUG: error body: " + err.Error()) // texts alone
	}
	return b
}
