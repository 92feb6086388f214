package openai_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// script writes messages: those that begin with > are the caller's.
func script(lines ...string) (ms []providerstest.SessionMessage) {
	for _, l := range lines {
		data, caller := strings.CutPrefix(l, ">")
		ms = append(ms, providerstest.SessionMessage{Caller: caller, Data: []byte(data)})
	}
	return ms
}

func texts(c *llm.Call) string {
	var b strings.Builder
	for _, m := range c.Output {
		for _, p := range m.Parts {
			b.WriteString(p.Content + p.Arguments + "|")
		}
	}
	return b.String()
}

const completed = `{"type":"response.completed","response":{"id":%q,"object":"response","status":"completed","model":"gpt-5-2026","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":%q}]}],"usage":{"input_tokens":7,"output_tokens":2,"total_tokens":9}}}`

// The Responses API over a WebSocket: each response a call with its own request,
// also when two are made at once.
func TestResponsesOverWebSocket(t *testing.T) {
	ms := script(
		`>{"type":"response.create","model":"gpt-5","input":"one","store":false,"stream_id":"a","user":"u-1"}`,
		`>{"type":"response.create","model":"gpt-5-mini","input":"two","previous_response_id":"resp_0","stream_id":"b"}`,
		`{"type":"response.created","stream_id":"a","response":{"id":"resp_1","status":"in_progress","model":"gpt-5-2026"}}`,
		`{"type":"response.created","stream_id":"b","response":{"id":"resp_2","status":"in_progress"}}`,
		`{"type":"response.output_item.added","stream_id":"b","output_index":0,"item":{"id":"m2","type":"message"}}`,
		`{"type":"response.output_text.delta","stream_id":"b","output_index":0,"content_index":0,"item_id":"m2","delta":"Two"}`,
		`{"type":"response.output_text.delta","stream_id":"a","output_index":0,"content_index":0,"item_id":"m1","delta":"One"}`,
		fmt.Sprintf(completed, "resp_2", "Two."),
		fmt.Sprintf(completed, "resp_1", "One."),
		`>{"type":"response.create","model":"gpt-5","previous_response_id":"resp_9"}`,
		`{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"No such response."}}`,
		`>{"type":"response.create","model":"gpt-5","input":"three"}`,
		`{"type":"response.created","response":{"id":"resp_3","status":"in_progress","model":"gpt-5-2026"}}`,
		`{"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"m3","delta":"Thr"}`,
	)
	for _, n := range []int{1, 3, 1000} {
		x := realtime("/v1/responses")
		x.Ended = llm.EndUpstreamCut
		around, within := dialect.ReadSession(t, x, ms, n)
		if around.Kind != llm.KindHTTP || attr(around, "openai.session.responses") != int64(4) || around.Usage.Known() {
			t.Errorf("session: %s", providerstest.Show(around))
		}
		if len(within) != 4 {
			t.Fatalf("%d calls", len(within))
		}
		for i, want := range []struct{ id, asked, answered, said, err string }{
			{"resp_2", "gpt-5-mini", "gpt-5-2026", "Two.|", ""},
			{"resp_1", "gpt-5", "gpt-5-2026", "One.|", ""},
			{"", "gpt-5", "", "", "previous_response_not_found"},
			{"resp_3", "gpt-5", "gpt-5-2026", "Thr|", ""},
		} {
			c := within[i]
			if c.ResponseID != want.id || c.RequestModel != want.asked || c.ResponseModel != want.answered || texts(c) != want.said || c.ErrorType != want.err {
				t.Errorf("call %d: %s", i, providerstest.Show(c))
			}
			in, known := c.Usage.Input()
			if done := i < 2; known != done || done && in != 7 {
				t.Errorf("call %d: %d tokens in (%v)", i, in, known)
			}
		}
		if attr(within[0], "gen_ai.request.previous_response.id") != "resp_0" || attr(within[1], "openai.request.user") != "u-1" || attr(within[0], "openai.request.user") == "u-1" {
			t.Error("the parameters of one are the other's")
		}
		if last := within[3]; last.Ended != llm.EndUpstreamCut || last.Output[0].FinishReason != "error" || last.Usage.Source != "" {
			t.Errorf("cut: %s", providerstest.Show(last))
		}
		if !within[0].FirstToken.After(within[0].Start) || !within[0].Start.Before(within[1].End) {
			t.Error("clock readings")
		}
	}
}

