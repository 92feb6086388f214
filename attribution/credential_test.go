package attribution_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/attribution"
	"github.com/spanwire/spanwire/llm"
)

func TestCredentialInTheTarget(t *testing.T) {
	check := func(target, credential string) {
		t.Helper()
		ex := request()
		ex.Target = target
		want := ""
		if credential != "" {
			want = fingerprint(credential)[:12]
		}
		if c := attribute(attribution.Config{}, ex); c.Attribution.Key != want {
			t.Errorf("%s: fingerprint %q, want that of %q", target, c.Attribution.Key, credential)
		}
	}
	check("/v1beta/models?key=abc", "abc")
	check("/v1beta/models?alt=sse&key=a%2Bb&x=1", "a+b")
	check("/v1beta/models?key=%zz", "%zz")
	check("/v1beta/models?monkey=abc", "")
	check("/v1beta/models?key=", "")
	check("/v1beta/models", "")
	check("/key=abc", "")
	check("/model/m/invoke?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261121%2Fus-east-1%2Fbedrock%2Faws4_request&X-Amz-Signature=ff", "AKID")
}

// The credential of the provider counts before that of a gateway.
func TestWhichCredentialCounts(t *testing.T) {
	ex := request("x-litellm-api-key: gateway", "Helicone-Auth: Bearer helicone", "x-api-key: two", "Authorization: Bearer one")
	ex.Target = "/?key=three"
	for i, want := range []string{"one", "two", "three", "helicone", "gateway"} {
		if c := attribute(attribution.Config{}, ex); c.Attribution.Key != fingerprint(want)[:12] {
			t.Errorf("%d: not the fingerprint of %q", i, want)
		}
		switch want {
		case "one":
			ex.RequestHeader = head("x-litellm-api-key: gateway", "Helicone-Auth: Bearer helicone", "x-api-key: two")
		case "two":
			ex.RequestHeader = head("x-litellm-api-key: gateway", "Helicone-Auth: Bearer helicone")
		case "three":
			ex.Target = "/"
		case "helicone":
			ex.RequestHeader = head("x-litellm-api-key: gateway")
		}
	}
}

func TestMappedKeyHoldsAgainstEverything(t *testing.T) {
	cfg := attribution.Config{DefaultTeam: "everybody", Keys: map[string]attribution.Key{
		fingerprint("pinned")[:12]:                     {Team: "search", User: "robot"},
		strings.ToUpper(fingerprint("open")[:20]):      {Team: "ops", User: "bot", AllowOverride: true},
		fingerprint("user-only"):                       {User: "robot"},
		fingerprint("pinned")[:11] + "x":               {Team: "never"},
		fingerprint("somebody-elses")[:11] + "0" + "0": {Team: "never"},
	}}
	check := func(team, user string, ex *llm.Exchange, body ...llm.Attr) {
		t.Helper()
		if a := attribute(cfg, ex, body...).Attribution; a.Team != team || a.User != user {
			t.Errorf("%s: team %q, user %q, want %q and %q", ex.RequestHeader, a.Team, a.User, team, user)
		}
	}
	others := []string{"x-spanwire-team: them", "x-spanwire-user: me", "Helicone-Property-Team: them", "baggage: team=them,user.id=me"}
	body := llm.Attr{Key: "openai.request.user", Value: "me"}
	with := func(lines ...string) *llm.Exchange { return request(append(lines, others...)...) }

	check("search", "robot", request("Authorization: Bearer pinned"))
	check("search", "robot", with("Authorization: Bearer pinned"), body)
	// A second credential does not hide the first.
	check("search", "robot", with("Authorization: Bearer junk", "x-api-key: pinned"))
	check("search", "robot", with("Authorization: Bearer junk", "Authorization: Bearer pinned"))
	check("search", "robot", with("Authorization: Bearer pinned", "x-api-key: open"))
	check("search", "robot", with("x-litellm-api-key: pinned", "Authorization: Bearer junk"))
	// One that allows it comes last, but for the default.
	check("them", "me", with("Authorization: Bearer open"), body)
	check("ops", "bot", request("Authorization: Bearer open"))
	check("they", "bot", request("Authorization: Bearer open", "baggage: team=they"))
	// One that says only the user leaves the team to others.
	check("them", "robot", with("x-api-key: user-only"), body)
	// A prefix that is longer than what matches does not match.
	check("everybody", "", request("x-api-key: somebody-elses"))
	check("everybody", "", request("x-api-key: nobody's"))
}

func TestTheLongestFingerprintCounts(t *testing.T) {
	f := fingerprint("k")
	cfg := attribution.Config{Keys: map[string]attribution.Key{f[:12]: {Team: "short"}, f: {Team: "all"}, f[:30]: {Team: "long"}}}
	if c := attribute(cfg, request("x-api-key: k")); c.Attribution.Team != "all" || c.Attribution.Key != f[:12] {
		t.Errorf("%+v", c.Attribution)
	}
}

// No header for credentials and no place in the target leaves the credential in the call.
func TestCredentialsStayInside(t *testing.T) {
	const secret = "very-secret-credential"
	var lines []string
	for _, name := range attribution.HeaderNames() {
		switch name {
		case "authorization", "helicone-auth", "cf-aig-authorization":
			lines = append(lines, name+": Bearer "+secret)
		case "x-api-key", "api-key", "x-goog-api-key", "x-portkey-api-key", "x-litellm-api-key", "x-bf-vk", "x-bf-api-key":
			lines = append(lines, name+": "+secret)
		}
	}
	lines = append(lines, "Cookie: a="+secret, "X-Amz-Security-Token: "+secret, "x-portkey-virtual-key: "+secret, "Proxy-Authorization: Basic "+secret)
	if len(lines) != 14 {
		t.Fatalf("%d header lines", len(lines))
	}
	ex := request(lines...)
	ex.Target = "/v1?key=" + secret
	c := attribute(attribution.Config{}, ex)
	text, err := json.Marshal(c)
	if err != nil || strings.Contains(string(text), secret) || c.Attribution.Key == "" {
		t.Errorf("%s (%v)", text, err)
	}
}
