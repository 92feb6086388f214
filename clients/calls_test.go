package clients

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// call is what one span must say, and by that what its client must have been told.
type call struct {
	operation string // chat where it is empty
	model     string // asked for; "" for an exchange that is no call of a model
	answered  string // the model that answered; "" where nobody tells
	id        string
	finish    string
	text      string
	reasoning string
	tools     []toolCall
	results   []string // of tools, in what was asked
	in, out   int64    // tokens; without any the span must have none, and zero is a told 0
	stream    bool
	source    string // of the tokens: reported where it is empty; else in and out are what is told of them, and others are counted
	end       string // complete where it is empty
	err       string // error.type
	status    string // of HTTP; 200 where it is empty
	// also are further attributes; "" means that there must be none of the name.
	also map[string]string
}

// checks collects what is wrong with one feature of one client.
type checks struct{ wrong []error }

func (c *checks) ok(complaint string, good bool) {
	if !good {
		c.wrong = append(c.wrong, errors.New(complaint))
	}
}

func (c *checks) is(what string, got, want any) {
	c.ok(fmt.Sprintf("%s is %v, want %v", what, got, want), reflect.DeepEqual(got, want))
}

// facts checks what a client was told against what its calls were.
func (c *checks) facts(f feature, got facts) {
	want := facts{}
	for _, one := range f.calls {
		if one.id != "" {
			want.IDs = append(want.IDs, one.id)
		}
		want.Tools = append(want.Tools, one.tools...)
	}
	last := f.calls[len(f.calls)-1]
	want.Model, want.Text, want.Thinking, want.Finish = last.answered, last.text, last.reasoning, last.finish
	if last.in+last.out > 0 {
		want.Usage = &tokens{last.in, max(last.out, 0)}
	}
	if f.told != nil {
		f.told(&want)
	}
	c.is("what the client got: response ids", len(got.IDs) == 0 && len(want.IDs) == 0 || slices.Equal(got.IDs, want.IDs), true)
	c.is("what the client got: model", got.Model, want.Model)
	c.is("what the client got: text", got.Text, want.Text)
	c.is("what the client got: thinking", got.Thinking, want.Thinking)
	c.is("what the client got: finish reason", got.Finish, want.Finish)
	c.is("what the client got: usage", got.Usage.String(), want.Usage.String())
	c.is("what the client got: tool calls", plain(got.Tools), plain(want.Tools))
	c.is("what the client got: dimensions", fmt.Sprint(got.Dimensions), fmt.Sprint(want.Dimensions))
	c.is("what the client got: scores", fmt.Sprint(got.Scores), fmt.Sprint(want.Scores))
	c.is("what the client got: count", got.Count, want.Count)
	c.is("what the client got: parsed", got.Parsed, want.Parsed)
	c.is("what the client got: error status", got.Status, want.Status)
	c.is("what the client got: error code", got.Code, want.Code)
	c.is("the client got an error ("+got.Error+")", got.Error != "", want.Error != "")
	if last.stream && last.err == "" {
		c.ok("the client got no pieces", got.Chunks >= 3)
	}
}

// leftAtTheEnd says that a client hung up on a stream. Those that have seen its end
// mark, or an error, may do so before the last bytes of HTTP have reached them: a
// race that either side may win.
func leftAtTheEnd(s span) bool { return s.text("spanwire.end") == "client_gone" }

// call checks one span.
func (c *checks) call(want call, s span, n int) {
	name := fmt.Sprintf("span %d: ", n+1)
	is := func(what, key, want string) { c.is(name+what, s.text(key), want) }
	left := want.end == "" && want.stream && leftAtTheEnd(s)
	if !left {
		is("end", "spanwire.end", or(want.end, "complete"))
	}
	is("status", "http.response.status_code", or(want.status, "200"))
	is("error type", "error.type", want.err)
	c.is(name+"span status", s.Status.Code, map[bool]int{true: 2}[want.err != ""])
	if want.end == "" && !(left && want.err != "") {
		is("problems", "spanwire.problems", "")
	}
	for key, value := range want.also {
		is(key, key, value)
	}
	c.ok(name+"it holds the key", !strings.Contains(s.all(), apiKey))
	if want.model == "" {
		is("kind", "spanwire.operation.kind", "http")
		is("tokens of what is no call of a model", "spanwire.usage.source", "")
		return
	}
	operation := or(want.operation, "chat")
	is("operation", "gen_ai.operation.name", operation)
	c.is(name+"name", s.Name, operation+" "+want.model)
	is("model", "gen_ai.request.model", want.model)
	is("model that answered", "gen_ai.response.model", want.answered)
	is("response id", "gen_ai.response.id", want.id)
	is("finish reason", "gen_ai.response.finish_reasons", want.finish)
	is("stream", "gen_ai.request.stream", map[bool]string{true: "true"}[want.stream])
	c.tokens(name, want, s)
	c.said(name, want, s)
}

