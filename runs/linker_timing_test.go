package runs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/runs"
)

// longAgent plays an agent of many turns with three tools each and returns, for
// each call, how long it took to place and its run.
func longAgent(turns int) (took []time.Duration, last *llm.Call, linker *runs.Linker) {
	linker = runs.New(runs.DefaultConfig())
	history := []llm.Message{user(strings.Repeat("Refactor the parser. ", 40))}
	at := began
	for i := range turns {
		var calls []string
		var results []llm.Message
		for k := range 3 {
			id := fmt.Sprintf("call_Zq8Lm2Vt7Rw%04d%d", i, k)
			calls = append(calls, id, "read_file", fmt.Sprintf(`{"path":"dir/file%d.go","from":%d}`, k, i))
			results = append(results, result(id, fmt.Sprint(i, k, strings.Repeat(" func f() error { return nil }", 10))))
		}
		answer := asks(calls...)
		at = at.Add(time.Second)
		last = &llm.Call{
			ID: fmt.Sprint(i), Kind: llm.KindLLM, Operation: "chat", Status: 200, Start: at, FirstByte: at, End: at,
			Input: history, Output: []llm.Message{answer},
		}
		began := time.Now()
		linker.Place(last)
		took = append(took, time.Since(began))
		history = append(append(history, answer), results...)
	}
	return took, last, linker
}

// A long agent is one run, and remembered in little.
func TestLongAgent(t *testing.T) {
	const turns = 500
	took, last, linker := longAgent(turns)
	if last.Run.ID != "0" || last.Run.Turn != turns || len(last.Run.Inferred) != 3 {
		t.Errorf("the last call: run %s, turn %d, %d inferred", last.Run.ID, last.Run.Turn, len(last.Run.Inferred))
	}
	if s := linker.Stats(); s.Linked != turns-1 || s.Bytes > 2<<20 {
		t.Errorf("%+v", s)
	}
	for _, at := range []int{10, 50, 100, 250, 499} {
		t.Logf("turn %3d, %4d messages: %v", at, 1+4*at, took[at])
	}
}

// What a call costs grows with its length and no faster, whatever is remembered.
func TestCostIsLinear(t *testing.T) {
	cost := func(turns int) float64 {
		_, last, linker := longAgent(turns)
		return testing.AllocsPerRun(5, func() {
			again := *last
			linker.Place(&again)
		})
	}
	short, long := cost(100), cost(400)
	if long > 4.5*short {
		t.Errorf("a call four times as long takes %.0f allocations, not four times %.0f", long, short)
	}
	t.Logf("%.0f allocations at 100 turns, %.0f at 400", short, long)
}

func BenchmarkOrdinaryCall(b *testing.B) {
	history := []llm.Message{user("What is the weather in Paris?"), asks(idA, "weather", `{"city":"Paris"}`), result(idA, `{"temperature":21}`)}
	out := []llm.Message{model("It is 21 degrees in Paris.")}
	linker := runs.New(runs.DefaultConfig())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		linker.Place(&llm.Call{ID: "c", Kind: llm.KindLLM, Operation: "chat", Status: 200, Start: began, FirstByte: began, End: began, Input: history, Output: out})
	}
}

func BenchmarkLongAgent(b *testing.B) {
	for _, turns := range []int{50, 100, 200, 400} {
		b.Run(fmt.Sprint(turns), func(b *testing.B) {
			for b.Loop() {
				longAgent(turns)
			}
		})
	}
}

// BenchmarkSingleCall is a call that nothing comes before or after, as most are.
func BenchmarkSingleCall(b *testing.B) {
	linker := runs.New(runs.DefaultConfig())
	in, out := []llm.Message{say("system", "You are brief."), user("What is the weather in Paris?")}, []llm.Message{model("It is 21 degrees in Paris.")}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		in[1].Parts[0].Content = fmt.Sprintf("What is the weather in Paris on day %d?", i)
		at := began.Add(time.Duration(i) * time.Millisecond)
		linker.Place(&llm.Call{ID: fmt.Sprint(i), Kind: llm.KindLLM, Operation: "chat", Status: 200, Start: at, FirstByte: at, End: at, Input: in, Output: out})
	}
}
