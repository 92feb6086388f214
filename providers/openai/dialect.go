package openai

import "strings"

// Dialect is the wire format. It has no state: one value serves all goroutines.
type Dialect struct{}

func pathOf(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return path
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
