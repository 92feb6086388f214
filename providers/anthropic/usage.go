package anthropic

import (
	"bytes"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// overlay is the usage of an answer: each further report replaces the former one
// key by key (wire reference, section 7.4).
type overlay struct {
	members []member
	raw     []byte // the first report, for as long as it is the only one
	reports int
}

type member struct{ key, val []byte }

// maxMembers bounds the different members of usage that are kept.
const maxMembers = 64

// lay takes a report. A null beside a number that was told says nothing.
func (o *overlay) lay(val []byte) {
	if !jsonwalk.IsObject(val) || len(val) > maxUsage {
		return
	}
	var key, last []byte // of the member before: a number could go on where the text is cut
	m := jsonwalk.Object(val)
	for m.Next() {
		if key != nil {
			o.set(key, last)
		}
		key, last = m.Key, m.Val
	}
	if m.Whole() && key != nil {
		o.set(key, last)
	}
	if o.reports == 0 && m.Whole() {
		o.raw = append(o.raw[:0], val...)
	} else {
		o.raw = nil
	}
	o.reports++
}

func (o *overlay) set(key, val []byte) {
	for i := range o.members {
		if e := &o.members[i]; bytes.Equal(e.key, key) {
			if !jsonwalk.IsNull(val) {
				e.val = append(e.val[:0], val...)
			}
			return
		}
	}
	if len(o.members) < maxMembers {
		o.members = append(o.members, member{bytes.Clone(key), bytes.Clone(val)})
	}
}

// json returns the usage as one object: as it was sent, or laid over each other.
func (o *overlay) json() []byte {
	if o.raw != nil || len(o.members) == 0 {
		return o.raw
	}
	out := []byte{'{'}
	for i, e := range o.members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(append(out, '"'), e.key...), '"', ':'), e.val...)
	}
	return append(out, '}')
}

// report is one usage object, or one of its iterations. -1 means not told.
type report struct {
	input, output, thinking       int64
	read, write, write5m, write1h int64
	searches, fetches             int64
}

func readReport(u gjson.Result) report {
	get := func(path string) int64 {
		if n, ok := params.Count([]byte(u.Get(path).Raw)); ok {
			return n
		}
		return -1
	}
	return report{
		input: get("input_tokens"), output: get("output_tokens"), thinking: get("output_tokens_details.thinking_tokens"),
		read: get("cache_read_input_tokens"), write: get("cache_creation_input_tokens"),
		write5m: get("cache_creation.ephemeral_5m_input_tokens"), write1h: get("cache_creation.ephemeral_1h_input_tokens"),
		searches: get("server_tool_use.web_search_requests"), fetches: get("server_tool_use.web_fetch_requests"),
	}
}

// readUsage brings a usage object into the disjoint normal form: the cache stands
// outside of the input, thinking inside of the output (wire reference, section 13).
// ok is false when nothing in it is a count.
func readUsage(u gjson.Result) (out llm.Usage, ok bool) {
	r := readReport(u)
	set := func(k llm.UsageKind, n int64) {
		if n >= 0 {
			out.Set(k, n)
			ok = true
		}
	}
	set(llm.UncachedInput, r.input)
	set(llm.CacheRead, r.read)
	short, hour := r.writes()
	set(llm.CacheWrite, short)
	set(llm.CacheWrite1h, hour)
	if r.output >= 0 {
		if r.thinking > r.output {
			r.thinking, out.Inconsistent = r.output, true
		}
		set(llm.Reasoning, r.thinking)
		set(llm.OutputText, r.output-max(r.thinking, 0))
	}
	if !ok {
		return llm.Usage{}, false
	}
	set(llm.WebSearches, r.searches)
	set(llm.WebFetches, r.fetches)
	out.Source = llm.UsageReported
	out.Tier = clipped(u.Get("service_tier"))
	out.Speed = clipped(u.Get("speed"))
	if geo := clipped(u.Get("inference_geo")); geo != "not_available" {
		out.Region = geo
	}
	out.Batch = out.Tier == "batch"
	return out, true
}

// writes splits what was written to the cache by its life. The total has the last
// word: later reports in a stream repeat it and not its parts.
func (r *report) writes() (short, hour int64) {
	total := r.write
	switch {
	case r.write5m < 0 && r.write1h < 0:
		return total, -1
	case total < 0:
		return r.write5m, r.write1h
	case r.write1h > 0 && r.write5m <= 0: // all that was written was for an hour
		return 0, total
	}
	hour = min(r.write1h, total)
	return total - max(hour, 0), hour
}

func clipped(v gjson.Result) string {
	if v.Type != gjson.String {
		return ""
	}
	return jsonwalk.Clip(v.Str, 64)
}

// maxSteps bounds the steps that are kept of one call.
const maxSteps = 4096

// readSteps reads usage.iterations: what an answer consisted of where its parts
// are billed apart (wire reference, section 7.3). A single step of the call's own
// model says nothing that the top level does not.
func readSteps(u gjson.Result, model string) (steps []llm.Step, more bool) {
	plain := true
	u.Get("iterations").ForEach(func(_, it gjson.Result) bool {
		usage, ok := readUsage(it)
		if !ok {
			return true
		}
		if len(steps) == maxSteps {
			more = true
			return false
		}
		s := llm.Step{Kind: clipped(it.Get("type")), Model: jsonwalk.Clip(it.Get("model").String(), maxName), Usage: usage}
		plain = plain && (s.Kind == "message" || s.Kind == "") && (s.Model == "" || s.Model == model)
		steps = append(steps, s)
		return true
	})
	if plain && len(steps) < 2 {
		return nil, more
	}
	return steps, more
}
