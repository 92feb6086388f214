package runstest

import (
	"encoding/json"
	"fmt"
)

// said is one message of a conversation that was made up, before it is written in
// the words of an API.
type said struct {
	role    string // user, assistant, tool
	text    string
	thought string // of the model, with its signature
	mark    string
	calls   []use
	results []done
}

// use is a tool call, done its result.
type use struct{ id, name, args, item string }

type done struct {
	id, name, args, text string
	failed               bool
	image                bool
}

// asked is a request, before it is written.
type asked struct {
	model, system, previous string // previous: the id of the response that it goes on from
	messages                []said
	tools                   bool
	choices                 int
}

// wire is one API: how requests and answers are written, and which ids it gives.
type wire struct {
	name, provider, path string
	id                   func(m *maker, tool string, i int) string // of a tool call; nil when the API has none
	request              func(asked) any
	answer               func(id string, a []said) any
	many                 bool // a call may have several answers
}

type (
	obj  = map[string]any
	list = []any
)

var schema = obj{"type": "object", "properties": obj{"q": obj{"type": "string"}}}

// raw is JSON that goes out as it is written.
func raw(s string) json.RawMessage { return json.RawMessage(s) }

const (
	hex     = "0123456789abcdef"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	picture = "iVBORw0KGgo="
)

func idOf(prefix, from string, n int) func(*maker, string, int) string {
	return func(m *maker, _ string, _ int) string { return prefix + m.random(from, n) }
}

// wires are the APIs that conversations are written in.
func wires() []wire {
	patterned := func(_ *maker, tool string, i int) string { return fmt.Sprintf("functions.%s:%d", tool, i) }
	numbered := func(_ *maker, _ string, i int) string { return fmt.Sprintf("call_%d", i) }
	named := func(m *maker, tool string, _ int) string { return tool + "_" + m.random(letters, 12) }
	converse := func(a asked) any { return a.converse() }
	claude := func(a asked) any { return a.anthropic() }
	return []wire{
		{"chat", "openai", "/v1/chat/completions", idOf("call_", letters, 24), asked.chat, chatAnswer, true},
		{"chat, ids by number", "ollama", "/v1/chat/completions", numbered, asked.chat, chatAnswer, false},
		{"chat, ids by name", "moonshot", "/v1/chat/completions", patterned, asked.chat, chatAnswer, false},
		{"chat, short ids", "mistral", "/v1/chat/completions", idOf("", letters, 9), asked.chat, chatAnswer, false},
		{"responses", "openai", "/v1/responses", idOf("call_", letters, 24), asked.responses, responsesAnswer, false},
		{"messages", "anthropic", "/v1/messages", idOf("toolu_01", letters, 22), claude, claudeAnswer, false},
		{"generateContent", "gemini", "/v1beta/models/gemini-2.5-flash:generateContent", nil, asked.gemini, geminiAnswer, false},
		{"converse", "bedrock", "/model/amazon.nova-pro-v1:0/converse", idOf("tooluse_", letters, 22), converse, converseAnswer, false},
		{"invoke, Claude", "bedrock", "/model/anthropic.claude-sonnet-4-v1:0/invoke", idOf("toolu_bdrk_01", letters, 22), claude, claudeAnswer, false},
		{"invoke, Nova", "bedrock", "/model/amazon.nova-lite-v1:0/invoke", idOf("", hex, 24), converse, converseAnswer, false},
		{"ollama", "ollama", "/api/chat", nil, asked.ollama, ollamaAnswer, false},
		{"cohere v1", "cohere", "/v1/chat", nil, asked.cohere1, cohere1Answer, false},
		{"cohere v2", "cohere", "/v2/chat", named, asked.cohere2, cohere2Answer, false},
	}
}

// toolList is the tools that are offered, each as an API has it.
func (a asked) toolList(one func(name string) any) any {
	if !a.tools {
		return nil
	}
	var all list
	for _, name := range toolNames {
		all = append(all, one(name))
	}
	return all
}

