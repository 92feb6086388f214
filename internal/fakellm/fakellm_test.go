package fakellm

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's clock for Date lives as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// The cleaner of a stopped worker pool notices within its 10 s nap.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// start serves s on loopback until the test ends and returns its base URL.
func start(t *testing.T, s *Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + ln.Addr().String()
}

func post(t *testing.T, url, body string, header ...string) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

// chunks returns the data of each event but the closing one.
func chunks(t *testing.T, body []byte) []map[string]any {
	t.Helper()
	var out []map[string]any
	done := false
	for sc := bufio.NewScanner(bytes.NewReader(body)); sc.Scan(); {
		data, ok := strings.CutPrefix(sc.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			done = true
			continue
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			t.Fatalf("event %q: %v", data, err)
		}
		out = append(out, m)
	}
	if !done {
		t.Errorf("no closing event in %q", body)
	}
	return out
}

const weather = `"tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string","examples":["Lisbon"]}}}}},
	{"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{"zone":{"type":"string","enum":["UTC","WET"]}}}}}]`

func TestAgentLoop(t *testing.T) {
	url := start(t, New(Config{}))
	_, b, err := post(t, url+"/v1/chat/completions", `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],`+weather+`}`)
	if err != nil {
		t.Fatal(err)
	}
	var first chatBody
	if err := json.Unmarshal(b, &first); err != nil {
		t.Fatal(err)
	}
	c := first.Choices[0]
	if *c.FinishReason != "tool_calls" || len(c.Message.ToolCalls) != 2 {
		t.Fatalf("first answer asks for no tools: %s", b)
	}
	if got := c.Message.ToolCalls[0].Function.Arguments; got != `{"city":"Lisbon"}` {
		t.Errorf("arguments %s", got)
	}
	if first.Model != "gpt-4o-mini-2024-07-18" || first.Usage.TotalTokens == 0 {
		t.Errorf("model %q, usage %+v", first.Model, first.Usage)
	}
	_, b, err = post(t, url+"/v1/chat/completions", `{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"},
		{"role":"tool","tool_call_id":"a","content":"It is sunny."},{"role":"tool","tool_call_id":"b","content":"It is noon."}],`+weather+`}`)
	if err != nil {
		t.Fatal(err)
	}
	events := chunks(t, b)
	var text string
	for _, e := range events {
		for _, c := range e["choices"].([]any) {
			s, _ := c.(map[string]any)["delta"].(map[string]any)["content"].(string)
			text += s
		}
	}
	if !strings.Contains(text, "It is sunny. It is noon.") {
		t.Errorf("final answer %q", text)
	}
	if last := events[len(events)-1]; len(last["choices"].([]any)) != 0 || last["usage"] == nil {
		t.Errorf("last chunk has no usage: %v", last)
	}
	if u, ok := events[0]["usage"]; !ok || u != nil {
		t.Errorf("usage of the first chunk is not null")
	}
}

