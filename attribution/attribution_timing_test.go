package attribution_test

import (
	"testing"

	"github.com/spanwire/spanwire/attribution"
	"github.com/spanwire/spanwire/llm"
)

// typical is the head that an SDK sends, 15 fields, with three of ours.
func typical() *llm.Exchange {
	return request(
		"Host: localhost:8080", "Accept-Encoding: gzip, deflate", "Connection: keep-alive", "Accept: application/json",
		"Content-Type: application/json", "User-Agent: OpenAI/Python 2.8.1", "X-Stainless-Lang: python", "X-Stainless-Package-Version: 2.8.1",
		"X-Stainless-OS: Linux", "X-Stainless-Retry-Count: 0", "Authorization: Bearer "+"0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdef",
		"Content-Length: 4711", "x-spanwire-team: search", "x-spanwire-user: u-1842", "x-spanwire-session: chat-4711",
	)
}

func BenchmarkAttribute(b *testing.B) {
	a := attribution.New(attribution.Config{Keys: map[string]attribution.Key{fingerprint("x")[:12]: {Team: "x"}}})
	ex := typical()
	attrs := make([]llm.Attr, 20, 24)
	for i := range attrs {
		attrs[i] = llm.Attr{Key: "gen_ai.request.something", Value: "v"}
	}
	b.ReportAllocs()
	for b.Loop() {
		a.Attribute(&llm.Call{Attrs: attrs}, ex)
	}
}

func BenchmarkDirective(b *testing.B) {
	a := attribution.New(attribution.Config{})
	var names [][]byte
	for name := range typical().RequestHeader.All() {
		names = append(names, []byte(name))
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range names {
			a.Directive(name)
		}
	}
}
