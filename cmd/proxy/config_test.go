package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// referenceFile is the configuration file that documents every key.
const referenceFile = "../../config.yaml"

func noFlags() *pflag.FlagSet { return pflag.NewFlagSet("test", pflag.ContinueOnError) }

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestReferenceHasDefaults holds config.yaml equal to the structs: the same keys,
// and the value at each key is its default.
func TestReferenceHasDefaults(t *testing.T) {
	got, err := source{file: referenceFile, flags: noFlags()}.load()
	if err != nil {
		t.Fatal(err)
	}
	want := defaultConfig()
	for i, l := range leaves(reflect.ValueOf(&got.Config).Elem(), "") {
		w := leaves(reflect.ValueOf(&want).Elem(), "")[i].field
		if empty(l.field) && empty(w) {
			continue
		}
		if !reflect.DeepEqual(l.field.Interface(), w.Interface()) {
			t.Errorf("%s: the file says %v, the default is %v", l.key, l.field, w)
		}
	}
}

func empty(v reflect.Value) bool {
	return (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0
}

func TestReferenceHasEveryKey(t *testing.T) {
	var c Config
	all := leaves(reflect.ValueOf(&c).Elem(), "")
	_, values, lines, err := source{file: referenceFile}.readFile(all)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	file := strings.Split(string(text), "\n")
	for _, l := range all {
		if _, ok := lookup(values, strings.Split(l.key, ".")); !ok {
			t.Errorf("%s is not in the file", l.key)
			continue
		}
		line := lines[l.key]
		if !strings.Contains(file[line-1], "# ") && !strings.HasPrefix(strings.TrimSpace(file[line-2]), "# ") {
			t.Errorf("%s: no comment beside or above line %d", l.key, line)
		}
	}
}

// TestReferenceExamples reads the examples in the comments: blocks whose lines
// begin with "#|" are configuration once that is taken off.
func TestReferenceExamples(t *testing.T) {
	t.Setenv("GROQ_API_KEY", "k1")
	t.Setenv("LANGFUSE_AUTH", "k2")
	text, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	n := 0
	for _, line := range strings.Split(string(text), "\n") {
		indent, example, ok := strings.Cut(line, "#| ")
		if !ok {
			out = append(out, line)
			continue
		}
		if n++; strings.HasSuffix(out[len(out)-1], "[]") || strings.HasSuffix(out[len(out)-1], "{}") {
			last := out[len(out)-1]
			out[len(out)-1] = last[:len(last)-2]
		}
		out = append(out, indent+example)
	}
	if n == 0 {
		t.Fatal("the reference has no examples")
	}
	got, err := source{file: writeConfig(t, strings.Join(out, "\n")), flags: noFlags()}.load()
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Providers) == 0 {
		t.Error("the example of a provider was not read")
	}
}

func TestConfigErrors(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		_, err := source{file: writeConfig(t, text), flags: noFlags()}.load()
		if err == nil {
			t.Errorf("%q: no error", text)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: error %q does not say %q", text, err, w)
			}
		}
	}
	// Unknown keys, at every depth, with key and line.
	f("listen: 127.0.0.1:1\nlisten_on: x\n", "config.yaml:2", `"listen_on"`, "default_provider")
	f("timeouts:\n  conect: 1s\n", "config.yaml:2", `"conect" in timeouts`, "connect")
	f("providers:\n  - name: a\n    base: http://x\n", "config.yaml:3", `"base"`, "base_url")
	f("a: 1\nb: 2\n", `"a"`, `"b"`)
	// The same key twice.
	f("listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", "config.yaml:2", "twice")
	// Wrong types and units, with the key and its line.
	f("\ntimeouts:\n  idle: 30\n", "config.yaml:3: timeouts.idle", "unit")
	f("timeouts:\n  idle: soon\n", "timeouts.idle", "soon")
	f("proxy:\n  max_header_bytes: lots\n", "config.yaml:2: proxy.max_header_bytes", "8MiB")
	f("pprof: maybe\n", "config.yaml:1: pprof")
	f("providers: openai\n", "config.yaml:1: providers")
	f("timeouts: 30s\n", "config.yaml:1", "connect")
	f("- a\n", "config.yaml:1")
	f("providers:\n  groq: {base_url: 'https://a'}\n", "config.yaml:2: providers is a list", `"- "`)
	f("timeouts:\n  - idle: 1s\n", "config.yaml:2: timeouts has keys, and is no list")
	f("teams: [a]\n", "config.yaml:1: teams has keys, and is no list")
	f("timeouts:\n\n\tidle: 1s\n", "config.yaml:3: begins with a tab", "spaces")
	f("log: {level: verbose}\n", `log.level: "verbose" is none of debug, info, warn, error`)
	f("content: all\n", `content: "all" is none of full, metadata, off`)
	f("a: [\n", "config.yaml")
	// Values that cannot work.
	f("listen: 8080\n", "listen", "address")
	f("listen: 127.0.0.1:99999\n", "listen", "port")
	f("admin: 127.0.0.1:8080\n", "admin", "same")
	f("on_disconnect: stay\n", "on_disconnect", "cancel, drain")
	f("log:\n  level: loud\n  format: xml\n", "log.level", "log.format")
	f("tls:\n  cert: a.pem\n", "tls", "key")
	f("drain_timeout: -1s\n", "drain_timeout", "negative")
	f("providers:\n  - name: A b\n", "name", "A b")
	f("providers:\n  - {name: x, base_url: 'ftp://a'}\n", "x: base_url", "http")
	f("providers:\n  - {name: x, base_url: 'http://u:p@a'}\n", "x: base_url")
	f("providers:\n  - {name: x, base_url: 'http://a'}\n  - {name: x, base_url: 'http://b'}\n", "x", "twice")
	f("providers:\n  - {name: x, base_url: 'http://a', headers: {'a b': c}}\n", "headers")
	f("providers:\n  - {name: x, base_url: 'http://a', timeouts: {idle: -1s}}\n", "x: timeouts.idle", "negative")
	f("providers:\n  - {name: x, base_url: 'http://a', usage: guess}\n", "usage", "ask, count")
	// Credentials.
	f("providers:\n  - {name: x, base_url: 'http://a', api_key: {env: SPANWIRE_TEST_UNSET}}\n", "x: api_key", "SPANWIRE_TEST_UNSET")
	f("providers:\n  - {name: x, base_url: 'http://a', api_key: {file: /nowhere/key}}\n", "x: api_key", "/nowhere/key")
	f("providers:\n  - {name: x, base_url: 'http://a', api_key: {}}\n", "x: api_key", "env")
	f("providers:\n  - {name: x, base_url: 'http://a', headers: {a: '${SPANWIRE_TEST_UNSET}'}}\n", "SPANWIRE_TEST_UNSET")
}

