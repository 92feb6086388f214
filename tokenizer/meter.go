package tokenizer

import (
	"unicode/utf8"

	"github.com/spanwire/spanwire/llm"
)

const (
	// maxExact bounds the text of one call that is counted in full.
	maxExact = 4 << 20
	// maxSample bounds what is counted of the text past that, in windows of
	// sampleWindow spread evenly.
	maxSample    = 1 << 20
	sampleWindow = 16 << 10
	// maxUnseen bounds a size that is believed: more than any request has, and its
	// product with any count of tokens fits.
	maxUnseen = 1 << 38
)

// meter counts the texts of one call and remembers how well it could. It belongs
// to one goroutine.
type meter struct {
	enc     *encoding
	percent int64
	exact   int // bytes that may still be counted in full
	sample  int // bytes of samples that may still be counted
	bytes   int64
	tokens  int64 // in bytes
	source  llm.UsageSource
}

func newMeter(m *model) *meter {
	t := &meter{enc: encodings[m.encoding], percent: m.percent, exact: maxExact, sample: maxSample, source: llm.UsageExact}
	if !m.public {
		t.worse(llm.UsageEstimated)
	}
	return t
}

var quality = map[llm.UsageSource]int{
	llm.UsageReported: 0, llm.UsageExact: 1, llm.UsageRule: 2, llm.UsageCalibrated: 3,
	llm.UsageEstimated: 4, llm.UsagePartial: 5, llm.UsageMissing: 6,
}

// worse lowers the quality of what is counted to s, if it was better.
func (t *meter) worse(s llm.UsageSource) { t.source = worst(t.source, s) }

func worst(a, b llm.UsageSource) llm.UsageSource {
	if quality[b] > quality[a] {
		return b
	}
	return a
}

// text counts s, in tokens of the vocabulary: see scaled.
func (t *meter) text(s string) int64 {
	if s == "" {
		return 0
	}
	if len(s) > t.exact {
		t.worse(llm.UsageEstimated)
		return t.sampled(s)
	}
	t.exact -= len(s)
	n, whole := t.enc.count(s)
	if !whole {
		t.worse(llm.UsageEstimated)
	}
	t.bytes, t.tokens = t.bytes+int64(len(s)), t.tokens+n
	return n
}

// sampled estimates a text that is too long to count from windows of it.
func (t *meter) sampled(s string) int64 {
	windows := min(t.sample, len(s)) / sampleWindow
	if windows < 2 {
		return t.unseen(int64(len(s)))
	}
	var n, bytes int64
	for i := range windows {
		at := i * ((len(s) - sampleWindow) / (windows - 1))
		end := at + sampleWindow
		for at > 0 && !utf8.RuneStart(s[at]) {
			at--
		}
		for end < len(s) && !utf8.RuneStart(s[end]) {
			end++
		}
		c, _ := t.enc.count(s[at:end])
		n, bytes = n+c, bytes+int64(end-at)
	}
	t.sample -= windows * sampleWindow
	t.bytes, t.tokens = t.bytes+bytes, t.tokens+n
	return n * int64(len(s)) / bytes
}

// unseen estimates the tokens of text that is not there, from what was.
func (t *meter) unseen(bytes int64) int64 {
	t.worse(llm.UsageEstimated)
	bytes = min(bytes, maxUnseen)
	const enough = 1 << 10
	if t.bytes < enough {
		return (bytes + 3) / 4
	}
	return bytes * t.tokens / t.bytes
}

// scaled turns tokens of the vocabulary into the model's own.
func (t *meter) scaled(n int64) int64 {
	if t.percent == 100 {
		return n
	}
	return percent(n, t.percent)
}
