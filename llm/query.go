package llm

import "time"

// Dimension is something that kept calls are told apart by.
type Dimension string

// The dimensions. Those up to DimCostSource can be filtered and grouped by without
// reading calls; an outcome is "ok" or "error".
const (
	DimTeam        Dimension = "team"
	DimModel       Dimension = "model"
	DimProvider    Dimension = "provider"
	DimOperation   Dimension = "operation"
	DimOutcome     Dimension = "outcome"
	DimUsageSource Dimension = "usage_source"
	DimCostSource  Dimension = "cost_source"
	DimUser        Dimension = "user"
	DimKey         Dimension = "key"
	DimAgent       Dimension = "agent"
	DimTag         Dimension = "tag"
	DimError       Dimension = "error"
	DimCostStatus  Dimension = "cost_status"
)

// Dimensions returns all dimensions.
func Dimensions() []Dimension {
	return []Dimension{DimTeam, DimModel, DimProvider, DimOperation, DimOutcome, DimUsageSource, DimCostSource,
		DimUser, DimKey, DimAgent, DimTag, DimError, DimCostStatus}
}

// OtherValue stands for all values of a dimension that are not listed by themselves.
const OtherValue = "(other)"

// Filter says which kept calls are meant. The zero value means all.
type Filter struct {
	From, To time.Time // From ≤ start < To; zero: no bound
	// Is wants one of the values in each dimension that it names. The value "" stands
	// for calls that have none.
	Is map[Dimension][]string

	Session     string // told by the caller, or inferred
	Run         string
	Trace       [16]byte
	Status      int     // HTTP status; 0: any
	MinCost     PicoUSD // of calls that are priced in US dollars; the others are not meant
	MinDuration time.Duration
	Text        string // all of these words; "words in quotes" stand together, and word* begins so
}

// Count is a number that may be unknown.
type Count struct {
	N     int64
	Known bool
}

// CallRow is a kept call as lists show it.
type CallRow struct {
	ID                   string
	Start                time.Time
	Duration, FirstToken time.Duration // FirstToken is after Start; 0 when it is not known
	Trace                [16]byte
	Span, Parent         [8]byte
	Run, Session         string
	SessionInferred      bool // the caller told none: it is the id of the call that began the conversation

	Team, Model, Provider, Operation, Key, User, Agent string

	Status int
	Failed bool
	Error  string
	Stream bool

	Input, Output, CacheRead, CacheWrite, Reasoning Count
	UsageSource                                     UsageSource
	Cost                                            Count // pico of Currency
	Currency                                        Currency
	CostSource                                      CostSource
	CostStatus                                      CostStatus
	CostWas                                         Count // before it was priced anew, pico of CurrencyWas
	CurrencyWas                                     Currency

	Preview string // beginning of what the user said last; "" when it is not kept
}

// CallPage is a part of a list of calls, newest first.
type CallPage struct {
	Calls []CallRow
	Next  string // where the next page begins; "" when this is the last one
}

// Bucket is how totals are split by time.
type Bucket string

// The buckets, in UTC.
const (
	BucketNone Bucket = ""
	BucketHour Bucket = "hour"
	BucketDay  Bucket = "day"
)

// TotalsQuery is a question for totals.
type TotalsQuery struct {
	Filter
	By     []Dimension
	Bucket Bucket
	// Limit is how many combinations of values get totals of their own, those with
	// the highest cost in US dollars first, then in the other currencies, and then
	// those with the most calls; the others are put
	// together as OtherValue. 0 means 100.
	Limit       int
	Percentiles bool // costs a little more
}

// Total is what calls add up to.
type Total struct {
	At     time.Time // beginning of the bucket; zero without buckets
	Values []string  // in the order of TotalsQuery.By; "" where calls have none

	Calls, Failed                                   int64
	Counted                                         int64 // calls of which tokens are known; the others are in no sum of tokens
	Input, Output, CacheRead, CacheWrite, Reasoning int64
	Priced                                          int64 // calls of which the cost is known; the others are in no amount
	Cost                                            PicoUSD
	Others                                          Costs         // in currencies other than US dollars, apart from Cost
	Duration                                        time.Duration // of all

	Latency, FirstToken Percentiles
}

// Percentiles are of a duration, each within one in a hundred of the true one. Known
// is false when nothing was measured or nobody asked.
type Percentiles struct {
	P50, P90, P95, P99 time.Duration
	Known              bool
}

// SessionRow is a session as lists show it.
type SessionRow struct {
	ID                string
	Inferred          bool // the caller told none
	First, Last       time.Time
	Calls, Failed     int64
	Input, Output     int64
	Cost              PicoUSD
	Others            Costs // in currencies other than US dollars, apart from Cost
	Priced            int64
	Team, User, Agent string // of its last call
}

// SessionPage is a part of a list of sessions, those with the last calls first.
type SessionPage struct {
	Sessions []SessionRow
	Next     string
}
