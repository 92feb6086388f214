package tokenizer

import (
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// prompt counts the input and sets it.
func (w *work) prompt() {
	if n, ok := w.input(); ok {
		w.call.Usage.Set(llm.UncachedInput, w.meter.scaled(n))
	}
}

// input counts the input in tokens of the vocabulary; ok is false when its text is
// not there.
func (w *work) input() (n int64, ok bool) {
	if w.call.Content != llm.ContentFull && w.call.Content != "" && len(w.call.Input) == 0 && len(w.call.System) == 0 {
		return 0, false
	}
	if w.call.Operation == opChat || w.call.Operation == opGenerate {
		n = w.chat()
	} else {
		for i := range w.call.Input {
			n += w.parts(w.call.Input[i].Parts)
		}
	}
	if w.elsewhere() {
		w.meter.worse(llm.UsageEstimated)
	}
	return n + w.lost(), true
}

// chat counts messages, tools and what wraps them.
func (w *work) chat() int64 {
	w.meter.worse(llm.UsageRule)
	c, call := w.model.style, w.call
	n := c.Prompt
	system := len(call.System) > 0
	if system {
		n += c.Message + w.meter.text("system") + w.parts(call.System)
	}
	last := lastQuestion(call.Input)
	for i := range call.Input {
		m := &call.Input[i]
		system = system || m.Role == "system" || m.Role == "developer"
		n += w.message(m, i < last)
	}
	if len(call.Tools) > 0 {
		n += w.tools()
		if system {
			n += w.wrap.ToolsWithSystem
		}
	}
	if call.OutputSchema != "" {
		w.meter.worse(llm.UsageEstimated)
		n += w.meter.text(properties(call.OutputSchema)) + c.Schema
	}
	return max(n, 0)
}

// lastQuestion returns the index of the last message that a person wrote.
func lastQuestion(ms []llm.Message) int {
	for i := len(ms) - 1; i >= 0; i-- {
		for j := range ms[i].Parts {
			if ms[i].Role == "user" && ms[i].Parts[j].Type == llm.PartText {
				return i
			}
		}
	}
	return 0
}

// message counts one message of the prompt. past says that a question follows it: then
// reasoning that was sent back is not shown to the model. (OpenAI's harmony format,
// "handling reasoning output in subsequent sampling"; Anthropic's extended thinking,
// "context window"; the chat templates of DeepSeek and Qwen.)
func (w *work) message(m *llm.Message, past bool) (n int64) {
	shown := false
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Type == llm.PartReasoning && past {
			continue
		}
		shown = true
		n += w.part(p)
		if p.Type == llm.PartToolCall || p.Type == llm.PartServerToolCall {
			n += w.wrap.ToolCall + w.wrap.Argument*w.arguments(p)
		}
	}
	if !shown && len(m.Parts) > 0 {
		return 0
	}
	n += w.model.style.Message + w.meter.text(m.Role)
	if m.Name != "" {
		n += w.meter.text(m.Name) + w.model.style.Named
	}
	return n
}

// arguments returns how many arguments a call has, where that changes what it costs.
func (w *work) arguments(p *llm.Part) int64 {
	if w.wrap.Argument == 0 {
		return 0
	}
	v, _ := readJSON(p.Arguments)
	o, _ := v.(object)
	return int64(len(o))
}

// tools counts what is said of the tools.
func (w *work) tools() (n int64) {
	tools := w.call.Tools
	n = w.wrap.Tools + w.wrap.EachTool*int64(len(tools))
	if !w.model.style.ToolsAsJSON {
		text, whole := namespace(tools, w.model.style.Harmony)
		if !whole {
			w.meter.worse(llm.UsageEstimated)
		}
		return n + w.meter.text(text)
	}
	for i := range tools {
		t := &tools[i]
		if t.Name == "" || t.Type != "" && t.Type != "function" {
			w.meter.worse(llm.UsageEstimated)
		}
		n += w.meter.text(t.Name) + w.meter.text(t.Description) + w.meter.text(t.Parameters)
	}
	return n
}

// parts counts the content of one message.
func (w *work) parts(parts []llm.Part) (n int64) {
	for i := range parts {
		n += w.part(&parts[i])
	}
	return n
}

