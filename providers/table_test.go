package providers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/providers"
)

func row(t *testing.T, e providers.Entry) *providers.Row {
	t.Helper()
	return table(t, e).Row(e.Name)
}

func fieldsOf(r *providers.Row) (set []string) {
	for _, f := range r.Set {
		set = append(set, f.Name+": "+f.Value)
	}
	return set
}

func TestKeyIsSentAsTheVendorTakesIt(t *testing.T) {
	f := func(e providers.Entry, want string, drop ...string) {
		t.Helper()
		r := row(t, e)
		if got := fieldsOf(r); !slices.Equal(got, []string{want}) {
			t.Errorf("%s sets %v, want %s", e.Name, got, want)
		}
		if !slices.Equal(r.Drop, drop) {
			t.Errorf("%s drops %v, want %v", e.Name, r.Drop, drop)
		}
	}
	f(providers.Entry{Name: "openai", APIKey: "k1"}, "Authorization: Bearer k1", "x-api-key", "api-key", "x-goog-api-key")
	f(providers.Entry{Name: "anthropic", APIKey: "k2"}, "x-api-key: k2", "authorization", "api-key", "x-goog-api-key")
	f(providers.Entry{Name: "azure", APIKey: "k3", BaseURL: "https://r.openai.azure.com"}, "api-key: k3", "authorization", "x-api-key", "x-goog-api-key")
	f(providers.Entry{Name: "gemini", APIKey: "k4"}, "x-goog-api-key: k4", "authorization", "x-api-key", "api-key")
	// Tokens go as such, wherever the vendor's own keys go.
	f(providers.Entry{Name: "azure", APIKey: "eyJ", Bearer: true, BaseURL: "https://r.openai.azure.com"}, "Authorization: Bearer eyJ", "x-api-key", "api-key", "x-goog-api-key")
	f(providers.Entry{Name: "gemini", APIKey: "ya29", Bearer: true}, "Authorization: Bearer ya29", "x-api-key", "api-key", "x-goog-api-key")
	f(providers.Entry{Name: "vertex", APIKey: "ya29"}, "Authorization: Bearer ya29", "x-api-key", "api-key", "x-goog-api-key")
	// A header of the user's own takes the key's place.
	f(providers.Entry{Name: "groq", APIKey: "k", Headers: map[string]string{"authorization": "Custom x"}}, "authorization: Custom x", "x-api-key", "api-key", "x-goog-api-key")
	// Without a key the caller's passes.
	if r := row(t, providers.Entry{Name: "openai", Headers: map[string]string{"X-B": "2", "X-A": "1"}}); len(r.Drop) != 0 || !slices.Equal(fieldsOf(r), []string{"X-A: 1", "X-B: 2"}) {
		t.Errorf("%v %v", r.Set, r.Drop)
	}
}

// A caller's key in the query must not travel beside a configured one.
func TestQueryKeyGivesWayToAConfiguredOne(t *testing.T) {
	f := func(key, target, want string) {
		t.Helper()
		_, got, err := table(t, providers.Entry{Name: "gemini", APIKey: key}).Route("POST", target)
		if err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", target, got, err, want)
		}
	}
	f("k", "/v1beta/models/m:x?key=AIza&alt=sse", "/v1beta/models/m:x?alt=sse")
	f("k", "/gemini/v1beta/models/m:x?key=AIza", "/v1beta/models/m:x")
	f("k", "/v1beta/models/m:x?monkey=1", "/v1beta/models/m:x?monkey=1")
	f("", "/v1beta/models/m:x?key=AIza&alt=sse", "/v1beta/models/m:x?key=AIza&alt=sse")
}

