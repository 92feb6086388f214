package cohere_test

import (
	"flag"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/cohere"
)

var update = flag.Bool("update", false, "rewrite the golden calls in testdata")

var dialect = providerstest.Dialect{
	ReadRequest: cohere.Dialect{}.ReadRequest,
	NewReader:   func(x *llm.Exchange) providerstest.Reader { return cohere.Dialect{}.NewReader(x) },
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
	path, _, _ := strings.Cut(r.Target, "?")
	return r.Provider == "cohere" && !strings.Contains(path, "/compatibility/") || strings.HasSuffix(path, "/rerank")
}

func TestRecordings(t *testing.T) {
	providerstest.Judge(t, dialect, spoken, func(c *llm.Call, r providerstest.Recording) []string {
		in, out := "billed_input", "billed_output"
		if _, ok := r.Expected.Figures["total"]; ok { // those that copy rerank
			in, out = "total", "output"
		}
		return append(providerstest.Compare(c, r.Expected), providerstest.Figures(r.Expected, map[string]func() (int64, bool){
			in: c.Usage.Input, out: c.Usage.Output,
			"search_units": func() (int64, bool) { return c.Usage.Get(llm.SearchUnits) },
			"reasoning":    func() (int64, bool) { return c.Usage.Get(llm.Reasoning) },
		})...)
	})
}

// seeds are the fixtures, and some small recordings where there are any.
func seeds(f *testing.F) ([]providerstest.Fixture, []providerstest.Recording) {
	fs, _ := providerstest.Fixtures(f, nil)
	return fs, providerstest.SmallRecordings(f, 8<<10, spoken)
}

func FuzzResponse(f *testing.F) {
	fs, rs := seeds(f)
	providerstest.FuzzResponse(f, dialect, fs, rs, "text/event-stream", "application/stream+json", "application/json")
}

func FuzzRequest(f *testing.F) {
	fs, rs := seeds(f)
	providerstest.FuzzRequest(f, dialect, fs, rs)
}
