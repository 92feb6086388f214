package providers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/providers"
)

func table(t testing.TB, entries ...providers.Entry) *providers.Table {
	t.Helper()
	tab, err := providers.New(entries, "openai")
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestRoute(t *testing.T) {
	tab := table(t,
		providers.Entry{Name: "azure", BaseURL: "https://mine.openai.azure.com"},
		providers.Entry{Name: "azure-ai", BaseURL: "https://mine.services.ai.azure.com"},
		providers.Entry{Name: "bedrock", BaseURL: "https://bedrock-runtime.eu-central-1.amazonaws.com"},
		providers.Entry{Name: "snowflake", BaseURL: "https://acme.snowflakecomputing.com"},
		providers.Entry{Name: "watsonx", BaseURL: "https://eu-de.ml.cloud.ibm.com"},
		providers.Entry{Name: "inner", BaseURL: "http://10.0.0.7:9000/team/llm/"},
	)
	f := func(target, row, want string) {
		t.Helper()
		r, got, err := tab.Route("POST", target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			return
		}
		if r.Name != row || got != want {
			t.Errorf("%s: went to %s %s, want %s %s", target, r.Name, got, row, want)
		}
	}
	same := func(target, row string) { t.Helper(); f(target, row, target) }

	// The first segment names the provider, what follows is the path there.
	f("/groq/openai/v1/chat/completions", "groq", "/openai/v1/chat/completions")
	f("/openai/v1/chat/completions", "openai", "/v1/chat/completions")
	f("/deepseek/chat/completions", "deepseek", "/chat/completions")
	f("/gemini/v1beta/models/m:generateContent?alt=sse", "gemini", "/v1beta/models/m:generateContent?alt=sse")
	f("/azure/openai/deployments/d/chat/completions?api-version=1", "azure", "/openai/deployments/d/chat/completions?api-version=1")
	f("/ollama/api/chat", "ollama", "/api/chat")
	f("/huggingface/hyperbolic/v1/chat/completions", "huggingface", "/hyperbolic/v1/chat/completions")
	f("/groq", "groq", "/")
	f("/groq?x=1", "groq", "/?x=1")
	f("/groq/", "groq", "/")
	f("/groq//v1/", "groq", "//v1/")
	// A prefix of the base URL comes before it.
	f("/inner/v1/chat/completions", "inner", "/team/llm/v1/chat/completions")
	f("/inner", "inner", "/team/llm/")

	// Without a name the shape decides (wire reference, section 2).
	same("/v1/messages", "anthropic")
	same("/v1/messages?beta=true", "anthropic")
	same("/v1/messages/count_tokens", "anthropic")
	same("/v1/messages/batches/msgbatch_1/results", "anthropic")
	same("/v1/complete", "anthropic")
	same("/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", "gemini")
	same("/v1/models/gemini-2.5-pro:generateContent", "gemini")
	same("/v1beta/openai/chat/completions", "gemini")
	same("/v1/projects/p/locations/l/publishers/google/models/m:generateContent", "vertex")
	same("/v1beta1/projects/p/locations/l/endpoints/openapi/chat/completions", "vertex")
	same("/model/us.anthropic.claude%3A0/converse-stream", "bedrock")
	same("/openai/deployments/d/chat/completions?api-version=2024-10-21", "azure")
	same("/models/chat/completions?api-version=2024-05-01-preview", "azure-ai")
	same("/api/chat", "ollama")
	same("/api/generate", "ollama")
	same("/api/embeddings", "ollama")
	same("/api/v1/chat/completions", "openrouter")
	same("/api/paas/v4/chat/completions", "zai")
	same("/api/v2/cortex/v1/chat/completions", "snowflake")
	same("/compatible-mode/v1/chat/completions", "alibaba")
	same("/inference/v1/chat/completions", "fireworks")
	same("/v2/chat", "cohere")
	same("/v1/chat", "cohere")
	same("/v2/embed", "cohere")
	same("/v1/rerank", "cohere")
	same("/v1/predictions/1", "replicate")
	same("/ml/v1/text/generation?version=1", "watsonx")
	// Everything else is for the default.
	same("/v1/chat/completions", "openai")
	same("/v1/completions", "openai")
	same("/v1/embeddings", "openai")
	same("/v1/models", "openai")
	same("/v1/models/gpt-4o", "openai")
	same("/v1/messagesque", "openai")
	same("/v1/responses/resp_1?stream=true", "openai")
	same("/chat/completions", "openai")
	same("/", "openai")
	same("//openai/v1", "openai")
	same("/nobody/chat", "openai")
	same("/v1/v1", "openai")

	// Nothing is unescaped, cleaned or resolved.
	f("/openai/../groq/v1/x", "openai", "/../groq/v1/x")
	f("/openai/%2e%2e/%2Fgroq/v1/x?a=%20b+c&d=é&&", "openai", "/%2e%2e/%2Fgroq/v1/x?a=%20b+c&d=é&&")
	same("/v1/x?y=/groq/z", "openai")
}

func TestRouteErrors(t *testing.T) {
	f := func(tab *providers.Table, target string, want error, says string) {
		t.Helper()
		if _, _, err := tab.Route("POST", target); !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %v with %q", target, err, want, says)
		}
	}
	tab := table(t)
	f(tab, "", providers.ErrTarget, "")
	f(tab, "*", providers.ErrTarget, "")
	f(tab, "https://api.openai.com/v1/models", providers.ErrTarget, "")
	// A host with a name of the user's own has to be configured.
	f(tab, "/azure/openai/v1/responses", providers.ErrNeedsBase, "https://{resource}.openai.azure.com")
	f(tab, "/openai/deployments/d/chat/completions", providers.ErrNeedsBase, "azure")
	f(tab, "/model/m/converse", providers.ErrNeedsBase, "bedrock-runtime.{region}.amazonaws.com")
	f(tab, "/snowflake/api/v2/cortex/v1/chat/completions", providers.ErrNeedsBase, "{account}")
	none, err := providers.New(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	f(none, "/v1/chat/completions", providers.ErrNoRoute, "")
	if _, _, err := none.Route("POST", "/openai/v1/models"); err != nil {
		t.Errorf("a name needs no default: %v", err)
	}
}

// A name that is no provider's does not lead to the default one, which would get the key
// of another vendor.
func TestMisnamed(t *testing.T) {
	key := "sk-" + strings.Repeat("s3cr3t", 8)
	for target, says := range map[string]string{
		"/groqq/openai/v1/chat/completions": `no provider "groqq", did you mean "groq"?`,
		"/Groq/openai/v1/chat/completions":  `did you mean "groq"?`,
		"/antropic/v1/messages?beta=true":   `did you mean "anthropic"?`,
		"/mine/v1/models":                   `no provider "mine"; a path begins with`,
		"/somebody-else/v1/models":          `no provider "somebody-else"; a path begins with`,
		"/gr%6fq/v1/x":                      "no provider's name",
		"//openai/v1/x":                     "no provider's name",
		"/" + key + "/v1/x":                 "no provider's name",
		"/v1/v1/messages":                   "leave /v1 off the base URL",
		"/v1/v1beta/models/m":               "leave /v1 off the base URL",
	} {
		row, _, err := table(t).Route("POST", target)
		if !errors.Is(err, providers.ErrNoRoute) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v, %v, want %q", target, row, err, says)
		}
		// At an address of the user's own, paths are its own.
		row, got, err := table(t, providers.Entry{Name: "openai", BaseURL: "http://10.0.0.7:9000"}).Route("POST", target)
		if err != nil || row.Name != "openai" || got != target {
			t.Errorf("%s: %v, %q, %v", target, row, got, err)
		}
	}
}

