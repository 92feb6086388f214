package proxy

import (
	"strings"
	"testing"
	"time"
)

func TestOrderOfATunnel(t *testing.T) {
	var seen []string
	o := &order{show: func(_ int, p []byte, _ time.Time) { seen = append(seen, string(p)) }}
	done := func(way int, p string) { o.done(way, []byte(p), time.Time{}) }
	want := func(all string) {
		t.Helper()
		if got := strings.Join(seen, " "); got != all {
			t.Fatalf("shown %q, want %q", got, all)
		}
	}
	o.begin(upward)
	o.begin(downward) // the answer, while the question is not shown yet
	done(downward, "answer")
	o.begin(downward)
	done(downward, "more")
	want("")
	done(upward, "question")
	want("question answer more")

	o.begin(upward)
	o.begin(downward)
	done(upward, "first") // was begun before
	want("question answer more first")
	o.begin(upward)
	done(upward, "third")
	done(downward, "second")
	want("question answer more first second third")

	seen = nil
	o.begin(upward)
	o.begin(downward)
	done(downward, "held")
	o.failed(upward) // the caller's piece never went out
	want("held")

	// A peer that takes nothing does not hold up what the other one says for ever.
	seen = nil
	big := strings.Repeat("x", maxHeld/2)
	o.begin(upward)
	for range 4 {
		o.begin(downward)
		done(downward, big)
	}
	done(upward, "late")
	if len(seen) != 5 || seen[4] != "late" && seen[3] != "late" || o.size != 0 {
		t.Errorf("%d pieces shown, %d bytes held", len(seen), o.size)
	}
}
