package attribution_test

import (
	"encoding/json"
	"slices"
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

// Where a browser puts a credential: a WebSocket has no other header for it.
func TestCredentialsOfBrowsers(t *testing.T) {
	f := func(line string, want ...string) {
		t.Helper()
		if got := attribution.Credentials(head(line), "/v1/realtime"); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
	f("Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.ab-1.c_2, openai-beta.realtime-v1", "ab-1.c_2")
	f("sec-websocket-protocol:openai-insecure-api-key.k1,openai-organization.org-1,openai-project.proj-1", "k1")
	f("Sec-WebSocket-Protocol: token, 0123abcd", "0123abcd")
	f("Sec-WebSocket-Protocol: v1, Bearer, t.o.k", "t.o.k")
	f("Sec-WebSocket-Protocol: realtime, graphql-ws, openai-beta.realtime-v1")
	f("Sec-WebSocket-Protocol: token")
	f("Sec-WebSocket-Protocol: openai-insecure-api-key., ,")

	f("Cookie: session=plain-1; theme=dark; connect.sid=s%3Aab.c; __cf_bm=x.1-1.0", "plain-1", "s%3Aab.c", "s:ab.c", "x.1-1.0")
	f(`Cookie: a="Zq8Wm3Xr5Tn7"; b=0af7651916cd43dd8448; c=s3cr3t-pudding`, "Zq8Wm3Xr5Tn7", "0af7651916cd43dd8448", "s3cr3t-pudding")
	f("Cookie: model=gpt-4o-mini-2024-07-18; also=claude-3-5-sonnet-20241022; and=Meta-Llama-3.1-8B-Instruct; x=mixtral-8x7b; since=2026-11-21T09:30:00Z; lang=en-US; n=12345678901234567890123; =; ;")
	f("Cookie: "+strings.Repeat("session=a;", 10_000), slices.Repeat([]string{"a"}, 32)...)
	f("Sec-WebSocket-Protocol: "+strings.Repeat("token.a,", 10_000), slices.Repeat([]string{"a"}, 32)...)

	// The key of a WebSocket tells whose call it is, a cookie does not.
	ex := request("Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.mine", "Cookie: session=abc")
	if c := attribute(attribution.Config{Keys: map[string]attribution.Key{fingerprint("mine")[:12]: {Team: "web"}}}, ex); c.Attribution.Key != fingerprint("mine")[:12] || c.Attribution.Team != "web" {
		t.Errorf("%+v", c.Attribution)
	}
	if c := attribute(attribution.Config{}, request("Cookie: session=abc; api_key=abc")); c.Attribution.Key != "" {
		t.Errorf("%+v", c.Attribution)
	}
}

// However a header of a browser is made, its values are pieces of it.
func FuzzCredentials(f *testing.F) {
	f.Add("realtime, openai-insecure-api-key.ab, token, x", "session=a%20b; c=\"d\"")
	f.Fuzz(func(t *testing.T, protocols, cookies string) {
		if strings.ContainsAny(protocols+cookies, "\r\n") {
			return
		}
		for _, c := range attribution.Credentials(head("Sec-WebSocket-Protocol: "+protocols), "/") {
			if c == "" || !strings.Contains(protocols, c) {
				t.Fatalf("%q in %q", c, protocols)
			}
		}
		if n := len(attribution.Credentials(head("Cookie: "+cookies), "/")); n > 64 {
			t.Fatalf("%d of %q", n, cookies)
		}
	})
}
