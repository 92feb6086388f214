package bedrock

import (
	"strings"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// parameters of Converse and of the bodies of invoke, wherever in the request they
// stand (telemetry reference, section 1).
var parameters = params.Table{
	"temperature":       {Key: "gen_ai.request.temperature", Form: params.Double},
	"topP":              {Key: "gen_ai.request.top_p", Form: params.Double},
	"top_p":             {Key: "gen_ai.request.top_p", Form: params.Double},
	"p":                 {Key: "gen_ai.request.top_p", Form: params.Double},
	"topK":              {Key: "gen_ai.request.top_k", Form: params.Double},
	"top_k":             {Key: "gen_ai.request.top_k", Form: params.Double},
	"frequency_penalty": {Key: "gen_ai.request.frequency_penalty", Form: params.Double},
	"presence_penalty":  {Key: "gen_ai.request.presence_penalty", Form: params.Double},
	"maxTokens":         {Key: "gen_ai.request.max_tokens", Form: params.Int},
	"max_tokens":        {Key: "gen_ai.request.max_tokens", Form: params.Int},
	"max_new_tokens":    {Key: "gen_ai.request.max_tokens", Form: params.Int},
	"maxTokenCount":     {Key: "gen_ai.request.max_tokens", Form: params.Int},
	"max_gen_len":       {Key: "gen_ai.request.max_tokens", Form: params.Int},
	"seed":              {Key: "gen_ai.request.seed", Form: params.Int},
	"stopSequences":     {Key: "gen_ai.request.stop_sequences", Form: params.Texts},
	"stop_sequences":    {Key: "gen_ai.request.stop_sequences", Form: params.Texts},
	"stop":              {Key: "gen_ai.request.stop_sequences", Form: params.Texts},
	"reasoning_effort":  {Key: "gen_ai.request.reasoning.level", Form: params.Text},
	"dimensions":        {Key: "gen_ai.embeddings.dimension.count", Form: params.Int},
	"embeddingTypes":    {Key: "gen_ai.request.encoding_formats", Form: params.Texts},
	"toolChoice":        {Key: "aws.bedrock.request.tool_choice", Form: params.JSON},
	"reasoning_config":  {Key: "aws.bedrock.request.reasoning", Form: params.JSON},
	"reasoningConfig":   {Key: "aws.bedrock.request.reasoning", Form: params.JSON},
	"thinking":          {Key: "aws.bedrock.request.reasoning", Form: params.JSON},
	"numberOfImages":    {Key: "gen_ai.request.choice.count", Form: params.Int},
}

// requestKeys are the members of a request that are worth finding in its end.
var requestKeys = append([]string{
	"inferenceConfig", "toolConfig", "system", "guardrailConfig", "additionalModelRequestFields", "requestMetadata", "performanceConfig", "serviceTier", "textGenerationConfig",
}, parameters.Names()...)

// ReadRequest reads what was asked into c. What could not be read is listed in
// c.Problems; the error is that of a body of which nothing could be read. Texts are
// copied out of the body.
func (d Dialect) ReadRequest(c *llm.Call, x *llm.Exchange) error {
	p := find(x)
	c.RequestModel = jsonwalk.Clip(p.model, params.MaxText)
	if p.arn != "" {
		c.SetAttr("aws.bedrock.model.arn", jsonwalk.Clip(p.arn, params.MaxText))
	}
	if region := regionOf(x.Host); region != "" {
		c.SetAttr("cloud.region", region)
	}
	if id := x.RequestHeader.Get("x-amzn-bedrock-guardrailidentifier"); id != "" {
		c.SetAttr("aws.bedrock.guardrail.id", jsonwalk.Clip(id, params.MaxText))
	}
	if p.endpoint == other || p.endpoint == countTokens {
		intake.Request(c, x)
		return nil
	}
	c.Kind, c.Operation, c.Stream = llm.KindLLM, "chat", p.stream
	if p.endpoint == invoke {
		if f, target := shapeOfRequest(x, p.model); d.guest(f).ReadRequest != nil {
			model := c.RequestModel
			err := d.guest(f).ReadRequest(c, at(x, target, nil))
			c.RequestModel, c.Stream = model, p.stream
			return err
		}
	}
	head, tail := intake.Request(c, x)
	if len(head) == 0 && len(tail) == 0 {
		return nil
	}
	q := request{c: c, invoke: p.endpoint == invoke, model: p.model}
	whole := intake.Members(head, tail, requestKeys, q.member)
	q.operation()
	return intake.Judge(c, x, whole, len(c.Input) == 0)
}

// regionOf reads the region in a host of the runtime API.
func regionOf(host string) string {
	for _, prefix := range []string{"bedrock-runtime.", "bedrock-runtime-fips."} {
		if rest, ok := strings.CutPrefix(host, prefix); ok {
			region, _, _ := strings.Cut(rest, ".")
			return region
		}
	}
	return ""
}

// shapeOfRequest returns the family that the body of an invoke is written as, by the
// model or else by its members, and the target of such a request at home.
func shapeOfRequest(x *llm.Exchange, model string) (f family, target string) {
	f = familyOf(model)
	head, _ := intake.Request(&llm.Call{}, x)
	has := map[string]bool{}
	for m := jsonwalk.Object(head); m.Next(); {
		switch string(m.Key) {
		case "anthropic_version", "max_tokens_to_sample":
			f = anthropic
		case "prompt", "message", "texts", "query", "images", "input_type", "inputs":
			has[string(m.Key)] = true
		case "messages":
			if f == unknown && foreign(m.Val) {
				f = openai
			}
		}
	}
	switch {
	case f == anthropic && has["prompt"]:
		return f, "/v1/complete"
	case f == anthropic:
		return f, "/v1/messages"
	case f == openai:
		return f, "/v1/chat/completions"
	case f != cohere:
		return native, ""
	case has["texts"] || has["input_type"] || has["images"] || has["inputs"]:
		return f, "/v1/embed"
	case has["query"]:
		return f, "/v2/rerank"
	case has["prompt"]:
		return f, "/v1/generate"
	}
	return f, "/v1/chat"
}

// foreign says that messages are written as OpenAI does: content that is a text, or
// of parts that name their type.
func foreign(list []byte) bool {
	e := jsonwalk.Array(list)
	if !e.Next() {
		return false
	}
	text := jsonwalk.Member(e.Val, "content")
	if len(text) > 0 && text[0] == '"' {
		return true
	}
	part := jsonwalk.Array(text)
	return part.Next() && jsonwalk.Member(part.Val, "type") != nil
}

// request is a request being read.
type request struct {
	c      *llm.Call
	invoke bool
	model  string
	text   bool // there is a prompt
	image  bool // an image is to be made
}

func (q *request) member(key, val []byte) {
	c := q.c
	switch string(key) {
	case "messages":
		for e := jsonwalk.Array(val); e.Next(); {
			if jsonwalk.IsObject(e.Val) {
				c.Input = append(c.Input, q.message(e.Val))
			}
		}
	case "system":
		for e := jsonwalk.Array(val); e.Next(); {
			c.System = append(c.System, q.block(e.Val)...)
		}
	case "inferenceConfig", "additionalModelRequestFields", "textGenerationConfig", "imageGenerationConfig":
		parameters.SetAll(c, val)
		if inner := jsonwalk.Member(val, "inferenceConfig"); inner != nil { // Nova's top_k by way of Converse
			parameters.SetAll(c, inner)
		}
	case "toolConfig":
		q.tools(val)
	case "guardrailConfig":
		params.Row{Key: "aws.bedrock.guardrail.id", Form: params.Text}.Set(c, jsonwalk.Member(val, "guardrailIdentifier"))
		params.Row{Key: "aws.bedrock.guardrail.version", Form: params.Text}.Set(c, jsonwalk.Member(val, "guardrailVersion"))
	case "requestMetadata":
		params.Pairs(q.c, "aws.bedrock.request.metadata.", val)
	case "performanceConfig":
		params.Row{Key: "aws.bedrock.request.latency", Form: params.Text}.Set(c, jsonwalk.Member(val, "latency"))
	case "serviceTier":
		params.Row{Key: "aws.bedrock.request.service_tier", Form: params.Text}.Set(c, jsonwalk.Member(val, "type"))
	case "outputConfig":
		q.output(val)
	case "prompt", "inputText", "inputPrompt":
		if s := jsonwalk.Str(val); s != "" {
			q.text = true
			c.Input = append(c.Input, llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: s}}})
		}
	case "inputImage":
		if raw := jsonwalk.Inner(val); len(raw) > 0 {
			c.Input = append(c.Input, llm.Message{Role: "user", Parts: []llm.Part{content.Blob(raw, "image", "")}})
		}
	case "textToImageParams", "imageVariationParams", "inPaintingParams", "outPaintingParams":
		q.image = true
		if s := jsonwalk.Str(jsonwalk.Member(val, "text")); s != "" {
			c.Input = append(c.Input, llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: s}}})
		}
	default:
		parameters.Set(c, key, val)
	}
}

