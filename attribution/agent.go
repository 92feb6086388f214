package attribution

import "strings"

// agents are the programs that are agents, by the product in their user agent.
// What is not here is taken for an SDK or an app and is no agent.
var agents = map[string]string{
	"claude-cli":        "claude-code",
	"codex_cli_rs":      "codex",
	"codex_exec":        "codex",
	"codex_vscode":      "codex",
	"codex-tui":         "codex",
	"opencode":          "opencode",
	"geminicli":         "gemini-cli",
	"qwencode":          "qwen-code",
	"cline":             "cline",
	"roocode":           "roo-code",
	"kilo-code":         "kilo-code",
	"githubcopilotchat": "github-copilot-chat",
	"aider":             "aider",
	"goose":             "goose",
	"zed":               "zed",
	"charm crush":       "crush",
}

// agentName returns the name of an agent that a header tells: one that we know
// by the name that its user agent gives, too.
func agentName(value string) string {
	if name, ok := agents[strings.ToLower(value)]; ok {
		return name
	}
	return value
}

// userAgent keeps the user agent, and takes the agent's name from it when it is
// a known one: "claude-cli/2.0.5 (external, cli)".
func (r *reading) userAgent(value string) {
	r.call.SetAttr("user_agent.original", clean(value, idBytes))
	product, _, _ := strings.Cut(value, "/")
	if name, ok := agents[strings.ToLower(strings.TrimSpace(product))]; ok {
		set(&r.to.Agent, name)
	}
}
