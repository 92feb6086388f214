package cohere

import (
	"strings"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// parameters of a request (telemetry reference, section 1).
var parameters = params.Table{
	"temperature":       {Key: "gen_ai.request.temperature", Form: params.Double},
	"p":                 {Key: "gen_ai.request.top_p", Form: params.Double},
	"k":                 {Key: "gen_ai.request.top_k", Form: params.Double},
	"frequency_penalty": {Key: "gen_ai.request.frequency_penalty", Form: params.Double},
	"presence_penalty":  {Key: "gen_ai.request.presence_penalty", Form: params.Double},
	"max_tokens":        {Key: "gen_ai.request.max_tokens", Form: params.Int},
	"seed":              {Key: "gen_ai.request.seed", Form: params.Int},
	"num_generations":   {Key: "gen_ai.request.choice.count", Form: params.Int},
	"stop_sequences":    {Key: "gen_ai.request.stop_sequences", Form: params.Texts},
	"embedding_types":   {Key: "gen_ai.request.encoding_formats", Form: params.Texts},
	"output_dimension":  {Key: "gen_ai.embeddings.dimension.count", Form: params.Int},

	"tool_choice":        {Key: "cohere.request.tool_choice", Form: params.Text},
	"strict_tools":       {Key: "cohere.request.strict_tools", Form: params.Bool},
	"safety_mode":        {Key: "cohere.request.safety_mode", Form: params.Text},
	"citation_options":   {Key: "cohere.request.citation_options", Form: params.JSON},
	"citation_quality":   {Key: "cohere.request.citation_quality", Form: params.Text},
	"conversation_id":    {Key: "cohere.request.conversation_id", Form: params.Text},
	"prompt_truncation":  {Key: "cohere.request.prompt_truncation", Form: params.Text},
	"priority":           {Key: "cohere.request.priority", Form: params.Int},
	"logprobs":           {Key: "cohere.request.logprobs", Form: params.Bool},
	"input_type":         {Key: "cohere.request.input_type", Form: params.Text},
	"truncate":           {Key: "cohere.request.truncate", Form: params.JSON},
	"top_n":              {Key: "cohere.request.top_n", Form: params.Int},
	"top_k":              {Key: "cohere.request.top_n", Form: params.Int}, // Voyage
	"max_tokens_per_doc": {Key: "cohere.request.max_tokens_per_doc", Form: params.Int},
	"return_documents":   {Key: "cohere.request.return_documents", Form: params.Bool},
}

// requestKeys are the members of a request that are worth finding in its end.
var requestKeys = append([]string{"model", "stream", "tools", "response_format", "preamble", "thinking"}, parameters.Names()...)

// ReadRequest reads what was asked into c. What could not be read is listed in
// c.Problems; the error is that of a body of which nothing could be read. Texts are
// copied out of the body.
func (Dialect) ReadRequest(c *llm.Call, x *llm.Exchange) error {
	kind, operation := find(x)
	head, tail := intake.Request(c, x)
	if kind != other {
		c.Kind, c.Operation = llm.KindLLM, operation
	}
	if len(head) == 0 && len(tail) == 0 {
		return nil
	}
	q := request{c: c, kind: kind}
	whole := intake.Members(head, tail, requestKeys, q.member)
	q.say()
	return intake.Judge(c, x, kind == other || whole, c.RequestModel == "" && len(c.Input) == 0)
}

// request is a request being read.
type request struct {
	c       *llm.Call
	kind    endpoint
	message []byte // what version 1 says last, beside its history
	results []byte // of tools, in version 1
}

func (q *request) member(key, val []byte) {
	c := q.c
	switch string(key) {
	case "model":
		if m := jsonwalk.Str(val); m != "" {
			c.RequestModel = jsonwalk.Clip(m, params.MaxText)
		}
		return
	case "stream":
		c.Stream = string(val) == "true"
		return
	}
	if q.kind == other {
		return
	}
	switch string(key) {
	case "messages":
		for e := jsonwalk.Array(val); e.Next(); {
			if jsonwalk.IsObject(e.Val) {
				c.Input = append(c.Input, readMessage(e.Val))
			}
		}
	case "chat_history":
		for e := jsonwalk.Array(val); e.Next(); {
			if jsonwalk.IsObject(e.Val) {
				c.Input = append(c.Input, readTurn(e.Val))
			}
		}
	case "message", "prompt", "text":
		q.message = val
	case "tool_results":
		q.results = val
	case "preamble":
		if s := jsonwalk.Str(val); s != "" {
			c.System = []llm.Part{{Type: llm.PartText, Content: s}}
		}
	case "query", "texts", "inputs", "images":
		q.input(val)
	case "documents":
		q.documents(val)
	case "tools":
		c.Tools = append(c.Tools, readTools(val)...)
	case "connectors":
		for e := jsonwalk.Array(val); e.Next(); {
			c.Tools = append(c.Tools, llm.Tool{Type: "connector", Name: jsonwalk.Str(jsonwalk.Member(e.Val, "id"))})
		}
	case "response_format":
		q.format(val)
	case "thinking":
		if t := jsonwalk.Str(jsonwalk.Member(val, "type")); t != "" {
			c.SetAttr("cohere.request.thinking.type", jsonwalk.Clip(t, params.MaxText))
		}
		params.Row{Key: "cohere.request.thinking.token_budget", Form: params.Int}.Set(c, jsonwalk.Member(val, "token_budget"))
	case "num_generations":
		if string(val) != "1" {
			parameters.Set(c, key, val)
		}
	default:
		parameters.Set(c, key, val)
	}
}

// say adds what version 1 says apart from its history.
func (q *request) say() {
	for e := jsonwalk.Array(q.results); e.Next(); {
		q.c.Input = append(q.c.Input, llm.Message{Role: "tool", Parts: []llm.Part{readResult(e.Val)}})
	}
	if s := jsonwalk.Str(q.message); s != "" {
		q.user(llm.Part{Type: llm.PartText, Content: s})
	}
}

func (q *request) user(parts ...llm.Part) {
	if len(parts) > 0 {
		q.c.Input = append(q.c.Input, llm.Message{Role: "user", Parts: parts})
	}
}

// input reads what is to be embedded or searched: a text, texts, images, or lists of
// parts.
func (q *request) input(val []byte) {
	if s := jsonwalk.Str(val); s != "" {
		q.user(llm.Part{Type: llm.PartText, Content: s})
	}
	for e := jsonwalk.Array(val); e.Next(); {
		switch {
		case e.Val[0] == '"' && strings.HasPrefix(string(e.Val[1:min(len(e.Val), 8)]), "data:"):
			q.user(content.Link(e.Val, "image"))
		case e.Val[0] == '"':
			q.user(llm.Part{Type: llm.PartText, Content: jsonwalk.Str(e.Val)})
		case jsonwalk.IsObject(e.Val):
			q.user(readContent(jsonwalk.Member(e.Val, "content"))...)
		}
	}
}

// documents count; what is in them is not the prompt.
func (q *request) documents(val []byte) {
	n := int64(0)
	for e := jsonwalk.Array(val); e.Next(); {
		n++
	}
	q.c.SetAttr("cohere.request.documents.count", n)
}

func (q *request) format(val []byte) {
	switch jsonwalk.Str(jsonwalk.Member(val, "type")) {
	case "json_object":
		q.c.SetAttr("gen_ai.output.type", "json")
		for _, key := range []string{"json_schema", "schema"} {
			if s := jsonwalk.Member(val, key); jsonwalk.IsObject(s) {
				q.c.OutputSchema = content.Compact(s)
			}
		}
	case "text":
		q.c.SetAttr("gen_ai.output.type", "text")
	}
}
