package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/sealed"
	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/recorder"
	"github.com/spanwire/spanwire/store"
	"github.com/spanwire/spanwire/tracing"
)

// journalDir returns the folder of the journal.
func (c *Config) journalDir() string {
	if c.Journal.Dir != "" {
		return c.Journal.Dir
	}
	return filepath.Join(c.DataDir, "journal")
}

// journals says whether calls go through a journal.
func (c *Config) journals() bool {
	switch c.Journal.Mode {
	case journal.ModeOff:
		return false
	case journal.ModeAuto:
		return c.stores()
	}
	return true
}

// signingKey returns what checkpoints are signed with, or nil when none is configured.
func (c *Config) signingKey() (ed25519.PrivateKey, error) {
	if c.Audit.SigningKey == (Secret{}) {
		return nil, nil
	}
	text, err := c.Audit.SigningKey.read()
	if err != nil {
		return nil, err
	}
	return journal.SigningKey(text)
}

// keys returns what contents are encrypted with on disk, or nil when they are not.
func (c *Config) keys() (*sealed.Keys, error) {
	if c.Encryption.Key == (Secret{}) {
		return nil, nil
	}
	text, err := c.Encryption.Key.read()
	if err != nil {
		return nil, err
	}
	return sealed.ReadKeys(text)
}

func (c *Config) validateJournal() error {
	errs := []error{named("journal", c.Journal.Validate())}
	if c.Audit.Retention < 0 {
		errs = append(errs, errors.New("audit.retention: must not be negative"))
	}
	_, err := c.signingKey()
	errs = append(errs, named("audit.signing_key", err))
	_, err = c.keys()
	return errors.Join(append(errs, named("encryption.key", err))...)
}

// openJournal opens the journal and lets the store, if there is one, and each exporter
// follow it.
func openJournal(cfg *Config, traces *tracing.Tracing, keeps *store.Store, log *slog.Logger) (*journal.Journal, error) {
	key, err := cfg.signingKey()
	if err != nil {
		return nil, fmt.Errorf("audit.signing_key: %w", err)
	}
	keys, err := cfg.keys()
	if err != nil {
		return nil, fmt.Errorf("encryption.key: %w", err)
	}
	c := cfg.Journal
	c.Dir = cfg.journalDir()
	j, err := journal.Open(c, journal.Settings{Retention: cfg.Audit.Retention, SigningKey: key, Keys: keys, Log: log})
	if err != nil {
		return nil, err
	}
	if keeps != nil {
		if err := followStore(j, keeps); err != nil {
			return nil, errors.Join(err, j.Close(context.Background()))
		}
	}
	for _, name := range traces.Names() {
		err := j.Follow(followerOf(name), func(ctx context.Context, calls []*llm.Call) error {
			return traces.Deliver(ctx, name, calls)
		})
		if err != nil {
			return nil, errors.Join(err, j.Close(context.Background()))
		}
	}
	return j, nil
}

var notInNames = regexp.MustCompile(`[^a-z0-9_-]+`)

// followerOf returns the name under which an exporter follows the journal: its own,
// where that can be a file's. It must stay the same from one start to the next.
func followerOf(exporter string) string {
	name := "tracing." + notInNames.ReplaceAllString(strings.ToLower(exporter), "-")
	if len(name) > 48 {
		name = name[:48]
	}
	if name != "tracing."+exporter {
		sum := sha256.Sum256([]byte(exporter)) // two names may look alike now
		name += "." + hex.EncodeToString(sum[:4])
	}
	return name
}

// keeping is the recorder's sink where there is a journal: calls are counted and
// made durable, and go to the exporters from there.
type keeping struct {
	journal *journal.Journal
	store   *store.Store // nil when there is none
	traces  *tracing.Tracing
	strict  *strict // nil: no answer waits
}

// Consume returns when the calls are durable. While the disk is full it waits.
func (k keeping) Consume(ctx context.Context, calls []*llm.Call) error {
	k.traces.Count(calls)
	err := k.journal.Consume(ctx, calls)
	if err == nil {
		k.strict.durable(calls)
	}
	return err
}

// partingTime is what the exporters keep of the time to close for their last words.
const partingTime = 2 * time.Second

// Close lets the exporters have what they do not have yet, as long as they take it.
// The rest they get after the next start.
func (k keeping) Close(ctx context.Context) error {
	followers, cancel := ctx, func() {}
	if end, ok := ctx.Deadline(); ok {
		followers, cancel = context.WithDeadline(ctx, end.Add(-partingTime))
	}
	defer cancel()
	err := k.journal.Close(followers)
	if k.store != nil {
		err = errors.Join(err, k.store.Close(ctx))
	}
	return errors.Join(err, k.traces.Close(ctx))
}

// keepers is where calls are kept: nil for what there is not.
type keepers struct {
	journal *journal.Journal
	store   *store.Store
}