// What is said before a response is made is its input; what a session is set up
// with counts until it is changed.
func TestRealtimeInputAndSetup(t *testing.T) {
	ms := script(
		`{"type":"session.created","session":{"id":"sess_1","model":"gpt-realtime","instructions":"Be kind.","voice":"alloy","temperature":-1,"tools":[{"type":"function","name":"look"}]}}`,
		`>{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"},{"type":"input_audio","audio":"AAAA"}]}}`,
		`>{"type":"response.create","response":{"instructions":"Be brief.","conversation":"none","metadata":{"k":"v"}}}`,
		`{"type":"response.created","response":{"id":"r1","status":"in_progress"}}`,
		`{"type":"response.output_item.added","response_id":"r1","output_index":0,"item":{"id":"f1","type":"function_call","name":"look","call_id":"c1"}}`,
		`{"type":"response.function_call_arguments.delta","response_id":"r1","item_id":"f1","output_index":0,"delta":"{}"}`,
		`{"type":"response.done","response":{"id":"r1","status":"completed","output":[{"id":"f1","type":"function_call","name":"look","call_id":"c1","arguments":"{}"}],"usage":{"total_tokens":30,"input_tokens":20,"output_tokens":10}}}`,
		`>{"type":"conversation.item.create","item":{"type":"function_call_output","call_id":"c1","output":"a cat"}}`,
		`{"type":"session.updated","session":{"model":"gpt-realtime","instructions":"Be rude."}}`,
		`>{"type":"input_audio_buffer.append","audio":"AAAABBBB"}`,
		`{"type":"input_audio_buffer.committed","item_id":"i2"}`,
		`{"type":"response.created","response":{"id":"r2","status":"in_progress"}}`,
		`{"type":"response.done","response":{"id":"r2","status":"cancelled","status_details":{"type":"cancelled","reason":"turn_detected"},"output":[]}}`,
	)
	_, within := dialect.ReadSession(t, realtime("/openai/realtime?api-version=1&deployment=mine"), ms, 5)
	if len(within) != 2 {
		t.Fatalf("%d calls", len(within))
	}
	first, second := within[0], within[1]
	if first.RequestModel != "mine" || first.ResponseModel != "gpt-realtime" || first.System[0].Content != "Be brief." || len(first.Tools) != 1 || texts(first) != "{}|" ||
		first.Output[0].FinishReason != "tool_call" || attr(first, "openai.request.voice") != "alloy" || attr(first, "openai.request.conversation") != "" || attr(first, "gen_ai.request.temperature") != "" {
		t.Errorf("first: %s", providerstest.Show(first))
	}
	if p := first.Input[0].Parts; len(first.Input) != 1 || len(p) != 2 || p[0].Content != "Hi" || p[1].Type != llm.PartBlob || p[1].Size != 4 {
		t.Errorf("first input: %+v", first.Input)
	}
	if second.System[0].Content != "Be rude." || len(second.Tools) != 0 || second.FinishReasons[0] != "turn_detected" || second.Usage.Source != llm.UsageMissing || second.ErrorType != "" {
		t.Errorf("second: %s", providerstest.Show(second))
	}
	if in := second.Input; len(in) != 2 || in[0].Parts[0].Response != "a cat" || in[1].Parts[0].Size != 8 {
		t.Errorf("second input: %+v", in)
	}
}

// A session that only writes down what it hears is set up under names of its own.
func TestTranscriptionSession(t *testing.T) {
	ms := script(
		`{"type":"transcription_session.created","session":{"id":"sess_1","object":"realtime.transcription_session","input_audio_transcription":null}}`,
		`{"type":"transcription_session.updated","session":{"id":"sess_1","input_audio_transcription":{"model":"gpt-4o-transcribe"}}}`,
		`>{"type":"input_audio_buffer.append","audio":"AAAABBBB"}`,
		`{"type":"input_audio_buffer.committed","item_id":"i1"}`,
		`{"type":"conversation.item.input_audio_transcription.completed","item_id":"i1","content_index":0,"transcript":"Hi","usage":{"type":"tokens","input_tokens":10,"output_tokens":2,"total_tokens":12}}`,
	)
	around, within := dialect.ReadSession(t, realtime("/v1/realtime?intent=transcription"), ms, 7)
	if attr(around, "openai.session.id") != "sess_1" || len(within) != 1 || within[0].RequestModel != "gpt-4o-transcribe" || texts(within[0]) != "Hi|" {
		t.Errorf("%s", providerstest.Show(around))
	}
}