func (c *checks) tokens(name string, want call, s span) {
	in, out := s.text("gen_ai.usage.input_tokens"), s.text("gen_ai.usage.output_tokens")
	if want.source == "" {
		c.is(name+"input tokens", in, number(want.in))
		c.is(name+"output tokens", out, number(want.out))
		if want.in+want.out > 0 {
			c.is(name+"usage source", s.text("spanwire.usage.source"), "reported")
		}
		return
	}
	c.is(name+"usage source", s.text("spanwire.usage.source"), want.source)
	c.ok(name+"no count of input tokens", s.int("gen_ai.usage.input_tokens") > 0)
	c.ok(name+"no count of output tokens", s.int("gen_ai.usage.output_tokens") > 0)
	if want.in > 0 {
		c.is(name+"input tokens", in, number(want.in))
	}
}

// said checks the messages of a span.
func (c *checks) said(name string, want call, s span) {
	var output, input []message
	var err error
	if s.text("gen_ai.output.messages") != "" {
		output, err = s.messages("gen_ai.output.messages")
		c.is(name+"output", err, nil)
	}
	c.is(name+"text", said(output, "text"), want.text)
	c.is(name+"reasoning", said(output, "reasoning"), want.reasoning)
	c.is(name+"tool calls", plain(toolCalls(output)), plain(want.tools))
	if want.stream && want.text != "" && want.status != "101" {
		c.ok(name+"no time to first token", s.float("spanwire.time_to_first_token") > 0)
		c.ok(name+"no chunk rhythm", s.int("spanwire.chunks.count") > 0)
	}
	if len(want.results) == 0 {
		return
	}
	input, err = s.messages("gen_ai.input.messages")
	c.is(name+"input", err, nil)
	for _, result := range want.results {
		c.ok(name+"no tool result "+result, strings.Contains(said(input, "tool_call_response"), result))
	}
}

// zero stands for a number that is told, and 0.
const zero = -1

func number(n int64) string {
	switch n {
	case 0:
		return ""
	case zero:
		return "0"
	}
	return fmt.Sprint(n)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (t *tokens) String() string {
	if t == nil {
		return "none"
	}
	return fmt.Sprintf("%d in, %d out", t.Input, t.Output)
}

// plain is tool calls as text, whatever blanks and order their JSON has.
func plain(calls []toolCall) string {
	var all []string
	for _, one := range calls {
		var v any
		arguments := one.Arguments
		if json.Unmarshal([]byte(arguments), &v) == nil {
			b, _ := json.Marshal(v)
			arguments = string(b)
		}
		all = append(all, fmt.Sprintf("%s %s(%s)", one.ID, one.Name, arguments))
	}
	return strings.Join(all, " ")
}

func toolCalls(all []message) []toolCall {
	var calls []toolCall
	for _, m := range all {
		for _, p := range m.Parts {
			if p.Type == "tool_call" {
				calls = append(calls, toolCall{p.ID, p.Name, string(p.Arguments)})
			}
		}
	}
	return calls
}

// run checks what was inferred where an application ran tools: one run that holds
// all of the calls, and each of the tools in it.
func (c *checks) run(calls []call, all []span) {
	want := map[string]int{}
	for i, one := range calls {
		if len(one.results) > 0 {
			want["invoke_agent"] = 1
			want["execute_tool"] += len(calls[i-1].tools)
		}
	}
	if len(want) == 0 {
		return
	}
	got, traces := map[string]int{}, map[string]bool{}
	for _, s := range all {
		traces[s.Trace] = true
		if s.text("spanwire.inferred") == "true" {
			got[s.text("gen_ai.operation.name")]++
		}
	}
	c.is("inferred spans", fmt.Sprint(got), fmt.Sprint(want))
	c.is("traces", len(traces), 1)
}
