package llm

// UsageKind names one disjoint part of what a call used. The kinds on the input
// side add up to all input tokens, those on the output side to all output
// tokens; no token is in two kinds. (wire reference, section 13.)
type UsageKind uint8

// The kinds. Tokens up to lastOutput, other units after it.
const (
	UncachedInput  UsageKind = iota // input tokens that are in no other input kind
	CacheRead                       // read from the prompt cache
	CacheReadAudio                  // of these, audio
	CacheReadImage                  // of these, images
	CacheWrite                      // written to the cache, short life (5 or 30 minutes)
	CacheWrite1h                    // written to the cache for an hour
	CacheWrite12h                   // written to the cache for twelve hours
	AudioInput
	ImageInput
	VideoInput
	ToolUseInput // results of tools that the provider ran, billed as input
	OutputText   // output tokens that are in no other output kind
	Reasoning
	AudioOutput
	ImageOutput
	VideoOutput
	RejectedPrediction // predicted tokens that were not used, billed as output

	WebSearches // calls executed by the provider
	WebFetches
	FileSearches
	CodeSessions
	Images         // images made
	AudioInMillis  // milliseconds of audio heard
	AudioOutMillis // milliseconds of audio made
	VideoMillis    // milliseconds of video made
	Characters     // characters of text read (speech)
	Pages          // pages read (OCR)
	SearchUnits    // rerank
	CitationTokens // of search results, where they are billed apart from the prompt
	AnnotatedPages // pages read and annotated as asked; they are not among Pages

	usageKinds
)

const (
	lastInput  = ToolUseInput
	lastOutput = RejectedPrediction
)

var usageNames = [usageKinds]string{
	"uncached_input", "cache_read", "cache_read_audio", "cache_read_image", "cache_write", "cache_write_1h", "cache_write_12h",
	"audio_input", "image_input", "video_input", "tool_use_input",
	"output_text", "reasoning", "audio_output", "image_output", "video_output", "rejected_prediction",
	"web_searches", "web_fetches", "file_searches", "code_sessions", "images", "audio_in_ms", "audio_out_ms", "video_ms", "characters", "pages", "search_units", "citation_tokens", "annotated_pages",
}

// String returns the name used in spanwire.usage.<kind>.
func (k UsageKind) String() string { return usageNames[k] }

// Usage is what a call used, kind by kind. A kind that was never set is unknown,
// which is not 0. The zero value knows nothing. Usage is a value: copies are
// independent and comparable.
type Usage struct {
	n     [usageKinds]int64
	known uint32

	Source UsageSource
	Tier   string // service tier that served, in the provider's words; "" when not told
	Speed  string // "fast" where a faster service costs more
	Region string // region that changes the price
	// ImageForm is the quality and size of the images made, where they are sold apiece:
	// "hd/1024x1792", with "default" for what was not told; "" when neither was.
	ImageForm string
	Batch     bool
	// Inconsistent says that the provider's parts exceeded their whole and were clamped.
	Inconsistent bool
}

// UsageSource says where the counts are from (spanwire.usage.source).
type UsageSource string

// The sources, from best to worst.
const (
	UsageReported   UsageSource = "reported"   // told by the provider
	UsageExact      UsageSource = "exact"      // counted with the public vocabulary, whole text
	UsageRule       UsageSource = "rule"       // counted, with measured constants for the wrapping
	UsageCalibrated UsageSource = "calibrated" // counted with a similar vocabulary and a learned factor
	UsageEstimated  UsageSource = "estimated"
	UsagePartial    UsageSource = "partial" // the answer was cut: a lower bound
	UsageMissing    UsageSource = "missing" // nothing is known
)

// Set sets one kind. A negative count is a broken report: it is not taken.
func (u *Usage) Set(k UsageKind, n int64) {
	if n < 0 {
		return
	}
	u.n[k], u.known = n, u.known|1<<k
}

// Get returns the count of one kind and whether it is known.
func (u Usage) Get(k UsageKind) (int64, bool) { return u.n[k], u.known>>k&1 == 1 }

// Input returns the sum of the input kinds that are known; ok is false when none is.
func (u Usage) Input() (n int64, ok bool) { return u.sum(UncachedInput, lastInput) }

// Output returns the sum of the output kinds that are known; ok is false when none is.
func (u Usage) Output() (n int64, ok bool) { return u.sum(OutputText, lastOutput) }

// CacheReads returns all tokens read from the cache, whatever their modality.
func (u Usage) CacheReads() (n int64, ok bool) { return u.sum(CacheRead, CacheReadImage) }

// CacheWrites returns all tokens written to the cache, whatever their life.
func (u Usage) CacheWrites() (n int64, ok bool) { return u.sum(CacheWrite, CacheWrite12h) }

// Bits returns the kinds that are known as a set: bit k stands for kind k.
func (u Usage) Bits() uint32 { return u.known }

// Known says whether any kind at all is known.
func (u Usage) Known() bool { return u.known != 0 }

func (u Usage) sum(from, to UsageKind) (n int64, ok bool) {
	for k := from; k <= to; k++ {
		if u.known>>k&1 == 1 {
			n, ok = n+u.n[k], true
		}
	}
	return n, ok
}

// UsageKinds returns all kinds in their order.
func UsageKinds() []UsageKind {
	ks := make([]UsageKind, usageKinds)
	for i := range ks {
		ks[i] = UsageKind(i)
	}
	return ks
}

// Tokens says whether the kind counts tokens (and not calls, seconds or pages).
func (k UsageKind) Tokens() bool { return k <= lastOutput }
