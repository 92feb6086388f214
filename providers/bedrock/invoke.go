package bedrock

import (
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/draft"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

func (r *Reader) choice() *draft.Choice { return r.answer.Choice(0) }

// embeds says whether a model makes embeddings.
func embeds(model string) bool { return strings.Contains(model, "embed") }

// document reads an answer that is whole, of Converse or of the families that are
// read here.
func (r *Reader) document(body []byte, at time.Time) (whole bool) {
	m := jsonwalk.Object(body)
	for m.Next() {
		r.member(m.Key, m.Val, at)
	}
	return m.Whole()
}

// piece reads one piece of the stream of such a family.
func (r *Reader) piece(data []byte, at time.Time) (whole bool) {
	m := jsonwalk.Object(data)
	content := false
	for m.Next() {
		content = r.member(m.Key, m.Val, at) || content
	}
	if content {
		r.answer.Piece(at)
	}
	return m.Whole()
}

// member reads one member of an answer. Whose it is tells itself: no two families
// mean different things by one name (wire reference, section 9). It reports whether
// it brought anything said.
func (r *Reader) member(key, val []byte, at time.Time) (content bool) {
	switch string(key) {
	case "output": // Converse, Nova
		r.output(val)
	case "stopReason":
		r.choice().Finish(val)
	case "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata": // Nova
		r.event(key, val, at)
	case "metrics":
		r.usage.latency = first(r.usage.latency, jsonwalk.Member(val, "latencyMs"))
	case "performanceConfig":
		r.usage.speed = jsonwalk.Str(jsonwalk.Member(val, "latency"))
	case "serviceTier":
		r.usage.tier = jsonwalk.Clip(jsonwalk.Str(jsonwalk.Member(val, "type")), params.MaxText)
	case "usage":
		r.usage.report(val)
	case "inputTextTokenCount", "totalOutputTextTokenCount", "prompt_token_count", "generation_token_count":
		r.usage.count(string(key), val)
	case "outputText", "generation": // Titan, Llama
		content = r.choice().Add(llm.PartText, 0, val)
	case "message": // TwelveLabs
		content = len(val) > 0 && val[0] == '"' && r.choice().Add(llm.PartText, 0, val)
	case "completionReason", "stop_reason", "finishReason":
		if jsonwalk.Str(val) != "" {
			r.choice().Finish(val)
		}
	case "results": // Titan
		r.results(val)
	case "outputs": // Mistral
		content = r.outputs(val)
	case "completions": // AI21
		r.completions(val)
	case "choices": // DeepSeek, Mistral, Jamba
		content = r.choices(val)
	case "embedding":
		if r.usage.vectors == 0 {
			r.usage.vectors = 1
			r.measure(val)
		}
	case "images", "artifacts":
		r.images(val)
	case "id", "generation_id":
		r.id = first(r.id, val)
	case "model":
		r.model = first(r.model, val)
	}
	return content
}

// first keeps a text or a number that was told before, else takes val.
func first(have, val []byte) []byte {
	if len(have) > 0 || len(val) > params.MaxText || jsonwalk.Empty(val) && len(val) > 1 {
		return have
	}
	return append([]byte(nil), val...)
}

func (r *Reader) measure(vector []byte) {
	e := jsonwalk.Array(vector)
	if embeds(r.place.model) { // all that was kept of it is its length
		if e.Next() {
			r.usage.dimensions, _ = params.Count(e.Val)
		}
		return
	}
	for e.Next() {
		r.usage.dimensions++
	}
}

func (r *Reader) results(list []byte) {
	i := 0
	for e := jsonwalk.Array(list); e.Next(); i++ {
		for m := jsonwalk.Object(e.Val); m.Next(); {
			switch string(m.Key) {
			case "outputText":
				r.answer.Choice(i).Add(llm.PartText, 0, m.Val)
			case "completionReason":
				r.answer.Choice(i).Finish(m.Val)
			case "tokenCount":
				r.usage.count("tokenCount", m.Val)
			}
		}
	}
}

func (r *Reader) outputs(list []byte) (content bool) {
	i := 0
	for e := jsonwalk.Array(list); e.Next(); i++ {
		for m := jsonwalk.Object(e.Val); m.Next(); {
			switch string(m.Key) {
			case "text":
				content = r.answer.Choice(i).Add(llm.PartText, 0, m.Val) || content
			case "stop_reason":
				r.answer.Choice(i).Finish(m.Val)
			}
		}
	}
	return content
}

func (r *Reader) completions(list []byte) {
	i := 0
	for e := jsonwalk.Array(list); e.Next(); i++ {
		ch := r.answer.Choice(i)
		ch.Add(llm.PartText, 0, jsonwalk.Member(jsonwalk.Member(e.Val, "data"), "text"))
		ch.Finish(jsonwalk.Member(jsonwalk.Member(e.Val, "finishReason"), "reason"))
	}
}

// choices reads the shape of OpenAI as vendors write it on Bedrock: without saying
// what object it is, and with reasons under another name.
func (r *Reader) choices(list []byte) (content bool) {
	i := 0
	for e := jsonwalk.Array(list); e.Next(); i++ {
		n := i
		if v := jsonwalk.Member(e.Val, "index"); v != nil {
			n = index(v)
		}
		ch := r.answer.Choice(n)
		for m := jsonwalk.Object(e.Val); m.Next(); {
			switch string(m.Key) {
			case "text":
				content = ch.Add(llm.PartText, 0, m.Val) || content
			case "message", "delta":
				content = chosen(ch, m.Val) || content
			case "stop_reason", "finish_reason":
				ch.Finish(m.Val)
			}
		}
	}
	return content
}

func chosen(ch *draft.Choice, val []byte) (content bool) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "role":
			ch.Role(m.Val)
		case "content":
			content = ch.Add(llm.PartText, 0, m.Val) || content
		case "reasoning_content", "reasoning":
			content = ch.Add(llm.PartReasoning, 0, m.Val) || content
		case "refusal":
			content = ch.Add(llm.PartRefusal, 0, m.Val) || content
		case "tool_calls":
			i := 0
			for e := jsonwalk.Array(m.Val); e.Next(); i++ {
				n := i
				if v := jsonwalk.Member(e.Val, "index"); v != nil {
					n = index(v)
				}
				call, f := ch.Call(n), jsonwalk.Member(e.Val, "function")
				call.ID(jsonwalk.Member(e.Val, "id"))
				call.Name(jsonwalk.Member(f, "name"))
				call.Arguments(jsonwalk.Member(f, "arguments"))
				content = true
			}
		}
	}
	return content
}

// images are base64: of Titan and Nova texts, of Stability texts or objects.
func (r *Reader) images(list []byte) {
	for e := jsonwalk.Array(list); e.Next(); {
		val := e.Val
		if jsonwalk.IsObject(val) {
			val = jsonwalk.Member(val, "base64")
		}
		if raw := jsonwalk.Inner(val); len(raw) > 0 {
			r.choice().Put(content.Blob(raw, "image", ""))
			r.usage.images++
		}
	}
}
