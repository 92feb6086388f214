package openai

import (
	"slices"
	"time"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	param "github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// turn is one response within a session, or one transcription. It is the observer
// of its call: once that is recorded, the session does not touch it any more.
type turn struct {
	session about
	ask     []byte // the event that asked for it; nil when the provider began by itself
	input   []llm.Message
	stream  []byte

	answer response
	ear    bool   // a transcription
	heard  result // what it is
	start  time.Time
	first  time.Time
	asked  int64
	size   int64
}

// about is what a call needs to know of its session.
type about struct {
	api, model string
	setup      *setup
}

// turnParams maps what a session and a request within it say besides what the
// Responses API knows (wire reference, section 12).
var turnParams = param.Table{
	"voice":                      {Key: "openai.request.voice", Form: param.Text},
	"speed":                      {Key: "openai.request.speed", Form: param.Double},
	"modalities":                 {Key: "openai.request.modalities", Form: param.Texts},
	"output_modalities":          {Key: "openai.request.modalities", Form: param.Texts},
	"max_response_output_tokens": {Key: "gen_ai.request.max_tokens", Form: param.Int},
}

func turnMember(c *llm.Call, key, val []byte) {
	switch string(key) {
	case "instructions":
		if s := jsonwalk.Str(val); s != "" {
			c.System = []llm.Part{{Type: llm.PartText, Content: s}}
		}
	case "tools":
		if !jsonwalk.Empty(val) {
			c.Tools = readTools(val)
		}
	case "type", "response", "stream_id", "event_id", "stream", "id", "object", "status", "conversation_id":
	case "conversation":
		if v := jsonwalk.Str(val); v != "auto" && v != "none" {
			responseMember(c, key, val)
		}
	case "temperature":
		if len(val) > 0 && val[0] != '-' { // -1 stands for none
			responseMember(c, key, val)
		}
	case "voice":
		turnParams.Set(c, key, textOrID(val))
	default:
		if !turnParams.Set(c, key, val) {
			responseMember(c, key, val)
		}
	}
}

// Wrote is never called: what was said was read in its session.
func (t *turn) Wrote([]byte, time.Time) {}

// Finish writes the call.
func (t *turn) Finish(c *llm.Call, x *llm.Exchange) error {
	c.Kind, c.Stream = llm.KindLLM, true
	s := t.session.setup
	if s.id != "" {
		c.SetAttr("openai.session.id", s.id)
	}
	c.SetAttr("openai.api.type", t.session.api)
	c.Input = t.input
	if t.ear {
		c.Operation, c.RequestModel = "transcription", s.ear
		c.SetAttr("gen_ai.output.type", "text")
		t.heard.fill(c, x)
		return nil
	}
	c.Operation, c.RequestModel, c.System, c.Tools = "chat", t.session.model, slices.Clone(s.system), slices.Clone(s.tools)
	if c.RequestModel == "" {
		c.RequestModel = s.model
	}
	for _, a := range s.attrs {
		c.SetAttr(a.Key, a.Value)
	}
	t.readAsk(c)
	t.answer.fill(c, nil)
	if c.ResponseModel == "" {
		c.ResponseModel = s.model
	}
	c.FirstToken, c.Chunks = t.answer.rhythm.First(), t.answer.rhythm.Chunks()
	if !t.answer.ended && len(c.Output) > 0 && c.Output[0].FinishReason == "" {
		c.Output[0].FinishReason = "error"
		neverFinished(c)
	}
	if !c.Usage.Known() && t.session.api == "realtime" {
		c.Usage.Source = llm.UsageMissing // what was heard and spoken cannot be counted
	}
	return nil
}

// readAsk reads the event that asked for the response: its members, or those of
// the object in it.
func (t *turn) readAsk(c *llm.Call) {
	inner := jsonwalk.Member(t.ask, "response")
	if !jsonwalk.IsObject(inner) {
		inner = t.ask
	}
	for m := jsonwalk.Object(inner); m.Next(); {
		turnMember(c, m.Key, m.Val)
	}
}
