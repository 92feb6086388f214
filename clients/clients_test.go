// Package clients drives the official SDKs through the proxy, with the base URL
// changed and nothing else, and compares what they told their users with what
// the spans say. It is a module of its own, for tests alone: the product does
// not depend on anybody's SDK.
package clients

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

// installed says where clients/setup put the SDKs.
var installed struct{ python, node string }

func TestMain(m *testing.M) {
	if err := install(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if bin, err := buildProxy(); err == nil {
		os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

func install() error {
	cmd := exec.Command("./setup")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("install the SDKs with clients/setup: %w", err)
	}
	for line := range strings.Lines(out.String()) {
		switch what, where, _ := strings.Cut(strings.TrimSpace(line), ": "); what {
		case "python":
			installed.python = filepath.Join(where, "bin", "python")
		case "node":
			installed.node = where
		}
	}
	return nil
}

func TestClients(t *testing.T) {
	var table matrix
	for _, c := range []client{
		{"Go", goSDK},
		{"Python", script(func() *exec.Cmd { return exec.Command(installed.python, "python/client.py") })},
		{"Node", script(nodeCommand)},
	} {
		t.Run(c.name, func(t *testing.T) { table.add(runClient(t, c)) })
	}
	fmt.Println(table.String())
}

// A result is what one client made of one feature.
type result struct {
	client  string
	sdk     string // with its version
	feature string
	failed  bool
}

// runClient runs every feature one after the other through one proxy, then stops
// the proxy and looks for the spans that started while each feature ran.
func runClient(t *testing.T, c client) []result {
	p := startProvider(t)
	proxy := startProxy(t, p)
	type run struct {
		facts      facts
		err        error
		start, end time.Time
	}
	runs := map[string]run{}
	for _, f := range features {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r := run{start: time.Now()}
		r.facts, r.err = c.run(ctx, proxy.url+"/v1", f.name)
		r.end = time.Now()
		cancel()
		runs[f.name] = r
	}
	spans := proxy.stop(t)
	p.release()

	var results []result
	for _, f := range features {
		r := runs[f.name]
		var mine []span
		for _, s := range spans {
			if at := s.Start.time(); at.After(r.start) && at.Before(r.end) {
				mine = append(mine, s)
			}
		}
		ok := t.Run(f.name, func(t *testing.T) {
			if r.err != nil {
				t.Fatal(r.err)
			}
			if len(mine) != f.spans {
				t.Fatalf("%d spans, want %d", len(mine), f.spans)
			}
			var found checks
			f.check(&found, r.facts, mine)
			for _, err := range found.wrong {
				t.Error(err)
			}
		})
		results = append(results, result{client: c.name, sdk: r.facts.SDK, feature: f.name, failed: !ok})
	}
	return results
}

// script returns a client that is a program: it gets the feature as its argument
// and the base URL from the environment, and prints its facts.
func script(command func() *exec.Cmd) func(context.Context, string, string) (facts, error) {
	return func(ctx context.Context, baseURL, feature string) (facts, error) {
		out, err := runCommand(ctx, command(), baseURL, feature)
		if err != nil {
			return facts{}, err
		}
		return readFacts(out)
	}
}

func runCommand(ctx context.Context, made *exec.Cmd, baseURL string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, made.Path, slices.Concat(made.Args[1:], args)...)
	cmd.Env = append(os.Environ(), "OPENAI_BASE_URL="+baseURL, "OPENAI_API_KEY="+apiKey)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return out, nil
}

// nodeCommand runs Node on the script with the installed packages beside it:
// modules are looked up from where a script really is, so it is copied there.
func nodeCommand() *exec.Cmd {
	to := filepath.Join(installed.node, "client.mjs")
	if data, err := os.ReadFile("node/client.mjs"); err == nil {
		os.WriteFile(to, data, 0o644) // what goes wrong here, node says
	}
	return exec.Command(nodeProgram(), to)
}

// nodeProgram prefers the Node that clients/setup installed because the
// machine's own is too old.
func nodeProgram() string {
	own := filepath.Join(installed.node, "node_modules", "node", "bin", "node")
	if _, err := os.Stat(own); err == nil {
		return own
	}
	return "node"
}

// goSDKVersion reads the version that go.mod pins.
func goSDKVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if strings.HasPrefix(dep.Path, "github.com/openai/openai-go/") {
				return dep.Version
			}
		}
	}
	data, _ := os.ReadFile("go.mod")
	if m := regexp.MustCompile(`openai-go/v3 (v\S+)`).FindSubmatch(data); m != nil {
		return string(m[1])
	}
	return "unknown"
}

// matrix is client × feature.
type matrix struct{ results []result }

func (m *matrix) add(r []result) { m.results = append(m.results, r...) }

func (m *matrix) String() string {
	var (
		columns []string
		sdk     = map[string]string{}
		cells   = map[[2]string]string{} // feature, client → verdict
		failed  int
		b       strings.Builder
	)
	for _, r := range m.results {
		if !slices.Contains(columns, r.client) {
			columns = append(columns, r.client)
		}
		sdk[r.client] = cmp.Or(sdk[r.client], r.sdk)
		cells[[2]string{r.feature, r.client}] = "passed"
		if r.failed {
			cells[[2]string{r.feature, r.client}] = "FAILED"
			failed++
		}
	}
	row := func(first string, cell func(client string) string) {
		fmt.Fprintf(&b, "%-14s", first)
		for _, c := range columns {
			fmt.Fprintf(&b, "  %-18s", cell(c))
		}
		b.WriteString("\n")
	}
	row("", func(c string) string { return c })
	row("", func(c string) string { return sdk[c] })
	for _, f := range features {
		row(f.name, func(c string) string { return cells[[2]string{f.name, c}] })
	}
	fmt.Fprintf(&b, "%d passed, %d failed\n", len(m.results)-failed, failed)
	return b.String()
}
