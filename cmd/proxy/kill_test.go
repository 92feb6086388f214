package main

import (
	"bufio"
	"context"
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
	if err := run(context.Background(), []string{"--config", config}, settings{stdout: os.Stdout, stderr: os.Stderr}); err != nil {
		os.Exit(1)
	}
	return true
}

var listens = regexp.MustCompile(`listens on (http://\S+?),? `)

// spawn starts the program as a process of its own and returns where it listens.
func spawn(t *testing.T, config string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SPANWIRE_TEST_PROGRAM="+config)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := listens.FindStringSubmatch(lines.Text() + " "); m != nil {
				found <- m[1]
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	select {
	case url, ok := <-found:
		if ok {
			return cmd, url
		}
		t.Fatalf("the program ended: %v", cmd.Wait())
	case <-time.After(patience):
		cmd.Process.Kill()
		t.Fatal("the program did not start")
	}
	return nil, ""
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
// its record is durable. Every call whose answer the caller had whole is in the store
// afterwards, exactly once; the chain of the journal holds; totals are those of the
// calls; and the collector, which was away at first, has every call too.
func TestKilledUnderLoad(t *testing.T) {
	dir := t.TempDir()
	spans := filepath.Join(t.TempDir(), "spans.jsonl")
	config := writeConfig(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+fmt.Sprintf(`
listen: 127.0.0.1:0
admin: "off"
data_dir: %q
journal: {mode: strict, segment_bytes: 1MiB, max_bytes: 1GiB}
audit: {retention: 24h}
log: {level: error}
tracing: {exporters: [{type: file, path: %q}]}
`, dir, spans))
	var ids []string
	for range *kills {
		cmd, url := spawn(t, config)
		// From the first answer on: how long a start takes is the machine's affair.
		ids = append(ids, load(url, 6, func() {
			time.AfterFunc(time.Duration(rand.IntN(400))*time.Millisecond, func() { cmd.Process.Kill() })
		})...)
		_ = cmd.Process.Kill() // when it died by itself the test says so below
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("the program ended by itself: %v", err)
		}
	}
	if len(ids) < *kills {
		t.Fatalf("only %d calls came to their end", len(ids))
	}
	p := startFile(t, config) // takes in what the journal has
	last := p.call(t)
	for {
		if out, _, err := cli(t, "calls", "--dir", dir, "-n", "1", "--json"); err == nil && strings.Contains(out, last) {
			break
		}
	}
	p.stop(t)

	r, err := store.OpenReader(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	seen := map[string]int{}
	for after := ""; ; {
		page, err := r.Calls(t.Context(), llm.Filter{}, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Calls {
			seen[row.ID]++
		}
		if after = page.Next; after == "" {
			break
		}
	}
	exported, err := os.ReadFile(spans)
	if err != nil {
		t.Fatal(err)
	}
	missing, unexported := 0, 0
	for _, id := range ids {
		if seen[id] != 1 {
			missing++
		}
		if !strings.Contains(string(exported), id) {
			unexported++
		}
	}
	twice := 0
	for _, n := range seen {
		if n > 1 {
			twice++
		}
	}
	if missing > 0 || twice > 0 || unexported > 0 {
		t.Errorf("of %d calls that came to their end %d are not in the store and %d not at the exporter; %d are in the store twice", len(ids), missing, unexported, twice)
	}
	if out, _, err := cli(t, "store", "check", "--dir", dir); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, _, err := cli(t, "audit", "verify", "--dir", filepath.Join(dir, "journal")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%d kills, %d calls came to their end, %d are in the store", *kills, len(ids), len(seen))
}
