// Package sinktest is the test suite that every sink of finished calls must pass:
// what the recorder relies on when it hands calls over.
package sinktest

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Sink is what the recorder asks of a sink (recorder.Sink).
type Sink interface {
	Consume(ctx context.Context, calls []*llm.Call) error
	Close(ctx context.Context) error
}

// Subject is a sink under test and the far end of it.
type Subject struct {
	Sink Sink
	// Delivered returns the ids of the calls that came through, in the order in
	// which they did. It is called after Close.
	Delivered func(t *testing.T) []string
	// Ordered says that the sink promises to keep the order of calls.
	Ordered bool
}

// patience is how long anything may take before it counts as stuck.
const patience = 20 * time.Second

// Run tests the sinks that open makes, a new one for each part of the suite.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, part := range []struct {
		name string
		test func(*testing.T, Subject)
	}{
		{"each call once", eachOnce},
		{"slice is not kept", sliceNotKept},
		{"calls are not changed", callsNotChanged},
		{"close flushes", closeFlushes},
		{"close twice", closeTwice},
		{"nothing at all", nothing},
		{"consume after close", consumeAfterClose},
		{"consume with a context that is done", consumeCancelled},
		{"close with a context that is done", closeCancelled},
		{"one goroutine at a time, not always the same", goroutines},
		{"hostile calls", hostile},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, open(t)) })
	}
}

// Call returns a call with something in every field, told apart by its number.
func Call(n int) *llm.Call {
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond)
	c := &llm.Call{
		ID: ID(n), Kind: llm.KindLLM, Operation: "chat", Provider: "openai", Route: "openai",
		RequestModel: "gpt-4o-mini", ResponseModel: "gpt-4o-mini-2024-07-18", ResponseID: fmt.Sprintf("chatcmpl-%d", n), Stream: n%2 == 0,
		Method: "POST", Path: "/v1/chat/completions", ServerAddress: "api.openai.com", ServerPort: 443, Status: 200,
		Start: start, FirstByte: start.Add(300 * time.Millisecond), FirstToken: start.Add(350 * time.Millisecond), End: start.Add(1800 * time.Millisecond),
		Overhead: 150 * time.Microsecond, Chunks: llm.Chunks{Count: 40, GapMean: 30 * time.Millisecond, GapP95: 80 * time.Millisecond, GapMax: 200 * time.Millisecond},
		Ended: llm.EndComplete, RequestBytes: 512, ResponseBytes: 2048,
		System:        []llm.Part{{Type: llm.PartText, Content: "Be brief."}},
		Input:         []llm.Message{{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: fmt.Sprintf("Question %d", n)}}}},
		Output:        []llm.Message{{Role: "assistant", FinishReason: "stop", Parts: []llm.Part{{Type: llm.PartText, Content: fmt.Sprintf("Answer %d", n)}}}},
		Tools:         []llm.Tool{{Type: "function", Name: "get_weather", Description: "Weather of a place", Parameters: `{"type":"object"}`}},
		FinishReasons: []string{"stop"}, UsageRaw: `{"prompt_tokens":12,"completion_tokens":7}`,
		Cost:        llm.Cost{Total: 6_000_000, Input: 1_800_000, Output: 4_200_000, Source: llm.CostTable, Status: llm.CostOK, Price: "openai/gpt-4o-mini@2026-11-21"},
		Attribution: llm.Attribution{Team: "search", User: "u-1", Session: "s-1", SessionSource: "x-spanwire-session", Agent: "helper", Tags: []string{"a", "b"}, Metadata: []llm.Attr{{Key: "stage", Value: "test"}}, Key: "0123456789ab"},
		Content:     llm.ContentFull, Retry: 1,
		Attrs:    []llm.Attr{{Key: "gen_ai.request.temperature", Value: 0.2}, {Key: "gen_ai.request.max_tokens", Value: int64(100)}},
		Problems: []string{"nothing serious"},
	}
	c.Place.Trace[15], c.Place.Trace[14], c.Place.Trace[0] = byte(n), byte(n>>8), 1
	c.Place.Span[7], c.Place.Span[6], c.Place.Span[0] = byte(n), byte(n>>8), 1
	c.Place.Flags = 1
	c.Usage.Set(llm.UncachedInput, 12)
	c.Usage.Set(llm.OutputText, 7)
	c.Usage.Source = llm.UsageReported
	return c
}

