package attribution

// use is what a header tells.
type use uint8

const (
	useNothing    use = iota // known, and not read here
	useCredential            // whose key it is: "<scheme> <token>", or the token alone
	useProtocols             // of a WebSocket, where browsers have no other place for a key
	useCookies               // never read; those that let somebody in are credentials
	useTeam
	useUser
	useSession
	useTags     // separated by commas
	useMetadata // a JSON object, or k=v separated by commas
	usePair     // one pair of metadata, its key in the header's name
	useAgent
	useUserAgent
	useContent
	useOmitInput
	useOmitOutput
	useRetry      // number of retries
	useAttempt    // attempt=2; max=5
	useTurn       // what Codex says of a turn, as JSON
	useOriginator // the program, as Codex names it: an agent, and kept as it is
	useBaggage
	useCarry      // kept as it is, as http.request.header.<name>
	useThread     // a session, and which of its agents calls
	useToldAgent  // which agent of the session calls; kept, as those that follow
	useToldParent // which one started it
	useToldClass  // what the call is for
	useToldTools  // how long tools took
)

// row is one header, or with "*" at the end of its name all that begin so.
type row struct {
	name  string // in lower case
	use   use
	strip bool // meant for a gateway: not sent to the provider
}

const strip = true

// headers is everything known about request headers. Its order is the order in
// which sources are asked. (headers reference, table of families.)
var headers = []row{
	// Our own.
	{"x-spanwire-team", useTeam, strip},
	{"x-spanwire-user", useUser, strip},
	{"x-spanwire-session", useSession, strip},
	{"x-spanwire-agent", useAgent, strip},
	{"x-spanwire-tags", useTags, strip},
	{"x-spanwire-metadata", useMetadata, strip},
	{"x-spanwire-content", useContent, strip},
	{ownPrefix + "*", useNothing, strip},

	// Credentials for the provider.
	{"authorization", useCredential, false},
	{"x-api-key", useCredential, false},
	{"api-key", useCredential, false},
	{"x-goog-api-key", useCredential, false},
	{"sec-websocket-protocol", useProtocols, false},
	{"cookie", useCookies, false},

	// Claude Code.
	{"x-claude-code-session-id", useSession, false},
	{"x-claude-code-agent-id", useToldAgent, false},
	{"x-claude-code-parent-agent-id", useToldParent, false},
	{"x-claude-code-request-class", useToldClass, false},
	{"x-claude-code-agent-type", useCarry, false},
	{"x-claude-code-compaction", useCarry, false},
	{"x-claude-code-context-compacted", useCarry, false},
	{"x-claude-code-prev-tool-durations", useToldTools, false},

	// Codex.
	{"session-id", useSession, false},
	{"session_id", useSession, false},
	{"x-codex-turn-metadata", useTurn, false},
	{"thread-id", useThread, false},
	{"conversation_id", useSession, false},
	{"originator", useOriginator, false},
	{"x-codex-parent-thread-id", useToldParent, false},
	{"x-openai-subagent", useCarry, false},

	// Helicone.
	{"helicone-auth", useCredential, strip},
	{"helicone-user-id", useUser, strip},
	{"helicone-session-id", useSession, strip},
	{"helicone-session-path", useCarry, strip},
	{"helicone-session-name", useCarry, strip},
	{"helicone-prompt-id", useCarry, strip},
	{"helicone-request-id", useCarry, strip},
	{"helicone-omit-request", useOmitInput, strip},
	{"helicone-omit-response", useOmitOutput, strip},
	{"helicone-property-*", usePair, strip},
	{"helicone-*", useNothing, strip}, // cache, rate limit, target

	// Portkey.
	{"x-portkey-api-key", useCredential, strip},
	{"x-portkey-metadata", useMetadata, strip},
	{"x-portkey-trace-id", useCarry, strip},
	{"x-portkey-span-id", useCarry, strip},
	{"x-portkey-parent-span-id", useCarry, strip},
	{"x-portkey-*", useNothing, strip}, // provider, config, virtual key, host, timeout

	// LiteLLM.
	{"x-litellm-api-key", useCredential, strip},
	{"x-litellm-session-id", useSession, strip},
	{"x-litellm-trace-id", useCarry, strip},
	{"x-litellm-agent-id", useAgent, strip},
	{"x-litellm-customer-id", useUser, strip},
	{"x-litellm-end-user-id", useUser, strip},
	{"x-litellm-tags", useTags, strip},
	{"x-litellm-spend-logs-metadata", useMetadata, strip},
	{"x-litellm-*", useNothing, strip},

	// Langfuse.
	{"langfuse_session_id", useSession, strip},
	{"langfuse_trace_user_id", useUser, strip},
	{"langfuse_trace_metadata", useMetadata, strip},
	{"langfuse_trace_id", useCarry, strip},
	{"langfuse_*", useNothing, strip},

	// Bifrost.
	{"x-bf-vk", useCredential, strip},
	{"x-bf-api-key", useCredential, strip},
	{"x-bf-session-id", useSession, strip},
	{"x-bf-parent-request-id", useCarry, strip},
	{"x-bf-dim-*", usePair, strip},
	{"x-bf-*", useNothing, strip},

	// LangWatch.
	{"x-langwatch-thread-id", useSession, strip},
	{"x-langwatch-end-user-id", useUser, strip},
	{"x-langwatch-metadata", useMetadata, strip},
	{"x-langwatch-*", useNothing, strip},

	// Envoy AI Gateway.
	{"agent-session-id", useSession, strip},

	// Cloudflare AI Gateway.
	{"cf-aig-authorization", useCredential, strip},
	{"cf-aig-metadata", useMetadata, strip},
	{"cf-aig-*", useNothing, strip}, // cost, cache, timeout

	// TrueFoundry.
	{"x-tfy-metadata", useMetadata, strip},
	{"x-tfy-*", useNothing, strip},

	// OpenRouter: these are for the provider.
	{"x-openrouter-title", useAgent, false},
	{"x-title", useAgent, false},
	{"http-referer", useCarry, false},

	// Open WebUI.
	{"x-openwebui-chat-id", useSession, false},
	{"x-openwebui-user-id", useUser, false},

	// OpenCode, xAI.
	{"x-opencode-session", useSession, false},
	{"x-opencode-request", useCarry, false},
	{"x-session-id", useSession, false},
	{"x-grok-conv-id", useSession, false},
	{"x-session-affinity", useSession, false},

	// OpenAI, Anthropic, AWS: SDKs.
	{"openai-organization", useCarry, false},
	{"openai-project", useCarry, false},
	{"x-client-request-id", useCarry, false},
	{"x-request-id", useCarry, false},
	{"idempotency-key", useCarry, false},
	{"anthropic-version", useCarry, false},
	{"anthropic-beta", useCarry, false},
	{"x-stainless-retry-count", useRetry, false},
	{"x-stainless-*", useNothing, false}, // the user agent says the same
	{"amz-sdk-request", useAttempt, false},
	{"user-agent", useUserAgent, false},

	// W3C. Trace context is read elsewhere.
	{"traceparent", useNothing, false},
	{"tracestate", useNothing, false},
	{"baggage", useBaggage, false},
}

