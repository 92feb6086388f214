package attribution

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Config is what users set.
type Config struct {
	// DefaultTeam is the team of calls that nothing else gives one; "" is none.
	DefaultTeam string `mapstructure:"default_team" yaml:"default_team"`
	// Content is how much of prompts and answers is kept; "" is full.
	Content llm.ContentMode `mapstructure:"content" yaml:"content"`
	// Teams holds what is different for a team, by its name.
	Teams map[string]Team `mapstructure:"teams" yaml:"teams"`
	// Keys says whose a credential is, by its fingerprint: the first 12 or more hex
	// digits of the SHA-256 of the credential. The longest match counts.
	Keys map[string]Key `mapstructure:"keys" yaml:"keys"`
	// StripHeaders and KeepHeaders change which request headers go to the provider,
	// beside what is known of gateways. A name may end in "*". Keep wins; nothing
	// keeps our own headers.
	StripHeaders []string `mapstructure:"strip_headers" yaml:"strip_headers"`
	KeepHeaders  []string `mapstructure:"keep_headers" yaml:"keep_headers"`
}

// Team is what is different for a team.
type Team struct {
	Content llm.ContentMode `mapstructure:"content" yaml:"content"` // "" is what all have
}

// Key is whose a credential is. Its team and user hold against every header, for
// a caller must not have another team billed, unless AllowOverride is set: then
// they count only where nothing else speaks.
type Key struct {
	Team          string          `mapstructure:"team" yaml:"team"`
	User          string          `mapstructure:"user" yaml:"user"`
	Content       llm.ContentMode `mapstructure:"content" yaml:"content"` // before the team's
	AllowOverride bool            `mapstructure:"allow_override" yaml:"allow_override"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Content: llm.ContentFull} }

// A fingerprint has at least the digits that are shown, and at most all.
const fingerprintDigits, digestDigits = 12, 64

// Validate says everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	mode := func(where string, m llm.ContentMode) {
		if m != "" && strictness(m) < 0 {
			errs = append(errs, fmt.Errorf("%scontent: %q is none of full, metadata, off", where, m))
		}
	}
	mode("", c.Content)
	for _, name := range slices.Sorted(maps.Keys(c.Teams)) {
		if name == "" {
			errs = append(errs, errors.New("teams: a name is empty"))
		}
		mode("teams: "+name+": ", c.Teams[name].Content)
	}
	seen := make(map[string]bool, len(c.Keys))
	for _, f := range slices.Sorted(maps.Keys(c.Keys)) {
		// A credential that was put here by mistake must not be shown: %.4q at most.
		digits := strings.ToLower(f)
		switch {
		case len(f) < fingerprintDigits || len(f) > digestDigits || strings.Trim(digits, "0123456789abcdef") != "":
			errs = append(errs, fmt.Errorf("keys: %.4q… is no fingerprint: 12 to 64 hex digits of the SHA-256 of a key", f))
		case seen[digits]:
			errs = append(errs, fmt.Errorf("keys: fingerprint %s is there twice", digits))
		}
		seen[digits] = true
		if k := c.Keys[f]; k == (Key{AllowOverride: k.AllowOverride}) {
			errs = append(errs, fmt.Errorf("keys: %.4q… says neither team, user nor content", f))
		}
		mode(fmt.Sprintf("keys: %.4q…: ", f), c.Keys[f].Content)
	}
	for _, p := range slices.Concat(c.StripHeaders, c.KeepHeaders) {
		if !isPattern(p) {
			errs = append(errs, fmt.Errorf("header name %q: want a name of at most %d characters, which may end in *", p, longestName))
		}
	}
	return errors.Join(errs...)
}

// isPattern says whether p is a header name, with a "*" at its end or without.
func isPattern(p string) bool {
	name := strings.TrimSuffix(p, "*")
	for i := range len(name) {
		b := name[i]
		if b <= ' ' || b >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}*`, b) >= 0 {
			return false
		}
	}
	return name != "" && len(name) <= longestName
}

// strictness orders the content modes; -1 is no mode.
func strictness(m llm.ContentMode) int {
	return slices.Index([]llm.ContentMode{llm.ContentFull, llm.ContentMetadata, llm.ContentOff}, m)
}
