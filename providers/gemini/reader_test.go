package gemini_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/gemini"
)

// A key in the query is never kept, whatever is said of the call.
func TestKeyOfTheQueryIsNotKept(t *testing.T) {
	fs, _ := providerstest.Fixtures(t, nil)
	for _, f := range fs {
		f.Target += "?key=AIzaNotAKey0000"
		c, err := dialect.Read(f.Exchange(), f.Response)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(providerstest.Show(c), "NotAKey") {
			t.Errorf("%s: %s", f.Name, providerstest.Show(c))
		}
	}
}

// Matching a chunk against the one before reads what walking through it reads.
func TestTemplatesReadTheSame(t *testing.T) {
	same := func(frames ...string) {
		t.Helper()
		var quick, slow strings.Builder
		for i, f := range frames {
			quick.WriteString("data: " + f + "\r\n\r\n")
			fmt.Fprintf(&slow, "data: {\"x_%d\":%d,%s\r\n\r\n", i, i, f[1:]) // never twice the same frame
		}
		read := func(body string) string {
			x := streamExchange()
			c, err := dialect.Read(x, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			return providerstest.Show(c)
		}
		if a, b := read(quick.String()), read(slow.String()); a != b {
			t.Errorf("quick\n%s\nslow\n%s", a, b)
		}
	}
	c := func(index int, model, text, more string) string {
		return fmt.Sprintf(`{"candidates":[{"content":{"parts":[{"text":"%s"}],"role":"model"},"index":%d}],"usageMetadata":{"promptTokenCount":1%s},"modelVersion":%q}`, text, index, more, model)
	}
	same(c(0, "m", "a", ""), c(0, "m", "", ""), c(0, "m", `\"`, ""), c(0, "m", `}]}`, ""), c(0, "m", `\\`, ""))
	same(c(0, "m", "a", ""), c(1, "m", "b", ""), c(0, "m", "c", ""), c(1, "m", "d", ""))
	same(c(0, "m", "a", ""), c(0, "n", "b", ""), c(0, "m", "c", ""), c(0, "m", "d", ""))
	same(c(0, "m", "a", ""), c(0, "m", "b", `,"candidatesTokenCount":2`), c(0, "m", "c", `,"thoughtsTokenCount":3`), c(0, "m", "d", `},"y":{"a":1`))
	same(c(0, "m", "a", ""), c(0, "m", "b", `},"error":{"message":"no"`), c(0, "m", "c", ""))
	thought := `{"candidates":[{"content":{"parts":[{"text":"a","thought":true}]}}]}`
	plain := `{"candidates":[{"content":{"parts":[{"text":"b"}]}}]}`
	same(thought, thought, plain, plain, thought, plain)
	two := `{"candidates":[{"content":{"parts":[{"text":"a"},{"text":"b"}]}}]}`
	call := `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1}}}]}}]}`
	same(two, two, plain, call, plain, call, call)
	same(`{"usageMetadata":{"promptTokenCount":2},"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`, `{"usageMetadata":{"promptTokenCount":3},"candidates":[{"content":{"parts":[{"text":"b"}]}}]}`)
	end := `{"candidates":[{"content":{"parts":[{"text":"z"}]},"finishReason":"STOP"}]}`
	same(plain, end, plain, end)
}

// Memory is bounded whatever a response does.
func TestMemoryIsBounded(t *testing.T) {
	f := func(name string, piece func(i int) string, n int, most uint64) {
		t.Helper()
		x := streamExchange()
		r := gemini.Dialect{}.NewReader(x)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range n {
			r.Wrote([]byte(piece(i)), x.FirstByte)
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
	text := strings.Repeat("x", 1000)
	chunk := func(parts string) string {
		return `data: {"candidates":[{"content":{"parts":[` + parts + `]}}]}` + "\r\n\r\n"
	}
	f("text", func(int) string { return chunk(`{"text":"` + text + `"}`) }, 10_000, 4<<20)
	f("one endless event", func(int) string { return "data: " + text }, 20_000, 10<<20)
	f("endless candidates", func(i int) string {
		return fmt.Sprintf("data: {\"candidates\":[{\"index\":%d,\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n", i)
	}, 20_000, 1<<20)
	f("endless calls", func(i int) string {
		return chunk(fmt.Sprintf(`{"functionCall":{"name":"%d","args":{"a":"%s"}}}`, i, text))
	}, 20_000, 4<<20)
	f("endless pieces of arguments", func(i int) string {
		return chunk(fmt.Sprintf(`{"functionCall":{"name":"%s","partialArgs":[{"jsonPath":"$.a[%d].b","stringValue":"%s"}],"willContinue":true}}`, []string{"f", ""}[min(i, 1)], i, text))
	}, 20_000, 6<<20)
	f("endless code", func(i int) string { return chunk(`{"executableCode":{"code":"` + text + `"}}`) }, 20_000, 4<<20)
}

func TestNoAllocationForAChunk(t *testing.T) {
	x := streamExchange()
	r := gemini.Dialect{}.NewReader(x)
	chunk := fmt.Appendf(nil, chunkFrame, "", "", 1, 2)
	r.Wrote(chunk, x.FirstByte)
	if n := testing.AllocsPerRun(100, func() { r.Wrote(chunk, x.FirstByte) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Megabytes of vectors are counted, and their frame is read to its end.
func TestLargeEmbeddings(t *testing.T) {
	vector := `{"values":[` + strings.Repeat("-0.0039325873,", 3071) + "1]}"
	f := providerstest.Fixture{
		Target: "/v1beta/models/gemini-embedding-001:batchEmbedContents", Request: []byte(`{"requests":[]}`),
		Response: []byte(`{"embeddings":[` + strings.TrimSuffix(strings.Repeat(vector+",", 100), ",") + `],"usageMetadata":{"promptTokenCount":7}}`),
	}
	for _, n := range []int{1000, 4096, len(f.Response)} {
		c, err := dialect.Read(f.Exchange(), providerstest.Cut(f.Response, n)...)
		if err != nil {
			t.Fatal(err)
		}
		in, _ := c.Usage.Input()
		if in != 7 || attr(c, "spanwire.embeddings.count") != int64(100) || attr(c, "gen_ai.embeddings.dimension.count") != int64(3072) || len(c.Problems) > 0 {
			t.Errorf("pieces of %d: %s", n, providerstest.Show(c))
		}
	}
}

// An image of megabytes in one event is told by its size, and the usage behind it
// is read.
func TestLargeImageInAStream(t *testing.T) {
	image := strings.Repeat("iVBORw0KGgo", 400_000)
	body := []byte(`data: {"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"` + image + `"}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1290,"totalTokenCount":1297}}` + "\r\n\r\n")
	c, err := dialect.Read(streamExchange(), providerstest.Cut(body, 16<<10)...)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := c.Usage.Output()
	if len(c.Output) != 1 || len(c.Output[0].Parts) != 1 || c.Output[0].Parts[0].Size != int64(len(image)) || out != 1290 || len(c.Problems) > 0 {
		t.Error(providerstest.Show(c))
	}
}

// seeds are the fixtures, and some small recordings where there are any.
func seeds(f *testing.F) ([]providerstest.Fixture, []providerstest.Recording) {
	fs, _ := providerstest.Fixtures(f, nil)
	return fs, providerstest.SmallRecordings(f, 8<<10, func(r providerstest.Recording) bool {
		return (spoken(r) || counting(r)) && len(r.Request) <= 8<<10
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
