package providers_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/eventstream"
	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers"
)

// whole reads exchanges by the table, as the program does.
type whole struct {
	tab      *providers.Table
	observer llm.Observer
}

func (w *whole) Wrote(p []byte, at time.Time) {
	if w.observer != nil {
		w.observer.Wrote(p, at)
	}
}

func (w *whole) Finish(c *llm.Call, x *llm.Exchange) error {
	own := *x
	own.Observer = w.observer
	read, err := w.tab.Read(&own)
	*c = *read
	return err
}

// through is a row of the table as a dialect.
func through(tab *providers.Table, row string) providerstest.Dialect {
	return providerstest.Dialect{
		ReadRequest: func(*llm.Call, *llm.Exchange) error { return nil },
		NewReader: func(x *llm.Exchange) providerstest.Reader {
			x.Provider = row
			return &whole{tab, tab.Row(row).Observe(x)}
		},
	}
}

func bedrockTable(t testing.TB) *providers.Table {
	return table(t, providers.Entry{Name: "bedrock", BaseURL: "https://bedrock-runtime.us-east-1.amazonaws.com"})
}

// Models whose bodies are those of another API are read as that is.
func TestBedrockRecordings(t *testing.T) {
	d := through(bedrockTable(t), "bedrock")
	providerstest.Judge(t, d, func(r providerstest.Recording) bool { return r.Provider == "bedrock" }, func(c *llm.Call, r providerstest.Recording) (diffs []string) {
		diffs = providerstest.Compare(c, r.Expected)
		for name, get := range map[string]func() (int64, bool){
			"input": func() (int64, bool) { return c.Usage.Get(llm.UncachedInput) }, "output": c.Usage.Output,
			"cache_read": c.Usage.CacheReads, "cache_write": c.Usage.CacheWrites,
		} {
			if want, ok := r.Expected.Figures[name]; ok {
				if got, _ := get(); fmt.Sprint(got) != strings.TrimSuffix(string(want.Value), ".0") {
					diffs = append(diffs, fmt.Sprintf("%s: got %d, want %s", name, got, want.Value))
				}
			}
		}
		return diffs
	})
}

