package runstest

import "strings"

func (a asked) anthropic() any {
	var ms list
	for _, m := range a.messages {
		blocks := claudeBlocks(m)
		role := m.role
		for _, r := range m.results {
			role = "user"
			b := obj{"type": "tool_result", "tool_use_id": r.id, "content": r.text, "is_error": r.failed}
			if r.image {
				b["content"] = list{obj{"type": "text", "text": r.text}, obj{"type": "image", "source": obj{"type": "base64", "media_type": "image/png", "data": picture}}}
			}
			blocks = append(blocks, b)
		}
		ms = append(ms, obj{"role": role, "content": blocks})
	}
	return compact(obj{"model": a.model, "anthropic_version": "bedrock-2023-05-31", "max_tokens": 1000, "system": a.system, "messages": ms,
		"tools": a.toolList(func(name string) any { return obj{"name": name, "input_schema": schema} })})
}

func claudeBlocks(m said) (blocks list) {
	if m.thought != "" {
		blocks = append(blocks, obj{"type": "thinking", "thinking": m.thought, "signature": m.mark})
	}
	if m.text != "" {
		blocks = append(blocks, obj{"type": "text", "text": m.text})
	}
	for _, c := range m.calls {
		blocks = append(blocks, obj{"type": "tool_use", "id": c.id, "name": c.name, "input": raw(c.args)})
	}
	return blocks
}

func claudeAnswer(id string, a []said) any {
	return obj{"id": "msg_01" + id, "type": "message", "role": "assistant", "model": "m-2026", "content": claudeBlocks(a[0]), "stop_reason": "end_turn",
		"usage": obj{"input_tokens": 9, "output_tokens": 5}}
}

func (a asked) gemini() any {
	var ms list
	for _, m := range a.messages {
		c := geminiContent(m)
		for _, r := range m.results {
			response := obj{"name": r.name, "response": obj{"result": r.text}}
			if r.id != "" {
				response["id"] = r.id
			}
			c["role"] = "user"
			c["parts"] = append(c["parts"].(list), obj{"functionResponse": response})
			if r.image {
				c["parts"] = append(c["parts"].(list), obj{"inlineData": obj{"mimeType": "image/png", "data": picture}})
			}
		}
		ms = append(ms, c)
	}
	o := obj{"contents": ms}
	if a.system != "" {
		o["systemInstruction"] = obj{"parts": list{obj{"text": a.system}}}
	}
	if a.tools {
		o["tools"] = list{obj{"functionDeclarations": a.toolList(func(name string) any { return obj{"name": name, "parameters": schema} })}}
	}
	return o
}

func geminiContent(m said) obj {
	parts := list{}
	if m.thought != "" {
		parts = append(parts, obj{"text": m.thought, "thought": true})
	}
	if m.text != "" {
		parts = append(parts, obj{"text": m.text})
	}
	for i, c := range m.calls {
		call := obj{"name": c.name, "args": raw(c.args)}
		if c.id != "" {
			call["id"] = c.id
		}
		p := obj{"functionCall": call}
		if i == 0 && m.mark != "" {
			p["thoughtSignature"] = m.mark
		}
		parts = append(parts, p)
	}
	return obj{"role": strings.Replace(m.role, "assistant", "model", 1), "parts": parts}
}

