package repotest

import (
	"bytes"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A sleep in a test is either too short on a loaded machine or too long on
// every other. Inside a synctest bubble the clock is simulated and a sleep is
// exact.
func TestNoSleepInTests(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.isTest() || strings.HasSuffix(f.name, "_synctest_test.go") {
			continue
		}
		fset, parsed := f.parse(t)
		for _, pos := range sleeps(parsed) {
			t.Errorf("%s: time.Sleep in a test: wait for the event (a channel, a hook), or use testing/synctest", fset.Position(pos))
		}
	}
}

// sleeps finds the calls of time.Sleep that no synctest.Test encloses.
func sleeps(f *ast.File) []token.Pos {
	var found []token.Pos
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch {
		case isSelector(call.Fun, "synctest", "Test"):
			return false
		case isSelector(call.Fun, "time", "Sleep"):
			found = append(found, call.Pos())
		}
		return true
	})
	return found
}

func isSelector(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	id, ok := s.X.(*ast.Ident)
	return ok && id.Name == pkg
}

// A skipped test must say what was not tested and how to have it tested.
func TestSkipsSayWhy(t *testing.T) {
	silent := regexp.MustCompile(`\.(SkipNow\(\)|Skip\(\))`)
	for _, f := range goFiles(t) {
		if loc := silent.FindIndex(f.data); loc != nil && f.isTest() {
			t.Errorf("%s:%d: a silent skip: say what was not tested and how to get what it needs", f.name, line(f.data, loc[0]))
		}
	}
}

// Work that is left over stands in an issue, where somebody will find it.
func TestNothingLeftForLater(t *testing.T) {
	marks := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`)
	source := []string{".go", ".py", ".mjs", ".js", ".ts", ".sh", ".yaml", ".yml", ".mod"}
	for _, f := range files(t, func(f file) bool {
		return !f.inTestdata() && (slices.Contains(source, path.Ext(f.name)) ||
			slices.Contains([]string{"Makefile", "Dockerfile", ".ci/run", ".ci/fuzz"}, f.name))
	}) {
		if loc := marks.FindIndex(f.data); loc != nil {
			t.Errorf("%s:%d: %q: do it now, or file an issue", f.name, line(f.data, loc[0]), f.data[loc[0]:loc[1]])
		}
	}
}

// foreignPaths are absolute paths of somebody's machine: they mean nothing on
// another, and tell more than they should.
var foreignPaths = regexp.MustCompile(`(?:^|[\s"'` + "`" + `(=:,])(/(?:root|home|Users|wor[k]|tmp/(?:brief|bash_job[s]))/[\w.-]+)`)

func TestNoPathsOfSomebodysMachine(t *testing.T) {
	for _, f := range files(t, file.isText) {
		if loc := foreignPaths.FindSubmatchIndex(f.data); loc != nil {
			t.Errorf("%s:%d: %q is a path of one machine: use a path from the repository's root, a flag or a variable (foreignPaths in internal/repotest/habits_test.go)", f.name, line(f.data, loc[2]), f.data[loc[2]:loc[3]])
		}
	}
}

// keys match what the vendors' credentials look like.
var keys = regexp.MustCompile(`\b(?:sk-(?:ant-|proj-|svcacct-|or-v1-|lf-)?[A-Za-z0-9_-]{20,}|(?:gsk|xai|hf|ghp|gho|r8)[_-][A-Za-z0-9]{24,}|github_pat_\w{22,}|AIza[\w-]{35}|A[KS]IA[A-Z0-9]{16})|-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=]{40}`)

// notAKey are the words by which an example shows that it is none.
var notAKey = regexp.MustCompile(`(?i)example|fake|dummy|demo|secret|redact|test|not-a|your|placeholder|sample|0123456789|123456789|abcdef|x{6}`)

func TestNoKeys(t *testing.T) {
	for _, f := range files(t, file.isText) {
		for _, loc := range keys.FindAllIndex(f.data, -1) {
			if found := f.data[loc[0]:loc[1]]; looksReal(found) {
				t.Errorf("%s:%d: %.8s… looks like a key. If it is one, revoke it now: history keeps it. If a test needs one, make it in the test, or put a word of notAKey (internal/repotest/habits_test.go) into it", f.name, line(f.data, loc[0]), found)
			}
		}
	}
}

// looksReal tells a key from an example or from words with dashes: examples say
// so or are dull, and words have neither digits nor capitals.
func looksReal(key []byte) bool {
	if notAKey.Match(key) || bytes.Equal(key, bytes.ToLower(key)) && !bytes.ContainsAny(key, "0123456789") {
		return false
	}
	seen := map[byte]bool{}
	for _, c := range key {
		seen[c] = true
	}
	return len(seen) > 10
}

// The rules above are regular expressions, and a wrong one passes everything.
func TestTheRulesBite(t *testing.T) {
	path := func(text string, want bool) {
		t.Helper()
		if got := foreignPaths.MatchString(text); got != want {
			t.Errorf("foreignPaths on %q: %v", text, got)
		}
	}
	path("see /"+"home/someone/project", true)
	path("see /"+"work/main", true)
	path(`"/`+`root/.cache"`, true)
	path("https://example.com/home/page", false)
	path("/etc/spanwire/config.yaml", false)
	path("../shared/data", false)

	key := func(text string, want bool) {
		t.Helper()
		loc := keys.FindIndex([]byte(text))
		if got := loc != nil && looksReal([]byte(text)[loc[0]:loc[1]]); got != want {
			t.Errorf("keys on %q: %v", text, got)
		}
	}
	const tail = "Zq8Lm2Vt7Rw4Kc9Xn3Bp"
	key("sk-"+"proj-"+tail, true)
	key("sk-"+"ant-"+tail, true)
	key("gsk_"+tail+tail, true)
	key("AIza"+tail+tail[:15], true)
	key("sk-...", false)
	key("sk-"+"example-"+tail, false)
	key("sk-"+strings.Repeat("a", 40), false)
	key("risk-"+"assessment-of-everything", false)
	key("sk-"+"learn-pipeline-preprocessing", false)
}

func line(data []byte, offset int) int { return 1 + bytes.Count(data[:offset], []byte("\n")) }
