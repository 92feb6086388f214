package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/fakellm"
)

// What was relayed can be listed and read at once, while the program runs.
func TestCallsCommands(t *testing.T) {
	dir := t.TempDir()
	config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + fmt.Sprintf("data_dir: %q\n", dir)
	p := start(t, config)
	id := p.call(t)
	resp, _, err := send(t, "POST", p.url+chatPath, chatBody("mock-2", ""), "X-Spanwire-Team", "red \u202e")
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id"))
	file := writeConfig(t, config)
	f := func(args ...string) string {
		t.Helper()
		out, errOut, err := cli(t, append(args, "--config", file)...)
		if err != nil || errOut != "" {
			t.Fatalf("%v: %v, %s", args, err, errOut)
		}
		return out
	}
	// The store is behind the journal by a moment.
	for !strings.Contains(f("calls"), resp.Header.Get("X-Spanwire-Call-Id")) {
	}
	all := f("calls")
	if strings.Count(all, "\n") != 3 || !strings.Contains(all, id) || strings.Contains(all, "\u202e") || !strings.Contains(all, "red") {
		t.Errorf("calls:\n%s", all)
	}
	if out := f("calls", "--team", "", "--since", "1h", "--status", "ok"); strings.Count(out, "\n") != 2 || !strings.Contains(out, id) {
		t.Errorf("of no team:\n%s", out)
	}
	if out := f("calls", "--model", "nothing", "--since", "2026-01-01"); !strings.Contains(out, "no such calls") {
		t.Errorf("of another model:\n%s", out)
	}
	var row map[string]any
	if err := json.Unmarshal([]byte(f("calls", "--json", "-n", "1")), &row); err != nil || row["id"] != resp.Header.Get("X-Spanwire-Call-Id") || row["trace"] == "" {
		t.Errorf("%v, %v", row, err)
	}
	card := f("call", id)
	for _, want := range []string{id, "chat", "usage", "cost", "── user", "── answer (stop)"} {
		if !strings.Contains(card, want) {
			t.Errorf("the card does not say %q:\n%s", want, card)
		}
	}
	g := func(want string, args ...string) {
		t.Helper()
		if _, errOut, err := cli(t, append(args, "--config", file)...); err == nil || !strings.Contains(errOut, want) {
			t.Errorf("%v: %v, %q does not say %q", args, err, errOut, want)
		}
	}
	g("not in the store", "call", "00000000-0000-7000-8000-000000000000")
	g("--since", "calls", "--since", "yesterday")
	g("--status", "calls", "--status", "fine")
	g("--limit", "calls", "-n", "0")
	g("there is no store", "calls", "--dir", t.TempDir())
}