// TestConfigKeepsSecrets makes sure that a key which was put into the file where
// only a reference may stand is not repeated in the error.
func TestConfigKeepsSecrets(t *testing.T) {
	const secret = "very-secret-value"
	for _, text := range []string{
		"providers:\n  - {name: x, base_url: 'http://a', api_key: " + secret + "}\n",
		"providers:\n  - {name: x, base_url: 'http://a', headers: {x-key: \"" + secret + "\\n\"}}\n",
		"providers:\n  - {name: x, base_url: 'http://a', headers: [" + secret + "]}\n",
		"providers:\n  - {name: x, base_url: 'http://a', api_key: {env: " + secret + "}}\n",
		"providers:\n  - {name: x, base_url: 'http://a', api_key: {file: " + secret + "}}\n",
		"encryption: {key: {env: gsk_" + strings.ReplaceAll(secret, "-", "_") + "}}\n",
	} {
		_, err := source{file: writeConfig(t, text), flags: noFlags()}.load()
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), strings.ReplaceAll(secret, "-", "_")) {
			t.Errorf("%s: error %v", text, err)
		}
	}
	t.Setenv("SPANWIRE_PROVIDERS", "[{name: x, api_key: "+secret+"}")
	if _, err := (source{file: writeConfig(t, ""), flags: noFlags()}).load(); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("environment: error %v", err)
	}
}

func TestConfigMissing(t *testing.T) {
	if _, err := (source{file: filepath.Join(t.TempDir(), "no.yaml"), flags: noFlags()}).load(); err == nil {
		t.Error("a file that was asked for and is not there is no error")
	}
	t.Chdir(t.TempDir())
	got, err := source{flags: noFlags()}.load()
	if err != nil || got.file != "" || !reflect.DeepEqual(got.Config, defaultConfig()) {
		t.Errorf("without a file: %v, %+v", err, got)
	}
}

// TestConfigNames checks that names which users choose stay as they are written.
func TestConfigNames(t *testing.T) {
	t.Setenv("SPANWIRE_TEST_KEY", "k")
	got, err := source{file: writeConfig(t, `
providers:
  - name: mine
    base_url: http://127.0.0.1:1/Base
    api_key: {env: SPANWIRE_TEST_KEY}
    headers: {X-Mixed.Case: "a ${SPANWIRE_TEST_KEY} b", "123": v}
    timeouts: {header: 2m}
`), flags: noFlags()}.load()
	if err != nil {
		t.Fatal(err)
	}
	p := got.Providers[0]
	if p.Headers["X-Mixed.Case"] != "a k b" || p.Headers["123"] != "v" || *p.Timeouts.Header != 2*time.Minute || p.Timeouts.Idle != nil {
		t.Errorf("provider %+v", p)
	}
	if key, err := p.APIKey.read(); key != "k" || err != nil {
		t.Errorf("key %q, %v", key, err)
	}
}

