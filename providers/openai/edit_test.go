package openai_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/providers/openai"
)

func edited(body []byte) ([]byte, bool) {
	at, insert, cut := openai.Dialect{}.Edit(body)
	if insert == "" {
		return body, cut != nil
	}
	return append(append(bytes.Clone(body[:at]), insert...), body[at:]...), true
}

func TestEdit(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		got, did := edited([]byte(body))
		if string(got) != want || did != (body != want) {
			t.Errorf("%s\ngot  %s\nwant %s", body, got, want)
		}
	}
	same := func(body string) { t.Helper(); f(body, body) }
	f(`{"model":"m","stream":true}`, `{"stream_options":{"include_usage":true},"model":"m","stream":true}`)
	f(" \n{ \"stream\" : true , \"model\":\"m\"}\n", " \n{\"stream_options\":{\"include_usage\":true}, \"stream\" : true , \"model\":\"m\"}\n")
	f(`{"stream":true,"stream_options":{"include_obfuscation":false}}`, `{"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}`)
	f(`{"stream":true,"stream_options":{ }}`, `{"stream":true,"stream_options":{"include_usage":true }}`)
	f(`{"messages":[{"content":"\"stream\":false,\\\"}"}],"stream":true}`, `{"stream_options":{"include_usage":true},"messages":[{"content":"\"stream\":false,\\\"}"}],"stream":true}`)
	// No stream, or the caller has an opinion.
	same(`{"model":"m"}`)
	same(`{"stream":false}`)
	same(`{"stream":null}`)
	same(`{"stream":"true"}`)
	same(`{"inner":{"stream":true}}`)
	same(`{"stream":true,"stream_options":{"include_usage":false}}`)
	same(`{"stream":true,"stream_options":{"include_usage":true}}`)
	// Any doubt.
	same(`{"stream":true,"stream":true}`)
	same(`{"stream":true,"stream":false}`)
	same(`{"stream":true,"stream_options":null}`)
	same(`{"stream":true,"stream_options":[]}`)
	same(`{"stream":true,"stream_options":{},"stream_options":{}}`)
	same(`{"stream":true,"str\u0065am":false}`)
	same(`{"stream":true,"stream_options":{"include_us\u0061ge":false}}`)
	same(`{"stream":true`)
	same(`{"stream":true}}`)
	same(`{"stream":true} {}`)
	same(`[{"stream":true}]`)
	same(`"stream":true`)
	same(``)
	same(`{`)
}

func TestWantsBody(t *testing.T) {
	f := func(method, target string, want bool) {
		t.Helper()
		if got := (openai.Dialect{}).WantsBody(method, target); got != want {
			t.Errorf("%s %s: %v", method, target, got)
		}
	}
	f("POST", "/v1/chat/completions", true)
	f("POST", "/v1/completions?x=1", true)
	f("POST", "/openai/deployments/d/chat/completions?api-version=2024-10-21", true)
	f("POST", "/openai/deployments/d/chat/completions?api-version=2025-01-01-preview", true)
	f("POST", "/openai/deployments/d/chat/completions?api-version=2024-02-01", false) // refuses what it does not know
	f("POST", "/v1/embeddings", false)
	f("POST", "/v1/responses", false)
	f("GET", "/v1/chat/completions", false)
	f("POST", "/v1/chat/completions/chatcmpl-1", false)
}

// An edited body is JSON exactly where the original was, and differs by the
// insertion alone.
func FuzzEdit(f *testing.F) {
	for _, s := range []string{`{"stream":true}`, `{"stream":true,"stream_options":{}}`, `{"stream":true,"stream_options":{"a":[1,"}"]}}`, `{,"stream":true}`, `{"a":1 "stream":true}`, `{"stream":true,}`, `{"stream":tru}`, " { \"a\\\"\":\"\\\\\",\"stream\":true}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		at, insert, cut := openai.Dialect{}.Edit(body)
		if !bytes.Equal(body, before) {
			t.Fatal("the body was changed")
		}
		if insert == "" {
			if at != 0 || cut != nil {
				t.Fatalf("no insertion, but at %d", at)
			}
			return
		}
		out, _ := edited(body)
		if json.Valid(out) != json.Valid(body) {
			t.Fatalf("%q became %q", body, out)
		}
		if !json.Valid(body) {
			return
		}
		var was, is map[string]any
		if err := json.Unmarshal(body, &was); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &is); err != nil {
			t.Fatal(err)
		}
		options, _ := is["stream_options"].(map[string]any)
		if options["include_usage"] != true || was["stream"] != true {
			t.Fatalf("%q became %q", body, out)
		}
		if old, had := was["stream_options"].(map[string]any); had {
			delete(options, "include_usage")
			if len(old) != len(options) {
				t.Fatalf("%q became %q", body, out)
			}
		} else if delete(is, "stream_options"); len(is) != len(was) {
			t.Fatalf("%q became %q", body, out)
		}
	})
}

