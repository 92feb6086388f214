package runs

import (
	"errors"
	"fmt"
	"time"
)

// Config says what a [Linker] remembers, and when it takes a run for ended.
type Config struct {
	// Enabled switches the whole off: each call is then a trace of its own, unless its
	// caller says otherwise.
	Enabled bool `mapstructure:"enabled" yaml:"enabled"`
	// MaxBytes is about how much memory earlier calls and runs may take; the oldest are
	// forgotten first. The digests of texts that are kept beside it take at most 4 MiB.
	MaxBytes int64 `mapstructure:"max_bytes" yaml:"max_bytes"`
	// MaxAge is how long after its end a call can still be gone on from.
	MaxAge time.Duration `mapstructure:"max_age" yaml:"max_age"`
	// Idle is how long a run that waits for its tools may be silent, and Settle how long
	// one that has its answer. Then its own span is exported.
	Idle   time.Duration `mapstructure:"idle" yaml:"idle"`
	Settle time.Duration `mapstructure:"settle" yaml:"settle"`
	// Snapshot is how often what is needed to go on after a restart is written to the
	// disk, beside the end of the process; 0 means never, not even then.
	Snapshot time.Duration `mapstructure:"snapshot" yaml:"snapshot"`
}

// DefaultConfig remembers six hours, in 64 MiB.
func DefaultConfig() Config {
	return Config{Enabled: true, MaxBytes: 64 << 20, MaxAge: 6 * time.Hour, Idle: 10 * time.Minute, Settle: 5 * time.Second, Snapshot: time.Minute}
}

// Validate says everything that is wrong with a configuration.
func (c Config) Validate() error {
	var errs []error
	if c.MaxBytes < 1<<16 {
		errs = append(errs, fmt.Errorf("max_bytes is %d: want at least %d", c.MaxBytes, 1<<16))
	}
	above := func(key string, d time.Duration) {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("%s is %s: want a duration above 0", key, d))
		}
	}
	above("max_age", c.MaxAge)
	above("idle", c.Idle)
	above("settle", c.Settle)
	if c.Snapshot < 0 {
		errs = append(errs, fmt.Errorf("snapshot is %s: want 0 or more", c.Snapshot))
	}
	return errors.Join(errs...)
}

// Stats counts what a [Linker] did and what it holds.
type Stats struct {
	Calls     int64 // calls that were given a place
	Linked    int64 // of these, with a parent
	Ambiguous int64 // without a parent, because several fit equally well
	Retries   int64
	Repeats   int64
	SubAgents int64 // runs that a tool call started
	Tools     int64 // runs of tools that were inferred

	ForgottenAge, ForgottenBytes int64 // calls forgotten, by the bound that it was for

	Remembered int   // calls remembered now
	Bytes      int64 // about what they take

	RunsEnded int64 // runs whose span was handed out
	RunsEarly int64 // of these, before they were idle, for want of memory
	RunsLate  int64 // of these, once more, because a call came after that
	RunsOpen  int   // runs that go on
	RunBytes  int64 // about what is held of runs and sessions

	ForgottenSessions int64 // sessions whose sums were forgotten for want of memory
}
