package gemini

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// Members of requests and the attributes that they become (telemetry reference,
// section 1; wire reference, section 8). Adding an attribute read off the request
// is one row. Names are in camelCase.
var (
	configParams = params.Table{
		"temperature":        {Key: "gen_ai.request.temperature", Form: params.Double},
		"topP":               {Key: "gen_ai.request.top_p", Form: params.Double},
		"topK":               {Key: "gen_ai.request.top_k", Form: params.Double},
		"frequencyPenalty":   {Key: "gen_ai.request.frequency_penalty", Form: params.Double},
		"presencePenalty":    {Key: "gen_ai.request.presence_penalty", Form: params.Double},
		"maxOutputTokens":    {Key: "gen_ai.request.max_tokens", Form: params.Int},
		"seed":               {Key: "gen_ai.request.seed", Form: params.Int},
		"stopSequences":      {Key: "gen_ai.request.stop_sequences", Form: params.Texts},
		"thinkingLevel":      {Key: "gen_ai.request.reasoning.level", Form: params.Text},
		"thinkingBudget":     {Key: "gemini.request.thinking_budget", Form: params.Int},
		"includeThoughts":    {Key: "gemini.request.include_thoughts", Form: params.Bool},
		"thinkingSummaries":  {Key: "gemini.request.thinking_summaries", Form: params.Text},
		"responseLogprobs":   {Key: "gemini.request.response_logprobs", Form: params.Bool},
		"logprobs":           {Key: "gemini.request.logprobs", Form: params.Int},
		"mediaResolution":    {Key: "gemini.request.media_resolution", Form: params.Text},
		"responseModalities": {Key: "gemini.request.response_modalities", Form: params.Texts},
		"toolChoice":         {Key: "gemini.request.tool_choice", Form: params.JSON},
	}
	topParams = params.Table{
		"cachedContent": {Key: "gemini.request.cached_content", Form: params.Text},
		"serviceTier":   {Key: "gemini.request.service_tier", Form: params.Text},
	}
	embedParams = params.Table{
		"outputDimensionality": {Key: "gen_ai.embeddings.dimension.count", Form: params.Int},
		"taskType":             {Key: "gemini.request.task_type", Form: params.Text},
	}
	predictParams = params.Table{
		"outputDimensionality": {Key: "gen_ai.embeddings.dimension.count", Form: params.Int},
		"dimension":            {Key: "gen_ai.embeddings.dimension.count", Form: params.Int},
		"sampleCount":          {Key: "gen_ai.request.choice.count", Form: params.Int},
		"seed":                 {Key: "gen_ai.request.seed", Form: params.Int},
		"aspectRatio":          {Key: "gemini.request.aspect_ratio", Form: params.Text},
	}
	interactParams = params.Table{
		"agent":                 {Key: "gemini.request.agent", Form: params.Text},
		"previousInteractionId": {Key: "gen_ai.request.previous_response.id", Form: params.Text},
		"serviceTier":           {Key: "gemini.request.service_tier", Form: params.Text},
		"background":            {Key: "gemini.request.background", Form: params.Bool},
		"store":                 {Key: "gemini.request.store", Form: params.Bool},
		"responseModalities":    {Key: "gemini.request.response_modalities", Form: params.Texts},
	}
)

// readConfig reads generationConfig, in either API.
func readConfig(c *llm.Call, val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch name := string(camel(m.Key)); name {
		case "candidateCount":
			if string(m.Val) != "1" {
				params.Row{Key: "gen_ai.request.choice.count", Form: params.Int}.Set(c, m.Val)
			}
		case "thinkingConfig":
			for t := jsonwalk.Object(m.Val); t.Next(); {
				configParams.Set(c, camel(t.Key), t.Val)
			}
		case "responseMimeType":
			readMIME(c, m.Val)
		case "responseSchema", "responseJsonSchema", "_responseJsonSchema":
			readSchema(c, m.Val)
		case "responseModalities":
			readModalities(c, m.Val)
			configParams.Set(c, []byte(name), m.Val)
		default:
			configParams.Set(c, []byte(name), m.Val)
		}
	}
}

func readMIME(c *llm.Call, val []byte) {
	switch jsonwalk.Str(val) {
	case "application/json", "text/x.enum":
		c.SetAttr("gen_ai.output.type", "json")
	case "text/plain":
		c.SetAttr("gen_ai.output.type", "text")
	}
}

func readSchema(c *llm.Call, val []byte) {
	if jsonwalk.IsObject(val) {
		c.OutputSchema = string(val)
		c.SetAttr("gen_ai.output.type", "json")
	}
}

// readModalities reads what kinds of output were asked for, as words or numbers
// (1 text, 2 image, 3 audio).
func readModalities(c *llm.Call, val []byte) {
	kind := ""
	for e := jsonwalk.Array(val); e.Next(); {
		switch strings.ToLower(gjson.ParseBytes(e.Val).String()) {
		case "audio", "3":
			kind = "speech"
		case "image", "2":
			kind = "image"
		}
	}
	if kind != "" {
		c.SetAttr("gen_ai.output.type", kind)
	}
}

func readToolConfig(c *llm.Call, val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		if string(camel(m.Key)) == "functionCallingConfig" {
			params.Row{Key: "gemini.request.tool_choice", Form: params.Text}.Set(c, jsonwalk.Member(m.Val, "mode"))
		}
	}
}

// readLabels carries Vertex's cost labels over.
func readLabels(c *llm.Call, val []byte) { params.Pairs(c, "gemini.request.labels.", val) }
