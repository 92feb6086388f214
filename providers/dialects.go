package providers

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/encoding"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/anthropic"
	"github.com/spanwire/spanwire/providers/bedrock"
	"github.com/spanwire/spanwire/providers/cohere"
	"github.com/spanwire/spanwire/providers/gemini"
	"github.com/spanwire/spanwire/providers/ollama"
	"github.com/spanwire/spanwire/providers/openai"
	"github.com/spanwire/spanwire/providers/textgen"
)

// Reader reads one response while it passes. Wrote is called by the goroutine of
// the relay: cheap, bounded, never failing; p is not kept. Finish is called once,
// afterwards and off the data path: it writes what was read into the call.
type Reader interface {
	Wrote(p []byte, at time.Time)
	Finish(*llm.Call, *llm.Exchange) error
}

// Filter takes out of a response body (free of framing and content-encoding) what
// an edit of the request brought into it. It is used by one goroutine.
type Filter interface {
	// Pass appends to dst what of p may go to the caller now; what is undecided is
	// held back, bounded. p is not kept.
	Pass(dst, p []byte) []byte
	// Rest appends what is still held at the end of the body.
	Rest(dst []byte) []byte
}

// dialect is one wire format: what the table asks of it.
type dialect struct {
	name string // in config, and in rows of vendors
	// readRequest reads what was asked. What it could not read is in c.Problems.
	readRequest func(c *llm.Call, x *llm.Exchange) error
	// newReader returns what reads the response, nil when there is nothing to read.
	newReader func(x *llm.Exchange) Reader
	// errorBody is the JSON of an error in the shape of the format.
	errorBody func(status int, code, message string) []byte
	// wantsBody and edit ask for the usage of streams; nil where the format always
	// tells it.
	wantsBody func(method, target string) bool
	edit      func(body []byte) (at int, insert string, cut Filter)
	// paths are those that mean this format whoever answers them (wire reference,
	// sections 1 and 2). Where two dialects name one path the first row has it.
	paths []path
}

// path is told by its end, by what is in it, and by its beginning.
type path struct{ suffix, has, prefix string }

// dialects are the wire formats that are read. Adding one is a folder and its row.
var dialects = []dialect{
	{
		name:        "anthropic",
		readRequest: anthropic.Dialect{}.ReadRequest,
		newReader:   func(x *llm.Exchange) Reader { return anthropic.Dialect{}.NewReader(x) },
		errorBody:   anthropic.Dialect{}.ErrorBody,
		paths: []path{
			{suffix: "/v1/messages"}, {suffix: "/v1/messages/count_tokens"}, {has: "/v1/messages/batches"}, {suffix: "/v1/complete"},
			{has: "/publishers/anthropic/models/"}, // Vertex
		},
	},
	{
		name:        "openai",
		readRequest: openai.Dialect{}.ReadRequest,
		newReader:   func(x *llm.Exchange) Reader { return openai.Dialect{}.Watch(x) },
		errorBody:   openai.Dialect{}.ErrorBody,
		wantsBody:   openai.Dialect{}.WantsBody,
		edit: func(body []byte) (int, string, Filter) {
			at, insert, cut := openai.Dialect{}.Edit(body)
			if insert == "" {
				return 0, "", nil
			}
			return at, insert, cut
		},
		paths: []path{
			{suffix: "/chat/completions"}, {suffix: "/v1/completions"}, {suffix: "/v1/embeddings"}, {suffix: "/openai/embeddings"},
			{suffix: "/models/embeddings"}, {suffix: "/images/embeddings"}, // Azure
			{suffix: "/responses"}, {has: "/v1/responses/"},
			{suffix: "/images/generations"}, {suffix: "/images/edits"}, {suffix: "/images/variations"},
			{suffix: "/audio/speech"}, {suffix: "/audio/transcriptions"}, {suffix: "/audio/translations"},
			{suffix: "/v1/moderations"},
			{suffix: ":rawPredict", has: "/publishers/"}, {suffix: ":streamRawPredict", has: "/publishers/"}, // Vertex
		},
	},
	{
		name:        "gemini",
		readRequest: gemini.Dialect{}.ReadRequest,
		newReader: func(x *llm.Exchange) Reader {
			if s := (gemini.Dialect{}).NewSession(x); s != nil {
				return s
			}
			return gemini.Dialect{}.NewReader(x)
		},
		errorBody: gemini.Dialect{}.ErrorBody,
		paths: []path{
			{suffix: ":generateContent"}, {suffix: ":streamGenerateContent"}, {suffix: ":countTokens"},
			{suffix: ":embedContent"}, {suffix: ":batchEmbedContents"}, {suffix: ":predict", has: "/publishers/google/models/"},
			{suffix: "/interactions"}, {suffix: "/interactions:stream"},
			{has: "GenerativeService.BidiGenerateContent"}, {has: "LlmBidiService/BidiGenerateContent"},
		},
	},
	{
		name:        "ollama",
		readRequest: ollama.Dialect{}.ReadRequest,
		newReader:   func(x *llm.Exchange) Reader { return ollama.Dialect{}.NewReader(x) },
		errorBody:   ollama.Dialect{}.ErrorBody,
		paths:       []path{{suffix: "/api/chat"}, {suffix: "/api/generate"}, {suffix: "/api/embed"}, {suffix: "/api/embeddings"}},
	},
	{
		name:        "cohere",
		readRequest: cohere.Dialect{}.ReadRequest,
		newReader:   func(x *llm.Exchange) Reader { return cohere.Dialect{}.NewReader(x) },
		errorBody:   cohere.Dialect{}.ErrorBody,
		// Version 1 of chat is at a path that Writer has a copy of OpenAI's at.
		paths: []path{{suffix: "/rerank"}, {suffix: "/v2/chat"}, {suffix: "/v2/embed"}, {suffix: "/v1/embed"}, {suffix: "/v1/generate"}},
	},
	{
		name:        "bedrock",
		readRequest: aws.ReadRequest,
		newReader:   func(x *llm.Exchange) Reader { return aws.NewReader(x) },
		errorBody:   aws.ErrorBody,
		paths: []path{
			{suffix: "/converse", has: "/model/"}, {suffix: "/converse-stream", has: "/model/"},
			{suffix: "/invoke", has: "/model/"}, {suffix: "/invoke-with-response-stream", has: "/model/"},
			{suffix: "/count-tokens", has: "/model/"},
		},
	},
	textsRow("replicate", path{has: "/v1/predictions"}, path{suffix: "/predictions", has: "/v1/models/"}),
	textsRow("watsonx", path{has: "/ml/v1/"}, path{has: "/ml/v1-beta/"}),
	// Hugging Face's inference server, by itself and behind the router.
	textsRow("tgi", path{suffix: "/generate"}, path{suffix: "/generate_stream"}, path{suffix: "/embed"}, path{has: "/hf-inference/models/"}, path{prefix: "/models/"}),
}

