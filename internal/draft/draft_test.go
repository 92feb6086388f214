package draft_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/draft"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/llm"
)

func b(s string) []byte { return []byte(s) }

func TestPiecesBecomeMessages(t *testing.T) {
	var a draft.Answer
	second, first := a.Choice(1), a.Choice(0)
	first.Role(b(`"assistant"`))
	if first.Add(llm.PartText, 0, b(`""`)) || first.Add(llm.PartText, 0, b(`null`)) {
		t.Error("a piece without text counts as one")
	}
	first.Add(llm.PartReasoning, 0, b(`"hm"`))
	first.Add(llm.PartText, 1, b(`"caf\u00"`)[:8])
	first.Add(llm.PartText, 1, b(`"e9 \ud83d"`))
	first.Add(llm.PartText, 1, b(`"\ude00"`))
	call := first.Call(2)
	call.ID(b(`"id1"`))
	call.Name(b(`"f"`))
	call.Add(b(`{\"a\":`))
	call.ID(b(`""`))
	call.Add(b(`1}`))
	first.Call(3).Name(b(`"g"`))
	first.Call(3).Arguments(b(`{ "x" : [1, 2] }`))
	first.Finish(b(`"tool_use"`))
	first.Finish(b(`null`))
	second.Put(llm.Part{Type: llm.PartBlob, Size: 7})
	second.Add(llm.PartText, 0, b(`"b"`))
	if a.Finished() {
		t.Error("finished with a choice open")
	}
	for _, cut := range []bool{true, false} {
		c := &llm.Call{}
		a.Fill(c, map[string]string{"tool_use": "tool_call"}, cut)
		got, err := json.Marshal(c.Output[0])
		if err != nil {
			t.Fatal(err)
		}
		if want := `"Type":"reasoning","Content":"hm"`; !strings.Contains(string(got), want) {
			t.Errorf("%s", got)
		}
		p := c.Output[0].Parts
		if len(p) != 4 || p[1].Content != "café 😀" || p[2].Arguments != `{"a":1}` || p[2].ID != "id1" || p[3].Arguments != `{"x":[1,2]}` ||
			c.Output[0].FinishReason != "tool_call" || len(c.Output[1].Parts) != 2 || c.Output[1].Parts[0].Size != 7 {
			t.Errorf("%s %+v", got, c.Output[1])
		}
		want := "[tool_use ] stop"
		if cut {
			want = "[tool_use error] error"
		}
		if s := fmt.Sprint(c.FinishReasons, " ", c.Output[1].FinishReason); s != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
}

// Arguments that were cut off are the beginning of what they would have been.
func TestCutArguments(t *testing.T) {
	const whole, want = `{ "a b" : [1, "x \" y"] , "c":null}`, `{"a b":[1,"x \" y"],"c":null}`
	for k := 1; k <= len(whole); k++ {
		var a draft.Answer
		a.Choice(0).Call(0).Arguments(b(whole[:k]))
		c := &llm.Call{}
		a.Fill(c, nil, false)
		if got := c.Output[0].Parts[0].Arguments; !strings.HasPrefix(want, got) || k == len(whole) && got != want {
			t.Errorf("%s: %s", whole[:k], got)
		}
	}
}

// Memory is bounded whatever comes, and the call says what was left out.
func TestBounds(t *testing.T) {
	var a draft.Answer
	big := b(`"` + strings.Repeat("x", 100<<10) + `"`)
	for i := range 20 {
		a.Choice(0).Add(llm.PartText, i, big)
	}
	a.Choice(0).Call(99).Arguments(b(`{"k":` + string(big) + `}`))
	for i := range 5000 {
		a.Choice(i).Call(i).Name(b(`"n"`))
		a.Choice(0).Put(llm.Part{Type: "x"})
	}
	c := &llm.Call{}
	a.Fill(c, nil, false)
	parts, size := 0, 0
	for _, m := range c.Output {
		parts += len(m.Parts)
		for _, p := range m.Parts {
			size += len(p.Content) + len(p.Arguments)
		}
	}
	if len(c.Output) > 128 || parts > 2048 || size > intake.MaxText || len(c.Problems) != 2 {
		t.Errorf("%d choices, %d parts, %d bytes, %q", len(c.Output), parts, size, c.Problems)
	}
}

func TestRhythm(t *testing.T) {
	var a draft.Answer
	at := time.Unix(1_800_000_000, 0)
	a.Piece(at)
	a.Piece(at.Add(time.Second))
	c := &llm.Call{}
	a.FillRhythm(c)
	if !c.FirstToken.Equal(at) || c.Chunks.Count != 2 || c.Chunks.GapMax != time.Second {
		t.Errorf("%v %+v", c.FirstToken, c.Chunks)
	}
}
