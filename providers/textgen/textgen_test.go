package textgen_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/textgen"
)

var update = flag.Bool("update", false, "rewrite the golden calls in testdata")

// The guest is a stand-in: two dialects do not know each other. That the real one is
// read as a guest is tested where it is wired, in package providers.
var wired = textgen.Dialect{Chat: textgen.Guest{
	ReadRequest: func(c *llm.Call, x *llm.Exchange) error {
		if x.Request.Truncated {
			c.Problems = append(c.Problems, "cut")
		}
		c.Kind, c.Operation = llm.KindLLM, "as at "+x.UpstreamTarget
		return nil
	},
	NewReader: func(x *llm.Exchange) textgen.Reading { return &standIn{x.UpstreamTarget} },
}}

type standIn struct{ target string }

func (*standIn) Wrote([]byte, time.Time) {}

func (s *standIn) Finish(c *llm.Call, x *llm.Exchange) error {
	c.ResponseID = s.target + " " + x.UpstreamTarget
	if x.Status >= 400 {
		c.ErrorType = "refused"
	}
	return nil
}

var dialect = providerstest.Dialect{
	ReadRequest: wired.ReadRequest,
	NewReader:   func(x *llm.Exchange) providerstest.Reader { return wired.NewReader(x) },
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
	return (r.Provider == "watsonx" || r.Provider == "replicate") && !strings.Contains(path, "/chat") ||
		r.Provider == "huggingface" && !strings.Contains(path, "/v1/")
}

func TestRecordings(t *testing.T) {
	providerstest.Judge(t, dialect, spoken, func(c *llm.Call, r providerstest.Recording) []string {
		return append(providerstest.Compare(c, r.Expected), providerstest.Figures(r.Expected, map[string]func() (int64, bool){
			"input": c.Usage.Input, "output": c.Usage.Output,
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
	providerstest.FuzzResponse(f, dialect, fs, rs, "text/event-stream", "application/json")
}

func FuzzRequest(f *testing.F) {
	fs, rs := seeds(f)
	providerstest.FuzzRequest(f, dialect, fs, rs)
}
