package store

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Modes of a store.
const (
	ModeOn  = "on"
	ModeOff = "off" // nothing is kept
)

// Config is what users set of a [Store].
type Config struct {
	// Mode is on or off. It is for who opens stores: Open does not look at it.
	Mode string `mapstructure:"mode"`
	// KeepBodies, KeepCalls and KeepTotals are how long what was said, calls, and
	// totals by day stay; 0 means for ever. Whole days go.
	KeepBodies time.Duration `mapstructure:"keep_bodies"`
	KeepCalls  time.Duration `mapstructure:"keep_calls"`
	KeepTotals time.Duration `mapstructure:"keep_totals"`
	// MaxBytes bounds the files of all days: past it bodies go first, then calls,
	// oldest first. 0 means without bound.
	MaxBytes int64 `mapstructure:"max_bytes"`
	// FullText says whether what was said can be searched.
	FullText bool `mapstructure:"full_text"`
	// MaxValues is how many different teams, models, users and so on of a day have
	// totals of their own; the rest is counted together, as "other".
	MaxValues int `mapstructure:"max_values"`
}

const day = 24 * time.Hour

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Mode: ModeOn, KeepBodies: 14 * day, KeepCalls: 90 * day, KeepTotals: 400 * day,
		MaxBytes: 50 << 30, FullText: true, MaxValues: 1000,
	}
}

// Validate says everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(c.Mode != "" && c.Mode != ModeOn && c.Mode != ModeOff, "mode: %q is none of on, off", c.Mode)
	for _, k := range []struct {
		name string
		keep time.Duration
	}{{"keep_bodies", c.KeepBodies}, {"keep_calls", c.KeepCalls}, {"keep_totals", c.KeepTotals}} {
		bad(k.keep < 0 || k.keep > 0 && k.keep < day, "%s must be 0s or at least 24h: %v", k.name, k.keep)
	}
	bad(longer(c.KeepBodies, c.KeepCalls), "keep_bodies must not be longer than keep_calls: %v, %v", c.KeepBodies, c.KeepCalls)
	bad(longer(c.KeepCalls, c.KeepTotals), "keep_calls must not be longer than keep_totals: %v, %v", c.KeepCalls, c.KeepTotals)
	bad(c.MaxBytes < 0 || c.MaxBytes > 0 && c.MaxBytes < 64<<20, "max_bytes must be 0 or at least 64MiB: %d", c.MaxBytes)
	bad(c.MaxValues < 0 || c.MaxValues > 100_000, "max_values must be between 0 and 100000: %d", c.MaxValues)
	return errors.Join(errs...)
}

// longer says whether a is longer than b, where 0 is for ever.
func longer(a, b time.Duration) bool { return b != 0 && (a == 0 || a > b) }

// Settings is what code sets of a [Store].
type Settings struct {
	// Sealer encrypts what was said before it is written; nil for plain text. With
	// one there is no full text: an index would tell what the bodies do not.
	Sealer Sealer
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: slog.Default()
}

// Sealer encrypts pieces of what was said, after they were compressed, and opens
// them again. place names where the bytes stand: what was sealed for one place does
// not open in another. Both append to dst and are safe for concurrent use. What is
// sealed begins with a byte of 1, which nothing does that is not.
type Sealer interface {
	Seal(dst, text []byte, place string) ([]byte, error)
	Open(dst, sealed []byte, place string) ([]byte, error)
}

// sealedMark is the first byte of what a Sealer made. A frame of zstd begins with
// another, and so does a preview.
const sealedMark = 1
