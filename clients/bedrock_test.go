package clients

// bedrockConverse is Amazon Bedrock, with each of the three credentials that it
// takes. SDKs send a bearer key over TLS only.
var bedrockConverse = suite{
	name:    "Amazon Bedrock",
	scripts: "bedrock",
	clients: []client{
		overTLS(boto("Python, bearer key", bearerKey)),
		boto("Python, proxy signs", signedByProxy),
		boto("Python, caller signs", signedByCaller),
	},
	features: bedrockFeatures,
}

func boto(name string, way awsWay) client {
	c := inPython("bedrock.py")
	c.name, c.aws = name, way
	return c
}

const (
	nova        = "us.amazon.nova-micro-v1:0"
	claudeOnAWS = "anthropic.claude-3-haiku-20240307-v1:0"
	claudeHaiku = "claude-3-haiku-20240307"
)

var bedrockFeatures = []feature{
	{name: "converse", calls: []call{{
		model: nova, finish: "end_turn", text: greeting, in: 112, out: 6,
		also: map[string]string{
			"gen_ai.request.temperature":           "0.5",
			"gen_ai.request.max_tokens":            "200",
			"gen_ai.usage.cache_read.input_tokens": "100",
			"gen_ai.provider.name":                 "aws.bedrock",
			"spanwire.vendor.request_id":           "7d1c",
			"spanwire.cost.status":                 "ok",
		},
	}}, told: func(f *facts) { f.Usage = &tokens{12, 6} }}, // the SDK's input leaves the cache out
	{name: "converse_stream", calls: []call{{model: nova, finish: "end_turn", text: greeting, in: 12, out: 6, stream: true}}},
	{name: "tools", calls: []call{
		{model: nova, finish: "tool_use", text: "Let me look.", tools: []toolCall{{"tooluse_1", "get_weather", inLisbon}}, in: 400, out: 30},
		{model: nova, finish: "end_turn", text: "It is 18 degrees.", results: []string{weather}, in: 450, out: 8},
	}},
	{name: "tools_stream", calls: []call{{
		model: nova, finish: "tool_use", tools: []toolCall{{"tooluse_2", "get_weather", inLisbon}}, in: 400, out: 30, stream: true,
	}}},
	{name: "thinking", calls: []call{{
		model: nova, finish: "end_turn", text: greeting, reasoning: "They want a greeting.", in: 12, out: 60, stream: true,
	}}},
	{name: "invoke", calls: []call{{model: claudeOnAWS, answered: claudeHaiku, id: "msg_bdrk_1", finish: "end_turn", text: greeting, in: 14, out: 9}}},
	{name: "invoke_stream", calls: []call{{
		model: claudeOnAWS, answered: claudeHaiku, id: "msg_bdrk_2", finish: "end_turn", text: greeting, in: 14, out: 9, stream: true,
	}}},
	{name: "not_valid", calls: []call{{model: nova, status: "400", err: "ValidationException"}}, told: refused(400, "ValidationException")},
	{name: "retried", calls: []call{
		{model: nova, status: "429", err: "ThrottlingException"},
		{model: nova, finish: "end_turn", text: "Hello.", in: 12, out: 2, also: map[string]string{"spanwire.retry.count": "1"}},
	}},
	{name: "stream_exception", calls: []call{{
		model: nova, finish: "error", text: "Hello", stream: true, source: "estimated", err: "modelStreamErrorException",
	}}, told: broken("Hello")},
	{name: "cut", calls: []call{{
		model: nova, finish: "error", text: "Hello, wör", stream: true, source: "partial", end: "upstream_cut", err: "upstream_cut",
	}}, told: broken("Hello, wör")},
	{name: "session", calls: []call{{model: nova, finish: "end_turn", text: "Hello.", in: 12, out: 2, also: who}}},
}
