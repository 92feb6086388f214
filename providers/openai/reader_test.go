package openai_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/openai"
)

var begin = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// timed is a piece and when it came.
type timed struct {
	after time.Duration
	piece string
}

func watch(t *testing.T, x *llm.Exchange, pieces ...timed) *llm.Call {
	t.Helper()
	r := openai.Dialect{}.NewReader(x)
	for _, p := range pieces {
		r.Wrote([]byte(p.piece), begin.Add(p.after))
	}
	c := &llm.Call{}
	if err := (openai.Dialect{}).ReadRequest(c, x); err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(c, x); err != nil {
		t.Fatal(err)
	}
	return c
}

func delta(fields string) string {
	return `data: {"id":"c","model":"m","choices":[{"index":0,"delta":{` + fields + `},"finish_reason":null}]}` + "\n\n"
}

const finished = `data: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"

// The first token is the first piece that says something: no role, no ping, no
// empty text (wire reference, section 4.3).
func TestFirstTokenAndRhythm(t *testing.T) {
	ms := time.Millisecond
	c := watch(t, streamExchange(),
		timed{100 * ms, ": ping\n\n"},
		timed{150 * ms, `data: {"choices":[],"prompt_filter_results":[]}` + "\n\n"},
		timed{200 * ms, delta(`"role":"assistant","content":""`)},
		timed{250 * ms, delta(`"content":null`)},
		timed{300 * ms, delta(`"reasoning":"a"`)},
		timed{310 * ms, delta(`"content":"b"`)},
		timed{350 * ms, ": ping\n\n"},
		timed{410 * ms, delta(`"content":"c"`)},
		timed{420 * ms, delta(`"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":""}}]`)},
		timed{430 * ms, finished}, timed{440 * ms, doneMark},
	)
	if got := c.FirstToken.Sub(begin); got != 300*ms {
		t.Errorf("first token after %v", got)
	}
	want := llm.Chunks{Count: 4, GapMean: 40 * ms, GapP95: 100 * ms, GapMax: 100 * ms}
	if c.Chunks != want {
		t.Errorf("chunks %+v, want %+v", c.Chunks, want)
	}
	for _, p := range []string{`"refusal":"no"`, `"tool_calls":[{"index":0,"function":{"arguments":"{"}}]`, `"function_call":{"name":"f"}`, `"audio":{"transcript":"hm"}`} {
		if c := watch(t, streamExchange(), timed{ms, delta(p)}); c.FirstToken.IsZero() {
			t.Errorf("%s is no token", p)
		}
	}
}

// Long streams keep their quantiles within a bucket's width.
func TestRhythmOfALongStream(t *testing.T) {
	var pieces []timed
	at := time.Duration(0)
	for i := range 20_000 {
		at += 10 * time.Millisecond
		if i%10 == 9 {
			at += 190 * time.Millisecond
		}
		pieces = append(pieces, timed{at, delta(`"content":"a"`)})
	}
	c := watch(t, streamExchange(), pieces...).Chunks
	if c.Count != 20_000 || c.GapMax != 200*time.Millisecond {
		t.Errorf("%+v", c)
	}
	if d := c.GapP95 - 200*time.Millisecond; d > 0 || d < -25*time.Millisecond {
		t.Errorf("p95 %v", c.GapP95)
	}
	if d := c.GapMean - 29*time.Millisecond; d.Abs() > 100*time.Microsecond {
		t.Errorf("mean %v", c.GapMean)
	}
}

// Under a content-encoding a stream is read afterwards, with the times at which
// its bytes came.
func TestFirstTokenUnderGzip(t *testing.T) {
	x := streamExchange()
	x.ResponseHeader = llm.Header("Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n")
	pieces, flush := gzipped(t)
	all := []timed{
		{100 * time.Millisecond, pieces(delta(`"role":"assistant","content":""`))},
		{300 * time.Millisecond, pieces(delta(`"content":"a"`))},
		{500 * time.Millisecond, pieces(delta(`"content":"b"`) + finished + doneMark)},
		{501 * time.Millisecond, flush()},
	}
	c := watch(t, x, all...)
	if got := c.FirstToken.Sub(begin); got != 300*time.Millisecond || c.Chunks.GapMax != 200*time.Millisecond || c.Output[0].Parts[0].Content != "ab" {
		t.Errorf("first token after %v, %+v", got, c)
	}
	if c := watch(t, x, all[:2]...); c.Output[0].Parts[0].Content != "a" || len(c.Problems) != 1 || !strings.Contains(c.Problems[0], "gzip") {
		t.Errorf("cut: %+v", c)
	}
}

func TestUnknownEncodingIsSaid(t *testing.T) {
	x := streamExchange()
	x.ResponseHeader = llm.Header("Content-Encoding: klingon\r\n")
	c := watch(t, x, timed{0, "qapla'"})
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0], "klingon") {
		t.Errorf("%q", c.Problems)
	}
}

func TestEndOfStreams(t *testing.T) {
	f := func(ended llm.End, body, finish string, incomplete, problem bool) {
		t.Helper()
		x := streamExchange()
		x.Ended = ended
		c := watch(t, x, timed{0, body})
		_, marked := find(c, "spanwire.stream.incomplete")
		if c.Output[0].FinishReason != finish || marked != incomplete || (len(c.Problems) > 0) != problem {
			t.Errorf("%s %.60q: finish %q, incomplete %v, problems %q", ended, body, c.Output[0].FinishReason, marked, c.Problems)
		}
	}
	text := delta(`"content":"a"`)
	f(llm.EndComplete, text+finished+doneMark, "stop", false, false)
	f(llm.EndComplete, text+finished, "stop", false, false) // vendors without an end mark
	f(llm.EndComplete, text+doneMark, "stop", false, false) // vendors without a reason
	f(llm.EndComplete, text, "error", true, false)          // cut with clean framing
	f(llm.EndUpstreamCut, text, "error", false, true)
	f(llm.EndClientGone, text, "error", false, true)
	f(llm.EndTimeout, text+finished, "stop", false, false)
}

func find(c *llm.Call, key string) (any, bool) {
	for _, a := range c.Attrs {
		if a.Key == key {
			return a.Value, true
		}
	}
	return nil, false
}

func TestPartialUsageOfACutStream(t *testing.T) {
	body := `data: {"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}` + "\n\n"
	x := streamExchange()
	x.Ended = llm.EndClientGone
	if c := watch(t, x, timed{0, body}); c.Usage.Source != llm.UsagePartial {
		t.Errorf("source %q", c.Usage.Source)
	}
	if c := watch(t, streamExchange(), timed{0, body + finished}); c.Usage.Source != llm.UsageReported {
		t.Errorf("source %q", c.Usage.Source)
	}
}

