package tokenizer

import (
	"strings"
	"sync"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

func user(text string) llm.Message {
	return llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: text}}}
}

func answer(text string) llm.Message {
	return llm.Message{Role: "assistant", Parts: []llm.Part{{Type: llm.PartText, Content: text}}}
}

func chatCall(model string) *llm.Call {
	return &llm.Call{Kind: llm.KindLLM, Operation: opChat, Path: "/v1/chat/completions", Status: 200, Ended: llm.EndComplete,
		RequestModel: model, Input: []llm.Message{user("hello world")}, Output: []llm.Message{answer("hello world")}}
}

// counted runs the counter and checks both sides (-1: unknown) and the source.
func counted(t *testing.T, call *llm.Call, in, out int64, source llm.UsageSource) {
	t.Helper()
	New().Count(call)
	side := func(name string, got int64, ok bool, want int64) {
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	n, ok := call.Usage.Input()
	side("input", n, ok, in)
	n, ok = call.Usage.Output()
	side("output", n, ok, out)
	if call.Usage.Source != source {
		t.Errorf("source %q, want %q", call.Usage.Source, source)
	}
}

// A deployment is counted as the model that it stands for.
func TestNamesOfOnesOwn(t *testing.T) {
	stands := map[string]string{"azure prod-chat": "openai/gpt-4o", "azure old": "gpt-3.5-turbo-instruct", "vllm gpt-4": "qwen3-32b", "azure gpt-4o": "gpt-4"}
	c, err := Open(Config{}, Settings{Stands: func(call *llm.Call, name string) string { return stands[call.Route+" "+name] }})
	if err != nil {
		t.Fatal(err)
	}
	f := func(route, request, response, want string, public bool) {
		t.Helper()
		call := chatCall(request)
		call.Route, call.ResponseModel = route, response
		if m := c.modelOf(call); m.name != want || m.public != public {
			t.Errorf("%s: %s, answered by %q: counted as %s, %v; want %s", route, request, response, m.name, m.public, want)
		}
	}
	f("azure", "prod-chat", "", "gpt-4o", true)
	f("azure", "prod-chat", "prod-chat", "gpt-4o", true)
	f("azure", "prod-chat", "gpt-4.1-2025-04-14", "gpt-4.1-2025-04-14", true) // the provider told
	f("azure", "old", "", "gpt-3.5-turbo-instruct", true)
	f("azure", "gpt-4o", "", "gpt-4", true)
	f("vllm", "gpt-4", "gpt-4", "qwen3-32b", false) // what the operator says of this very name
	f("vllm", "prod-chat", "", "prod-chat", false)
	f("openai", "gpt-4o", "", "gpt-4o", true)

	call := chatCall("old")
	call.Route = "azure"
	c.Count(call)
	if n, _ := call.Usage.Input(); n != 9 || call.Usage.Source != llm.UsageRule {
		t.Errorf("%d tokens, %s", n, call.Usage.Source)
	}
}

// "hello world" has two tokens; the message 3 + role 1 + 2, the prompt 3 more.
func TestChatRule(t *testing.T) {
	counted(t, chatCall("gpt-4o"), 9, 2, llm.UsageRule)
	counted(t, chatCall("gpt-4-0613"), 9, 2, llm.UsageRule)
	named := chatCall("gpt-4o")
	named.Input[0].Name = "hello"
	counted(t, named, 11, 2, llm.UsageRule)
	// Newer models prime a prompt with one token less; their hidden reasoning is not
	// in the answer, which makes it a lower bound.
	counted(t, chatCall("gpt-5"), 8, 8, llm.UsagePartial)
	system := chatCall("gpt-4.1")
	system.Path = "/v1/responses"
	system.System = []llm.Part{{Type: llm.PartText, Content: "hello world"}}
	counted(t, system, 15, 3, llm.UsageRule)
}

func TestReportedUsageIsNeverChanged(t *testing.T) {
	call := chatCall("gpt-4o")
	call.Usage.Set(llm.UncachedInput, 700)
	call.Usage.Set(llm.OutputText, 0)
	counted(t, call, 700, 0, llm.UsageReported)
	// One side only: the other is counted, and the label is the worse one.
	call = chatCall("gpt-4o")
	call.Usage.Set(llm.CacheRead, 700)
	call.Usage.Source = llm.UsageReported
	counted(t, call, 700, 2, llm.UsageRule)
	call = chatCall("gpt-4o")
	call.Usage.Set(llm.Reasoning, 30)
	counted(t, call, 9, 30, llm.UsageRule)
	// An embedding has no output to miss.
	call = &llm.Call{Kind: llm.KindLLM, Operation: opEmbeddings, Status: 200, RequestModel: "text-embedding-3-small", Input: []llm.Message{user("hello world")}}
	call.Usage.Set(llm.UncachedInput, 5)
	counted(t, call, 5, -1, llm.UsageReported)
}

func TestACutAnswerIsPartial(t *testing.T) {
	for _, end := range []llm.End{llm.EndClientGone, llm.EndUpstreamCut, llm.EndTimeout, llm.EndError} {
		call := chatCall("gpt-4o")
		call.Ended = end
		counted(t, call, 9, 2, llm.UsagePartial)
		call = chatCall("claude-opus-5")
		call.Ended = end
		call.Usage.Set(llm.UncachedInput, 11) // told at the start of the stream
		counted(t, call, 11, 6, llm.UsagePartial)
		call = chatCall("gpt-4o")
		call.Ended, call.Output = end, nil // broke off before the first word
		counted(t, call, 9, 0, llm.UsagePartial)
	}
	call := chatCall("gpt-4o")
	call.ErrorType = "server_error" // in the stream, after some words
	counted(t, call, 9, 2, llm.UsageRule)
}

func TestAFailedCallHasNoInventedUsage(t *testing.T) {
	for _, status := range []int{0, 400, 401, 404, 429, 500, 502} {
		call := chatCall("gpt-4o")
		call.Status, call.Output, call.ErrorType = status, nil, "x"
		call.Ended = llm.EndError
		counted(t, call, -1, -1, llm.UsageMissing)
	}
	call := chatCall("gpt-4o")
	call.Output, call.ErrorType = nil, "content_filter" // an error in a 200
	counted(t, call, -1, -1, llm.UsageMissing)
}

func TestUsageThatAnotherCallTellsIsNotCounted(t *testing.T) {
	call := chatCall("gpt-4o")
	call.Usage.Source = llm.UsageMissing
	counted(t, call, -1, -1, llm.UsageMissing)
}

func TestOtherKindsOfCalls(t *testing.T) {
	call := &llm.Call{Kind: llm.KindHTTP, Status: 200, Input: []llm.Message{user("hello")}}
	counted(t, call, -1, -1, "")
	call = &llm.Call{Kind: llm.KindLLM, Operation: "image_generation", Status: 200, Input: []llm.Message{user("hello")}}
	counted(t, call, -1, -1, llm.UsageMissing)
	call = &llm.Call{Kind: llm.KindLLM, Operation: opEmbeddings, Status: 200, RequestModel: "text-embedding-3-small",
		Input: []llm.Message{user("hello world"), {Parts: []llm.Part{{Type: partTokens, Size: 40}}}}}
	counted(t, call, 42, -1, llm.UsageExact)
	call = &llm.Call{Kind: llm.KindLLM, Operation: opCompletion, Status: 200, RequestModel: "gpt-3.5-turbo-instruct",
		Input: []llm.Message{user("hello world")}, Output: []llm.Message{answer("hello"), answer("world")}}
	counted(t, call, 2, 2, llm.UsageExact)
}

func TestWhatCannotBeCountedIsEstimated(t *testing.T) {
	f := func(in int64, change func(*llm.Call)) {
		t.Helper()
		call := chatCall("gpt-4o")
		change(call)
		counted(t, call, in, 2, llm.UsageEstimated)
	}
	f(9, func(c *llm.Call) { c.RequestModel = "a-model-of-ours" })
	f(2, func(c *llm.Call) { c.RequestModel = "gemini-2.5-pro"; c.Output[0].Parts[0].Content = "hello world" })
	f(94, func(c *llm.Call) {
		c.Input[0].Parts = append(c.Input[0].Parts, llm.Part{Type: llm.PartURI, Modality: "image", URI: "https://x.test/a.png"})
	})
	f(9, func(c *llm.Call) {
		c.Input[0].Parts = append(c.Input[0].Parts, llm.Part{Type: llm.PartBlob, Modality: "audio", Content: strings.Repeat("QUJD", 9000), Size: 36000})
	})
	f(9, func(c *llm.Call) { c.Input[0].Parts = append(c.Input[0].Parts, llm.Part{Type: "hologram", Size: 9}) })
	f(9+250, func(c *llm.Call) { // a text that was left out
		c.Input = append([]llm.Message{}, c.Input...)
		c.Input[0].Parts = append(c.Input[0].Parts, llm.Part{Type: llm.PartText, Size: 1000})
	})
	f(9+2500, func(c *llm.Call) { // a request of which the middle was not kept
		c.Problems, c.RequestBytes = []string{"request body: 10015 bytes, of which only the beginning and the end were kept"}, 10_015
	})
}

func TestImages(t *testing.T) {
	f := func(name string, w, h int, want int64, known bool) {
		t.Helper()
		m := lookup(name)
		if n, ok := m.image(w, h, ""); n != want || ok != known {
			t.Errorf("%s %d×%d: %d, %v; want %d, %v", name, w, h, n, ok, want, known)
		}
	}
	f("gpt-4o", 512, 512, 85+170, true)
	f("gpt-4o", 1024, 1024, 85+170*4, true)
	f("gpt-4o", 2048, 4096, 85+170*6, true)
	f("gpt-4.1", 513, 1, 85+170*2, true)
	f("gpt-4o-mini", 1024, 1024, 2833+5667*4, true)
	f("o1", 512, 512, 225, true)
	f("gpt-5", 512, 512, 210, true)
	f("gpt-4.1-mini", 1024, 1024, 1659, true) // 1,024 patches × 1.62
	f("gpt-5-nano", 100_000, 100_000, 2304, true)
	f("gpt-4o", 0, 0, 85, false)
	f("gpt-4o", 1<<62, 1<<62, 85+170*4, true)
	f("claude-opus-5", 512, 512, lowDetail, false)
	low := func(name string, w, h int, want int64, known bool) {
		t.Helper()
		m := lookup(name)
		if n, ok := m.image(w, h, "low"); n != want || ok != known {
			t.Errorf("%s %d×%d in low detail: %d, %v; want %d, %v", name, w, h, n, ok, want, known)
		}
	}
	low("gpt-4o", 2048, 4096, 85, true)
	low("gpt-4o", 0, 0, 85, true) // behind a link: no size is needed
	low("gpt-5", 1024, 1024, 70, true)
	low("gpt-4.1-mini", 1024, 1024, 1659, true) // patches know no detail
	low("claude-opus-5", 512, 512, lowDetail, false)
}

func TestModelNames(t *testing.T) {
	f := func(name, encoding string, percent int64, public bool, style string) {
		t.Helper()
		m := lookup(name)
		if m.encoding != encoding || m.percent != percent || m.public != public || m.style.Name != style {
			t.Errorf("%q: %s %d %v %s", name, m.encoding, m.percent, m.public, m.style.Name)
		}
	}
	for _, s := range []string{"gpt-4o", "GPT-4o-2024-08-06", "ft:gpt-4o-mini-2024-07-18:acme::x", "openai/gpt-4.1", "chatgpt-4o-latest", "gpt-4.5-preview", "gpt-4o:nitro"} {
		f(s, o200k, 100, true, "gpt-4o")
	}
	for _, s := range []string{"gpt-5", "gpt-6.1-terra", "o1", "o3-mini", "o4-mini-2025-04-16", "codex-mini", "global.openai.gpt-6-sol"} {
		f(s, o200k, 100, true, "gpt-5")
	}
	for _, s := range []string{"openai.gpt-oss-120b-1:0", "us-gov.openai.gpt-oss-120b-1:0", "arn:aws:bedrock:eu-west-1::foundation-model/openai.gpt-oss-20b-1:0", "accounts/fireworks/models/gpt-oss-20b", "gpt-oss:20b"} {
		f(s, o200k, 100, true, "gpt-oss")
	}
	for _, s := range []string{"gpt-4", "gpt-4-0613", "gpt-4-turbo", "gpt-3.5-turbo", "gpt-35-turbo-16k", "openai/gpt-4-32k"} {
		f(s, cl100k, 100, true, "gpt-4")
	}
	f("text-embedding-3-large", cl100k, 100, true, "gpt-4")
	f("davinci-002", cl100k, 100, true, "gpt-4")
	f("text-davinci-003", p50k, 100, true, "gpt-4")
	f("davinci", r50k, 100, true, "gpt-4")
	g := func(percent int64, style string, names ...string) {
		t.Helper()
		for _, name := range names {
			f(name, o200k, percent, false, style)
		}
	}
	g(113, "claude", "claude-3-5-sonnet-20241022", "claude-sonnet-4-20250514", "claude-opus-4-1")
	g(113, "claude-4.5", "claude-opus-4-6", "us.anthropic.claude-opus-4-5-20251101-v1:0", "claude-haiku-4.5")
	g(143, "claude-4.7", "claude-opus-4-7", "claude-opus-4-8-20260401", "claude-opus-5-5", "anthropic/claude-sonnet-5")
	g(106, "gemini", "gemini-3.8-flash")
	g(105, "mistral", "mistral-large-latest")
	g(103, "deepseek", "deepseek-v4-pro")
	g(105, "qwen", "qwen3-max")
	g(97, "grok", "grok-4.6")
	g(103, "plain", "meta-llama/llama-3.3-70b")
	g(100, "nova", "amazon.nova-lite-v1:0")
	g(100, "nova-2", "us.amazon.nova-2-lite-v1:0")
	g(107, "command", "command-a-03-2025")
	g(100, "plain", "whatever", "")
	// The deployment's name says nothing; what answered does, and the other way round.
	call := chatCall("prod-7")
	call.ResponseModel = "gpt-35-turbo"
	counted(t, call, 9, 2, llm.UsageRule)
	call = chatCall("gpt-4o")
	call.ResponseModel = "prod-7"
	counted(t, call, 9, 2, llm.UsageRule)
}

func TestToolsAreADeclaration(t *testing.T) {
	text, whole := namespace([]llm.Tool{
		{Type: "function", Name: "none"},
		{Type: "function", Name: "weather", Description: "Weather now.", Parameters: `{"type":"object","required":["city"],"properties":{
			"city":{"type":"string","description":"Name"},"unit":{"enum":["c","f"],"type":"string"},"days":{"type":["integer","null"]},
			"tags":{"type":"array","items":{"type":"string"}},"at":{"type":"object","properties":{"lat":{"type":"number","description":"deep"}}},
			"x":{"anyOf":[{"type":"string"},{"type":"null"}]},"y":{}}}`},
	}, false)
	want := `namespace functions {

type none = () => any;

// Weather now.
type weather = (_: {
// Name
city: string,
unit?: "c" | "f",
days?: number | null,
tags?: string[],
at?: {
  lat?: number,
},
x?: string | null,
y?: any,
}) => any;

} // namespace functions`
	if text != want || !whole {
		t.Errorf("%v\n%s", whole, text)
	}
	for _, bad := range []llm.Tool{
		{Type: "web_search"}, {Type: "function", Name: "f", Parameters: `{"type":`}, {Type: "function", Name: "f", Parameters: strings.Repeat("[", 5000)},
		{Type: "function", Name: "f", Parameters: strings.Repeat(`{"properties":{"a":`, 200) + "1" + strings.Repeat("}}", 200)},
	} {
		if _, whole := namespace([]llm.Tool{bad}, false); whole {
			t.Errorf("%.60v is called whole", bad)
		}
	}
}

// A description of several lines is a comment of as many. In the harmony format
// parameters are written out also when there are none, and described at every depth.
func TestDeclarationsByFormat(t *testing.T) {
	f := func(tool llm.Tool, harmony bool, want string) {
		t.Helper()
		text, whole := namespace([]llm.Tool{tool}, harmony)
		text = strings.TrimSuffix(strings.TrimPrefix(text, "namespace functions {\n\n"), "\n\n} // namespace functions")
		if text != want || !whole {
			t.Errorf("harmony %v: whole %v, %q, want %q", harmony, whole, text, want)
		}
	}
	f(llm.Tool{Name: "f", Description: "One. \n\tTwo."}, false, "// One.\n// Two.\ntype f = () => any;")
	empty := llm.Tool{Name: "f", Parameters: `{"type":"object","properties":{}}`}
	f(empty, false, "type f = () => any;")
	f(empty, true, "type f = (_: {\n}) => any;")
	f(llm.Tool{Name: "f"}, true, "type f = () => any;")
	deep := llm.Tool{Name: "f", Parameters: `{"properties":{"a":{"type":"object","properties":{"b":{"type":"string","description":"deep"}}}}}`}
	f(deep, false, "type f = (_: {\na?: {\n  b?: string,\n},\n}) => any;")
	f(deep, true, "type f = (_: {\na?: {\n  // deep\n  b?: string,\n},\n}) => any;")
}

// Reasoning that was sent back is not shown to a model once a question follows it.
func TestReasoningOfThePast(t *testing.T) {
	text := func(role, s string) llm.Message {
		return llm.Message{Role: role, Parts: []llm.Part{{Type: llm.PartText, Content: s}}}
	}
	thought := llm.Message{Role: "assistant", Parts: []llm.Part{{Type: llm.PartReasoning, Content: strings.Repeat("think ", 500)}}}
	asked := func(ms ...llm.Message) int64 {
		c := chatCall("gpt-oss-20b")
		c.Input = ms
		New().Count(c)
		n, _ := c.Usage.Input()
		return n
	}
	question, answer := text("user", "why?"), text("assistant", "Because.")
	if with, without := asked(question, thought, answer, question), asked(question, answer, question); with != without {
		t.Errorf("with what was thought before the last question: %d tokens, without it %d", with, without)
	}
	result := llm.Message{Role: "tool", Parts: []llm.Part{{Type: llm.PartToolCallResponse, Response: "1"}}}
	if with, without := asked(question, thought, result), asked(question, result); with < without+500 {
		t.Errorf("with what was thought since the last question: %d tokens, without it %d", with, without)
	}
}

// What a provider's own tool answered is no output of the model; what it was asked is.
// A call costs by its arguments where a family writes each of them out.
func TestAnswersWithToolCalls(t *testing.T) {
	answer := func(model string, parts ...llm.Part) int64 {
		c := chatCall(model)
		c.Output = []llm.Message{{Role: "assistant", Parts: parts}}
		New().Count(c)
		n, _ := c.Usage.Output()
		return n
	}
	call := llm.Part{Type: llm.PartToolCall, Name: "web_search", Arguments: `{"query":"weather"}`}
	found := llm.Part{Type: llm.PartToolCallResponse, Response: strings.Repeat("found ", 1000)}
	if with, without := answer("claude-haiku-4-5", call, found), answer("claude-haiku-4-5", call); with != without {
		t.Errorf("with the tool's result: %d tokens, without it %d", with, without)
	}
	two := call
	two.Arguments = `{"query":"weather","n":1}`
	if d := answer("claude-haiku-4-5", two) - answer("claude-haiku-4-5", call); d < 12 {
		t.Errorf("another argument costs %d tokens", d)
	}
	if d := answer("gpt-4o", two) - answer("gpt-4o", call); d > 6 {
		t.Errorf("another argument costs %d tokens beside its text", d)
	}
}

func TestCountText(t *testing.T) {
	f := func(model, text string, want int64, source llm.UsageSource) {
		t.Helper()
		if n, s := New().CountText(model, text); n != want || s != source {
			t.Errorf("%s: %d %s, want %d %s", model, n, s, want, source)
		}
	}
	f("gpt-4o", "hello world", 2, llm.UsageExact)
	f("gpt-4o", "<|endoftext|>", 7, llm.UsageExact) // ordinary text, not a special token
	f("claude-opus-5", "hello world", 3, llm.UsageEstimated)
	f("gpt-4o", "", 0, llm.UsageExact)
	f("gpt-4o", "\xff\xff", 1, llm.UsageExact)
}

// Work is bounded whatever comes: by the text that is counted, and by the entries
// that a merge's heap can have.
func TestWorkIsBounded(t *testing.T) {
	m := lookup("gpt-4o")
	meter := newMeter(&m)
	line := "the quick brown fox jumps over the lazy dog 0123456789\n"
	text := strings.Repeat(line, 16<<20/len(line))
	want, _ := meter.enc.count(line)
	want *= int64(len(text) / len(line))
	n := meter.text(text)
	n2 := meter.text(text)
	if d := n - want; d > want/100 || d < -want/100 {
		t.Errorf("16 MiB by samples: %d tokens, want about %d", n, want)
	}
	if d := n2 - want; d > want/50 || d < -want/50 {
		t.Errorf("more, when the samples are used up: %d tokens, want about %d", n2, want)
	}
	if meter.bytes > maxExact+maxSample+(maxSample/sampleWindow)*8 || meter.source != llm.UsageEstimated {
		t.Errorf("%d bytes were counted, source %s", meter.bytes, meter.source)
	}
	e := encodings[o200k]
	e.once.Do(e.load)
	for _, unit := range []string{"a", "ab", "aab", "=", " ", "\n", "é", "漢", "👩", "zq"} {
		s := strings.Repeat(unit, 60_000/len(unit))
		var g merger
		if got := g.run(e.vocab, s); g.entries > 3*len(s) || got > len(s) {
			t.Errorf("%q: %d entries for %d bytes", unit, g.entries, len(s))
		}
	}
	if _, whole := e.count(strings.Repeat("a", 3*maxPiece)); whole {
		t.Error("a piece that was cut is called whole")
	}
	if n, s := New().CountText("gpt-4o", strings.Repeat("漢", maxPiece)); s != llm.UsageEstimated || n < maxPiece/2 {
		t.Errorf("%d %s", n, s)
	}
}

func TestCountingDoesNotAllocate(t *testing.T) {
	e := encodings[o200k]
	text := samples["english"] + samples["json"] + samples["chinese"]
	e.count(text)
	if n := testing.AllocsPerRun(5, func() { e.count(text) }); n > 0 {
		t.Errorf("%v allocations for %d bytes", n, len(text))
	}
}

func TestConcurrentUse(t *testing.T) {
	c := New()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				call := chatCall([]string{"gpt-4o", "gpt-4", "text-davinci-003", "claude-opus-5"}[i%4])
				c.Count(call)
				if _, ok := call.Usage.Input(); !ok {
					t.Error("nothing was counted")
				}
				c.CountText("gpt-4o", strings.Repeat("ab", 500))
			}
		})
	}
	wg.Wait()
}

