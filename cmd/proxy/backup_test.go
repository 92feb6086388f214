package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/fakellm"
)

// A backup that is made under load is a store and a journal: its chain holds, and a
// program that starts on what is restored of it has every call that was whole before.
// The next backup shares what has not changed.
func TestBackupAndRestore(t *testing.T) {
	dir, saved := t.TempDir(), t.TempDir()
	config := func(dir string) string {
		return rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + fmt.Sprintf(`
listen: 127.0.0.1:0
admin: "off"
data_dir: %q
journal: {mode: strict, strict_timeout: 10m, segment_bytes: 64KiB, max_bytes: 1GiB}
audit: {retention: 24h}
log: {level: error}
`, dir)
	}
	file := writeConfig(t, config(dir))
	p := spawn(t, file)
	begun, ids := make(chan struct{}), make(chan []string, 1)
	go func() { ids <- load(p.url, 4, func() { close(begun) }) }()
	<-begun
	segments := func() []string {
		found, err := filepath.Glob(filepath.Join(dir, "journal", "*.journal"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for len(segments()) < 3 { // the load brings them
	}
	one, two, back := filepath.Join(saved, "one"), filepath.Join(saved, "two"), filepath.Join(saved, "back")
	f := func(ok bool, want string, args ...string) {
		t.Helper()
		out, errOut, err := cli(t, append(args, "--config", file)...)
		if (err == nil) != ok || !strings.Contains(out+errOut, want) {
			t.Errorf("%v: %v, %q does not say %q", args, err, out+errOut, want)
		}
	}
	f(true, "; 0 more are those of the backup before", "backup", one)
	before := exportedCalls(t, one)
	f(true, "are those of the backup before", "backup", two, "--after", one)
	p.killed(t)
	whole := <-ids

	for _, dir := range []string{one, two} {
		f(true, "every record is as it was written", "audit", "verify", "--dir", dir)
		f(true, "everything fits", "store", "check", "--dir", dir)
	}
	shared := 0
	for _, s := range segments() {
		a, errA := os.Stat(filepath.Join(one, "journal", filepath.Base(s)))
		b, errB := os.Stat(filepath.Join(two, "journal", filepath.Base(s)))
		if errA == nil && errB == nil && os.SameFile(a, b) {
			shared++
		}
	}
	if shared < 2 {
		t.Errorf("the backups share %d files of the journal", shared)
	}
	f(false, "not empty", "backup", one)
	f(false, "no whole backup", "backup", back, "--after", dir)
	f(false, "is a backup", "backup", back, "--dir", one)
	if _, errOut, err := cli(t, "--config", writeConfig(t, config(one))); err == nil || !strings.Contains(errOut, "is a backup") {
		t.Errorf("a program on a backup: %v, %s", err, errOut)
	}

	f(true, "files restored", "restore", two, "--dir", back)
	f(false, "not empty", "restore", two, "--dir", back)
	restored := writeConfig(t, config(back))
	p = spawn(t, restored)
	again, more := make(chan struct{}), make(chan []string, 1)
	go func() { more <- load(p.url, 1, func() { close(again) }) }()
	<-again
	want := slices.DeleteFunc(slices.Clone(whole), func(id string) bool { return !slices.Contains(before, id) })
	if len(want) == 0 {
		t.Error("no call was whole before the backup")
	}
	waitStored(t, back, want)
	p.killed(t)
	want = append(want, <-more...)
	p = spawn(t, restored) // the store may have been behind
	waitStored(t, back, want)
	p.killed(t)
	storedOnce(t, back, want)
	sound(t, back)
}

// exportedCalls returns the ids of the calls in the journal of a folder.
func exportedCalls(t *testing.T, dir string) []string {
	t.Helper()
	out, errOut, err := cli(t, "audit", "export", "--dir", dir)
	if err != nil {
		t.Fatalf("%v: %s", err, errOut)
	}
	return exportedIDs(t, out)
}

// A backup that is damaged is not restored, and nothing of it is left behind.
func TestRestoreOfADamagedBackup(t *testing.T) {
	dir, saved := t.TempDir(), filepath.Join(t.TempDir(), "saved")
	config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + fmt.Sprintf("data_dir: %q\n", dir)
	p := start(t, config)
	id := p.call(t)
	waitStored(t, dir, []string{id})
	file := writeConfig(t, config)
	if _, errOut, err := cli(t, "backup", saved, "--config", file); err != nil {
		t.Fatal(err, errOut)
	}
	p.stop(t)
	found, err := filepath.Glob(filepath.Join(saved, "calls", "*.bodies.db"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(found[0], bytes.Replace(data, []byte("SQLite"), []byte("SQLate"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	back := filepath.Join(t.TempDir(), "back")
	_, errOut, err := cli(t, "restore", saved, "--dir", back, "--config", file)
	if err == nil || !strings.Contains(errOut, "bodies.db is not as it was written") {
		t.Errorf("%v, %s", err, errOut)
	}
	err = filepath.WalkDir(back, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	manifest := filepath.Join(saved, manifestName)
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	outside := regexp.MustCompile(`"name": "[^"]*bodies.db"`).ReplaceAll(text, []byte(`"name": "../escaped"`))
	if err := os.WriteFile(manifest, outside, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errOut, err := cli(t, "restore", saved, "--dir", filepath.Join(t.TempDir(), "x"), "--config", file); err == nil || !strings.Contains(errOut, "not within it") {
		t.Errorf("%v, %s", err, errOut)
	}
}
