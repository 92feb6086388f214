package providers_test

import (
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// An answer that is longer than what is kept of one is read at both ends: its usage
// is there, what was left out is told, and a whole answer does not become a broken one.
func TestLongAnswers(t *testing.T) {
	tab := timedTable(t)
	long := strings.Repeat("word é ", 800_000)
	for _, v := range conversations() {
		x := v.exchange(false)
		body := strings.Replace(v.answer, "Hello there!", long, 1)
		x.Response.Size = int64(len(body))
		x.Observer = tab.Row(v.row).Observe(x)
		for _, p := range providerstest.Cut([]byte(body), 16<<10) {
			x.Observer.Wrote(p, x.FirstByte)
		}
		c, err := tab.Read(x)
		if err != nil || len(c.Output) != 1 || len(c.Problems) != 1 {
			t.Errorf("%s: %v, %d outputs, problems %q", v.name, err, len(c.Output), c.Problems)
			continue
		}
		if n := len(c.Output[0].Parts[0].Content); n < 1<<19 || n > 2<<20 {
			t.Errorf("%s: %d bytes of text were kept", v.name, n)
		}
		if v.row != "watsonx" && !c.Usage.Known() { // it tells its usage before the text too
			t.Errorf("%s: no usage", v.name)
		}
		if c.Output[0].FinishReason == "error" || c.ErrorType != "" {
			t.Errorf("%s: finish reasons %q, error %q", v.name, c.FinishReasons, c.ErrorType)
		}
	}
}

// Images and sounds of several megabytes are told by their size, whatever they stand
// in, and what stands around them is read.
func TestLargeBlobs(t *testing.T) {
	tab := table(t)
	b64 := strings.Repeat("iVBORw0KGgoAAAANSUhEUgAA", 100_000) // 2.4 MB
	const es, js = "text/event-stream", "application/json"
	f := func(row, target, media, body, want string) {
		t.Helper()
		body = strings.ReplaceAll(body, "@", b64)
		x := providerstest.Fixture{Target: target, Request: []byte(`{"model":"asked","messages":[]}`), Response: []byte(body), ResponseHeader: llm.Header("Content-Type: " + media + "\r\n")}
		for _, n := range []int{1000, 16 << 10, len(body)} {
			c, err := through(tab, row).Read(x.Exchange(), providerstest.Cut(x.Response, n)...)
			if err != nil || len(c.Problems) > 0 {
				t.Fatalf("%s %s %s: %v %q", row, target, media, err, c.Problems)
			}
			blobs := int64(0)
			for _, m := range c.Output {
				for _, p := range m.Parts {
					if p.Type == llm.PartBlob {
						blobs += p.Size
					}
				}
			}
			if got := said(c); got != want || blobs != int64(len(b64)) {
				t.Fatalf("%s %s %s, pieces of %d: %d bytes of blobs\ngot  %s\nwant %s", row, target, media, n, blobs, got, want)
			}
		}
	}
	const google = `{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"@"}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":9},"modelVersion":"g"}`
	f("gemini", "/v1beta/models/m:generateContent", js, google, "model=g 0.finish=STOP uncached_input=5 output_text=9")
	f("gemini", "/v1beta/models/m:streamGenerateContent", js, "["+google+"]", "model=g 0.finish=STOP uncached_input=5 output_text=9")
	f("gemini", "/v1beta/models/m:streamGenerateContent?alt=sse", es, events(google), "model=g 0.finish=STOP uncached_input=5 output_text=9")
	f("gemini", "/v1beta/interactions", es, events(
		`{"event_type":"step.delta","index":0,"delta":{"type":"image","data":"@","mime_type":"image/png"}}`,
		`{"event_type":"interaction.completed","interaction":{"id":"v","status":"completed","model":"g","usage":{"total_input_tokens":5,"total_output_tokens":9}}}`), "id=v model=g uncached_input=5 output_text=9")
	f("openai", "/v1/responses", es, events(
		`{"type":"response.created","response":{"id":"r","model":"m","output":[]}}`,
		`{"type":"response.image_generation_call.partial_image","partial_image_b64":"@","output_index":0}`,
		`{"type":"response.completed","response":{"id":"r","model":"m","status":"completed","output":[{"type":"image_generation_call","id":"ig","status":"completed","result":"@"}],"usage":{"input_tokens":5,"output_tokens":9}}}`), "id=r model=m 0.finish=stop uncached_input=5 output_text=9")
	f("openai", "/v1/images/generations", es, events(
		`{"type":"image_generation.partial_image","b64_json":"@","partial_image_index":0}`,
		`{"type":"image_generation.completed","b64_json":"@","usage":{"input_tokens":5,"output_tokens":9,"total_tokens":14}}`), "uncached_input=5 output_text=0 image_output=9 images=1")
	f("ollama", "/api/chat", "application/x-ndjson", `{"model":"m","message":{"role":"assistant","content":"","images":["@"]},"done":false}`+"\n"+`{"model":"m","done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":9}`+"\n", "model=m 0.finish=stop uncached_input=5 output_text=9")
	// Images in chats, of OpenRouter, and sounds of OpenAI.
	f("openrouter", "/api/v1/chat/completions", es, events(
		`{"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"a","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,@"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":9}}`, "[DONE]"), "id=x model=m 0.text=a 0.finish=stop uncached_input=5 output_text=9")
	f("openrouter", "/api/v1/chat/completions", js, `{"id":"x","model":"m","choices":[{"index":0,"message":{"content":"a","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,@"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":9}}`, "id=x model=m 0.text=a 0.finish=stop uncached_input=5 output_text=9")
	f("openai", "/v1/chat/completions", js, `{"id":"x","model":"m","choices":[{"index":0,"message":{"content":null,"audio":{"id":"au","data":"@","transcript":"hello"}},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":9}}`, "id=x model=m 0.text=hello 0.finish=stop uncached_input=5 output_text=9")
}
