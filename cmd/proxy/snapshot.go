package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spanwire/spanwire/recorder"
	"github.com/spanwire/spanwire/runs"
)

// runsFile is where the linker's memory survives a restart.
func (c *Config) runsFile() string { return filepath.Join(c.DataDir, "runs.jsonl") }

// newLinker returns what finds out which calls belong together, or nil when nobody
// wants to know. What it cannot read of an earlier run costs links and no more.
func newLinker(cfg Config, log *slog.Logger) *runs.Linker {
	if !cfg.Runs.Enabled {
		return nil
	}
	l := runs.New(cfg.Runs)
	if cfg.Runs.Snapshot == 0 {
		return l
	}
	f, err := os.Open(cfg.runsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return l
	}
	if err == nil {
		err = errors.Join(l.Load(f), f.Close())
	}
	if err != nil {
		log.Warn("not all that was known of runs could be read: some conversations begin anew", "file", cfg.runsFile(), "error", err)
	}
	return l
}

// snapshots writes the memory of a linker, now and then and at the end.
type snapshots struct {
	linker *runs.Linker
	file   string
	saved  int64 // calls placed when it was saved
	log    *slog.Logger
	done   chan struct{}
	ended  sync.WaitGroup
}

// keepRuns starts writing snapshots; it returns nil when there are none to write. Who
// wants nothing kept of calls wants nothing kept of what links them.
func keepRuns(cfg Config, l *runs.Linker, log *slog.Logger) *snapshots {
	if l == nil || cfg.Runs.Snapshot == 0 || !cfg.stores() && !cfg.journals() {
		return nil
	}
	s := &snapshots{linker: l, file: cfg.runsFile(), log: log, done: make(chan struct{})}
	s.ended.Go(func() {
		tick := time.NewTicker(cfg.Runs.Snapshot)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := s.save(); err != nil {
					s.log.Warn("what is known of runs would not survive a restart", "error", err)
				}
			case <-s.done:
				return
			}
		}
	})
	return s
}

// close writes the last snapshot, after the last call was placed.
func (s *snapshots) close() {
	if s == nil {
		return
	}
	close(s.done)
	s.ended.Wait()
	if err := s.save(); err != nil {
		s.log.Warn("what is known of runs does not survive this restart", "error", err)
	}
}

// save writes the file as a whole or not at all; when nothing happened, not at all.
func (s *snapshots) save() error {
	calls := s.linker.Stats().Calls
	if calls == s.saved {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.file), 0o700); err != nil {
		return fmt.Errorf("save runs: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(s.file), ".runs-*")
	if err != nil {
		return fmt.Errorf("save runs: %w", err)
	}
	defer os.Remove(f.Name()) // gone already when all went well
	w := bufio.NewWriter(f)
	if err := errors.Join(s.linker.Save(w, recorder.WithoutSecrets), w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("save runs: %w", err)
	}
	if err := os.Rename(f.Name(), s.file); err != nil {
		return fmt.Errorf("save runs: %w", err)
	}
	s.saved = calls
	return nil
}
