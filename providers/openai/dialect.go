package openai

import (
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
	completions
	embeddings
)

// endpoints maps the end of a path to what it means (wire reference, section 2).
// The longest come first: chat/completions ends in completions.
var endpoints = []struct {
	suffix    string
	endpoint  endpoint
	operation string
}{
	{"/chat/completions", chat, "chat"},
	{"/completions", completions, "text_completion"},
	{"/embeddings", embeddings, "embeddings"},
}

// find returns what a request is for.
func find(method, target string) (endpoint, string) {
	if method != "POST" {
		return other, ""
	}
	path := strings.TrimSuffix(pathOf(target), "/")
	for _, e := range endpoints {
		if strings.HasSuffix(path, e.suffix) {
			return e.endpoint, e.operation
		}
	}
	return other, ""
}

func pathOf(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return path
}

// target is what the provider was asked; before an exchange got that far, what
// the caller asked.
func target(x *llm.Exchange) string {
	if x.UpstreamTarget != "" {
		return x.UpstreamTarget
	}
	return x.Target
}

// deployment returns the name after /deployments/ in an Azure path, "" when
// there is none (wire reference, section 2).
func deployment(path string) string {
	_, rest, ok := strings.Cut(path, "/deployments/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}
