package attribution_test

import (
	"fmt"
	"testing"

	"github.com/spanwire/spanwire/attribution"
	"github.com/spanwire/spanwire/llm"
)

// source is a way to say something, by a header line or a field of the body.
type source struct {
	line string // with %s for the value
	attr string
}

// Each list is in the order of precedence. Every source is asked together with
// all that come after it, the later ones first in the head.
func TestPrecedence(t *testing.T) {
	check := func(what string, get func(*llm.Call) string, sources ...source) {
		t.Helper()
		for first := range sources {
			var lines []string
			var body []llm.Attr
			for i := len(sources) - 1; i >= first; i-- {
				value := fmt.Sprintf("value-%03d", i)
				if s := sources[i]; s.line != "" {
					lines = append(lines, fmt.Sprintf(s.line, value))
				} else {
					body = append(body, llm.Attr{Key: s.attr, Value: value})
				}
			}
			want := fmt.Sprintf("value-%03d", first)
			c := attribute(attribution.Config{DefaultTeam: "nobody"}, request(lines...), body...)
			if got := get(c); got != want {
				s := sources[first]
				t.Errorf("%s: with %s%s and what comes after it, got %q, want %q", what, s.line, s.attr, got, want)
			}
		}
	}

	check("team", func(c *llm.Call) string { return c.Attribution.Team },
		source{line: "x-spanwire-team: %s"},
		source{line: "Helicone-Property-Team: %s"},
		source{line: `x-portkey-metadata: {"team":"%s"}`},
		source{line: `x-litellm-spend-logs-metadata: team_id=%s`},
		source{line: `langfuse_trace_metadata: {"team":"%s"}`},
		source{line: "x-bf-dim-team: %s"},
		source{line: `X-LangWatch-Metadata: {"team":"%s"}`},
		source{line: `cf-aig-metadata: {"team":"%s"}`},
		source{line: `X-TFY-METADATA: {"team":"%s"}`},
		source{attr: "openai.request.metadata.team"},
		source{attr: "anthropic.request.metadata.team"},
		source{attr: "gemini.request.labels.team"},
		source{attr: "aws.bedrock.request.metadata.Team"},
		source{attr: "openai.request.metadata.team_id"},
		source{attr: "aws.bedrock.request.metadata.teamId"},
		source{line: "baggage: team=%s"},
	)
	check("user", func(c *llm.Call) string { return c.Attribution.User },
		source{line: "x-spanwire-user: %s"},
		source{line: "Helicone-User-Id: %s"},
		source{line: `x-portkey-metadata: {"_user":"%s"}`},
		source{line: "x-litellm-customer-id: %s"},
		source{line: "x-litellm-end-user-id: %s"},
		source{line: "langfuse_trace_user_id: %s"},
		source{line: "x-bf-dim-user_id: %s"},
		source{line: "X-LangWatch-End-User-Id: %s"},
		source{line: `cf-aig-metadata: {"user":"%s"}`},
		source{line: `X-TFY-METADATA: {"user_id":"%s"}`},
		source{line: "X-OpenWebUI-User-Id: %s"},
		source{attr: "anthropic.request.metadata.user_id"},
		source{attr: "openai.request.user"},
		source{attr: "openai.request.safety_identifier"},
		source{attr: "openai.request.user_id"},
		source{attr: "openai.request.metadata.user"},
		source{attr: "openai.request.metadata.user_id"},
		source{attr: "gemini.request.labels.user-id"},
		source{attr: "aws.bedrock.request.metadata.userId"},
		source{attr: "openai.request.metadata.trace_user_id"},
		source{line: "baggage: user.id=%s"},
	)
	check("session", func(c *llm.Call) string { return c.Attribution.Session },
		source{line: "x-spanwire-session: %s"},
		source{line: "x-claude-code-session-id: %s"},
		source{line: "session-id: %s"},
		source{line: "session_id: %s"},
		source{line: `x-codex-turn-metadata: {"thread_id":"t","session_id":"%s"}`},
		source{line: "thread-id: %s"},
		source{line: "conversation_id: %s"},
		source{line: "Helicone-Session-Id: %s"},
		source{line: `x-portkey-metadata: {"session_id":"%s"}`},
		source{line: "x-litellm-session-id: %s"},
		source{line: "langfuse_session_id: %s"},
		source{line: "x-bf-session-id: %s"},
		source{line: "X-LangWatch-Thread-Id: %s"},
		source{line: "agent-session-id: %s"},
		source{line: "X-OpenWebUI-Chat-Id: %s"},
		source{line: "x-opencode-session: %s"},
		source{line: "X-Session-Id: %s"},
		source{line: "x-grok-conv-id: %s"},
		source{line: "x-session-affinity: %s"},
		source{line: "X-Anybody-Session-Id: %s"},
		source{attr: "openai.request.conversation"},
		source{attr: "openai.request.litellm_session_id"},
		source{attr: "openai.request.session_id"},
		source{attr: "cohere.request.conversation_id"},
		source{attr: "openai.request.metadata.session_id"},
		source{attr: "anthropic.request.metadata.session_id"},
		source{attr: "gemini.request.labels.session-id"},
		source{attr: "aws.bedrock.request.metadata.sessionId"},
		source{attr: "openai.request.metadata.conversation_id"},
		source{attr: "gemini.request.labels.thread_id"},
		source{attr: "openai.request.thread"},
		source{attr: "openai.response.conversation"},
		source{attr: "openai.request.prompt_cache_key"},
		source{line: "baggage: session.id=%s"},
	)
	check("agent", func(c *llm.Call) string { return c.Attribution.Agent },
		source{line: "x-spanwire-agent: %s"},
		source{line: "originator: %s"},
		source{line: "x-litellm-agent-id: %s"},
		source{line: "X-OpenRouter-Title: %s"},
		source{line: "X-Title: %s"},
	)
	check("metadata", func(c *llm.Call) string { s, _ := pair(c, "k").(string); return s },
		source{line: "x-spanwire-metadata: k=%s"},
		source{line: "Helicone-Property-K: %s"},
		source{line: `x-portkey-metadata: {"k":"%s"}`},
		source{line: `x-litellm-spend-logs-metadata: {"k":"%s"}`},
		source{line: `langfuse_trace_metadata: {"k":"%s"}`},
		source{line: "x-bf-dim-k: %s"},
		source{line: `X-LangWatch-Metadata: {"k":"%s"}`},
		source{line: `cf-aig-metadata: {"k":"%s"}`},
		source{line: `X-TFY-METADATA: {"k":"%s"}`},
		source{attr: "openai.request.metadata.k"},
		source{attr: "anthropic.request.metadata.k"},
		source{attr: "gemini.request.labels.k"},
		source{attr: "aws.bedrock.request.metadata.k"},
		source{line: "baggage: langfuse_metadata_k=%s"},
	)
}