// TestPrecedence: flags win over the environment, it over the file, it over defaults.
func TestPrecedence(t *testing.T) {
	file := writeConfig(t, "listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\nlog: {level: error}\ntimeouts: {idle: 1m}\n")
	t.Setenv("SPANWIRE_ADMIN", "127.0.0.1:3")
	t.Setenv("SPANWIRE_LOG_LEVEL", "warn")
	t.Setenv("SPANWIRE_PROVIDERS", "[{name: e, base_url: 'http://e', headers: {A-b: c}}]")
	t.Setenv("SPANWIRE_PROXY_MAX_HEADER_BYTES", "32KiB")
	flags := noFlags()
	flags.String("log-level", "", "")
	flags.String("listen", "ignored default", "")
	if err := flags.Parse([]string{"--log-level", "debug"}); err != nil {
		t.Fatal(err)
	}
	got, err := source{file: file, flags: flags}.load()
	if err != nil {
		t.Fatal(err)
	}
	if got.Listen != "127.0.0.1:1" || got.Admin != "127.0.0.1:3" || got.Log.Level != "debug" || got.Timeouts.Idle != time.Minute {
		t.Errorf("got %+v", got.Config)
	}
	if got.Timeouts.Connect != defaultConfig().Timeouts.Connect {
		t.Errorf("a default was lost: %v", got.Timeouts)
	}
	if len(got.Providers) != 1 || got.Providers[0].Headers["A-b"] != "c" || got.Proxy.MaxHeaderBytes != 32<<10 {
		t.Errorf("from the environment: %+v, %+v", got.Providers, got.Proxy)
	}
}

// TestEveryKeyHasEnvironmentForm sets each scalar key by its variable.
func TestEveryKeyHasEnvironmentForm(t *testing.T) {
	var c Config
	for _, l := range leaves(reflect.ValueOf(&c).Elem(), "") {
		value, want := "", any(nil)
		switch l.field.Interface().(type) {
		case time.Duration:
			value, want = "7s", 7*time.Second
		case int:
			value, want = "1234", 1234
		case int64:
			value, want = "1234", int64(1234)
		case bool:
			value, want = "true", true
		default:
			continue // words are checked by TestPrecedence
		}
		t.Run(l.key, func(t *testing.T) {
			t.Setenv(l.env(), value)
			got, err := source{file: writeConfig(t, ""), flags: noFlags()}.load()
			if err != nil && !strings.Contains(err.Error(), l.key[strings.LastIndexByte(l.key, '.')+1:]) {
				t.Fatalf("%v", err) // a value may be refused, but for what it is
			}
			for _, g := range leaves(reflect.ValueOf(&got.Config).Elem(), "") {
				if g.key == l.key && g.field.Interface() != want {
					t.Errorf("%s=%s gives %v", l.env(), value, g.field)
				}
			}
		})
	}
}

func TestEnvironmentErrors(t *testing.T) {
	t.Setenv("SPANWIRE_TIMEOUTS_IDLE", "30")
	t.Setenv("SPANWIRE_PROVIDERS", "[{nam: x}]")
	_, err := source{file: writeConfig(t, ""), flags: noFlags()}.load()
	for _, want := range []string{"SPANWIRE_TIMEOUTS_IDLE", "unit", "SPANWIRE_PROVIDERS", `"nam"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %s", err, want)
		}
	}
}

func TestUnknownEnvironment(t *testing.T) {
	t.Setenv("SPANWIRE_LISTNE", "x")
	t.Setenv("SPANWIRE_SERVICE_PORT_HTTP", "8080")
	t.Setenv("SPANWIRE_PORT", "tcp://10.0.0.1:8080")
	got, err := source{file: writeConfig(t, ""), flags: noFlags()}.load()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(got.warnings, func(w string) bool { return strings.Contains(w, "SPANWIRE_LISTNE") })
	if i < 0 || len(got.warnings) != 1 {
		t.Errorf("warnings %q", got.warnings)
	}
}

func TestParseSize(t *testing.T) {
	f := func(s string, want int64, ok bool) {
		t.Helper()
		got, err := parseSize(s)
		if got != want || (err == nil) != ok {
			t.Errorf("%q gives %d, %v", s, got, err)
		}
	}
	f("8MiB", 8<<20, true)
	f("64 KB", 64000, true)
	f("512", 512, true)
	f("3B", 3, true)
	f("1GiB", 1<<30, true)
	f("8TiB", 8<<40, true)
	f("9000000TiB", 0, false)
	f("MiB", 0, false)
	f("1.5MiB", 0, false)
	f("", 0, false)
}

// FuzzConfig feeds hostile files to the loader, which must return an error or a
// configuration that is valid.
func FuzzConfig(f *testing.F) {
	text, err := os.ReadFile(referenceFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("a: &x [*x]\n")
	f.Add("providers: &p\n  - name: *p\n")
	f.Add("? [a]\n: b\n")
	f.Add("timeouts: {<<: {idle: 1s}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := (source{file: writeConfig(t, text), flags: noFlags()}).load(); err == nil {
			if err := got.validate(); err != nil {
				t.Errorf("accepted, but: %v", err)
			}
		}
	})
}
