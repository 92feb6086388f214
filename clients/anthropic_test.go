package clients

// anthropicMessages is Anthropic's API.
var anthropicMessages = suite{
	name:     "Anthropic",
	scripts:  "anthropic",
	clients:  []client{inGo(goAnthropic), inPython("anthropic_messages.py"), inNode("anthropic_messages.mjs")},
	features: anthropicFeatures,
}

const (
	claude      = "claude-haiku-4-5"
	claudeDated = "claude-haiku-4-5-20251001"
)

var (
	claudeWeather = []toolCall{{"toolu_01weather", "get_weather", inLisbon}}
	claudeTools   = []call{
		{model: claude, answered: claudeDated, id: "msg_01tool", finish: "tool_use", text: "Let me look.", tools: claudeWeather, in: 320, out: 41},
		{model: claude, answered: claudeDated, id: "msg_02tool", finish: "end_turn", text: "It is 18 degrees.", results: []string{weather}, in: 380, out: 12},
	}
)

var anthropicFeatures = []feature{
	{name: "messages", calls: []call{{
		model: claude, answered: claudeDated, id: "msg_01plain", finish: "end_turn", text: greeting, in: 2112, out: 9,
		also: map[string]string{
			"gen_ai.request.temperature":               "0.5",
			"gen_ai.request.max_tokens":                "200",
			"gen_ai.usage.cache_read.input_tokens":     "2000",
			"gen_ai.usage.cache_creation.input_tokens": "100",
			"gen_ai.provider.name":                     "anthropic",
			"user.id":                                  "user_4711",
			"spanwire.vendor.request_id":               "req_011CUh",
			"spanwire.cost.status":                     "ok",
			"spanwire.ratelimit.remaining.requests":    "49",
			"gen_ai.request.stream":                    "",
			"spanwire.retry.count":                     "",
		},
	}}, told: func(f *facts) { f.Usage = &tokens{12, 9} }}, // the SDK's input leaves the cache out
	{name: "stream", calls: []call{{
		model: claude, answered: claudeDated, id: "msg_01stream", finish: "end_turn", text: greeting, in: 14, out: 11, stream: true,
	}}},
	{name: "tools", calls: claudeTools},
	{name: "tools_stream", calls: streamed(claudeTools, "toolu_02weather")},
	{name: "thinking", calls: []call{{
		model: claude, answered: claudeDated, id: "msg_01think", finish: "end_turn", text: greeting, reasoning: "They want a greeting.", in: 40, out: 60, stream: true,
		also: map[string]string{
			"gen_ai.usage.reasoning.output_tokens":     "48",
			"anthropic.request.thinking.budget_tokens": "1024",
		},
	}}},
	{name: "structured", calls: []call{{
		model: claude, answered: claudeDated, id: "msg_01json", finish: "end_turn", text: `{"name":"Lisbon","inhabitants":545796}`, in: 90, out: 18,
		also: map[string]string{"gen_ai.output.type": "json"},
	}}, told: func(f *facts) { f.Parsed = true }},
	{name: "count_tokens", calls: []call{{also: map[string]string{"gen_ai.usage.input_tokens": ""}}}, told: func(f *facts) { f.Count = 14 }},
	{name: "models", calls: []call{{}}, told: func(f *facts) { f.Text = claudeDated }},
	{name: "not_found", calls: []call{{model: "claude-none", status: "404", err: "not_found_error"}}, told: refused(404, "not_found_error")},
	{name: "rate_limited", calls: []call{
		{model: claude, status: "429", err: "rate_limit_error"},
		{model: claude, status: "429", err: "rate_limit_error", also: map[string]string{"spanwire.retry.count": "1"}},
		{model: claude, status: "429", err: "rate_limit_error", also: map[string]string{"spanwire.retry.count": "2"}},
	}, told: refused(429, "rate_limit_error")},
	{name: "retried", calls: []call{
		{model: claude, status: "529", err: "overloaded_error"},
		{model: claude, answered: claudeDated, id: "msg_01again", finish: "end_turn", text: "Hello.", in: 14, out: 4, also: map[string]string{"spanwire.retry.count": "1"}},
	}},
	{name: "stream_error", calls: []call{{
		model: claude, answered: claudeDated, id: "msg_01broken", finish: "error", text: "Hello", in: 14, stream: true, source: "partial", err: "overloaded_error",
	}}, told: broken("Hello")},
	{name: "cut", calls: []call{{
		model: claude, answered: claudeDated, id: "msg_01cut", finish: "error", text: "Hello, wör", in: 14, stream: true, source: "partial", end: "upstream_cut", err: "upstream_cut",
	}}, told: broken("Hello, wör")},
	{name: "session", calls: []call{{
		model: claude, answered: claudeDated, id: "msg_01who", finish: "end_turn", text: "Hello.", in: 14, out: 4, also: who,
	}}},
}
