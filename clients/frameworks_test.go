package clients

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var (
	frameworks  = flag.Bool("frameworks", false, "drive agent frameworks, not the SDKs of vendors")
	updateTrees = flag.Bool("update", false, "write the trees of the frameworks, do not compare")
)

// A framework is a program that uses an agent framework, as its documentation
// shows; it knows nothing of us but the base URL. It runs features one after the
// other, against the scripts of the wire format that it speaks.
type framework struct {
	name     string // of its tree, testdata/frameworks/<name>.tree
	run      client
	wire     string // folder of the scripts
	features []string
}

var allFrameworks = []framework{
	{"openai-agents-python", inFrameworksPython("openai_agents.py"), "responses", []string{"tools", "failing", "streamed", "sub_agent", "sub_agents", "hand_off"}},
	{"langgraph", inFrameworksPython("langgraph_agents.py"), "chat", []string{"tools", "failing", "streamed", "sub_agent", "sub_agents"}},
	{"pydantic-ai", inFrameworksPython("pydantic_agents.py"), "chat", []string{"tools", "failing", "streamed", "sub_agent", "sub_agents"}},
	{"anthropic-python", inFrameworksPython("anthropic_agents.py"), "anthropic", []string{"tools", "failing", "sub_agent", "sub_agents"}},
	{"vercel-ai", inFrameworksNode("vercel_ai.mjs"), "responses", []string{"tools", "failing", "streamed", "sub_agent", "sub_agents"}},
	{"openai-agents-node", inFrameworksNode("openai_agents.mjs"), "chat", []string{"tools", "failing", "streamed", "sub_agent", "sub_agents"}},
	{"anthropic-node", inFrameworksNode("anthropic_runner.mjs"), "anthropic", []string{"tools", "failing", "sub_agent", "sub_agents"}},
}

// inFrameworksPython finds what the scripts have in common, facts.py, where the
// scripts of the SDKs have it.
func inFrameworksPython(script string) client {
	return client{name: script, start: program(func() *exec.Cmd {
		return exec.Command(installed.python, filepath.Join("frameworks", "python", script))
	})}
}

// inFrameworksNode runs where the packages are: a program may ask for their versions.
func inFrameworksNode(script string) client {
	return client{name: script, start: program(func() *exec.Cmd {
		cmd := exec.Command(nodeProgram(), script)
		cmd.Dir = installed.node
		return cmd
	})}
}

// TestFrameworks holds that each feature becomes one tree, the golden one.
func TestFrameworks(t *testing.T) {
	if !*frameworks {
		t.Skip("agent frameworks are NOT driven here: make frameworks installs and drives them")
	}
	passed, failed := 0, 0
	for _, f := range allFrameworks {
		t.Run(f.name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					failed++
				} else {
					passed++
				}
			}()
			f.test(t)
		})
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
}

func (f framework) test(t *testing.T) {
	p := startProvider(t, suite{scripts: filepath.Join("frameworks", f.wire)}, f.run)
	proxy := startProxy(t, p, f.run)
	// It would send spans of its own to its vendor, and have no key for that.
	proxy.callerEnv = append(proxy.callerEnv, "OPENAI_AGENTS_DISABLE_TRACING=1", "PYTHONPATH=python")
	ask, err := f.run.start(t, proxy)
	if err != nil {
		t.Fatal(err)
	}
	var sdk string
	for _, feature := range f.features {
		if err := p.begin(feature); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		told, err := ask(ctx, feature)
		cancel()
		for _, wrong := range p.end() {
			t.Errorf("%s: %v", feature, wrong)
		}
		if err != nil {
			t.Fatalf("%s: %v", feature, err)
		}
		if told.Text == "" || !strings.HasSuffix(told.Text, ".") {
			t.Errorf("%s: the program ended with %q, which is not the last answer", feature, told.Text)
		}
		sdk = told.SDK
	}
	spans := proxy.stop(t)
	tree := proxy.tree(t)
	f.oneRunEach(t, spans, tree)
	f.compare(t, sdk, tree)
}

// oneRunEach holds what no golden file may be wrong about: a trace a feature, with
// a run at its top that everything else is below.
func (f framework) oneRunEach(t *testing.T, spans []span, tree string) {
	traces := map[string]bool{}
	for _, s := range spans {
		traces[s.Trace] = true
	}
	if len(traces) != len(f.features) {
		t.Errorf("%d traces of %d features", len(traces), len(f.features))
	}
	tops := 0
	for line := range strings.Lines(tree) {
		if strings.ContainsRune("├│└ ", []rune(line)[0]) {
			continue
		}
		if tops++; !strings.HasPrefix(line, "invoke_agent ") {
			t.Errorf("outside of a run: %s", line)
		}
	}
	if tops != len(f.features) {
		t.Errorf("%d trees of %d features", tops, len(f.features))
	}
}

func (f framework) compare(t *testing.T, sdk, got string) {
	fmt.Printf("%s (%s): %s\n\n%s\n", f.name, sdk, strings.Join(f.features, ", "), got)
	name := filepath.Join("testdata", "frameworks", f.name+".tree")
	if *updateTrees {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("another tree than %s, which is:\n%s", name, want)
	}
}

// tree is what users see with `runs tree`.
func (r *running) tree(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(r.cmd.Path, "runs", "tree", "--stable", r.spans)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("runs tree: %v\n%s", err, stderr.String())
	}
	return string(out)
}

func TestThePageOfRunsShowsGoldenTrees(t *testing.T) {
	page, err := os.ReadFile("../docs/runs.md")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/frameworks/langgraph.tree")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Agent frameworks\n")
	_, block, found := strings.Cut(section, "\n```\n")
	block, _, closed := strings.Cut(block, "```\n")
	if !found || !closed {
		t.Fatal("docs/runs.md shows no tree of a framework")
	}
	for tree := range strings.SplitAfterSeq(block, "\n└─ chat gpt-4o-mini\n") {
		if !strings.Contains(string(golden), tree) {
			t.Errorf("docs/runs.md has a tree that nobody got:\n%s", tree)
		}
	}
}
