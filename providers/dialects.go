package providers

import (
	"cmp"
	"strconv"
	"strings"
	"time"

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

// dialect is what the table asks of a wire format.
type dialect struct {
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
}

// dialects are the wire formats that are read. Adding one is a folder and its row.
var dialects = map[string]dialect{
	"openai": {
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
	},
	"anthropic": {
		readRequest: anthropic.Dialect{}.ReadRequest,
		newReader:   func(x *llm.Exchange) Reader { return anthropic.Dialect{}.NewReader(x) },
		errorBody:   anthropic.Dialect{}.ErrorBody,
	},
	"gemini": {
		readRequest: gemini.Dialect{}.ReadRequest,
		newReader: func(x *llm.Exchange) Reader {
			if s := (gemini.Dialect{}).NewSession(x); s != nil {
				return s
			}
			return gemini.Dialect{}.NewReader(x)
		},
		errorBody: gemini.Dialect{}.ErrorBody,
	},
	"ollama": {
		readRequest: ollama.Dialect{}.ReadRequest,
		newReader:   func(x *llm.Exchange) Reader { return ollama.Dialect{}.NewReader(x) },
		errorBody:   ollama.Dialect{}.ErrorBody,
	},
	"cohere": {
		readRequest: cohere.Dialect{}.ReadRequest,
		newReader:   func(x *llm.Exchange) Reader { return cohere.Dialect{}.NewReader(x) },
		errorBody:   cohere.Dialect{}.ErrorBody,
	},
	"bedrock": {
		readRequest: aws.ReadRequest,
		newReader:   func(x *llm.Exchange) Reader { return aws.NewReader(x) },
		errorBody:   aws.ErrorBody,
	},
	"watsonx": textsRow, "replicate": textsRow, "tgi": textsRow,
}

// texts are the text generation APIs that are like no other: one dialect, under the
// names of those who speak it.
var texts = textgen.Dialect{Chat: textgen.Guest{
	ReadRequest: openai.Dialect{}.ReadRequest,
	NewReader:   func(x *llm.Exchange) textgen.Reading { return openai.Dialect{}.NewReader(x) },
}}

var textsRow = dialect{
	readRequest: texts.ReadRequest,
	newReader:   func(x *llm.Exchange) Reader { return texts.NewReader(x) },
	errorBody:   texts.ErrorBody,
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

// dialectNames are the formats that a row may name. One without a row in dialects
// is relayed, and traced as plain HTTP; "http" says that it is to be.
var dialectNames = []string{"openai", "anthropic", "gemini", "bedrock", "ollama", "cohere", "replicate", "watsonx", "tgi", "http"}

// guests are paths of one format that vendors of other formats serve too, by
// their end or by what is in them (wire reference, sections 1 and 2): the same path
// is read the same way wherever it is answered.
var guests = []struct{ suffix, has, dialect string }{
	{suffix: "/chat/completions", dialect: "openai"},
	{suffix: "/v1/completions", dialect: "openai"},
	{suffix: "/v1/embeddings", dialect: "openai"},
	{suffix: "/openai/embeddings", dialect: "openai"},
	{suffix: "/responses", dialect: "openai"},
	{has: "/v1/responses/", dialect: "openai"},
	{suffix: "/images/generations", dialect: "openai"},
	{suffix: "/images/edits", dialect: "openai"},
	{suffix: "/images/variations", dialect: "openai"},
	{suffix: "/audio/speech", dialect: "openai"},
	{suffix: "/audio/transcriptions", dialect: "openai"},
	{suffix: "/audio/translations", dialect: "openai"},
	{suffix: "/v1/moderations", dialect: "openai"},

	{suffix: "/v1/messages", dialect: "anthropic"},
	{suffix: "/v1/messages/count_tokens", dialect: "anthropic"},
	{has: "/v1/messages/batches", dialect: "anthropic"},
	{has: "/publishers/anthropic/models/", dialect: "anthropic"}, // Vertex

	{suffix: ":generateContent", dialect: "gemini"},
	{suffix: ":streamGenerateContent", dialect: "gemini"},

	{suffix: "/api/chat", dialect: "ollama"},
	{suffix: "/api/generate", dialect: "ollama"},
	{suffix: "/api/embed", dialect: "ollama"},
	{suffix: "/api/embeddings", dialect: "ollama"},

	{suffix: "/rerank", dialect: "cohere"},
	{suffix: "/v2/chat", dialect: "cohere"},
	{suffix: "/v2/embed", dialect: "cohere"},

	{suffix: "/converse", has: "/model/", dialect: "bedrock"},
	{suffix: "/converse-stream", has: "/model/", dialect: "bedrock"},
	{suffix: "/invoke", has: "/model/", dialect: "bedrock"},
	{suffix: "/invoke-with-response-stream", has: "/model/", dialect: "bedrock"},

	// Hugging Face's inference server, by itself and behind the router.
	{suffix: "/generate_stream", dialect: "tgi"},
	{has: "/hf-inference/models/", dialect: "tgi"},
}

func dialectOf(name string) dialect {
	if d, ok := dialects[name]; ok {
		return d
	}
	return plain()
}

// dialectFor returns the format of one exchange: that of the row, unless the path
// is known to be of another.
func (r *Row) dialectFor(x *llm.Exchange) dialect {
	path := targetOf(x)
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	for _, g := range guests {
		if r.Dialect != "http" && strings.HasSuffix(path, g.suffix) && strings.Contains(path, g.has) {
			return dialects[g.dialect]
		}
	}
	return r.dialect
}

func targetOf(x *llm.Exchange) string {
	if x.UpstreamTarget != "" {
		return x.UpstreamTarget
	}
	return x.Target
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
	if code, message, ok := openai.ErrorOf(x.Status, body); ok {
		c.ErrorType, c.ErrorMessage = cmp.Or(code, strconv.Itoa(x.Status)), message
	}
	return nil
}
