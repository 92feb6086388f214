package ollama_test

import (
	"bytes"
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/ollama"
)

var update = flag.Bool("update", false, "rewrite the golden calls in testdata")

var dialect = providerstest.Dialect{
	ReadRequest: ollama.Dialect{}.ReadRequest,
	NewReader:   func(x *llm.Exchange) providerstest.Reader { return ollama.Dialect{}.NewReader(x) },
}

func TestGolden(t *testing.T) {
	fs, golden := providerstest.Fixtures(t, nil)
	providerstest.Golden(t, dialect, fs, golden, *update)
}

func TestSuite(t *testing.T) {
	fs, _ := providerstest.Fixtures(t, nil)
	providerstest.Run(t, dialect, fs)
}

func spoken(r providerstest.Recording) bool {
	return strings.HasPrefix(r.Target, "/api/") && r.Provider == "ollama"
}

func TestRecordings(t *testing.T) {
	providerstest.Judge(t, dialect, spoken, func(c *llm.Call, r providerstest.Recording) []string {
		return append(providerstest.Compare(c, r.Expected), providerstest.Figures(r.Expected, map[string]func() (int64, bool){
			"input": c.Usage.Input, "output": c.Usage.Output, "cache_read": c.Usage.CacheReads,
		})...)
	})
}

// A million numbers of an embeddings answer are counted, and the usage behind them
// is read.
func TestLargeEmbeddings(t *testing.T) {
	vector := "[" + strings.Repeat("-0.0039325873,", 1535) + "1]"
	f := providerstest.Fixture{
		Target: "/api/embed", Request: []byte(`{"model":"m","input":["a"]}`),
		Response: []byte(`{"model":"m","embeddings":[` + vector + strings.Repeat(","+vector, 199) + `],"prompt_eval_count":7}`),
	}
	for _, n := range []int{1000, len(f.Response)} {
		c, err := dialect.Read(f.Exchange(), providerstest.Cut(f.Response, n)...)
		if err != nil {
			t.Fatal(err)
		}
		in, _ := c.Usage.Input()
		attrs := map[string]any{}
		for _, a := range c.Attrs {
			attrs[a.Key] = a.Value
		}
		if in != 7 || attrs["spanwire.embeddings.count"] != int64(200) || attrs["gen_ai.embeddings.dimension.count"] != int64(1536) || len(c.Problems) > 0 {
			t.Errorf("pieces of %d: %d in, %v, %q", n, in, attrs, c.Problems)
		}
	}
}

func TestErrorBody(t *testing.T) {
	if got := string(ollama.Dialect{}.ErrorBody(502, "x", `no "way"`)); got != `{"error":"no \"way\""}` {
		t.Error(got)
	}
}

func FuzzResponse(f *testing.F) {
	fs, _ := providerstest.Fixtures(f, nil)
	for _, x := range fs {
		f.Add(x.Target, x.Response, uint8(7))
	}
	for _, r := range seeds(f) {
		f.Add(r.Target, r.Response, uint8(33))
	}
	f.Fuzz(func(t *testing.T, target string, body []byte, n uint8) {
		for _, media := range []string{"application/x-ndjson", "application/json"} {
			x := providerstest.Fixture{Target: target, ResponseHeader: llm.Header("Content-Type: " + media + "\r\n"), Response: body}.Exchange()
			whole, err := dialect.Read(x, body)
			if err != nil {
				t.Fatal(err)
			}
			cut, err := dialect.Read(x, providerstest.Cut(body, int(n)+1)...)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := providerstest.Show(whole), providerstest.Show(cut); a != b {
				t.Fatalf("pieces of %d:\n%s\nwhole:\n%s", int(n)+1, b, a)
			}
		}
	})
}

func FuzzRequest(f *testing.F) {
	fs, _ := providerstest.Fixtures(f, nil)
	for _, x := range fs {
		f.Add(x.Target, x.Request, len(x.Request)/2)
	}
	for _, r := range seeds(f) {
		f.Add(r.Target, r.Request, 0)
	}
	f.Fuzz(func(t *testing.T, target string, body []byte, head int) {
		x := providerstest.Fixture{Target: target, Request: body}.Exchange()
		x.Request.Truncated, x.Request.Head = head != 0, head
		before := bytes.Clone(body)
		c := &llm.Call{}
		_ = ollama.Dialect{}.ReadRequest(c, x)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		if shown := providerstest.Show(c); strings.HasPrefix(shown, "not representable") {
			t.Fatal(shown)
		}
	})
}

// seeds are some small recordings, where there are any.
func seeds(f *testing.F) []providerstest.Recording {
	if !providerstest.HasRecordings(f) {
		return nil
	}
	return slices.DeleteFunc(providerstest.Recordings(f, spoken), func(r providerstest.Recording) bool { return len(r.Response) > 8<<10 })
}