// ID returns the id of Call(n).
func ID(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012d", n) }

func calls(from, to int) []*llm.Call {
	var cs []*llm.Call
	for n := from; n < to; n++ {
		cs = append(cs, Call(n))
	}
	return cs
}

func ids(from, to int) []string {
	var all []string
	for n := from; n < to; n++ {
		all = append(all, ID(n))
	}
	return all
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// inTime fails the test when f does not return.
func inTime(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s did not return within %v", what, patience)
	}
}

func consume(t *testing.T, s Subject, cs []*llm.Call) {
	t.Helper()
	inTime(t, "Consume", func() {
		if err := s.Sink.Consume(within(t), cs); err != nil {
			t.Errorf("Consume: %v", err)
		}
	})
}

func closeSink(t *testing.T, s Subject) {
	t.Helper()
	inTime(t, "Close", func() {
		if err := s.Sink.Close(within(t)); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// expect compares what came through with what should have.
func expect(t *testing.T, s Subject, want []string) {
	t.Helper()
	got := s.Delivered(t)
	if !s.Ordered {
		got = slices.Sorted(slices.Values(got))
		want = slices.Sorted(slices.Values(want))
	}
	if slices.Equal(got, want) {
		return
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%d calls were delivered, want %d; they differ first at %d:\n got %v\nwant %v",
				len(got), len(want), i, got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
		}
	}
}

func eachOnce(t *testing.T, s Subject) {
	for from := 0; from < 1000; {
		to := min(from+from%7*13+1, 1000)
		consume(t, s, calls(from, to))
		from = to
	}
	closeSink(t, s)
	expect(t, s, ids(0, 1000))
}

func sliceNotKept(t *testing.T, s Subject) {
	batch := make([]*llm.Call, 10)
	for from := 0; from < 50; from += len(batch) {
		for i := range batch {
			batch[i] = Call(from + i)
		}
		consume(t, s, batch)
		for i := range batch {
			batch[i] = Call(900 + i) // what the recorder does with its slice next
		}
	}
	closeSink(t, s)
	expect(t, s, ids(0, 50))
}

func callsNotChanged(t *testing.T, s Subject) {
	batch := calls(0, 20)
	kept := slices.Clone(batch)
	consume(t, s, batch)
	closeSink(t, s)
	for n, c := range batch {
		if c != kept[n] {
			t.Fatalf("element %d of the slice was replaced", n)
		}
		if !reflect.DeepEqual(c, Call(n)) {
			t.Fatalf("call %d was changed:\n got %+v\nwant %+v", n, c, Call(n))
		}
	}
}

func closeFlushes(t *testing.T, s Subject) {
	consume(t, s, calls(0, 1))
	closeSink(t, s)
	expect(t, s, ids(0, 1))
}

func closeTwice(t *testing.T, s Subject) {
	consume(t, s, calls(0, 3))
	closeSink(t, s)
	closeSink(t, s)
	expect(t, s, ids(0, 3))
}

func nothing(t *testing.T, s Subject) {
	consume(t, s, nil)
	consume(t, s, []*llm.Call{})
	closeSink(t, s)
	expect(t, s, nil)
}

func consumeAfterClose(t *testing.T, s Subject) {
	consume(t, s, calls(0, 2))
	closeSink(t, s)
	inTime(t, "Consume after Close", func() {
		if s.Sink.Consume(within(t), calls(2, 4)) == nil {
			t.Error("Consume after Close took calls that will never be delivered")
		}
	})
	expect(t, s, ids(0, 2))
}

func consumeCancelled(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	want := 0
	inTime(t, "Consume with a context that is done", func() {
		if s.Sink.Consume(ctx, calls(0, 5)) == nil {
			want = 5
		}
	})
	closeSink(t, s)
	expect(t, s, ids(0, want))
}

func closeCancelled(t *testing.T, s Subject) {
	consume(t, s, calls(0, 5))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	// It may flush or not; it says so if not, and it must not hang.
	inTime(t, "Close with a context that is done", func() {
		if s.Sink.Close(ctx) == nil {
			expect(t, s, ids(0, 5))
		}
	})
}

func goroutines(t *testing.T, s Subject) {
	for n := range 20 {
		inTime(t, "Consume", func() {
			if err := s.Sink.Consume(within(t), calls(n, n+1)); err != nil {
				t.Errorf("Consume: %v", err)
			}
		})
	}
	closeSink(t, s)
	expect(t, s, ids(0, 20))
}

// hostile hands over calls that no dialect should make, among good ones.
func hostile(t *testing.T, s Subject) {
	bad := Hostile()
	var want []string
	for i, c := range bad {
		c.ID = ID(5000 + i)
		consume(t, s, []*llm.Call{Call(2 * i), c, Call(2*i + 1)})
		want = append(want, ID(2*i), c.ID, ID(2*i+1))
	}
	closeSink(t, s)
	expect(t, s, want)
}

// Hostile returns calls with the values that break encoders: none, huge, no UTF-8,
// impossible times and numbers.
func Hostile() []*llm.Call {
	broken := "\xff\xfe\x00 \xc3\x28 \xed\xa0\x80 \u2028 \x1b[2J"
	deep := strings.Repeat(`{"a":`, 3000) + "1" + strings.Repeat("}", 3000)
	text := func(s string) []llm.Part { return []llm.Part{{Type: llm.PartText, Content: s}} }
	huge := Call(0)
	huge.Input = []llm.Message{{Role: "user", Parts: text(strings.Repeat("a\n\"\\é\U0001F600", 400_000))}}
	many := Call(0)
	for range 20_000 {
		many.Input = append(many.Input, llm.Message{Role: "user"})
		many.Attribution.Tags = append(many.Attribution.Tags, "tag")
		many.Attrs = append(many.Attrs, llm.Attr{Key: fmt.Sprintf("k%d", len(many.Attrs)), Value: "v"})
	}
	invalid := Call(0)
	invalid.RequestModel, invalid.Provider, invalid.Path, invalid.ErrorMessage = broken, broken, broken, broken
	invalid.ErrorType, invalid.Place.State, invalid.UsageRaw = broken, broken, broken
	invalid.Attribution = llm.Attribution{Team: broken, User: broken, Tags: []string{broken}, Metadata: []llm.Attr{{Key: broken, Value: broken}}}
	invalid.Attrs = []llm.Attr{{Key: broken, Value: broken}, {Key: "", Value: "x"}, {Key: "nil"}, {Key: "odd", Value: struct{}{}}, {Key: "nan", Value: math.NaN()}, {Key: "inf", Value: math.Inf(-1)}}
	invalid.Input = []llm.Message{{Role: broken, Name: broken, Parts: []llm.Part{
		{Type: broken, Content: broken}, {Type: llm.PartToolCall, Name: broken, ID: broken, Arguments: broken},
		{Type: llm.PartToolCall, Arguments: deep}, {Type: llm.PartToolCall, Arguments: `{"a":1}{"b":2}`}, {Type: llm.PartToolCall, Arguments: "{\"\xff\":1}"},
		{Type: llm.PartBlob, Content: broken, MIMEType: broken}, {Type: llm.PartURI}, {Type: llm.PartFile}, {Type: llm.PartToolCallResponse}, {},
	}}}
	invalid.Tools = []llm.Tool{{}, {Name: broken, Parameters: broken}, {Name: "deep", Parameters: deep}}
	times := Call(0)
	times.Start, times.FirstByte, times.FirstToken, times.End = time.Time{}, time.Unix(1<<40, 0), time.Unix(-1<<40, 0), time.Time{}
	backwards := Call(0)
	backwards.End = backwards.Start.Add(-time.Hour)
	numbers := Call(0)
	numbers.Status, numbers.ServerPort, numbers.RequestBytes, numbers.Retry = -1, math.MaxInt, math.MinInt64, math.MinInt
	numbers.Chunks = llm.Chunks{Count: math.MaxInt32, GapMean: -1, GapP95: math.MaxInt64, GapMax: math.MinInt64}
	numbers.Cost = llm.Cost{Source: llm.CostProvider, Total: math.MinInt64, Table: math.MaxInt64, HasTable: true}
	numbers.Usage = llm.Usage{}
	for _, k := range llm.UsageKinds() {
		numbers.Usage.Set(k, math.MaxInt64)
	}
	http := Call(0)
	http.Kind, http.Method, http.Path = llm.KindHTTP, "BREW\n", "/"+strings.Repeat("x/", 5000)
	return []*llm.Call{{}, {Kind: llm.KindHTTP}, huge, many, invalid, times, backwards, numbers, http}
}
