package bedrock_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/eventstream"
	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/bedrock"
)

var update = flag.Bool("update", false, "rewrite the golden calls in testdata")

// The guests are stand-ins: two dialects do not know each other. That the real ones
// are read as guests is tested where they are wired, in package providers.
var dialect = providerstest.Dialect{
	ReadRequest: wired.ReadRequest,
	NewReader:   func(x *llm.Exchange) providerstest.Reader { return wired.NewReader(x) },
}

var wired = bedrock.Dialect{Anthropic: standIn("anthropic"), OpenAI: standIn("openai"), Cohere: standIn("cohere")}

// decode makes the bytes of an event stream of its lines: a type, a name and a
// payload. A chunk's payload is packed as Bedrock does.
func decode(text []byte) []byte {
	if len(text) > 0 && text[0] == '{' {
		return text
	}
	var out []byte
	for line := range strings.Lines(string(text)) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, payload, _ := strings.Cut(rest, " ")
		switch kind {
		case "chunk":
			payload = rest
			out = eventstream.Append(out, fmt.Appendf(nil, `{"bytes":"%s","p":"abcdef"}`, base64.StdEncoding.EncodeToString([]byte(payload))),
				":event-type", "chunk", ":content-type", "application/json", ":message-type", "event")
		case "event":
			out = eventstream.Append(out, []byte(payload), ":event-type", name, ":content-type", "application/json", ":message-type", "event")
		case "exception":
			out = eventstream.Append(out, []byte(payload), ":exception-type", name, ":content-type", "application/json", ":message-type", "exception")
		case "error":
			out = eventstream.Append(out, nil, ":message-type", "error", ":error-code", name, ":error-message", payload)
		}
	}
	return out
}

func TestGolden(t *testing.T) {
	fs, golden := providerstest.Fixtures(t, decode)
	providerstest.Golden(t, dialect, fs, golden, *update)
}

func TestSuite(t *testing.T) {
	fs, _ := providerstest.Fixtures(t, decode)
	providerstest.Run(t, dialect, fs)
}

// spoken leaves the bodies of guests to the tests of package providers.
func spoken(r providerstest.Recording) bool {
	return r.Provider == "bedrock" && !strings.Contains(r.Target, "anthropic.") && !strings.Contains(r.Target, "sagemaker") ||
		r.Provider == "bedrock" && strings.Contains(r.Target, "/converse")
}

func TestRecordings(t *testing.T) {
	providerstest.Judge(t, dialect, spoken, func(c *llm.Call, r providerstest.Recording) []string {
		return append(providerstest.Compare(c, r.Expected), figures(c, r.Expected)...)
	})
}

// figures compares the usage with what the body tells, else what Bedrock metered,
// else what the headers tell.
func figures(c *llm.Call, e providerstest.Expected) (diffs []string) {
	for _, k := range []struct {
		name, metric, header string
		get                  func() (int64, bool)
	}{
		{"input", "inputTokenCount", "x-amzn-bedrock-input-token-count", func() (int64, bool) { return c.Usage.Get(llm.UncachedInput) }},
		{"output", "outputTokenCount", "x-amzn-bedrock-output-token-count", c.Usage.Output},
		{"cache_read", "cacheReadInputTokenCount", "x-amzn-bedrock-cache-read-input-token-count", c.Usage.CacheReads},
		{"cache_write", "cacheWriteInputTokenCount", "x-amzn-bedrock-cache-write-input-token-count", c.Usage.CacheWrites},
	} {
		got, known := k.get()
		want := string(e.Metrics[k.metric])
		if want == "" {
			want = e.UsageHeaders[k.header]
		}
		if f, ok := e.Figures[k.name]; ok {
			want = strings.TrimSuffix(string(f.Value), ".0")
		}
		if known != (want != "") || known && fmt.Sprint(got) != want {
			diffs = append(diffs, fmt.Sprintf("%s: got %d (known %v), want %q", k.name, got, known, want))
		}
	}
	return diffs
}

// A stand-in reads nothing: it says what it was given.
func standIn(name string) bedrock.Guest {
	return bedrock.Guest{
		ReadRequest: func(c *llm.Call, x *llm.Exchange) error {
			if x.Request.Truncated {
				c.Problems = append(c.Problems, "cut")
			}
			c.Kind, c.Operation, c.RequestModel, c.Stream = llm.KindLLM, "as at "+name+x.UpstreamTarget, "the guest's", false
			return nil
		},
		NewReader: func(x *llm.Exchange) bedrock.Reading { return &standInReader{target: x.UpstreamTarget} },
	}
}

type standInReader struct {
	target string
	body   bytes.Buffer
}

func (r *standInReader) Wrote(p []byte, _ time.Time) { r.body.Write(p) }

func (r *standInReader) Finish(c *llm.Call, x *llm.Exchange) error {
	c.ResponseID = r.target + " " + x.UpstreamTarget
	c.ResponseModel = x.ResponseHeader.Get("content-type")
	for line := range strings.Lines(r.body.String()) {
		payload := strings.TrimPrefix(strings.TrimSpace(line), "data: ")
		var v map[string]any
		if json.Unmarshal([]byte(payload), &v) == nil {
			delete(v, "x_strange")
			b, _ := json.Marshal(v)
			c.Output = append(c.Output, llm.Message{Parts: []llm.Part{{Type: llm.PartText, Content: string(b)}}})
		}
	}
	return nil
}

func TestErrorBody(t *testing.T) {
	if got := string(bedrock.Dialect{}.ErrorBody(502, "x", `no "way"`)); got != `{"message":"no \"way\""}` {
		t.Error(got)
	}
}

// A stream that lost its framing keeps what came before, and says so.
func TestBrokenStream(t *testing.T) {
	body := decode([]byte("event messageStart {\"role\":\"assistant\"}\nevent contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"kept\"}}\nevent contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\" lost\"}}\nevent messageStop {\"stopReason\":\"end_turn\"}\n"))
	second := bytes.Index(body, []byte(" lost"))
	f := func(at int, text string, problems int) {
		t.Helper()
		b := bytes.Clone(body)
		b[at] ^= 0x20
		x := providerstest.Fixture{Target: "/model/m/converse-stream", ResponseHeader: llm.Header("Content-Type: application/vnd.amazon.eventstream\r\n"), Response: b}.Exchange()
		for _, n := range []int{1, 50, len(b)} {
			c, err := dialect.Read(x, providerstest.Cut(b, n)...)
			if err != nil || len(c.Output) != 1 || c.Output[0].Parts[0].Content != text || len(c.Problems) != problems {
				t.Errorf("byte %d, pieces of %d: %v %+v %q", at, n, err, c.Output, c.Problems)
			}
		}
	}
	f(second, "kept", 1) // one message of four
	start := bytes.LastIndex(body[:second], []byte("\x0b:event-type")) - 12
	f(start, "kept", 1) // its prelude
}

// seeds are the fixtures, and some small recordings where there are any.
func seeds(f *testing.F) ([]providerstest.Fixture, []providerstest.Recording) {
	fs, _ := providerstest.Fixtures(f, decode)
	return fs, providerstest.SmallRecordings(f, 16<<10, spoken)
}

func FuzzResponse(f *testing.F) {
	fs, rs := seeds(f)
	providerstest.FuzzResponse(f, dialect, fs, rs, "application/vnd.amazon.eventstream", "application/json")
}

func FuzzRequest(f *testing.F) {
	fs, rs := seeds(f)
	providerstest.FuzzRequest(f, dialect, fs, rs)
}