func TestEntryOverridesAndAdds(t *testing.T) {
	r := row(t, providers.Entry{Name: "openai", BaseURL: "http://127.0.0.1:9/v9/", Usage: "count"})
	if r.Scheme != "http" || r.Host != "127.0.0.1" || r.Port != 9 || r.Prefix != "/v9" || r.Usage != providers.UsageCount || r.Provider != "openai" {
		t.Errorf("%+v", r)
	}
	// A host that is known makes it that vendor, whatever it is called here.
	r = row(t, providers.Entry{Name: "emea", BaseURL: "https://acme-emea.openai.azure.com", APIKey: "k"})
	if r.Provider != "azure.ai.openai" || r.Usage != providers.UsageAsk || r.Set[0].Name != "api-key" || r.Port != 443 {
		t.Errorf("%+v", r)
	}
	r = row(t, providers.Entry{Name: "claude", BaseURL: "https://api.anthropic.com"})
	if r.Dialect != "anthropic" || r.Provider != "anthropic" {
		t.Errorf("%+v", r)
	}
	// Any other is taken for a copy of OpenAI's API, of which nothing is asked.
	r = row(t, providers.Entry{Name: "team-vllm_2", BaseURL: "http://[::1]:8000"})
	if r.Dialect != "openai" || r.Provider != "team-vllm_2" || r.Usage != providers.UsageCount || r.Host != "::1" {
		t.Errorf("%+v", r)
	}
}

