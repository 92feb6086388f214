package textgen_test

import (
	"bytes"
	"flag"
	"slices"
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

func FuzzResponse(f *testing.F) {
	fs, _ := providerstest.Fixtures(f, nil)
	for _, x := range fs {
		f.Add(x.Target, x.Response, uint8(7))
	}
	for _, r := range seeds(f) {
		f.Add(r.Target, r.Response, uint8(33))
	}
	f.Fuzz(func(t *testing.T, target string, body []byte, n uint8) {
		for _, media := range []string{"text/event-stream", "application/json"} {
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
		_ = wired.ReadRequest(c, x)
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
