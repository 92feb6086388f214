package clients

import (
	"fmt"
	"slices"
	"strings"
)

// openaiChat is chat, completions and embeddings of OpenAI, answered by the fake
// provider.
var openaiChat = suite{
	name:     "OpenAI",
	clients:  []client{inGo(goOpenAI), inPython("openai_chat.py"), inNode("openai_chat.mjs")},
	features: openaiFeatures,
}

var openaiFeatures = []feature{
	{name: "chat", spans: 1, check: func(c *checks, f facts, s []span) {
		c.answered(f, s[0])
		c.is("temperature", s[0].text("gen_ai.request.temperature"), "0.5")
		c.is("max tokens", s[0].text("gen_ai.request.max_tokens"), "200")
		c.is("stream", s[0].text("gen_ai.request.stream"), "")
	}},
	{name: "stream", spans: 1, check: func(c *checks, f facts, s []span) {
		// Nobody asked for usage: the client must not see any, and the span has it.
		c.ok("the client saw usage it did not ask for", f.Usage == nil)
		c.streamed(f, s[0])
		c.usage(s[0], nil)
	}},
	{name: "stream_usage", spans: 1, check: func(c *checks, f facts, s []span) {
		c.ok("the client did not see the usage it asked for", f.Usage != nil)
		c.streamed(f, s[0])
		c.usage(s[0], f.Usage)
	}},
	{name: "tools", spans: 2, check: func(c *checks, f facts, s []span) { c.tools(f, s) }},
	{name: "tools_stream", spans: 2, check: func(c *checks, f facts, s []span) { c.tools(f, s) }},
	{name: "structured", spans: 1, check: func(c *checks, f facts, s []span) {
		c.answered(f, s[0])
		c.ok("the answer did not fit the caller's type", f.Parsed)
		c.is("output type", s[0].text("gen_ai.output.type"), "json")
	}},
	{name: "completion", spans: 1, check: func(c *checks, f facts, s []span) {
		c.is("operation", s[0].text("gen_ai.operation.name"), "text_completion")
		c.is("response id", s[0].text("gen_ai.response.id"), f.IDs[0])
		c.usage(s[0], f.Usage)
	}},
	{name: "embeddings", spans: 1, check: func(c *checks, f facts, s []span) {
		c.ok("the client got other vectors than two of 256", slices.Equal(f.Dimensions, []int{256, 256}))
		c.is("operation", s[0].text("gen_ai.operation.name"), "embeddings")
		c.is("dimensions", s[0].text("gen_ai.embeddings.dimension.count"), "256")
		c.is("input tokens", s[0].int("gen_ai.usage.input_tokens"), f.Usage.Input)
		c.priced(s[0])
	}},
	{name: "models", spans: 1, check: func(c *checks, f facts, s []span) {
		c.ok("the client got no list of models", strings.Contains(f.Text, "gpt-4o-mini"))
		c.is("kind", s[0].text("spanwire.operation.kind"), "http")
		c.is("status", s[0].text("http.response.status_code"), "200")
	}},
	{name: "not_found", spans: 1, check: func(c *checks, f facts, s []span) {
		c.ok("the SDK raised no error of its own", f.Error != "")
		c.is("status", f.Status, 404)
		c.is("code", f.Code, "model_not_found")
		c.failed(s[0], "model_not_found")
	}},
	{name: "rate_limited", spans: 3, check: func(c *checks, f facts, s []span) { // the SDKs try twice more
		c.is("status", f.Status, 429)
		for i, one := range s {
			c.failed(one, "rate_limit_exceeded")
			c.is("retry count", one.int("spanwire.retry.count"), int64(i))
		}
	}},
	{name: "retried", spans: 2, check: func(c *checks, f facts, s []span) {
		c.failed(s[0], "rate_limit_exceeded")
		c.answered(f, s[1])
		c.is("retry count", s[1].int("spanwire.retry.count"), int64(1))
	}},
	{name: "cut", spans: 1, check: func(c *checks, f facts, s []span) {
		c.ok("the SDK took a cut answer for a whole one", f.Error != "")
		c.is("end", s[0].text("spanwire.end"), "upstream_cut")
		c.is("usage source", s[0].text("spanwire.usage.source"), "partial")
		c.is("span status", s[0].Status.Code, 2)
		c.ok("the span has not the text that the client got", strings.Contains(s[0].text("gen_ai.output.messages"), strings.TrimSpace(f.Text)) && f.Text != "")
	}},
	{name: "hang_up", spans: 1, check: func(c *checks, f facts, s []span) {
		c.ok("the client got nothing before it hung up", f.Text != "")
		c.is("end", s[0].text("spanwire.end"), "client_gone")
		c.is("usage source", s[0].text("spanwire.usage.source"), "partial")
	}},
	{name: "parallel", spans: 16, check: func(c *checks, f facts, s []span) {
		var ids []string
		for _, one := range s {
			ids = append(ids, one.text("gen_ai.response.id"))
		}
		slices.Sort(ids)
		slices.Sort(f.IDs)
		c.ok("the spans have other ids than the client got", slices.Equal(ids, f.IDs))
		c.is("different ids", len(slices.Compact(ids)), 16)
	}},
}