func TestStreamWithoutUsage(t *testing.T) {
	url := start(t, New(Config{}))
	for _, path := range []string{"/v1/chat/completions", "/v1/completions"} {
		_, b, err := post(t, url+path, `{"model":"gpt-4o","stream":true,"n":2,"prompt":"hi","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[float64]bool{}
		for _, e := range chunks(t, b) {
			if e["usage"] != nil {
				t.Errorf("%s: usage that nobody asked for", path)
			}
			for _, c := range e["choices"].([]any) {
				seen[c.(map[string]any)["index"].(float64)] = true
			}
		}
		if len(seen) != 2 {
			t.Errorf("%s: choices %v", path, seen)
		}
	}
}

func TestStructuredOutput(t *testing.T) {
	url := start(t, New(Config{}))
	_, b, err := post(t, url+"/v1/chat/completions", `{"model":"gpt-4o","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":
		{"type":"object","properties":{"steps":{"type":"array","items":{"$ref":"#/$defs/step"}},"ok":{"type":["null","boolean"]}},"$defs":{"step":{"type":"object","properties":{"n":{"type":"integer"}}}}}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	var body chatBody
	if err := json.Unmarshal(b, &body); err != nil {
		t.Fatal(err)
	}
	if got, want := *body.Choices[0].Message.Content, `{"ok":true,"steps":[{"n":42}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSelfReference makes sure that a schema that contains itself ends.
func TestSelfReference(t *testing.T) {
	var s schema
	if err := json.Unmarshal([]byte(`{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"x":{"$ref":"#/$defs/a"}}}}}`), &s); err != nil {
		t.Fatal(err)
	}
	if got := s.example(); !json.Valid([]byte(got)) || len(got) > 1000 {
		t.Errorf("example %s", got)
	}
}

func TestEmbeddings(t *testing.T) {
	url := start(t, New(Config{}))
	_, floats, err := post(t, url+"/v1/embeddings", `{"model":"text-embedding-3-small","input":["a","b"],"dimensions":8}`)
	if err != nil {
		t.Fatal(err)
	}
	_, coded, err := post(t, url+"/v1/embeddings", `{"model":"text-embedding-3-small","input":["a","b"],"dimensions":8,"encoding_format":"base64"}`)
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Data  []struct{ Embedding []float32 }
		Usage embeddingUsage
	}
	var c struct{ Data []struct{ Embedding string } }
	if err := errors.Join(json.Unmarshal(floats, &f), json.Unmarshal(coded, &c)); err != nil {
		t.Fatal(err)
	}
	if len(f.Data) != 2 || len(f.Data[0].Embedding) != 8 || f.Usage.TotalTokens == 0 {
		t.Fatalf("embeddings %s", floats)
	}
	for i := range f.Data {
		raw, err := base64.StdEncoding.DecodeString(c.Data[i].Embedding)
		if err != nil || !bytes.Equal(raw, littleEndian(f.Data[i].Embedding)) {
			t.Errorf("vector %d differs between the formats: %v", i, err)
		}
	}
}

func TestErrors(t *testing.T) {
	url := start(t, New(Config{}))
	f := func(path, body string, status int, code string, header ...string) {
		t.Helper()
		resp, b, err := post(t, url+path, body, header...)
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Error apiError }
		json.Unmarshal(b, &e)
		if resp.StatusCode != status || e.Error.Code != code {
			t.Errorf("%s %s: status %d, code %q", path, body, resp.StatusCode, e.Error.Code)
		}
	}
	chat := func(model string) string {
		return `{"model":"` + model + `","messages":[{"role":"user","content":"x"}]}`
	}
	f("/v1/chat/completions", chat("fake-err-429"), 429, "rate_limit_exceeded")
	f("/v1/chat/completions", chat("fake-err-404"), 404, "model_not_found")
	f("/v1/chat/completions", chat("fake-err-x"), 500, "fake_error")
	f("/v1/chat/completions", chat("fake-retry-503"), 503, "rate_limit_exceeded")
	f("/v1/chat/completions", chat("fake-retry-503"), 200, "", "x-stainless-retry-count", "1")
	f("/v1/chat/completions", `{"model":`, 400, "invalid_json")
	f("/v1/chat/completions", `{}`, 400, "missing_required_parameter")
	f("/v1/chat/completions", `{"model":"gpt-4o"}`, 400, "missing_required_parameter")
	f("/v1/embeddings", `{"model":"m","input":{}}`, 400, "invalid_type")
	f("/v1/nothing", `{}`, 404, "unknown_url")
}

func TestCut(t *testing.T) {
	url := start(t, New(Config{}))
	f := func(model, more string, want error) {
		t.Helper()
		_, b, err := post(t, url+"/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"x"}]`+more+`}`)
		if !errors.Is(err, want) {
			t.Errorf("%s%s: error %v after %q", model, more, err, b)
		}
	}
	f("fake-cut", "", io.ErrUnexpectedEOF)
	f("fake-cut", `,"stream":true`, io.ErrUnexpectedEOF)
	f("fake-reset", `,"stream":true`, syscall.ECONNRESET)
}

