package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/fakellm"
	"github.com/spanwire/spanwire/llm"
)

// recordings returns the folder of recorded exchanges, or skips the test.
func recordings(t *testing.T) string {
	t.Helper()
	root := os.Getenv("SPANWIRE_DATA")
	if root == "" {
		root = "../../../shared/data"
	}
	dir := filepath.Join(root, "traffic", "exchanges")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("NOT TESTED: that recorded exchanges are relayed and read as they are, end to end. The recordings are not at %s; set SPANWIRE_DATA to the folder that holds traffic/exchanges.", dir)
	}
	return dir
}

// expected is what is known of a recorded answer.
type expected struct {
	Response struct {
		HTTPStatus    int    `json:"http_status"`
		BodyBytes     int    `json:"body_bytes"`
		BodySHA256    string `json:"body_sha256"`
		Model, ID     *string
		FinishReasons []struct {
			Choice int
			Value  string
		} `json:"finish_reasons"`
		Text      []expectedText
		Reasoning []expectedText `json:"reasoning_text"`
		Refusal   []expectedText
		ToolCalls []struct {
			Choice    int
			ID        *string
			Name      string
			Arguments string
		} `json:"tool_calls"`
		Usage   json.RawMessage
		Figures map[string]struct{ Value float64 }
		Errors  []any
	}
}

// expectedText is a text as its digest, or as it is.
type expectedText struct {
	Choice        int
	SHA256, Value string
}

// readable says whether a recording is of the part of OpenAI's dialect that is read.
func readable(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return strings.HasSuffix(path, "/chat/completions") || strings.HasSuffix(path, "/completions") || strings.HasSuffix(path, "/embeddings")
}

type recorded struct {
	*fakellm.Recording
	want expected
}

func loadRecordings(t *testing.T, dir string) []recorded {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []recorded
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		r, err := fakellm.Load(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !readable(r.Target) {
			continue
		}
		rec := recorded{Recording: r}
		b, err := os.ReadFile(filepath.Join(dir, e.Name(), "expected.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &rec.want); err != nil {
			t.Fatalf("%s: %v", e.Name(), err)
		}
		out = append(out, rec)
	}
	if len(out) < 40 {
		t.Fatalf("only %d recordings were found", len(out))
	}
	return out
}

// TestRecordings relays every recorded exchange of OpenAI's dialect in pieces of
// several sizes: the caller gets the recorded bytes, and the call says what is
// known of them.
func TestRecordings(t *testing.T) {
	dir := recordings(t)
	all := loadRecordings(t, dir)
	names := map[string]bool{}
	for _, r := range all {
		names[r.Provider] = true
	}
	spans := filepath.Join(t.TempDir(), "spans.jsonl")
	p := start(t, rows(provider(t, fakellm.NewReplay(dir)), slices.Sorted(maps.Keys(names))...)+
		"tracing:\n  exporters: [{type: file, path: '"+spans+"'}]\n")
	calls := map[string]recorded{}
	for _, r := range all {
		for _, piece := range []int{1, 7, 333, 4096} {
			for _, zip := range []bool{false, true} {
				if zip && piece != 333 {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d/%t", r.Name, piece, zip), func(t *testing.T) {
					id := p.replay(t, r, fakellm.Play{Exchange: r.Name, Piece: piece, Gzip: zip})
					compare(t, p.calls.call(t, id), r)
					calls[id] = r
				})
			}
		}
	}
	p.stop(t)
	compareSpans(t, spans, calls)
}

