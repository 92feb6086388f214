package repotest

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

const module = "github.com/spanwire/spanwire"

// root is the repository's top folder, seen from this package's.
const root = "../.."

// A file is one file of the repository; name is its path from the root, with
// slashes.
type file struct {
	name string
	data []byte
}

func (f file) dir() string  { return path.Dir(f.name) }
func (f file) isGo() bool   { return strings.HasSuffix(f.name, ".go") }
func (f file) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }
func (f file) isText() bool { return utf8.Valid(f.data) && bytes.IndexByte(f.data, 0) < 0 }
func (f file) inTestdata() bool {
	return strings.HasPrefix(f.name, "testdata/") || strings.Contains(f.name, "/testdata/")
}

// generated follows https://go.dev/s/generatedcode.
func (f file) generated() bool {
	head, _, _ := bytes.Cut(f.data, []byte("\npackage "))
	return bytes.Contains(head, []byte("// Code generated ")) && bytes.Contains(head, []byte("DO NOT EDIT."))
}

// parse parses a Go file; what the compiler refuses, other tools report.
func (f file) parse(t *testing.T) (*token.FileSet, *ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, f.name, f.data, parser.ParseComments)
	if err != nil {
		t.Fatalf("parse %s: %v", f.name, err)
	}
	return fset, parsed
}

// imports returns the import paths of a parsed file.
func imports(f *ast.File) []string {
	var paths []string
	for _, spec := range f.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// tracked returns the files that git tracks, as they stand in the work tree.
// Without git (a module cache, an archive) it is every file there is.
var tracked = sync.OnceValues(func() ([]file, error) {
	names, err := gitFiles()
	if err != nil {
		if names, err = walkFiles(); err != nil {
			return nil, err
		}
	}
	var files []file
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed in the work tree, not yet committed
		}
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, data})
	}
	return files, nil
})

func gitFiles() ([]string, error) {
	// go test keeps the result of tests that read the same files as before. It sees
	// what this process opens, and not what git does: show it the index.
	if index, err := exec.Command("git", "-C", root, "rev-parse", "--git-path", "index").Output(); err == nil {
		os.Stat(filepath.Join(root, strings.TrimSpace(string(index))))
	}
	out, err := exec.Command("git", "-C", root, "ls-files", "-z").Output()
	if err != nil {
		return nil, err
	}
	names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if !slices.Contains(names, "go.mod") { // the folder is inside somebody else's repository
		return nil, errors.New("git does not track go.mod")
	}
	return names, nil
}

func walkFiles() ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.Type().IsRegular():
			rel, err := filepath.Rel(root, name)
			names = append(names, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	return names, err
}

// files returns the tracked files that keep accepts.
func files(t *testing.T, keep func(file) bool) []file {
	t.Helper()
	all, err := tracked()
	if err != nil {
		t.Fatalf("list the files of the repository: %v", err)
	}
	var kept []file
	for _, f := range all {
		if keep(f) {
			kept = append(kept, f)
		}
	}
	if len(kept) == 0 {
		t.Fatal("the rule met no file at all: it checks nothing")
	}
	return kept
}

func goFiles(t *testing.T) []file {
	t.Helper()
	return files(t, func(f file) bool { return f.isGo() && !f.inTestdata() })
}

// find returns one tracked file.
func find(t *testing.T, name string) file {
	t.Helper()
	for _, f := range files(t, func(file) bool { return true }) {
		if f.name == name {
			return f
		}
	}
	t.Fatalf("%s is not in the repository", name)
	return file{}
}

// nested returns the folders below the root that are modules of their own; the
// root's import table does not bind them.
func nested(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, f := range files(t, func(f file) bool { return path.Base(f.name) == "go.mod" }) {
		if f.dir() != "." {
			dirs = append(dirs, f.dir())
		}
	}
	return dirs
}

func within(dir string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool {
		return dir == d || strings.HasPrefix(dir, d+"/")
	})
}