// TestGate holds a stream after two events and sees that no third one came.
func TestGate(t *testing.T) {
	reached, release := make(chan int), make(chan struct{})
	url := start(t, New(Config{Gate: func(_ string, n int) {
		if n == 2 {
			reached <- n
			<-release
		}
	}}))
	resp, err := http.Post(url+"/v1/chat/completions", "", strings.NewReader(`{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-reached
	close(release)
	b, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.HasSuffix(b, []byte("data: [DONE]\n\n")) {
		t.Errorf("stream ends %v: %q", err, b)
	}
}

func TestDeterministic(t *testing.T) {
	ask := func() []byte {
		url := start(t, New(Config{}))
		_, b, err := post(t, url+"/v1/chat/completions", `{"model":"gpt-4o","messages":[{"role":"user","content":"x"}],`+weather+`}`)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if a, b := ask(), ask(); !bytes.Equal(a, b) {
		t.Errorf("two servers answer differently:\n%s\n%s", a, b)
	}
}

// writeRecording makes a recording of the same form as the shared ones.
func writeRecording(t *testing.T, root, name, file, body string) {
	t.Helper()
	dir := filepath.Join(root, name)
	meta := `{"provider":"openai","request":{"method":"POST","host":"api.openai.com","target":"/v1/chat/completions"},
		"response":{"status":200,"headers":["x-one: 1","Content-Type: text/event-stream","x-one: 2"],"body_file":"` + file + `"}}`
	if err := errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "exchange.json"), []byte(meta), 0o644),
		os.WriteFile(filepath.Join(dir, file), []byte(body), 0o644),
	); err != nil {
		t.Fatal(err)
	}
}

func TestReplay(t *testing.T) {
	root := t.TempDir()
	const body = "data: one\r\n\r\n: comment\n\ndata: two"
	writeRecording(t, root, "s", "response.body.sse", body)
	writeRecording(t, root, "j", "response.body.json", body)
	url := start(t, NewReplay(root))
	f := func(p Play, want string, wantErr error) {
		t.Helper()
		resp, b, err := post(t, url+"/v1/chat/completions", "{}", ReplayHeader, p.Header(), "Accept-Encoding", "gzip")
		if !errors.Is(err, wantErr) {
			t.Fatalf("%+v: %v", p, err)
		}
		if p.Gzip {
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil || resp.Header.Get("Content-Encoding") != "gzip" {
				t.Fatalf("%+v: not gzip: %v", p, err)
			}
			if b, err = io.ReadAll(z); err != nil {
				t.Fatalf("%+v: %v", p, err)
			}
		}
		if string(b) != want {
			t.Errorf("%+v: got %q", p, b)
		}
		if got := resp.Header.Values("X-One"); len(got) != 2 {
			t.Errorf("%+v: header %v", p, resp.Header)
		}
	}
	for _, piece := range []int{0, 1, 7, 4096} {
		f(Play{Exchange: "s", Piece: piece}, body, nil)
		f(Play{Exchange: "j", Piece: piece}, body, nil)
		f(Play{Exchange: "s", Piece: piece, Gzip: true}, body, nil)
	}
	f(Play{Exchange: "s", Piece: 7, CutAfter: 10}, body[:10], io.ErrUnexpectedEOF)
	f(Play{Exchange: "j", Piece: 7, CutAfter: 10}, body[:10], io.ErrUnexpectedEOF)
	f(Play{Exchange: "s", Piece: 7, CutAfter: len(body)}, body, io.ErrUnexpectedEOF)
}

func TestReplayRefuses(t *testing.T) {
	url := start(t, NewReplay(t.TempDir()))
	f := func(header string, status int) {
		t.Helper()
		resp, b, err := post(t, url+"/", "{}", ReplayHeader, header)
		if err != nil || resp.StatusCode != status {
			t.Errorf("%q: %v, %s", header, err, b)
		}
	}
	f("", 400)
	f("../x", 400)
	f("..", 400)
	f("x; piece=many", 400)
	f("x; speed=1", 400)
	f("/etc", 400)
	f(".", 400)
	f("a/../../x", 400)
	f("nowhere", 404)
	f("set/nowhere", 404)
}

func TestSeen(t *testing.T) {
	seen := make(chan Request, 1)
	url := start(t, New(Config{Seen: func(r Request) { seen <- r }}))
	if _, _, err := post(t, url+"/v1/models?a=b%2F", "body", "x-odd", "yes"); err != nil {
		t.Fatal(err)
	}
	r := <-seen
	if r.Target != "/v1/models?a=b%2F" || r.Method != "POST" || string(r.Body) != "body" || !strings.Contains(r.Header, "X-Odd: yes\r\n") {
		t.Errorf("seen %+v", r)
	}
}

// FuzzRequest feeds hostile bodies to what the fake model reads: whatever can be
// decoded gets an answer that is valid JSON, event by event.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],` + weather + `}`))
	f.Add([]byte(`{"model":"fake-words-3","max_tokens":2,"n":3,"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"response_format":{"type":"json_schema","json_schema":{"schema":{"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"}]}}}}}}`))
	f.Add([]byte(`{"model":"m","prompt":[[1,2],[3]],"tools":[{}],"tool_choice":{"function":{"name":"x"}}}`))
	s := New(Config{})
	f.Fuzz(func(t *testing.T, body []byte) {
		var r chatRequest
		if json.Unmarshal(body, &r) != nil || r.N > 8 {
			return
		}
		b := behave(r.Model)
		b.words = min(b.words, 100)
		a := s.answer(&r, b, s.newID(body))
		for _, e := range append(a.chatEvents(&r, b), a.completionEvents(&r)...) {
			if e != "[DONE]" && !json.Valid([]byte(e)) {
				t.Fatalf("event %q is not JSON", e)
			}
		}
	})
}

// FuzzPlay: what Header writes is what is read, and no name leads out of the root.
func FuzzPlay(f *testing.F) {
	f.Add("a; piece=7; cut=3; gzip=true")
	f.Add("../a; piece=x")
	f.Add("a/..")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePlay(s)
		if err != nil {
			return
		}
		if !strings.HasPrefix(filepath.Join("/root", p.Exchange), "/root/") {
			t.Errorf("%q names %q", s, p.Exchange)
		}
		if again, err := parsePlay(p.Header()); err != nil || again != p {
			t.Errorf("%q is read as %+v, then as %+v, %v", s, p, again, err)
		}
	})
}