func TestBadEntriesAreRefused(t *testing.T) {
	f := func(says string, entries ...providers.Entry) {
		t.Helper()
		_, err := providers.New(entries, "openai")
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", entries, err, says)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
	f("name", providers.Entry{Name: "", BaseURL: "http://h"})
	f("name", providers.Entry{Name: "A", BaseURL: "http://h"})
	f("name", providers.Entry{Name: "a/b", BaseURL: "http://h"})
	f("two entries", providers.Entry{Name: "a", BaseURL: "http://h"}, providers.Entry{Name: "a", BaseURL: "http://h"})
	f("base_url is missing", providers.Entry{Name: "a"})
	f("http://", providers.Entry{Name: "a", BaseURL: "h:80"})
	f("host is missing", providers.Entry{Name: "a", BaseURL: "https://"})
	f("no user", providers.Entry{Name: "a", BaseURL: "https://u:hunter2@h"})
	f("not a URL", providers.Entry{Name: "a", BaseURL: "https://u:hunter2@h\x7f"})
	f("no query", providers.Entry{Name: "a", BaseURL: "https://h/?key=hunter2"})
	f("braces", providers.Entry{Name: "azure", BaseURL: "https://{resource}.openai.azure.com"})
	f("port", providers.Entry{Name: "a", BaseURL: "https://h:99999"})
	f("dialect", providers.Entry{Name: "a", BaseURL: "http://h", Dialect: "klingon"})
	f("usage", providers.Entry{Name: "a", BaseURL: "http://h", Usage: "beg"})
	f("api_key", providers.Entry{Name: "a", BaseURL: "http://h", APIKey: "hunter2\r\nX: y"})
	f("headers", providers.Entry{Name: "a", BaseURL: "http://h", Headers: map[string]string{"a b": "hunter2"}})
	f("headers", providers.Entry{Name: "a", BaseURL: "http://h", Headers: map[string]string{"a": "hunter2\n"}})
	for _, name := range []string{"Content-Length", "transfer-encoding", "Connection", "Expect"} {
		f("belongs to the connection", providers.Entry{Name: "a", BaseURL: "http://h", Headers: map[string]string{name: "1"}})
	}
	if _, err := providers.New(nil, "nobody"); err == nil {
		t.Error("a default provider that does not exist is taken")
	}
}

// The seams to the relay: what is asked, and what is taken out again.
func TestEditFollowsThePolicy(t *testing.T) {
	body := []byte(`{"model":"m","stream":true}`)
	tab := table(t, providers.Entry{Name: "mine", BaseURL: "http://h", Usage: "ask"})
	for name, want := range map[string]bool{"openai": true, "mine": true, "groq": false, "anthropic": false} {
		r := tab.Row(name)
		const target = "/v1/chat/completions"
		at, insert, cut := r.Edit("POST", target, body)
		if got := insert != ""; got != want || r.WantsBody("POST", target) != want || (cut != nil) != want || want && at != 1 {
			t.Errorf("%s: inserts %q at %d", name, insert, at)
		}
		if r.WantsBody("GET", target) || r.WantsBody("POST", "/v1/embeddings") {
			t.Errorf("%s wants bodies that hold nothing to ask for", name)
		}
	}
}

func TestErrorBodiesHaveTheShapeOfTheirDialect(t *testing.T) {
	tab := table(t)
	f := func(name, want string) {
		t.Helper()
		if got := string(tab.Row(name).Error(502, "upstream_unreachable", `no "answer"`)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	f("openai", `{"error":{"message":"no \"answer\"","type":"proxy_error","param":null,"code":"upstream_unreachable"}}`)
	f("anthropic", `{"type":"error","error":{"type":"upstream_unreachable","message":"no \"answer\""}}`)
	f("gemini", `{"error":{"code":502,"message":"no \"answer\"","status":"UPSTREAM_UNREACHABLE"}}`)
	f("ollama", `{"error":"no \"answer\""}`)
	f("bedrock", `{"message":"no \"answer\""}`)
}

// A row that is signed sends nothing of what the caller signed, and knows its
// address and what to sign for.
func TestSignedRows(t *testing.T) {
	f := func(e providers.Entry, host, service string) {
		t.Helper()
		e.Signed = true
		r := row(t, e)
		if r.Host != host || r.Service != service || r.Dialect == "" {
			t.Errorf("%s: %s, signed for %q", e.Name, r.Host, r.Service)
		}
		for _, name := range []string{"authorization", "x-api-key", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"} {
			if !slices.Contains(r.Drop, name) {
				t.Errorf("%s lets %s pass", e.Name, name)
			}
		}
	}
	f(providers.Entry{Name: "bedrock", Region: "eu-west-3"}, "bedrock-runtime.eu-west-3.amazonaws.com", "bedrock")
	f(providers.Entry{Name: "bedrock-mantle", Region: "us-west-2"}, "bedrock-mantle.us-west-2.api.aws", "bedrock-mantle")
	f(providers.Entry{Name: "bedrock", Region: "eu-west-3", BaseURL: "https://vpce-1.bedrock-runtime.eu-west-3.vpce.amazonaws.com"}, "vpce-1.bedrock-runtime.eu-west-3.vpce.amazonaws.com", "bedrock")
	f(providers.Entry{Name: "mine", BaseURL: "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"}, "bedrock-runtime.cn-north-1.amazonaws.com.cn", "bedrock")
	f(providers.Entry{Name: "mine", BaseURL: "https://bedrock-runtime.us-east-1.api.aws"}, "bedrock-runtime.us-east-1.api.aws", "bedrock")
	f(providers.Entry{Name: "other", BaseURL: "https://h.example"}, "h.example", "")
	for says, e := range map[string]providers.Entry{
		"not both":              {Name: "bedrock", Region: "x", APIKey: "k"},
		"belongs to the signat": {Name: "bedrock", Region: "x", Headers: map[string]string{"X-Amz-Date": "d"}},
	} {
		e.Signed = true
		if _, err := providers.New([]providers.Entry{e}, ""); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

// A signature in the query must not travel beside the one that is made.
func TestPresignedQueryGivesWay(t *testing.T) {
	f := func(signed bool, target, want string) {
		t.Helper()
		_, got, err := table(t, providers.Entry{Name: "bedrock", Region: "us-east-1", Signed: signed}).Route("GET", target)
		if err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", target, got, err, want)
		}
	}
	const signature = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb&X-Amz-Date=d&X-Amz-Expires=60&X-Amz-SignedHeaders=host&x-amz-security-token=t&X-Amz-Signature=s"
	f(true, "/model/a%3A0/x?"+signature, "/model/a%3A0/x")
	f(true, "/model/a/x?b=%2F&"+signature+"&c&X-Amz-Other=1", "/model/a/x?b=%2F&c&X-Amz-Other=1")
	f(true, "/model/a/x?", "/model/a/x?")
	f(false, "/model/a/x?"+signature, "/model/a/x?"+signature)
}