func geminiAnswer(id string, a []said) any {
	return obj{"candidates": list{obj{"content": geminiContent(a[0]), "finishReason": "STOP", "index": 0}}, "responseId": id, "modelVersion": "m-2026",
		"usageMetadata": obj{"promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 14}}
}

func (a asked) converse() any {
	var ms list
	for _, m := range a.messages {
		c := converseMessage(m)
		for _, r := range m.results {
			status, parts := "success", list{obj{"text": r.text}}
			if r.failed {
				status = "error"
			}
			if r.image {
				parts = append(parts, obj{"image": obj{"format": "png", "source": obj{"bytes": picture}}})
			}
			c["role"] = "user"
			c["content"] = append(c["content"].(list), obj{"toolResult": obj{"toolUseId": r.id, "content": parts, "status": status}})
		}
		ms = append(ms, c)
	}
	o := obj{"messages": ms}
	if a.system != "" {
		o["system"] = list{obj{"text": a.system}}
	}
	if a.tools {
		o["toolConfig"] = obj{"tools": a.toolList(func(name string) any {
			return obj{"toolSpec": obj{"name": name, "inputSchema": obj{"json": schema}}}
		})}
	}
	return o
}

func converseMessage(m said) obj {
	content := list{}
	if m.thought != "" {
		content = append(content, obj{"reasoningContent": obj{"reasoningText": obj{"text": m.thought, "signature": m.mark}}})
	}
	if m.text != "" {
		content = append(content, obj{"text": m.text})
	}
	for _, c := range m.calls {
		content = append(content, obj{"toolUse": obj{"toolUseId": c.id, "name": c.name, "input": raw(c.args)}})
	}
	return obj{"role": m.role, "content": content}
}

func converseAnswer(_ string, a []said) any {
	return obj{"output": obj{"message": converseMessage(a[0])}, "stopReason": "end_turn", "usage": obj{"inputTokens": 9, "outputTokens": 5, "totalTokens": 14}}
}

func (a asked) ollama() any {
	var ms list
	if a.system != "" {
		ms = append(ms, obj{"role": "system", "content": a.system})
	}
	for _, m := range a.messages {
		for _, r := range m.results {
			o := obj{"role": "tool", "tool_name": r.name, "content": r.text}
			if r.image {
				o["images"] = list{picture}
			}
			ms = append(ms, o)
		}
		if len(m.results) == 0 {
			ms = append(ms, ollamaMessage(m))
		}
	}
	return compact(obj{"model": a.model, "messages": ms, "stream": false, "tools": a.toolList(func(name string) any {
		return obj{"type": "function", "function": obj{"name": name, "parameters": schema}}
	})})
}

func ollamaMessage(m said) obj {
	o := obj{"role": m.role, "content": m.text}
	if m.thought != "" {
		o["thinking"] = m.thought
	}
	var calls list
	for _, c := range m.calls {
		calls = append(calls, obj{"function": obj{"name": c.name, "arguments": raw(c.args)}})
	}
	if calls != nil {
		o["tool_calls"] = calls
	}
	return o
}

func ollamaAnswer(_ string, a []said) any {
	return obj{"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": ollamaMessage(a[0]), "done": true, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 5}
}

// cohere1 is version 1: what is said last stands beside the history.
func (a asked) cohere1() any {
	o := obj{"model": a.model, "preamble": a.system, "message": "", "tools": a.toolList(func(name string) any {
		return obj{"name": name, "description": name, "parameter_definitions": obj{"q": obj{"type": "str"}}}
	})}
	history := list{}
	for i, m := range a.messages {
		var results list
		for _, r := range m.results {
			results = append(results, obj{"call": obj{"name": r.name, "parameters": raw(r.args)}, "outputs": list{obj{"result": r.text}}})
		}
		last := i == len(a.messages)-1
		switch {
		case last && results != nil:
			o["tool_results"] = results
		case last:
			o["message"] = m.text
		case results != nil:
			history = append(history, obj{"role": "TOOL", "tool_results": results})
		case m.role == "assistant":
			t := obj{"role": "CHATBOT", "message": m.text}
			if m.calls != nil {
				t["tool_calls"] = cohere1Calls(m)
			}
			history = append(history, t)
		default:
			history = append(history, obj{"role": "USER", "message": m.text})
		}
	}
	o["chat_history"] = history
	compact(o)
	if o["message"] == nil {
		o["message"] = ""
	}
	return o
}

func cohere1Calls(m said) (calls list) {
	for _, c := range m.calls {
		calls = append(calls, obj{"name": c.name, "parameters": raw(c.args)})
	}
	return calls
}

func cohere1Answer(id string, a []said) any {
	o := obj{"response_id": id, "generation_id": id, "text": a[0].text, "finish_reason": "COMPLETE", "meta": obj{"tokens": obj{"input_tokens": 9, "output_tokens": 5}}}
	if calls := cohere1Calls(a[0]); calls != nil {
		o["tool_calls"] = calls
	}
	return o
}

func (a asked) cohere2() any {
	o := a.chat().(obj)
	for _, m := range o["messages"].(list) {
		if m := m.(obj); m["role"] == "tool" {
			m["content"] = list{obj{"type": "document", "document": obj{"data": m["content"]}}}
		}
	}
	return o
}

func cohere2Answer(id string, a []said) any {
	o := chatMessage(a[0])
	if a[0].text != "" {
		o["content"] = list{obj{"type": "text", "text": a[0].text}}
		if len(a[0].calls) > 0 {
			delete(o, "content")
			o["tool_plan"] = a[0].text
		}
	}
	return obj{"id": id, "message": o, "finish_reason": "COMPLETE", "usage": obj{"tokens": obj{"input_tokens": 9, "output_tokens": 5}}}
}