func TestAKnownAgentComesAfterWhatHeadersSay(t *testing.T) {
	c := attribute(attribution.Config{}, request("User-Agent: claude-cli/2.0", "x-spanwire-agent: mine"))
	if c.Attribution.Agent != "mine" {
		t.Errorf("agent %q", c.Attribution.Agent)
	}
}

func TestTagsAddUp(t *testing.T) {
	c := attribute(attribution.Config{}, request("x-litellm-tags: b,c", "x-spanwire-tags: a,b", "baggage: langfuse_tags=f"),
		llm.Attr{Key: "openai.request.metadata.tags", Value: []string{"d", "e"}})
	if got := fmt.Sprint(c.Attribution.Tags); got != "[a b c d e f]" {
		t.Errorf("tags %s", got)
	}
	for _, value := range []string{`["d","e"]`, "d, e"} {
		c = attribute(attribution.Config{}, request(), llm.Attr{Key: "openai.request.metadata.tags", Value: value})
		if got := fmt.Sprint(c.Attribution.Tags); got != "[d e]" {
			t.Errorf("%s: tags %s", value, got)
		}
	}
}

func TestTheDefaultTeamComesLast(t *testing.T) {
	cfg := attribution.Config{DefaultTeam: "everybody"}
	if c := attribute(cfg, request()); c.Attribution.Team != "everybody" {
		t.Errorf("team %q", c.Attribution.Team)
	}
	if c := attribute(cfg, request("baggage: team=ops")); c.Attribution.Team != "ops" {
		t.Errorf("team %q", c.Attribution.Team)
	}
}

// What Claude Code puts into metadata.user_id, now and before.
func TestAnthropicUserID(t *testing.T) {
	check := func(value, user, session string, problems int) {
		t.Helper()
		const key = "anthropic.request.metadata.user_id"
		c := attribute(attribution.Config{}, request(), llm.Attr{Key: key, Value: value})
		a := c.Attribution
		if a.User != user || a.Session != session || len(c.Problems) != problems {
			t.Errorf("%s: user %q, session %q, problems %q", value, a.User, a.Session, c.Problems)
		}
		if want := map[bool]string{true: key}[session != ""]; a.SessionSource != want {
			t.Errorf("%s: source %q, want %q", value, a.SessionSource, want)
		}
	}
	check("u-17", "u-17", "", 0)
	check("user_ab12_account_5f-6e_session_9c-8d", "user_ab12", "9c-8d", 0)
	check("user_ab12_account__session_9c-8d", "user_ab12", "9c-8d", 0)
	check(`{"device_id":"d","account_uuid":"a","session_id":"s","parent_session_id":"p"}`, "a", "s", 0)
	check(`{"device_id":"d","account_uuid":"","session_id":"s"}`, "d", "s", 0)
	check(`{"user_id":"u","session_id":"s"}`, "u", "s", 0)
	check(`{"session_id":"s"`, "", "s", 1)
	check("_session_", "", "", 0)
	check("", "", "", 0)
}

// A key means the same however it is written; what only looks like it is a pair and
// no more.
func TestSpellingsOfKeys(t *testing.T) {
	for _, key := range []string{"session_id", "session-id", "session.id", "sessionId", "SessionID", "sessionid"} {
		c := attribute(attribution.Config{}, request(), llm.Attr{Key: "aws.bedrock.request.metadata." + key, Value: "s-1"})
		if a := c.Attribution; a.Session != "s-1" || a.SessionSource != "aws.bedrock.request.metadata.session_id" || pair(c, key) != "s-1" {
			t.Errorf("%s: %+v", key, a)
		}
	}
	for _, key := range []string{"session", "session_ids", "sessio_nid_", "my_session_id", "", "_", "userid2", "teams"} {
		c := attribute(attribution.Config{}, request(), llm.Attr{Key: "gemini.request.labels." + key, Value: "s-1"})
		if a := c.Attribution; key != "sessio_nid_" && (a.Session != "" || a.User != "" || a.Team != "") {
			t.Errorf("%q: %+v", key, a)
		}
	}
	c := attribute(attribution.Config{}, request(`x-portkey-metadata: {"threadId":"t","sessionId":"s"}`))
	if c.Attribution.Session != "s" {
		t.Errorf("a thread goes before a session: %+v", c.Attribution)
	}
	c = attribute(attribution.Config{}, request("cf-aig-metadata: thread_id=t"))
	if c.Attribution.Session != "t" {
		t.Errorf("a thread is not taken: %+v", c.Attribution)
	}
}
