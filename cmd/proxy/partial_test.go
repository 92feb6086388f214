package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Commands that look at what was kept run where the variables and files of the whole
// configuration are not: beside a copy, in somebody else's shell. What they do need is
// read, and its faults are told.
func TestLookingAtWhatWasKeptNeedsNoWholeConfiguration(t *testing.T) {
	far := httptest.NewServer(&parrot{})
	defer far.Close()
	dir := t.TempDir()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("0f", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	needed := fmt.Sprintf("data_dir: %q\njournal: {mode: \"on\"}\nencryption: {key: {file: %q}}\n", dir, key)
	p := start(t, rows(far.URL, "openai")+needed)
	resp, _, err := send(t, "POST", p.url+chatPath, chatBody("mock-heron", ""))
	if err != nil {
		t.Fatal(err)
	}
	id := resp.Header.Get("X-Spanwire-Call-Id")
	p.calls.call(t, id)
	p.stop(t)

	file := writeConfig(t, needed+`
default_provider: ${SPANWIRE_TEST_NOWHERE}
providers: [{name: x, base_url: 'http://a', api_key: {env: SPANWIRE_TEST_NOWHERE}}]
tls: {cert: /nowhere.pem, key: /nowhere.pem}
unheard: of
`)
	if _, errOut, err := cli(t, "--check", "--config", file); err == nil || !strings.Contains(errOut, "SPANWIRE_TEST_NOWHERE") {
		t.Fatalf("the configuration is not at fault: %v %s", err, errOut)
	}
	journal := filepath.Join(dir, "journal")
	for want, commands := range map[string][][]string{
		id:                  {{"audit", "export"}, {"audit", "export", "--dir", journal}, {"calls", "--json"}, {"calls", "--json", "--dir", dir}, {"call", id}, {"call", id, "--dir", dir}},
		"mock-heron":        {{"audit", "export", "--dir", journal}, {"call", id, "--dir", dir}},
		"as it was written": {{"audit", "verify"}, {"audit", "verify", "--dir", journal}},
		"everything fits":   {{"store", "check"}, {"store", "check", "--dir", dir}},
	} {
		for _, args := range commands {
			out, errOut, err := cli(t, append(args, "--config", file)...)
			if err != nil || !strings.Contains(out, want) {
				t.Errorf("%q: %v %s%s", args, err, errOut, out)
			}
		}
	}
	// A copy can be looked at without any configuration.
	t.Chdir(t.TempDir())
	if out, errOut, err := cli(t, "audit", "export", "--dir", journal); err != nil || !strings.Contains(out, id) || !strings.Contains(out, "content_encrypted") {
		t.Errorf("%v %s%s", err, errOut, out)
	}
	f := func(text, want string, args ...string) {
		t.Helper()
		if _, errOut, err := cli(t, append(args, "--config", writeConfig(t, text))...); err == nil || !strings.Contains(errOut, want) {
			t.Errorf("%q with %q: %v %s", args, text, err, errOut)
		}
	}
	f("encryption: {key: {env: SPANWIRE_TEST_NOWHERE}}\n", "SPANWIRE_TEST_NOWHERE", "audit", "export", "--dir", journal)
	f("encryption: {kee: x}\n", `unknown key "kee"`, "calls", "--dir", dir)
	f("data_dir: ${SPANWIRE_TEST_NOWHERE}\n", "SPANWIRE_TEST_NOWHERE", "calls")
	f("- no keys\n", "expected keys and values", "calls", "--dir", dir)
}