// Every built-in row is reached by its name, or says what it needs.
func TestEveryRowIsReachable(t *testing.T) {
	tab := table(t)
	for _, row := range tab.Rows() {
		got, target, err := tab.Route("POST", "/"+row.Name+"/a/b?c")
		if row.Scheme == "" {
			if !errors.Is(err, providers.ErrNeedsBase) {
				t.Errorf("%s: %v", row.Name, err)
			}
			continue
		}
		if err != nil || got != row || target != "/a/b?c" {
			t.Errorf("%s: %v %q %v", row.Name, got, target, err)
		}
		if row.Host == "" || row.Port == 0 || row.Provider == "" || row.Prefix != "" {
			t.Errorf("%s is not complete: %+v", row.Name, row)
		}
		if row.Scheme == "http" != (row.Host == "localhost") {
			t.Errorf("%s: %s://%s", row.Name, row.Scheme, row.Host)
		}
	}
}

func TestUsageIsAskedOfOpenAIAndAzureOnly(t *testing.T) {
	var ask []string
	for _, row := range table(t).Rows() {
		if row.Usage == providers.UsageAsk {
			ask = append(ask, row.Name)
		}
	}
	if !slices.Equal(ask, []string{"azure", "openai"}) {
		t.Errorf("asked: %v", ask)
	}
}