// sinks returns what the recorder hands calls to, and where they are kept.
func sinks(cfg *Config, traces *tracing.Tracing, extra recorder.Sink, wait *strict, log *slog.Logger) (out []recorder.NamedSink, keep keepers, err error) {
	opened := func() error { return nil } // undoes what was opened
	defer func() {
		if err != nil {
			err = errors.Join(err, opened())
		}
	}()
	if err := errors.Join(isBackup(cfg.DataDir), withoutDisk(cfg, log)); err != nil {
		return nil, keepers{}, err
	}
	if cfg.stores() {
		if keep.store, err = openStore(cfg, log); err != nil {
			return nil, keepers{}, err
		}
		opened = func() error { return keep.store.Close(context.Background()) }
		if err := publishStore(traces, keep.store); err != nil {
			return nil, keepers{}, fmt.Errorf("publish metrics: %w", err)
		}
	}
	switch {
	case cfg.journals():
		j, err := openJournal(cfg, traces, keep.store, log)
		if err != nil {
			return nil, keepers{}, err
		}
		keep.journal = j
		before := opened
		opened = func() error { return errors.Join(j.Close(context.Background()), before()) }
		out = append(out, recorder.NamedSink{Name: "journal", Sink: keeping{j, keep.store, traces, wait}})
		if err := errors.Join(publishJournal(traces, j), wait.publish(traces)); err != nil {
			return nil, keepers{}, fmt.Errorf("publish metrics: %w", err)
		}
	default:
		out = append(out, recorder.NamedSink{Name: "tracing", Sink: traces})
		if keep.store != nil {
			out = append(out, recorder.NamedSink{Name: "store", Sink: direct{keep.store}})
		}
	}
	if extra != nil {
		out = append(out, recorder.NamedSink{Name: "extra", Sink: extra})
	}
	return out, keep, nil
}

// publishJournal makes the counts of the journal metrics.
func publishJournal(t *tracing.Tracing, j *journal.Journal) error {
	var errs []error
	gauge := func(name, unit, description string, read func(journal.Stats) int64) {
		errs = append(errs, t.Gauge(name, unit, description, func() int64 { return read(j.Stats()) }))
	}
	counter := func(name, unit, description string, read func(journal.Stats) int64) {
		errs = append(errs, t.Counter(name, unit, description, func() int64 { return read(j.Stats()) }))
	}
	gauge("spanwire.journal.size", "By", "Size of the journal's files.", func(s journal.Stats) int64 { return s.Bytes })
	gauge("spanwire.journal.segments", "{file}", "Files of the journal.", func(s journal.Stats) int64 { return int64(s.Segments) })
	counter("spanwire.journal.appended", "{call}", "Calls made durable.", func(s journal.Stats) int64 { return s.Appended })
	counter("spanwire.journal.written", "By", "Bytes made durable.", func(s journal.Stats) int64 { return s.AppendedBytes })
	counter("spanwire.journal.syncs", "{batch}", "Batches made durable, each by one fdatasync.", func(s journal.Stats) int64 { return s.Syncs })
	counter("spanwire.journal.failures", "{attempt}", "Writes that failed and are tried again.", func(s journal.Stats) int64 { return s.Failures })
	counter("spanwire.journal.dropped_bodies", "{call}", "Calls whose content was dropped because the journal was full.", func(s journal.Stats) int64 { return s.DroppedBodies })
	counter("spanwire.journal.dropped", "{call}", "Calls dropped before every follower had them.", func(s journal.Stats) int64 { return s.DroppedCalls })
	counter("spanwire.journal.torn", "By", "Bytes of an unfinished write, cut off the end at the start.", func(s journal.Stats) int64 { return s.TornBytes })
	counter("spanwire.journal.lost", "{record}", "Records at the end that a follower had and the journal has not any more.", func(s journal.Stats) int64 { return s.LostRecords })
	for i, f := range j.Stats().Followers {
		who := llm.Attr{Key: "follower", Value: f.Name}
		read := func(field func(journal.FollowerStats) int64) func() int64 {
			return func() int64 { return field(j.Stats().Followers[i]) }
		}
		errs = append(errs,
			t.Gauge("spanwire.journal.follower.lag", "{record}", "Records that a follower does not have yet.", read(func(s journal.FollowerStats) int64 { return s.LagRecords }), who),
			t.Gauge("spanwire.journal.follower.lag.size", "By", "Bytes of the records that a follower does not have yet.", read(func(s journal.FollowerStats) int64 { return s.LagBytes }), who),
			t.Gauge("spanwire.journal.follower.lag.time", "s", "How long the oldest record that a follower does not have yet has waited.", read(func(s journal.FollowerStats) int64 { return int64(s.Lag / time.Second) }), who),
			t.Counter("spanwire.journal.follower.delivered", "{call}", "Calls that a follower took.", read(func(s journal.FollowerStats) int64 { return s.Delivered }), who),
			t.Counter("spanwire.journal.follower.retries", "{attempt}", "Attempts after the first.", read(func(s journal.FollowerStats) int64 { return s.Retries }), who),
			t.Counter("spanwire.journal.follower.dropped", "{record}", "Records that were gone, or could not be read, before a follower had them.", read(func(s journal.FollowerStats) int64 { return s.Dropped }), who),
		)
	}
	return errors.Join(errs...)
}