// Whatever a call holds, counting ends, and no side is negative.
func FuzzCount(f *testing.F) {
	f.Add("gpt-4o", "hello", `{"properties":{"a":{"type":"string"}}}`, int64(5), 3, 4)
	f.Add("claude", "\xff", `[[[`, int64(1<<62), -5, 1<<40)
	f.Fuzz(func(t *testing.T, model, text, schema string, size int64, w, h int) {
		call := chatCall(model)
		call.Input = []llm.Message{{Role: text, Name: model, Parts: []llm.Part{
			{Type: llm.PartText, Content: text, Size: size}, {Type: llm.PartToolCall, Name: model, Arguments: schema},
			{Type: llm.PartToolCallResponse, Response: schema, Size: size}, {Type: llm.PartBlob, Modality: "image", Width: w, Height: h},
			{Type: partTokens, Size: size},
		}}}
		call.Tools = []llm.Tool{{Type: "function", Name: model, Description: text, Parameters: schema}}
		call.OutputSchema = schema
		call.RequestBytes, call.Problems = size, []string{"request body: cut"}
		New().Count(call)
		in, _ := call.Usage.Input()
		if out, ok := call.Usage.Output(); in < 0 || out < 0 || !ok {
			t.Fatalf("%d, %d", in, out)
		}
	})
}
