package journal_test

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
)

// diskFull appends until full says so; what was acknowledged must be there, the
// call that waits must get in once there is room, and the chain must hold.
func diskFull(t *testing.T, dir string, room func()) {
	t.Helper()
	j, err := journal.Open(config(dir), journal.Settings{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; n < 10_000; n++ {
		if err = j.Append(t.Context(), []*llm.Call{large(n, 10_000)}); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EFBIG) {
		t.Fatalf("call %d: %v", n, err)
	}
	// A small one may still fit; the large one waits until there is room.
	waiting := make(chan error, 1)
	go func() { waiting <- j.Consume(t.Context(), []*llm.Call{large(n, 10_000)}) }()
	cancelled, cancel := context.WithCancel(t.Context())
	inVain := make(chan error, 1)
	go func() { inVain <- j.Consume(cancelled, []*llm.Call{large(n+1, 10_000)}) }()
	for j.Stats().Failures < 4 { // both have tried
		if err := j.Append(t.Context(), []*llm.Call{large(n+2, 10_000)}); err == nil {
			t.Fatal("there is room after all")
		}
	}
	cancel()
	if err := <-inVain; err == nil {
		t.Error("a call was taken that found no room")
	}
	room()
	if err := <-waiting; err != nil {
		t.Errorf("there is room, and the call is refused: %v", err)
	}
	shut(t, j)
	if r := whole(t, dir); r.Calls != int64(n+1) || r.Tail != 0 {
		t.Errorf("%d calls were acknowledged; verify: %+v", n+1, r)
	}
	if got := ids(contents(t, dir)); !slices.Equal(got, ids(numbered(0, n+1))) {
		t.Errorf("%d calls are there", len(got))
	}
}

// The limit of a file's size stands for a full disk where no disk can be mounted:
// writes break off in the middle in the same way.
func TestDiskFullByLimit(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	limit := was
	limit.Cur = 4_000_001 // well beyond the log of opened files that go test keeps meanwhile
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	lift := func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Error(err)
		}
	}
	defer lift()
	diskFull(t, t.TempDir(), lift)
}

func TestDiskFull(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a full disk was not tested, only a full file: mounting a small tmpfs needs root (%v)", err)
	}
	defer func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	}()
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 300_000), 0o600); err != nil {
		t.Fatal(err)
	}
	diskFull(t, filepath.Join(disk, "journal"), func() {
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
	})
}
