package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/fakellm"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
)

// kills is how often the program is killed: `make crash` does it more often.
var kills = flag.Int("kills", 4, "how often TestKilledUnderLoad kills the program")

// asProgram makes the test binary the program, when it was started to be that.
func asProgram() bool {
	config := os.Getenv("SPANWIRE_TEST_PROGRAM")
	if config == "" {
		return false
	}
	os.Unsetenv("SPANWIRE_TEST_PROGRAM")
	ignoreFileLimit()
	if err := run(context.Background(), []string{"--config", config}, settings{stdout: os.Stdout, stderr: os.Stderr}); err != nil {
		os.Exit(1)
	}
	return true
}

var listens = regexp.MustCompile(`listens on (http://[^\s,]+)(?:, admin on (http://[^\s,]+))?`)

// spawned is the program as a process of its own.
type spawned struct {
	*exec.Cmd
	url, admin string // admin is "" when there is none
	log        *output
}

// spawn starts the program as a process of its own.
func spawn(t *testing.T, config string) spawned {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SPANWIRE_TEST_PROGRAM="+config)
	log := new(output)
	cmd.Stderr = log
	t.Cleanup(func() {
		if t.Failed() && log.String() != "" {
			t.Logf("the program said:\n%s", log.String())
		}
	})
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan []string, 1)
	go func() {
		defer close(found)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := listens.FindStringSubmatch(lines.Text()); m != nil {
				found <- m
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	select {
	case m, ok := <-found:
		if ok {
			return spawned{cmd, m[1], m[2], log}
		}
		t.Fatalf("the program ended: %v", cmd.Wait())
	case <-time.After(patience):
		cmd.Process.Kill()
		t.Fatal("the program did not start")
	}
	return spawned{}
}

// load makes calls until the program is gone, and returns the ids of those whose
// answers came to their end. It says when the first one did.
func load(url string, callers int, first func()) (ids []string) {
	var mu sync.Mutex
	var work sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}, Timeout: patience}
	defer client.CloseIdleConnections()
	for caller := range callers {
		work.Go(func() {
			for n := 0; ; n++ {
				more := ""
				if n%2 == 0 {
					more = `,"stream":true`
				}
				resp, err := client.Post(url+chatPath, "application/json", strings.NewReader(chatBody(fmt.Sprintf("mock-%d", caller), more)))
				if err != nil {
					return
				}
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if err != nil {
					return
				}
				mu.Lock()
				if len(ids) == 0 {
					first()
				}
				ids = append(ids, resp.Header.Get("X-Spanwire-Call-Id"))
				mu.Unlock()
			}
		})
	}
	work.Wait()
	return ids
}

// The program is killed at random moments under load, with an answer ending only when
// its record is durable, while the collector is away and then while it is back and
// does not always say what it took. Every call whose answer the caller had whole is in
// the store afterwards, exactly once; the chain of the journal holds; totals are those
// of the calls; and the collector has every call, always by the span id that the store
// has.
func TestKilledUnderLoad(t *testing.T) {
	far := newCollector(t)
	far.set(away)
	dir := t.TempDir()
	config := writeConfig(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+fmt.Sprintf(`
listen: 127.0.0.1:0
admin: "off"
data_dir: %q
journal: {mode: strict, strict_timeout: 10m, segment_bytes: 1MiB, max_bytes: 1GiB}
audit: {retention: 24h}
log: {level: error}
tracing: {exporters: [{type: otlp, protocol: http/json, traces_endpoint: '%s/v1/traces', skip_metrics: true}]}
`, dir, far.url))
	var ids []string
	for n := range *kills {
		if n == *kills/2 {
			far.set(forgetful)
		}
		p := spawn(t, config)
		// From the first answer on: how long a start takes is the machine's affair.
		ids = append(ids, load(p.url, 6, func() {
			time.AfterFunc(time.Duration(rand.IntN(400))*time.Millisecond, func() { p.Process.Kill() })
		})...)
		p.killed(t)
	}
	if len(ids) < *kills {
		t.Fatalf("only %d calls came to their end", len(ids))
	}
	p := startFile(t, config) // takes in what the journal has
	ids = append(ids, p.call(t))
	far.wait(t, ids)
	waitStored(t, dir, ids)
	p.stop(t)

	stored := storedOnce(t, dir, ids)
	again := 0
	for id, n := range far.times() {
		if n > 1 {
			again++
		}
		// A call can be known to the collector and to nobody's store when the machine
		// takes the journal away, which a kill does not.
		if spans := far.spans(id); len(spans) != 1 || spans[0] != stored[id] {
			t.Errorf("the collector has call %s as spans %v, the store as %q", id, spans, stored[id])
		}
	}
	sound(t, dir)
	t.Logf("%d kills, %d calls came to their end, %d are in the store, %d came to the collector more than once", *kills, len(ids), len(stored), again)
}

// killed makes sure that the program is gone, and that it did not end by itself.
func (p spawned) killed(t *testing.T) {
	t.Helper()
	_ = p.Process.Kill() // when it died by itself the test says so below
	var exit *exec.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the program ended by itself: %v", err)
	}
}

// waitStored waits until the store has calls.
func waitStored(t *testing.T, dir string, ids []string) {
	t.Helper()
	r, err := store.OpenReader(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, id := range ids {
		for {
			_, err := r.Call(ctx, id)
			if err == nil {
				break
			}
			if !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("wait for call %s in the store: %v", id, err)
			}
		}
	}
}

// storedOnce returns the span id of every call in the store, and fails when one of
// these calls is not there once.
func storedOnce(t *testing.T, dir string, ids []string) map[string]string {
	t.Helper()
	r, err := store.OpenReader(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	seen, spans := map[string]int{}, map[string]string{}
	for after := ""; ; {
		page, err := r.Calls(t.Context(), llm.Filter{}, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Calls {
			seen[row.ID]++
			spans[row.ID] = hex.EncodeToString(row.Span[:])
		}
		if after = page.Next; after == "" {
			break
		}
	}
	missing, twice := 0, 0
	for _, id := range ids {
		if seen[id] == 0 {
			missing++
		}
	}
	for _, n := range seen {
		if n > 1 {
			twice++
		}
	}
	if missing > 0 || twice > 0 {
		t.Errorf("of %d calls %d are not in the store; %d are there twice", len(ids), missing, twice)
	}
	return spans
}

// sound says that the store fits together and that the chain of the journal holds.
func sound(t *testing.T, dir string) {
	t.Helper()
	if out, _, err := cli(t, "store", "check", "--dir", dir); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, _, err := cli(t, "audit", "verify", "--dir", filepath.Join(dir, "journal")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
