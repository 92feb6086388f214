package bedrock

import (
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// finishNames maps the stop reasons of Converse and of the families that are read
// here to the normal ones (telemetry reference, section 3).
var finishNames = map[string]string{
	"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_call",
	"guardrail_intervened": "content_filter", "content_filtered": "content_filter",
	"malformed_model_output": "error", "malformed_tool_use": "error", "model_context_window_exceeded": "length",
	"FINISH": "stop", "FINISHED": "stop", "LENGTH": "length", "STOP_CRITERIA_MET": "stop", "CONTENT_FILTERED": "content_filter",
	"endoftext": "stop", "eos_token": "stop", "tool_calls": "tool_call",
}

// settleOperation names what an invoke did by what came of it: of many models only
// that tells, as their requests look like others.
func settleOperation(c *llm.Call) {
	for _, a := range c.Attrs {
		switch a.Key {
		case "spanwire.embeddings.count":
			c.Operation = "embeddings"
		case "spanwire.rerank.count":
			c.Operation = "rerank"
		}
	}
	if n, _ := c.Usage.Get(llm.Images); n > 0 {
		c.Operation = "image_generation"
	}
}

// fill writes what was read here of the response into c.
func (r *Reader) fill(c *llm.Call, cut bool) {
	c.ResponseID, c.ResponseModel = jsonwalk.Str(r.id), jsonwalk.Str(r.model)
	r.answer.Fill(c, finishNames, cut)
}
