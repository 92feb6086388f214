package attribution_test

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/attribution"
	"github.com/spanwire/spanwire/llm"
)

// head makes a header of lines "Name: value".
func head(lines ...string) llm.Header {
	return llm.Header(strings.Join(lines, "\r\n") + "\r\n")
}

// request is an exchange with these header lines.
func request(lines ...string) *llm.Exchange {
	return &llm.Exchange{Target: "/v1/chat/completions", RequestHeader: head(lines...)}
}

func attribute(cfg attribution.Config, ex *llm.Exchange, body ...llm.Attr) *llm.Call {
	c := &llm.Call{Attrs: body}
	attribution.New(cfg).Attribute(c, ex)
	return c
}

func fingerprint(credential string) string {
	sum := sha256.Sum256([]byte(credential))
	return hex.EncodeToString(sum[:])
}

func attr(c *llm.Call, key string) any {
	for _, a := range c.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

func pair(c *llm.Call, key string) any {
	for _, a := range c.Attribution.Metadata {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

// Without a word of the caller nothing is known, and nothing is invented.
func TestNothingIsInvented(t *testing.T) {
	c := attribute(attribution.DefaultConfig(), request("Host: api.openai.com", "User-Agent: OpenAI/Python 1.99.0", "Content-Type: application/json"))
	if !reflect.DeepEqual(c.Attribution, llm.Attribution{}) || c.Retry != 0 || c.Problems != nil || c.OmitInput || c.OmitOutput {
		t.Errorf("%+v", c)
	}
	if c.Content != llm.ContentFull || attr(c, "user_agent.original") != "OpenAI/Python 1.99.0" {
		t.Errorf("content %q, attributes %v", c.Content, c.Attrs)
	}
}

// One header of the reference, what it is to do, and whether it is sent on.
func TestEveryFamily(t *testing.T) {
	is := func(header string, stripped bool, check func(*llm.Call) bool) {
		t.Helper()
		for _, line := range []string{header, strings.ToLower(header[:strings.IndexByte(header, ':')]) + header[strings.IndexByte(header, ':'):]} {
			c := attribute(attribution.Config{}, request("Host: h", line, "Accept: */*"))
			if !check(c) {
				t.Errorf("%s: got %+v, %v", line, c.Attribution, c.Attrs)
			}
			if len(c.Problems) > 0 {
				t.Errorf("%s: %q", line, c.Problems)
			}
		}
		name, _, _ := strings.Cut(header, ":")
		if got := attribution.New(attribution.Config{}).Directive([]byte(name)); got != stripped {
			t.Errorf("%s: directive %v, want %v", name, got, stripped)
		}
	}
	user := func(want string) func(*llm.Call) bool {
		return func(c *llm.Call) bool { return c.Attribution.User == want }
	}
	agent := func(want string) func(*llm.Call) bool {
		return func(c *llm.Call) bool { return c.Attribution.Agent == want }
	}
	session := func(want, source string) func(*llm.Call) bool {
		return func(c *llm.Call) bool {
			return c.Attribution.Session == want && c.Attribution.SessionSource == source
		}
	}
	meta := func(kv ...string) func(*llm.Call) bool {
		return func(c *llm.Call) bool {
			for i := 0; i < len(kv); i += 2 {
				if pair(c, kv[i]) != kv[i+1] {
					return false
				}
			}
			return len(c.Attribution.Metadata) == len(kv)/2
		}
	}
	kept := func(name, want string) func(*llm.Call) bool {
		return func(c *llm.Call) bool {
			got, _ := attr(c, "http.request.header."+name).([]string)
			return slices.Equal(got, []string{want})
		}
	}
	key := func(of string) func(*llm.Call) bool {
		return func(c *llm.Call) bool { return c.Attribution.Key == fingerprint(of)[:12] }
	}
	both := func(a, b func(*llm.Call) bool) func(*llm.Call) bool {
		return func(c *llm.Call) bool { return a(c) && b(c) }
	}
	tags := func(want ...string) func(*llm.Call) bool {
		return func(c *llm.Call) bool { return slices.Equal(c.Attribution.Tags, want) }
	}
	nothing := func(c *llm.Call) bool {
		return reflect.DeepEqual(c.Attribution, llm.Attribution{}) && len(c.Attrs) == 0
	}

	// Our own.
	is("X-Spanwire-Team: search", true, func(c *llm.Call) bool { return c.Attribution.Team == "search" })
	is("X-Spanwire-User: u", true, user("u"))
	is("X-Spanwire-Session: s", true, session("s", "x-spanwire-session"))
	is("X-Spanwire-Agent: planner", true, agent("planner"))
	is("X-Spanwire-Tags: a, b,,a", true, tags("a", "b"))
	is(`X-Spanwire-Metadata: {"release":42,"flow":"signup","none":null,"deep":{"a":[1]}}`, true, meta("release", "42", "flow", "signup", "deep", `{"a":[1]}`))
	is("X-Spanwire-Metadata: release=42, flow = a=b ,", true, meta("release", "42", "flow", "a=b"))
	is("X-Spanwire-Content: off", true, func(c *llm.Call) bool { return c.Content == llm.ContentOff })
	is("X-Spanwire-Anything-Else: x", true, nothing)
	// Helicone.
	is("Helicone-Auth: Bearer hk", true, key("hk"))
	is("Helicone-User-Id: u", true, user("u"))
	is("Helicone-Property-Release: 42", true, meta("release", "42"))
	is("Helicone-Property-Team: ops", true, func(c *llm.Call) bool { return c.Attribution.Team == "ops" })
	is("Helicone-Session-Id: s", true, session("s", "helicone-session-id"))
	is("Helicone-Session-Path: /a/b", true, kept("helicone-session-path", "/a/b"))
	is("Helicone-Session-Name: n", true, kept("helicone-session-name", "n"))
	is("Helicone-Prompt-Id: p", true, kept("helicone-prompt-id", "p"))
	is("Helicone-Target-URL: https://h", true, nothing)
	is("Helicone-Omit-Request: true", true, func(c *llm.Call) bool { return c.OmitInput && !c.OmitOutput })
	is("Helicone-Omit-Response: True", true, func(c *llm.Call) bool { return c.OmitOutput && !c.OmitInput })
	is("Helicone-Omit-Request: false", true, func(c *llm.Call) bool { return !c.OmitInput })
	is("Helicone-Cache-Enabled: true", true, nothing)
	is("Helicone-RateLimit-Policy: 10;w=60", true, nothing)
	is("Helicone-Request-Id: r", true, kept("helicone-request-id", "r"))
	// Portkey.
	is("x-portkey-api-key: pk", true, key("pk"))
	is("x-portkey-provider: openai", true, nothing)
	is("x-portkey-config: c", true, nothing)
	is("x-portkey-trace-id: t", true, kept("x-portkey-trace-id", "t"))
	is(`x-portkey-metadata: {"_user":"u","env":"prod"}`, true, both(user("u"), meta("_user", "u", "env", "prod")))
	is("x-portkey-virtual-key: v", true, nothing)
	is("x-portkey-custom-host: h", true, nothing)
	is("x-portkey-request-timeout: 3", true, nothing)
	is("x-portkey-span-id: s", true, kept("x-portkey-span-id", "s"))
	is("x-portkey-parent-span-id: s", true, kept("x-portkey-parent-span-id", "s"))
	// LiteLLM.
	is("x-litellm-api-key: Bearer lk", true, key("lk"))
	is("x-litellm-trace-id: t", true, kept("x-litellm-trace-id", "t"))
	is("x-litellm-session-id: s", true, session("s", "x-litellm-session-id"))
	is("x-litellm-agent-id: a", true, agent("a"))
	is("x-litellm-tags: a,b", true, tags("a", "b"))
	is("x-litellm-customer-id: u", true, user("u"))
	is("x-litellm-end-user-id: u", true, user("u"))
	is(`x-litellm-spend-logs-metadata: {"a":"1","tags":["x","y"]}`, true, both(meta("a", "1", "tags", `["x","y"]`), tags("x", "y")))
	is("x-litellm-timeout: 3", true, nothing)
	is("X-Acme-Session-Id: abcd-1234", false, session("abcd-1234", "x-acme-session-id"))
	is("X-Acme-Session-Id: abcd 1234", false, nothing)
	is("X-Acme-Session-Id: abc1234", false, nothing)
	is("X--Session-Id: abcd-1234", false, nothing)
	// Langfuse.
	is("langfuse_trace_id: t", true, kept("langfuse_trace_id", "t"))
	is("langfuse_trace_user_id: u", true, user("u"))
	is(`langfuse_trace_metadata: {"a":"1"}`, true, meta("a", "1"))
	is("langfuse_session_id: s", true, session("s", "langfuse_session_id"))
	is("langfuse_anything: s", true, nothing)
	// Bifrost.
	is("x-bf-vk: v", true, key("v"))
	is("x-bf-api-key: v", true, key("v"))
	is("x-bf-dim-env: prod", true, meta("env", "prod"))
	is("x-bf-session-id: s", true, session("s", "x-bf-session-id"))
	is("x-bf-parent-request-id: p", true, kept("x-bf-parent-request-id", "p"))
	is("x-request-id: r", false, kept("x-request-id", "r"))
	// LangWatch.
	is("X-LangWatch-Thread-Id: s", true, session("s", "x-langwatch-thread-id"))
	is(`X-LangWatch-Metadata: {"a":"1"}`, true, meta("a", "1"))
	is("X-LangWatch-End-User-Id: u", true, user("u"))
	// Envoy, Cloudflare, TrueFoundry.
	is("agent-session-id: s", true, session("s", "agent-session-id"))
	is(`cf-aig-metadata: {"user_id":7,"b":true}`, true, both(user("7"), meta("user_id", "7", "b", "true")))
	is("cf-aig-authorization: Bearer cf", true, key("cf"))
	is("cf-aig-custom-cost: {}", true, nothing)
	is("cf-aig-request-timeout: 3", true, nothing)
	is(`X-TFY-METADATA: {"a":"1"}`, true, meta("a", "1"))
	// OpenRouter, Open WebUI.
	is("HTTP-Referer: https://app", false, kept("http-referer", "https://app"))
	is("X-Title: My App", false, agent("My App"))
	is("X-OpenRouter-Title: My App", false, agent("My App"))
	is("X-OpenWebUI-Chat-Id: s", false, session("s", "x-openwebui-chat-id"))
	is("X-OpenWebUI-User-Id: u", false, user("u"))
	// OpenCode, xAI.
	is("x-opencode-session: s", false, session("s", "x-opencode-session"))
	is("x-opencode-request: r", false, kept("x-opencode-request", "r"))
	is("x-session-affinity: s", false, session("s", "x-session-affinity"))
	is("x-grok-conv-id: s", false, session("s", "x-grok-conv-id"))
	is("X-Session-Id: s", false, session("s", "x-session-id"))
	// OpenAI, Anthropic, AWS.
	is("OpenAI-Organization: o", false, kept("openai-organization", "o"))
	is("OpenAI-Project: p", false, kept("openai-project", "p"))
	is("X-Client-Request-Id: r", false, kept("x-client-request-id", "r"))
	is("idempotency-key: k", false, kept("idempotency-key", "k"))
	is("x-stainless-lang: python", false, nothing)
	is("x-stainless-retry-count: 2", false, func(c *llm.Call) bool { return c.Retry == 2 })
	is("x-stainless-retry-count: 0", false, func(c *llm.Call) bool { return c.Retry == 0 })
	is("x-stainless-retry-count: -3", false, func(c *llm.Call) bool { return c.Retry == 0 })
	is("x-stainless-retry-count: 99999999", false, func(c *llm.Call) bool { return c.Retry == 0 })
	is("amz-sdk-request: attempt=3; max=5", false, func(c *llm.Call) bool { return c.Retry == 2 })
	is("amz-sdk-request: ttl=1; attempt=1", false, func(c *llm.Call) bool { return c.Retry == 0 })
	is("anthropic-version: 2023-06-01", false, kept("anthropic-version", "2023-06-01"))
	is("anthropic-beta: a,b", false, kept("anthropic-beta", "a,b"))
	// Claude Code.
	is("x-claude-code-session-id: s", false, session("s", "x-claude-code-session-id"))
	for _, name := range []string{"agent-id", "parent-agent-id", "request-class", "agent-type", "compaction", "context-compacted", "prev-tool-durations"} {
		is("x-claude-code-"+name+": v", false, kept("x-claude-code-"+name, "v"))
	}
	is("User-Agent: claude-cli/2.0.5 (external, cli)", false, both(agent("claude-code"), func(c *llm.Call) bool {
		return attr(c, "user_agent.original") == "claude-cli/2.0.5 (external, cli)"
	}))
	// Codex.
	is("session-id: s", false, session("s", "session-id"))
	is("session_id: s", false, session("s", "session_id"))
	is("thread-id: s", false, session("s", "thread-id"))
	is("conversation_id: s", false, session("s", "conversation_id"))
	is("originator: codex_cli_rs", false, both(agent("codex"), kept("originator", "codex_cli_rs")))
	is("originator: somebody", false, both(agent("somebody"), kept("originator", "somebody")))
	is(`x-codex-turn-metadata: {"thread_id":"t","session_id":"s"}`, false, session("s", "x-codex-turn-metadata"))
	is(`x-codex-turn-metadata: {"thread_id":"t","request_kind":"turn"}`, false,
		both(session("t", "x-codex-turn-metadata"), kept("x-codex-turn-metadata", `{"thread_id":"t","request_kind":"turn"}`)))
	is("x-codex-parent-thread-id: t", false, kept("x-codex-parent-thread-id", "t"))
	is("x-openai-subagent: review", false, kept("x-openai-subagent", "review"))
	is("User-Agent: codex_cli_rs/0.50.0 (Mac OS)", false, agent("codex"))
	// W3C.
	is("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, nothing)
	is("tracestate: a=b", false, nothing)
	is("baggage: x=1,session.id=s%2F1;p=q , user.id=u", false, both(session("s/1", "baggage:session.id"), user("u")))
	is("baggage: langfuse_session_id=s,langfuse_user_id=u", false, both(session("s", "baggage:langfuse_session_id"), user("u")))
	is("baggage: langfuse_metadata_env=prod,langfuse_version=3,langfuse_tags=a,other=1", false, both(meta("env", "prod", "version", "3"), tags("a")))
	is("baggage: langfuse_metadata_team=ops", false, func(c *llm.Call) bool { return c.Attribution.Team == "ops" })
	// Credentials of providers.
	is("Authorization: Bearer tok", false, key("tok"))
	is("Authorization: bearer  tok", false, key("tok"))
	is("Authorization: Basic dTpw", false, key("dTpw"))
	is("Authorization: Token tok", false, key("tok"))
	is("Authorization: tok", false, key("tok"))
	is("Authorization: Bearer", false, nothing)
	is("Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=ff", false, key("AKID"))
	is("x-api-key: k", false, key("k"))
	is("api-key: k", false, key("k"))
	is("x-goog-api-key: k", false, key("k"))
	// Nobody's.
	for _, line := range []string{"Host: h", "Accept: */*", "Content-Type: application/json", "Cookie: session-id=s", "X-Unknown: x", "Helicone: x", "langfuse: x"} {
		is(line, false, nothing)
	}
}

func TestSDKsAreNoAgents(t *testing.T) {
	for _, ua := range []string{
		"OpenAI/Python 1.99.0", "AsyncOpenAI/Python 2.8.1", "OpenAI/JS 6.9.0", "OpenAI/Go 3.1.0", "Anthropic/Python 0.75.0", "langchain/1.0",
		"python-requests/2.32", "curl/8.5.0", "Go-http-client/1.1", "Mozilla/5.0 (X11; Linux x86_64)", "ai-sdk/openai/2.0", "node", "claude-cli-like/1.0",
	} {
		c := attribute(attribution.Config{}, request("User-Agent: "+ua))
		if c.Attribution.Agent != "" || attr(c, "user_agent.original") != ua {
			t.Errorf("%s: agent %q, attributes %v", ua, c.Attribution.Agent, c.Attrs)
		}
	}
	for ua, want := range map[string]string{
		"opencode/0.5.1": "opencode", "GeminiCLI/0.1 (linux; x64)": "gemini-cli", "RooCode/3.25": "roo-code", "Charm Crush/0.2": "crush", "codex_vscode/0.1": "codex",
	} {
		if c := attribute(attribution.Config{}, request("User-Agent: "+ua)); c.Attribution.Agent != want {
			t.Errorf("%s: agent %q, want %q", ua, c.Attribution.Agent, want)
		}
	}
}

func TestCarriedHeadersKeepTheirRepeats(t *testing.T) {
	c := attribute(attribution.Config{}, request("anthropic-beta: a", "Anthropic-Beta: b"))
	if got := attr(c, "http.request.header.anthropic-beta"); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("got %v", got)
	}
	lines := slices.Repeat([]string{"anthropic-beta: a"}, 100)
	if got, _ := attr(attribute(attribution.Config{}, request(lines...)), "http.request.header.anthropic-beta").([]string); len(got) != 4 {
		t.Errorf("%d values kept, want 4", len(got))
	}
}

func TestUnreadableMetadataIsAProblem(t *testing.T) {
	for _, line := range []string{
		`x-spanwire-metadata: {"a":"1"`, `x-spanwire-metadata: {"a":"1"} x`, `x-spanwire-metadata: {"a":}`, "x-spanwire-metadata: nonsense",
		`cf-aig-metadata: [1]`, `x-codex-turn-metadata: 7`, `x-portkey-metadata: {"a":"1",}`, `x-portkey-metadata: {1:2}`, "x-spanwire-content: non",
	} {
		name, value, _ := strings.Cut(line, ": ")
		c := attribute(attribution.Config{}, request(line))
		if len(c.Problems) != 1 || !strings.HasPrefix(c.Problems[0], name+":") || strings.Contains(c.Problems[0], value) {
			t.Errorf("%s: problems %q", line, c.Problems)
		}
	}
	if c := attribute(attribution.Config{}, request(`x-spanwire-metadata: {"a":"1","b"`)); pair(c, "a") != "1" {
		t.Errorf("what could be read was lost: %+v", c.Attribution)
	}
	if c := attribute(attribution.Config{}, request("x-spanwire-metadata: a=1,oops,b=2")); pair(c, "a") != "1" || pair(c, "b") != "2" {
		t.Errorf("what could be read was lost: %+v", c.Attribution)
	}
}

// Our own metadata is metadata only: who means a team says so.
func TestOwnMetadataNamesNobody(t *testing.T) {
	c := attribute(attribution.Config{}, request(`x-spanwire-metadata: {"team":"t","user":"u","session_id":"s"}`))
	if a := c.Attribution; a.Team != "" || a.User != "" || a.Session != "" || len(a.Metadata) != 3 {
		t.Errorf("%+v", a)
	}
}