// texts are the text generation APIs that are like no other: one dialect, under the
// names of those who speak it.
var texts = textgen.Dialect{Chat: textgen.Guest{
	ReadRequest: openai.Dialect{}.ReadRequest,
	NewReader:   func(x *llm.Exchange) textgen.Reading { return openai.Dialect{}.NewReader(x) },
}}

func textsRow(name string, paths ...path) dialect {
	return dialect{
		name:        name,
		readRequest: texts.ReadRequest,
		newReader:   func(x *llm.Exchange) Reader { return texts.NewReader(x) },
		errorBody:   texts.ErrorBody,
		paths:       paths,
	}
}

// aws is Bedrock, with those whose bodies its models answer in.
var aws = bedrock.Dialect{
	Anthropic: bedrock.Guest{
		ReadRequest: anthropic.Dialect{}.ReadRequest,
		NewReader:   func(x *llm.Exchange) bedrock.Reading { return anthropic.Dialect{}.NewReader(x) },
	},
	OpenAI: bedrock.Guest{
		ReadRequest: openai.Dialect{}.ReadRequest,
		NewReader:   func(x *llm.Exchange) bedrock.Reading { return openai.Dialect{}.NewReader(x) },
	},
	Cohere: bedrock.Guest{
		ReadRequest: cohere.Dialect{}.ReadRequest,
		NewReader:   func(x *llm.Exchange) bedrock.Reading { return cohere.Dialect{}.NewReader(x) },
	},
}

// noDialect is the name that says that a row is to be relayed and traced as plain HTTP.
const noDialect = "http"

// dialectNamed returns the format of that name.
func dialectNamed(name string) (dialect, bool) {
	for _, d := range dialects {
		if d.name == name {
			return d, true
		}
	}
	return plain(), name == noDialect
}

// dialectNames are the names that a row may give.
func dialectNames() string {
	var names []string
	for _, d := range dialects {
		names = append(names, d.name)
	}
	return strings.Join(append(names, noDialect), ", ")
}

// dialectFor returns the format of one exchange: that of the row, unless the path
// is known to be of another.
func (r *Row) dialectFor(x *llm.Exchange) *dialect {
	if r.Dialect == noDialect {
		return &r.dialect
	}
	target := x.AskedPath()
	for i := range dialects {
		for _, p := range dialects[i].paths {
			if strings.HasSuffix(target, p.suffix) && strings.Contains(target, p.has) && strings.HasPrefix(target, p.prefix) {
				return &dialects[i]
			}
		}
	}
	return &r.dialect
}

// plain is an exchange whose format nobody reads here: a relayed HTTP exchange, of
// which only the error is read by shape.
func plain() dialect {
	return dialect{
		readRequest: func(*llm.Call, *llm.Exchange) error { return nil },
		newReader: func(x *llm.Exchange) Reader {
			if x.Status < 400 {
				return nil
			}
			return &errorReader{}
		},
		errorBody: openai.Dialect{}.ErrorBody,
	}
}

// errorReader keeps the beginning of an error answer.
type errorReader struct{ head []byte }

const maxErrorBody = 16 << 10

func (r *errorReader) Wrote(p []byte, _ time.Time) {
	r.head = append(r.head, p[:min(len(p), maxErrorBody-len(r.head))]...)
}

func (r *errorReader) Finish(c *llm.Call, x *llm.Exchange) error {
	body, _ := encoding.Decode(x.ResponseHeader.Get("content-encoding"), r.head, 8*maxErrorBody)
	if code, message, ok := apierror.Of(x.Status, body); ok {
		c.ErrorType, c.ErrorMessage = cmp.Or(code, strconv.Itoa(x.Status)), message
	}
	return nil
}
