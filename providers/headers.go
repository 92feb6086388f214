package providers

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/canon"
	"github.com/spanwire/spanwire/llm"
)

// valueForm says how a header field is read.
type valueForm uint8

const (
	text    valueForm = iota
	seconds           // a number of seconds
	millis            // a number of milliseconds
	until             // how long until: duration, seconds, RFC 3339 time or epoch milliseconds
	timing            // server-timing: the dur of its first entry, milliseconds
	limits            // draft ratelimit: "name";r=999;t=295
	whole             // a whole number; a negative one says that it is not known
	most              // a limit: such a number that seldom changes
)

// fields maps what vendors tell in their headers to attributes (wire reference,
// sections 15.1 and 15.2). Where several are there the first row wins.
var fields = []struct {
	name, key string
	form      valueForm
}{
	{"x-request-id", "spanwire.vendor.request_id", text},
	{"request-id", "spanwire.vendor.request_id", text},
	{"apim-request-id", "spanwire.vendor.request_id", text},
	{"x-amzn-requestid", "spanwire.vendor.request_id", text},
	{"mistral-correlation-id", "spanwire.vendor.request_id", text},
	{"x-ds-trace-id", "spanwire.vendor.request_id", text},
	{"x-generation-id", "spanwire.vendor.request_id", text},
	{"inference-id", "spanwire.vendor.request_id", text},
	{"x-debug-trace-id", "spanwire.vendor.request_id", text},
	{"x-inference-request-id", "spanwire.vendor.request_id", text},
	{"x-kong-request-id", "spanwire.vendor.request_id", text},
	{"x-litellm-call-id", "spanwire.vendor.request_id", text},
	{"cf-ray", "spanwire.vendor.request_id", text},

	// The vendor's own trace: nothing of ours is its child.
	{"traceresponse", "spanwire.vendor.traceresponse", text},

	{"openai-processing-ms", "spanwire.vendor.processing_time", millis},
	{"x-metrics-e2e-ms", "spanwire.vendor.processing_time", millis},
	{"x-total-time", "spanwire.vendor.processing_time", seconds},
	{"x-compute-time", "spanwire.vendor.processing_time", seconds},
	{"x-amzn-bedrock-invocation-latency", "spanwire.vendor.processing_time", millis},
	{"cmp-upstream-response-duration", "spanwire.vendor.processing_time", millis},
	{"x-envoy-upstream-service-time", "spanwire.vendor.processing_time", millis},
	{"x-kong-upstream-latency", "spanwire.vendor.processing_time", millis},
	{"server-timing", "spanwire.vendor.processing_time", timing},
	{"x-queue-time", "spanwire.vendor.queue_time", seconds},
	{"x-metrics-ttft-ms", "spanwire.vendor.time_to_first_token", millis},
	{"fireworks-server-time-to-first-token", "spanwire.vendor.time_to_first_token", seconds},

	{"x-ratelimit-limit-requests", "spanwire.ratelimit.limit.requests", most},
	{"x-ratelimit-remaining-requests", "spanwire.ratelimit.remaining.requests", whole},
	{"x-ratelimit-reset-requests", "spanwire.ratelimit.reset.requests", until},
	{"x-ratelimit-limit-tokens", "spanwire.ratelimit.limit.tokens", most},
	{"x-ratelimit-remaining-tokens", "spanwire.ratelimit.remaining.tokens", whole},
	{"x-ratelimit-reset-tokens", "spanwire.ratelimit.reset.tokens", until},
	{"anthropic-ratelimit-requests-limit", "spanwire.ratelimit.limit.requests", most},
	{"anthropic-ratelimit-requests-remaining", "spanwire.ratelimit.remaining.requests", whole},
	{"anthropic-ratelimit-requests-reset", "spanwire.ratelimit.reset.requests", until},
	{"anthropic-ratelimit-tokens-limit", "spanwire.ratelimit.limit.tokens", most},
	{"anthropic-ratelimit-tokens-remaining", "spanwire.ratelimit.remaining.tokens", whole},
	{"anthropic-ratelimit-tokens-reset", "spanwire.ratelimit.reset.tokens", until},
	{"anthropic-ratelimit-input-tokens-limit", "spanwire.ratelimit.limit.input_tokens", most},
	{"anthropic-ratelimit-input-tokens-remaining", "spanwire.ratelimit.remaining.input_tokens", whole},
	{"anthropic-ratelimit-input-tokens-reset", "spanwire.ratelimit.reset.input_tokens", until},
	{"anthropic-ratelimit-output-tokens-limit", "spanwire.ratelimit.limit.output_tokens", most},
	{"anthropic-ratelimit-output-tokens-remaining", "spanwire.ratelimit.remaining.output_tokens", whole},
	{"anthropic-ratelimit-output-tokens-reset", "spanwire.ratelimit.reset.output_tokens", until},
	{"x-ratelimit-limit-req-minute", "spanwire.ratelimit.limit.requests", most},
	{"x-ratelimit-remaining-req-minute", "spanwire.ratelimit.remaining.requests", whole},
	{"x-ratelimit-limit-tokens-minute", "spanwire.ratelimit.limit.tokens", most},
	{"x-ratelimit-remaining-tokens-minute", "spanwire.ratelimit.remaining.tokens", whole},
	{"ratelimitbysize-limit", "spanwire.ratelimit.limit.tokens", most},
	{"ratelimitbysize-remaining", "spanwire.ratelimit.remaining.tokens", whole},
	{"ratelimitbysize-reset", "spanwire.ratelimit.reset.tokens", until},
	{"x-ratelimit-limit", "spanwire.ratelimit.limit.requests", most},
	{"x-ratelimit-remaining", "spanwire.ratelimit.remaining.requests", whole},
	{"x-ratelimit-reset", "spanwire.ratelimit.reset.requests", until},
	{"x-trial-endpoint-call-limit", "spanwire.ratelimit.limit.requests", most},
	{"x-trial-endpoint-call-remaining", "spanwire.ratelimit.remaining.requests", whole},
	{"ratelimit", "", limits},
}

