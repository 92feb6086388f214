package callrecord

import (
	"math/bits"

	"github.com/spanwire/spanwire/llm"
)

// usage is llm.Usage in a record. Counts are pairs of a kind's number and its
// count; a kind that is not there is unknown.
type usage struct {
	Counts       []int64         `cbor:"1,keyasint,omitempty"`
	Source       llm.UsageSource `cbor:"2,keyasint,omitempty"`
	Tier         string          `cbor:"3,keyasint,omitempty"`
	Speed        string          `cbor:"4,keyasint,omitempty"`
	Region       string          `cbor:"5,keyasint,omitempty"`
	Batch        bool            `cbor:"6,keyasint,omitempty"`
	Inconsistent bool            `cbor:"7,keyasint,omitempty"`
	ImageForm    string          `cbor:"8,keyasint,omitempty"`
}

// usageNumbers are the numbers of the kinds in records: for good, whatever the
// order in llm. A new kind gets the next one.
var usageNumbers = [...]struct {
	kind   llm.UsageKind
	number int64
}{
	{llm.UncachedInput, 1}, {llm.CacheRead, 2}, {llm.CacheReadAudio, 3}, {llm.CacheReadImage, 4},
	{llm.CacheWrite, 5}, {llm.CacheWrite1h, 6}, {llm.CacheWrite12h, 7},
	{llm.AudioInput, 8}, {llm.ImageInput, 9}, {llm.VideoInput, 10}, {llm.ToolUseInput, 11},
	{llm.OutputText, 12}, {llm.Reasoning, 13}, {llm.AudioOutput, 14}, {llm.ImageOutput, 15},
	{llm.VideoOutput, 16}, {llm.RejectedPrediction, 17},
	{llm.WebSearches, 18}, {llm.WebFetches, 19}, {llm.FileSearches, 20}, {llm.CodeSessions, 21},
	{llm.Images, 22}, {llm.AudioInMillis, 23}, {llm.AudioOutMillis, 24}, {llm.VideoMillis, 25},
	{llm.Characters, 26}, {llm.Pages, 27}, {llm.SearchUnits, 28},
	{llm.CitationTokens, 29}, {llm.AnnotatedPages, 30},
}

func usageOf(u llm.Usage) usage {
	out := usage{Source: u.Source, Tier: u.Tier, Speed: u.Speed, Region: u.Region, ImageForm: u.ImageForm, Batch: u.Batch, Inconsistent: u.Inconsistent}
	if !u.Known() {
		return out
	}
	out.Counts = make([]int64, 0, 2*bits.OnesCount32(u.Bits()))
	for _, k := range usageNumbers {
		if n, ok := u.Get(k.kind); ok {
			out.Counts = append(out.Counts, k.number, n)
		}
	}
	return out
}

// IsZero says whether nothing is known (for the encoders).
func (u usage) IsZero() bool {
	return len(u.Counts) == 0 && u.Source == "" && u.Tier == "" && u.Speed == "" && u.Region == "" && u.ImageForm == "" && !u.Batch && !u.Inconsistent
}

// each calls f for every kind that is known. Kinds of newer versions are passed over.
func (u usage) each(f func(llm.UsageKind, int64)) {
	for i := 0; i+1 < len(u.Counts); i += 2 {
		for _, k := range usageNumbers {
			if k.number == u.Counts[i] {
				f(k.kind, u.Counts[i+1])
				break
			}
		}
	}
}

func (u usage) llm() llm.Usage {
	out := llm.Usage{Source: u.Source, Tier: u.Tier, Speed: u.Speed, Region: u.Region, ImageForm: u.ImageForm, Batch: u.Batch, Inconsistent: u.Inconsistent}
	u.each(out.Set)
	return out
}
