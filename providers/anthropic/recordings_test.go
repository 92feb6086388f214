package anthropic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/anthropic"
)

var dialect = providerstest.Dialect{
	ReadRequest: anthropic.Dialect{}.ReadRequest,
	NewReader:   func(x *llm.Exchange) providerstest.Reader { return anthropic.Dialect{}.NewReader(x) },
}

// path returns the path of a recording, without its query.
func path(r providerstest.Recording) string {
	p, _, _ := strings.Cut(r.Target, "?")
	return p
}

func spoken(r providerstest.Recording) bool {
	p := path(r)
	return r.Method == "POST" && (strings.HasSuffix(p, "/v1/messages") || strings.HasSuffix(p, "/v1/complete") ||
		strings.Contains(p, "/publishers/anthropic/") && !counting(r))
}

func counting(r providerstest.Recording) bool {
	return strings.HasSuffix(path(r), "/count_tokens") || strings.HasSuffix(path(r), "/count-tokens:rawPredict")
}

// Every recording of a vendor that speaks this format reads to what an independent
// parser read from it.
func TestRecordings(t *testing.T) {
	providerstest.Judge(t, dialect, spoken, func(c *llm.Call, r providerstest.Recording) []string {
		e := r.Expected
		for i := range e.ToolCalls {
			e.ToolCalls[i].Arguments = arguments(e.ToolCalls[i].Arguments)
		}
		plain := *c
		plain.Output = nil
		for _, m := range c.Output {
			m.Parts = append([]llm.Part(nil), m.Parts...)
			for i := range m.Parts {
				m.Parts[i].Arguments = arguments(m.Parts[i].Arguments)
			}
			plain.Output = append(plain.Output, m)
		}
		diffs := append(providerstest.Compare(&plain, e), figures(c, e)...)
		if want := e.ServiceTier; want != nil && c.Usage.Tier != *want {
			diffs = append(diffs, fmt.Sprintf("service tier: got %s, want %s", c.Usage.Tier, *want))
		}
		return diffs
	})
}

// arguments renders JSON so that escapes make no difference. A tool call without
// any input has an empty one: the recordings write nothing for it, in either form
// of an answer (wire reference, section 7.4).
func arguments(s string) string {
	if s == "" {
		return "{}"
	}
	var v any
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return s
	}
	return strings.TrimSpace(b.String())
}

// figures compares the normal form with the provider's own numbers.
func figures(c *llm.Call, e providerstest.Expected) []string {
	u := c.Usage
	return providerstest.Figures(e, map[string]func() (int64, bool){
		"input":       func() (int64, bool) { return u.Get(llm.UncachedInput) },
		"output":      u.Output,
		"cache_read":  u.CacheReads,
		"cache_write": u.CacheWrites,
		"reasoning":   func() (int64, bool) { return u.Get(llm.Reasoning) },
	})
}

// Counting the tokens of a prompt uses none.
func TestRecordingsOfTokenCounts(t *testing.T) {
	for _, r := range providerstest.Recordings(t, counting) {
		t.Run(r.Name, func(t *testing.T) {
			c, err := dialect.Read(r.Exchange(), providerstest.Cut(r.Response, 7)...)
			if err != nil {
				t.Fatal(err)
			}
			if c.Kind != llm.KindHTTP || c.Usage.Known() || c.UsageRaw != "" || len(c.Input) > 0 {
				t.Errorf("a token count became a call of a model: %+v", c)
			}
			got := ""
			for _, a := range c.Attrs {
				if a.Key == "anthropic.count_tokens.input_tokens" {
					got = fmt.Sprint(a.Value)
				}
			}
			if want := r.Expected.Figures["input"].Value.String(); got != want {
				t.Errorf("count: got %q, want %q", got, want)
			}
			if n := len(r.Expected.Errors); n > 0 && c.ErrorMessage != r.Expected.Errors[n-1].Message || n == 0 && c.ErrorType != "" {
				t.Errorf("error: %s %s", c.ErrorType, c.ErrorMessage)
			}
		})
	}
}
