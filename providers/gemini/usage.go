package gemini

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// report is a usage object of any of Google's APIs (wire reference, sections 8.3,
// 8.4 and 12). -1 means not told.
type report struct {
	prompt, output, thoughts, toolUse, cached, total int64
	in, out, cache                                   modalities
	searches                                         int64
	live                                             bool // as Live names it
	tier, traffic                                    string
}

// modalities splits a count. -1 means not told.
type modalities struct{ image, video, audio int64 }

var untold = modalities{-1, -1, -1}

// counts are the members that hold a number.
var counts = map[string]func(*report) *int64{
	"promptTokenCount":        func(r *report) *int64 { return &r.prompt },
	"candidatesTokenCount":    func(r *report) *int64 { return &r.output },
	"responseTokenCount":      func(r *report) *int64 { return &r.output },
	"thoughtsTokenCount":      func(r *report) *int64 { return &r.thoughts },
	"toolUsePromptTokenCount": func(r *report) *int64 { return &r.toolUse },
	"cachedContentTokenCount": func(r *report) *int64 { return &r.cached },
	"totalTokenCount":         func(r *report) *int64 { return &r.total },
	"totalInputTokens":        func(r *report) *int64 { return &r.prompt },
	"totalOutputTokens":       func(r *report) *int64 { return &r.output },
	"totalThoughtTokens":      func(r *report) *int64 { return &r.thoughts },
	"totalReasoningTokens":    func(r *report) *int64 { return &r.thoughts },
	"totalToolUseTokens":      func(r *report) *int64 { return &r.toolUse },
	"totalCachedTokens":       func(r *report) *int64 { return &r.cached },
	"totalTokens":             func(r *report) *int64 { return &r.total },
}

// details are the members that split one by modality.
var details = map[string]func(*report) *modalities{
	"promptTokensDetails":     func(r *report) *modalities { return &r.in },
	"promptTokenDetails":      func(r *report) *modalities { return &r.in },
	"inputTokensByModality":   func(r *report) *modalities { return &r.in },
	"candidatesTokensDetails": func(r *report) *modalities { return &r.out },
	"responseTokensDetails":   func(r *report) *modalities { return &r.out },
	"outputTokensByModality":  func(r *report) *modalities { return &r.out },
	"cacheTokensDetails":      func(r *report) *modalities { return &r.cache },
	"cachedTokensByModality":  func(r *report) *modalities { return &r.cache },
}

func readReport(raw []byte) report {
	r := report{prompt: -1, output: -1, thoughts: -1, toolUse: -1, cached: -1, total: -1, searches: -1, in: untold, out: untold, cache: untold}
	for m := jsonwalk.Object(raw); m.Next(); {
		name := string(camel(m.Key))
		if dst, ok := counts[name]; ok {
			if n, ok := params.Count(m.Val); ok {
				*dst(&r) = n
			}
			r.live = r.live || name == "responseTokenCount"
			continue
		}
		if dst, ok := details[name]; ok {
			dst(&r).read(m.Val)
			continue
		}
		switch name {
		case "trafficType":
			r.traffic = gjson.ParseBytes(m.Val).String()
		case "serviceTier":
			r.tier = jsonwalk.Str(m.Val)
		case "groundingToolCount":
			r.readGrounding(m.Val)
		}
	}
	return r
}

// read reads a list of {modality, tokenCount}; the modality is a word or its number.
func (d *modalities) read(val []byte) {
	for e := jsonwalk.Array(val); e.Next(); {
		kind, n := "", int64(0)
		for m := jsonwalk.Object(e.Val); m.Next(); {
			switch string(camel(m.Key)) {
			case "modality":
				kind = strings.ToLower(gjson.ParseBytes(m.Val).String())
			case "tokenCount", "tokens":
				n, _ = params.Count(m.Val)
			}
		}
		switch kind {
		case "image", "2":
			d.image = max(d.image, 0) + n
		case "video", "3":
			d.video = max(d.video, 0) + n
		case "audio", "4":
			d.audio = max(d.audio, 0) + n
		}
	}
}

func (r *report) readGrounding(val []byte) {
	for e := jsonwalk.Array(val); e.Next(); {
		if strings.HasPrefix(strings.ToLower(jsonwalk.Str(jsonwalk.Member(e.Val, "type"))), "google_search") {
			if n, ok := params.Count(jsonwalk.Member(e.Val, "count")); ok {
				r.searches = max(r.searches, 0) + n
			}
		}
	}
}

func known(n int64) int64 { return max(n, 0) }

