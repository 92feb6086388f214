package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"github.com/spanwire/spanwire/attribution"
	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/pricing"
	"github.com/spanwire/spanwire/proxy"
	"github.com/spanwire/spanwire/recorder"
	"github.com/spanwire/spanwire/redact"
	"github.com/spanwire/spanwire/runs"
	"github.com/spanwire/spanwire/signing"
	"github.com/spanwire/spanwire/store"
	"github.com/spanwire/spanwire/tokenizer"
	"github.com/spanwire/spanwire/tracing"
)

// defaultFile is read from the working directory when --config names no other;
// it need not exist.
const defaultFile = "config.yaml"

// Config is the whole configuration: config.yaml has the same keys and defaults,
// each with a comment, and a test holds the two equal. Sections of other
// packages are those packages' own types.
type Config struct {
	Listen string `mapstructure:"listen"`
	Admin  string `mapstructure:"admin"`
	TLS    struct {
		Cert string `mapstructure:"cert"`
		Key  string `mapstructure:"key"`
	} `mapstructure:"tls"`

	DefaultProvider string     `mapstructure:"default_provider"`
	Providers       []Provider `mapstructure:"providers"`
	Timeouts        struct {
		Connect time.Duration `mapstructure:"connect"`
		TLS     time.Duration `mapstructure:"tls"`
		Header  time.Duration `mapstructure:"header"`
		Idle    time.Duration `mapstructure:"idle"`
	} `mapstructure:"timeouts"`
	OnDisconnect string `mapstructure:"on_disconnect"` // cancel or drain
	Drain        struct {
		Time  time.Duration `mapstructure:"time"`
		Bytes int64         `mapstructure:"bytes"`
	} `mapstructure:"drain"`
	DrainTimeout time.Duration `mapstructure:"drain_timeout"` // for open streams, at shutdown

	Attribution attribution.Config `mapstructure:",squash"` // default_team, content, teams, keys …

	Redact struct {
		redact.Config `mapstructure:",squash"`
		Key           Secret `mapstructure:"key"` // of hashes
	} `mapstructure:"redact"`

	Proxy     proxy.Config     `mapstructure:"proxy"`
	Pricing   Pricing          `mapstructure:"pricing"`
	Tokenizer tokenizer.Config `mapstructure:"tokenizer"`
	Recorder  recorder.Config  `mapstructure:"recorder"`
	Runs      runs.Config      `mapstructure:"runs"`
	Tracing   tracing.Config   `mapstructure:"tracing"`

	Capture struct {
		Raw bool `mapstructure:"raw"` // keep bodies as they went over the wire
	} `mapstructure:"capture"`

	DataDir string         `mapstructure:"data_dir"` // of everything that is kept
	Store   store.Config   `mapstructure:"store"`
	Journal journal.Config `mapstructure:"journal"`
	Audit   struct {
		Retention  time.Duration `mapstructure:"retention"`
		SigningKey Secret        `mapstructure:"signing_key"` // Ed25519 seed
	} `mapstructure:"audit"`

	Encryption struct {
		Key Secret `mapstructure:"key"` // one or several, the first one encrypts
	} `mapstructure:"encryption"`

	Log struct {
		Level  string `mapstructure:"level"`  // debug, info, warn, error
		Format string `mapstructure:"format"` // text or json
	} `mapstructure:"log"`
	Pprof bool `mapstructure:"pprof"`
}

// Provider adds a provider, or overrides the fields that it sets of a built-in
// one of the same name.
type Provider struct {
	Name         string            `mapstructure:"name"`
	BaseURL      string            `mapstructure:"base_url"`
	Dialect      string            `mapstructure:"dialect"`
	APIKey       *APIKey           `mapstructure:"api_key"`
	AWS          *signing.Config   `mapstructure:"aws"`
	Headers      map[string]string `mapstructure:"headers"`
	Usage        string            `mapstructure:"usage"`
	OnDisconnect string            `mapstructure:"on_disconnect"`
	Timeouts     struct {
		Connect *time.Duration `mapstructure:"connect"`
		TLS     *time.Duration `mapstructure:"tls"`
		Header  *time.Duration `mapstructure:"header"`
		Idle    *time.Duration `mapstructure:"idle"`
	} `mapstructure:"timeouts"`
}

