package clients

// mistralChat is Mistral's API, which is OpenAI's with differences.
var mistralChat = suite{
	name:     "Mistral",
	scripts:  "mistral",
	clients:  []client{inPython("mistral.py"), inNode("mistral.mjs")},
	features: mistralFeatures,
}

const (
	small      = "mistral-small-latest"
	smallDated = "mistral-small-2506"
)

var mistralFeatures = []feature{
	{name: "chat", calls: []call{{
		model: small, answered: smallDated, id: "m-plain", finish: "stop", text: greeting, in: 16, out: 6,
		also: map[string]string{
			"gen_ai.request.temperature": "0.5",
			"gen_ai.request.max_tokens":  "200",
			"gen_ai.provider.name":       "mistral_ai",
			"spanwire.vendor.request_id": "corr1",
			"spanwire.cost.status":       "ok",
		},
	}}},
	{name: "stream", calls: []call{{model: small, answered: smallDated, id: "m-stream", finish: "stop", text: greeting, in: 16, out: 6, stream: true}}},
	{name: "tools", calls: []call{
		{model: small, answered: smallDated, id: "m-tool1", finish: "tool_calls", tools: []toolCall{{"D681PevKs", "get_weather", inLisbon}}, in: 90, out: 22},
		{model: small, answered: smallDated, id: "m-tool2", finish: "stop", text: "It is 18 degrees.", results: []string{weather}, in: 130, out: 8},
	}},
	{name: "tools_stream", calls: []call{{
		model: small, answered: smallDated, id: "m-tools", finish: "tool_calls", tools: []toolCall{{"D681PevKt", "get_weather", inLisbon}}, in: 90, out: 22, stream: true,
	}}},
	{name: "thinking", calls: []call{{
		model: "magistral-small-latest", answered: smallDated, id: "m-think", finish: "stop", text: greeting, reasoning: "They want a greeting.", in: 16, out: 40, stream: true,
	}}},
	{name: "structured", calls: []call{{
		model: small, answered: smallDated, id: "m-json", finish: "stop", text: `{"name":"Lisbon","inhabitants":545796}`, in: 60, out: 15,
		also: map[string]string{"gen_ai.output.type": "json"},
	}}, told: func(f *facts) { f.Parsed = true }},
	{name: "embeddings", calls: []call{{operation: "embeddings", model: "mistral-embed", answered: "mistral-embed", id: "m-embed", in: 4, out: zero}},
		told: func(f *facts) { f.Usage, f.Dimensions = nil, []int{3, 3} }},
	{name: "models", calls: []call{{}}, told: func(f *facts) { f.Text = smallDated }},
	{name: "not_found", calls: []call{{model: "mistral-none", status: "400", err: "invalid_model"}}, told: refused(400, "")},
	{name: "bad_key", calls: []call{{model: small, status: "401", err: "401"}}, told: refused(401, "")},
	{name: "cut", calls: []call{{
		model: small, answered: smallDated, id: "m-cut", finish: "error", text: "Hello, wör", stream: true, source: "partial", end: "upstream_cut", err: "upstream_cut",
	}}, told: broken("Hello, wör")},
	{name: "session", calls: []call{{model: small, answered: smallDated, id: "m-who", finish: "stop", text: "Hello.", in: 16, out: 2, also: who}}},
}
