package gemini

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Dialect is the wire format. It has no state: one value serves all goroutines.
type Dialect struct{}

// endpoint is what a path means.
type endpoint uint8

const (
	other    endpoint = iota // relayed; usage is read by shape
	generate                 // generateContent
	stream                   // streamGenerateContent
	embed                    // embedContent, batchEmbedContents
	count                    // countTokens: never usage
	predict                  // Vertex: embeddings, or images
	interact                 // interactions
	fetch                    // an interaction looked up again
	live                     // a WebSocket
)

// verbs maps what stands behind the colon of a path (wire reference, section 2).
var verbs = map[string]struct {
	endpoint  endpoint
	operation string
}{
	"generateContent":       {generate, "generate_content"},
	"streamGenerateContent": {stream, "generate_content"},
	"embedContent":          {embed, "embeddings"},
	"batchEmbedContents":    {embed, "embeddings"},
	"countTokens":           {count, ""},
	"predict":               {predict, ""},
}

// find returns what a request is for: the operation, and the model in its path.
func find(method, target string) (e endpoint, operation, model string) {
	path := strings.TrimSuffix(pathOf(target), "/")
	last := path[strings.LastIndexByte(path, '/')+1:]
	if method == "GET" {
		switch {
		case strings.Contains(last, "BidiGenerateContent"):
			return live, "generate_content", ""
		case strings.HasSuffix(path, "/interactions/"+last):
			return fetch, "fetch_response", ""
		}
		return other, "", ""
	}
	if method != "POST" {
		return other, "", ""
	}
	if last == "interactions" {
		return interact, "generate_content", ""
	}
	model, verb, ok := strings.Cut(strings.Replace(last, "%3A", ":", 1), ":")
	if !ok {
		return other, "", ""
	}
	v, ok := verbs[verb]
	if !ok {
		return other, "", ""
	}
	return v.endpoint, v.operation, model
}

func pathOf(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return path
}

// onVertex says whether a path is one of Vertex AI: some enums have other numbers
// there.
func onVertex(target string) bool {
	path := pathOf(target)
	return strings.Contains(path, "/publishers/") || strings.Contains(path, "/projects/") || strings.Contains(path, "cloud.aiplatform")
}

// ErrorBody returns the JSON of an error in Google's shape, as an answer that the
// proxy makes itself carries it. code is a stable word.
func (Dialect) ErrorBody(status int, code, message string) []byte {
	var e struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Status  string `json:"status"`
		} `json:"error"`
	}
	e.Error.Code, e.Error.Message, e.Error.Status = status, message, strings.ToUpper(code)
	b, err := json.Marshal(e)
	if err != nil {
		panic("BUG: error body: " + err.Error()) // texts and a number
	}
	return b
}

// camel returns the name of a member in camelCase: Google's APIs take snake_case
// for the same (wire reference, section 8.1).
func camel(key []byte) []byte {
	if bytes.IndexByte(key, '_') < 0 {
		return key
	}
	out, up := make([]byte, 0, len(key)), false
	for _, c := range key {
		switch {
		case c == '_' && len(out) > 0:
			up = true
			continue
		case up && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		out = append(out, c)
	}
	return out
}