func (w *work) part(p *llm.Part) int64 {
	switch p.Type {
	case llm.PartText, llm.PartReasoning, llm.PartRefusal:
		return w.textOrSize(p.Content, p.Size)
	case llm.PartToolCall, llm.PartServerToolCall:
		return w.meter.text(p.Name) + w.textOrSize(p.Arguments, p.Size)
	case llm.PartToolCallResponse, llm.PartServerToolCallResponse:
		return w.textOrSize(p.Response, p.Size)
	case partTokens:
		return min(max(p.Size, 0), maxExact)
	case llm.PartBlob, llm.PartURI, llm.PartFile:
		return w.media(p)
	}
	w.meter.worse(llm.UsageEstimated) // of a kind that nobody can count
	return 0
}

// stored are the attributes of requests that go on from what the provider keeps:
// earlier answers, a conversation, a prompt by its name.
var stored = [...]string{"gen_ai.request.previous_response.id", "openai.request.conversation", "openai.request.prompt.id"}

// elsewhere says that some of the input is not in the request: what is, is a lower
// bound.
func (w *work) elsewhere() bool {
	for i := range w.call.Attrs {
		for _, key := range stored {
			if w.call.Attrs[i].Key == key {
				return true
			}
		}
	}
	return false
}

// textOrSize counts a text; where it was left out, or cut, its size tells the rest.
func (w *work) textOrSize(s string, size int64) int64 {
	n := w.meter.text(s)
	if rest := size - int64(len(s)); rest > 0 {
		n += w.meter.unseen(rest)
	}
	return n
}

// media counts what is not text. Its bytes are never tokenised: an image by its
// size where that is known, everything else by a lower bound.
func (w *work) media(p *llm.Part) int64 {
	if p.Modality != "image" {
		w.meter.worse(llm.UsageEstimated)
		return 0
	}
	n, known := w.model.image(p.Width, p.Height, p.Detail)
	if !known {
		w.meter.worse(llm.UsageEstimated)
	}
	return n
}

// lost estimates the text of a request of which only a part was kept.
func (w *work) lost() int64 {
	lost := false
	for _, p := range w.call.Problems {
		lost = lost || strings.HasPrefix(p, "request")
	}
	if !lost {
		return 0
	}
	w.meter.worse(llm.UsageEstimated)
	rest := w.call.RequestBytes - w.meter.bytes
	for i := range w.call.Input {
		for j := range w.call.Input[i].Parts {
			if p := &w.call.Input[i].Parts[j]; p.Type == llm.PartBlob {
				rest -= p.Size
			}
		}
	}
	if rest <= w.call.RequestBytes/4 { // the frame around the text is that much
		return 0
	}
	return w.meter.unseen(rest)
}

// leadingTexts returns the parts at the beginning that are whole texts. In an answer they
// are one text to the model, cut by the provider where it streams or quotes.
func leadingTexts(parts []llm.Part) []llm.Part {
	for i := range parts {
		if p := &parts[i]; p.Type != llm.PartText || p.Size > int64(len(p.Content)) {
			return parts[:i]
		}
	}
	return parts
}

// answer counts the output and sets it.
func (w *work) answer() {
	if brokeOff(w.call) || w.model.public && w.model.style.HiddenReasoning && w.call.Operation != opCompletion {
		w.meter.worse(llm.UsagePartial)
	}
	var text, reasoning int64
	silent := true
	for i := range w.call.Output {
		m := &w.call.Output[i]
		said, calls := false, 0
		for j := 0; j < len(m.Parts); j++ {
			p := &m.Parts[j]
			silent = false
			if run := leadingTexts(m.Parts[j:]); len(run) > 1 {
				text, said, j = text+w.meter.joined(run), true, j+len(run)-1
				continue
			}
			if p.Type == llm.PartToolCallResponse || p.Type == llm.PartServerToolCallResponse {
				continue // of a tool that the provider ran: the model read it
			}
			switch n := w.part(p); p.Type {
			case llm.PartReasoning:
				reasoning += n
			case llm.PartToolCall, llm.PartServerToolCall:
				text += n + w.wrap.AnswerCall + w.wrap.Argument*w.arguments(p)
				calls++
			default:
				text, said = text+n, true
			}
		}
		if said && w.call.Operation != opCompletion {
			text += w.wrap.Answer
			if len(w.call.Tools) > 0 {
				text += w.wrap.BesideTools
			}
		}
		if calls > 1 {
			text += w.wrap.Parallel
		}
	}
	if silent { // filtered, or not kept: no model answers with nothing
		w.meter.worse(llm.UsagePartial)
	}
	if w.call.Operation != opCompletion {
		w.meter.worse(llm.UsageRule)
	}
	w.call.Usage.Set(llm.OutputText, w.meter.scaled(text))
	if reasoning > 0 {
		w.call.Usage.Set(llm.Reasoning, w.meter.scaled(reasoning))
	}
}
