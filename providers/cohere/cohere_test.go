package cohere_test

import (
	"bytes"
	"flag"
	"slices"
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

func FuzzResponse(f *testing.F) {
	fs, _ := providerstest.Fixtures(f, nil)
	for _, x := range fs {
		f.Add(x.Target, x.Response, uint8(7))
	}
	for _, r := range seeds(f) {
		f.Add(r.Target, r.Response, uint8(33))
	}
	f.Fuzz(func(t *testing.T, target string, body []byte, n uint8) {
		for _, media := range []string{"text/event-stream", "application/stream+json", "application/json"} {
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
		_ = cohere.Dialect{}.ReadRequest(c, x)
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
