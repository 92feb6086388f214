package gemini_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/internal/websocket"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/gemini"
)

const liveTarget = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=not-a-real-key"

func handshake(target string) *llm.Exchange {
	return providerstest.Fixture{Method: "GET", Target: target, Status: 101, ResponseHeader: llm.Header("Upgrade: websocket\r\n")}.Exchange()
}

// play shows messages to a session as frames of that opcode, in pieces of n bytes, a
// millisecond apart. The pieces are overwritten after they were shown, as the relay
// does.
func play(s *gemini.Session, messages []providerstest.SessionMessage, opcode byte, n int) {
	at := begin
	for _, m := range messages {
		at = at.Add(time.Millisecond)
		frame := m.Frame()
		frame[0] = 0x80 | opcode
		for _, p := range providerstest.Cut(frame, n) {
			if m.Caller {
				s.Sent(p, at)
			} else {
				s.Wrote(p, at)
			}
			for i := range p {
				p[i] = '#'
			}
		}
	}
}

var begin = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// converse plays a session and returns the calls that were recorded in it, and the
// call of the session itself.
func converse(t *testing.T, messages []providerstest.SessionMessage, opcode byte, n int) (calls []*llm.Call, around *llm.Call) {
	t.Helper()
	x := handshake(liveTarget)
	x.Emit = func(e *llm.Exchange) {
		e.Session, e.Method, e.Target, e.Status = "around", x.Method, x.Target, x.Status
		c := &llm.Call{}
		if err := (gemini.Dialect{}).ReadRequest(c, e); err != nil {
			t.Fatal(err)
		}
		if err := e.Observer.(providerstest.Reader).Finish(c, e); err != nil {
			t.Fatal(err)
		}
		c.Start, c.End, c.Ended = e.Start, e.End, e.Ended
		calls = append(calls, c)
	}
	s := gemini.Dialect{}.NewSession(x)
	play(s, messages, opcode, n)
	around = &llm.Call{}
	if err := (gemini.Dialect{}).ReadRequest(around, x); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(around, x); err != nil {
		t.Fatal(err)
	}
	return calls, around
}

// Each recorded session is one call a turn, with the usage that came with its end.
func TestRecordedSessions(t *testing.T) {
	google := func(s providerstest.Session) bool { return s.Expected.Provider == "google" }
	for _, s := range providerstest.Sessions(t, google) {
		for _, opcode := range []byte{websocket.Text, websocket.Binary} {
			for _, n := range []int{1, 7, 13, 333, 4096, 1 << 20} {
				calls, around := converse(t, s.Messages, opcode, n)
				if len(calls) != len(s.Expected.Usages) {
					t.Fatalf("%s, pieces of %d: %d calls, want %d", s.Name, n, len(calls), len(s.Expected.Usages))
				}
				var tools []string
				for i, c := range calls {
					checkTurn(t, s, c, s.Expected.Usages[i])
					for _, p := range c.Output[0].Parts {
						if p.Type == llm.PartToolCall {
							tools = append(tools, p.ID+" "+p.Name+" "+canonical(p.Arguments))
						}
					}
				}
				var want []string
				for _, w := range s.Expected.ToolCalls {
					want = append(want, w.ID+" "+w.Name+" "+canonical(string(w.Arguments)))
				}
				if !slices.Equal(tools, want) {
					t.Errorf("%s: calls %q, want %q", s.Name, tools, want)
				}
				if around.Kind != llm.KindHTTP || around.Usage.Known() || attr(around, "gemini.live.turns") != int64(len(calls)) || around.RequestModel != s.Expected.Models[0] || len(around.Problems) > 0 {
					t.Errorf("%s: session %+v", s.Name, around)
				}
			}
		}
	}
}

func checkTurn(t *testing.T, s providerstest.Session, c *llm.Call, usage json.RawMessage) {
	t.Helper()
	var told struct{ PromptTokenCount, ResponseTokenCount, ThoughtsTokenCount, TotalTokenCount int64 }
	if err := json.Unmarshal(usage, &told); err != nil {
		t.Fatal(err)
	}
	in, _ := c.Usage.Input()
	out, _ := c.Usage.Output()
	thoughts, _ := c.Usage.Get(llm.Reasoning)
	if canonical(c.UsageRaw) != canonical(string(usage)) || in != told.PromptTokenCount || out != told.ResponseTokenCount+told.ThoughtsTokenCount || thoughts != told.ThoughtsTokenCount {
		t.Errorf("%s: usage %s: %d in, %d out, %d thoughts; want %s", s.Name, c.UsageRaw, in, out, thoughts, usage)
	}
	if c.Kind != llm.KindLLM || c.RequestModel != s.Expected.Models[0] || c.Operation == "" || !c.Stream || c.FirstToken.IsZero() || len(c.Input) == 0 ||
		len(c.Output) != 1 || c.Output[0].FinishReason != "stop" || len(c.Problems) > 0 || c.ErrorType != "" || c.Ended != llm.EndComplete {
		t.Errorf("%s: %s", s.Name, providerstest.Show(c))
	}
}

