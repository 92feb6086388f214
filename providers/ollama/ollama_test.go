package ollama_test

import (
	"flag"
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

// seeds are the fixtures, and some small recordings where there are any.
func seeds(f *testing.F) ([]providerstest.Fixture, []providerstest.Recording) {
	fs, _ := providerstest.Fixtures(f, nil)
	return fs, providerstest.SmallRecordings(f, 8<<10, spoken)
}

func FuzzResponse(f *testing.F) {
	fs, rs := seeds(f)
	providerstest.FuzzResponse(f, dialect, fs, rs, "application/x-ndjson", "application/json")
}

func FuzzRequest(f *testing.F) {
	fs, rs := seeds(f)
	providerstest.FuzzRequest(f, dialect, fs, rs)
}
