package tracing_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/tracing"
)

func printed(t *testing.T, calls ...*llm.Call) string {
	t.Helper()
	var out bytes.Buffer
	tr := start(t, quick(tracing.Exporter{Type: "stdout"}), tracing.Settings{Stdout: &out})
	consume(t, tr, calls...)
	closeNow(t, tr)
	return out.String()
}

// TestReadable shows what people see of the golden calls.
func TestReadable(t *testing.T) {
	all := goldenCalls()
	var calls []*llm.Call
	for _, name := range []string{"chat", "stream", "embeddings", "error", "cut", "metadata", "off", "http"} {
		c := all[name]
		c.Start, c.FirstByte, c.FirstToken, c.End = c.Start.Local(), c.FirstByte.Local(), c.FirstToken.Local(), c.End.Local()
		calls = append(calls, c)
	}
	got := printed(t, calls...)
	// The clock is that of the reader; the rest is the same everywhere.
	for _, c := range calls {
		got = strings.ReplaceAll(got, c.Start.Local().Format("15:04:05.000"), "hh:mm:ss.mmm")
	}
	path := filepath.Join("testdata", "stdout.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the text differs from %s (-update rewrites it):\n%s", path, got)
	}
}

// TestTerminalIsSafe shows that what a model or a caller writes cannot steer the
// reader's terminal, and that one call cannot fill the screen.
func TestTerminalIsSafe(t *testing.T) {
	for _, c := range sinktest.Hostile() {
		evil := "\x1b]0;title\x07\x9b2J\u202eabc\r\nnew line"
		c.RequestModel, c.ErrorMessage, c.Attribution.Team, c.Cost.Price, c.Attribution.Tags = evil, evil, evil, evil, []string{evil}
		c.Output = []llm.Message{{Role: evil, Parts: []llm.Part{{Type: llm.PartToolCall, Name: evil, Arguments: evil}, {Type: evil}}}}
		out := printed(t, c)
		for _, r := range out {
			if r != '\n' && (!unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r)) {
				t.Fatalf("the text holds %U: %q", r, out)
			}
		}
		if n := strings.Count(out, "\n"); n > 10 || len(out) > 5000 {
			t.Errorf("one call is %d lines, %d bytes", n, len(out))
		}
	}
}
