package cohere

import (
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/internal/toldcost"
	"github.com/spanwire/spanwire/llm"
)

// finishNames maps Cohere's finish reasons to the normal ones (telemetry reference,
// section 3).
var finishNames = map[string]string{
	"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_call",
	"ERROR": "error", "TIMEOUT": "error", "USER_CANCEL": "error", "ERROR_LIMIT": "length", "ERROR_TOXIC": "content_filter",
}

// fill writes what was read of the response into c.
func (r *Reader) fill(c *llm.Call, x *llm.Exchange, cut bool) {
	c.ResponseID, c.ResponseModel = r.id, r.model
	c.UsageRaw = string(r.usage)
	readUsage(&c.Usage, r.usage)
	if cost, ok := toldcost.Of(r.usage, x.ResponseHeader); ok {
		c.Cost = cost
	}
	setCount(c, "cohere.response.cached_tokens", jsonwalk.Member(r.usage, "cached_tokens"))
	for _, h := range []struct{ name, alias, key string }{
		{"num_tokens", "num-tokens", "cohere.response.num_tokens"},
		{"num_chars", "num-chars", "cohere.response.num_chars"},
	} {
		v := x.ResponseHeader.Get(h.name)
		if v == "" {
			v = x.ResponseHeader.Get(h.alias)
		}
		setCount(c, h.key, []byte(v))
	}
	for _, n := range []struct {
		key   string
		count int64
	}{
		{"cohere.response.citations.count", r.citations},
		{"spanwire.rerank.count", r.results},
		{"spanwire.embeddings.count", r.vectors},
		{"gen_ai.embeddings.dimension.count", r.dimensions},
	} {
		if n.count > 0 {
			c.SetAttr(n.key, n.count)
		}
	}
	if r.endpoint != other {
		r.answer.Fill(c, finishNames, cut)
	}
}

func setCount(c *llm.Call, key string, val []byte) {
	if n, ok := params.Count(val); ok {
		c.SetAttr(key, n)
	}
}

// readUsage brings a usage object (version 2), the meta of version 1, or the usage
// of those that copy rerank into the normal form. What counts is what is billed: the
// tokens told beside it contain the provider's own template, and what of that was
// cached (wire reference, section 11).
func readUsage(u *llm.Usage, raw []byte) {
	var billed, tokens, cached, total, prompt []byte
	for m := jsonwalk.Object(raw); m.Next(); {
		switch string(m.Key) {
		case "billed_units":
			billed = m.Val
		case "tokens":
			tokens = m.Val
		case "cached_tokens":
			cached = m.Val
		case "total_tokens":
			total = m.Val
		case "prompt_tokens", "input_tokens":
			prompt = m.Val
		case "search_units":
			set(u, llm.SearchUnits, m.Val)
		}
	}
	switch {
	case jsonwalk.IsObject(billed):
		readTokens(u, billed, jsonwalk.Member(tokens, "reasoning_tokens"), nil)
		set(u, llm.SearchUnits, jsonwalk.Member(billed, "search_units"))
		set(u, llm.ImageInput, jsonwalk.Member(billed, "image_tokens"))
	case jsonwalk.IsObject(tokens):
		readTokens(u, tokens, jsonwalk.Member(tokens, "reasoning_tokens"), cached)
	case len(prompt) > 0:
		set(u, llm.UncachedInput, prompt)
	default:
		set(u, llm.UncachedInput, total)
	}
	if u.Known() {
		u.Source = llm.UsageReported
	}
}

func set(u *llm.Usage, k llm.UsageKind, val []byte) {
	if n, ok := params.Count(val); ok {
		u.Set(k, n)
	}
}

// readTokens sets input and output, of which reasoning and cached tokens are a part.
func readTokens(u *llm.Usage, counts, reasoning, cached []byte) {
	take := func(name string, whole, part llm.UsageKind, inner []byte) {
		n, ok := params.Count(jsonwalk.Member(counts, name))
		if !ok {
			return
		}
		if k, ok := params.Count(inner); ok {
			u.Inconsistent = u.Inconsistent || k > n
			k = min(k, n)
			u.Set(part, k)
			n -= k
		}
		u.Set(whole, n)
	}
	take("input_tokens", llm.UncachedInput, llm.CacheRead, cached)
	take("output_tokens", llm.OutputText, llm.Reasoning, reasoning)
}
