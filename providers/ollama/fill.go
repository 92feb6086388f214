package ollama

import (
	"slices"

	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// figureNames are the members of the last line that make its usage.
var figureNames = []string{"total_duration", "load_duration", "prompt_eval_count", "prompt_eval_cached_count", "prompt_eval_duration", "eval_count", "eval_duration"}

// durations are told in nanoseconds.
var durations = params.Table{
	"total_duration":       {Key: "spanwire.vendor.processing_time", Form: params.Seconds},
	"load_duration":        {Key: "ollama.response.load_duration", Form: params.Seconds},
	"prompt_eval_duration": {Key: "ollama.response.prompt_eval_duration", Form: params.Seconds},
	"eval_duration":        {Key: "ollama.response.eval_duration", Form: params.Seconds},
}

// figure keeps a count or a duration; a later one replaces an earlier one.
func (r *Reader) figure(key, val []byte) {
	if !slices.Contains(figureNames, string(key)) || len(val) > 32 {
		return
	}
	if _, ok := params.Count(val); !ok {
		return
	}
	for i := range r.figures {
		if r.figures[i].name == string(key) {
			r.figures[i].val = string(val)
			return
		}
	}
	r.figures = append(r.figures, figure{string(key), string(val)})
}

func (r *Reader) count(name string) (int64, bool) {
	for _, f := range r.figures {
		if f.name == name {
			return params.Count([]byte(f.val))
		}
	}
	return 0, false
}

// fill writes what was read of the response into c.
func (r *Reader) fill(c *llm.Call) {
	c.ResponseModel = r.model
	r.usage(c)
	for _, f := range r.figures {
		durations.Set(c, []byte(f.name), []byte(f.val))
	}
	for i, key := range []string{"ollama.response.remote_host", "ollama.response.remote_model"} {
		if r.remote[i] != "" {
			c.SetAttr(key, r.remote[i])
		}
	}
	if r.endpoint != embed {
		r.answer.Fill(c, nil, !r.done)
		return
	}
	if r.vectors > 0 {
		c.SetAttr("spanwire.embeddings.count", int64(r.vectors))
	}
	if r.dimensions > 0 {
		c.SetAttr("gen_ai.embeddings.dimension.count", r.dimensions)
	}
}

// usage sets the counts that were told. A count of 0 is left out by the server, and
// that of a prompt which was cached too: what is missing is unknown (wire reference,
// section 10).
func (r *Reader) usage(c *llm.Call) {
	if in, ok := r.count("prompt_eval_count"); ok {
		if cached, ok := r.count("prompt_eval_cached_count"); ok {
			c.Usage.Inconsistent = cached > in
			cached = min(cached, in)
			c.Usage.Set(llm.CacheRead, cached)
			in -= cached
		}
		c.Usage.Set(llm.UncachedInput, in)
	}
	if out, ok := r.count("eval_count"); ok {
		c.Usage.Set(llm.OutputText, out)
	}
	if c.Usage.Known() {
		c.Usage.Source = llm.UsageReported
	}
	for i, f := range r.figures {
		if i == 0 {
			c.UsageRaw = "{"
		} else {
			c.UsageRaw += ","
		}
		c.UsageRaw += `"` + f.name + `":` + f.val
	}
	if c.UsageRaw != "" {
		c.UsageRaw += "}"
	}
}
