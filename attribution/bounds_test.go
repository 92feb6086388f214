package attribution_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/spanwire/spanwire/attribution"
	"github.com/spanwire/spanwire/llm"
)

func TestValuesAreCleaned(t *testing.T) {
	check := func(sent, want string) {
		t.Helper()
		if c := attribute(attribution.Config{}, request("x-spanwire-user: "+sent)); c.Attribution.User != want {
			t.Errorf("%.40q became %.40q, want %.40q", sent, c.Attribution.User, want)
		}
	}
	check("  anna  ", "anna")
	check("an\x00na\x1b[31m\x7f", "anna[31m")
	check("änna", "änna")
	check("\u0085a\u009fb", "ab")
	check("a\xffb", "a\uFFFDb")
	check(strings.Repeat("a", 300), strings.Repeat("a", 256))
	check(strings.Repeat("ä", 300), strings.Repeat("ä", 128))
	check("a"+strings.Repeat("ä", 300), "a"+strings.Repeat("ä", 127))
	check(strings.Repeat("\xff", 5000), strings.Repeat("\uFFFD", 1))
	check("\x01\x02", "")
}

func TestAnEmptyValueIsNoValue(t *testing.T) {
	c := attribute(attribution.Config{DefaultTeam: "everybody"}, request(
		"x-spanwire-team: \x01", "x-spanwire-session:  ", "x-spanwire-session: \x02", "Helicone-Session-Id: s", "x-spanwire-tags: ,,", "x-spanwire-metadata: a=,b=1"))
	a := c.Attribution
	if a.Team != "everybody" || a.Session != "s" || a.SessionSource != "helicone-session-id" || len(a.Tags) != 0 || len(a.Metadata) != 1 {
		t.Errorf("%+v", a)
	}
}

func TestCountsAreBounded(t *testing.T) {
	lines := []string{}
	for i := range 3000 {
		lines = append(lines, fmt.Sprintf("Helicone-Property-K%d: v", i), fmt.Sprintf("x-litellm-tags: t%d", i), "x-spanwire-metadata: nonsense")
	}
	lines = append(lines, "x-spanwire-team: search") // the last of all still counts first
	c := attribute(attribution.Config{}, request(lines...))
	a := c.Attribution
	if len(a.Metadata) != 64 || len(a.Tags) != 64 || len(c.Problems) > 32 || a.Team != "search" {
		t.Errorf("%d pairs, %d tags, %d problems, team %q", len(a.Metadata), len(a.Tags), len(c.Problems), a.Team)
	}
}

func FuzzAttribute(f *testing.F) {
	f.Add("x-spanwire-metadata: {\"a\":{\"b\":[1,2]}}\r\nbaggage: a=b;c,session.id=%2\r\n", "/v1?key=%zz&X-Amz-Credential=a/b", "openai.request.metadata.k", "v")
	f.Add("Authorization: AWS4-HMAC-SHA256 Credential=\r\n", "?", "anthropic.request.metadata.user_id", `{"session_id":`)
	f.Add("x-codex-turn-metadata: {\"session_id\":\"\\ud800\"}\r\nUser-Agent: /\r\n:\r\n", "", "openai.request.metadata.tags", `["a",1]`)
	cfg := attribution.Config{DefaultTeam: "t", Keys: map[string]attribution.Key{fingerprint("k")[:12]: {Team: "pinned"}}}
	f.Fuzz(func(t *testing.T, fields, target, key, value string) {
		ex := &llm.Exchange{Target: target, RequestHeader: llm.Header(fields)}
		c := attribute(cfg, ex, llm.Attr{Key: key, Value: value})
		a := c.Attribution
		text := func(s string, most int) {
			if len(s) > most || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || s != strings.TrimSpace(s) {
				t.Errorf("kept %q", s)
			}
		}
		for _, s := range append(a.Tags, a.Team, a.User, a.Session, a.SessionSource, a.Agent) {
			text(s, 256)
		}
		for _, m := range a.Metadata {
			text(m.Key, 256)
			text(m.Value.(string), 1024)
		}
		if len(a.Tags) > 64 || len(a.Metadata) > 64 || len(a.Key) != 12 && a.Key != "" || a.Team == "" || (a.Session == "") != (a.SessionSource == "") {
			t.Errorf("%+v", a)
		}
		// A pinned key holds, whatever else was sent.
		ex.RequestHeader = llm.Header("x-api-key: k\r\n" + fields)
		if c := attribute(cfg, ex); c.Attribution.Team != "pinned" {
			t.Errorf("team %q", c.Attribution.Team)
		}
	})
}
