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
	learned factor // in place of percent, when not zero
	exact   int    // bytes that may still be counted in full
	sample  int    // bytes of samples that may still be counted
	bytes   int64
	tokens  int64 // in bytes
	source  llm.UsageSource
	rough   bool // some of the text was not there, or not counted in full
}

func newMeter(m *model) *meter {
	t := &meter{enc: encodings[m.encoding], percent: m.percent, exact: maxExact, sample: maxSample, source: llm.UsageExact}
	if !m.public {
		t.source = llm.UsageEstimated
	}
	return t
}

// calibrate makes the meter count with the factor that was learnt of its model.
func (t *meter) calibrate(f factor) { t.learned, t.source = f, llm.UsageCalibrated }

var quality = map[llm.UsageSource]int{
	llm.UsageReported: 0, llm.UsageExact: 1, llm.UsageRule: 2, llm.UsageCalibrated: 3,
	llm.UsageEstimated: 4, llm.UsagePartial: 5, llm.UsageMissing: 6,
}

// worse lowers the quality of what is counted to s, if it was better.
func (t *meter) worse(s llm.UsageSource) {
	t.source = worst(t.source, s)
	t.rough = t.rough || quality[s] >= quality[llm.UsageEstimated]
}

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

// joined counts texts that follow each other as one, without joining them.
func (t *meter) joined(parts []llm.Part) (n int64) {
	size := 0
	for i := range parts {
		size += len(parts[i].Content)
	}
	if size > t.exact {
		for i := range parts {
			n += t.text(parts[i].Content)
		}
		return n
	}
	s := stream{enc: t.enc}
	for i := range parts {
		s.write(parts[i].Content)
	}
	n, whole := s.finish()
	if !whole {
		t.worse(llm.UsageEstimated)
	}
	t.exact, t.bytes, t.tokens = t.exact-size, t.bytes+int64(size), t.tokens+n
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
		at, end := t.boundary(s, at), t.boundary(s, at+sampleWindow)
		c, _ := t.enc.count(s[at:end])
		n, bytes = n+c, bytes+int64(end-at)
	}
	t.sample -= windows * sampleWindow
	t.bytes, t.tokens = t.bytes+bytes, t.tokens+n
	return n * int64(len(s)) / bytes
}

// boundary moves i back to where the whole text is cut in any case, if there is
// such a place near, else to where a character begins.
func (t *meter) boundary(s string, i int) int {
	const near = 256
	if i <= near || i >= len(s) {
		return min(max(i, 0), len(s)) // a window of the beginning or of the end
	}
	from := i - near
	if at := t.enc.forced([]byte(s[from:i+1]), 0); at > 0 {
		return from + at
	}
	for i > from && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
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
	if t.learned.den > 0 {
		return t.learned.of(n)
	}
	if t.percent == 100 {
		return n
	}
	return percent(n, t.percent)
}
