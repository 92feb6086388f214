package textgen

import (
	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// parameters of a request: at watsonx and Hugging Face in the member parameters, at
// Replicate beside the prompt (telemetry reference, section 1).
var parameters = params.Table{
	"temperature":        {Key: "gen_ai.request.temperature", Form: params.Double},
	"top_p":              {Key: "gen_ai.request.top_p", Form: params.Double},
	"top_k":              {Key: "gen_ai.request.top_k", Form: params.Double},
	"frequency_penalty":  {Key: "gen_ai.request.frequency_penalty", Form: params.Double},
	"presence_penalty":   {Key: "gen_ai.request.presence_penalty", Form: params.Double},
	"max_new_tokens":     {Key: "gen_ai.request.max_tokens", Form: params.Int},
	"max_tokens":         {Key: "gen_ai.request.max_tokens", Form: params.Int},
	"random_seed":        {Key: "gen_ai.request.seed", Form: params.Int},
	"seed":               {Key: "gen_ai.request.seed", Form: params.Int},
	"stop_sequences":     {Key: "gen_ai.request.stop_sequences", Form: params.Texts},
	"stop":               {Key: "gen_ai.request.stop_sequences", Form: params.Texts},
	"decoding_method":    {Key: "textgen.request.decoding_method", Form: params.Text},
	"min_new_tokens":     {Key: "textgen.request.min_new_tokens", Form: params.Int},
	"repetition_penalty": {Key: "textgen.request.repetition_penalty", Form: params.Double},
	"do_sample":          {Key: "textgen.request.do_sample", Form: params.Bool},
	"adapter_id":         {Key: "textgen.request.adapter", Form: params.Text},
}

// requestKeys are the members of a request that are worth finding in its end.
var requestKeys = []string{"model_id", "model", "version", "parameters", "stream", "project_id", "space_id"}

// ReadRequest reads what was asked into c. What could not be read is listed in
// c.Problems; the error is that of a body of which nothing could be read. Texts are
// copied out of the body.
func (d Dialect) ReadRequest(c *llm.Call, x *llm.Exchange) error {
	p := find(x)
	if p.endpoint == other {
		intake.Request(c, x)
		return nil
	}
	q := request{c: c}
	if p.endpoint == chat && d.Chat.ReadRequest != nil {
		err := d.Chat.ReadRequest(c, at(x))
		head, tail := intake.Request(&llm.Call{}, x)
		c.Stream, c.RequestModel = p.stream, p.model
		q.nameModel(head, tail)
		return err
	}
	c.Kind, c.Operation, c.Stream, c.RequestModel = llm.KindLLM, p.operation, p.stream, p.model
	head, tail := intake.Request(c, x)
	if len(head) == 0 && len(tail) == 0 {
		return nil
	}
	whole := intake.Members(head, tail, requestKeys, q.member)
	return intake.Judge(c, x, whole, c.RequestModel == "" && len(c.Input) == 0)
}

// request is a request being read.
type request struct{ c *llm.Call }

// nameModel reads the model of a request that a guest has read.
func (q *request) nameModel(head, tail []byte) {
	for m := jsonwalk.Object(head); m.Next(); {
		if string(m.Key) == "model_id" {
			q.member(m.Key, m.Val)
		}
	}
	for m := jsonwalk.Ending(tail, requestKeys); m.Next(); {
		if string(m.Key) == "model_id" {
			q.member(m.Key, m.Val)
		}
	}
}

func (q *request) member(key, val []byte) {
	c := q.c
	switch string(key) {
	case "model_id", "model", "version":
		if s := jsonwalk.Str(val); s != "" {
			c.RequestModel = jsonwalk.Clip(s, params.MaxText)
		}
	case "stream":
		c.Stream = c.Stream || string(val) == "true"
	case "parameters":
		parameters.SetAll(c, val)
	case "input", "inputs", "query":
		q.input(val)
	}
}

// input is a prompt, a list of texts, or an object that holds the prompt among the
// parameters.
func (q *request) input(val []byte) {
	if s := jsonwalk.Str(val); s != "" {
		q.say("user", llm.Part{Type: llm.PartText, Content: s})
	}
	for e := jsonwalk.Array(val); e.Next(); {
		if s := jsonwalk.Str(e.Val); s != "" {
			q.say("user", llm.Part{Type: llm.PartText, Content: s})
		}
	}
	var prompt, image []byte
	for m := jsonwalk.Object(val); jsonwalk.IsObject(val) && m.Next(); {
		switch string(m.Key) {
		case "prompt", "text":
			prompt = m.Val
		case "image":
			image = m.Val
		case "system_prompt":
			if s := jsonwalk.Str(m.Val); s != "" {
				q.c.System = []llm.Part{{Type: llm.PartText, Content: s}}
			}
		default:
			parameters.Set(q.c, m.Key, m.Val)
		}
	}
	var parts []llm.Part
	if s := jsonwalk.Str(prompt); s != "" {
		parts = append(parts, llm.Part{Type: llm.PartText, Content: s})
	}
	if len(jsonwalk.Inner(image)) > 0 {
		parts = append(parts, content.Link(image, "image"))
	}
	q.say("user", parts...)
}

func (q *request) say(role string, parts ...llm.Part) {
	if len(parts) > 0 {
		q.c.Input = append(q.c.Input, llm.Message{Role: role, Parts: parts})
	}
}
