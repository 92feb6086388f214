package content_test

import (
	"strconv"
	"testing"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/llm"
)

func TestParts(t *testing.T) {
	var p content.Parts
	p.Begin(make([]llm.Part, 0, 2))
	var all [][]llm.Part
	want := 0
	for message := range 40 {
		for range message % 7 {
			p.Add(llm.PartText).Content = strconv.Itoa(want)
			want++
		}
		all = append(all, p.Done())
	}
	got := 0
	for message, parts := range all {
		if len(parts) != message%7 || cap(parts) != len(parts) || len(parts) == 0 && parts != nil {
			t.Fatalf("message %d has %d parts and room for %d", message, len(parts), cap(parts))
		}
		for _, part := range parts {
			if part.Content != strconv.Itoa(got) || part.Type != llm.PartText {
				t.Errorf("part %d: %+v", got, part)
			}
			got++
		}
	}
	p.Put(llm.Part{Type: "a"}, llm.Part{Type: "b"})
	if last := p.Done(); len(last) != 2 || last[1].Type != "b" {
		t.Errorf("%+v", last)
	}
}