// The body decides, and not what the head calls it (wire reference, section 3.1).
func TestSniffing(t *testing.T) {
	f := func(contentType, body, want string) {
		t.Helper()
		x := streamExchange()
		x.ResponseHeader = llm.Header("Content-Type: " + contentType + "\r\n")
		for _, n := range []int{1, 4096} {
			var pieces []timed
			for _, p := range providerstest.Cut([]byte(body), n) {
				pieces = append(pieces, timed{0, string(p)})
			}
			c := watch(t, x, pieces...)
			got := c.ErrorType
			if len(c.Output) > 0 {
				got = c.Output[0].Parts[0].Content
			}
			if got != want {
				t.Errorf("%s %q: %q, want %q", contentType, body, got, want)
			}
		}
	}
	const plain = `{"choices":[{"index":0,"message":{"content":"p"},"finish_reason":"stop"}]}`
	f("application/json", plain, "p")
	f("text/event-stream", "\n "+plain, "p")
	f("text/event-stream", `{"error":{"code":"bad","message":"m"}}`, "bad")
	f("application/json", delta(`"content":"s"`), "s")
	f("", "\r\n: c\n\n"+delta(`"content":"s"`), "s")
	f("text/event-stream;charset=UTF-8", "\xef\xbb\xbf"+delta(`"content":"s"`), "s")
	f("text/plain", "data center on fire", "")
}

// A surrogate pair that is cut in two by its chunks is one character.
func TestEscapesAcrossChunks(t *testing.T) {
	c := watch(t, streamExchange(), timed{0, delta(`"content":"a\ud83d"`) + delta(`"content":"\ude00\u00e9\n\"\\"`) + delta(`"content":"\\n\ud800"`) + doneMark})
	if got := c.Output[0].Parts[0].Content; got != "a😀é\n\"\\\\n\ufffd" {
		t.Errorf("%q", got)
	}
}