// compact takes out what says nothing.
func compact(o obj) obj {
	for k, v := range o {
		if v == nil || v == "" {
			delete(o, k)
		}
	}
	return o
}

func (a asked) chat() any {
	ms := list{}
	if a.system != "" {
		ms = append(ms, obj{"role": "system", "content": a.system})
	}
	for _, m := range a.messages {
		for _, r := range m.results {
			ms = append(ms, obj{"role": "tool", "tool_call_id": r.id, "content": r.text})
			if r.image {
				ms = append(ms, obj{"role": "user", "content": list{obj{"type": "image_url", "image_url": obj{"url": "data:image/png;base64," + picture}}}})
			}
		}
		if len(m.results) == 0 {
			ms = append(ms, chatMessage(m))
		}
	}
	o := obj{"model": a.model, "messages": ms, "tools": a.toolList(func(name string) any {
		return obj{"type": "function", "function": obj{"name": name, "parameters": schema}}
	})}
	if a.choices > 1 {
		o["n"] = a.choices
	}
	return compact(o)
}

func chatMessage(m said) obj {
	o := obj{"role": m.role, "content": m.text}
	if m.text == "" {
		o["content"] = nil
	}
	var calls list
	for _, c := range m.calls {
		calls = append(calls, obj{"id": c.id, "type": "function", "function": obj{"name": c.name, "arguments": c.args}})
	}
	if calls != nil {
		o["tool_calls"] = calls
	}
	return o
}

func chatAnswer(id string, answers []said) any {
	var choices list
	for i, m := range answers {
		o := chatMessage(m)
		o["refusal"], o["annotations"] = nil, list{}
		if m.thought != "" {
			o["reasoning_content"] = m.thought
		}
		reason := "stop"
		if len(m.calls) > 0 {
			reason = "tool_calls"
		}
		choices = append(choices, obj{"index": i, "message": o, "finish_reason": reason})
	}
	return obj{"id": "chatcmpl-" + id, "object": "chat.completion", "model": "m-2026", "choices": choices,
		"usage": obj{"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}}
}

func (a asked) responses() any {
	items := list{}
	for _, m := range a.messages {
		items = append(items, responsesItems(m, false)...)
		for _, r := range m.results {
			var out any = r.text
			if r.image {
				out = list{obj{"type": "input_text", "text": r.text}, obj{"type": "input_image", "image_url": "data:image/png;base64," + picture}}
			}
			items = append(items, obj{"type": "function_call_output", "call_id": r.id, "output": out})
		}
	}
	return compact(obj{"model": a.model, "instructions": a.system, "input": items, "previous_response_id": a.previous,
		"tools": a.toolList(func(name string) any { return obj{"type": "function", "name": name, "parameters": schema} })})
}

func responsesItems(m said, out bool) (items list) {
	if m.thought != "" {
		items = append(items, obj{"type": "reasoning", "id": "rs_" + m.mark, "summary": list{obj{"type": "summary_text", "text": m.thought}}})
	}
	if m.text != "" {
		o := obj{"type": "message", "role": m.role, "content": m.text}
		if m.role == "assistant" {
			o["content"] = list{obj{"type": "output_text", "text": m.text, "annotations": list{}}}
		}
		if out {
			o["id"], o["status"] = "msg_"+m.mark, "completed"
		}
		items = append(items, o)
	}
	for _, c := range m.calls {
		o := obj{"type": "function_call", "call_id": c.id, "name": c.name, "arguments": c.args}
		if out {
			o["id"], o["status"] = c.item, "completed"
		}
		items = append(items, o)
	}
	return items
}

func responsesAnswer(id string, a []said) any {
	return obj{"id": "resp_" + id, "object": "response", "status": "completed", "model": "m-2026", "output": responsesItems(a[0], true),
		"usage": obj{"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}}
}
