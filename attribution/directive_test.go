package attribution_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/attribution"
	"github.com/spanwire/spanwire/llm"
)

func TestDirectiveIsConfigurable(t *testing.T) {
	a := attribution.New(attribution.Config{
		StripHeaders: []string{"Baggage", "X-Corp-", "X-Corp-*", "x-spanwire-kept"},
		KeepHeaders:  []string{"Helicone-*", "x-corp-id", "x-spanwire-*", "cf-aig-authorization"},
	})
	for name, want := range map[string]bool{
		"baggage": true, "BAGGAGE": true, "baggages": false, "x-corp-team": true, "X-CORP-ID": false, "x-corp-id2": true,
		"helicone-auth": false, "Helicone-Property-X": false, "x-portkey-config": true,
		"cf-aig-authorization": false, "cf-aig-metadata": true,
		"x-spanwire-team": true, "X-SPANWIRE-anything": true, "x-spanwire-": true, "x-spanwire": false,
		"": false, "traceparent": false, "x-stainless-retry-count": false, "content-type": false,
		"x-portkey-" + strings.Repeat("a", 500): true, "x-" + strings.Repeat("a", 500): false,
	} {
		if got := a.Directive([]byte(name)); got != want {
			t.Errorf("%.40q: %v, want %v", name, got, want)
		}
	}
}

func TestDirectiveDoesNotAllocate(t *testing.T) {
	a := attribution.New(attribution.Config{StripHeaders: []string{"baggage", "x-corp-*"}, KeepHeaders: []string{"helicone-auth"}})
	names := [][]byte{[]byte("Authorization"), []byte("X-Spanwire-Team"), []byte("x-portkey-config"), []byte("X-Stainless-Lang"), []byte("HELICONE-AUTH"), []byte("x-corp-a")}
	if n := testing.AllocsPerRun(100, func() {
		for _, name := range names {
			a.Directive(name)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The page that users read has every row of the table, and each of its rows is
// true: what a header is read as, and whether it is sent on.
func TestTheDocumentationIsTrue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "attribution.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| family | header |")
	if !ok {
		t.Fatal("the table of headers is not there")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	code := regexp.MustCompile("`([^`]+)`")
	documented := make(map[string]bool)
	for _, line := range strings.Split(table, "\n")[2:] {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		for len(cells) > 3 { // the family is not repeated
			cells = cells[1:]
		}
		if len(cells) != 3 {
			t.Fatalf("row %q has %d cells", line, len(cells))
		}
		uses, sent := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])
		for _, m := range code.FindAllStringSubmatch(cells[0], -1) {
			name := m[1]
			documented[strings.ToLower(name)] = true
			checkDocumented(t, name, uses, sent)
		}
	}
	for _, name := range attribution.HeaderNames() {
		if !documented[name] {
			t.Errorf("%s is not documented", name)
		}
	}
}

func checkDocumented(t *testing.T, name, uses, sent string) {
	t.Helper()
	header := strings.Replace(name, "*", "Something", 1)
	if got := attribution.New(attribution.Config{}).Directive([]byte(header)); got != (sent == "no") || sent != "no" && sent != "yes" {
		t.Errorf("%s: sent on %q is not true", name, sent)
	}
	values := map[string]string{
		"metadata": "k=v", "omit input": "true", "omit output": "true", "retry": "3", "attempt": "attempt=4", "content": "off",
		"subprotocol credential": "realtime, openai-insecure-api-key.v", "session, attribute": `{"session_id":"v"}`, "baggage": "session.id=v", "user agent": "claude-cli/1",
	}
	value, ok := values[uses]
	if !ok {
		value = "v"
	}
	c := attribute(attribution.Config{}, request(header+": "+value))
	for use := range strings.SplitSeq(uses, ", ") {
		if !shows(c, use, header) {
			t.Errorf("%s is not read as %s: %+v %v", name, use, c.Attribution, c.Attrs)
		}
	}
}

// shows says whether a call shows that a header was read as documented.
func shows(c *llm.Call, use, header string) bool {
	a := c.Attribution
	switch use {
	case "–":
		return a.Team+a.User+a.Session+a.Agent+a.Key == "" && len(a.Tags)+len(a.Metadata)+len(c.Attrs) == 0
	case "team":
		return a.Team == "v"
	case "user":
		return a.User == "v"
	case "session":
		return a.Session == "v" && a.SessionSource == strings.ToLower(header)
	case "agent":
		return a.Agent == "v"
	case "tags":
		return len(a.Tags) == 1 && a.Tags[0] == "v"
	case "metadata":
		return pair(c, "k") == "v"
	case "metadata pair":
		return pair(c, "something") == "v"
	case "credential", "subprotocol credential":
		return a.Key == fingerprint("v")[:12]
	case "content":
		return c.Content == llm.ContentOff
	case "omit input":
		return c.OmitInput
	case "omit output":
		return c.OmitOutput
	case "retry", "attempt":
		return c.Retry == 3
	case "attribute":
		_, ok := attr(c, "http.request.header."+strings.ToLower(header)).([]string)
		return ok
	case "baggage":
		return a.Session == "v" && a.SessionSource == "baggage:session.id"
	case "user agent":
		return a.Agent == "claude-code" && attr(c, "user_agent.original") == "claude-cli/1"
	}
	return false
}