func TestRouteDoesNotAllocate(t *testing.T) {
	tab := table(t)
	for _, target := range []string{"/v1/chat/completions", "/groq/openai/v1/chat/completions?x=1", "/v1/messages"} {
		n := testing.AllocsPerRun(100, func() {
			if _, _, err := tab.Route("POST", target); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", target, n)
		}
	}
}

func FuzzRoute(f *testing.F) {
	for _, s := range []string{"/v1/chat/completions", "/groq/x?y", "/inner/a", "/openai/../x", "*", "/", "/%2f", "/openai/deployments/"} {
		f.Add(s)
	}
	tab := table(f, providers.Entry{Name: "inner", BaseURL: "http://h/p"})
	f.Fuzz(func(t *testing.T, target string) {
		row, got, err := tab.Route("GET", target)
		if err != nil {
			return
		}
		if got == "" || got[0] != '/' {
			t.Fatalf("%q: upstream target %q", target, got)
		}
		rest := strings.TrimPrefix(got, row.Prefix)
		if !strings.HasSuffix(target, rest) && !strings.HasSuffix("/"+strings.TrimPrefix(target, "/"+row.Name), rest) {
			t.Fatalf("%q became %q", target, got)
		}
	})
}

// What is configured for a part of a host, a key above all, is not for the rest of it.
func TestPathsStayBelowTheirBase(t *testing.T) {
	tab := table(t, providers.Entry{Name: "inner", BaseURL: "http://10.0.0.7:9000/team/llm"}, providers.Entry{Name: "whole", BaseURL: "http://10.0.0.7:9000"})
	for _, path := range []string{
		"/..", "/../", "/../x", "/../../admin", "/v1/../../admin", "/./../admin", "//../admin", "/v1//../../admin",
		"/%2e%2e/admin", "/.%2E/admin", "/..%2fadmin", "/..%5cadmin", "/..\\admin", "/v1\\..\\..\\admin", "/..;x=1/admin", "/..%3bx/admin", "/..?x", "/..#x",
	} {
		if _, got, err := tab.Route("GET", "/inner"+path); !errors.Is(err, providers.ErrClimbs) {
			t.Errorf("%s went to %s: %v", path, got, err)
		}
		if _, got, err := tab.Route("GET", "/whole"+path); err != nil || got != path {
			t.Errorf("%s went to %s: %v: there is nothing above it", path, got, err)
		}
	}
	for _, path := range []string{"/v1/../v2", "/...", "/..x", "/x..", "/v1/models/a%2fb", "/v1?x=/../..", "/v1/%252e%252e/x", "/v1/a..b/c", "/a/b/../../c", "/%2", "/%"} {
		if _, got, err := tab.Route("GET", "/inner"+path); err != nil || got != "/team/llm"+path {
			t.Errorf("%s went to %s: %v", path, got, err)
		}
	}
}