// The store is checked and copied while the program runs; prices are laid anew when it
// does not.
func TestStoreCommands(t *testing.T) {
	dir := t.TempDir()
	config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + fmt.Sprintf("data_dir: %q\n", dir)
	p := start(t, config)
	resp, _, err := send(t, "POST", p.url+chatPath, chatBody("gpt-4o-mini", ""))
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	id := resp.Header.Get("X-Spanwire-Call-Id")
	p.calls.call(t, id)
	file := writeConfig(t, config)
	f := func(ok bool, want string, args ...string) {
		t.Helper()
		out, errOut, err := cli(t, append(args, "--config", file)...)
		if (err == nil) != ok || !strings.Contains(out+errOut, want) {
			t.Errorf("%v: %v, %q does not say %q", args, err, out+errOut, want)
		}
	}
	for out := ""; !strings.Contains(out, id); {
		out, _, _ = cli(t, "calls", "--config", file)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	f(true, "everything fits", "store", "check")
	f(true, "files copied", "backup", copied)
	f(false, "not empty", "backup", copied)
	f(true, "everything fits", "store", "check", "--dir", copied)
	f(true, id, "calls", "--dir", copied)
	f(true, "0 cost something else now", "reprice", "--since", "1d")
	f(false, "--since", "reprice")
	if err := os.WriteFile(file, []byte(config+"pricing: {overrides: [{provider: openai, model: gpt-4o-mini-2024-07-18, rates: {input: \"1000\", output: \"1000\"}}]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f(true, "1 would cost something else", "reprice", "--since", "1d", "--try")
	f(true, "1 cost something else now", "reprice", "--since", "1d")
	f(true, "0 cost something else now", "reprice", "--since", "1d")
	f(true, "everything fits", "store", "check")
	f(true, "override", "call", id)
	f(false, "there is no store", "reprice", "--since", "1d", "--dir", t.TempDir())
	p.stop(t)
}

// Stored calls are priced anew while the program keeps more of them: each is there once
// afterwards, and the totals are those of the calls.
func TestRepriceUnderLoad(t *testing.T) {
	dir := t.TempDir()
	config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + fmt.Sprintf(`
listen: 127.0.0.1:0
admin: "off"
data_dir: %q
journal: {mode: strict, strict_timeout: 10m}
log: {level: error}
`, dir)
	file := writeConfig(t, config)
	p := spawn(t, file)
	begun, ids := make(chan struct{}), make(chan []string, 1)
	go func() { ids <- load(p.url, 4, func() { close(begun) }) }()
	<-begun
	changed := regexp.MustCompile(`(\d+) calls were priced .*; (\d+) cost something else now`)
	reprice := func(rate int) (calls, other string) {
		t.Helper()
		file := writeConfig(t, config+fmt.Sprintf("pricing: {overrides: [{provider: openai, model: '*', rates: {input: '%d', output: '%d'}}]}\n", rate, rate))
		out, errOut, err := cli(t, "reprice", "--since", "2d", "--config", file)
		m := changed.FindStringSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("%v: %s%s", err, out, errOut)
		}
		return m[1], m[2]
	}
	for n, most := 0, 0; n < 5 || most < 50; n++ {
		calls, _ := reprice(100 + n)
		most, _ = strconv.Atoi(calls)
	}
	p.killed(t)
	kept := <-ids
	p = spawn(t, file) // the store may have been behind
	waitStored(t, dir, kept)
	calls, other := reprice(99)
	p.killed(t)
	if n, _ := strconv.Atoi(other); n < len(kept) { // one that broke off at the end may have no price
		t.Errorf("of %s calls, %d of them whole, %s cost something else", calls, len(kept), other)
	}
	storedOnce(t, dir, kept)
	sound(t, dir)
}

// With capture.raw bodies come back byte for byte, of streams and of requests that the
// proxy adds something to as well; without it nothing of them is kept.
func TestRawBodies(t *testing.T) {
	for _, on := range []bool{true, false} {
		dir := t.TempDir()
		config := rows(provider(t, fakellm.New(fakellm.Config{})), "openai") + fmt.Sprintf("data_dir: %q\ncapture: {raw: %v}\n", dir, on)
		p := start(t, config)
		sent := map[string][2]string{}
		for i, more := range []string{"", `,"stream":true`, `,"stream":true,"stream_options":{"include_usage":true}`} {
			body := chatBody(fmt.Sprint("mock-", i), more)
			resp, answer, err := send(t, "POST", p.url+chatPath, body)
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			id := resp.Header.Get("X-Spanwire-Call-Id")
			p.calls.call(t, id)
			sent[id] = [2]string{body, answer}
		}
		p.stop(t)
		for id, bodies := range sent {
			for i, which := range []string{"request", "response"} {
				out, errOut, err := cli(t, "call", id, "--raw", which, "--dir", dir)
				if on && (err != nil || !strings.HasPrefix(out, bodies[i][:40])) || !on && (err == nil || !strings.Contains(errOut, "capture.raw")) {
					t.Errorf("%v, %s: %v %s\n%q\nwant\n%q", on, which, err, errOut, out, bodies[i])
				}
				if on && which == "request" && out != bodies[i] {
					t.Errorf("%s is\n%q\nwant\n%q", which, out, bodies[i])
				}
				// The usage that the proxy asks for is in what the provider sent, and not in
				// what the caller got.
				if on && which == "response" && out != bodies[i] && !strings.Contains(out, `"usage"`) {
					t.Errorf("%s is\n%q\nwant\n%q", which, out, bodies[i])
				}
			}
		}
	}
}
