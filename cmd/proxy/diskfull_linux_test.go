package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/spanwire/spanwire/internal/fakellm"
)

// smallDisk mounts a disk of a few megabytes. fill leaves no more than some pages of
// it, and room gives all of them back. ok is false where nothing can be mounted.
func smallDisk(t *testing.T) (dir string, fill, room func(), ok bool) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		return "", nil, nil, false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	fill = func() {
		t.Helper()
		f, err := os.OpenFile(ballast, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for page := make([]byte, 4096); err == nil; {
			_, err = f.Write(page)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	room = func() {
		t.Helper()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	return dir, fill, room, true
}

// The disk of the store is full, that of the journal, or one that both are on: calls
// go on as ever, what cannot be written is counted, and when there is room again
// everything is written that was called meanwhile.
func TestDiskFull(t *testing.T) {
	t.Run("of files", func(t *testing.T) {
		var p spawned
		limit := func(n uint64) func() {
			return func() {
				t.Helper()
				to := syscall.Rlimit{Cur: n, Max: math.MaxUint64}
				if _, _, err := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(p.Process.Pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&to)), 0, 0, 0); err != 0 {
					t.Fatal(err)
				}
			}
		}
		// The largest that a file may be stands for a disk: writes break off likewise.
		diskFull(t, &p, t.TempDir(), "", limit(200_001), limit(math.MaxUint64), "spanwire_journal_failures")
	})
	for _, full := range []string{"store", "journal", "both"} {
		t.Run(full, func(t *testing.T) {
			small, fill, room, ok := smallDisk(t)
			if !ok {
				t.Skip("a full disk was not tested, only full files: mounting a small tmpfs needs root")
			}
			var p spawned
			switch full {
			case "store":
				diskFull(t, &p, small, t.TempDir(), fill, room, "spanwire_store_failures")
			case "journal":
				diskFull(t, &p, t.TempDir(), small, fill, room, "spanwire_journal_failures")
			default:
				diskFull(t, &p, small, "", fill, room, "spanwire_journal_failures")
			}
		})
	}
}

func diskFull(t *testing.T, p *spawned, dir, journalDir string, fill, room func(), counted string) {
	t.Helper()
	more := ""
	if journalDir != "" {
		more = fmt.Sprintf(", dir: %q", journalDir)
	}
	*p = spawn(t, writeConfig(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+fmt.Sprintf(`
listen: 127.0.0.1:0
admin: 127.0.0.1:0
data_dir: %q
journal: {mode: "on", segment_bytes: 1MiB, max_bytes: 1GiB%s}
audit: {retention: 24h}
log: {level: warn}
`, dir, more)))
	defer p.killed(t)
	var ids []string
	call := func() {
		t.Helper()
		noise := make([]byte, 10_000) // which does not compress
		_, _ = rand.Read(noise)
		body := strings.Replace(chatBody("mock", ""), "What is this?", "What is "+hex.EncodeToString(noise)+"?", 1)
		resp, answer, err := send(t, http.MethodPost, p.url+chatPath, body)
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(answer, `"usage"`) {
			t.Fatalf("call %d: %v, %v: %.200s", len(ids), resp, err, answer)
		}
		ids = append(ids, resp.Header.Get("X-Spanwire-Call-Id"))
	}
	call()
	waitStored(t, dir, ids)
	fill()
	late := time.Now().Add(patience)
	for p.count(t, counted) == 0 {
		if time.Now().After(late) {
			t.Fatalf("%d calls, and %s says nothing", len(ids), counted)
		}
		call()
	}
	for range 20 {
		call()
	}
	room()
	call()
	if text := p.log.String(); !strings.Contains(text, "level=ERROR") && !strings.Contains(text, "level=WARN") {
		t.Errorf("the log says nothing: %s", text)
	}
	waitStored(t, dir, ids)
	storedOnce(t, dir, ids)
	for _, lost := range []string{"spanwire_recorder_dropped", "spanwire_sink_dropped", "spanwire_sink_failed", "spanwire_journal_dropped", "spanwire_journal_follower_dropped"} {
		if n := p.count(t, lost); n > 0 {
			t.Errorf("%s is %v", lost, n)
		}
	}
	if journalDir == "" {
		journalDir = filepath.Join(dir, "journal")
	}
	if out, _, err := cli(t, "audit", "verify", "--dir", journalDir); err != nil || !strings.Contains(out, fmt.Sprintf("%d calls", len(ids))) {
		t.Errorf("%d calls: %v\n%s", len(ids), err, out)
	}
	if out, _, err := cli(t, "store", "check", "--dir", dir); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// count returns the sum of a counter on the admin address.
func (p *spawned) count(t *testing.T, name string) (sum float64) {
	t.Helper()
	_, page, err := send(t, http.MethodGet, p.admin+"/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:_[a-z]+)*(?:\{[^}]*\})? (\S+)$`).FindAllStringSubmatch(page, -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
