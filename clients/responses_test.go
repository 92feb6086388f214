package clients

// openaiResponses is OpenAI's Responses API.
var openaiResponses = suite{
	name:     "OpenAI Responses",
	scripts:  "responses",
	clients:  []client{inGo(goResponses), inPython("openai_responses.py"), inNode("openai_responses.mjs")},
	features: responsesFeatures,
}

const (
	gpt           = "gpt-4.1-mini"
	gptDated      = "gpt-4.1-mini-2025-04-14"
	gptThinks     = "gpt-5-mini"
	realtimeModel = "gpt-realtime"
)

var responsesTools = []call{
	{model: gpt, answered: gptDated, id: "resp_tool1", finish: "tool_calls", tools: []toolCall{{"call_weather", "get_weather", inLisbon}}, in: 60, out: 16},
	{model: gpt, answered: gptDated, id: "resp_tool2", finish: "stop", text: "It is 18 degrees.", results: []string{weather}, in: 90, out: 8},
}

// greets is a response that greets.
func greets(id string, in, out int64) call {
	return call{model: gpt, answered: gptDated, id: id, finish: "stop", text: greeting, in: in, out: out}
}

var responsesFeatures = []feature{
	{name: "plain", calls: []call{with(greets("resp_plain", 1300, 7), map[string]string{
		"gen_ai.request.temperature":           "0.5",
		"gen_ai.request.max_tokens":            "200",
		"gen_ai.usage.cache_read.input_tokens": "1024",
		"gen_ai.provider.name":                 "openai",
		"spanwire.vendor.request_id":           "req_resp",
		"spanwire.cost.status":                 "ok",
	})}, told: completed},
	{name: "stream", calls: streamed([]call{greets("resp_stream", 21, 7)}), told: completed},
	{name: "tools", calls: responsesTools, told: completed},
	{name: "tools_stream", calls: streamed(responsesTools, "call_weather2"), told: completed},
	{name: "structured", calls: []call{{
		model: gpt, answered: gptDated, id: "resp_json", finish: "stop", text: `{"name":"Lisbon","inhabitants":545796}`, in: 70, out: 15,
		also: map[string]string{"gen_ai.output.type": "json"},
	}}, told: func(f *facts) { f.Parsed = true; completed(f) }},
	{name: "reasoning", calls: []call{{
		model: gptThinks, answered: "gpt-5-mini-2025-08-07", id: "resp_think", finish: "stop", text: greeting, reasoning: "They want a greeting.", in: 21, out: 71,
		also: map[string]string{"gen_ai.usage.reasoning.output_tokens": "64"},
	}}, told: completed},
	{name: "previous", calls: []call{
		greets("resp_first", 21, 7),
		{model: gpt, answered: gptDated, id: "resp_second", finish: "stop", text: "Hello again.", in: 40, out: 4},
	}, told: completed},
	{name: "background", spans: 4, check: billedOnce},
	{name: "conversation", calls: []call{with(greets("resp_conv", 21, 7), map[string]string{"gen_ai.conversation.id": "conv_4711"})}, told: completed},
	{name: "count_tokens", calls: []call{{also: map[string]string{"gen_ai.usage.input_tokens": ""}}}, told: func(f *facts) { f.Count = 21 }},
	{name: "not_found", calls: []call{{model: "gpt-none", status: "404", err: "model_not_found"}}, told: refused(404, "model_not_found")},
	{name: "stream_failed", calls: []call{{
		model: gpt, answered: gptDated, id: "resp_fail", finish: "failed", text: "Hello", stream: true, source: "rule", err: "server_error",
	}}, told: func(f *facts) { *f = facts{Text: "Hello", Code: "server_error"} }},
	{name: "cut", calls: []call{{
		model: gpt, answered: gptDated, id: "resp_cut", finish: "error", text: "Hello, wör", stream: true, source: "partial", end: "upstream_cut", err: "upstream_cut",
	}}, told: broken("Hello, wör")},
}

// openaiRealtime is what runs over a WebSocket. The SDK for Node speaks TLS there
// whatever the base URL says.
var openaiRealtime = suite{
	name:     "OpenAI Realtime",
	scripts:  "responses",
	clients:  []client{inGo(goResponses), inPython("openai_responses.py"), overTLS(inNode("openai_responses.mjs"))},
	features: realtimeFeatures,
}

var realtimeFeatures = []feature{
	{name: "websocket", calls: []call{
		{status: "101"},
		over101(streamed([]call{greets("resp_ws1", 21, 7)})[0]),
		over101(call{model: gpt, answered: gptDated, id: "resp_ws2", finish: "stop", text: "Hello again.", in: 40, out: 4, stream: true}),
	}, told: completed, check: sameSession},
	{name: "realtime", calls: []call{
		{status: "101"},
		over101(call{model: realtimeModel, answered: realtimeModel, id: "resp_rt1", finish: "stop", text: greeting, in: 30, out: 7, stream: true}),
		over101(call{model: realtimeModel, answered: realtimeModel, id: "resp_rt2", finish: "stop", text: "Hello again.", in: 46, out: 4, stream: true}),
	}, told: func(f *facts) { f.Model = ""; completed(f) }, check: sameSession},
}

// completed is how these SDKs say it: there is no finish reason in this API.
func completed(f *facts) { f.Finish = "completed" }

func over101(c call) call {
	c.status = "101"
	return c
}

// billedOnce checks a response that is made in the background and fetched three
// times, of which it was done twice.
func billedOnce(c *checks, f facts, s []span) {
	c.is("text that the client got", f.Text, greeting)
	c.is("usage that the client got", f.Usage.String(), "21 in, 7 out")
	var usage, cost, named int
	for _, one := range s {
		c.is("response id", one.text("gen_ai.response.id"), "resp_back")
		if one.text("gen_ai.usage.input_tokens") != "" {
			usage++
		}
		if one.float("gen_ai.usage.cost") > 0 {
			cost++
		}
		if by := one.text("spanwire.usage.billed_by"); by != "" {
			named++
			c.is("call that is billed", by, s[2].text("spanwire.call.id"))
		}
	}
	c.is("spans with usage", usage, 1)
	c.is("spans with a cost", cost, 1)
	c.is("spans that name the one that is billed", named, 1)
	c.is("input tokens", s[2].text("gen_ai.usage.input_tokens"), "21")
	c.is("output tokens", s[2].text("gen_ai.usage.output_tokens"), "7")
}
