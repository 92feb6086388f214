package clients

import "strings"

// cohereV2 is Cohere's API. No answer of it names a model.
var cohereV2 = suite{
	name:     "Cohere",
	scripts:  "cohere",
	clients:  []client{inPython("cohere_v2.py"), inNode("cohere_v2.mjs")},
	features: cohereFeatures,
}

const command = "command-a-03-2025"

var cohereFeatures = []feature{
	{name: "chat", calls: []call{{
		model: command, id: "c-plain", finish: "COMPLETE", text: greeting, in: 11, out: 6,
		also: map[string]string{
			"gen_ai.request.temperature": "0.5",
			"gen_ai.request.max_tokens":  "200",
			"gen_ai.provider.name":       "cohere",
			"spanwire.vendor.request_id": "dbg1",
			"spanwire.cost.status":       "ok",
		},
	}}},
	{name: "stream", calls: []call{{model: command, id: "c-stream", finish: "COMPLETE", text: greeting, in: 11, out: 6, stream: true}}},
	{name: "tools", calls: []call{
		{model: command, id: "c-tool1", finish: "TOOL_CALL", tools: []toolCall{{"get_weather_1", "get_weather", inLisbon}}, in: 40, out: 12},
		{model: command, id: "c-tool2", finish: "COMPLETE", text: "It is 18 degrees.", results: []string{weather}, in: 70, out: 7},
	}, check: func(c *checks, _ facts, s []span) {
		c.ok("the span has not the model's plan", strings.Contains(s[0].text("gen_ai.output.messages"), "I look."))
	}},
	{name: "tools_stream", calls: []call{{
		model: command, id: "c-tools", finish: "TOOL_CALL", tools: []toolCall{{"get_weather_2", "get_weather", inLisbon}}, in: 40, out: 12, stream: true,
	}}},
	{name: "embeddings", calls: []call{{operation: "embeddings", model: "embed-v4.0", id: "c-embed", in: 2}},
		told: func(f *facts) { *f = facts{IDs: f.IDs, Dimensions: []int{3, 3}} }},
	{name: "rerank", calls: []call{{operation: "rerank", model: "rerank-v3.5", id: "c-rerank", also: map[string]string{"spanwire.rerank.count": "2"}}},
		told: func(f *facts) { f.Scores = []float64{0.75, 0.5} }},
	{name: "not_found", calls: []call{{model: "command-none", status: "404", err: "404"}}, told: refused(404, "")},
	{name: "retried", calls: []call{
		{model: command, status: "429", err: "429"},
		{model: command, id: "c-again", finish: "COMPLETE", text: "Hello.", in: 11, out: 2},
	}},
	{name: "cut", calls: []call{{
		model: command, id: "c-cut", finish: "error", text: "Hello, wör", stream: true, source: "partial", end: "upstream_cut", err: "upstream_cut",
	}}, told: broken("Hello, wör")},
	{name: "session", calls: []call{{model: command, id: "c-who", finish: "COMPLETE", text: "Hello.", in: 11, out: 2, also: who}}},
}
