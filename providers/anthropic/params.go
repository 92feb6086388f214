package anthropic

import (
	"strings"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

const (
	keyVersion  = "anthropic.request.version"
	keyBeta     = "anthropic.request.beta"
	keyMetadata = "anthropic.request.metadata."
)

// table maps the members of a request, and those of its objects, to span
// attributes (telemetry reference, section 1; wire reference, section 7.1). Adding
// an attribute read off the request is one row.
var table = params.Table{
	"temperature":          {Key: "gen_ai.request.temperature", Form: params.Double},
	"top_p":                {Key: "gen_ai.request.top_p", Form: params.Double},
	"top_k":                {Key: "gen_ai.request.top_k", Form: params.Double},
	"max_tokens":           {Key: "gen_ai.request.max_tokens", Form: params.Int},
	"max_tokens_to_sample": {Key: "gen_ai.request.max_tokens", Form: params.Int},
	"stop_sequences":       {Key: "gen_ai.request.stop_sequences", Form: params.Texts},
	"output_config.effort": {Key: "gen_ai.request.reasoning.level", Form: params.Text},

	"thinking.type":          {Key: "anthropic.request.thinking.type", Form: params.Text},
	"thinking.budget_tokens": {Key: "anthropic.request.thinking.budget_tokens", Form: params.Int},
	"thinking.display":       {Key: "anthropic.request.thinking.display", Form: params.Text},

	"tool_choice.type":                      {Key: "anthropic.request.tool_choice", Form: params.Text},
	"tool_choice.name":                      {Key: "anthropic.request.tool_choice.name", Form: params.Text},
	"tool_choice.disable_parallel_tool_use": {Key: "anthropic.request.disable_parallel_tool_use", Form: params.Bool},

	"service_tier":       {Key: "anthropic.request.service_tier", Form: params.Text},
	"speed":              {Key: "anthropic.request.speed", Form: params.Text},
	"inference_geo":      {Key: "anthropic.request.inference_geo", Form: params.Text},
	"container":          {Key: "anthropic.request.container", Form: params.Text},
	"container.id":       {Key: "anthropic.request.container", Form: params.Text},
	"cache_control.type": {Key: "anthropic.request.cache_control", Form: params.Text},
	"cache_control.ttl":  {Key: "anthropic.request.cache_control.ttl", Form: params.Text},

	// A thread is kept by the provider: a request brings what is new, and names the
	// answer that it goes on from (beta message-threads).
	"thread.type":                {Key: "anthropic.request.thread", Form: params.Text},
	"thread.previous_message_id": {Key: "gen_ai.request.previous_response.id", Form: params.Text},

	"context_management.edits": {Key: "anthropic.request.context_management.edits", Form: params.JSON},

	// On Vertex and Bedrock these stand in the body.
	"anthropic_version": {Key: keyVersion, Form: params.Text},
	"anthropic_beta":    {Key: keyBeta, Form: params.Texts},
}

// lists are members that hold objects, of which one member says enough.
var lists = map[string]struct{ key, member string }{
	"fallbacks":   {"anthropic.request.fallbacks", "model"},
	"mcp_servers": {"anthropic.request.mcp_servers", "name"},
}

// paramNames are the members at the top of a request that a row begins with.
func paramNames() (names []string) {
	for _, name := range table.Names() {
		name, _, _ = strings.Cut(name, ".")
		names = append(names, name)
	}
	for name := range lists {
		names = append(names, name)
	}
	return names
}

// setParam carries one member over, if it is a parameter, or an object that has
// parameters.
func setParam(c *llm.Call, key, val []byte) {
	if list, ok := lists[string(key)]; ok {
		setList(c, list.key, list.member, val)
		return
	}
	if !jsonwalk.IsObject(val) {
		table.Set(c, key, val)
		return
	}
	for m := jsonwalk.Object(val); m.Next(); {
		if len(key)+len(m.Key) < 64 {
			table.Set(c, append(append(append(make([]byte, 0, 64), key...), '.'), m.Key...), m.Val)
		}
	}
}

const maxTexts = 64

func setList(c *llm.Call, key, member string, val []byte) {
	var list []string
	for e := jsonwalk.Array(val); e.Next() && len(list) < maxTexts; {
		v := e.Val
		if jsonwalk.IsObject(v) {
			v = jsonwalk.Member(v, member)
		}
		if s := jsonwalk.Str(v); s != "" {
			list = append(list, jsonwalk.Clip(s, params.MaxText))
		}
	}
	if list != nil {
		c.SetAttr(key, list)
	}
}

// setMetadata carries whom the call is for over, as it was sent: attribution reads
// it.
func setMetadata(c *llm.Call, val []byte) { params.Pairs(c, keyMetadata, val) }
