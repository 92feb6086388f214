package clients

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A snippet is a fenced block of the documentation whose info string says run:
// what readers copy works.
// What follows that word is the script that answers it (see script); without one
// the fake provider does.
type snippet struct {
	where, language, script, code string
}

// blocks returns the fenced blocks of all pages with this word in their info string.
func blocks(t *testing.T, word string) []snippet {
	t.Helper()
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	fenced := regexp.MustCompile("(?ms)^```(\\w+) " + word + "(?: (\\S+))?\n(.*?)^```")
	var all []snippet
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fenced.FindAllSubmatchIndex(text, -1) {
			line := 1 + strings.Count(string(text[:m[0]]), "\n")
			all = append(all, snippet{
				where:    fmt.Sprintf("%s:%d", filepath.Base(page), line),
				language: string(text[m[2]:m[3]]),
				code:     string(text[m[6]:m[7]]),
			})
			if m[4] >= 0 {
				all[len(all)-1].script = string(text[m[4]:m[5]])
			}
		}
	}
	return all
}

// command returns what runs a snippet. The address that readers see is replaced
// by that of the proxy under test.
func (s snippet) command(t *testing.T, url string) *exec.Cmd {
	t.Helper()
	code := strings.ReplaceAll(s.code, "http://localhost:8080", url)
	write := func(name string) string {
		if err := os.WriteFile(name, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(name) })
		return name
	}
	switch s.language {
	case "sh":
		return exec.Command("sh", "-ec", code)
	case "python":
		return exec.Command(installed.python, write(filepath.Join(t.TempDir(), "snippet.py")))
	case "js":
		return exec.Command(nodeProgram(), write(filepath.Join(installed.node, "snippet.mjs")))
	case "go":
		return exec.Command("go", "run", write(filepath.Join(t.TempDir(), "main.go")))
	}
	t.Fatalf("nobody knows how to run %s", s.language)
	return nil
}

func runCommand(ctx context.Context, made *exec.Cmd, env []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, made.Path, made.Args[1:]...)
	cmd.Env = env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return out, nil
}

func TestSnippetsOfTheDocumentationRun(t *testing.T) {
	all := blocks(t, "run")
	if len(all) < 20 {
		t.Fatalf("%d snippets found: the pattern misses some", len(all))
	}
	fake, scripted := startProvider(t, openaiChat, client{}), startProvider(t, suite{scripts: "snippets", keyless: true}, client{})
	proxies := map[bool]*running{false: startProxy(t, fake, client{}), true: startProxy(t, scripted, client{})}
	type run struct{ start, end time.Time }
	runs := make([]run, len(all))
	for i, s := range all {
		t.Run(s.where, func(t *testing.T) {
			runs[i].start = time.Now()
			defer func() { runs[i].end = time.Now() }()
			if s.script != "" {
				if err := scripted.begin(filepath.Base(s.script)); err != nil {
					t.Fatal(err)
				}
			}
			proxy := proxies[s.script != ""]
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience) // some are compiled
			defer cancel()
			out, err := runCommand(ctx, s.command(t, proxy.url), environment(proxy))
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.TrimSpace(string(out)); said == "" && (strings.Contains(s.code, "print") || strings.Contains(s.code, "Println") || strings.Contains(s.code, "console.log")) {
				t.Error("it printed nothing")
			}
			if s.script != "" {
				for _, err := range scripted.end() {
					t.Error(err)
				}
			}
		})
	}
	spans := append(proxies[false].stop(t), proxies[true].stop(t)...)
	for i, s := range all {
		var mine []span
		for _, one := range spans {
			at := one.Start.time()
			if at.After(runs[i].start) && at.Before(runs[i].end) && one.text("spanwire.operation.kind") == "llm" {
				mine = append(mine, one)
			}
		}
		if len(mine) != 1 || mine[0].Status.Code != 0 || mine[0].text("gen_ai.request.model") == "" {
			t.Errorf("%s: %d spans, want one good one of a model", s.where, len(mine))
			continue
		}
		if strings.Contains(s.code, `"x-spanwire-team": "search"`) {
			var c checks
			c.is("team", mine[0].text("spanwire.team"), "search")
			c.is("session", mine[0].text("gen_ai.conversation.id"), "chat-4711")
			for _, err := range c.wrong {
				t.Errorf("%s: %v", s.where, err)
			}
		}
	}
}

// The page says with which versions its clients were tested.
func TestTheVersionsOnThePageAreThePinnedOnes(t *testing.T) {
	page, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	var pins strings.Builder
	for _, name := range []string{"python/requirements.txt", "node/package.json", "go.mod"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pins.Write(text)
	}
	rows := regexp.MustCompile("(?m)^\\| [^|]+, (Python|Node|Go) \\| `([^`]+)` (\\d+\\.\\d+) \\|").FindAllStringSubmatch(string(page), -1)
	if len(rows) < 16 {
		t.Fatalf("%d rows found: the pattern misses some", len(rows))
	}
	for _, row := range rows {
		name, version := regexp.QuoteMeta(row[2]), regexp.QuoteMeta(row[3])
		pin := map[string]string{
			"Python": `(?m)^` + name + `==` + version + `\.`,
			"Node":   `"` + name + `": "` + version + `\.`,
			"Go":     `/` + name + `(/v\d+)? v` + version + `\.`,
		}[row[1]]
		if !regexp.MustCompile(pin).MatchString(pins.String()) {
			t.Errorf("%s %s for %s is not what is pinned", row[2], row[3], row[1])
		}
	}
}

// A block of configuration on a page is one that the program takes.
func TestConfigurationOfTheDocumentationIsValid(t *testing.T) {
	all := blocks(t, "config")
	if len(all) < 4 {
		t.Fatalf("%d blocks found: the pattern misses some", len(all))
	}
	bin, err := buildProxy()
	if err != nil {
		t.Fatal(err)
	}
	profiles := filepath.Join(t.TempDir(), "aws")
	if err := os.WriteFile(profiles, []byte("[profile llm]\nregion = us-east-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		t.Run(s.where, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(config, []byte(s.code), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(bin, "--check", "--config", config)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "GROQ_API_KEY=fake", "LANGFUSE_AUTH=fake",
				"AWS_BEARER_TOKEN_BEDROCK=fake", "AWS_CONFIG_FILE="+profiles,
				"AUDIT_KEY="+strings.Repeat("5a", 32), "CONTENT_KEY="+strings.Repeat("7c", 32), "REDACT_KEY="+strings.Repeat("x", 32))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// changing is what differs from one run to the next: times, durations, ids.
var changing = regexp.MustCompile(`\b\d\d:\d\d:\d\d\.\d{3}\b|\b\d+(\.\d+)?(ms|µs|s)\b|\b[0-9a-f]{16,}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)

// The README shows what the demo prints, shortened by whole lines.
func TestReadmeShowsWhatTheDemoPrints(t *testing.T) {
	shown := blocks(t, "demo")
	if len(shown) != 1 {
		t.Fatalf("%d blocks of demo output, want 1", len(shown))
	}
	bin, err := buildProxy()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "--demo-once", "--listen", "127.0.0.1:0", "--admin", "off")
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	rest := changing.ReplaceAllString(string(out), "~")
	for line := range strings.Lines(changing.ReplaceAllString(shown[0].code, "~")) {
		_, after, found := strings.Cut(rest, line)
		if !found {
			t.Fatalf("the demo does not print this line of the README, or not in this place:\n%sit prints:\n%s", line, out)
		}
		rest = after
	}
}
