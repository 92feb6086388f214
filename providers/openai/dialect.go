package openai

import (
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Dialect is the wire format. It has no state: one value serves all goroutines.
type Dialect struct{}

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
