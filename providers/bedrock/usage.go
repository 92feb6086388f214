package bedrock

import (
	"strconv"
	"strings"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// usage is all that an answer tells of what was used, in its several places.
type usage struct {
	reported []byte   // the usage object
	counts   []figure // counts that stand by themselves
	metered  []byte   // what Bedrock itself tells at the end of an invoke stream
	latency  []byte   // milliseconds
	tier     string
	speed    string

	vectors    int64
	dimensions int64
	images     int64
}

// figure is a count of an answer, as it was written.
type figure struct{ name, val string }

// maxUsage bounds a usage object.
const maxUsage = 16 << 10

func (u *usage) report(val []byte) {
	if jsonwalk.IsObject(val) && len(val) <= maxUsage {
		u.reported = append(u.reported[:0], val...)
	}
}

func (u *usage) metrics(val []byte) {
	if jsonwalk.IsObject(val) && len(val) <= maxUsage {
		u.metered = append(u.metered[:0], val...)
	}
}

// count keeps a count; the last word stays, but nothing does not replace a number,
// and the counts of several results add up.
func (u *usage) count(name string, val []byte) {
	n, ok := params.Count(val)
	if !ok || len(val) > 32 {
		return
	}
	for i := range u.counts {
		f := &u.counts[i]
		if f.name != name {
			continue
		}
		if before, _ := params.Count([]byte(f.val)); name == "tokenCount" {
			f.val = strconv.FormatInt(before+n, 10)
		} else {
			f.val = string(val)
		}
		return
	}
	u.counts = append(u.counts, figure{name, string(val)})
}

func (u *usage) raw() string {
	if len(u.reported) > 0 {
		return string(u.reported)
	}
	if len(u.counts) == 0 {
		return string(u.metered)
	}
	members := make([]string, len(u.counts))
	for i, f := range u.counts {
		members[i] = `"` + f.name + `":` + f.val
	}
	return "{" + strings.Join(members, ",") + "}"
}

// fill writes the usage into c: that of the body, which a guest may have read, else
// what Bedrock tells in the stream, else in the headers. What runs in a stream that
// was cut is a lower bound.
func (u *usage) fill(c *llm.Call, x *llm.Exchange, cut bool) {
	switch {
	case c.Usage.Known(): // a guest's
	case u.body(&c.Usage):
		c.UsageRaw = u.raw()
	default:
		u.meter(c, x)
	}
	if c.UsageRaw == "" {
		c.UsageRaw = u.raw()
	}
	if c.Usage.Known() && c.Usage.Source == "" {
		c.Usage.Source = llm.UsageReported
		if cut {
			c.Usage.Source = llm.UsagePartial
		}
	}
	if ttl := ttlOf(c); strings.HasPrefix(ttl, "1h") && !strings.Contains(c.UsageRaw, "cacheDetails") && !strings.Contains(c.UsageRaw, "cache_creation\"") {
		if n, ok := c.Usage.Get(llm.CacheWrite); ok {
			c.Usage.Set(llm.CacheWrite, 0)
			c.Usage.Set(llm.CacheWrite1h, n)
		}
	}
	if u.images > 0 {
		c.Usage.Set(llm.Images, u.images)
		c.Usage.Source = llm.UsageReported
	}
	if c.Usage.Tier == "" {
		c.Usage.Tier = u.tier
		if c.Usage.Tier == "" {
			c.Usage.Tier = x.ResponseHeader.Get("x-amzn-bedrock-service-tier")
		}
	}
	if u.speed == "optimized" || x.ResponseHeader.Get("x-amzn-bedrock-performanceconfig-latency") == "optimized" {
		c.Usage.Speed = "fast"
	}
	u.attributes(c)
}

func ttlOf(c *llm.Call) string {
	for _, a := range c.Attrs {
		if s, ok := a.Value.(string); ok && a.Key == cacheTTL {
			return s
		}
	}
	return ""
}

// body reads the counts of the body itself.
func (u *usage) body(to *llm.Usage) bool {
	if len(u.reported) > 0 {
		readReport(to, u.reported)
		return to.Known()
	}
	for _, f := range u.counts {
		n, _ := params.Count([]byte(f.val))
		switch f.name {
		case "inputTextTokenCount", "prompt_token_count":
			to.Set(llm.UncachedInput, n)
		default:
			to.Set(llm.OutputText, n)
		}
	}
	return to.Known()
}

// readReport reads a usage object of Converse, in which the cache stands outside of
// the input (wire reference, section 13), or one in the shape of OpenAI, in which it
// stands inside.
func readReport(u *llm.Usage, raw []byte) {
	var in, out, read, write, details, prompt []byte
	for m := jsonwalk.Object(raw); m.Next(); {
		switch string(m.Key) {
		case "inputTokens", "input_tokens":
			in = m.Val
		case "outputTokens", "output_tokens", "completion_tokens":
			out = m.Val
		case "prompt_tokens":
			prompt = m.Val
		case "cacheReadInputTokens", "cacheReadInputTokenCount":
			read = m.Val
		case "cacheWriteInputTokens", "cacheWriteInputTokenCount":
			write = m.Val
		case "cacheDetails":
			details = m.Val
		case "prompt_tokens_details":
			read = jsonwalk.Member(m.Val, "cached_tokens")
		}
	}
	set(u, llm.UncachedInput, in)
	set(u, llm.OutputText, out)
	set(u, llm.CacheRead, read)
	if n, ok := params.Count(prompt); ok {
		cached, _ := u.Get(llm.CacheRead)
		u.Inconsistent = cached > n
		u.Set(llm.UncachedInput, n-min(cached, n))
		if cached > n {
			u.Set(llm.CacheRead, n)
		}
	}
	if n, ok := params.Count(write); ok {
		hour := min(hourWrites(details), n)
		u.Set(llm.CacheWrite, n-hour)
		if hour > 0 {
			u.Set(llm.CacheWrite1h, hour)
		}
	}
}

// hourWrites sums what of the cache was written for an hour.
func hourWrites(details []byte) (sum int64) {
	for e := jsonwalk.Array(details); e.Next(); {
		if jsonwalk.Str(jsonwalk.Member(e.Val, "ttl")) == "1h" {
			n, _ := params.Count(jsonwalk.Member(e.Val, "inputTokens"))
			sum = min(sum+n, 1<<53)
		}
	}
	return sum
}

// meters are the counts that Bedrock tells of an invoke: in the last piece of a
// stream, and in headers.
var meters = []struct {
	kind         llm.UsageKind
	name, header string
}{
	{llm.UncachedInput, "inputTokenCount", "x-amzn-bedrock-input-token-count"},
	{llm.OutputText, "outputTokenCount", "x-amzn-bedrock-output-token-count"},
	{llm.CacheRead, "cacheReadInputTokenCount", "x-amzn-bedrock-cache-read-input-token-count"},
	{llm.CacheWrite, "cacheWriteInputTokenCount", "x-amzn-bedrock-cache-write-input-token-count"},
}

func (u *usage) meter(c *llm.Call, x *llm.Exchange) {
	for _, m := range meters {
		val := jsonwalk.Member(u.metered, m.name)
		if val == nil {
			val = []byte(x.ResponseHeader.Get(m.header))
		}
		set(&c.Usage, m.kind, val)
	}
}

func set(u *llm.Usage, k llm.UsageKind, val []byte) {
	if n, ok := params.Count(val); ok {
		u.Set(k, n)
	}
}

func setCount(c *llm.Call, key string, val []byte) {
	if n, ok := params.Count(val); ok {
		c.SetAttr(key, n)
	}
}

// attributes carries timings and counts over.
func (u *usage) attributes(c *llm.Call) {
	for _, t := range []struct {
		val []byte
		key string
	}{
		{u.latency, "spanwire.vendor.processing_time"},
		{jsonwalk.Member(u.metered, "invocationLatency"), "spanwire.vendor.processing_time"},
		{jsonwalk.Member(u.metered, "firstByteLatency"), "spanwire.vendor.time_to_first_token"},
	} {
		if n, ok := params.Count(t.val); ok {
			c.SetAttr(t.key, float64(n)/1000)
		}
	}
	// What Bedrock metered may differ from what the model's vendor reports.
	setCount(c, "aws.bedrock.metered.input_tokens", jsonwalk.Member(u.metered, "inputTokenCount"))
	setCount(c, "aws.bedrock.metered.output_tokens", jsonwalk.Member(u.metered, "outputTokenCount"))
	if u.vectors > 0 {
		c.SetAttr("spanwire.embeddings.count", u.vectors)
	}
	if u.dimensions > 0 {
		c.SetAttr("gen_ai.embeddings.dimension.count", u.dimensions)
	}
}