func TestBedrockGuests(t *testing.T) {
	tab := bedrockTable(t)
	f := func(model, request, media string, body []byte, operation, id, said, finish string, in, out int64) {
		t.Helper()
		verb := "/invoke"
		if strings.HasSuffix(media, "eventstream") {
			verb += "-with-response-stream"
		}
		for _, n := range []int{1, 7, len(body)} {
			x := providerstest.Fixture{Target: "/model/" + model + verb, Host: "bedrock-runtime.eu-west-1.amazonaws.com", Request: []byte(request), ResponseHeader: llm.Header("Content-Type: " + media + "\r\n"), Response: body}.Exchange()
			c, err := through(tab, "bedrock").Read(x, providerstest.Cut(body, n)...)
			if err != nil || len(c.Problems) > 0 {
				t.Fatalf("%s: %v %q", model, err, c.Problems)
			}
			for _, a := range c.Attrs {
				if a.Key == "spanwire.stream.incomplete" {
					t.Errorf("%s: a whole stream counts as incomplete", model)
				}
			}
			got := ""
			for _, m := range c.Output {
				for _, p := range m.Parts {
					got += p.Content
				}
			}
			i, _ := c.Usage.Input()
			o, _ := c.Usage.Output()
			if c.Operation != operation || c.ResponseID != id || got != said || fmt.Sprint(c.FinishReasons) != finish || i != in || o != out || c.RequestModel != model || c.Provider != "aws.bedrock" {
				t.Errorf("%s, pieces of %d: %q %q %q %q %d %d %q", model, n, c.Operation, c.ResponseID, got, c.FinishReasons, i, o, c.RequestModel)
			}
		}
	}
	stream := func(payloads ...string) []byte {
		var b bytes.Buffer
		for _, p := range payloads {
			b.Write(eventstream.Append(nil, fmt.Appendf(nil, `{"bytes":"%s"}`, base64.StdEncoding.EncodeToString([]byte(p))), ":event-type", "chunk", ":message-type", "event"))
		}
		return b.Bytes()
	}
	const es, js = "application/vnd.amazon.eventstream", "application/json"
	const claude = `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
	f("anthropic.claude-x", claude, js, []byte(`{"id":"m1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"yo"}],"stop_reason":"end_turn","usage":{"input_tokens":4,"output_tokens":5}}`), "chat", "m1", "yo", "[end_turn]", 4, 5)
	f("anthropic.claude-x", claude, es, stream(
		`{"type":"message_start","message":{"id":"m2","type":"message","role":"assistant","model":"claude-x","content":[],"usage":{"input_tokens":4,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"yo"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":6}}`,
		`{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":7,"invocationLatency":20,"firstByteLatency":10}}`), "chat", "m2", "yo", "[max_tokens]", 4, 6)
	f("anthropic.claude-v2", `{"prompt":"\n\nHuman: hi\n\nAssistant:","max_tokens_to_sample":9}`, es, stream(
		`{"completion":" y","stop_reason":null,"stop":null}`,
		`{"completion":"o","stop_reason":"stop_sequence","stop":"\n\nHuman:","amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":7,"invocationLatency":20,"firstByteLatency":10}}`), "text_completion", "", " yo", "[stop_sequence]", 4, 7)
	f("openai.gpt-oss-120b-1:0", `{"messages":[{"role":"user","content":"hi"}]}`, js, []byte(`{"id":"c1","object":"chat.completion","model":"openai.gpt-oss-120b-1:0","choices":[{"index":0,"message":{"role":"assistant","content":"yo"},"finish_reason":"stop"}],"usage":{"prompt_tokens":4,"completion_tokens":5,"total_tokens":9}}`), "chat", "c1", "yo", "[stop]", 4, 5)
	f("openai.gpt-oss-120b-1:0", `{"messages":[{"role":"user","content":"hi"}],"stream":true}`, es, stream(
		`{"id":"c2","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"yo"},"finish_reason":null}]}`,
		`{"id":"c2","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":7,"invocationLatency":20,"firstByteLatency":10}}`), "chat", "c2", "yo", "[stop]", 4, 7)
	f("cohere.command-text-v14", `{"prompt":"hi","max_tokens":9}`, js, []byte(`{"id":"g1","generations":[{"id":"x","text":"yo","finish_reason":"COMPLETE"}],"prompt":"hi"}`), "text_completion", "g1", "yo", "[COMPLETE]", 0, 0)
	f("cohere.command-r-v1:0", `{"message":"hi"}`, es, stream(
		`{"is_finished":false,"event_type":"stream-start","generation_id":"g2"}`,
		`{"is_finished":false,"event_type":"text-generation","text":"yo"}`,
		`{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":{"generation_id":"g2","text":"yo"},"amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":7,"invocationLatency":20,"firstByteLatency":10}}`), "chat", "g2", "yo", "[COMPLETE]", 4, 7)
	f("cohere.command-text-v14", `{"prompt":"hi","stream":true}`, es, stream(
		`{"index":0,"text":"yo","is_finished":false}`,
		`{"index":0,"is_finished":true,"finish_reason":"COMPLETE","amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":7,"invocationLatency":20,"firstByteLatency":10}}`), "text_completion", "", "yo", "[COMPLETE]", 4, 7)
}

// A chat of watsonx is OpenAI's, with a model under another name; Hugging Face's
// server answers behind its router too.
func TestTextGeneration(t *testing.T) {
	tab := table(t, providers.Entry{Name: "watsonx", BaseURL: "https://eu-de.ml.cloud.ibm.com"})
	f := func(row, target, request, body, operation, asked, said string, in, out int64) {
		t.Helper()
		x := providerstest.Fixture{Target: target, Request: []byte(request), ResponseHeader: llm.Header("Content-Type: application/json\r\n"), Response: []byte(body)}.Exchange()
		c, err := through(tab, row).Read(x, []byte(body))
		if err != nil || len(c.Output) != 1 || len(c.Output[0].Parts) != 1 {
			t.Fatalf("%s: %v %+v", target, err, c)
		}
		i, _ := c.Usage.Input()
		o, _ := c.Usage.Output()
		if c.Operation != operation || c.RequestModel != asked || c.Output[0].Parts[0].Content != said || i != in || o != out {
			t.Errorf("%s: %q %q %q %d %d", target, c.Operation, c.RequestModel, c.Output[0].Parts[0].Content, i, o)
		}
	}
	f("watsonx", "/ml/v1/text/chat?version=1", `{"model_id":"ibm/granite","messages":[{"role":"user","content":"hi"}]}`,
		`{"id":"c","model_id":"ibm/granite","model":"ibm/granite","choices":[{"index":0,"message":{"role":"assistant","content":"yo"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`,
		"chat", "ibm/granite", "yo", 3, 2)
	f("watsonx", "/ml/v1/deployments/d1/text/generation?version=1", `{"input":"hi"}`,
		`{"model_id":"ibm/granite","results":[{"generated_text":"yo","generated_token_count":2,"input_token_count":3,"stop_reason":"eos_token"}]}`,
		"text_completion", "d1", "yo", 3, 2)
	f("huggingface", "/hf-inference/models/org/m", `{"inputs":"hi"}`, `[{"generated_text":"yo","details":{"finish_reason":"length","generated_tokens":2,"input_length":3}}]`,
		"text_completion", "org/m", "yo", 3, 2)
	f("huggingface", "/hf-inference/models/org/m/v1/chat/completions", `{"model":"org/m","messages":[]}`, `{"id":"c","model":"org/m","choices":[{"index":0,"message":{"content":"yo"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`,
		"chat", "org/m", "yo", 3, 2)
}

// Writer's chat has OpenAI's form under a path of its own.
func TestWriterRecordings(t *testing.T) {
	providerstest.Judge(t, through(table(t), "writer"), func(r providerstest.Recording) bool { return r.Provider == "writer" }, func(c *llm.Call, r providerstest.Recording) []string {
		return append(providerstest.Compare(c, r.Expected), providerstest.Figures(r.Expected, map[string]func() (int64, bool){"input": c.Usage.Input, "output": c.Usage.Output})...)
	})
}

// A model that runs here costs nothing, which is known; one that a local server
// passes on to a cloud costs what nobody told.
func TestLocalModelsAreFree(t *testing.T) {
	f := func(row, base, target, body string, free bool) {
		t.Helper()
		tab := table(t, providers.Entry{Name: row, BaseURL: base})
		x := providerstest.Fixture{Target: target, ResponseHeader: llm.Header("Content-Type: application/json\r\n"), Response: []byte(body)}.Exchange()
		c, err := through(tab, row).Read(x, []byte(body))
		if err != nil || c.Cost.Known() != free || c.Cost.Total != 0 {
			t.Errorf("%s at %s: %v %+v", row, base, err, c.Cost)
		}
	}
	const said = `{"model":"m","message":{"role":"assistant","content":"hi"},"done":true,"done_reason":"stop","eval_count":1}`
	f("ollama", "", "/api/chat", said, true)
	f("ollama", "http://gpu.example:11434", "/api/chat", said, true)
	f("ollama", "https://ollama.com", "/api/chat", said, false)
	f("ollama", "", "/api/chat", `{"model":"m-cloud","remote_host":"https://ollama.com:443","message":{"content":"hi"},"done":true}`, false)
	f("ollama", "", "/api/tags", `{"models":[]}`, false)
	f("vllm", "", "/v1/chat/completions", `{"id":"c","model":"m","choices":[{"index":0,"message":{"content":"yo"},"finish_reason":"stop"}]}`, true)
	f("ollama-cloud", "", "/api/chat", said, false)
}