// APIKey is what is sent in place of the caller's credential.
type APIKey struct {
	Secret `mapstructure:",squash"`
	Bearer bool `mapstructure:"bearer"` // sent as a bearer token, whatever way the vendor takes its own keys
}

// Pricing says what of the price table is different here.
type Pricing struct {
	File        string            `mapstructure:"file"`    // in place of the built-in table
	Overlay     string            `mapstructure:"overlay"` // rows laid over it
	Models      map[string]string `mapstructure:"models"`  // name → name that it is priced and counted as
	Overrides   []Override        `mapstructure:"overrides"`
	Multipliers []Multiplier      `mapstructure:"multipliers"`
}

// Override is the price of one model.
type Override struct {
	Provider string            `mapstructure:"provider"`
	Model    string            `mapstructure:"model"`
	Currency string            `mapstructure:"currency"` // of the rates; "" for USD
	Rates    map[string]string `mapstructure:"rates"`    // decimal text: money per million tokens, fees each
}

// Multiplier is a negotiated price: what the table says, times a factor.
type Multiplier struct {
	Team     string `mapstructure:"team"`
	Provider string `mapstructure:"provider"`
	Model    string `mapstructure:"model"`
	From     string `mapstructure:"from"`     // first day, or instant
	To       string `mapstructure:"to"`       // last day, or the instant at which it ends
	Multiply string `mapstructure:"multiply"` // decimal text or a fraction
}

// table builds the price table.
func (p *Pricing) table() (*pricing.Table, error) {
	opts := []pricing.Option{pricing.WithModels(p.Models)}
	var over []pricing.Override
	for _, o := range p.Overrides {
		over = append(over, pricing.Override(o))
	}
	opts = append(opts, pricing.WithOverrides(over))
	if p.Overlay != "" {
		b, err := os.ReadFile(p.Overlay)
		if err != nil {
			return nil, fmt.Errorf("overlay: %w", err)
		}
		opts = append(opts, pricing.WithOverlay(b))
	}
	var factors []pricing.Multiplier
	for _, m := range p.Multipliers {
		factors = append(factors, pricing.Multiplier(m))
	}
	opts = append(opts, pricing.WithMultipliers(factors))
	if p.File == "" {
		return pricing.Default(opts...)
	}
	b, err := os.ReadFile(p.File)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	return pricing.New(b, opts...)
}

// plainVariable is how environment variables are named.
var plainVariable = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// variable names an environment variable for an error. What does not look like such a
// name may be the credential itself, put there by mistake: its beginning must do.
func variable(name string) string {
	if plainVariable.MatchString(name) && !strings.HasPrefix(name, "AKIA") && !strings.HasPrefix(name, "ASIA") {
		return name
	}
	return fmt.Sprintf("%.4q… (env holds the name of a variable, never a key)", name)
}

// Secret says where a credential is. The file never holds one itself.
type Secret struct {
	Env  string `mapstructure:"env"`
	File string `mapstructure:"file"`
}

// read returns the credential.
func (s *Secret) read() (string, error) {
	switch {
	case s.Env != "" && s.File != "":
		return "", errors.New("give env or file, not both")
	case s.Env != "":
		v := os.Getenv(s.Env)
		if v == "" {
			return "", fmt.Errorf("environment variable %s is not set", variable(s.Env))
		}
		return v, nil
	case s.File != "":
		b, err := os.ReadFile(s.File)
		if err != nil {
			if !strings.ContainsAny(s.File, "./\\") { // no path: perhaps the credential itself
				return "", fmt.Errorf("there is no file %.4q… (file holds a path, never a key)", s.File)
			}
			return "", err
		}
		key := strings.TrimSpace(string(b))
		if key == "" || strings.ContainsAny(key, "\r\n") {
			return "", fmt.Errorf("%s does not hold one line", s.File)
		}
		return key, nil
	}
	return "", errors.New("needs env (name of an environment variable) or file (path)")
}