// replay makes the recorded request and checks the answer's bytes. It returns the
// id of the call.
func (p *program) replay(t *testing.T, r recorded, play fakellm.Play) string {
	t.Helper()
	header := []string{fakellm.ReplayHeader, play.Header(), "Accept-Encoding", "identity"}
	for _, line := range r.RequestHeader {
		name, value, _ := strings.Cut(line, ":")
		if name := strings.ToLower(name); name != "accept-encoding" && name != "content-length" && name != "host" {
			header = append(header, name, strings.TrimSpace(value))
		}
	}
	resp, body, err := send(t, r.Method, p.url+"/"+r.Provider+r.Target, string(r.RequestBody), header...)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	if resp.StatusCode != r.Status {
		t.Fatalf("status %d: %s", resp.StatusCode, body)
	}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		body = gunzip(t, body)
	}
	if sum := sha256.Sum256([]byte(body)); hex.EncodeToString(sum[:]) != r.want.Response.BodySHA256 || len(body) != r.want.Response.BodyBytes {
		t.Errorf("the body has other bytes than were recorded")
	}
	for _, line := range r.ResponseHeader {
		name, value, _ := strings.Cut(line, ":")
		if !slices.Contains(resp.Header.Values(name), strings.TrimSpace(value)) && !slices.Contains([]string{"content-length", "keep-alive"}, strings.ToLower(name)) {
			t.Errorf("the answer lacks %q", line)
		}
	}
	return resp.Header.Get("X-Spanwire-Call-Id")
}

// compare holds a call against what is known of the recorded answer.
func compare(t *testing.T, c *llm.Call, r recorded) {
	t.Helper()
	w := r.want.Response
	if c.Kind != llm.KindLLM || c.Route != r.Provider || c.Status != r.Status || c.Ended != llm.EndComplete {
		t.Errorf("kind %s, route %s, status %d, ended %s", c.Kind, c.Route, c.Status, c.Ended)
	}
	if w.Model != nil && c.ResponseModel != *w.Model {
		t.Errorf("model %q, recorded %q", c.ResponseModel, *w.Model)
	}
	if w.ID != nil && c.ResponseID != *w.ID {
		t.Errorf("id %q, recorded %q", c.ResponseID, *w.ID)
	}
	finish := make([]string, len(c.FinishReasons)) // "" where a choice told none
	for _, f := range w.FinishReasons {
		if f.Choice >= len(finish) {
			t.Errorf("no finish reason of choice %d", f.Choice)
			continue
		}
		finish[f.Choice] = f.Value
	}
	if !slices.Equal(c.FinishReasons, finish) {
		t.Errorf("finish reasons %q, recorded %q", c.FinishReasons, finish)
	}
	compareTexts(t, c, llm.PartText, w.Text)
	compareTexts(t, c, llm.PartReasoning, w.Reasoning)
	compareTexts(t, c, llm.PartRefusal, w.Refusal)
	compareTools(t, c, r)
	compareUsage(t, c, r)
	if (len(w.Errors) > 0 || r.Status >= 400) != (c.ErrorType != "") {
		t.Errorf("error %q, recorded %v", c.ErrorType, w.Errors)
	}
}

func compareTexts(t *testing.T, c *llm.Call, kind string, want []expectedText) {
	t.Helper()
	for _, w := range want {
		var text strings.Builder
		if w.Choice < len(c.Output) {
			for _, p := range c.Output[w.Choice].Parts {
				if p.Type == kind {
					text.WriteString(p.Content)
				}
			}
		}
		if sum := sha256.Sum256([]byte(text.String())); hex.EncodeToString(sum[:]) != w.SHA256 && (w.Value == "" || text.String() != w.Value) {
			t.Errorf("%s of choice %d differs: %.80q", kind, w.Choice, text.String())
		}
	}
}

func compareTools(t *testing.T, c *llm.Call, r recorded) {
	t.Helper()
	var got, want []string
	for i, m := range c.Output {
		for _, p := range m.Parts {
			if p.Type == llm.PartToolCall {
				got = append(got, fmt.Sprintf("%d %s %s %s", i, p.ID, p.Name, p.Arguments))
			}
		}
	}
	for _, w := range r.want.Response.ToolCalls {
		id := ""
		if w.ID != nil {
			id = *w.ID
		}
		want = append(want, fmt.Sprintf("%d %s %s %s", w.Choice, id, w.Name, w.Arguments))
	}
	if !slices.Equal(got, want) {
		t.Errorf("tool calls %q, recorded %q", got, want)
	}
}

