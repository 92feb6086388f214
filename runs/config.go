package runs

import (
	"fmt"
	"time"
)

// Config bounds what a [Linker] remembers.
type Config struct {
	// MaxBytes is about how much memory earlier calls may take; the oldest are
	// forgotten first. The digests of texts that are kept beside it take at most 4 MiB.
	MaxBytes int64 `mapstructure:"max_bytes" yaml:"max_bytes"`
	// MaxAge is how long after its end a call can still be gone on from.
	MaxAge time.Duration `mapstructure:"max_age" yaml:"max_age"`
}

// DefaultConfig remembers six hours, in 64 MiB.
func DefaultConfig() Config { return Config{MaxBytes: 64 << 20, MaxAge: 6 * time.Hour} }

// Validate says what is wrong with a configuration.
func (c Config) Validate() error {
	if c.MaxBytes < 1<<16 {
		return fmt.Errorf("max_bytes is %d: want at least %d", c.MaxBytes, 1<<16)
	}
	if c.MaxAge <= 0 {
		return fmt.Errorf("max_age is %s: want a duration above 0", c.MaxAge)
	}
	return nil
}

// Stats counts what a [Linker] did and what it holds.
type Stats struct {
	Calls     int64 // calls that were given a place
	Linked    int64 // of these, with a parent
	Ambiguous int64 // without a parent, because several fit equally well
	Retries   int64
	Repeats   int64
	SubAgents int64 // runs that a tool call started

	ForgottenAge, ForgottenBytes int64 // calls forgotten, by the bound that it was for

	Remembered int   // calls remembered now
	Bytes      int64 // about what they take
}
