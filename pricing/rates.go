package pricing

import (
	"fmt"

	"github.com/spanwire/spanwire/llm"
)

// rate names one token rate of a price row: USD per 1,000,000 tokens in the file,
// pico-USD per token in memory.
type rate uint8

const (
	rInput rate = iota
	rCacheRead
	rCacheReadAudio
	rCacheReadImage
	rCacheWrite
	rCacheWrite1h
	rCacheWrite12h
	rInputAudio
	rInputImage
	rInputVideo
	rOutput // first of the output side
	rReasoning
	rOutputAudio
	rOutputImage
	rOutputVideo

	tokenRates
)

func (r rate) output() bool { return r >= rOutput }

var rateNames = map[string]rate{
	"input": rInput, "cache_read": rCacheRead, "cache_read_audio": rCacheReadAudio, "cache_read_image": rCacheReadImage,
	"cache_write": rCacheWrite, "cache_write_1h": rCacheWrite1h, "cache_write_12h": rCacheWrite12h,
	"input_audio": rInputAudio, "input_image": rInputImage, "input_video": rInputVideo,
	"output": rOutput, "reasoning": rReasoning, "output_audio": rOutputAudio, "output_image": rOutputImage, "output_video": rOutputVideo,
}

// rateSet is a set of token rates, some of them absent.
type rateSet struct {
	v   [tokenRates]int64
	has uint16
}

func (s *rateSet) set(r rate, v int64) { s.v[r], s.has = v, s.has|1<<r }
func (s *rateSet) lists(r rate) bool   { return s.has>>r&1 == 1 }

// over lays the rates of o over s.
func (s *rateSet) over(o *rateSet) {
	for r := range tokenRates {
		if o.lists(r) {
			s.set(r, o.v[r])
		}
	}
}

// charge says at which rate a kind of usage is charged: the first of chain that
// is priced, so that an unpriced part costs what its whole costs. Where a token
// is cached and of a modality, the cache comes first.
type charge struct {
	kind  llm.UsageKind
	chain [4]rate
	n     int // rates in chain
	part  part
}

// part is the part of a cost that a charge goes into.
type part uint8

const (
	partInput part = iota
	partOutput
	partCacheRead
	partCacheWrite
	partTools
	parts
)

func chain(k llm.UsageKind, p part, rs ...rate) charge {
	c := charge{kind: k, part: p, n: len(rs)}
	copy(c.chain[:], rs)
	return c
}

// charges has every kind that counts tokens, in the order of the kinds.
var charges = [...]charge{
	chain(llm.UncachedInput, partInput, rInput),
	chain(llm.CacheRead, partCacheRead, rCacheRead, rInput),
	chain(llm.CacheReadAudio, partCacheRead, rCacheReadAudio, rCacheRead, rInputAudio, rInput),
	chain(llm.CacheReadImage, partCacheRead, rCacheReadImage, rCacheRead, rInputImage, rInput),
	chain(llm.CacheWrite, partCacheWrite, rCacheWrite, rInput),
	chain(llm.CacheWrite1h, partCacheWrite, rCacheWrite1h, rCacheWrite, rInput),
	chain(llm.CacheWrite12h, partCacheWrite, rCacheWrite12h, rCacheWrite, rInput),
	chain(llm.AudioInput, partInput, rInputAudio, rInput),
	chain(llm.ImageInput, partInput, rInputImage, rInput),
	chain(llm.VideoInput, partInput, rInputVideo, rInput),
	chain(llm.ToolUseInput, partInput, rInput),
	chain(llm.OutputText, partOutput, rOutput),
	chain(llm.Reasoning, partOutput, rReasoning, rOutput),
	chain(llm.AudioOutput, partOutput, rOutputAudio, rOutput),
	chain(llm.ImageOutput, partOutput, rOutputImage, rOutput),
	chain(llm.VideoOutput, partOutput, rOutputVideo, rOutput),
	chain(llm.RejectedPrediction, partOutput, rOutput),
}

// fee names a charge that is not for tokens; pico per unit in memory.
type fee uint8

