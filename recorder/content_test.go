package recorder_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/recorder"
)

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// talk returns a call with something in every field that holds content.
func talk(text string) *llm.Call {
	return &llm.Call{
		ID:     "1",
		System: []llm.Part{{Type: llm.PartText, Content: text + "system"}},
		Input: []llm.Message{{Role: "user", Parts: []llm.Part{
			{Type: llm.PartText, Content: text + "ünput"},
			{Type: llm.PartURI, URI: "https://host/" + text},
			{Type: llm.PartBlob, MIMEType: "image/png", Size: 77, SHA256: "ab"},
			{Type: llm.PartFile, ID: "file-1"},
		}}, {Role: "tool", Parts: []llm.Part{{Type: llm.PartToolCallResponse, ID: "t1", Response: text + "result"}}}},
		Output: []llm.Message{{Role: "assistant", Parts: []llm.Part{
			{Type: llm.PartToolCall, ID: "t2", Name: "look", Arguments: `{"q":"` + text + `"}`},
		}}},
		Tools: []llm.Tool{{Type: "function", Name: "look", Description: text + "d", Parameters: `{"x":"` + text + `"}`}},
	}
}

func through(t *testing.T, c *llm.Call, set func(*llm.Call)) *llm.Call {
	t.Helper()
	return one(t, recorder.Stages{
		Reader:     reader(func(*llm.Exchange) (*llm.Call, error) { return c, nil }),
		Attributor: attributor(func(c *llm.Call, _ *llm.Exchange) { set(c) }),
	}, exchange(1))
}

func TestContentFull(t *testing.T) {
	for _, mode := range []llm.ContentMode{"", llm.ContentFull} {
		got := through(t, talk("secret "), func(c *llm.Call) { c.Content = mode })
		want := talk("secret ")
		if got.Content != llm.ContentFull || !reflect.DeepEqual(got.Input, want.Input) || !reflect.DeepEqual(got.Output, want.Output) ||
			!reflect.DeepEqual(got.System, want.System) || !reflect.DeepEqual(got.Tools, want.Tools) {
			t.Errorf("mode %q: got %+v", mode, got)
		}
	}
}

func TestContentMetadata(t *testing.T) {
	got := through(t, talk("secret "), func(c *llm.Call) { c.Content = llm.ContentMetadata })
	if text, _ := json.Marshal(got); strings.Contains(string(text), "secret") {
		t.Errorf("content stayed: %s", text)
	}
	check := func(p llm.Part, held string) {
		t.Helper()
		if p.Size != int64(len(held)) || p.SHA256 != digest(held) {
			t.Errorf("%s: size %d and digest %s, want those of %q", p.Type, p.Size, p.SHA256, held)
		}
	}
	check(got.System[0], "secret system")
	check(got.Input[0].Parts[0], "secret ünput")
	check(got.Input[0].Parts[1], "https://host/secret ")
	check(got.Input[1].Parts[0], "secret result")
	check(got.Output[0].Parts[0], `{"q":"secret "}`)
	if p := got.Input[0].Parts[2]; p.Size != 77 || p.SHA256 != "ab" || p.MIMEType != "image/png" {
		t.Errorf("the measure of a blob was lost: %+v", p)
	}
	if p := got.Input[0].Parts[3]; p.ID != "file-1" || p.SHA256 != "" {
		t.Errorf("file: %+v", p)
	}
	if p := got.Output[0].Parts[0]; p.Name != "look" || p.ID != "t2" || got.Tools[0].Name != "look" {
		t.Errorf("names and ids were lost: %+v %+v", p, got.Tools)
	}
}

func TestContentOffAndUnknown(t *testing.T) {
	for _, mode := range []llm.ContentMode{llm.ContentOff, "ful"} {
		got := through(t, talk("secret "), func(c *llm.Call) { c.Content = mode })
		if got.Content != llm.ContentOff || got.System != nil || got.Input != nil || got.Output != nil || got.Tools != nil {
			t.Errorf("mode %q: %+v", mode, got)
		}
	}
}

func TestOmittedSides(t *testing.T) {
	got := through(t, talk("x"), func(c *llm.Call) { c.OmitInput = true })
	if got.System != nil || got.Input != nil || got.Tools != nil || got.Output == nil {
		t.Errorf("input omitted: %+v", got)
	}
	got = through(t, talk("x"), func(c *llm.Call) { c.OmitOutput = true })
	if got.System == nil || got.Input == nil || got.Tools == nil || got.Output != nil {
		t.Errorf("output omitted: %+v", got)
	}
}

func TestSecretsNeverReachASink(t *testing.T) {
	all := secrets(5)
	key := func(i int) string { return "see " + all[i%len(all)].text + " there" }
	for _, mode := range []llm.ContentMode{llm.ContentFull, llm.ContentMetadata, llm.ContentOff} {
		for first := range all {
			n := first
			next := func() string { n++; return key(n) }
			c := talk(key(first))
			c.Path, c.RequestModel, c.ResponseModel = next(), next(), next()
			c.ErrorType, c.ErrorMessage, c.UsageRaw = next(), next(), next()
			c.Problems = []string{"fine", next()}
			c.Input[0].Name = next()
			c.Output[0].Parts[0].Name = next()
			c.Tools[0].Name = next()
			c.Attrs = []llm.Attr{{Key: "a", Value: next()}, {Key: "b", Value: []string{"fine", next()}}, {Key: "openai.request.metadata." + next(), Value: 1}}
			c.Attribution = llm.Attribution{
				Team: next(), User: next(), Session: next(), SessionSource: next(), Agent: next(),
				Tags: []string{next()}, Metadata: []llm.Attr{{Key: next() + next(), Value: next()}},
			}
			got := through(t, c, func(c *llm.Call) { c.Content = mode })
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range all {
				if core, _ := json.Marshal(s.core); strings.Contains(string(text), string(core[1:len(core)-1])) {
					t.Errorf("%s, mode %s: survives in %s", s.name, mode, text)
				}
			}
			count, _ := attr(got, "spanwire.redacted").(int64)
			if count < 18 {
				t.Errorf("mode %s: spanwire.redacted is %d, want at least 18", mode, count)
			}
		}
	}
}

func attr(c *llm.Call, key string) any {
	for _, a := range c.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

func TestRedactionIsCounted(t *testing.T) {
	s := &sink{}
	text := secrets(1)[0].text + " and " + secrets(2)[3].text
	r := recorder.New(recorder.Config{}, recorder.Stages{Reader: reader(func(ex *llm.Exchange) (*llm.Call, error) {
		if ex.ID == "0" {
			return &llm.Call{ErrorMessage: text}, nil
		}
		return &llm.Call{ErrorMessage: "fine"}, nil
	}), Place: place, Sinks: named(s)})
	r.Record(exchange(0))
	r.Record(exchange(1))
	mustClose(t, r)
	if n := r.Stats().Redacted; n != 2 {
		t.Errorf("%d redacted, want 2", n)
	}
	for _, c := range s.batches[0] {
		if got, clean := attr(c, "spanwire.redacted"), c.ErrorMessage == "fine"; clean && got != nil || !clean && got != int64(2) {
			t.Errorf("%q has spanwire.redacted %v", c.ErrorMessage, got)
		}
	}
}
