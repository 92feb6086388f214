package clients

// geminiContent is Google's API.
var geminiContent = suite{
	name:     "Gemini",
	scripts:  "gemini",
	clients:  []client{inGo(goGemini), inPython("gemini.py"), inNode("gemini.mjs")},
	features: geminiFeatures,
}

// geminiLive is Google's API over a WebSocket. The SDK for Python speaks TLS there
// whatever the base URL says.
var geminiLive = suite{
	name:     "Gemini Live",
	scripts:  "live",
	clients:  []client{inGo(goGeminiLive), overTLS(inPython("gemini.py")), inNode("gemini.mjs")},
	features: liveFeatures,
}

const (
	flash      = "gemini-2.5-flash"
	flashLive  = "gemini-live-2.5-flash"
	flashEmbed = "gemini-embedding-001"
	generate   = "generate_content"
)

var geminiTools = []call{
	{operation: generate, model: flash, answered: flash, id: "resp-tool1", finish: "STOP", tools: []toolCall{{"f1", "get_weather", inLisbon}}, in: 70, out: 38,
		also: map[string]string{"gen_ai.usage.reasoning.output_tokens": "30"}},
	{operation: generate, model: flash, answered: flash, id: "resp-tool2", finish: "STOP", text: "It is 18 degrees.", results: []string{weather}, in: 110, out: 7},
}

var geminiFeatures = []feature{
	{name: "generate", calls: []call{{
		operation: generate, model: flash, answered: flash, id: "resp-plain", finish: "STOP", text: greeting, in: 1212, out: 6,
		also: map[string]string{
			"gen_ai.request.temperature":           "0.5",
			"gen_ai.request.max_tokens":            "200",
			"gen_ai.usage.cache_read.input_tokens": "1000",
			"gen_ai.provider.name":                 "gcp.gemini",
			"spanwire.cost.status":                 "ok",
		},
	}}},
	{name: "stream", calls: []call{{
		operation: generate, model: flash, answered: flash, id: "resp-stream", finish: "STOP", text: greeting, in: 12, out: 6, stream: true,
	}}},
	{name: "tools", calls: geminiTools},
	{name: "tools_stream", calls: streamed(geminiTools, "f2")},
	{name: "thinking", calls: []call{{
		operation: generate, model: flash, answered: flash, id: "resp-think", finish: "STOP", text: greeting, reasoning: "They want a greeting.", in: 12, out: 54, stream: true,
		also: map[string]string{
			"gen_ai.usage.reasoning.output_tokens": "48",
			"gemini.request.thinking_budget":       "128",
		},
	}}, told: func(f *facts) { f.Usage = &tokens{12, 6} }}, // the SDK's output leaves thoughts out
	{name: "structured", calls: []call{{
		operation: generate, model: flash, answered: flash, id: "resp-json", finish: "STOP", text: `{"name":"Lisbon","inhabitants":545796}`, in: 30, out: 14,
		also: map[string]string{"gen_ai.output.type": "json"},
	}}, told: func(f *facts) { f.Parsed = true }},
	{name: "embeddings", calls: []call{{operation: "embeddings", model: flashEmbed, in: 4}},
		told: func(f *facts) { *f = facts{Dimensions: []int{3, 3}} }},
	{name: "count_tokens", calls: []call{{also: map[string]string{"gen_ai.usage.input_tokens": ""}}}, told: func(f *facts) { f.Count = 12 }},
	{name: "models", calls: []call{{}}, told: func(f *facts) { f.Text = "models/" + flash }},
	{name: "not_found", calls: []call{{operation: generate, model: "gemini-none", status: "404", err: "NOT_FOUND"}}, told: refused(404, "NOT_FOUND")},
	{name: "rate_limited", calls: []call{{operation: generate, model: flash, status: "429", err: "RESOURCE_EXHAUSTED"}}, told: refused(429, "RESOURCE_EXHAUSTED")},
	{name: "stream_refused", calls: []call{{operation: generate, model: flash, status: "400", stream: true, err: "INVALID_ARGUMENT"}}, told: refused(400, "")},
	{name: "blocked", calls: []call{{operation: generate, model: flash, answered: flash, id: "resp-block", finish: "PROHIBITED_CONTENT", in: 12, out: zero}},
		told: func(f *facts) { f.Finish = "PROHIBITED_CONTENT" }},
	{name: "cut", calls: []call{{
		operation: generate, model: flash, answered: flash, id: "resp-cut", finish: "error", text: "Hello, wör", in: 12, stream: true, source: "partial", end: "upstream_cut", err: "upstream_cut",
	}}, told: broken("Hello, wör")},
	{name: "session", calls: []call{{
		operation: generate, model: flash, answered: flash, id: "resp-who", finish: "STOP", text: "Hello.", in: 12, out: 2, also: who,
	}}},
}

// A session is a span, and each turn of it one.
var liveFeatures = []feature{
	{name: "live", calls: []call{
		{status: "101"},
		{operation: generate, model: "models/" + flashLive, status: "101", text: greeting, in: 20, out: 6, stream: true},
		{operation: generate, model: "models/" + flashLive, status: "101", text: "Hello again.", in: 31, out: 3, stream: true,
			also: map[string]string{"spanwire.cost.status": "ok"}},
	}, told: func(f *facts) { f.Text = greeting + "Hello again." }, check: sameSession},
}