// minRedactKey is what a key of hashes has at least: values that are hashed are few,
// and a short key can be found by trying.
const minRedactKey = 16

// redactKey returns the key of hashes, or nil when there is none.
func (c *Config) redactKey() ([]byte, error) {
	if c.Redact.Key == (Secret{}) {
		return nil, nil
	}
	text, err := c.Redact.Key.read()
	if err == nil && len(text) < minRedactKey {
		err = fmt.Errorf("has %d characters; give %d at least", len(text), minRedactKey)
	}
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return []byte(text), nil
}

// defaultConfig returns the defaults of every key.
func defaultConfig() Config {
	c := Config{
		Listen:          "127.0.0.1:8080",
		Admin:           "127.0.0.1:8081",
		DefaultProvider: "openai",
		OnDisconnect:    "cancel",
		DrainTimeout:    30 * time.Second,
		Attribution:     attribution.DefaultConfig(),
		Proxy:           proxy.DefaultConfig(),
		Recorder:        recorder.DefaultConfig(),
		Runs:            runs.DefaultConfig(),
		Tracing:         tracing.DefaultConfig(),
		DataDir:         defaultDataDir,
		Store:           store.DefaultConfig(),
		Journal:         journal.DefaultConfig(),
	}
	c.Timeouts.Connect = 10 * time.Second
	c.Timeouts.TLS = 10 * time.Second
	c.Timeouts.Idle = 10 * time.Minute
	c.Drain.Time = 30 * time.Second
	c.Drain.Bytes = 16 << 20
	c.Log.Level = "info"
	c.Log.Format = "text"
	return c
}

// source is where a configuration is read from.
type source struct {
	file  string         // "" means defaultFile, if there is one
	flags *pflag.FlagSet // flags named like keys; those that were given win

	// only, when given, are the sections and keys of the first level that are read.
	// Nothing is said of the others, nor of how keys go together: it is for commands that
	// need a folder, and run where the variables of the whole are not set.
	only []string
}

// loaded is a configuration as it was read.
type loaded struct {
	Config
	file     string     // that was read; "" when there was none
	watch    *fileWatch // on files(), since before they were read
	warnings []string   // for the log
}

// load reads the configuration: flags win over the environment, which wins over
// the file, which wins over the defaults. All that is wrong is reported at once.
func (s source) load() (loaded, error) {
	out := loaded{Config: defaultConfig(), watch: newFileWatch(cmp.Or(s.file, defaultFile))}
	all := slices.DeleteFunc(leaves(reflect.ValueOf(&out.Config).Elem(), ""), func(l leaf) bool { return !s.reads(l.key) })

	v := viper.New()
	for _, l := range all {
		v.SetDefault(l.key, given{})
		if err := v.BindEnv(l.key, l.env()); err != nil {
			return out, err
		}
		if f := s.flags.Lookup(flagName(l.key)); f != nil {
			if err := v.BindPFlag(l.key, f); err != nil {
				return out, err
			}
		}
	}
	file, values, lines, err := s.readFile(all)
	if values == nil && err != nil {
		return out, err // nothing could be read
	}
	out.file = file
	errs := []error{err}
	if err := v.MergeConfigMap(values); err != nil {
		return out, fmt.Errorf("read %s: %w", file, err)
	}
	for _, l := range all {
		if err := s.set(l, v.Get(l.key), file, lines); err != nil {
			errs = append(errs, err)
		}
	}
	if s.only != nil {
		return out, errors.Join(errs...)
	}
	for _, name := range unknownEnv(os.Environ(), all) {
		out.warnings = append(out.warnings, fmt.Sprintf("environment variable %s names no key of the configuration", name))
	}
	out.watch = out.watch.follow(out.files())
	// What could not be read has its default now, so that no fault is told of it twice.
	return out, errors.Join(append(errs, out.validate())...)
}

