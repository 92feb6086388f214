package redact

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// Action is what is done with what was found.
type Action string

// The actions.
const (
	Mask Action = "mask" // [email] stands in its place
	Hash Action = "hash" // [email:0f1e2d3c4b5a6978]: equal values have equal hashes
	Drop Action = "drop" // nothing does
)

// Places in a call that are looked through.
const (
	Prompts       = "prompts"        // messages, instructions, tool definitions and results
	Answers       = "answers"        // and error messages
	ToolArguments = "tool_arguments" // of calls of tools, asked for or sent back
	Metadata      = "metadata"       // user, session, tags, metadata and attributes
)

var places = []string{Prompts, Answers, ToolArguments, Metadata}

// all in the place of a kind stands for every kind that is not named itself.
const all = "all"

// Rules say what is looked for, where, and what is done with it.
type Rules struct {
	// Kinds has an action for each kind of personal data, by its name (see [Kinds]);
	// "all" stands for those that are not named.
	Kinds map[string]Action `mapstructure:"kinds"`
	// Custom are kinds of one's own.
	Custom []Custom `mapstructure:"custom"`
	// In names the places; none means prompts, answers and tool_arguments.
	In []string `mapstructure:"in"`
}

// Custom is a kind of one's own, found by a regular expression (RE2, so that the time
// is linear in the text).
type Custom struct {
	Kind    string `mapstructure:"kind"`
	Pattern string `mapstructure:"pattern"`
	Action  Action `mapstructure:"action"` // "" is mask
}

// Config is what users set.
type Config struct {
	Rules `mapstructure:",squash"`
	// Teams have rules of their own, by name: what a team sets replaces what all have.
	Teams map[string]Rules `mapstructure:"teams"`
}

// On says whether anything is looked for at all.
func (c Config) On() bool {
	on := c.Rules.on()
	for _, t := range c.Teams {
		on = on || t.on()
	}
	return on
}

func (r Rules) on() bool { return len(r.Kinds) > 0 || len(r.Custom) > 0 }

// hashes says whether any rule needs the key.
func (c Config) hashes() bool {
	is := func(r Rules) bool {
		for _, a := range r.Kinds {
			if a == Hash {
				return true
			}
		}
		return slices.ContainsFunc(r.Custom, func(c Custom) bool { return c.Action == Hash })
	}
	return is(c.Rules) || slices.ContainsFunc(slices.Collect(maps.Values(c.Teams)), is)
}

// Validate says everything that is wrong with c. hasKey says whether there is a key
// for hashes.
func (c Config) Validate(hasKey bool) error {
	errs := []error{c.Rules.validate("")}
	for _, name := range slices.Sorted(maps.Keys(c.Teams)) {
		errs = append(errs, c.Teams[name].validate("teams: "+name+": "))
	}
	if c.hashes() && !hasKey {
		errs = append(errs, errors.New("key: is needed to hash: a hash without one can be guessed"))
	}
	return errors.Join(errs...)
}

// kindName is what a kind of one's own may be called: it stands in attributes.
var kindName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

func (r Rules) validate(where string) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(where+format, args...)) }
	action := func(what string, a Action) {
		if a != Mask && a != Hash && a != Drop {
			bad("%s: %q is none of mask, hash, drop", what, a)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
		if _, known := kindOf(kind); !known && kind != all {
			bad("kinds: %q is none of all, %s", kind, joined(Kinds()))
		}
		action("kinds: "+kind, r.Kinds[kind])
	}
	for i, c := range r.Custom {
		what := fmt.Sprintf("custom[%d]", i)
		_, known := kindOf(c.Kind)
		if known || c.Kind == all || !kindName.MatchString(c.Kind) {
			bad("%s: kind: %q must be a name of its own, of a-z, 0-9 and _", what, c.Kind)
		}
		re, err := regexp.Compile(c.Pattern)
		switch {
		case err != nil:
			bad("%s: pattern: %w", what, err)
		case c.Pattern == "" || re.MatchString(""):
			bad("%s: pattern: %q holds for no text at all", what, c.Pattern)
		}
		if c.Action != "" {
			action(what+": action", c.Action)
		}
	}
	for _, p := range r.In {
		if !slices.Contains(places, p) {
			bad("in: %q is none of %s", p, joined(places))
		}
	}
	return errors.Join(errs...)
}

// over returns the rules of a team: its own, where it has any, else those of all.
func (r Rules) over(base Rules) Rules {
	if r.Kinds != nil {
		base.Kinds = r.Kinds
	}
	if r.Custom != nil {
		base.Custom = r.Custom
	}
	if r.In != nil {
		base.In = r.In
	}
	return base
}