// A session that is refused says why; bytes that are no WebSocket are said to be none.
func TestSessionThatFails(t *testing.T) {
	around, within := dialect.ReadSession(t, realtime("/v1/realtime?model=m"), script(`{"type":"error","error":{"type":"invalid_request_error","code":"model_not_found","message":"No."}}`), 7)
	if len(within) != 0 || around.ErrorType != "model_not_found" || around.ErrorMessage != "No." {
		t.Errorf("%s", providerstest.Show(around))
	}
	x := realtime("/v1/realtime")
	x.Status = 101
	r := dialect.NewReader(x)
	r.Wrote([]byte("HTTP is not a WebSocket, is it"), x.FirstByte)
	c := &llm.Call{}
	if err := r.Finish(c, x); err != nil || len(c.Problems) != 1 {
		t.Errorf("%v, %q", err, c.Problems)
	}
}

// However many requests a caller sends, what waits is bounded.
func TestSessionIsBounded(t *testing.T) {
	var lines []string
	for i := range 500 {
		lines = append(lines, fmt.Sprintf(`>{"type":"response.create","model":"m","input":"%d"}`, i))
	}
	for i := range 500 {
		lines = append(lines, fmt.Sprintf(`{"type":"response.created","response":{"id":"r%d"}}`, i))
	}
	_, within := dialect.ReadSession(t, realtime("/v1/responses"), script(lines...), 1<<20)
	if len(within) != 500 {
		t.Errorf("%d calls", len(within))
	}
	for _, c := range within {
		if c.Ended == llm.EndComplete {
			t.Fatal("a response that never came is complete")
		}
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte(`{"type":"session.created","session":{"id":"s"}}`+"\n"+`>{"type":"response.create"}`+"\n"+`{"type":"response.created","response":{"id":"r"}}`), 3)
	f.Add([]byte(">"+`{"type":"conversation.item.create","item":{"type":"message","content":[{"type":"input_audio"}]}}`), 100)
	if providerstest.HasRecordings(f) {
		for _, s := range providerstest.Sessions(f, func(s providerstest.Session) bool { return strings.HasSuffix(s.Name, "tool-call-round") }) {
			var b strings.Builder
			for _, m := range s.Messages[:min(len(s.Messages), 40)] {
				if m.Caller {
					b.WriteByte('>')
				}
				b.Write(m.Data)
				b.WriteByte('\n')
			}
			f.Add([]byte(b.String()), 64)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		ms := script(strings.Split(string(body), "\n")...)
		show := func(n int) string {
			around, within := dialect.ReadSession(t, realtime("/v1/realtime?model=m"), ms, n)
			out := providerstest.Show(around)
			for _, c := range within {
				out += providerstest.Show(c)
			}
			return out
		}
		n = 1 + max(n, -n)&0xff
		if a, b := show(1<<20), show(n); a != b {
			t.Fatalf("pieces of %d:\n%s\nwhole:\n%s", n, b, a)
		}
	})
}

// A session that breaks tells who broke it: the provider by leaving or by a close
// frame, the caller by hanging up.
func TestHowSessionsEnd(t *testing.T) {
	begun := script(
		`>{"type":"response.create"}`,
		`{"type":"response.created","response":{"id":"resp_1","status":"in_progress"}}`,
		`{"type":"response.output_text.delta","response_id":"resp_1","output_index":0,"content_index":0,"item_id":"m","delta":"Thr"}`,
	)
	closing := func(caller bool, code uint16) []providerstest.SessionMessage {
		return append(begun[:len(begun):len(begun)], providerstest.SessionMessage{Caller: caller, Code: code, Data: []byte("enough, Bearer abcdefghijklmnop")})
	}
	f := func(ms []providerstest.SessionMessage, left bool, around, within llm.End, kind string) {
		t.Helper()
		x := realtime("/v1/realtime?model=m")
		x.ProviderLeft = left
		session, calls := dialect.ReadSession(t, x, ms, 7)
		if session.Ended != around || session.ErrorType != kind || len(calls) != 1 || calls[0].Ended != within || texts(calls[0]) != "Thr|" {
			t.Errorf("the session ended %s %q, its calls %s", session.Ended, session.ErrorType, providerstest.Show(calls[0]))
		}
		if strings.Contains(session.ErrorMessage, "abcdefgh") {
			t.Errorf("a credential in %q", session.ErrorMessage)
		}
	}
	f(begun, true, llm.EndUpstreamCut, llm.EndUpstreamCut, "upstream_cut")
	f(begun, false, llm.EndComplete, llm.EndClientGone, "")
	f(closing(true, 1000), true, llm.EndComplete, llm.EndClientGone, "")
	f(closing(false, 1000), true, llm.EndComplete, llm.EndUpstreamCut, "")
	f(closing(false, 1011), true, llm.EndComplete, llm.EndUpstreamCut, "websocket_1011")
}
