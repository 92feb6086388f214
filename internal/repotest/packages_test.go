package repotest

import (
	"bytes"
	"go/doc"
	"go/format"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// emptyNames say nothing of what a package is for, so everything ends up there.
var emptyNames = []string{"base", "common", "helper", "helpers", "misc", "shared", "types", "util", "utils"}

// maxLines is the length past which a reader loses the thread; 400 is the aim.
const maxLines = 600

func TestPackageNames(t *testing.T) {
	for _, f := range goFiles(t) {
		_, parsed := f.parse(t)
		name := strings.TrimSuffix(parsed.Name.Name, "_test")
		if slices.Contains(emptyNames, name) || slices.Contains(emptyNames, path.Base(f.dir())) {
			t.Errorf("%s: a package called %s collects what belongs elsewhere: a helper lives where it is used, or is a package with a name (emptyNames in internal/repotest/packages_test.go)", f.name, name)
		}
	}
}

// Each package says in its first sentence what it is for, once.
func TestPackageDocs(t *testing.T) {
	docs := map[string][]string{} // folder → files with a package comment
	for _, f := range goFiles(t) {
		if _, ok := docs[f.dir()]; !ok {
			docs[f.dir()] = nil
		}
		_, parsed := f.parse(t)
		if parsed.Doc == nil || strings.HasSuffix(parsed.Name.Name, "_test") {
			continue
		}
		docs[f.dir()] = append(docs[f.dir()], f.name)
		sentence := new(doc.Package).Synopsis(parsed.Doc.Text())
		if !saysWhatFor(parsed.Name.Name, path.Base(f.dir()), sentence) {
			t.Errorf("%s: the package comment must start with one sentence that says what the package is for (\"Package %s …\"); it starts with %q", f.name, parsed.Name.Name, sentence)
		}
	}
	for dir, in := range docs {
		switch {
		case len(in) == 0:
			t.Errorf("%s has no package comment: its first sentence says what the package is for", dir)
		case len(in) > 1:
			t.Errorf("%s has more than one package comment: %s", dir, strings.Join(in, ", "))
		}
	}
}

func saysWhatFor(name, dir, sentence string) bool {
	start := "Package " + name + " "
	if name == "main" { // a command is called by its folder; https://go.dev/doc/comment#cmd
		start = strings.ToUpper(dir[:1]) + dir[1:] + " "
		if strings.HasPrefix(sentence, "Command "+dir+" ") {
			return len(strings.Fields(sentence)) >= 5
		}
	}
	return strings.HasPrefix(sentence, start) && strings.HasSuffix(sentence, ".") && len(strings.Fields(sentence)) >= 5
}

func TestSaysWhatFor(t *testing.T) {
	f := func(name, dir, sentence string, want bool) {
		t.Helper()
		if got := saysWhatFor(name, dir, sentence); got != want {
			t.Errorf("saysWhatFor(%q, %q, %q) = %v", name, dir, sentence, got)
		}
	}
	f("sse", "sse", "Package sse splits a byte stream into server-sent events.", true)
	f("sse", "sse", "Package sse.", false)
	f("sse", "sse", "Sse splits a byte stream into server-sent events.", false)
	f("main", "proxy", "Proxy relays calls of models and traces them.", true)
	f("main", "proxy", "Command proxy relays calls of models and traces them.", true)
	f("main", "proxy", "", false)
}

func TestFilesAreReadable(t *testing.T) {
	for _, f := range goFiles(t) {
		if n := bytes.Count(f.data, []byte("\n")); n > maxLines && !f.isTest() && !f.generated() {
			t.Errorf("%s has %d lines: past %d a file hides more than one idea. Split it by what its parts are for", f.name, n, maxLines)
		}
	}
}

func TestGofmt(t *testing.T) {
	for _, f := range files(t, file.isGo) {
		formatted, err := format.Source(f.data)
		if err != nil {
			if !f.inTestdata() {
				t.Errorf("%s: %v", f.name, err)
			}
			continue
		}
		if !bytes.Equal(formatted, f.data) {
			t.Errorf("%s is not formatted: run gofmt -w %s", f.name, f.name)
		}
	}
}

// Interfaces live with their user, and small ones can be met by a fake of ten
// lines. What a file owes to a library's interface is not declared here.
func TestInterfacesAreSmall(t *testing.T) {
	const most = 5
	head := regexp.MustCompile(`(?ms)^type (\w+) interface \{\n(.*?)^\}`)
	method := regexp.MustCompile(`(?m)^\t[A-Z]\w*\(`)
	for _, f := range goFiles(t) {
		for _, m := range head.FindAllSubmatch(f.data, -1) {
			if n := len(method.FindAll(m[2], -1)); n > most {
				t.Errorf("%s: interface %s has %d methods: ask for less, or for two things (most in internal/repotest/packages_test.go)", f.name, m[1], n)
			}
		}
	}
}