const (
	feeRequest fee = iota
	feePage
	feeRerank
	feeAudioHour
	feeAudioHourIn
	feeAudioHourOut
	feeVideoSecond
	feeChars    // per character
	feeGPUHour  // per hour that the call took, all GPUs together
	feeCitation // per token
	feePageAnnotated

	fees
)

// feeRule says how a fee is written: its unit's exponent (0 for money each, 6 for money
// a million) and the most it can sanely be, as written, in USD.
type feeRule struct {
	fee  fee
	per  int
	most int64
	kept bool // false: known to the format, and no count of usage has its unit
}

var feeNames = map[string]feeRule{
	"per_request":        {fee: feeRequest, most: 10, kept: true},
	"per_page":           {fee: feePage, most: 10, kept: true},
	"per_rerank":         {fee: feeRerank, most: 10, kept: true},
	"per_audio_hour":     {fee: feeAudioHour, most: 1000, kept: true},
	"per_audio_hour_in":  {fee: feeAudioHourIn, most: 1000, kept: true},
	"per_audio_hour_out": {fee: feeAudioHourOut, most: 1000, kept: true},
	"per_video_second":   {fee: feeVideoSecond, most: 100, kept: true},
	"per_gpu_hour":       {fee: feeGPUHour, most: 1000, kept: true},
	"input_chars":        {fee: feeChars, per: 6, most: maxRate, kept: true},
	"per_page_annotated": {fee: feePageAnnotated, most: 10, kept: true},
	"per_text_message":   {most: 10},
	"citation":           {fee: feeCitation, per: 6, most: maxRate, kept: true},
}

type feeSet struct {
	v   [fees]int64
	has uint16
}

func (s *feeSet) set(f fee, v int64) { s.v[f], s.has = v, s.has|1<<f }
func (s *feeSet) lists(f fee) bool   { return s.has>>f&1 == 1 }

// Sanity bounds of a token rate, USD per 1,000,000 tokens. The dearest real one
// is 600, the cheapest 0.002; a price typed for one token, or for a thousand, as
// if it were for a million (and the other way round) is far outside.
const (
	maxRate = 5_000
	minRate = "0.0001"
	// minRatePico is minRate in pico a token.
	minRatePico = 100
)

// weaker is how much more than in US dollars a price can be in another currency: all
// that the sums have room for.
const weaker = 18

// most is a bound in US dollars as one in the currency.
func most(usd int64, c llm.Currency) int64 {
	if c == llm.USD {
		return usd
	}
	return usd * weaker
}

// parseRate reads a token rate as written into pico a token.
func parseRate(text string, c llm.Currency) (int64, error) {
	d, err := parseDecimal(text)
	if err != nil {
		return 0, err
	}
	v, ok := d.scaled(6)
	switch {
	case !ok && d.exp < -6:
		return 0, fmt.Errorf("%s %s per 1,000,000 tokens is finer than 1 pico-%s a token: is it a price per token?", text, c, c)
	case !ok || v > most(maxRate, c)*1_000_000:
		return 0, fmt.Errorf("%s %s per 1,000,000 tokens is above the bound of %d: is it a price per token?", text, c, most(maxRate, c))
	case v != 0 && v < minRatePico:
		return 0, fmt.Errorf("%s %s per 1,000,000 tokens is below the bound of %s: is it a price per token?", text, c, minRate)
	}
	return v, nil
}

// parseFee reads a fee of at most usd US dollars, or what most makes of them, for 10^per
// units into pico a unit.
func parseFee(text string, per int, usd int64, c llm.Currency) (int64, error) {
	d, err := parseDecimal(text)
	if err != nil {
		return 0, err
	}
	v, ok := d.scaled(12 - per)
	if !ok && d.exp < per-12 {
		return 0, fmt.Errorf("%s %s is finer than 1 pico-%s a unit", text, c, c)
	}
	limit := most(usd, c)
	for range 12 - per {
		limit *= 10
	}
	if !ok || v > limit {
		return 0, fmt.Errorf("%s %s is above the bound of %d", text, c, most(usd, c))
	}
	return v, nil
}