const (
	chunkA    = `data: {"id":"1","choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}` + "\n\n"
	addedU    = `data: {"id":"1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}` + "\n\n"
	filterRes = `data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}` + "\n\n"
	moderated = `data: {"id":"1","choices":[],"usage":null,"moderation":{}}` + "\n\n"
	doneMark  = "data: [DONE]\n\n"
)

// filtered runs a stream through a new filter in pieces of n bytes.
func filtered(stream []byte, n int) string {
	f := &openai.Filter{}
	var out []byte
	for rest := stream; len(rest) > 0; {
		k := min(n, len(rest))
		out = f.Pass(out, rest[:k])
		rest = rest[k:]
	}
	return string(f.Rest(out))
}

func TestFilterTakesOutTheAddedEventAlone(t *testing.T) {
	f := func(stream, want string) {
		t.Helper()
		for n := 1; n <= len(stream); n++ {
			if got := filtered([]byte(stream), n); got != want {
				t.Fatalf("pieces of %d:\ngot  %q\nwant %q", n, got, want)
			}
		}
	}
	f(filterRes+chunkA+addedU+moderated+doneMark, filterRes+chunkA+moderated+doneMark)
	f(chunkA+addedU, chunkA)
	f(chunkA+strings.TrimRight(addedU, "\n"), chunkA) // the last event without its blank line
	f(": c\n\n"+chunkA+"\n"+addedU+"event: x\ndata: {}\n\n", ": c\n\n"+chunkA+"\nevent: x\ndata: {}\n\n")
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	f(crlf(chunkA+addedU+doneMark), crlf(chunkA+doneMark))
	cr := func(s string) string { return strings.ReplaceAll(s, "\n", "\r") }
	f(cr(chunkA+addedU+doneMark), cr(chunkA+doneMark))
	// One was added: a second one is the provider's.
	f(addedU+addedU, addedU)
	// What is no such event passes, whatever it looks like.
	for _, s := range []string{
		chunkA + doneMark,
		filterRes + moderated,
		`data: {"choices":[{"index":0,"delta":{"content":"\"choices\":[],\"usage\":{}"}}]}` + "\n\n",
		`data: {"choices":[],"usage":{},"error":{"message":"x"}}` + "\n\n",
		`data: {"usage":{"prompt_tokens":1}}` + "\n\n",
		`data: {"choices":[],"usage":{"a":1}` + "\n\n",
		`{"error":{"message":"no","usage":{},"choices":[]}}`,
		"<html>\n\nusage</html>",
		"",
	} {
		f(s, s)
	}
}

func TestFilterHoldsBackNoMoreThanItMust(t *testing.T) {
	f := &openai.Filter{}
	pass := func(p, want string) {
		t.Helper()
		if got := string(f.Pass(nil, []byte(p))); got != want {
			t.Errorf("%q: passes %q, want %q", p, got, want)
		}
	}
	pass(chunkA, chunkA)
	pass(`data: {"id":"1",`, "") // could be the one
	pass(`"choices":[{"index"`, `data: {"id":"1","choices":[{"index"`)
	pass(`:0}]}`, `:0}]}`)
	pass("\n\n", "\n\n")
	big := `data: {"id":"` + strings.Repeat("x", 70<<10)
	pass(big, big) // too long to wait for
	pass("\n\n", "\n\n")
	pass(addedU, "")
	pass(`data: {"id"`, `data: {"id"`) // it is out: nothing is held any more
}

// Any cut gives the same output, and nothing but whole events is left out.
func FuzzFilter(f *testing.F) {
	f.Add([]byte(filterRes+chunkA+addedU+moderated+doneMark), 3)
	f.Add([]byte("\r\n\r\r"+strings.ReplaceAll(addedU, "\n", "\r\n")+"\n\r"), 1)
	f.Add([]byte(": x\n"+addedU), 2)
	f.Fuzz(func(t *testing.T, stream []byte, n int) {
		whole := filtered(stream, max(len(stream), 1))
		if got := filtered(stream, 1+(n&0x7fffffff)%50); got != whole {
			t.Fatalf("cut: %q, whole: %q", got, whole)
		}
		if len(whole) > len(stream) {
			t.Fatal("more comes out than went in")
		}
		if len(whole) != len(stream) && !bytes.Contains(stream, []byte(`"usage"`)) {
			t.Fatalf("something else was taken out of %q: %q", stream, whole)
		}
	})
}
