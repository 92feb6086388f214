package openai

import (
	"strings"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	param "github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// responseParams maps the members of a request of the Responses API to attributes
// (wire reference, section 5.1).
var responseParams = andWhom(param.Table{
	"temperature":            {Key: "gen_ai.request.temperature", Form: param.Double},
	"top_p":                  {Key: "gen_ai.request.top_p", Form: param.Double},
	"top_k":                  {Key: "gen_ai.request.top_k", Form: param.Double},
	"presence_penalty":       {Key: "gen_ai.request.presence_penalty", Form: param.Double},
	"frequency_penalty":      {Key: "gen_ai.request.frequency_penalty", Form: param.Double},
	"seed":                   {Key: "gen_ai.request.seed", Form: param.Int},
	"max_output_tokens":      {Key: "gen_ai.request.max_tokens", Form: param.Int},
	"previous_response_id":   {Key: "gen_ai.request.previous_response.id", Form: param.Text},
	"tool_choice":            {Key: "openai.request.tool_choice", Form: param.JSON},
	"parallel_tool_calls":    {Key: "openai.request.parallel_tool_calls", Form: param.Bool},
	"max_tool_calls":         {Key: "openai.request.max_tool_calls", Form: param.Int},
	"store":                  {Key: "openai.request.store", Form: param.Bool},
	"background":             {Key: "openai.request.background", Form: param.Bool},
	"truncation":             {Key: "openai.request.truncation", Form: param.Text},
	"include":                {Key: "openai.request.include", Form: param.Texts},
	"top_logprobs":           {Key: "openai.request.top_logprobs", Form: param.Int},
	"prompt_cache_retention": {Key: "openai.request.prompt_cache_retention", Form: param.Text},
})

// Members of members.
var (
	reasoningParams = param.Table{
		"effort":  {Key: "gen_ai.request.reasoning.level", Form: param.Text},
		"summary": {Key: "openai.request.reasoning.summary", Form: param.Text},
	}
	promptParams = param.Table{
		"id":      {Key: "openai.request.prompt.id", Form: param.Text},
		"version": {Key: "openai.request.prompt.version", Form: param.Text},
	}
	conversationParam = param.Row{Key: "openai.request.conversation", Form: param.Text}
	tierParam         = param.Row{Key: "openai.request.service_tier", Form: param.Text}
)

// responseRequestKeys are the members that are worth finding in the end of a
// request.
var responseRequestKeys = append([]string{"model", "stream", "tools", "text", "reasoning", "conversation", "metadata", "service_tier", "prompt", "instructions"}, responseParams.Names()...)

// readResponseRequest reads what was asked of the Responses API.
func readResponseRequest(c *llm.Call, x *llm.Exchange, kind endpoint) error {
	if kind == told {
		c.Stream = strings.Contains(x.Asked(), "stream=true")
		c.SetAttr("openai.api.type", "responses")
		return nil
	}
	head, tail := intake.Request(c, x)
	if len(head) == 0 {
		return nil
	}
	whole := intake.Members(head, tail, responseRequestKeys, func(key, val []byte) { responseMember(c, key, val) })
	if kind == counting {
		c.Input, c.System, c.Tools, c.OutputSchema = nil, nil, nil, ""
	} else {
		c.SetAttr("openai.api.type", "responses")
	}
	return intake.Judge(c, x, whole, c.RequestModel == "" && len(c.Input) == 0)
}

// responseMember reads one member of a request, or of the event that makes a
// response within a session.
func responseMember(c *llm.Call, key, val []byte) {
	switch string(key) {
	case "model":
		if s := jsonwalk.Str(val); s != "" {
			c.RequestModel = jsonwalk.Clip(s, param.MaxText)
		}
	case "stream":
		c.Stream = string(val) == "true"
	case "input":
		c.Input = append(c.Input, readItems(val)...)
	case "instructions":
		c.System = readInstructions(val)
	case "tools":
		c.Tools = append(c.Tools, readTools(val)...)
	case "text":
		setFormat(c, jsonwalk.Member(val, "format"))
		if v := jsonwalk.Str(jsonwalk.Member(val, "verbosity")); v != "" {
			c.SetAttr("openai.request.verbosity", jsonwalk.Clip(v, param.MaxText))
		}
	case "reasoning":
		reasoningParams.SetAll(c, val)
	case "prompt":
		promptParams.SetAll(c, val)
	case "conversation":
		conversationParam.Set(c, textOrID(val))
	case "metadata":
		setMetadata(c, val)
	case "service_tier":
		if string(val) != `"auto"` {
			tierParam.Set(c, val)
		}
	default:
		responseParams.Set(c, key, val)
	}
}

// setFormat reads what the answer has to look like: the format of the Responses API,
// or that of chat, whose schema is a member deeper (wire reference, sections 4.1 and
// 5.1).
func setFormat(c *llm.Call, format []byte) {
	schema := jsonwalk.Member(format, "schema")
	if in := jsonwalk.Member(format, "json_schema"); jsonwalk.IsObject(in) {
		schema = jsonwalk.Member(in, "schema")
	}
	switch jsonwalk.Word(jsonwalk.Member(format, "type")) {
	case "json_schema", "json_object": // some take a schema with either (Together, Fireworks, llama.cpp)
		c.OutputSchema = content.Compact(schema)
		c.SetAttr("gen_ai.output.type", "json")
	case "text":
		c.SetAttr("gen_ai.output.type", "text")
	}
}

// readInstructions reads a text, or the items that a stored prompt has.
func readInstructions(val []byte) (parts []llm.Part) {
	if s := jsonwalk.Str(val); s != "" {
		return []llm.Part{{Type: llm.PartText, Content: s}}
	}
	for e := jsonwalk.Array(val); e.Next(); {
		if jsonwalk.IsObject(e.Val) {
			_, of := readItem(e.Val)
			parts = append(parts, of...)
		}
	}
	return parts
}

// readItems reads the input: a text, or a list of items, each a message.
func readItems(val []byte) (ms []llm.Message) {
	if s := jsonwalk.Str(val); s != "" {
		return []llm.Message{{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: s}}}}
	}
	for e := jsonwalk.Array(val); e.Next(); {
		if jsonwalk.IsObject(e.Val) {
			role, parts := readItem(e.Val)
			ms = append(ms, llm.Message{Role: role, Parts: parts})
		}
	}
	return ms
}
