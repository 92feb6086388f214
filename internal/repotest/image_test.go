package repotest

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// A rule is one line of .dockerignore; the last one that matches a file decides.
// https://docs.docker.com/build/concepts/context/#dockerignore-files
type rule struct {
	keep    bool
	matches *regexp.Regexp
}

func dockerRules(text string) []rule {
	var rules []rule
	for line := range strings.Lines(text) {
		pattern := strings.TrimSpace(line)
		if pattern == "" || strings.HasPrefix(pattern, "#") {
			continue
		}
		pattern, keep := strings.CutPrefix(pattern, "!")
		expr := regexp.QuoteMeta(strings.Trim(pattern, "/"))
		expr = strings.NewReplacer(`\*\*/`, `(?:.*/)?`, `\*`, `[^/]*`).Replace(expr)
		rules = append(rules, rule{keep, regexp.MustCompile(`^` + expr + `(?:/.*)?$`)})
	}
	return rules
}

func ignored(rules []rule, name string) bool {
	out := false
	for _, r := range rules {
		if r.matches.MatchString(name) {
			out = !r.keep
		}
	}
	return out
}

var embed = regexp.MustCompile(`(?m)^//go:embed (.+)$`)

// What is compiled, and what is compiled in, must reach the build of the image,
// which no test here runs.
func TestImageGetsWhatItBuildsFrom(t *testing.T) {
	rules := dockerRules(string(find(t, ".dockerignore").data))
	all := files(t, func(file) bool { return true })
	needed := map[string]string{"go.mod": "the build", "go.sum": "the build", "LICENSE": "the Dockerfile"}
	for _, f := range all {
		if _, ours := table[f.dir()]; !ours || !f.isGo() || f.isTest() || strings.HasSuffix(f.dir(), "test") {
			continue
		}
		needed[f.name] = "the build"
		for _, m := range embed.FindAllSubmatch(f.data, -1) {
			for _, pattern := range strings.Fields(string(m[1])) {
				for _, other := range all {
					if ok, _ := path.Match(path.Join(f.dir(), pattern), other.name); ok {
						needed[other.name] = f.name
					}
				}
			}
		}
	}
	for name, by := range needed {
		if ignored(rules, name) {
			t.Errorf("%s is needed by %s, and .dockerignore leaves it out", name, by)
		}
	}
	for _, name := range []string{"clients/go.mod", "llm/call_test.go", "docs/deploy.md", ".git/config", "spans.jsonl"} {
		if !ignored(rules, name) {
			t.Errorf("%s is sent to the image's build, which does not need it: see .dockerignore", name)
		}
	}
}
