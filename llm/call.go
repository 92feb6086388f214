package llm

import (
	"math"
	"time"
)

// Call is one call of a model, read from an exchange.
//
// A typed field is what the program computes with; what it only carries is an
// [Attr]. A call is built by the recorder alone; once handed to a sink it is
// read-only, for every sink gets the same one. It never holds a credential.
type Call struct {
	ID        string
	Kind      Kind
	Operation string // gen_ai.operation.name: chat, text_completion, embeddings …; "" for KindHTTP
	Provider  string // gen_ai.provider.name: openai, azure.ai.openai, groq …
	Route     string // provider row that served it (spanwire.route)

	RequestModel  string // exact name the caller asked for; "" when not told
	ResponseModel string // name the provider answered with; "" when not told
	ResponseID    string
	Stream        bool // the caller asked for a stream

	Method, Path  string // HTTP method, and path without query
	ServerAddress string // upstream host
	ServerPort    int
	Status        int // HTTP status; 0 when nothing was answered

	Start      time.Time // the request was read
	FirstByte  time.Time // first byte of the answer; zero when there was none
	FirstToken time.Time // first piece with content, reasoning, refusal or tool call; zero when unknown
	End        time.Time
	Overhead   time.Duration // time spent inside the proxy, both ways
	Chunks     Chunks

	Ended        End
	ErrorType    string // error.type; "" on success
	ErrorMessage string // without secrets

	RequestBytes, ResponseBytes int64 // bodies as relayed

	System []Part // instructions sent apart from the messages
	Input  []Message
	Output []Message // one a choice, in the order of FinishReasons
	Tools  []Tool
	// OutputSchema is the JSON Schema text that the answer must follow; "" when none.
	OutputSchema string

	// Raw is the bodies as they went over the wire, where somebody asked for them.
	Raw *Raw

	FinishReasons []string // the provider's own words, one a choice

	Usage Usage
	// Steps, when there are any, are what the call consisted of where its parts are
	// billed apart, each at its own model: its cost is then the sum of theirs, and
	// Usage only what the provider calls the total (wire reference, section 7.3).
	Steps    []Step
	UsageRaw string // the provider's own usage object, verbatim JSON; "" when none
	// UsageOf is what the usage is of where further calls may tell the same once more:
	// the id of a response made in the background, of a batch. The first call that
	// tells it is billed, the others have no usage. "" for a call's own.
	UsageOf string
	Cost    Cost

	Attribution Attribution
	Place       Place
	Run         *Run // nil: nobody looked, or it is no call that a run consists of
	Content     ContentMode
	// OmitInput and OmitOutput: the caller asked that this side's content is not
	// kept, whatever Content says. It is still counted and priced.
	OmitInput, OmitOutput bool

	// Told is what the client says itself of where the call stands. It is for finding
	// the place of the call, and is not kept: the headers that it is from are, in Attrs.
	Told Told

	Retry    int      // retry count told by the client
	Attrs    []Attr   // carried, never computed with
	Problems []string // what could not be read, for people
}

// Raw is the bodies of a call, without transfer framing, content-encoding still on. A
// body that was longer than what is copied, or had a credential in it, is not as it was:
// Cut and Redacted say so.
type Raw struct {
	Request, Response                 string
	RequestCut, ResponseCut           bool
	RequestRedacted, ResponseRedacted bool
}

// Step is a part of a call that is billed on its own.
type Step struct {
	Kind  string // the provider's word: message, compaction, advisor_message …
	Model string // "" for the call's own
	Usage Usage
}

// Kind says how well an exchange was understood (spanwire.operation.kind).
type Kind string

// The kinds of call.
const (
	KindLLM  Kind = "llm"  // a call of a model, read
	KindHTTP Kind = "http" // relayed and not understood, or not a call of a model
	// KindRun is no exchange: it stands for a run that has ended, and sums its calls up
	// in Attrs. Usage and Cost stay empty, for those of its calls are counted already.
	KindRun Kind = "run"
)

// Chunks is the rhythm of a streamed answer: pieces with content only, role
// pieces, pings and comments left out. Gaps are between neighbouring pieces;
// zero when there were fewer than two.
type Chunks struct {
	Count                   int
	GapMean, GapP95, GapMax time.Duration
}

// Attribution says whom a call is for. Every field is "" or empty when unknown.
type Attribution struct {
	Team          string
	User          string
	Session       string // explicit session id of the caller; never invented (gen_ai.conversation.id)
	SessionSource string // the header, field or baggage key it came from
	Agent         string // agent name that the traffic tells
	Tags          []string
	Metadata      []Attr // string values
	Key           string // first 12 hex digits of the SHA-256 of the caller's credential
}

// Told is what clients such as coding agents say of a call, each value "" or empty
// when they do not. Ids are the client's own, and mean something within its session
// only.
type Told struct {
	Agent       string     // which of the session's agents made the call; "" for the main one
	ParentAgent string     // which one started it
	Run         string     // calls with the same one are of one run
	Aside       bool       // the call is the client's own business (a title, a summary), no step of a run
	Tools       []ToolTime // how long the tools ran whose results the call brings
}

// ToolTime is how long one run of a tool took.
type ToolTime struct {
	Name string
	Time time.Duration
}

// Place says where a call stands in a trace. IDs are all zero when unset; the
// recorder sets Trace and Span of every call.
type Place struct {
	Trace      [16]byte
	Span       [8]byte
	Parent     [8]byte // zero: the call is the root of its trace
	Flags      byte    // W3C trace flags of the caller's context
	State      string  // W3C tracestate of the caller
	Remote     bool    // Trace and Parent came from the caller
	ParentCall string  // call that this one follows; "" when unknown
}

// ContentMode says how much of prompts and answers a call carries.
type ContentMode string

// The content modes. In ContentMetadata the parts hold sizes and hashes and no
// text; in ContentOff the messages are absent.
const (
	ContentFull     ContentMode = "full"
	ContentMetadata ContentMode = "metadata"
	ContentOff      ContentMode = "off"
)

// Attr is a span attribute that we carry and never compute with. Value is a
// string, int64, float64, bool or []string.
type Attr struct {
	Key   string
	Value any
}

// SetAttr appends an attribute, or replaces the value of one with that key. A number
// that is none, infinite or NaN, is not taken: no exporter could write it.
func (c *Call) SetAttr(key string, value any) {
	if f, ok := value.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
		return
	}
	for i := range c.Attrs {
		if c.Attrs[i].Key == key {
			c.Attrs[i].Value = value
			return
		}
	}
	c.Attrs = append(c.Attrs, Attr{key, value})
}

// Model returns the name that a call is priced and shown by first: the model
// that answered, else the one that was asked.
func (c *Call) Model() string {
	if c.ResponseModel != "" {
		return c.ResponseModel
	}
	return c.RequestModel
}