// fieldIndex finds the row of a name.
var fieldIndex = func() map[string]int {
	m := make(map[string]int, len(fields))
	for i, f := range fields {
		m[f.name] = i
	}
	return m
}()

// initials are the first letters that names of a length have: most fields of an answer
// are none of ours, and need not be looked up.
var initials = func() (of [65]uint32) {
	for _, f := range fields {
		of[len(f.name)] |= 1 << (f.name[0] & 31)
	}
	return of
}()

// told is a field of an answer that has a row in fields.
type told struct {
	row   int
	value string
}

// readHeaders carries ids, timings and limits over. at is when the answer was
// complete: resets are told relative to it. What cannot be read is left out.
func readHeaders(c *llm.Call, h llm.Header, at time.Time) {
	var room [16]told // on the stack
	all := room[:0]
	var low [64]byte
	for name, value := range h.All() {
		if len(name) > len(low) || name == "" || initials[len(name)]&(1<<(name[0]&31)) == 0 {
			continue
		}
		key := low[:len(name)]
		for i := range len(name) {
			b := name[i]
			if b >= 'A' && b <= 'Z' {
				b |= 0x20
			}
			key[i] = b
		}
		if row, ok := fieldIndex[string(key)]; ok && value != "" {
			all = put(all, told{row, value})
		}
	}
	from := len(c.Attrs) // what is set from here on is from headers
	for _, t := range all {
		f := &fields[t.row]
		if isSet(c.Attrs[from:], f.key) {
			continue
		}
		if f.form == limits {
			readDraft(c, t.value, from)
			continue
		}
		if v := f.form.read(t.value, at); v != nil {
			c.Attrs = append(c.Attrs, llm.Attr{Key: f.key, Value: v})
		}
	}
}

// put keeps fields in the order of their rows; the first one of a row stays.
func put(all []told, t told) []told {
	at := len(all)
	for at > 0 && all[at-1].row >= t.row {
		if at--; all[at].row == t.row {
			return all
		}
	}
	return slices.Insert(all, at, t)
}

func isSet(attrs []llm.Attr, key string) bool {
	for i := range attrs {
		if attrs[i].Key == key {
			return true
		}
	}
	return false
}

// read returns the value of a field, nil when it cannot be read.
func (f valueForm) read(s string, at time.Time) any {
	switch f {
	case text:
		if s = strings.ToValidUTF8(s, ""); len(s) <= 256 && s != "" {
			return s
		}
	case seconds, millis:
		n, err := strconv.ParseFloat(strings.TrimRight(s, "ms "), 64)
		if err == nil && n >= 0 && n < 1e9 {
			if f == millis {
				n /= 1000
			}
			return n
		}
	case timing:
		for part := range strings.SplitSeq(s, ";") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(part), "dur="); ok {
				v, _, _ = strings.Cut(v, ",")
				return millis.read(strings.TrimSpace(v), at)
			}
		}
	case until:
		if d, ok := untilReset(s, at); ok {
			return d
		}
	case whole, most:
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
			if f == most {
				return canon.Int(n)
			}
			return n
		}
	}
	return nil
}

// untilReset reads a reset in any of the vendors' forms, as seconds from at: Go's
// durations (OpenAI, Groq), seconds (Azure, Together), RFC 3339 (Anthropic), epoch
// milliseconds (OpenRouter) and seconds.
func untilReset(s string, at time.Time) (float64, bool) {
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		switch {
		case !(n >= 0): // nothing, or not a number
			return 0, false
		case n >= 1e12 && n < 1e14:
			return max(time.UnixMilli(int64(n)).Sub(at).Seconds(), 0), true
		case n >= 1e9 && n < 1e11:
			return max(time.Unix(int64(n), 0).Sub(at).Seconds(), 0), true
		}
		return n, n < 1e8
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return d.Seconds(), true
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return max(t.Sub(at).Seconds(), 0), true
	}
	return 0, false
}

// readDraft reads the structured field of the IETF draft, as Hugging Face sends it.
func readDraft(c *llm.Call, s string, from int) {
	s, _, _ = strings.Cut(s, ",")
	for part := range strings.SplitSeq(s, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			continue
		}
		switch name {
		case "r":
			setFirst(c, from, "spanwire.ratelimit.remaining.requests", n)
		case "t":
			setFirst(c, from, "spanwire.ratelimit.reset.requests", float64(n))
		}
	}
}

func setFirst(c *llm.Call, from int, key string, value any) {
	if !isSet(c.Attrs[from:], key) {
		c.SetAttr(key, value)
	}
}