// compareUsage checks the verbatim usage, and the sums where the provider's words
// for them mean what ours do.
func compareUsage(t *testing.T, c *llm.Call, r recorded) {
	t.Helper()
	w := r.want.Response
	if len(w.Usage) == 0 || string(w.Usage) == "null" {
		return
	}
	var got, want any
	if err := json.Unmarshal([]byte(c.UsageRaw), &got); err != nil {
		t.Errorf("usage %q: %v", c.UsageRaw, err)
		return
	}
	if err := json.Unmarshal(w.Usage, &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("usage %s, recorded %s", c.UsageRaw, w.Usage)
	}
	if r.Provider != "openai" {
		return
	}
	if in, _ := c.Usage.Input(); float64(in) != w.Figures["input"].Value {
		t.Errorf("%d input tokens, recorded %v", in, w.Figures["input"].Value)
	}
	if out, _ := c.Usage.Output(); float64(out) != w.Figures["output"].Value {
		t.Errorf("%d output tokens, recorded %v", out, w.Figures["output"].Value)
	}
}

// exported is what this test reads of a file of OTLP JSON.
type exported struct {
	ResourceSpans []struct {
		ScopeSpans []struct {
			Spans []struct {
				Attributes []struct {
					Key   string
					Value map[string]any
				}
			}
		}
	}
}

// compareSpans checks that every call became one span that says the same.
func compareSpans(t *testing.T, file string, calls map[string]recorded) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]bool{}
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var e exported
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatal(err)
			}
			for _, rs := range e.ResourceSpans {
				for _, ss := range rs.ScopeSpans {
					for _, s := range ss.Spans {
						attrs := map[string]map[string]any{}
						for _, a := range s.Attributes {
							attrs[a.Key] = a.Value
						}
						id := fmt.Sprint(attrs["spanwire.call.id"]["stringValue"])
						seen[id] = true
						compareSpan(t, attrs, calls[id])
					}
				}
			}
		}
		if err != nil {
			break
		}
	}
	for id, r := range calls {
		if !seen[id] {
			t.Errorf("%s: no span for call %s", r.Name, id)
		}
	}
}

func compareSpan(t *testing.T, attrs map[string]map[string]any, r recorded) {
	t.Helper()
	if r.Recording == nil {
		t.Errorf("a span that belongs to no call: %v", attrs)
		return
	}
	w := r.want.Response
	text := func(key string) any { return attrs[key]["stringValue"] }
	if w.Model != nil && *w.Model != "" && text("gen_ai.response.model") != *w.Model {
		t.Errorf("%s: span's model %v", r.Name, text("gen_ai.response.model"))
	}
	if w.ID != nil && *w.ID != "" && text("gen_ai.response.id") != *w.ID {
		t.Errorf("%s: span's id %v", r.Name, text("gen_ai.response.id"))
	}
	if r.Provider == "openai" && w.Figures["input"].Value > 0 {
		if got := attrs["gen_ai.usage.input_tokens"]["intValue"]; got != fmt.Sprint(int64(w.Figures["input"].Value)) {
			t.Errorf("%s: span's input tokens %v", r.Name, got)
		}
	}
}

// TestRecordingsCut plays recordings that break off: the caller sees it, and so
// does the call.
func TestRecordingsCut(t *testing.T) {
	dir := recordings(t)
	p := start(t, rows(provider(t, fakellm.NewReplay(dir)), "openai"))
	for _, r := range loadRecordings(t, dir) {
		if r.Provider != "openai" || len(r.ResponseBody) < 200 {
			continue
		}
		play := fakellm.Play{Exchange: r.Name, Piece: 100, CutAfter: len(r.ResponseBody) / 2}
		resp, body, err := send(t, http.MethodPost, p.url+"/openai"+r.Target, string(r.RequestBody), fakellm.ReplayHeader, play.Header())
		if err == nil {
			t.Errorf("%s: the caller saw a finished answer of %d bytes", r.Name, len(body))
		}
		if !bytes.HasPrefix(r.ResponseBody, []byte(body)) {
			t.Errorf("%s: the caller got other bytes than were sent", r.Name)
		}
		if c := p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id")); c.Ended != llm.EndUpstreamCut {
			t.Errorf("%s: ended %q", r.Name, c.Ended)
		}
	}
}