// Matching a chunk against the one before reads what walking through it reads.
func TestTemplatesReadTheSame(t *testing.T) {
	same := func(frames ...string) {
		t.Helper()
		var quick, slow strings.Builder
		for i, f := range frames {
			quick.WriteString("data: " + f + "\n\n")
			fmt.Fprintf(&slow, "data: {\"x_%d\":%d,%s\n\n", i, i, f[1:]) // never twice the same frame
		}
		a := watch(t, streamExchange(), timed{0, quick.String()})
		b := watch(t, streamExchange(), timed{0, slow.String()})
		if a, b := providerstest.Show(a), providerstest.Show(b); a != b {
			t.Errorf("quick\n%s\nslow\n%s", a, b)
		}
	}
	c := func(index int, id, model, text, more string) string {
		return fmt.Sprintf(`{"id":%q,"model":%q,"choices":[{"index":%d,"delta":{"content":"%s"},"finish_reason":null}]%s}`, id, model, index, text, more)
	}
	same(c(0, "i", "m", "a", ""), c(0, "i", "m", "", ""), c(0, "i", "m", `\"`, ""), c(0, "i", "m", `}]}`, ""), c(0, "i", "m", `\\`, ""))
	same(c(0, "i", "m", "a", ""), c(1, "i", "m", "b", ""), c(2, "i", "m", "c", ""), c(0, "i", "m", "d", ""), c(1, "i", "m", "e", ""))
	same(c(0, "i", "m", "a", ""), c(0, "i", "n", "b", ""), c(0, "i", "m", "c", ""), c(0, "j", "m", "d", ""), c(0, "i", "m", "e", ""))
	same(c(0, "i", "m", "a", `,"obfuscation":"xy"`), c(0, "i", "m", "b", `,"obfuscation":"z"`), c(0, "i", "m", "c", `,"obfuscation":"\"","usage":{"prompt_tokens":1}`), c(0, "i", "m", "d", `,"obfuscation":""`))
	same(c(0, "i", "m", "a", `,"p":"xy","usage":null`), c(0, "i", "m", "b", `,"p":"z","usage":null`), c(0, "i", "m", "c", `,"p":"z","usage":{"prompt_tokens":1}`))
	same(c(0, "i", "m", "a", `,"usage":{"prompt_tokens":1}`), c(0, "i", "m", "b", `,"usage":{"prompt_tokens":2}`))
	r := func(name, text string) string {
		return fmt.Sprintf(`{"choices":[{"delta":{%q:%q},"index":0}],"id":"i"}`, name, text)
	}
	same(r("reasoning_content", "a"), r("reasoning_content", "b"), r("content", "c"), r("refusal", "d"), r("refusal", "e"), r("content", "f"), r("reasoning", "g"))
	same(`{"choices":[{"index":0,"text":"a"}]}`, `{"choices":[{"index":0,"text":"b"}]}`, `{"choices":[{"index":0,"text":"b","delta":{"content":"b"}}]}`)
	same(`{"choices":[{"index":0,"delta":{"content":"a","reasoning":"b"}}]}`, `{"choices":[{"index":0,"delta":{"content":"c","reasoning":"b"}}]}`)
	same(`{"obfuscation":"q","choices":[{"index":0,"delta":{"content":"a"}}]}`, `{"obfuscation":"r","choices":[{"index":0,"delta":{"content":"b"}}]}`)
}

