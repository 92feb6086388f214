package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/fakellm"
	"github.com/spanwire/spanwire/journal"
)

// childConfig names the configuration of a program that a test runs as a process of its
// own, so that it can be killed.
const childConfig = "SPANWIRE_TEST_CHILD_CONFIG"

// child runs the program when this process is to be one, and says so.
func child() bool {
	file := os.Getenv(childConfig)
	if file == "" {
		return false
	}
	err := run(context.Background(), []string{"--config", file, "--listen", "127.0.0.1:0", "--admin", "off"}, settings{
		stdout: io.Discard, stderr: os.Stderr, quiet: true,
		started: func(at addresses) { fmt.Println(at.proxy) },
	})
	if err != nil {
		os.Exit(1)
	}
	return true
}

// whole makes calls until one of them breaks off, and gives the ids of those whose
// answers came whole to note.
func whole(url string, stream bool, note func(id string)) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	body := chatBody("fake-words-20", "")
	if stream {
		body = chatBody("fake-words-20", `,"stream":true`)
	}
	for {
		resp, err := client.Post(url+chatPath, "application/json", strings.NewReader(body))
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			return
		}
		note(resp.Header.Get("X-Spanwire-Call-Id"))
	}
}

// The program is killed under load, again and again. Every call whose answer a caller
// saw whole is in the journal, and the chain holds.
func TestStrictLosesNothingThatACallerSawWhole(t *testing.T) {
	kills := 12
	if testing.Short() {
		kills = 3
	}
	dir := t.TempDir()
	file := writeConfig(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+fmt.Sprintf(`
data_dir: %q
journal: {mode: strict, strict_timeout: 10m, segment_bytes: 1MiB, max_bytes: 1GiB}
audit: {retention: 24h}
log: {level: error}
`, dir))
	var mu sync.Mutex
	seen := map[string]bool{}
	for range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childConfig+"="+file)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatalf("the program did not start: %v", err)
		}
		enough := make(chan struct{})
		var once sync.Once
		n, least := 0, 10+rand.IntN(60)
		var callers sync.WaitGroup
		for i := range 6 {
			callers.Go(func() {
				whole("http://"+strings.TrimSpace(line), i%2 == 0, func(id string) {
					mu.Lock()
					defer mu.Unlock()
					seen[id] = true
					if n++; n >= least {
						once.Do(func() { close(enough) })
					}
				})
			})
		}
		select {
		case <-enough:
		case <-time.After(patience):
			t.Error("callers got no answers")
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		callers.Wait()
	}

	folder := filepath.Join(dir, "journal")
	report, err := journal.Verify(t.Context(), folder, journal.Range{}, nil)
	if err != nil || report.Broken != nil {
		t.Fatalf("verify: %v, broken %v", err, report.Broken)
	}
	var lines strings.Builder
	if _, err := journal.Export(t.Context(), folder, journal.Range{}, nil, &lines); err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for line := range strings.Lines(lines.String()) {
		var record struct {
			Call struct {
				ID string `json:"id"`
			} `json:"call"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		kept[record.Call.ID] = true
	}
	lost := 0
	for id := range seen {
		if !kept[id] {
			lost++
		}
	}
	if lost > 0 || len(seen) < 10*kills {
		t.Errorf("of %d calls that callers saw whole %d are not in the journal, which has %d", len(seen), lost, len(kept))
	}
	t.Logf("%d kills, %d calls seen whole, %d in the journal", kills, len(seen), len(kept))
}

// Where the journal cannot be written to, an answer ends after its time all the same,
// and it is counted.
func TestStrictWaitsForSoLongOnly(t *testing.T) {
	dir := t.TempDir()
	p := start(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+fmt.Sprintf(`
data_dir: %q
journal: {mode: strict, strict_timeout: 50ms}
recorder: {sink_queue_bytes: 1}
`, dir))
	began := time.Now()
	resp, body, err := send(t, "POST", p.url+chatPath, chatBody("mock", ""))
	if err != nil || resp.StatusCode != 200 || !json.Valid([]byte(body)) {
		t.Fatalf("%v, %v, %s", resp, err, body)
	}
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("the answer ended after %v", took)
	}
	_, page, err := send(t, "GET", "http://"+p.at.admin+"/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"spanwire_journal_strict_timeouts_total", "spanwire_journal_strict_waits_total", "spanwire_proxy_unkept_total"} {
		i := strings.Index(page, "\n"+name)
		if i < 0 || !strings.Contains(strings.SplitN(page[i+1:], "\n", 2)[0], " 1") {
			t.Errorf("/metrics does not say that one call timed out: %s", name)
		}
	}
}