// reads says whether a key is read.
func (s source) reads(key string) bool {
	first, _, _ := strings.Cut(key, ".")
	return s.only == nil || slices.Contains(s.only, first)
}

// given wraps a value of the file on its way through viper, which would lower
// the case of names inside maps. The zero value stands for the default.
type given struct {
	value any
	ok    bool
}

// set gives a key the value that viper found to have precedence.
func (s source) set(l leaf, value any, file string, lines map[string]int) error {
	where := fmt.Sprintf("%s:%d: %s", file, lines[l.key], l.key)
	switch v := value.(type) {
	case given:
		if !v.ok {
			return nil
		}
		value = v.value
	default: // a flag or the environment
		where = l.env()
		if f := s.flags.Lookup(flagName(l.key)); f != nil && f.Changed {
			where = "--" + f.Name
		}
		r := reader{file: where}
		value = r.fromText(fmt.Sprint(v), l.field.Type())
		if r.errs != nil {
			return errors.Join(r.errs...)
		}
	}
	if err := assign(l.field, value); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return nil
}

// readFile reads the file into nested maps of given values, and the line of each key.
// Where there are values beside an error, what it is about is not among them.
func (s source) readFile(all []leaf) (read string, values map[string]any, lines map[string]int, err error) {
	name, asked := s.file, s.file != ""
	if !asked {
		name = defaultFile
	}
	text, err := os.ReadFile(name)
	if !asked && errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil, nil
	}
	if err != nil {
		return name, nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	root, err := parseYAML(name, text)
	if err != nil || root == nil {
		return name, nil, nil, err
	}
	r := reader{file: name, lines: make(map[string]int)}
	tree := r.value(s.narrow(root), reflect.TypeFor[Config](), "")
	values = make(map[string]any)
	for _, l := range all {
		if v, ok := lookup(tree, strings.Split(l.key, ".")); ok {
			place(values, strings.Split(l.key, "."), given{v, true})
		}
	}
	return name, values, r.lines, errors.Join(r.errs...)
}

// narrow returns the keys of a file that are read.
func (s source) narrow(root *yaml.Node) *yaml.Node {
	if s.only == nil {
		return root
	}
	part := *root
	part.Content = nil
	for i := 0; i+1 < len(root.Content); i += 2 {
		if s.reads(root.Content[i].Value) {
			part.Content = append(part.Content, root.Content[i], root.Content[i+1])
		}
	}
	return &part
}

// lookup returns what a tree of maps holds at a path.
func lookup(tree any, path []string) (any, bool) {
	for _, key := range path {
		m, ok := tree.(map[string]any)
		if !ok {
			return nil, false
		}
		if tree, ok = m[key]; !ok {
			return nil, false
		}
	}
	return tree, true
}

// place puts v into a tree of maps at a path.
func place(tree map[string]any, path []string, v any) {
	for _, key := range path[:len(path)-1] {
		next, ok := tree[key].(map[string]any)
		if !ok {
			next = make(map[string]any)
			tree[key] = next
		}
		tree = next
	}
	tree[path[len(path)-1]] = v
}

// flagName returns the flag of a key: log.level is --log-level.
func flagName(key string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(key) }

// files returns the files that a reload depends on, in a fixed order.
func (l *loaded) files() []string {
	files := []string{l.file, l.TLS.Cert, l.TLS.Key, l.Pricing.File, l.Pricing.Overlay}
	for _, p := range l.Providers {
		if p.APIKey != nil {
			files = append(files, p.APIKey.File)
		}
	}
	return slices.DeleteFunc(files, func(f string) bool { return f == "" })
}