// ownPrefix is what our own headers begin with.
const ownPrefix = "x-spanwire-"

// longestName bounds the header names that are looked up; no known one is longer.
const longestName = 64

// names finds a row by a header's name.
type names struct {
	exact    map[string]int
	prefixes []int // rows with "*", in the order of the table: the narrower one comes first
	first    [256]bool
}

var byName = index(headers)

func index(rows []row) names {
	n := names{exact: make(map[string]int, len(rows))}
	for i, r := range rows {
		n.first[r.name[0]] = true
		if r.name[len(r.name)-1] == '*' {
			n.prefixes = append(n.prefixes, i)
		} else {
			n.exact[r.name] = i
		}
	}
	return n
}

// find returns the row of a name in lower case. It does not allocate.
func (n *names) find(name []byte) (int, bool) {
	if len(name) == 0 || !n.first[name[0]] {
		return 0, false
	}
	if i, ok := n.exact[string(name)]; ok {
		return i, true
	}
	for _, i := range n.prefixes {
		p := headers[i].name
		if p = p[:len(p)-1]; len(name) > len(p) && string(name[:len(p)]) == p {
			return i, true
		}
	}
	return 0, false
}

// lowered puts name into buf in lower case. What is longer than buf is cut.
func lowered(buf *[longestName]byte, name string) []byte {
	n := min(len(name), len(buf))
	for i := range n {
		buf[i] = lowerByte(name[i])
	}
	return buf[:n]
}
