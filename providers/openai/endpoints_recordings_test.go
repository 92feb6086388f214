package openai_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// formats are the hosts whose other paths are of this format; elsewhere the same
// names mean something else.
func ofOpenAI(r providerstest.Recording) bool {
	for _, other := range []string{"anthropic", "gemini", "vertex", "bedrock", "cohere", "ollama", "watsonx", "writer"} {
		if r.Provider == other {
			return false
		}
	}
	return !spoken(r) && !strings.HasSuffix(r.Target, "/rerank") // Cohere's format
}

// Every recording of an endpoint besides the oldest three reads to what an
// independent parser read from it, whole, in pieces, under gzip and cut.
func TestEndpointRecordings(t *testing.T) {
	providerstest.Judge(t, dialect, func(r providerstest.Recording) bool { return ofOpenAI(r) && !r.Spliced() }, compareEndpoint)
}

func TestSplicedRecordings(t *testing.T) {
	for _, r := range providerstest.Recordings(t, func(r providerstest.Recording) bool { return ofOpenAI(r) && r.Spliced() }) {
		for _, n := range []int{1, 7, 333, 4096} {
			c, err := dialect.Read(r.Exchange(), providerstest.Cut(r.Response, n)...)
			if err != nil {
				t.Fatalf("%s: %v", r.Name, err)
			}
			for _, diff := range compareEndpoint(c, r) {
				t.Errorf("%s, pieces of %d: %s", r.Name, n, diff)
			}
		}
	}
}

func compareEndpoint(c *llm.Call, r providerstest.Recording) (diffs []string) {
	path, _, _ := strings.Cut(r.Target, "?")
	in := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(path, p) {
				return true
			}
		}
		return false
	}
	for _, d := range providerstest.Compare(c, r.Expected) {
		switch {
		case strings.HasPrefix(d, "finish reasons: ") && len(r.Expected.FinishReasons) == 0:
			continue // the format has none: they are derived
		case strings.HasPrefix(d, "kind: ") && in("input_tokens", "batches", "assistants"):
			continue // no model worked
		case strings.HasPrefix(d, "usage: ") && in("input_tokens"):
			continue // a count is no usage
		// What the independent parser passes over, and is there: see docs/dialects.md.
		case strings.HasPrefix(d, "reasoning: ") && len(r.Expected.Reasoning) == 0 && bytes.Contains(r.Response, []byte(`"reasoning_text"`)):
			continue
		case strings.HasPrefix(d, "model: ") && in("/transcriptions") && r.Expected.Model == nil && bytes.Contains(r.Response, []byte(`"model":"`+c.ResponseModel)):
			continue
		case strings.HasPrefix(d, "text: ") && in("/ocr"):
			continue
		}
		diffs = append(diffs, d)
	}
	differ := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			diffs = append(diffs, fmt.Sprintf("%s: got %v, want %v", what, got, want))
		}
	}
	if r.Expected.ServiceTier != nil {
		differ("service tier", attr(c, "openai.response.service_tier"), *r.Expected.ServiceTier)
	}
	if r.Expected.Status != nil && in("/responses") {
		differ("status", attr(c, "openai.response.status"), *r.Expected.Status)
	}
	if in("/images/") {
		n, _ := c.Usage.Get(llm.Images)
		differ("images", n, deref(r.Expected.Images))
	}
	if in("input_tokens") {
		differ("counted", attr(c, "spanwire.counted.input_tokens"), r.Expected.Figures["input"].Value)
		if c.Usage.Known() || c.UsageRaw != "" {
			differ("usage", c.UsageRaw, "")
		}
		return diffs
	}
	return append(diffs, compareFigures(c, r.Expected)...)
}
