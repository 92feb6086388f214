package textgen

import (
	"cmp"
	"encoding/json"
	"strconv"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// finishNames maps finish reasons to the normal ones (telemetry reference, section
// 3).
var finishNames = map[string]string{
	"eos_token": "stop", "stop_sequence": "stop", "completed": "stop",
	"max_tokens": "length", "token_limit": "length", "time_limit": "length",
	"cancelled": "error", "failed": "error", "canceled": "error",
}

// figure is a count, and the member it was told in.
type figure struct {
	name  string
	n     int64
	known bool
}

// last takes a count; the last word stays.
func (f *figure) last(name string, val []byte) {
	if n, ok := params.Count(val); ok {
		*f = figure{name, n, true}
	}
}

// add takes a count, to which those of further results add up.
func (f *figure) add(name string, val []byte, sum bool) {
	before := f.n
	if f.last(name, val); sum {
		f.n = min(f.n+before, 1<<53)
	}
}

// fill writes what was read of the response into c.
func (r *Reader) fill(c *llm.Call, x *llm.Exchange, cut bool) {
	c.ResponseID, c.ResponseModel = r.id, r.model
	if r.place.endpoint == prediction {
		r.predicted(c)
	} else {
		r.usage(c, x)
	}
	if cut && r.place.stream && c.Usage.Known() {
		c.Usage.Source = llm.UsagePartial
	}
	for _, n := range []struct {
		key   string
		count int64
	}{{"spanwire.embeddings.count", r.vectors}, {"gen_ai.embeddings.dimension.count", r.dimensions}, {"spanwire.rerank.count", r.results}} {
		if n.count > 0 {
			c.SetAttr(n.key, n.count)
		}
	}
	if r.place.endpoint == generation || r.place.endpoint == prediction {
		r.answer.Fill(c, finishNames, cut)
	}
}

// usage sets the counts of the body, else those of Hugging Face's headers.
func (r *Reader) usage(c *llm.Call, x *llm.Exchange) {
	for _, f := range []struct {
		kind   llm.UsageKind
		header string
		told   *figure
	}{{llm.UncachedInput, "x-prompt-tokens", &r.in}, {llm.OutputText, "x-generated-tokens", &r.out}} {
		if f.told.known {
			c.UsageRaw = join(c.UsageRaw, f.told)
		} else {
			f.told.last(f.header, []byte(x.ResponseHeader.Get(f.header)))
		}
		if f.told.known {
			c.Usage.Set(f.kind, f.told.n)
			c.Usage.Source = llm.UsageReported
		}
	}
}

// join makes an object of the counts, which stand by themselves.
func join(raw string, f *figure) string {
	member := `"` + f.name + `":` + strconv.FormatInt(f.n, 10) + "}"
	if raw == "" {
		return "{" + member
	}
	return raw[:len(raw)-1] + "," + member
}

// predicted writes what only predictions have: a status, and metrics that are told
// each time somebody asks for the prediction once more.
func (r *Reader) predicted(c *llm.Call) {
	if r.status != "" {
		c.SetAttr("replicate.prediction.status", r.status)
	}
	if r.err != nil || r.status == "failed" || r.status == "canceled" {
		c.ErrorType = cmp.Or(r.status, c.ErrorType)
	}
	if r.id != "" {
		c.UsageOf = r.id
	}
	if r.linked {
		c.Operation = "prediction"
	}
	c.UsageRaw = string(r.metrics)
	for _, m := range []struct {
		name string
		kind llm.UsageKind
	}{{"input_token_count", llm.UncachedInput}, {"output_token_count", llm.OutputText}, {"image_count", llm.Images}} {
		if n, ok := params.Count(jsonwalk.Member(r.metrics, m.name)); ok {
			c.Usage.Set(m.kind, n)
			c.Usage.Source = llm.UsageReported
		}
	}
	for _, t := range []struct{ name, key string }{
		{"predict_time", "spanwire.vendor.processing_time"}, {"time_to_first_token", "spanwire.vendor.time_to_first_token"},
	} {
		params.Row{Key: t.key, Form: params.Double}.Set(c, jsonwalk.Member(r.metrics, t.name))
	}
	switch r.status {
	case "succeeded":
		r.answer.Choice(0).Finish([]byte(`"stop"`))
	case "failed", "canceled":
		r.answer.Choice(0).Finish([]byte(`"` + r.status + `"`))
	}
}

// link makes a part of what is no text.
func link(val []byte) llm.Part {
	p := content.Link(val, "image")
	if p.Type == llm.PartURI {
		p.Modality = "" // a link does not tell what it leads to
	}
	return p
}

// escape makes the inside of a JSON string of text.
func escape(text []byte) []byte {
	b, err := json.Marshal(string(text))
	if err != nil {
		panic("BUG: text: " + err.Error()) // a text alone
	}
	return b[1 : len(b)-1]
}
