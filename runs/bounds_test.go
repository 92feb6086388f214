package runs_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/runs"
)

func TestMemoryIsBoundedByBytes(t *testing.T) {
	a := newAgent(t)
	const most = 1 << 20
	a.linker = runs.New(runs.Config{MaxBytes: most, MaxAge: time.Hour, Idle: time.Hour, Settle: time.Hour})
	long := strings.Repeat("x", 500)
	for i := range 5000 {
		id := fmt.Sprintf("call_Zq8Lm2Vt7Rw4K%04d", i)
		a.call(talk(user(fmt.Sprint("task ", i))), asks(id, "do", fmt.Sprintf(`{"text":"%s"}`, long)), func(c *llm.Call) { c.Attribution.Key = fmt.Sprint(i % 700) },
			func(c *llm.Call) { c.Start = began; c.FirstByte, c.End = began, began })
	}
	s := a.linker.Stats()
	if s.Bytes > most+1<<16 || s.ForgottenBytes == 0 || s.Remembered == 0 || int64(s.Remembered)+s.ForgottenBytes+s.ForgottenAge != 5000 {
		t.Errorf("%+v", s)
	}
}

func TestOldCallsAreForgotten(t *testing.T) {
	a := newAgent(t)
	a.linker = runs.New(runs.Config{MaxBytes: 1 << 20, MaxAge: time.Minute})
	a.call(talk(user("Hello")), model("Hi"))
	a.call(talk(user("What is said here?")), llm.Message{}, func(c *llm.Call) { c.Operation = "embeddings"; c.Attribution.Key = "another" })
	a.n = 3600
	c := a.call(talk(user("Hello"), model("Hi"), user("Again")), model("."))
	if c.Place.ParentCall != "" {
		t.Error("a call of an hour ago was followed")
	}
	s := a.linker.Stats()
	if s.ForgottenAge != 2 || s.Remembered != 1 {
		t.Errorf("%+v", s)
	}
	a.n = 7200
	a.call(talk(user("x")), llm.Message{}, func(c *llm.Call) { c.Attribution.Key = "third" })
	if last := a.linker.Stats(); last.Bytes > s.Bytes {
		t.Errorf("bytes grow although everything was forgotten: %d, then %d", s.Bytes, last.Bytes)
	}
}

func TestConfigIsValidated(t *testing.T) {
	f := func(c runs.Config, want string) {
		t.Helper()
		if err := c.Validate(); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	f(runs.DefaultConfig(), "")
	f(runs.Config{MaxBytes: 1, MaxAge: time.Hour, Idle: 1, Settle: 1}, "max_bytes")
	f(runs.Config{MaxBytes: 1 << 20, Idle: 1, Settle: 1}, "max_age")
}

func TestCallsOfManyGoroutines(t *testing.T) {
	linker := runs.New(runs.DefaultConfig())
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			history := talk(user(fmt.Sprint("agent ", g)))
			for i := range 50 {
				at := began.Add(time.Duration(i) * time.Second)
				answer := model(fmt.Sprint("answer ", g, i))
				c := &llm.Call{ID: fmt.Sprint(g, "-", i), Kind: llm.KindLLM, Operation: "chat", Status: 200, Start: at, FirstByte: at, End: at, Input: history, Output: talk(answer)}
				linker.Place(c)
				if i > 0 && c.Place.ParentCall != fmt.Sprint(g, "-", i-1) {
					t.Errorf("%s follows %q", c.ID, c.Place.ParentCall)
				}
				history = append(history, answer, user("on"))
				linker.Stats()
			}
		})
	}
	wg.Wait()
}

// FuzzPlace plays conversations made of arbitrary bytes: whatever they hold, a call
// gets a place, twice the same, and follows only what came before it.
func FuzzPlace(f *testing.F) {
	f.Add([]byte("\x01\x02hello\x03{\"a\":1.0}\x04call_0\x05</think><think>"), uint16(3))
	f.Add([]byte("\x03{\"a\":1e999999999,\"b\":[[[{}]]]}\x02é’\u0301\xff"), uint16(9))
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		linkers := []*runs.Linker{runs.New(runs.Config{}), runs.New(runs.Config{})}
		var history []llm.Message
		seen := map[string]bool{}
		for i := 0; len(data) > 0 && i < 20; i++ {
			n := min(len(data), 1+int(cut)%31)
			piece := string(data[:n])
			data = data[n:]
			p := llm.Part{ID: piece[:n/2], Name: piece[n/3:], Content: piece, Arguments: piece, Response: piece}
			p.Type = []string{llm.PartText, llm.PartToolCall, llm.PartToolCallResponse, llm.PartReasoning, llm.PartBlob, piece}[int(piece[0])%6]
			m := llm.Message{Role: []string{"user", "assistant", "tool", "system", piece}[n%5], Parts: []llm.Part{p}}
			history = append(history, m)
			at := began.Add(time.Duration(i) * time.Second)
			var got [2]llm.Call
			for k, l := range linkers {
				c := &got[k]
				*c = llm.Call{ID: fmt.Sprint(i), Kind: llm.KindLLM, Status: 200, ResponseID: piece, Start: at, FirstByte: at, End: at, Input: history, Output: talk(m)}
				if n > 4 {
					c.SetAttr("gen_ai.request.previous_response.id", string(binary.BigEndian.AppendUint16(nil, cut)))
				}
				l.Place(c)
			}
			c := got[0]
			if c.Run == nil || c.Run.ID == "" || c.Run.Turn < 1 || c.Place.ParentCall != "" && !seen[c.Place.ParentCall] {
				t.Fatalf("call %d: %q, %+v", i, c.Place.ParentCall, c.Run)
			}
			if fmt.Sprintf("%+v", *c.Run) != fmt.Sprintf("%+v", *got[1].Run) || c.Place != got[1].Place {
				t.Fatalf("call %d: %+v and %+v", i, c.Run, got[1].Run)
			}
			seen[c.ID] = true
		}
	})
}