// readUsage brings a usage object into the disjoint normal form. Thoughts stand
// beside the output, the results of tools beside the prompt, and what was cached
// within it (wire reference, section 13). ok is false when nothing in it is a count.
func readUsage(raw []byte) (u llm.Usage, ok bool) {
	r := readReport(raw)
	u.Tier = r.tierName()
	if r.searches >= 0 {
		u.Set(llm.WebSearches, r.searches)
	}
	if r.prompt < 0 && r.output < 0 && r.thoughts < 0 {
		return u, u.Known()
	}
	r.settle()
	u.Source = llm.UsageReported
	u.Inconsistent = r.setInput(&u)
	u.Inconsistent = r.setOutput(&u) || u.Inconsistent
	return u, true
}

// settle makes prompt and output exclude what stands beside them: that they do is
// the rule, and where the total says otherwise it is believed.
func (r *report) settle() {
	beside := known(r.thoughts) + known(r.toolUse)
	if r.output < 0 && r.prompt >= 0 && r.total >= 0 && !r.live {
		// A count of 0 is left out.
		if n := r.total - r.prompt - beside; n >= 0 {
			r.output = n
		}
		return
	}
	if r.live || r.total < 0 || r.prompt < 0 || r.output < 0 || beside == 0 {
		return
	}
	switch extra := r.total - r.prompt - r.output; {
	case extra == beside:
	case extra == 0 && known(r.thoughts) <= r.output && known(r.toolUse) <= r.prompt:
		r.output -= known(r.thoughts)
		r.prompt -= known(r.toolUse)
	case extra == known(r.toolUse) && known(r.thoughts) <= r.output:
		r.output -= known(r.thoughts)
	case extra == known(r.thoughts) && known(r.toolUse) <= r.prompt:
		r.prompt -= known(r.toolUse)
	}
}

// setInput splits the input into its disjoint kinds and reports whether the parts
// exceeded the whole.
func (r *report) setInput(u *llm.Usage) (clamped bool) {
	if r.toolUse >= 0 {
		u.Set(llm.ToolUseInput, r.toolUse)
	}
	if r.prompt < 0 {
		return false
	}
	left := r.prompt
	take := func(k llm.UsageKind, told, n int64) {
		if told < 0 {
			return
		}
		if n > left {
			clamped, n = true, left
		}
		left -= n
		u.Set(k, n)
	}
	cached := known(r.cached)
	image, audio, video := known(r.in.image), known(r.in.audio), known(r.in.video)
	cachedImage, cachedAudio, cachedVideo := known(r.cache.image), known(r.cache.audio), known(r.cache.video)
	if r.cache == untold {
		// What was cached and what is no text may overlap: by as much as they exceed the
		// whole together, at least.
		over := max(0, cached+image+audio+video-r.prompt)
		cachedImage = min(over, image, cached)
		cachedAudio = min(over-cachedImage, audio, cached-cachedImage)
		cachedVideo = min(over-cachedImage-cachedAudio, video, cached-cachedImage-cachedAudio)
	}
	cachedImage, cachedAudio = min(cachedImage, cached), min(cachedAudio, max(0, cached-cachedImage))
	take(llm.CacheRead, r.cached, cached-cachedImage-cachedAudio)
	if cachedImage > 0 {
		take(llm.CacheReadImage, 0, cachedImage)
	}
	if cachedAudio > 0 {
		take(llm.CacheReadAudio, 0, cachedAudio)
	}
	take(llm.ImageInput, r.in.image, max(0, image-cachedImage))
	take(llm.AudioInput, r.in.audio, max(0, audio-cachedAudio))
	take(llm.VideoInput, r.in.video, max(0, video-cachedVideo))
	u.Set(llm.UncachedInput, left)
	return clamped
}

// setOutput does the same for the output.
func (r *report) setOutput(u *llm.Usage) (clamped bool) {
	if r.thoughts >= 0 {
		u.Set(llm.Reasoning, r.thoughts)
	}
	if r.output < 0 {
		return false
	}
	left := r.output
	take := func(k llm.UsageKind, n int64) {
		if n < 0 {
			return
		}
		if n > left {
			clamped, n = true, left
		}
		left -= n
		u.Set(k, n)
	}
	take(llm.ImageOutput, r.out.image)
	take(llm.AudioOutput, r.out.audio)
	take(llm.VideoOutput, r.out.video)
	u.Set(llm.OutputText, left)
	return clamped
}

// tierName is the service tier that a usage object tells: by its name, or by the
// kind of traffic that Vertex billed.
func (r *report) tierName() string {
	if t := tierOf(r.tier); t != "" {
		return t
	}
	switch r.traffic {
	case "ON_DEMAND", "1":
		return "standard"
	case "ON_DEMAND_PRIORITY":
		return "priority"
	case "ON_DEMAND_FLEX":
		return "flex"
	case "PROVISIONED_THROUGHPUT", "2":
		return "provisioned_throughput"
	}
	return ""
}

// tierOf takes the enum's prefix off the name of a tier.
func tierOf(s string) string {
	s = strings.TrimPrefix(strings.ToLower(s), "service_tier_")
	if s == "unspecified" {
		return ""
	}
	return jsonwalk.Clip(s, 64)
}