func canonical(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// A session that is cut after any message gives the turns that were over, and what
// there was of the one under way.
func TestCutSessions(t *testing.T) {
	google := func(s providerstest.Session) bool { return s.Expected.Provider == "google" }
	for _, s := range providerstest.Sessions(t, google) {
		whole, _ := converse(t, s.Messages, websocket.Text, 4096)
		for k := range s.Messages {
			calls, _ := converse(t, s.Messages[:k], websocket.Text, 4096)
			if len(calls) > len(whole) {
				t.Fatalf("%s, cut after %d: %d calls", s.Name, k, len(calls))
			}
			for i, c := range calls {
				if c.Ended == llm.EndComplete && !reflect.DeepEqual(c.Output, whole[i].Output) {
					t.Fatalf("%s, cut after %d: turn %d is over and differs", s.Name, k, i)
				}
				if c.Ended != llm.EndComplete && (c.Usage.Known() || len(c.Output) > 0 && c.Output[0].FinishReason != "error") {
					t.Fatalf("%s, cut after %d: %s", s.Name, k, providerstest.Show(c))
				}
			}
		}
	}
}

func client(frames ...string) (ms []providerstest.SessionMessage) {
	for _, f := range frames {
		from, data, _ := strings.Cut(f, " ")
		ms = append(ms, providerstest.SessionMessage{Caller: from == ">", Data: []byte(data)})
	}
	return ms
}

const (
	setup = `> {"setup":{"model":"models/gemini-live","generation_config":{"response_modalities":["AUDIO"],"temperature":0.5},"system_instruction":{"parts":[{"text":"Be brief."}]},"tools":[{"function_declarations":[{"name":"f"}]}]}}`
	ask   = `> {"client_content":{"turns":[{"role":"user","parts":[{"text":"Hi"}]}],"turn_complete":true}}`
	say   = `< {"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm","data":"AAAA"}}]}}}`
	words = `< {"serverContent":{"outputTranscription":{"text":"Hello"}}}`
	over  = `< {"serverContent":{"turnComplete":true}}`
	used  = `< {"usageMetadata":{"promptTokenCount":10,"responseTokenCount":5,"totalTokenCount":15,"responseTokensDetails":[{"modality":"AUDIO","tokenCount":5}]}}`
)

func TestTurns(t *testing.T) {
	f := func(name string, messages []providerstest.SessionMessage, want ...string) {
		t.Helper()
		calls, _ := converse(t, messages, websocket.Text, 64)
		var got []string
		for _, c := range calls {
			in, known := c.Usage.Input()
			line := fmt.Sprintf("%s in %d %v:", c.Ended, in, known)
			for _, m := range append(slices.Clone(c.Input), c.Output...) {
				line += " " + m.Role
				for _, p := range m.Parts {
					line += fmt.Sprintf(" %s(%s%s%s%s)", p.Type, p.Content, p.Name, p.Response, strings.Repeat("#", int(p.Size)))
				}
				if m.FinishReason != "" {
					line += " " + m.FinishReason
				}
			}
			got = append(got, line)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	const answered = "assistant blob(########) text(Hello) stop"
	f("usage behind the end", client(setup, ask, say, say, words, over, used, ask, say, over),
		"complete in 10 true: user text(Hi) "+answered,
		"complete in 0 false: user text(Hi) assistant blob(####) stop")
	f("no usage", client(setup, ask, say, say, words, over, ask), "complete in 0 false: user text(Hi) "+answered)
	f("a call with its usage ends there", client(setup, ask,
		`< {"toolCall":{"functionCalls":[{"id":"1","name":"f","args":{}}]},"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}`,
		`> {"tool_response":{"function_responses":[{"id":"1","name":"f","response":{"ok":true}}]}}`, words, `< {"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":9}}`),
		"complete in 7 true: user text(Hi) assistant tool_call(f) tool_call",
		`complete in 9 true: tool tool_call_response(f{"ok":true}) assistant text(Hello) stop`)
	f("speech", client(setup, `> {"realtime_input":{"audio":{"data":"AAAA","mimeType":"audio/pcm"}}}`, `> {"realtimeInput":{"audio":{"data":"AAAA","mimeType":"audio/pcm"}}}`,
		`< {"serverContent":{"inputTranscription":{"text":"Hey"}}}`, words, `< {"serverContent":{"interrupted":true}}`, over),
		"complete in 0 false: user blob(########) text(Hey) assistant text(Hello) interrupted")
	f("cut", client(setup, ask, words), "client_gone in 0 false: user text(Hi) assistant text(Hello) error")
	f("nothing answered", client(setup, ask))
	f("no setup, on one line or not", client("> {\n\"clientContent\":\n{\"turns\":[{\"parts\":[{\"text\":\"a\"}]}]}}", words, over), "complete in 0 false: user text(a) assistant text(Hello) stop")
	f("strange", client("> []", "< 1", "< {", `> {"setup":1}`, `< {"setupComplete":{}}`, used, `< {"serverContent":[]}`, `< {"goAway":{}}`))
}

// What was set up is said of each turn.
func TestSetup(t *testing.T) {
	calls, _ := converse(t, client(setup, ask, words, over), websocket.Text, 100)
	c := calls[0]
	if c.RequestModel != "models/gemini-live" || c.System[0].Content != "Be brief." || c.Tools[0].Name != "f" ||
		attr(c, "gen_ai.output.type") != "speech" || attr(c, "gen_ai.request.temperature") != 0.5 {
		t.Error(providerstest.Show(c))
	}
	if !c.End.After(c.Start) || c.FirstToken.Sub(c.Start) != time.Millisecond {
		t.Errorf("from %v to %v, first token %v", c.Start, c.End, c.FirstToken)
	}
}

// A provider that closes with an error says why; keys in it are left out.
func TestCloseWithError(t *testing.T) {
	x := handshake(liveTarget)
	var ended []llm.End
	x.Emit = func(e *llm.Exchange) { ended = append(ended, e.Ended) }
	s := gemini.Dialect{}.NewSession(x)
	play(s, client(setup, ask, words), websocket.Text, 1<<20)
	end := providerstest.SessionMessage{Data: []byte("\x03\xefkey=AIzaNotAKey0000 is not valid")}.Frame()
	end[0] = 0x80 | websocket.Close
	s.Wrote(end, x.Start)
	c := &llm.Call{}
	if err := s.Finish(c, x); err != nil {
		t.Fatal(err)
	}
	if c.ErrorType != "websocket_1007" || c.ErrorMessage != "key=[redacted] is not valid" || !slices.Equal(ended, []llm.End{llm.EndUpstreamCut}) {
		t.Errorf("%s %s %v", c.ErrorType, c.ErrorMessage, ended)
	}
}

func TestNoSession(t *testing.T) {
	x := handshake(liveTarget)
	x.Status = 400
	if (gemini.Dialect{}).NewSession(x) != nil {
		t.Error("a refused handshake is a session")
	}
	if x := handshake("/v1beta/models"); (gemini.Dialect{}).NewSession(x) != nil {
		t.Error("any upgrade is a session")
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte(setup[2:]), []byte(words[2:]), []byte(over[2:]))
	f.Add([]byte(ask[2:]), []byte(used[2:]), []byte(say[2:]))
	f.Add([]byte(`{"realtimeInput":{"mediaChunks":[{"data":"AA"}]}}`), []byte(`{"toolCall":{"functionCalls":[{"partialArgs":[{"jsonPath":"$[0].a"}]}]}}`), []byte{})
	f.Fuzz(func(t *testing.T, said, told, raw []byte) {
		x := handshake(liveTarget)
		x.Emit = func(e *llm.Exchange) {
			e.Session, e.Method, e.Target = "a", x.Method, x.Target
			c := &llm.Call{}
			_ = gemini.Dialect{}.ReadRequest(c, e)
			if err := e.Observer.(providerstest.Reader).Finish(c, e); err != nil {
				t.Fatal(err)
			}
		}
		s := gemini.Dialect{}.NewSession(x)
		play(s, []providerstest.SessionMessage{{Caller: true, Data: said}, {Data: told}, {Caller: true, Data: said}, {Data: []byte(over[2:])}, {Data: told}}, websocket.Text, 50)
		s.Wrote(raw, x.Start)
		s.Sent(raw, x.Start)
		if err := s.Finish(&llm.Call{}, x); err != nil {
			t.Fatal(err)
		}
	})
}
