package attribution_test

import (
	"strings"
	"testing"

	"github.com/spanwire/spanwire/attribution"
	"github.com/spanwire/spanwire/llm"
)

func TestContentMode(t *testing.T) {
	const full, metadata, off = llm.ContentFull, llm.ContentMetadata, llm.ContentOff
	check := func(want, all, team, key llm.ContentMode, wish string) {
		t.Helper()
		cfg := attribution.Config{
			Content: all,
			Teams:   map[string]attribution.Team{"a": {Content: team}, "b": {Content: off}},
			Keys:    map[string]attribution.Key{fingerprint("k")[:12]: {Team: "a", Content: key}},
		}
		lines := []string{"x-api-key: k"}
		if wish != "" {
			lines = append(lines, "x-spanwire-content: "+wish)
		}
		if c := attribute(cfg, request(lines...)); c.Content != want {
			t.Errorf("all %q, team %q, key %q, wish %q: got %q, want %q", all, team, key, wish, c.Content, want)
		}
	}
	check(full, "", "", "", "")
	check(metadata, metadata, "", "", "")
	check(full, metadata, full, "", "")
	check(off, metadata, off, "", "")
	check(metadata, full, off, metadata, "")
	// A caller may only lower it.
	check(metadata, full, "", "", "metadata")
	check(off, full, "", "", "OFF")
	check(off, metadata, "", "", "off")
	check(metadata, metadata, "", "", "full")
	check(off, full, off, "", "metadata")
	check(off, full, "", "", "none of it")
	// A configuration that Validate refuses keeps rather too little.
	check(off, "ful", "", "", "")

	c := attribute(attribution.Config{}, request("x-spanwire-content: off", "x-spanwire-content: metadata"))
	if c.Content != off {
		t.Errorf("of two wishes the stricter counts, got %q", c.Content)
	}
	c = attribute(attribution.Config{Teams: map[string]attribution.Team{"b": {Content: off}}}, request("x-spanwire-team: b"))
	if c.Content != off {
		t.Errorf("a team that a header names: %q", c.Content)
	}
}

func TestConfigIsValidated(t *testing.T) {
	good := attribution.Config{
		Content: llm.ContentMetadata,
		Teams:   map[string]attribution.Team{"a": {Content: llm.ContentOff}, "b": {}},
		Keys: map[string]attribution.Key{
			"0123456789ab": {Team: "a"}, "ABCDEF0123456789": {User: "u"}, fingerprint("x"): {Content: llm.ContentOff, AllowOverride: true},
		},
		StripHeaders: []string{"baggage", "X-Corp-*"}, KeepHeaders: []string{"helicone-*"},
	}
	for _, c := range []attribution.Config{good, {}, attribution.DefaultConfig()} {
		if err := c.Validate(); err != nil {
			t.Errorf("refused: %v", err)
		}
	}
	check := func(want string, c attribution.Config) {
		t.Helper()
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
	keys := func(f string, k attribution.Key) attribution.Config {
		return attribution.Config{Keys: map[string]attribution.Key{f: k}}
	}
	check(`content: "some" is none of full, metadata, off`, attribution.Config{Content: "some"})
	check("teams: a: content: ", attribution.Config{Teams: map[string]attribution.Team{"a": {Content: "some"}}})
	check("a name is empty", attribution.Config{Teams: map[string]attribution.Team{"": {}}})
	check("no fingerprint", keys("0123456789a", attribution.Key{Team: "a"}))
	check("no fingerprint", keys("0123456789ag", attribution.Key{Team: "a"}))
	check("no fingerprint", keys(strings.Repeat("0", 65), attribution.Key{Team: "a"}))
	check("neither team", keys("0123456789ab", attribution.Key{AllowOverride: true}))
	check("content", keys("0123456789ab", attribution.Key{Content: "x"}))
	check("twice", attribution.Config{Keys: map[string]attribution.Key{"0123456789ab": {Team: "a"}, "0123456789AB": {Team: "b"}}})
	for _, name := range []string{"", "*", "a b", "a:b", "a*b", "ä", strings.Repeat("a", 65)} {
		check("header name", attribution.Config{KeepHeaders: []string{name}})
	}
	// A key that was put where its fingerprint belongs is not shown.
	const slip = "my-secret-credential-of-forty-characters"
	if err := keys(slip, attribution.Key{Team: "a"}).Validate(); err == nil || strings.Contains(err.Error(), slip[:6]) {
		t.Errorf("got %v", err)
	}
}
