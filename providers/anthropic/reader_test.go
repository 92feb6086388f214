package anthropic_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/anthropic"
)

var begin = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

const (
	started  = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"usage":{"input_tokens":7,"output_tokens":1}}}`
	ping     = `{"type": "ping"}`
	open     = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	finished = `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}`
	stopped  = `{"type":"message_stop"}`
)

func piece(text string) string {
	return fmt.Sprintf(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%q}}`, text)
}

func events(list ...string) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString("event: x\ndata: " + e + "\n\n")
	}
	return b.String()
}

func streamExchange() *llm.Exchange {
	return providerstest.Fixture{
		Target: "/v1/messages", ResponseHeader: llm.Header("Content-Type: text/event-stream\r\n"),
		Request: []byte(`{"model":"claude-x","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hi"}]}`),
	}.Exchange()
}

func read(t *testing.T, x *llm.Exchange, body string) *llm.Call {
	t.Helper()
	c, err := dialect.Read(x, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func find(c *llm.Call, key string) any {
	for _, a := range c.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

// The first token is the first piece with content: neither the start of a message
// or of a block, nor a ping, a signature or the result of a tool.
func TestFirstToken(t *testing.T) {
	f := func(want int, chunks int, list ...string) {
		t.Helper()
		x := streamExchange()
		r := anthropic.Dialect{}.NewReader(x)
		for i, e := range list {
			r.Wrote([]byte(events(e)), begin.Add(time.Duration(i)*time.Second))
		}
		c := &llm.Call{Kind: llm.KindLLM}
		if err := r.Finish(c, x); err != nil {
			t.Fatal(err)
		}
		got := -1
		if !c.FirstToken.IsZero() {
			got = int(c.FirstToken.Sub(begin) / time.Second)
		}
		if got != want || c.Chunks.Count != chunks {
			t.Errorf("%q: first token with event %d of %d pieces, want %d of %d", list, got, c.Chunks.Count, want, chunks)
		}
	}
	f(4, 2, started, ping, open, piece(""), piece("a"), ping, piece("b"), finished, stopped)
	f(2, 1, started, `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h"}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}`)
	f(1, 1, started, `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"now","input":{}}}`)
	f(-1, 0, started, `{"type":"content_block_start","index":0,"content_block":{"type":"web_search_tool_result","tool_use_id":"t","content":[{"text":"x"}]}}`)
	f(1, 1, ping, `{"type":"completion","completion":" a","stop_reason":null}`)
}

func TestEndOfStreams(t *testing.T) {
	f := func(ended llm.End, finish, source string, incomplete, problem bool, list ...string) {
		t.Helper()
		x := streamExchange()
		x.Ended = ended
		c := read(t, x, events(list...))
		if got := c.Output[0].FinishReason; got != finish || (find(c, "spanwire.stream.incomplete") != nil) != incomplete || len(c.Problems) > 0 != problem || string(c.Usage.Source) != source {
			t.Errorf("%s %q: finish %q, usage %s, problems %q, %v", ended, list, got, c.Usage.Source, c.Problems, c.Attrs)
		}
	}
	f(llm.EndComplete, "stop", "reported", false, false, started, open, piece("a"), finished, stopped)
	f(llm.EndComplete, "stop", "reported", false, false, started, open, piece("a"), finished) // its end told without the mark
	f(llm.EndComplete, "error", "partial", true, false, started, open, piece("a"))
	f(llm.EndUpstreamCut, "error", "partial", false, true, started, open, piece("a"))
	f(llm.EndClientGone, "stop", "reported", false, false, started, open, piece("a"), finished)
	f(llm.EndComplete, "error", "partial", false, false, started, open, piece("a"), `{"type":"error","error":{"type":"api_error","message":"no"}}`)
	f(llm.EndComplete, "stop", "reported", false, true, started, open, `{"type":"content_`, finished, stopped)
}

// What an answer that broke off tells of its output is where it began: the text that
// came says more, and is counted.
func TestUsageOfABrokenStream(t *testing.T) {
	x := streamExchange()
	x.Ended = llm.EndUpstreamCut
	c := read(t, x, events(started, open, piece("a")))
	if n, ok := c.Usage.Input(); n != 7 || !ok {
		t.Errorf("input: %d %v", n, ok)
	}
	if n, ok := c.Usage.Output(); ok {
		t.Errorf("output: %d", n)
	}
	c = read(t, x, events(started))
	if n, ok := c.Usage.Output(); n != 1 || !ok {
		t.Errorf("output before any text: %d %v", n, ok)
	}
}

func TestCacheWrites(t *testing.T) {
	f := func(usage string, short, hour int64) {
		t.Helper()
		c := read(t, streamExchange(), `{"type":"message","usage":`+usage+`}`)
		a, ok := c.Usage.Get(llm.CacheWrite)
		b, ok1h := c.Usage.Get(llm.CacheWrite1h)
		if !ok {
			a = -1
		}
		if !ok1h {
			b = -1
		}
		if a != short || b != hour {
			t.Errorf("%s: %d and %d, want %d and %d", usage, a, b, short, hour)
		}
	}
	f(`{"input_tokens":1}`, -1, -1)
	f(`{"cache_creation_input_tokens":9}`, 9, -1)
	f(`{"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":5}}`, 4, 5)
	f(`{"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":5}}`, 4, 5)
	// The parts of the start beside a total of the end.
	f(`{"cache_creation_input_tokens":3337,"cache_creation":{"ephemeral_5m_input_tokens":3068,"ephemeral_1h_input_tokens":0}}`, 3337, 0)
	f(`{"cache_creation_input_tokens":3337,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":3068}}`, 0, 3337)
	f(`{"cache_creation_input_tokens":2,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":5}}`, 0, 2)
	f(`{"cache_creation_input_tokens":"9.0"}`, 9, -1)
	f(`{"input_tokens":-1,"cache_creation_input_tokens":-9}`, -1, -1)
}

func TestThinkingPastTheOutputIsSaid(t *testing.T) {
	c := read(t, streamExchange(), `{"type":"message","usage":{"output_tokens":5,"output_tokens_details":{"thinking_tokens":8}}}`)
	if n, _ := c.Usage.Output(); n != 5 || !c.Usage.Inconsistent {
		t.Errorf("%d, %+v", n, c.Usage)
	}
}

// One step of the call's own model is the call.
func TestSteps(t *testing.T) {
	f := func(iterations string, want int) {
		t.Helper()
		c := read(t, streamExchange(), `{"type":"message","model":"m","usage":{"input_tokens":1,"iterations":`+iterations+`}}`)
		if len(c.Steps) != want {
			t.Errorf("%s: %d steps, want %d", iterations, len(c.Steps), want)
		}
	}
	f(`null`, 0)
	f(`[]`, 0)
	f(`[{"type":"message","input_tokens":1}]`, 0)
	f(`[{"type":"message","model":"m","input_tokens":1}]`, 0)
	f(`[{"type":"message","model":"n","input_tokens":1}]`, 1)
	f(`[{"type":"compaction","input_tokens":1}]`, 1)
	f(`[{"type":"message","input_tokens":1},{"type":"message","input_tokens":1}]`, 2)
	f(`[1,{"type":"message"},"x"]`, 0)
}

// Of the first version of completions each event has the text so far.
func TestCumulativeCompletions(t *testing.T) {
	x := providerstest.Fixture{Target: "/v1/complete", RequestHeader: llm.Header("anthropic-version: 2023-01-01\r\n")}.Exchange()
	body := events(`{"completion":" a","stop_reason":null,"model":"claude-v1"}`, `{"completion":" a b","stop_reason":null}`, `{"completion":" a b","stop_reason":"stop_sequence"}`, "[DONE]")
	c := read(t, x, body)
	if got := c.Output[0].Parts[0].Content; got != " a b" || c.ResponseModel != "claude-v1" || len(c.Problems) > 0 {
		t.Errorf("%q %+v", got, c)
	}
	x.RequestHeader = llm.Header("anthropic-version: 2023-06-01\r\n")
	if got := read(t, x, body).Output[0].Parts[0].Content; got != " a a b a b" {
		t.Errorf("%q", got)
	}
}

func TestVersionAndBetaOfHeaders(t *testing.T) {
	x := streamExchange()
	x.RequestHeader = llm.Header("Anthropic-Version: 2023-06-01\r\nanthropic-beta: a-1, b-2\r\nAnthropic-Beta: c-3\r\n")
	c := read(t, x, "")
	if find(c, "anthropic.request.version") != "2023-06-01" || fmt.Sprint(find(c, "anthropic.request.beta")) != "[a-1 b-2 c-3]" {
		t.Errorf("%v", c.Attrs)
	}
}

// Messages inside other APIs: the path says nothing, and the events come without
// their framing.
func TestMessagesOfOtherFramings(t *testing.T) {
	x := providerstest.Fixture{
		Target:  "/model/anthropic.claude-x/invoke-with-response-stream",
		Request: []byte(`{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`),
	}.Exchange()
	c := &llm.Call{Kind: llm.KindHTTP}
	if err := (anthropic.Dialect{}).ReadMessagesRequest(c, x); err != nil {
		t.Fatal(err)
	}
	r := anthropic.Dialect{}.NewMessagesReader(x)
	for _, e := range []string{started, open, piece("a"), piece("b"), finished, stopped} {
		own := []byte(e)
		r.Event(own, begin)
		clear(own)
	}
	if err := r.Finish(c, x); err != nil {
		t.Fatal(err)
	}
	if c.Operation != "chat" || len(c.Input) != 1 || c.Output[0].Parts[0].Content != "ab" || c.FinishReasons[0] != "end_turn" || c.FirstToken != begin || c.Chunks.Count != 2 {
		t.Errorf("%+v", c)
	}
	if n, _ := c.Usage.Output(); n != 5 {
		t.Errorf("output: %d", n)
	}

	x.Request.Data = []byte(`{"prompt":"\n\nHuman: hi\n\nAssistant:","max_tokens_to_sample":5}`)
	c = &llm.Call{Kind: llm.KindHTTP}
	if err := (anthropic.Dialect{}).ReadMessagesRequest(c, x); err != nil || c.Operation != "text_completion" {
		t.Errorf("%v %+v", err, c)
	}
	r = anthropic.Dialect{}.NewMessagesReader(x)
	r.Wrote([]byte(`{"completion":" yes","stop_reason":"stop_sequence","stop":"\n\nHuman:"}`), begin)
	if err := r.Finish(c, x); err != nil || c.Output[0].Parts[0].Content != " yes" || c.FinishReasons[0] != "stop_sequence" {
		t.Errorf("%v %+v", err, c)
	}
}

// What is past the bounds is said, and the end is read all the same.
func TestBounds(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	c := read(t, streamExchange(), `{"type":"message","id":"i","model":"m","content":[{"type":"text","text":"`+long+`"}],"stop_reason":"end_turn","usage":{"input_tokens":3}}`)
	if n, _ := c.Usage.Input(); n != 3 || c.FinishReasons[0] != "end_turn" || len(c.Problems) == 0 {
		t.Errorf("long answer: %d, %q, %q", n, c.FinishReasons, c.Problems)
	}
	c = read(t, streamExchange(), events(started, open)+strings.Repeat(events(piece(long[:1<<18])), 5)+events(finished, stopped))
	if n := len(c.Output[0].Parts[0].Content); n > 1<<20 || n < 1<<19 || c.Output[0].Parts[0].Size != 5<<18 || len(c.Problems) != 1 {
		t.Errorf("long stream: %d bytes, %q", n, c.Problems)
	}
	var many strings.Builder
	for i := range 3000 {
		many.WriteString(events(fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":{"type":"text","text":"a"}}`, i)))
	}
	if c = read(t, streamExchange(), many.String()); len(c.Output[0].Parts) > 1024 || len(c.Problems) != 1 {
		t.Errorf("many blocks: %d, %q", len(c.Output[0].Parts), c.Problems)
	}
	var lines strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&lines, `{"custom_id":"%d","result":{"type":"succeeded","message":{"model":"m","usage":{"input_tokens":1000,"output_tokens":1}}}}`+"\n", i)
	}
	x := providerstest.Fixture{Method: "GET", Target: "/v1/messages/batches/b/results"}.Exchange()
	c = read(t, x, lines.String())
	if in, _ := c.Usage.Input(); in != 5_000_000 || len(c.Steps) != 50 || find(c, "anthropic.batch.requests.succeeded") != int64(5000) {
		t.Errorf("batch: %d tokens in %d steps, %v", in, len(c.Steps), c.Attrs)
	}
}

// Nothing that the provider sealed, and no bytes of files, is kept of the results of
// its tools.
func TestSealedMembersAreLeftOut(t *testing.T) {
	c := read(t, streamExchange(), `{"type":"message","content":[{"type":"web_fetch_tool_result","tool_use_id":"t","content":{"type":"web_fetch_result","encrypted_content":"SEALED","content":{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"SEALED"}}}}]}`)
	if got := c.Output[0].Parts[0].Response; strings.Contains(got, "SEALED") || !strings.Contains(got, "application/pdf") {
		t.Errorf("%s", got)
	}
}

func TestErrorShapes(t *testing.T) {
	f := func(status int, header, body, kind, message string) {
		t.Helper()
		x := streamExchange()
		x.Status, x.ResponseHeader = status, llm.Header(header)
		c := read(t, x, body)
		if c.ErrorType != kind || c.ErrorMessage != message {
			t.Errorf("%d %s: %q %q, want %q %q", status, body, c.ErrorType, c.ErrorMessage, kind, message)
		}
	}
	const stream, html = "Content-Type: text/event-stream\r\n", "Content-Type: text/html\r\n"
	f(529, "", `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}`, "overloaded_error", "Overloaded")
	f(400, stream, `{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}`, "invalid_request_error", "bad")
	f(200, stream, `{"type":"error","error":{"type":"api_error","message":"oh"}}`, "api_error", "oh")
	f(404, "", `[{"error":{"code":404,"message":"no model","status":"NOT_FOUND"}}]`, "NOT_FOUND", "no model")
	f(502, html, "<html>bad gateway</html>", "502", "Bad Gateway")
	f(503, "", "upstream connect error", "503", "upstream connect error")
	f(500, "", "", "500", "Internal Server Error")
	f(200, stream, events(started, `{"error":{"message":"quota","code":429}}`), "429", "quota")
	f(200, stream, events(started, open, finished, stopped), "", "")
}

// A body of which nothing can be read is an error of a call, and none of a plain
// exchange.
func TestRequestsThatAreNone(t *testing.T) {
	x := streamExchange()
	x.Request.Data = []byte("not json")
	if _, err := dialect.Read(x); err == nil {
		t.Error("no error")
	}
	x.Target, x.UpstreamTarget = "/v1/files", "/v1/files"
	if c, err := dialect.Read(x); err != nil || c.Kind != llm.KindHTTP {
		t.Errorf("%v %+v", err, c)
	}
}

func TestErrorBody(t *testing.T) {
	if got := (anthropic.Dialect{}).ErrorBody(502, "upstream_unreachable", `no "answer"`); string(got) != `{"type":"error","error":{"type":"upstream_unreachable","message":"no \"answer\""}}` {
		t.Errorf("%s", got)
	}
}

// seeds are the fixtures, and some small recordings where there are any.
func seeds(f *testing.F) ([]providerstest.Fixture, []providerstest.Recording) {
	fs, _ := providerstest.Fixtures(f, nil)
	return fs, providerstest.SmallRecordings(f, 64<<10, func(r providerstest.Recording) bool { return spoken(r) || counting(r) })
}

func FuzzResponse(f *testing.F) {
	fs, rs := seeds(f)
	providerstest.FuzzResponse(f, dialect, fs, rs, "text/event-stream")
}

func FuzzRequest(f *testing.F) {
	fs, rs := seeds(f)
	providerstest.FuzzRequest(f, dialect, fs, rs, func(t *testing.T, x *llm.Exchange, err error) {
		if err != nil && x.Request.Head > 0 && bytes.HasPrefix(x.Request.Data, []byte(`{"`)) {
			t.Fatalf("a beginning that is kept is an error: %v", err)
		}
	})
}
