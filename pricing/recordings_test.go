package pricing_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

// told reads a usage object of any provider into kinds, naively and by shape
// (pricing reference, "Usage shapes to inclusive totals"): the readers of wire
// formats are other packages.
func told(raw map[string]any) (u llm.Usage, ok bool) {
	n := func(path ...string) int64 {
		var v any = raw
		for _, p := range path {
			m, _ := v.(map[string]any)
			v = m[p]
		}
		f, _ := v.(json.Number)
		i, _ := f.Int64()
		return i
	}
	set := func(k llm.UsageKind, v int64) {
		if v > 0 {
			u.Set(k, v)
		}
	}
	has := func(key string) bool { _, ok := raw[key]; return ok }
	switch {
	case has("promptTokenCount"):
		cached, tool, thought := n("cachedContentTokenCount"), n("toolUsePromptTokenCount"), n("thoughtsTokenCount")
		u.Set(llm.UncachedInput, n("promptTokenCount")-cached)
		set(llm.CacheRead, cached)
		set(llm.ToolUseInput, tool)
		u.Set(llm.OutputText, n("candidatesTokenCount"))
		set(llm.Reasoning, thought)
	case has("inputTokens"):
		u.Set(llm.UncachedInput, n("inputTokens"))
		set(llm.CacheRead, n("cacheReadInputTokens"))
		set(llm.CacheWrite, n("cacheWriteInputTokens"))
		u.Set(llm.OutputText, n("outputTokens"))
	case has("cache_read_input_tokens"), has("cache_creation_input_tokens"):
		hour := n("cache_creation", "ephemeral_1h_input_tokens")
		u.Set(llm.UncachedInput, n("input_tokens"))
		set(llm.CacheRead, n("cache_read_input_tokens"))
		set(llm.CacheWrite1h, hour)
		set(llm.CacheWrite, n("cache_creation_input_tokens")-hour)
		u.Set(llm.OutputText, n("output_tokens"))
		set(llm.WebSearches, n("server_tool_use", "web_search_requests"))
	case has("billed_units"):
		u.Set(llm.UncachedInput, n("billed_units", "input_tokens"))
		u.Set(llm.OutputText, n("billed_units", "output_tokens"))
		set(llm.SearchUnits, n("billed_units", "search_units"))
	case has("prompt_tokens"), has("input_tokens"):
		in, out, d, o := "prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"
		if has("input_tokens") {
			in, out, d, o = "input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"
		}
		cached := max(n(d, "cached_tokens"), n("prompt_cache_hit_tokens"))
		written, audio, thought, spoken := n(d, "cache_write_tokens"), n(d, "audio_tokens"), n(o, "reasoning_tokens"), n(o, "audio_tokens")
		text := n(out) - thought - spoken
		if text < 0 || n("total_tokens") == n(in)+n(out)+thought && thought > 0 { // reasoning beside the rest
			text = n(out) - spoken
		}
		if n(in) < cached+written+audio || text < 0 {
			return u, false
		}
		u.Set(llm.UncachedInput, n(in)-cached-written-audio)
		set(llm.CacheRead, cached)
		set(llm.CacheWrite, written)
		set(llm.AudioInput, audio)
		u.Set(llm.OutputText, text)
		set(llm.Reasoning, thought)
		set(llm.AudioOutput, spoken)
	default:
		return u, false
	}
	return u, true
}

type recordedUsage struct {
	Provider string `json:"provider"`
	Response struct {
		Model       string         `json:"model"`
		ServiceTier string         `json:"service_tier"`
		Usage       map[string]any `json:"usage"`
	} `json:"response"`
	Request struct {
		Model string `json:"model"`
	} `json:"request"`
}

// TestRecordedUsageCostsWhatTheOracleSays: for the usage of each recording the cost
// is that of the second, naive implementation, which is given the row that matched.
func TestRecordedUsageCostsWhatTheOracleSays(t *testing.T) {
	root := os.Getenv("SPANWIRE_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "data")
	}
	root = filepath.Join(root, "traffic")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("NOT TESTED: that the cost of every recorded usage is what an independent implementation says. Set SPANWIRE_DATA to the folder of the shared data. (%v)", err)
	}
	o, tab := newOracle(t), defaultTable(t)
	compared, unset, without := 0, 0, 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "expected.json" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dec := json.NewDecoder(strings.NewReader(string(data)))
		dec.UseNumber()
		var r recordedUsage
		if dec.Decode(&r) != nil || r.Response.Usage == nil { // of a WebSocket, or without usage
			return nil
		}
		u, ok := told(r.Response.Usage)
		if !ok {
			without++
			return nil
		}
		u.Source, u.Tier = llm.UsageReported, r.Response.ServiceTier
		name := strings.TrimPrefix(filepath.Dir(path), root)
		got := tab.Cost(&pricing.Query{Provider: providerOf(path, r.Provider), ResponseModel: r.Response.Model, RequestModel: r.Request.Model, At: noon, Usage: u})
		id, _, _ := strings.Cut(got.Price, "@")
		provider, model, _ := strings.Cut(id, "/")
		want := o.cost(provider, model, noon, u, "")
		switch {
		case !got.Known():
			unset++
			if want != nil {
				t.Errorf("%s: %s: unset (%s), the oracle says %s", name, got.Price, got.Status, want)
			}
		case want == nil && got.Total == 0 && strings.HasSuffix(model, ":free"):
		case want == nil || want.Int64() != int64(got.Total):
			t.Errorf("%s: %s: %d, the oracle says %v", name, got.Price, got.Total, want)
		default:
			compared++
			if sum := got.Input + got.Output + got.CacheRead + got.CacheWrite + got.Tools; sum != got.Total {
				t.Errorf("%s: the parts make %s of %s", name, sum, got.Total)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d costs compared, %d have no price, %d usages are of another shape", compared, unset, without)
	if compared < 200 {
		t.Errorf("only %d costs were compared", compared)
	}
}

// providerOf is who answered: the recording says, or its folder's name begins so.
func providerOf(path, told string) string {
	if told != "" {
		return told
	}
	name := filepath.Base(filepath.Dir(path))
	name = strings.TrimLeft(name, "0123456789-")
	name = strings.TrimPrefix(name, "payload-")
	first, _, _ := strings.Cut(name, "-")
	return first
}
