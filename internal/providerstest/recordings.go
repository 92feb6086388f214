package providerstest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

// Recording is one recorded exchange: the bytes, and what an independent parser
// read from them.
type Recording struct {
	Name     string
	Provider string
	Endpoint string // the end of its path, in the words of the recordings
	Method   string
	Scheme   string
	Host     string
	Target   string

	RequestHeader  llm.Header
	Request        []byte // nil when it was not recorded
	Status         int
	ResponseHeader llm.Header
	Response       []byte
	Expected       Expected
}

// Expected is the response half of a recording's expected.json.
type Expected struct {
	Kind              string        `json:"kind"`
	BodySHA256        string        `json:"body_sha256"`
	Model             *string       `json:"model"`
	ID                *string       `json:"id"`
	ServiceTier       *string       `json:"service_tier"`
	SystemFingerprint *string       `json:"system_fingerprint"`
	FinishReasons     []ChoiceValue `json:"finish_reasons"`
	Text              []ChoiceText  `json:"text"`
	Reasoning         []ChoiceText  `json:"reasoning_text"`
	Refusal           []ChoiceValue `json:"refusal"`
	ToolCalls         []struct {
		Choice    any
		ID        *string
		Name      string
		Arguments string
	} `json:"tool_calls"`
	Usage   json.RawMessage `json:"usage"`
	Figures map[string]struct {
		Value json.Number `json:"value"`
		From  string      `json:"from"`
	} `json:"figures"`
	Errors []struct {
		Type    string
		Code    any
		Message string
	} `json:"errors"`
	Embeddings *int `json:"embeddings"`
	// What Bedrock tells beside the body.
	UsageHeaders map[string]string      `json:"usage_headers"`
	Metrics      map[string]json.Number `json:"bedrock_invocation_metrics"`
	Images       *int                   `json:"images"`
	Status       *string                `json:"status"`
	Flags        []string               `json:"flags"`
}

// lists says whether a part is a tool call of those that are listed: the caller's all
// are, and of those that a provider runs itself the ones of some formats, by their ids.
func (e *Expected) lists(p *llm.Part) bool {
	if p.Type != llm.PartServerToolCall {
		return p.Type == llm.PartToolCall
	}
	for _, c := range e.ToolCalls {
		if c.ID != nil && *c.ID == p.ID {
			return true
		}
	}
	return false
}

// ChoiceValue is a value of one choice.
type ChoiceValue struct {
	Choice any
	Value  any
}

// ChoiceText is a text of one choice, by its digest.
type ChoiceText struct {
	Choice any
	Chars  int
	SHA256 string
}

// Recordings returns the recorded exchanges that keep selects, in the sets
// "exchanges" and "payloads". They are no part of the repository: the folder is
// named by SPANWIRE_DATA, or lies at ../shared/data beside it. Where it is not,
// the test is skipped, and says so.
func Recordings(t testing.TB, keep func(Recording) bool) []Recording {
	t.Helper()
	root := dataDir(t)
	if root == "" {
		t.Skip("NOT TESTED: reading of recorded traffic. Set SPANWIRE_DATA to a folder that holds traffic/exchanges, or put it at ../shared/data beside the repository")
	}
	var all []Recording
	for _, set := range []string{"exchanges", "payloads"} {
		dirs, err := filepath.Glob(filepath.Join(root, "traffic", set, "*", "exchange.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range dirs {
			if r := load(t, filepath.Dir(f)); keep(r) {
				r.Name = set + "/" + filepath.Base(filepath.Dir(f))
				all = append(all, r)
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("no recording of the kind in %s", root)
	}
	return all
}

// dataDir finds the folder of recordings; "" when there is none.
func dataDir(t testing.TB) string {
	if dir := os.Getenv("SPANWIRE_DATA"); dir != "" {
		if _, err := os.Stat(dir); err != nil {
			t.Fatalf("SPANWIRE_DATA: %v", err)
		}
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
	data := filepath.Join(dir, "..", "shared", "data")
	if _, err := os.Stat(data); err != nil {
		return ""
	}
	return data
}

func load(t testing.TB, dir string) Recording {
	t.Helper()
	var x struct {
		Provider string
		Endpoint string
		Request  struct {
			Method, Scheme, Host, Target string
			Headers                      []string
			BodyFile                     string `json:"body_file"`
		}
		Response struct {
			Status   int
			Headers  []string
			BodyFile string `json:"body_file"`
		}
	}
	parse(t, filepath.Join(dir, "exchange.json"), &x)
	var e struct{ Response Expected }
	parse(t, filepath.Join(dir, "expected.json"), &e)
	r := Recording{
		Provider: x.Provider, Endpoint: x.Endpoint, Method: x.Request.Method, Scheme: x.Request.Scheme, Host: x.Request.Host, Target: x.Request.Target,
		RequestHeader: header(x.Request.Headers), Status: x.Response.Status, ResponseHeader: header(x.Response.Headers),
		Expected: e.Response,
	}
	if x.Request.BodyFile != "" {
		r.Request = read(t, filepath.Join(dir, x.Request.BodyFile))
	}
	if x.Response.BodyFile != "" {
		r.Response = read(t, filepath.Join(dir, x.Response.BodyFile))
	}
	return r
}

func header(lines []string) llm.Header {
	if len(lines) == 0 {
		return nil
	}
	return llm.Header(strings.Join(lines, "\r\n") + "\r\n")
}

func parse(t testing.TB, file string, into any) {
	t.Helper()
	if err := json.Unmarshal(read(t, file), into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Exchange returns the exchange that the proxy would have made of the recording,
// without its response body.
func (r Recording) Exchange() *llm.Exchange {
	return exchange(Fixture{
		Method: r.Method, Target: r.Target, Host: r.Host, Request: r.Request, RequestHeader: r.RequestHeader,
		Status: r.Status, ResponseHeader: r.ResponseHeader, Response: r.Response,
	})
}

// Spliced says that a recording holds several answers one after the other: the last
// one is the answer, so what is read of its beginning is not in the whole.
func (r Recording) Spliced() bool {
	return bytes.Count(r.Response, []byte("event: response.created\n"))+bytes.Count(r.Response, []byte(`data: {"type":"response.created"`)) > 2
}

// HasRecordings says whether there is a folder of recordings.
func HasRecordings(t testing.TB) bool {
	t.Helper()
	return dataDir(t) != ""
}
