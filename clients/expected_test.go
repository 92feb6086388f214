package clients

import (
	"encoding/json"
	"slices"
)

// What features of several vendors have in common: what is asked, and answered.
const (
	ask      = "Say hello to wörld ✓"
	terse    = "You are terse."
	greeting = "Hello, wörld ✓."
	inLisbon = `{"city":"Lisbon"}`
	weather  = "18 degrees, sunny" // there
)

// weatherSchema is what the tool get_weather takes, and citySchema what the feature
// structured asks for.
var (
	weatherSchema = map[string]any{
		"type": "object", "properties": map[string]any{"city": map[string]string{"type": "string"}}, "required": []string{"city"},
	}
	citySchema = map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"name", "inhabitants"},
		"properties": map[string]any{"name": map[string]string{"type": "string"}, "inhabitants": map[string]string{"type": "integer"}},
	}
)

func isCity(text string) bool {
	var city struct {
		Name        *string
		Inhabitants *int
	}
	return json.Unmarshal([]byte(text), &city) == nil && city.Name != nil && city.Inhabitants != nil
}

// who is what the callers of the feature session say of themselves.
var who = map[string]string{
	"spanwire.team":          "search",
	"gen_ai.conversation.id": "chat-4711",
}

// streamed are the same calls as streams, in which tool calls have ids of their own.
func streamed(calls []call, ids ...string) []call {
	var all []call
	for _, c := range calls {
		c.stream = true
		c.tools = slices.Clone(c.tools)
		for i := range c.tools {
			c.tools[i].ID = ids[i]
		}
		all = append(all, c)
	}
	return all
}

// refused is what a client is told by an error answer.
func refused(status int, code string) func(*facts) {
	return func(f *facts) {
		*f = facts{Status: status, Code: code, Error: "any"}
	}
}

// broken is what a client has of a stream that did not end well.
func broken(text string) func(*facts) {
	return func(f *facts) { *f = facts{Text: text, Error: "any"} }
}

// sameSession checks that the first span is that of a WebSocket, and the others are
// of what was said in it.
func sameSession(c *checks, _ facts, s []span) {
	c.is("status of the session", s[0].text("http.response.status_code"), "101")
	for _, one := range s[1:] {
		c.is("session of a call", one.text("spanwire.parent.call.id"), s[0].text("spanwire.call.id"))
	}
}

// with is a call with further attributes.
func with(c call, also map[string]string) call {
	c.also = also
	return c
}
