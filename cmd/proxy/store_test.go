package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/fakellm"
	"github.com/spanwire/spanwire/store"
)

// call sends one call through p and waits until it was recorded.
func (p *program) call(t *testing.T) (id string) {
	t.Helper()
	resp, _, err := send(t, "POST", p.url+chatPath, chatBody("mock", ""), "Authorization", "Bearer sk-not-a-real-key-000000000000")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	id = resp.Header.Get("X-Spanwire-Call-Id")
	p.calls.call(t, id)
	return id
}

// inStore returns how many of the calls are in the store, whole.
func inStore(t *testing.T, dir string, ids []string) (n int) {
	t.Helper()
	r, err := store.OpenReader(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, id := range ids {
		c, err := r.Call(context.Background(), id)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(c.Input) > 0 && len(c.Output) > 0 && c.Usage.Known() {
			n++
		}
	}
	return n
}

// With no key at all calls are kept, over restarts, and by one program only.
func TestCallsAreKeptByDefault(t *testing.T) {
	dir := t.TempDir()
	config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + fmt.Sprintf("data_dir: %q\n", dir)
	var ids []string
	for range 2 {
		p := start(t, config)
		for range 5 {
			ids = append(ids, p.call(t))
		}
		_, errOut, err := cli(t, "--config", writeConfig(t, fmt.Sprintf("data_dir: %q\nlisten: 127.0.0.1:0\nadmin: 'off'\n", dir)))
		if err == nil || !strings.Contains(errOut, dir) || !strings.Contains(errOut, "another program") || !strings.Contains(errOut, "data_dir of its own") {
			t.Errorf("a second program on the same folder: %v, %q", err, errOut)
		}
		if _, errOut, err := cli(t, "reprice", "--since", "1d", "--dir", dir); err != nil {
			t.Errorf("new prices beside a running program: %v, %q", err, errOut)
		}
		_, page, err := send(t, "GET", "http://"+p.at.admin+"/metrics", "")
		if err != nil || !strings.Contains(page, "\nspanwire_store_stored") || !strings.Contains(page, `follower="store"`) {
			t.Errorf("/metrics says nothing of the store: %v", err)
		}
		p.stop(t)
	}
	if n := inStore(t, dir, ids); n != 10 {
		t.Errorf("%d of 10 calls are in the store", n)
	}
}

func TestNothingIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := start(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+fmt.Sprintf("data_dir: %q\nstore: {mode: \"off\"}\n", dir))
	p.call(t)
	p.stop(t)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a forwarder wrote to its disk: %v", err)
	}
}

func TestStoreWithoutJournal(t *testing.T) {
	dir := t.TempDir()
	p := start(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+fmt.Sprintf("data_dir: %q\njournal: {mode: \"off\"}\n", dir))
	ids := []string{p.call(t), p.call(t)}
	p.stop(t)
	if n := inStore(t, dir, ids); n != 2 {
		t.Errorf("%d of 2 calls are in the store", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "journal")); !os.IsNotExist(err) {
		t.Errorf("there is a journal: %v", err)
	}
}

// A folder that cannot be written to is an error when somebody named it, and else a
// warning: read-only containers forward as before.
func TestFolderThatCannotBeWritten(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("as root every folder can be written to: a file in its place is tested only")
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, errOut, err := cli(t, "--config", writeConfig(t, fmt.Sprintf("data_dir: %q\nlisten: 127.0.0.1:0\nadmin: 'off'\n", filepath.Join(blocked, "data"))))
	if err == nil || !strings.Contains(errOut, "data_dir") {
		t.Errorf("%v, %q", err, errOut)
	}
	if os.Getuid() != 0 {
		work := t.TempDir()
		if err := os.Chmod(work, 0o500); err != nil {
			t.Fatal(err)
		}
		t.Chdir(work)
		p := start(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+"data_dir: ./spanwire-data\n")
		p.call(t)
		p.stop(t)
		if !strings.Contains(p.err.String(), "calls are not kept") {
			t.Errorf("no warning: %s", p.err.String())
		}
	}
}

func TestStoreConfigErrors(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		_, err := source{file: writeConfig(t, text), flags: noFlags()}.load()
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%q: error %v does not say %q", text, err, w)
			}
		}
	}
	f("store: {mode: perhaps}", "store", "on, off")
	f("store: {keep_bodies: 1h}", "keep_bodies", "24h")
	f("store: {keep_bodies: 100h, keep_calls: 50h}", "keep_bodies must not be longer than keep_calls")
	f("store: {keep_calls: 0s}", "keep_calls must not be longer than keep_totals")
	f("store: {max_bytes: 1KiB, max_values: -1}", "max_bytes", "max_values")
	f("store: {where: here}", "where")
	f("data_dir: ''", "data_dir")
}
