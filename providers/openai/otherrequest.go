package openai

import (
	"strings"
	"unicode/utf8"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	param "github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// resultParams maps the members of requests for images, audio, documents, batches
// and runs to attributes (wire reference, section 6). A member of a form is a text,
// so numbers are read as such.
var resultParams = andWhom(param.Table{
	"n":                     {Key: "gen_ai.request.choice.count", Form: param.Int},
	"temperature":           {Key: "gen_ai.request.temperature", Form: param.Double},
	"top_p":                 {Key: "gen_ai.request.top_p", Form: param.Double},
	"seed":                  {Key: "gen_ai.request.seed", Form: param.Int},
	"max_completion_tokens": {Key: "gen_ai.request.max_tokens", Form: param.Int},
	"reasoning_effort":      {Key: "gen_ai.request.reasoning.level", Form: param.Text},
	"size":                  {Key: "openai.request.size", Form: param.Text},
	"resolution":            {Key: "openai.request.size", Form: param.Text},
	"aspect_ratio":          {Key: "openai.request.aspect_ratio", Form: param.Text},
	"quality":               {Key: "openai.request.quality", Form: param.Text},
	"style":                 {Key: "openai.request.style", Form: param.Text},
	"background":            {Key: "openai.request.background", Form: param.Text},
	"moderation":            {Key: "openai.request.moderation", Form: param.Text},
	"output_format":         {Key: "openai.request.output_format", Form: param.Text},
	"response_format":       {Key: "openai.request.response_format", Form: param.Text},
	"stream_format":         {Key: "openai.request.stream_format", Form: param.Text},
	"input_fidelity":        {Key: "openai.request.input_fidelity", Form: param.Text},
	"partial_images":        {Key: "openai.request.partial_images", Form: param.Int},
	"voice":                 {Key: "openai.request.voice", Form: param.Text},
	"speed":                 {Key: "openai.request.speed", Form: param.Double},
	"language":              {Key: "openai.request.language", Form: param.Text},
	"assistant_id":          {Key: "gen_ai.agent.id", Form: param.Text},
	"endpoint":              {Key: "openai.request.batch.endpoint", Form: param.Text},
	"completion_window":     {Key: "openai.request.batch.completion_window", Form: param.Text},
	"input_file_id":         {Key: "openai.request.batch.input_file_id", Form: param.Text},
})

// outputTypes says what an endpoint makes (gen_ai.output.type).
var outputTypes = map[endpoint]string{images: "image", speech: "speech", transcription: "text"}

// readOther reads the request of an endpoint that is none of the oldest three.
func readOther(c *llm.Call, x *llm.Exchange, kind endpoint) error {
	switch kind {
	case responses, told, counting:
		return readResponseRequest(c, x, kind)
	}
	if t := outputTypes[kind]; t != "" {
		c.SetAttr("gen_ai.output.type", t)
	}
	if _, thread, ok := strings.Cut(x.AskedPath(), "/threads/"); ok {
		if thread, _, ok = strings.Cut(thread, "/"); ok {
			c.SetAttr("openai.request.thread", thread)
		}
	}
	head, tail := intake.Request(c, x)
	if len(head) == 0 {
		return nil
	}
	q := &resultRequest{c: c, kind: kind}
	if boundary, ok := formBoundary(x.RequestHeader); ok {
		q.form(boundary, head, tail, x.Request.Truncated)
		return nil
	}
	whole := intake.Members(head, tail, resultKeys, func(key, val []byte) { q.member(string(key), val) })
	q.finish()
	return intake.Judge(c, x, whole, c.RequestModel == "" && len(c.Input) == 0)
}

// resultKeys are the members that are worth finding in the end of a request.
var resultKeys = append([]string{"model", "stream", "metadata", "prompt", "input", "document_annotation_format", "bbox_annotation_format"}, resultParams.Names()...)

// keyAnnotated says that pages are to be annotated as they are read, which costs more.
// (Mistral, "Annotations".)
const keyAnnotated = "mistral.request.annotations"

// resultRequest is a request being read.
type resultRequest struct {
	c     *llm.Call
	kind  endpoint
	parts []llm.Part // of the one message that the fields make

	prompt prompt // messages and prompts
}

// member reads one member of a JSON request.
func (q *resultRequest) member(key string, val []byte) {
	c, cur := q.c, jsonwalk.Read(val)
	switch key {
	case "model":
		if s := jsonwalk.Str(val); s != "" {
			c.RequestModel = jsonwalk.Clip(s, param.MaxText)
		}
	case "stream":
		c.Stream = string(val) == "true"
	case "stream_format":
		c.Stream = string(val) == `"sse"`
		resultParams.Set(c, []byte(key), val)
	case "prompt":
		q.text(val)
	case "input":
		if q.kind == moderation {
			c.Input = append(c.Input, q.prompt.prompts(&cur)...)
			return
		}
		q.text(val)
	case "instructions":
		if s := jsonwalk.Str(val); s != "" {
			c.System = append(c.System, llm.Part{Type: llm.PartText, Content: s})
		}
	case "additional_messages", "messages":
		c.Input = append(c.Input, q.prompt.messages(&cur)...)
	case "thread":
		cur = jsonwalk.Read(jsonwalk.Member(val, "messages"))
		c.Input = append(c.Input, q.prompt.messages(&cur)...)
	case "tools":
		c.Tools = append(c.Tools, readTools(val)...)
	case "document_annotation_format", "bbox_annotation_format":
		if q.kind == ocr && jsonwalk.IsObject(val) {
			c.SetAttr(keyAnnotated, true)
		}
	case "image", "images", "mask", "document":
		q.media(key, val)
	case "metadata":
		setMetadata(c, val)
	case "response_format":
		if jsonwalk.IsObject(val) { // of a run
			setFormat(c, val)
		} else {
			resultParams.Set(c, []byte(key), val)
		}
	case "voice":
		resultParams.Set(c, []byte(key), textOrID(val))
	default:
		resultParams.Set(c, []byte(key), val)
	}
}

func (q *resultRequest) text(val []byte) {
	if s := jsonwalk.Str(val); s != "" {
		q.parts = append(q.parts, llm.Part{Type: llm.PartText, Content: s})
	}
}

// media reads images and documents that come as links, as data or by id.
func (q *resultRequest) media(key string, val []byte) {
	modality := "image"
	if key == "document" {
		modality = "document"
	}
	switch {
	case len(val) == 0:
	case val[0] == '[':
		for e := jsonwalk.Array(val); e.Next(); {
			if e.Val[0] != '[' {
				q.media(key, e.Val)
			}
		}
	case val[0] == '"':
		q.parts = append(q.parts, content.Link(val, modality))
	case jsonwalk.IsObject(val):
		for _, name := range []string{"image_url", "url", "document_url", "b64_json", "data"} {
			link := jsonwalk.Member(val, name)
			if jsonwalk.IsObject(link) {
				link = jsonwalk.Member(link, "url")
			}
			if len(jsonwalk.Inner(link)) > 0 {
				q.parts = append(q.parts, content.Link(link, modality))
				return
			}
		}
		if id := jsonwalk.Str(jsonwalk.Member(val, "file_id")); id != "" {
			q.parts = append(q.parts, llm.Part{Type: llm.PartFile, Modality: modality, ID: id})
		}
	}
}

// finish makes a message of what stood in fields.
func (q *resultRequest) finish() {
	if len(q.parts) > 0 {
		q.c.Input = append(q.c.Input, llm.Message{Role: "user", Parts: q.parts})
	}
}

// spoken counts the characters that are to be spoken.
func spoken(c *llm.Call) (n int64) {
	for _, m := range c.Input {
		for _, p := range m.Parts {
			if p.Type == llm.PartText {
				n += int64(utf8.RuneCountInString(p.Content))
			}
		}
	}
	return n
}
