package journal

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spanwire/spanwire/internal/sealed"
)

// Modes of a journal.
const (
	ModeAuto   = "auto"   // on where there is something that needs it; for who opens journals
	ModeOff    = "off"    // there is none: calls go straight to the sinks
	ModeOn     = "on"     // calls are durable soon after they ended
	ModeStrict = "strict" // calls are durable before their callers see the last byte
)

// Config is what users set of a [Journal].
type Config struct {
	// Mode is one of the modes; Open looks at ModeStrict only. In ModeStrict a batch waits for nothing: SyncDelay
	// is not used, and whoever appends while a batch is written shares the next.
	Mode string `mapstructure:"mode" yaml:"mode"`
	// Dir is the folder of the journal. It is made when it is not there.
	Dir string `mapstructure:"dir" yaml:"dir"`
	// SegmentBytes is when a segment is full: it ends with the batch that makes it so.
	SegmentBytes int64 `mapstructure:"segment_bytes" yaml:"segment_bytes"`
	// MaxBytes bounds the files: past it contents are dropped, then calls, oldest first.
	MaxBytes int64 `mapstructure:"max_bytes" yaml:"max_bytes"`
	// MaxAge is how long calls wait for a follower that is down; 0 means without end.
	MaxAge time.Duration `mapstructure:"max_age" yaml:"max_age"`
	// SyncDelay is how long a batch waits for more calls before it is made durable.
	SyncDelay time.Duration `mapstructure:"sync_delay" yaml:"sync_delay"`
	// StrictTimeout is how long the end of an answer waits for its record in ModeStrict.
	// The journal itself does not use it.
	StrictTimeout time.Duration `mapstructure:"strict_timeout" yaml:"strict_timeout"`
}

// DefaultConfig returns the defaults. Dir has none.
func DefaultConfig() Config {
	return Config{Mode: ModeAuto, SegmentBytes: 64 << 20, MaxBytes: 10 << 30, MaxAge: 7 * 24 * time.Hour, StrictTimeout: 5 * time.Second}
}

// Settings is what code sets of a [Journal].
type Settings struct {
	// Retention is how long segments stay although all followers are past them.
	Retention time.Duration
	// SigningKey signs checkpoints; nil means that there are none.
	SigningKey ed25519.PrivateKey
	// Keys encrypt the contents of calls; nil: they are kept as they are, and encrypted
	// ones of before cannot be read.
	Keys *sealed.Keys
	Log  *slog.Logger // nil: slog.Default()
}

const (
	minSegment = 64 << 10
	maxDelay   = 10 * time.Second
	maxStrict  = 10 * time.Minute
)

// Validate says everything that is wrong with c. Zero values are right: they mean
// the defaults, MaxAge and SyncDelay apart, which they switch off.
func (c Config) Validate() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(c.Mode != "" && c.Mode != ModeAuto && c.Mode != ModeOff && c.Mode != ModeOn && c.Mode != ModeStrict, "mode: %q is none of auto, off, on, strict", c.Mode)
	d := c.orDefaults()
	bad(d.SegmentBytes < minSegment || d.SegmentBytes > 1<<30, "segment_bytes must be between %d and %d: %d", minSegment, 1<<30, c.SegmentBytes)
	bad(d.MaxBytes < 2*d.SegmentBytes, "max_bytes must be at least twice segment_bytes, which is %d: %d", d.SegmentBytes, c.MaxBytes)
	bad(c.MaxAge < 0, "max_age must not be negative: %v", c.MaxAge)
	bad(c.SyncDelay < 0 || c.SyncDelay > maxDelay, "sync_delay must be between 0s and %v: %v", maxDelay, c.SyncDelay)
	bad(c.StrictTimeout < 0 || c.StrictTimeout > maxStrict || c.Mode == ModeStrict && c.StrictTimeout == 0,
		"strict_timeout must be more than 0s and at most %v: %v", maxStrict, c.StrictTimeout)
	return errors.Join(errs...)
}

func (c Config) orDefaults() Config {
	d := DefaultConfig()
	if c.SegmentBytes == 0 {
		c.SegmentBytes = d.SegmentBytes
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = d.MaxBytes
	}
	if c.Mode == ModeStrict {
		c.SyncDelay = 0
	}
	return c
}
