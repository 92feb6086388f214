package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spanwire/spanwire/internal/sealed"
	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
	"github.com/spanwire/spanwire/tracing"
)

// stores says whether calls are kept in a store.
func (c *Config) stores() bool { return c.Store.Mode != store.ModeOff }

func (c *Config) validateStore() error {
	if c.DataDir == "" {
		return errors.New("data_dir: must name a folder")
	}
	return named("store", c.Store.Validate())
}

// storeSealer returns what encrypts the store, or nil where nothing does.
func storeSealer(keys *sealed.Keys) store.Sealer {
	if keys == nil {
		return nil
	}
	return keys
}

// openStore opens the store of the configuration.
func openStore(cfg *Config, log *slog.Logger) (*store.Store, error) {
	keys, err := cfg.keys()
	if err != nil {
		return nil, fmt.Errorf("encryption.key: %w", err)
	}
	s, err := store.Open(cfg.DataDir, cfg.Store, store.Settings{Sealer: storeSealer(keys), Log: log})
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("data_dir: %w; give this one a data_dir of its own, or keep nothing with store.mode: off", err)
	}
	return s, err
}

// readStore opens the store of the configuration for reading, also beside the program
// that writes to it.
func readStore(cfg *Config, dir string) (*store.Reader, error) {
	keys, err := cfg.keys()
	if err != nil {
		return nil, fmt.Errorf("encryption.key: %w", err)
	}
	if dir == "" {
		dir = cfg.DataDir
	}
	r, err := store.OpenReader(dir, storeSealer(keys))
	if errors.Is(err, store.ErrNone) {
		return nil, nowhere("store", dir)
	}
	return r, err
}

// defaultDataDir is where calls are kept when nobody says where.
const defaultDataDir = "./spanwire-data"

// writable makes the folder of everything that is kept, or returns why it cannot be
// written to.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".try-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// withoutDisk switches off what needs a disk when nobody asked for one and there is
// none that can be written to: a container whose files are read-only forwards and
// traces as before. Who names a data_dir or asks for a journal gets an error instead.
func withoutDisk(cfg *Config, log *slog.Logger) error {
	if !cfg.stores() && !cfg.journals() {
		return nil
	}
	err := writable(cfg.DataDir)
	if err == nil {
		return nil
	}
	asked := cfg.Journal.Mode != journal.ModeAuto || filepath.Clean(cfg.DataDir) != filepath.Clean(defaultDataDir)
	if asked || !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("data_dir: %w", err)
	}
	log.Warn("calls are not kept: the default data_dir cannot be written to. Name one, or set store.mode to off", "error", err)
	cfg.Store.Mode, cfg.Journal.Mode = store.ModeOff, journal.ModeOff
	return nil
}

// followStore lets the store follow the journal: what it took is safe when it is
// flushed, and until then the journal has it.
func followStore(j *journal.Journal, s *store.Store) error {
	return j.FollowFlushed("store", s.Consume, s.Flush)
}

// direct is the recorder's sink where there is a store and no journal.
type direct struct{ *store.Store }

// Close makes everything durable and closes the store.
func (d direct) Close(ctx context.Context) error {
	return errors.Join(d.Flush(), d.Store.Close(ctx))
}

// publishStore makes the counts of the store metrics.
func publishStore(t *tracing.Tracing, s *store.Store) error {
	var errs []error
	gauge := func(name, unit, description string, read func(store.Stats) int64) {
		errs = append(errs, t.Gauge(name, unit, description, func() int64 { return read(s.Stats()) }))
	}
	counter := func(name, unit, description string, read func(store.Stats) int64, attrs ...llm.Attr) {
		errs = append(errs, t.Counter(name, unit, description, func() int64 { return read(s.Stats()) }, attrs...))
	}
	gauge("spanwire.store.size", "By", "Size of the store's files.", func(s store.Stats) int64 { return s.Bytes })
	gauge("spanwire.store.days", "{day}", "Days of which there are calls.", func(s store.Stats) int64 { return int64(s.Days) })
	gauge("spanwire.store.index.lag", "{call}", "Calls whose text cannot be searched yet.", func(s store.Stats) int64 { return s.IndexLag })
	counter("spanwire.store.stored", "{call}", "Calls kept.", func(s store.Stats) int64 { return s.Stored })
	counter("spanwire.store.repeated", "{call}", "Calls handed over again that were there already.", func(s store.Stats) int64 { return s.Again })
	counter("spanwire.store.expired", "{call}", "Calls that were older than what is kept.", func(s store.Stats) int64 { return s.Expired })
	counter("spanwire.store.failures", "{attempt}", "Writes that failed and are tried again.", func(s store.Stats) int64 { return s.Failures })
	counter("spanwire.store.written", "By", "Bytes of what was said, as they are kept.", func(s store.Stats) int64 { return s.SaidBytes })
	counter("spanwire.store.other", "{value}", "Values without totals of their own.", func(s store.Stats) int64 { return s.Other })
	counter("spanwire.store.removed", "{file}", "Files removed because they were old.", func(s store.Stats) int64 { return s.Unlinked })
	return errors.Join(errs...)
}

// kept says, a line each, what is kept where.
func kept(cfg Config) string {
	var b strings.Builder
	if cfg.stores() {
		fmt.Fprintf(&b, "calls are kept in %s: see them with `%s calls`\n", cfg.DataDir, invocation(os.Args[0]))
	}
	if cfg.journals() {
		fmt.Fprintf(&b, "journal: %s\n", cfg.journalDir())
	}
	return b.String()
}
