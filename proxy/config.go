package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Config is what users set. Sizes are bytes.
type Config struct {
	MaxHeaderBytes      int           `mapstructure:"max_header_bytes"`      // request head; larger ones get 431
	MaxRequestBytes     int64         `mapstructure:"max_request_bytes"`     // request body; larger ones get 413; 0: no limit
	MaxConnections      int           `mapstructure:"max_connections"`       // callers at once; more get 503; 0: no limit
	HeaderTimeout       time.Duration `mapstructure:"header_timeout"`        // from the first byte of a request head to its last; 0: no limit
	KeepAlive           time.Duration `mapstructure:"keep_alive"`            // how long an idle caller's connection is kept; 0: for ever
	CaptureRequestBytes int           `mapstructure:"capture_request_bytes"` // copy of a request body kept for reading; past it head and tail are kept
	CallIDHeader        bool          `mapstructure:"call_id_header"`        // add x-spanwire-call-id to responses
	StripDirectives     bool          `mapstructure:"strip_directives"`      // do not send gateway headers upstream

	// AllowedOrigins are the web pages that may use providers with a configured
	// credential, beside those of this machine: origins such as https://app.example.com,
	// one * in each for anything, "null" for pages without one, "*" for all. The names in
	// them are those that a listener on loopback may be asked for by.
	AllowedOrigins []string `mapstructure:"allowed_origins"`
}

// DefaultConfig returns the defaults, which are those of config.yaml.
func DefaultConfig() Config {
	return Config{
		MaxHeaderBytes:      64 << 10,
		HeaderTimeout:       time.Minute,
		KeepAlive:           10 * time.Minute,
		CaptureRequestBytes: 8 << 20,
		CallIDHeader:        true,
		StripDirectives:     true,
	}
}

// Validate says what of the configuration cannot work.
func (c Config) Validate() error {
	var errs []error
	if c.MaxHeaderBytes < 1<<10 || c.MaxHeaderBytes > 1<<20 {
		errs = append(errs, fmt.Errorf("max_header_bytes: %d is not between 1 KiB and 1 MiB", c.MaxHeaderBytes))
	}
	if c.MaxRequestBytes < 0 || c.MaxConnections < 0 || c.HeaderTimeout < 0 || c.KeepAlive < 0 {
		errs = append(errs, errors.New("max_request_bytes, max_connections, header_timeout and keep_alive must not be negative"))
	}
	if c.CaptureRequestBytes < 0 {
		errs = append(errs, errors.New("capture_request_bytes must not be negative"))
	}
	return errors.Join(append(errs, validOrigins(c.AllowedOrigins))...)
}

// Recorder takes finished exchanges, which are its own from then on. Record must
// not block; it reports whether there was room. Pressed says that there is no room
// for the copies of large request bodies at the moment: they are then left out
// beforehand, and their memory is used again.
type Recorder interface {
	Record(*llm.Exchange) bool
	Pressed() bool
}

// Settings is what code sets.
type Settings struct {
	Router   Router
	Recorder Recorder
	// KeepAnswers is how much of each response body is copied for the recorder; past it
	// head and tail are kept. 0 copies nothing, and a long stream costs no memory.
	KeepAnswers int
	// Keeper, when set, gets the exchanges in the place of Recorder.Record, and callers
	// the last byte of an answer only when it returns.
	Keeper Keeper
	// Directive says whether a request field is meant for a gateway and not for
	// the provider. It is asked for each field on the data path. Nil means none is.
	Directive func(name []byte) bool
	// TLS, when set, is what callers are served with.
	TLS *tls.Config
	// UpstreamTLS is the base for connections to https upstreams; nil means the
	// system's roots and TLS 1.2 or newer.
	UpstreamTLS *tls.Config
	Log         *slog.Logger
}