// operation names what an invoke is for.
func (q *request) operation() {
	switch {
	case !q.invoke:
	case strings.Contains(q.model, "embed"):
		q.c.Operation = "embeddings"
	case q.image || strings.Contains(q.model, "stability."):
		q.c.Operation = "image_generation"
		q.c.SetAttr("gen_ai.output.type", "image")
	case q.text:
		q.c.Operation = "text_completion"
	}
}

func (q *request) output(val []byte) {
	format := jsonwalk.Member(val, "textFormat")
	if jsonwalk.Str(jsonwalk.Member(format, "type")) != "json_schema" {
		return
	}
	q.c.SetAttr("gen_ai.output.type", "json")
	schema := jsonwalk.Member(jsonwalk.Member(jsonwalk.Member(format, "structure"), "jsonSchema"), "schema")
	if s := jsonwalk.Str(schema); s != "" {
		q.c.OutputSchema = s
	} else {
		q.c.OutputSchema = content.Compact(schema)
	}
}

func (q *request) tools(val []byte) {
	parameters.SetAll(q.c, val)
	for e := jsonwalk.Array(jsonwalk.Member(val, "tools")); e.Next(); {
		if spec := jsonwalk.Member(e.Val, "toolSpec"); jsonwalk.IsObject(spec) {
			q.c.Tools = append(q.c.Tools, llm.Tool{
				Type: "function", Name: jsonwalk.Str(jsonwalk.Member(spec, "name")), Description: jsonwalk.Str(jsonwalk.Member(spec, "description")),
				Parameters: content.Compact(jsonwalk.Member(jsonwalk.Member(spec, "inputSchema"), "json")),
			})
		} else if own := jsonwalk.Member(e.Val, "systemTool"); jsonwalk.IsObject(own) {
			q.c.Tools = append(q.c.Tools, llm.Tool{Type: "system_tool", Name: jsonwalk.Str(jsonwalk.Member(own, "name"))})
		} else if point := jsonwalk.Member(e.Val, "cachePoint"); point != nil {
			q.cachePoint(point)
		}
	}
}
