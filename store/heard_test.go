package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
)

// Conversations grow, are cut, changed in the middle, begun anew and mixed up, with more
// text than is remembered: each call comes back whole, and what was said is kept once.
func TestConversationsThatChange(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 8))
	dir := t.TempDir()
	s := open(t, dir)
	filler := strings.Repeat("filler ", 6000)
	said := func(n int) llm.Message {
		text := fmt.Sprint("message ", n)
		if n%10 == 0 {
			text += filler
		}
		return llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: text}, {Type: llm.PartToolCall, ID: fmt.Sprint("id-", n), Name: "tool"}}}
	}
	type talk struct {
		input []llm.Message
		tools []llm.Tool
	}
	talks := make([]talk, 30)
	distinct := map[string]bool{}
	next := 0
	var calls []*llm.Call
	for n := range 150 {
		i := rng.IntN(len(talks))
		k := &talks[i]
		k.input = slices.Clone(k.input) // calls have the list as it was
		switch x := rng.IntN(20); {
		case x == 0:
			k.input = nil
		case x == 1 && len(k.input) > 0:
			k.input = k.input[:rng.IntN(len(k.input))]
		case x == 2 && len(k.input) > 0:
			k.input[rng.IntN(len(k.input))] = said(next)
			next++
		case x == 3:
			k.tools = []llm.Tool{{Type: "function", Name: fmt.Sprint("tool-", rng.IntN(3))}}
		}
		for range 1 + rng.IntN(6) {
			k.input = append(k.input, said(next))
			next++
		}
		c := sinktest.Call(n)
		c.Input, c.Tools = slices.Clone(k.input), k.tools
		c.Attribution.Session = fmt.Sprint("talk-", i/2) // two at once in each
		for _, m := range c.Input {
			distinct[m.Parts[0].Content] = true
		}
		for _, tool := range c.Tools {
			distinct[tool.Name] = true
		}
		calls = append(calls, c)
	}
	for i := 0; i < len(calls); i += 50 {
		keep(t, s, calls[i:i+50]...)
	}
	for i := 0; i < len(calls); i += 5 {
		want := calls[i]
		if got := get(t, s.Reader, want.ID); !same(got, want) {
			t.Fatalf("came back as\n%.2000s\nwant\n%.2000s", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
		}
	}
	// Beside these the instruction, once, and each call's answer.
	if rep := check(t, s.Reader); int(rep.Pieces) != len(distinct)+1+len(calls) || len(rep.Problems) > 0 {
		t.Errorf("%d pieces, want %d; %q", rep.Pieces, len(distinct)+1+len(calls), rep.Problems)
	}
}
