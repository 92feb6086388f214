package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spanwire/spanwire/providers"
)

// off in place of an address means that there is no such listener.
const off = "off"

// validate says what of the configuration cannot work, with the key of each fault.
func (c *Config) validate() error {
	var errs []error
	check := func(key string, err error) {
		if err != nil {
			errs = append(errs, named(key, err))
		}
	}
	check("listen", checkAddress(c.Listen))
	if c.Admin != off {
		check("admin", checkAddress(c.Admin))
	}
	if c.Admin == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
		check("admin", errors.New("is the same address as listen"))
	}
	_, err := c.certificate()
	check("tls", err)
	check("on_disconnect", oneOf(c.OnDisconnect, "cancel", "drain"))
	for key, d := range map[string]int64{
		"timeouts.connect": int64(c.Timeouts.Connect), "timeouts.tls": int64(c.Timeouts.TLS),
		"timeouts.header": int64(c.Timeouts.Header), "timeouts.idle": int64(c.Timeouts.Idle),
		"drain.time": int64(c.Drain.Time), "drain.bytes": c.Drain.Bytes, "drain_timeout": int64(c.DrainTimeout),
	} {
		if d < 0 {
			check(key, errors.New("must not be negative"))
		}
	}
	before := len(errs)
	seen := make(map[string]bool)
	for i, p := range c.Providers {
		key := fmt.Sprintf("providers[%d]", i)
		if p.Name != "" {
			key = "providers: " + p.Name
		}
		check(key, p.validate())
		if seen[p.Name] {
			check(key, errors.New("is listed twice"))
		}
		seen[p.Name] = true
	}
	if len(errs) == before {
		check("providers", c.validateTable())
	}
	if new(slog.LevelVar).UnmarshalText([]byte(c.Log.Level)) != nil {
		check("log.level", oneOf(c.Log.Level, "debug", "info", "warn", "error"))
	}
	check("log.format", oneOf(c.Log.Format, "text", "json"))
	check("", c.Attribution.Validate())
	_, err = c.redactKey()
	check("redact", err)
	check("redact", c.Redact.Validate(c.Redact.Key != Secret{}))
	check("proxy", c.Proxy.Validate())
	check("recorder", c.Recorder.Validate())
	check("runs", c.Runs.Validate())
	check("", c.Tracing.Validate()) // names itself
	check("", c.validateStore())
	check("", c.validateJournal())
	return errors.Join(errs...)
}

// validateTable says what is wrong with the table that the rows of providers make.
func (c *Config) validateTable() error {
	entries, err := c.entries()
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		_, err := providers.New([]providers.Entry{e}, "")
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err = providers.New(entries, c.DefaultProvider)
	return err
}

// providerName is what can stand as the first part of a path.
var providerName = regexp.MustCompile(`^[a-z0-9_-]+$`)

// fieldName is a token of RFC 9110, section 5.6.2.
var fieldName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func (p *Provider) validate() error {
	var errs []error
	if !providerName.MatchString(p.Name) {
		errs = append(errs, fmt.Errorf("name: %q is not made of a-z, 0-9, _ and -", p.Name))
	}
	if p.BaseURL != "" {
		errs = append(errs, checkBaseURL(p.BaseURL))
	}
	if p.APIKey != nil {
		_, err := p.APIKey.read()
		errs = append(errs, named("api_key", err))
	}
	if p.AWS != nil {
		errs = append(errs, named("aws", p.AWS.Validate()))
	}
	for name, value := range p.Headers {
		if !fieldName.MatchString(name) || strings.ContainsFunc(value, unicode.IsControl) {
			errs = append(errs, fmt.Errorf("headers: %q is not a header field", name))
		}
	}
	for key, d := range map[string]*time.Duration{"connect": p.Timeouts.Connect, "tls": p.Timeouts.TLS, "header": p.Timeouts.Header, "idle": p.Timeouts.Idle} {
		if d != nil && *d < 0 {
			errs = append(errs, fmt.Errorf("timeouts.%s: must not be negative", key))
		}
	}
	if p.Usage != "" {
		errs = append(errs, named("usage", oneOf(p.Usage, "ask", "count")))
	}
	if p.OnDisconnect != "" {
		errs = append(errs, named("on_disconnect", oneOf(p.OnDisconnect, "cancel", "drain")))
	}
	return errors.Join(errs...)
}

// named puts the key that an error is about before it.
func named(key string, err error) error {
	if err == nil || key == "" {
		return err
	}
	return fmt.Errorf("%s: %w", key, err)
}

func checkBaseURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return fmt.Errorf("base_url: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("base_url: %q does not begin with http:// or https://", s)
	case u.Hostname() == "":
		return fmt.Errorf("base_url: %q names no host", s)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("base_url: may hold a host and a path only")
	}
	return nil
}

// checkAddress says whether s is host:port; the host may be empty for all interfaces.
func checkAddress(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:8080", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q has no port between 0 and 65535", s)
	}
	return nil
}

func oneOf(s string, words ...string) error {
	for _, w := range words {
		if s == w {
			return nil
		}
	}
	return fmt.Errorf("%q is none of %s", s, strings.Join(words, ", "))
}

// certificate returns what callers are served with, or nil for plain HTTP.
func (c *Config) certificate() (*tls.Certificate, error) {
	if c.TLS.Cert == "" && c.TLS.Key == "" {
		return nil, nil
	}
	if c.TLS.Cert == "" || c.TLS.Key == "" {
		return nil, errors.New("needs both cert and key")
	}
	cert, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	return &cert, nil
}

// loopback says whether an address can be reached from this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