// Memory is bounded whatever a response does.
func TestMemoryIsBounded(t *testing.T) {
	f := func(name string, head string, piece func(i int) string, n int, most uint64) {
		t.Helper()
		x := streamExchange()
		x.ResponseHeader = llm.Header(head)
		r := openai.Dialect{}.NewReader(x)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range n {
			r.Wrote([]byte(piece(i)), begin)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if held := after.HeapAlloc - min(after.HeapAlloc, before.HeapAlloc); held > most {
			t.Errorf("%s: %d bytes held", name, held)
		}
		c := &llm.Call{}
		if err := r.Finish(c, x); err != nil {
			t.Fatal(err)
		}
		if len(c.Problems) == 0 {
			t.Errorf("%s: nobody is told what was left out", name)
		}
	}
	const sse = "Content-Type: text/event-stream\r\n"
	text := strings.Repeat("x", 1000)
	f("text", sse, func(int) string { return delta(`"content":"` + text + `"`) }, 10_000, 3<<20)
	f("one endless event", sse, func(int) string { return "data: " + text }, 20_000, 3<<20)
	f("endless choices", sse, func(i int) string {
		return fmt.Sprintf("data: {\"choices\":[{\"index\":%d,\"delta\":{\"content\":\"a\"}}]}\n\n", i)
	}, 20_000, 1<<20)
	f("endless calls", sse, func(i int) string {
		return delta(fmt.Sprintf(`"tool_calls":[{"index":%d,"id":"%d","function":{"name":"%s","arguments":"{}"}}]`, i, i, text))
	}, 20_000, 2<<20)
	f("plain body", "", func(i int) string { return `{"a":"` + text + `",`[min(i, 1):] }, 10_000, 3<<20)
	f("compressed body", "Content-Encoding: gzip\r\n", func(i int) string { return "\x1f\x8b\x08" + text }, 20_000, 11<<20)
}

// The fixed cost of a stream is some kilobytes.
func TestStreamKeepsLittle(t *testing.T) {
	const streams = 200
	var before, after runtime.MemStats
	rs := make([]*openai.Reader, streams)
	chunk := []byte(longStream(1, false)[1])
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range rs {
		rs[i] = openai.Dialect{}.NewReader(streamExchange())
		for range 50 {
			rs[i].Wrote(chunk, begin)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (after.HeapAlloc - before.HeapAlloc) / streams; each > 8<<10 {
		t.Errorf("%d bytes a stream", each)
	}
	runtime.KeepAlive(rs)
}

func TestNoAllocationForAChunk(t *testing.T) {
	r := openai.Dialect{}.NewReader(streamExchange())
	for i, name := range []string{"text", "usage in each", "nothing new"} {
		chunk := []byte([]string{
			delta(`"content":""`), // text itself has to grow
			`data: {"id":"c","model":"m","choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}` + "\n\n",
			": ping\n\n" + delta(`"content":null`),
		}[i])
		r.Wrote(chunk, begin)
		if n := testing.AllocsPerRun(100, func() { r.Wrote(chunk, begin) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// A body past the bound leaves its beginning and its end.
func TestLargePlainAnswer(t *testing.T) {
	long := strings.Repeat(`\"usage\":{\"prompt_tokens\":1} `, 200_000)
	f := providerstest.Fixture{
		Target: "/v1/chat/completions", Request: []byte(`{"model":"m","messages":[]}`),
		Response: []byte(`{"id":"big","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"` + long + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16},"service_tier":"default"}`),
	}
	for _, n := range []int{1000, 65536, len(f.Response)} {
		c, err := dialect.Read(f.Exchange(), providerstest.Cut(f.Response, n)...)
		if err != nil {
			t.Fatal(err)
		}
		in, _ := c.Usage.Input()
		if c.ResponseID != "big" || c.ResponseModel != "m-1" || in != 7 || c.Usage.Tier != "default" || len(c.Problems) == 0 {
			t.Errorf("pieces of %d: %q %q %d %q %q", n, c.ResponseID, c.ResponseModel, in, c.Usage.Tier, c.Problems)
		}
		if got := c.Output[0].Parts[0].Content; len(got) < 500_000 || !strings.HasPrefix(got, `"usage":{"prompt_tokens":1} `) {
			t.Errorf("pieces of %d: %d bytes of text", n, len(got))
		}
	}
}

// Five megabytes of vectors are counted, and their frame is read to its end.
func TestLargeEmbeddings(t *testing.T) {
	vector := "[" + strings.Repeat("-0.0039325873,", 1535) + "1]"
	var data []string
	for i := range 200 {
		data = append(data, fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":%s}`, i, vector))
	}
	f := providerstest.Fixture{
		Target: "/v1/embeddings", Request: []byte(`{"model":"m","input":["a"]}`),
		Response: []byte(`{"object":"list","data":[` + strings.Join(data, ",") + `],"model":"e-1","usage":{"prompt_tokens":7,"total_tokens":7}}`),
	}
	for _, n := range []int{1000, 4096, len(f.Response)} {
		c, err := dialect.Read(f.Exchange(), providerstest.Cut(f.Response, n)...)
		if err != nil {
			t.Fatal(err)
		}
		in, _ := c.Usage.Input()
		count, _ := find(c, "spanwire.embeddings.count")
		size, _ := find(c, "gen_ai.embeddings.dimension.count")
		if in != 7 || c.ResponseModel != "e-1" || count != int64(200) || size != int64(1536) || len(c.Problems) > 0 {
			t.Errorf("pieces of %d: %d in, %q, %v of %v, %q", n, in, c.ResponseModel, count, size, c.Problems)
		}
	}
}

// seeds are the fixtures, and some small recordings where there are any.
func seeds(f *testing.F) ([]providerstest.Fixture, []providerstest.Recording) {
	fs, _ := providerstest.Fixtures(f, nil)
	return fs, providerstest.SmallRecordings(f, 8<<10, func(r providerstest.Recording) bool {
		return (spoken(r) || ofOpenAI(r)) && len(r.Request) <= 8<<10
	})
}

func FuzzResponse(f *testing.F) {
	fs, rs := seeds(f)
	providerstest.FuzzResponse(f, dialect, fs, rs, "text/event-stream")
}

func FuzzRequest(f *testing.F) {
	fs, rs := seeds(f)
	providerstest.FuzzRequest(f, dialect, fs, rs)
}
