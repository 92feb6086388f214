package clients

// ollamaNative is Ollama's own API.
var ollamaNative = suite{
	name:     "Ollama",
	scripts:  "ollama",
	keyless:  true,
	clients:  []client{inPython("ollama_native.py"), inNode("ollama_native.mjs")},
	features: ollamaFeatures,
}

const qwen = "qwen3:4b"

var ollamaFeatures = []feature{
	{name: "chat", calls: []call{{
		model: qwen, answered: qwen, finish: "stop", text: greeting, in: 20, out: 6,
		also: map[string]string{
			"gen_ai.request.temperature": "0.5",
			"gen_ai.request.max_tokens":  "200",
			"gen_ai.provider.name":       "ollama",
			"gen_ai.usage.cost":          "0", // a model on hardware of one's own
		},
	}}},
	{name: "stream", calls: []call{{model: qwen, answered: qwen, finish: "stop", text: greeting, in: 20, out: 6, stream: true}}},
	{name: "tools", calls: []call{
		{model: qwen, answered: qwen, finish: "stop", tools: []toolCall{{"", "get_weather", inLisbon}}, in: 150, out: 18},
		{model: qwen, answered: qwen, finish: "stop", text: "It is 18 degrees.", results: []string{weather}, in: 180, out: 8},
	}},
	{name: "thinking", calls: []call{{
		model: qwen, answered: qwen, finish: "stop", text: greeting, reasoning: "They want a greeting.", in: 20, out: 40, stream: true,
	}}},
	{name: "generate", calls: []call{{operation: "text_completion", model: qwen, answered: qwen, finish: "stop", text: greeting, in: 14, out: 6}}},
	{name: "embeddings", calls: []call{{operation: "embeddings", model: "nomic-embed-text", answered: "nomic-embed-text", in: 4}},
		told: func(f *facts) { f.Usage, f.Dimensions = nil, []int{3, 3} }},
	{name: "models", calls: []call{{}}, told: func(f *facts) { f.Text = qwen }},
	{name: "not_found", calls: []call{{model: "none", status: "404", err: "404"}}, told: refused(404, "")},
	{name: "stream_error", calls: []call{{
		model: qwen, answered: qwen, finish: "error", text: "Hello", stream: true, source: "estimated", err: "_OTHER",
	}}, told: broken("Hello")},
	{name: "cut", calls: []call{{
		model: qwen, answered: qwen, finish: "error", text: "Hello, wör", stream: true, source: "partial", end: "upstream_cut", err: "upstream_cut",
	}}, told: broken("Hello, wör")},
}
