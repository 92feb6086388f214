package recorder_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/recorder"
)

// linker stands in for what finds runs.
type linker struct {
	mu     sync.Mutex
	place  func(*llm.Call)
	placed []string
	done   []*llm.Call
	ended  []*llm.Call
}

func (l *linker) Place(c *llm.Call) {
	l.placed = append(l.placed, c.ID) // without a lock: one at a time is promised
	if l.place != nil {
		l.place(c)
	}
}

func (l *linker) Done(c *llm.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, c)
}

func (l *linker) Ended(_ time.Time, all bool) []*llm.Call {
	if !all {
		return nil
	}
	return l.ended
}

// Calls are placed in the order of their exchanges, however long each takes to read
// and though nobody waits: the first is read last.
func TestCallsAreLinkedInOrder(t *testing.T) {
	const n = 40
	last := make(chan struct{}) // closed when one is read that no worker takes together with the first
	l := &linker{}
	s := &sink{}
	r := recorder.New(recorder.Config{Workers: 4, BatchDelay: time.Millisecond}, recorder.Stages{
		Reader: reader(func(ex *llm.Exchange) (*llm.Call, error) {
			switch ex.ID {
			case "0":
				<-last
			case "7":
				panic("the reader of this one")
			case fmt.Sprint(n - 1):
				close(last)
			}
			return readID(ex)
		}),
		Place: place, Runs: l, Sinks: named(s),
	})
	var want []string
	for i := range n {
		if !r.Record(exchange(i)) {
			t.Fatal("no room")
		}
		if i != 7 {
			want = append(want, fmt.Sprint(i))
		}
	}
	mustClose(t, r)
	if !slices.Equal(l.placed, want) {
		t.Errorf("placed in the order %v", l.placed)
	}
	if got := s.ids(); len(got) != n-1 || len(l.done) != n-1 {
		t.Errorf("%d calls came out, %d were told of again", len(got), len(l.done))
	}
	if q := r.Stats(); q.Queued != 0 || q.QueuedBytes != 0 {
		t.Errorf("still charged: %+v", q)
	}
}

// What goes wrong in linking costs that call and no other.
func TestLinkerPanics(t *testing.T) {
	l := &linker{place: func(c *llm.Call) {
		if c.ID == "1" {
			panic("linking")
		}
	}}
	s := &sink{}
	r := recorder.New(recorder.Config{}, recorder.Stages{Reader: reader(readID), Place: place, Runs: l, Sinks: named(s)})
	for i := range 3 {
		r.Record(exchange(i))
	}
	mustClose(t, r)
	if got := s.ids(); !slices.Equal(got, []string{"0", "2"}) {
		t.Errorf("calls %v", got)
	}
	if n := r.Stats().Dropped["panic"]; n != 1 {
		t.Errorf("%d dropped by a panic", n)
	}
}

// Runs that are open when the recorder is closed go to the sinks, after their calls.
func TestOpenRunsAreHandedOnAtTheEnd(t *testing.T) {
	l := &linker{ended: []*llm.Call{{ID: "run-0", Kind: llm.KindRun}}}
	s := &sink{}
	r := recorder.New(recorder.Config{}, recorder.Stages{Reader: reader(readID), Place: place, Runs: l, Sinks: named(s)})
	r.Record(exchange(0))
	mustClose(t, r)
	if got := s.ids(); !slices.Equal(got, []string{"0", "run-0"}) {
		t.Errorf("calls %v", got)
	}
	if st := r.Stats(); st.Runs != 1 || st.Calls != 1 {
		t.Errorf("%+v", st)
	}
}

const secretKey = "sk-proj-" + "A1b2C3d4E5f6G7h8I9j0K1l2"

// What tools were asked and answered is content like that of messages: it follows
// the content mode, and secrets in it are replaced.
func TestContentOfInferredTools(t *testing.T) {
	f := func(name string, set func(*llm.Call), text, key bool) *llm.Call {
		t.Helper()
		l := &linker{place: func(c *llm.Call) {
			c.Run = &llm.Run{ID: c.ID, Inferred: []llm.Inferred{{Operation: "execute_tool", Parts: []llm.Part{
				{Type: llm.PartToolCall, ID: "call_1", Name: "look", Arguments: `{"q":"private words"}`},
				{Type: llm.PartToolCallResponse, ID: "call_1", Name: "look", Response: "private words and " + secretKey},
			}}}}
		}}
		c := one(t, recorder.Stages{
			Reader:     reader(readID),
			Attributor: attributor(func(c *llm.Call, _ *llm.Exchange) { set(c) }),
			Runs:       l,
		}, exchange(1))
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(b), "private words"); got != text {
			t.Errorf("%s: text is there: %t: %s", name, got, b)
		}
		if strings.Contains(string(b), secretKey) {
			t.Errorf("%s: a key is there: %s", name, b)
		}
		if p := c.Run.Inferred[0].Parts[1]; p.Name != "look" || p.ID != "call_1" || (p.SHA256 != "") != key {
			t.Errorf("%s: %+v", name, p)
		}
		return c
	}
	full := f("full", func(*llm.Call) {}, true, false)
	if got := full.Run.Inferred[0].Parts[1].Response; !strings.HasPrefix(got, "private words and ") || attr(full, "spanwire.redacted") != int64(1) {
		t.Errorf("%q, %v redacted", got, attr(full, "spanwire.redacted"))
	}
	f("metadata", func(c *llm.Call) { c.Content = llm.ContentMetadata }, false, true)
	f("off", func(c *llm.Call) { c.Content = llm.ContentOff }, false, false)
	f("an unknown mode", func(c *llm.Call) { c.Content = "some" }, false, false)
	f("without input", func(c *llm.Call) { c.OmitInput = true }, false, false)
}