// answered checks a whole chat answer, and that the span says what the client
// was told.
func (c *checks) answered(f facts, s span) {
	c.told(f, s, f.IDs[len(f.IDs)-1])
	c.ok("the client was told no usage", f.Usage != nil)
	c.usage(s, f.Usage)
}

func (c *checks) streamed(f facts, s span) {
	c.told(f, s, f.IDs[0])
	c.is("stream", s.text("gen_ai.request.stream"), "true")
	c.ok("the client got no pieces", f.Chunks > 3)
	c.ok("no time to first token", s.float("spanwire.time_to_first_token") > 0)
	c.ok("no chunk rhythm", s.int("spanwire.chunks.count") > 3)
}

// told checks what a finished answer and its span have in common.
func (c *checks) told(f facts, s span, id string) {
	c.is("span name", s.Name, "chat "+s.text("gen_ai.request.model"))
	c.is("response id", s.text("gen_ai.response.id"), id)
	c.is("response model", s.text("gen_ai.response.model"), f.Model)
	c.is("finish reason", s.text("gen_ai.response.finish_reasons"), f.Finish)
	if s.text("gen_ai.request.stream") != "true" || !leftAtTheEnd(s) {
		c.is("end", s.text("spanwire.end"), "complete")
	}
	c.is("span status", s.Status.Code, 0)
	output, err := s.messages("gen_ai.output.messages")
	c.ok(fmt.Sprint(err), err == nil)
	c.is("answer in the span", said(output, "text"), f.Text)
	c.ok("the client got no text", f.Text != "")
	input, err := s.messages("gen_ai.input.messages")
	c.ok(fmt.Sprint(err), err == nil)
	c.ok("the span has not what was asked", strings.Contains(said(input, "text"), "Say hello to wörld ✓"))
}

// usage checks that the span has the provider's own count; want is nil where the
// client was told none.
func (c *checks) usage(s span, want *tokens) {
	c.is("usage source", s.text("spanwire.usage.source"), "reported")
	in, out := s.int("gen_ai.usage.input_tokens"), s.int("gen_ai.usage.output_tokens")
	c.ok("the span has no tokens", in > 0 && out > 0)
	if want != nil {
		c.is("input tokens", in, want.Input)
		c.is("output tokens", out, want.Output)
	}
	if strings.HasPrefix(s.text("gen_ai.request.model"), "gpt-4o") {
		c.priced(s)
	}
}

func (c *checks) priced(s span) {
	c.is("cost status", s.text("spanwire.cost.status"), "ok")
	c.ok("the span has no cost", s.float("gen_ai.usage.cost") > 0)
}

func (c *checks) failed(s span, code string) {
	c.is("error type", s.text("error.type"), code)
	c.is("span status", s.Status.Code, 2)
	c.is("tokens of a refused call", s.text("gen_ai.usage.output_tokens"), "")
}

// tools checks an agent's round trip: asked, ran the tools, got the answer.
func (c *checks) tools(f facts, s []span) {
	c.ok("the model asked for no tool", len(f.Tools) > 0)
	c.is("first response id", s[0].text("gen_ai.response.id"), f.IDs[0])
	c.is("first finish reason", s[0].text("gen_ai.response.finish_reasons"), "tool_calls")
	c.told(f, s[1], f.IDs[1])
	asked, err := s[0].messages("gen_ai.output.messages")
	c.ok(fmt.Sprint(err), err == nil)
	c.is("tool calls in the span", toolIDs(asked, "tool_call"), idsOf(f.Tools))
	answered, err := s[1].messages("gen_ai.input.messages")
	c.ok(fmt.Sprint(err), err == nil)
	c.is("tool results in the span", toolIDs(answered, "tool_call_response"), idsOf(f.Tools))
	c.ok("the span has not what the tool returned", strings.Contains(said(answered, "tool_call_response"), "18 degrees, sunny"))
	c.ok("the span has no tool definitions", strings.Contains(s[0].text("gen_ai.tool.definitions"), "get_weather"))
}

func toolIDs(all []message, kind string) string {
	var ids []string
	for _, m := range all {
		for _, p := range m.Parts {
			if p.Type == kind {
				ids = append(ids, p.ID)
			}
		}
	}
	return strings.Join(ids, ",")
}

func idsOf(calls []toolCall) string {
	var ids []string
	for _, c := range calls {
		ids = append(ids, c.ID)
	}
	return strings.Join(ids, ",")
}
