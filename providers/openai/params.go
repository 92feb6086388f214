package openai

import (
	"maps"

	param "github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// chatParams maps the members of a request to span attributes (telemetry reference,
// section 1; wire reference, section 4.1). Adding an attribute read off the
// request is one row.
var chatParams = andWhom(param.Table{
	"temperature":           {Key: "gen_ai.request.temperature", Form: param.Double},
	"top_p":                 {Key: "gen_ai.request.top_p", Form: param.Double},
	"top_k":                 {Key: "gen_ai.request.top_k", Form: param.Double},
	"frequency_penalty":     {Key: "gen_ai.request.frequency_penalty", Form: param.Double},
	"presence_penalty":      {Key: "gen_ai.request.presence_penalty", Form: param.Double},
	"max_tokens":            {Key: "gen_ai.request.max_tokens", Form: param.Int},
	"max_completion_tokens": {Key: "gen_ai.request.max_tokens", Form: param.Int},
	"seed":                  {Key: "gen_ai.request.seed", Form: param.Int},
	"random_seed":           {Key: "gen_ai.request.seed", Form: param.Int},
	"n":                     {Key: "gen_ai.request.choice.count", Form: param.Int},
	"stop":                  {Key: "gen_ai.request.stop_sequences", Form: param.Texts},
	"reasoning_effort":      {Key: "gen_ai.request.reasoning.level", Form: param.Text},
	"encoding_format":       {Key: "gen_ai.request.encoding_formats", Form: param.Texts},
	"dimensions":            {Key: "gen_ai.embeddings.dimension.count", Form: param.Int},

	"service_tier":           {Key: "openai.request.service_tier", Form: param.Text},
	"tool_choice":            {Key: "openai.request.tool_choice", Form: param.JSON},
	"function_call":          {Key: "openai.request.tool_choice", Form: param.JSON},
	"parallel_tool_calls":    {Key: "openai.request.parallel_tool_calls", Form: param.Bool},
	"verbosity":              {Key: "openai.request.verbosity", Form: param.Text},
	"store":                  {Key: "openai.request.store", Form: param.Bool},
	"min_p":                  {Key: "openai.request.min_p", Form: param.Double},
	"repetition_penalty":     {Key: "openai.request.repetition_penalty", Form: param.Double},
	"prompt_cache_retention": {Key: "openai.request.prompt_cache_retention", Form: param.Text},
})

// whom are the members that say whom a call is for, which attribution reads: OpenAI's
// own, LiteLLM's and OpenRouter's id of a session, and the user of those who call it
// user_id (DeepSeek, Z.AI).
var whom = param.Table{
	"user":               {Key: "openai.request.user", Form: param.Text},
	"safety_identifier":  {Key: "openai.request.safety_identifier", Form: param.Text},
	"prompt_cache_key":   {Key: "openai.request.prompt_cache_key", Form: param.Text},
	"litellm_session_id": {Key: "openai.request.litellm_session_id", Form: param.Text},
	"session_id":         {Key: "openai.request.session_id", Form: param.Text},
	"user_id":            {Key: "openai.request.user_id", Form: param.Text},
}

// andWhom adds those to a table.
func andWhom(t param.Table) param.Table {
	maps.Copy(t, whom)
	return t
}

// setMetadata carries the caller's own key and value pairs over.
func setMetadata(c *llm.Call, val []byte) { param.Pairs(c, "openai.request.metadata.", val) }
