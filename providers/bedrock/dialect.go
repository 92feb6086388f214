package bedrock

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Dialect is the wire format. It has no state beyond its guests: one value serves
// all goroutines.
type Dialect struct {
	// Guests read the bodies of invoke that are written as at the vendor's own API.
	// Without one such bodies are read as far as their shape is known here.
	Anthropic, OpenAI, Cohere Guest
}

// Guest is another dialect. It is given an exchange whose target is that of its own
// API, and streams as server-sent events.
type Guest struct {
	ReadRequest func(*llm.Call, *llm.Exchange) error
	NewReader   func(*llm.Exchange) Reading
}

// Reading is a response that a guest reads: see [Reader].
type Reading interface {
	Wrote(p []byte, at time.Time)
	Finish(*llm.Call, *llm.Exchange) error
}

// teller is a guest that takes an event as its JSON, without a frame around it.
type teller interface {
	Event(data []byte, at time.Time)
}

// endpoint is what a path means.
type endpoint uint8

const (
	other endpoint = iota // relayed; only its errors are read
	converse
	invoke
	countTokens
)

// verbs are the ends of paths (wire reference, section 2).
var verbs = map[string]struct {
	endpoint endpoint
	stream   bool
}{
	"converse":                    {converse, false},
	"converse-stream":             {converse, true},
	"invoke":                      {invoke, false},
	"invoke-with-response-stream": {invoke, true},
	"count-tokens":                {countTokens, false},
}

// place is what the address of a request tells.
type place struct {
	endpoint endpoint
	stream   bool
	model    string // as asked for, decoded; where an ARN names it the name
	arn      string // the ARN that was asked for
}

// find reads the address of a request.
func find(x *llm.Exchange) (p place) {
	_, rest, ok := strings.Cut(strings.TrimSuffix(x.AskedPath(), "/"), "/model/")
	i := strings.LastIndexByte(rest, '/')
	if !ok || i < 0 || x.Method != "POST" {
		return p
	}
	v := verbs[rest[i+1:]]
	p.endpoint, p.stream = v.endpoint, v.stream
	if p.endpoint == other {
		return p
	}
	p.model = rest[:i]
	if name, err := url.PathUnescape(p.model); err == nil {
		p.model = name
	}
	if strings.HasPrefix(p.model, "arn:") {
		p.arn = p.model
		p.model = named(p.arn)
	}
	return p
}

// named returns the model that an ARN names, else the ARN: those of application
// profiles, provisioned throughput, imported models and endpoints hide it.
func named(arn string) string {
	for _, kind := range []string{":foundation-model/", ":inference-profile/"} {
		if _, name, ok := strings.Cut(arn, kind); ok && name != "" {
			return name
		}
	}
	return arn
}

// family is a shape of invoke bodies.
type family uint8

const (
	unknown   family = iota
	native           // read here: Nova, Titan, Llama, Mistral, AI21, DeepSeek …
	anthropic        // guests
	openai
	cohere
)

// families maps parts of model ids, which are the vendors' names.
var families = []struct {
	part   string
	family family
}{
	{"anthropic.", anthropic},
	{"claude", anthropic},
	{"cohere.", cohere},
	{"amazon.", native},
	{"meta.", native},
}

// familyOf returns the family that a model id tells; an ARN may tell none.
func familyOf(model string) family {
	for _, f := range families {
		if strings.Contains(model, f.part) {
			return f.family
		}
	}
	return unknown
}

func (d Dialect) guest(f family) Guest {
	switch f {
	case anthropic:
		return d.Anthropic
	case openai:
		return d.OpenAI
	case cohere:
		return d.Cohere
	}
	return Guest{}
}

// at returns the exchange as the guest is to see it: at its own API.
func at(x *llm.Exchange, target string, header llm.Header) *llm.Exchange {
	own := *x
	own.Method, own.Target, own.UpstreamTarget = "POST", target, target
	if header != nil {
		own.ResponseHeader = header
	}
	return &own
}

// ErrorBody returns the JSON of an error in Bedrock's shape, as an answer that the
// proxy makes itself carries it.
func (Dialect) ErrorBody(_ int, _, message string) []byte {
	b, err := json.Marshal(map[string]string{"message": message})
	if err != nil {
		panic("BUG: error body: " + err.Error()) // a text alone
	}
	return b
}
