package openai

import (
	"strconv"
	"strings"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// report is a usage object with the vendors' names for one thing made one (wire
// reference, section 13). -1 means not told.
type report struct {
	input, output, total                                  int64
	cached, write, write1h, write12h                      int64
	cachedAudio, cachedImage                              int64 // of cached, where that is told
	audioIn, imageIn, videoIn                             int64
	reasoning, audioOut, imageOut, videoOut, rejectedPred int64
	searches, audioSeconds, citations                     int64
	marketCost                                            bool // who tells it counts in a way of its own
	cost, times                                           bool // there is something of these to be read
}

// The rows of counts.
const (
	rowInput = iota
	rowOutput
	rowTotal
	rowCached
	rowWrite
	rowWrite1h
	rowWrite12h
	rowCachedAudio
	rowCachedImage
	rowAudioIn
	rowImageIn
	rowVideoIn
	rowReasoning
	rowAudioOut
	rowImageOut
	rowVideoOut
	rowRejectedPred
	rowSearches
	rowAudioSeconds
	rowCitations
	rowMarketCost // from here on no figures: whether there is such a member
	rowCost
	rowTime
	numCounts
)

// counts says where the figures stand: the first of the paths that holds a number.
var counts = [numCounts][]string{
	rowInput:        {"prompt_tokens", "input_tokens", "tokens_evaluated"},
	rowOutput:       {"completion_tokens", "output_tokens", "tokens_predicted"},
	rowTotal:        {"total_tokens"},
	rowCached:       in("cached_tokens", "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens"),
	rowWrite:        append(in("cache_write_tokens", "cache_creation_input_tokens"), in("cache_creation_input_tokens")...),
	rowWrite1h:      append(in("cache_write_tokens_details.1h"), in("cache_creation.ephemeral_1h_input_tokens", "cache_creation.ephemeral_1h_input_tokens")...),
	rowWrite12h:     in("cache_write_tokens_details.12h"),
	rowCachedAudio:  in("cached_tokens_details.audio_tokens"),
	rowCachedImage:  in("cached_tokens_details.image_tokens"),
	rowAudioIn:      in("audio_tokens"),
	rowImageIn:      in("image_tokens"),
	rowVideoIn:      in("video_tokens"),
	rowReasoning:    out("reasoning_tokens", "reasoning_tokens"),
	rowAudioOut:     out("audio_tokens"),
	rowImageOut:     out("image_tokens"),
	rowVideoOut:     out("video_tokens"),
	rowRejectedPred: out("rejected_prediction_tokens"),
	rowSearches:     {"server_tool_use_details.web_search_requests", "server_tool_use.web_search_requests", "num_search_queries"},
	rowAudioSeconds: {"prompt_audio_seconds"},
	rowCitations:    {"citation_tokens"}, // Perplexity, beside prompt_tokens
	rowMarketCost:   {"market_cost"},
	rowCost:         {"cost", "cost_in_usd_ticks"},
	rowTime:         {"queue_time", "total_time", "time_to_first_token_ms"},
}

// in lists the paths of a detail of the input; further ones stand at the top.
func in(name string, top ...string) []string {
	return append([]string{"prompt_tokens_details." + name, "prompt_token_details." + name,
		"input_tokens_details." + name, "input_token_details." + name}, top...)
}

func out(name string, top ...string) []string {
	return append([]string{"completion_tokens_details." + name, "completion_token_details." + name,
		"output_tokens_details." + name, "output_token_details." + name}, top...)
}

// place is a member of a usage object or of an object in it: a figure, by its row
// in counts and its rank among the row's paths, or further members.
type place struct {
	name      string
	figure    bool
	row, rank int
	members   [maxName][]*place // by the lengths of their names
}

const maxName = 40 // longer than any name

func (p *place) member(name string) *place {
	for _, m := range p.members[len(name)] {
		if m.name == name {
			return m
		}
	}
	return nil
}

// places is counts by path, so that one walk finds every figure.
var places = func() *place {
	root := &place{}
	for row, paths := range counts {
		for rank, path := range paths {
			at := root
			for name := range strings.SplitSeq(path, ".") {
				next := at.member(name)
				if next == nil {
					next = &place{name: name}
					at.members[len(name)] = append(at.members[len(name)], next)
				}
				at = next
			}
			if !at.figure {
				at.figure, at.row, at.rank = true, row, rank
			}
		}
	}
	return root
}()

// figures are what a walk found: for each row of counts the number of the first
// of its paths that holds one.
type figures [numCounts]struct {
	n    int64
	rank int // of its path, from 1; 0 says that there is none
}

func (f *figures) walk(at *place, cur *jsonwalk.Cursor) {
	for o := cur.Object(); o.Next(); {
		if len(o.Key) >= maxName {
			continue
		}
		next := at.member(string(o.Key))
		switch {
		case next == nil:
		case next.figure && next.row >= rowMarketCost:
			f[next.row].rank = 1
		case next.figure:
			best := &f[next.row]
			if best.rank != 0 && best.rank <= next.rank+1 {
				continue
			}
			if n, told := count(cur.Value()); told {
				best.n, best.rank = n, next.rank+1
			}
		default:
			f.walk(next, cur) // as deep as the paths, no deeper
		}
	}
}

// of returns a figure; -1 when there is none.
func (f *figures) of(row int) int64 {
	if f[row].rank == 0 {
		return -1
	}
	return f[row].n
}

// readReport reads a usage object; ok is false when nothing in it is a count.
func readReport(raw []byte) (r report, ok bool) {
	var f figures
	cur := jsonwalk.Read(raw)
	f.walk(places, &cur)
	r = report{
		input:        f.of(rowInput),
		output:       f.of(rowOutput),
		total:        f.of(rowTotal),
		cached:       f.of(rowCached),
		write:        f.of(rowWrite),
		write1h:      f.of(rowWrite1h),
		write12h:     f.of(rowWrite12h),
		cachedAudio:  f.of(rowCachedAudio),
		cachedImage:  f.of(rowCachedImage),
		audioIn:      f.of(rowAudioIn),
		imageIn:      f.of(rowImageIn),
		videoIn:      f.of(rowVideoIn),
		reasoning:    f.of(rowReasoning),
		audioOut:     f.of(rowAudioOut),
		imageOut:     f.of(rowImageOut),
		videoOut:     f.of(rowVideoOut),
		rejectedPred: f.of(rowRejectedPred),
		searches:     f.of(rowSearches),
		audioSeconds: f.of(rowAudioSeconds),
		citations:    f.of(rowCitations),
	}
	r.marketCost, r.cost, r.times = f[rowMarketCost].rank > 0, f[rowCost].rank > 0, f[rowTime].rank > 0
	return r, r.input >= 0 || r.output >= 0 || r.total >= 0
}

// count reads a number of tokens: vendors send integers, floats and texts of them.
func count(val []byte) (int64, bool) {
	if len(val) > 0 && val[0] == '"' {
		val = jsonwalk.Inner(val)
	}
	if len(val) == 0 || len(val) > 64 || val[0] != '-' && (val[0] < '0' || val[0] > '9') {
		return 0, false
	}
	if n := number(val); n > 0 || len(val) == 1 && val[0] == '0' {
		return int64(n), true
	}
	text := string(val)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, n >= 0 && n < 1<<53
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 || f >= 1<<53 || f != f {
		return 0, false
	}
	return int64(f + 0.5), true
}

// readUsage brings a usage object into the disjoint normal form. Which number
// contains which differs by vendor; it is decided by what adds up to what, not by
// who sent it.
func readUsage(raw []byte) (u llm.Usage, ok bool) {
	r, ok := readReport(raw)
	if !ok {
		return llm.Usage{}, false
	}
	return r.usage(), true
}

func (r *report) usage() (u llm.Usage) {
	r.settle()
	u.Source = llm.UsageReported
	clamped := r.setInput(&u)
	clamped = r.setOutput(&u) || clamped
	u.Inconsistent = clamped
	if r.searches >= 0 {
		u.Set(llm.WebSearches, r.searches)
	}
	if r.citations >= 0 {
		u.Set(llm.CitationTokens, r.citations)
	}
	if r.audioSeconds >= 0 && r.audioSeconds < 1<<40 {
		u.Set(llm.AudioInMillis, r.audioSeconds*1000)
	}
	return u
}

func known(n int64) int64 { return max(n, 0) }

// settle makes input and output contain all that belongs to them.
func (r *report) settle() {
	if r.input < 0 && r.output < 0 { // Voyage tells the total of an input alone
		r.input = r.total
		return
	}
	if r.output < 0 && r.total > r.input && r.input >= 0 {
		r.output = r.total - r.input
	}
	if r.input < 0 && r.total >= r.output {
		r.input = r.total - r.output
	}
	if r.input < 0 || r.output < 0 {
		return
	}
	reasoning, audio := known(r.reasoning), known(r.audioIn)
	extra := r.total - r.input - r.output
	switch {
	case r.total < 0:
	case extra <= 0:
	case extra == reasoning: // xAI
		r.output += reasoning
		return
	case extra == audio: // Mistral
		r.input += audio
		return
	case extra == reasoning+audio:
		r.output, r.input = r.output+reasoning, r.input+audio
		return
	case r.audioSeconds > 0 && r.audioIn < 0: // Mistral: what was heard is told in seconds, and in the total
		r.audioIn = extra
		r.input += extra
		return
	case r.reasoning < 0 && r.audioIn < 0: // Gemini's copy: thoughts in the total only
		r.reasoning = extra
		r.output += extra
		return
	}
	// More reasoning than output, and a total that does not tell: off by rounding,
	// or beside the output (Vercel's gateway before Gemini models).
	if reasoning > r.output+max(2, r.output/10) || r.marketCost && reasoning > r.output {
		r.output += reasoning
	}
}

// setInput splits the input into its disjoint kinds and reports whether the parts
// exceeded the whole.
func (r *report) setInput(u *llm.Usage) (clamped bool) {
	if r.input < 0 {
		return false
	}
	left := r.input
	take := func(n int64) int64 {
		if n > left {
			clamped = true
			n = left
		}
		left -= n
		return n
	}
	image, audio, video := known(r.imageIn), known(r.audioIn), known(r.videoIn)
	write := known(r.write)
	w1h, w12h := min(known(r.write1h), write), int64(0)
	w12h = min(known(r.write12h), write-w1h)
	cached := min(known(r.cached), r.input)
	clamped = known(r.cached) > r.input // Grok on Azure
	if clamped {
		write, w1h, w12h = 0, 0, 0
	}
	// What was read from the cache and what is no text may overlap: by as much as is
	// told, else by as much as they exceed the whole together, at least.
	over := max(0, cached+write+image+audio+video-r.input)
	cachedImage := min(over, image, cached)
	cachedAudio := min(over-cachedImage, audio, cached-cachedImage)
	if r.cachedAudio >= 0 || r.cachedImage >= 0 {
		cachedImage = min(known(r.cachedImage), image, cached)
		cachedAudio = min(known(r.cachedAudio), audio, cached-cachedImage)
	}

	set := func(k llm.UsageKind, told, n int64) {
		if told >= 0 {
			u.Set(k, take(n))
		}
	}
	set(llm.CacheRead, r.cached, cached-cachedImage-cachedAudio)
	if cachedImage > 0 {
		u.Set(llm.CacheReadImage, take(cachedImage))
	}
	if cachedAudio > 0 {
		u.Set(llm.CacheReadAudio, take(cachedAudio))
	}
	set(llm.CacheWrite, r.write, write-w1h-w12h)
	set(llm.CacheWrite1h, r.write1h, w1h)
	set(llm.CacheWrite12h, r.write12h, w12h)
	set(llm.ImageInput, r.imageIn, image-cachedImage)
	set(llm.AudioInput, r.audioIn, audio-cachedAudio)
	set(llm.VideoInput, r.videoIn, video)
	u.Set(llm.UncachedInput, left)
	return clamped
}

// setOutput does the same for the output.
func (r *report) setOutput(u *llm.Usage) (clamped bool) {
	if r.output < 0 {
		return false
	}
	left := r.output
	set := func(k llm.UsageKind, n int64) {
		if n < 0 {
			return
		}
		if n > left {
			clamped = true
			n = left
		}
		left -= n
		u.Set(k, n)
	}
	set(llm.Reasoning, r.reasoning)
	set(llm.AudioOutput, r.audioOut)
	set(llm.ImageOutput, r.imageOut)
	set(llm.VideoOutput, r.videoOut)
	set(llm.RejectedPrediction, r.rejectedPred)
	u.Set(llm.OutputText, left)
	return clamped
}
