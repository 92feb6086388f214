package repotest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// expected are the files that people and tools look for by name.
var expected = []string{
	".ci/run", ".dockerignore", ".gitignore",
	"AGENTS.md", "CHANGELOG.md", "Dockerfile", "LICENSE", "Makefile", "README.md",
	"config.yaml", "go.mod", "go.sum",
}

// maxAgents is what somebody reads before a first change; more is not read.
const maxAgents = 4 << 10

func TestExpectedFiles(t *testing.T) {
	for _, name := range expected {
		if len(find(t, name).data) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	info, err := os.Stat(filepath.Join(root, ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode()&0o100 == 0 {
		t.Error(".ci/run is not executable")
	}
	if n := len(find(t, "AGENTS.md").data); n > maxAgents {
		t.Errorf("AGENTS.md has %d bytes: past %d nobody reads it. Move what is not a rule into docs/", n, maxAgents)
	}
}

// testCommand is the README's second command, and what CI runs to know that
// the README is right.
const testCommand = "go test ./..."

func TestReadmeCommandIsRunByCI(t *testing.T) {
	for _, name := range []string{"README.md", ".ci/run"} {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(testCommand) + `$`).Match(find(t, name).data) {
			t.Errorf("%s does not have the line %q", name, testCommand)
		}
	}
	if !strings.Contains(string(find(t, "README.md").data), "\ngo run ./cmd/proxy --demo") {
		t.Error("README.md does not have the line \"go run ./cmd/proxy --demo\"")
	}
}

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence  = regexp.MustCompile("(?ms)^```.*?^```")
	title  = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	target = regexp.MustCompile(`^[a-z]+:`)
)

// Every link between our pages leads somewhere, headings included.
func TestLinksLeadSomewhere(t *testing.T) {
	pages := map[string]file{}
	for _, f := range files(t, func(file) bool { return true }) {
		pages[f.name] = f
	}
	for _, f := range files(t, func(f file) bool { return path.Ext(f.name) == ".md" && !f.inTestdata() }) {
		for _, m := range link.FindAllSubmatch(fence.ReplaceAll(f.data, nil), -1) {
			to := string(m[1])
			if target.MatchString(to) { // http:, mailto:
				continue
			}
			name, heading, _ := strings.Cut(to, "#")
			page := f
			if name != "" {
				name = path.Join(f.dir(), name)
				var ok bool
				if page, ok = pages[name]; !ok && !isFolder(pages, name) {
					t.Errorf("%s links to %s, which is not in the repository", f.name, to)
					continue
				}
			}
			if heading != "" && !anchors(page.data)[heading] {
				t.Errorf("%s links to %s: there is no such heading", f.name, to)
			}
		}
	}
}

func isFolder(pages map[string]file, name string) bool {
	for other := range pages {
		if strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

// anchors returns the names that a forge gives to a page's headings.
func anchors(page []byte) map[string]bool {
	names := map[string]bool{}
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, m := range title.FindAllSubmatch(fence.ReplaceAll(page, nil), -1) {
		name := drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(string(m[1]))), "")
		names[strings.ReplaceAll(name, " ", "-")] = true
	}
	return names
}

// Decisions are numbered, dated, and say what was decided and what it costs.
func TestDecisionsAreComplete(t *testing.T) {
	name := regexp.MustCompile(`^docs/adr/\d{4}-[a-z0-9-]+\.md$`)
	for _, f := range files(t, func(f file) bool { return f.dir() == "docs/adr" }) {
		if !name.MatchString(f.name) {
			t.Errorf("%s: a decision is called NNNN-some-words.md", f.name)
		}
		for _, part := range []string{"## Context", "## Decision", "## Consequences", "Date: 20"} {
			if !strings.Contains(string(f.data), part) {
				t.Errorf("%s has no %q", f.name, part)
			}
		}
	}
}

// computed finds the attribute names that tracing makes.
var computed = regexp.MustCompile(`"((?:gen_ai|spanwire)\.[a-z][a-z0-9_.]*[a-z0-9])\.?"`)

// Whoever builds a dashboard reads docs/telemetry.md: every name that we
// compute stands there.
func TestTelemetryPageIsComplete(t *testing.T) {
	page := string(find(t, "docs/telemetry.md").data)
	checked := 0
	for _, f := range files(t, func(f file) bool { return f.dir() == "tracing" && f.isGo() && !f.isTest() }) {
		for _, m := range computed.FindAllSubmatch(f.data, -1) {
			checked++
			if name := string(m[1]); !strings.Contains(page, name) {
				t.Errorf("docs/telemetry.md does not name %s (%s)", name, f.name)
			}
		}
	}
	if checked == 0 {
		t.Error("no attribute name found in tracing/: the rule checks nothing")
	}
}

// inlineKey is a key of the configuration with a value, as pages mention it.
var inlineKey = regexp.MustCompile("`([a-z_]+(?:\\.[a-z_]+)*): [^`]+`")

// Pages name keys by their whole path, and only keys that exist. Fields of an
// item of a list or a map (a provider's usage) stand in a comment of config.yaml.
func TestDocumentedKeysExist(t *testing.T) {
	reference := string(find(t, "config.yaml").data)
	keys := configKeys(reference)
	for _, f := range files(t, func(f file) bool { return f.name == "README.md" || f.dir() == "docs" }) {
		for _, m := range inlineKey.FindAllSubmatch(f.data, -1) {
			key := string(m[1])
			field := regexp.MustCompile(`(?m)^\s*#.*\b` + regexp.QuoteMeta(key) + `\b`)
			if !keys[key] && (strings.Contains(key, ".") || !field.MatchString(reference)) {
				t.Errorf("%s names the key %s, which config.yaml does not have", f.name, key)
			}
		}
	}
}

// configKeys returns the paths of the keys of a YAML file of nested maps.
func configKeys(text string) map[string]bool {
	keys := map[string]bool{}
	entry := regexp.MustCompile(`^( *)([a-z_]+):`)
	var parents []string
	for line := range strings.Lines(text) {
		m := entry.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		depth := min(len(m[1])/2, len(parents))
		parents = append(parents[:depth], m[2])
		keys[strings.Join(parents, ".")] = true
	}
	return keys
}

var vendorRow = regexp.MustCompile(`(?m)^\t\{name: "([a-z0-9_-]+)"`)

// Whoever looks for a vendor looks in docs/clients.md.
func TestVendorsAreDocumented(t *testing.T) {
	page := string(find(t, "docs/clients.md").data)
	rows := vendorRow.FindAllSubmatch(find(t, "providers/providers.go").data, -1)
	if len(rows) < 20 {
		t.Fatalf("%d vendors found in providers/providers.go: the rule misses some", len(rows))
	}
	for _, m := range rows {
		if name := string(m[1]); !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/clients.md does not name the vendor %s", name)
		}
	}
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// The walk-through is the made-up vendor and format that are tested.
func TestWalkThroughIsTested(t *testing.T) {
	tested := string(find(t, "providers/madeup_test.go").data) + string(find(t, "providers/testdata/telegraph/telegraph.go").data)
	blocks := goBlock.FindAllSubmatch(find(t, "docs/adding-a-provider.md").data, -1)
	if len(blocks) < 5 {
		t.Fatalf("%d blocks of Go found in docs/adding-a-provider.md", len(blocks))
	}
	for _, b := range blocks {
		if !strings.Contains(tested, strings.TrimRight(string(b[1]), "\n")) {
			t.Errorf("docs/adding-a-provider.md shows what is in neither providers/madeup_test.go nor providers/testdata/telegraph:\n%s", b[1])
		}
	}
}

// An entry of the changelog begins with one word for what it is.
func TestChangelogEntriesSayTheirKind(t *testing.T) {
	kind := regexp.MustCompile(`^- (BUGFIX|CHANGE|FEATURE|SECURITY): `)
	for line := range strings.Lines(string(find(t, "CHANGELOG.md").data)) {
		if strings.HasPrefix(line, "- ") && !kind.MatchString(line) {
			t.Errorf("CHANGELOG.md has an entry that begins %.30q: want BUGFIX, CHANGE, FEATURE or SECURITY", line)
		}
	}
}
