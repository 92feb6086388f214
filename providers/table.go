package providers

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Entry adds a provider to the table, or overrides the fields that it sets of the
// built-in one of the same name.
type Entry struct {
	Name string // [a-z0-9_-]+
	// BaseURL is scheme, host and, if the provider has one that callers leave out,
	// a prefix of every path.
	BaseURL string
	// Dialect names the wire format; "" means that of the built-in vendor of this
	// name or host, else openai.
	Dialect string
	// APIKey is sent in place of the caller's credential; "" lets that through.
	APIKey string
	// Bearer sends APIKey as a bearer token, whatever way the vendor takes its keys:
	// tokens of an identity provider (Entra ID, Google's OAuth) are taken so.
	Bearer bool
	// Headers are sent in place of the caller's of the same names.
	Headers map[string]string
	// Usage is "ask" or "count"; "" means the vendor's default.
	Usage string
	// Signed says that requests are signed on their way: what a caller signed or
	// gave as its key is left out, as with an APIKey.
	Signed bool
	// Region stands in for {region} in the address of a vendor that has one for
	// each, when BaseURL is "".
	Region string
}

// Field is one header field.
type Field struct{ Name, Value string }

// Row is one provider that requests can be relayed to. It is immutable; its
// methods may be called by many goroutines.
type Row struct {
	Name     string
	Scheme   string // http or https; "" when the row needs a base URL
	Host     string // without port
	Port     int
	Prefix   string // put before every path; no slash at its end
	Dialect  string // name of the wire format
	Provider string // gen_ai.provider.name
	Key      Key
	Usage    Usage
	Local    bool
	Service  string // name that requests to it are signed for; "" when it is not known

	// Set holds the fields to send in place of the caller's: the configured
	// credential and headers. Drop names fields of the caller that carry a
	// credential in another way, and are left out when one is configured.
	Set  []Field
	Drop []string

	hint    string
	under   string // with what every path of it begins; "" when that is not known
	ownKey  bool
	signed  bool
	dialect dialect
}

// Table routes requests to providers and reads their exchanges. It is immutable:
// many goroutines may use it, and a reload makes a new one.
type Table struct {
	rows     map[string]*Row
	fallback *Row
	shapes   []shaped
}

// New makes the table: the built-in vendors, with entries added and laid over
// them. defaultProvider names the row for paths that tell nothing else; "" means
// that there is none.
func New(entries []Entry, defaultProvider string) (*Table, error) {
	rows := make(map[string]*Row, len(vendors)+len(entries))
	for _, v := range vendors {
		row, err := newRow(v, Entry{Name: v.name})
		if err != nil {
			panic(fmt.Sprintf("BUG: built-in provider %s: %v", v.name, err))
		}
		rows[v.name] = row
	}
	seen := map[string]bool{}
	for i, e := range entries {
		if !validName(e.Name) {
			return nil, fmt.Errorf("provider %d: name %q: want lower-case letters, digits, _ and -", i+1, e.Name)
		}
		if seen[e.Name] {
			return nil, fmt.Errorf("provider %s: there are two entries of this name", e.Name)
		}
		seen[e.Name] = true
		v, known := vendorNamed(e.Name)
		if !known {
			v = vendorAt(e.BaseURL)
			v.name, v.base, v.hint = e.Name, "", ""
			if e.BaseURL == "" {
				return nil, fmt.Errorf("provider %s: base_url is missing", e.Name)
			}
		}
		row, err := newRow(v, e)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", e.Name, err)
		}
		rows[e.Name] = row
	}
	t := &Table{rows: rows}
	if defaultProvider != "" {
		if t.fallback = rows[defaultProvider]; t.fallback == nil {
			return nil, fmt.Errorf("default provider %q: there is no provider of this name", defaultProvider)
		}
	}
	for _, s := range shapes {
		t.shapes = append(t.shapes, shaped{s, rows[s.row]})
	}
	return t, nil
}

// Rows returns all rows, by name.
func (t *Table) Rows() []*Row {
	return slices.SortedFunc(maps.Values(t.rows), func(a, b *Row) int { return cmp.Compare(a.Name, b.Name) })
}

// Row returns the row of that name, nil when there is none.
func (t *Table) Row(name string) *Row { return t.rows[name] }

func validName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

func vendorNamed(name string) (vendor, bool) {
	i := slices.IndexFunc(vendors, func(v vendor) bool { return v.name == name })
	if i < 0 {
		return vendor{}, false
	}
	return vendors[i], true
}

// vendorAt returns the vendor whose host a base URL has: a row under a name of
// the user's own is still that vendor. An unknown host is a copy of OpenAI's API
// that takes its key as that does; nothing is asked of it.
func vendorAt(base string) vendor {
	if u, err := url.Parse(base); err == nil && u.Hostname() != "" {
		host := strings.ToLower(u.Hostname())
		for _, v := range vendors {
			if v.local {
				continue // localhost tells nothing
			}
			if b, err := url.Parse(v.base); err == nil && b.Hostname() == host || slices.ContainsFunc(v.hosts, func(p string) bool { return hostLike(p, host) }) {
				return v
			}
		}
	}
	return vendor{dialect: "openai", key: KeyBearer}
}

// hostLike matches a host against a pattern in which one "*" stands for any text
// that is not empty.
func hostLike(pattern, host string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == host
	}
	return len(host) > len(before)+len(after) && strings.HasPrefix(host, before) && strings.HasSuffix(host, after)
}

func newRow(v vendor, e Entry) (*Row, error) {
	r := &Row{
		Name: e.Name, Dialect: cmp.Or(e.Dialect, v.dialect, "openai"), Provider: cmp.Or(v.provider, e.Name),
		Key: v.key, Usage: v.usage, Local: v.local && vendorAt(e.BaseURL).provider == "", hint: v.hint, ownKey: e.APIKey != "",
		Service: v.service, signed: e.Signed,
	}
	var known bool
	if r.dialect, known = dialectNamed(r.Dialect); !known {
		return nil, fmt.Errorf("dialect %q: want one of %s", r.Dialect, dialectNames())
	}
	switch e.Usage {
	case "":
	case "ask":
		r.Usage = UsageAsk
	case "count":
		r.Usage = UsageCount
	default:
		return nil, fmt.Errorf("usage %q: want ask or count", e.Usage)
	}
	if e.Region != "" && e.BaseURL == "" && strings.Contains(v.hint, "{region}") {
		v.base = strings.ReplaceAll(v.hint, "{region}", e.Region)
	}
	if err := r.address(cmp.Or(e.BaseURL, v.base)); err != nil {
		return nil, err
	}
	if v.under != "" && r.Prefix == "" && vendorAt(cmp.Or(e.BaseURL, v.base)).name == v.name {
		r.under = v.under // at another address somebody else decides about paths
	}
	if err := r.fields(e); err != nil {
		return nil, err
	}
	return r, nil
}

// address reads a base URL.
func (r *Row) address(base string) error {
	if base == "" {
		return nil
	}
	if strings.ContainsAny(base, "{}<>") {
		return errors.New("base_url: put names of your own in place of those in braces")
	}
	u, err := url.Parse(base)
	if err != nil {
		return errors.New("base_url: not a URL") // its text may hold a password
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("base_url: want http:// or https:// at its beginning")
	case u.Hostname() == "":
		return errors.New("base_url: the host is missing")
	case u.User != nil:
		return errors.New("base_url: no user or password here; use api_key or headers")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("base_url: no query and no fragment here")
	}
	r.Scheme, r.Host = u.Scheme, strings.ToLower(u.Hostname())
	r.Port = map[string]int{"http": 80, "https": 443}[u.Scheme]
	if p := u.Port(); p != "" {
		if r.Port, err = strconv.Atoi(p); err != nil || r.Port < 1 || r.Port > 65535 {
			return fmt.Errorf("base_url: port %q", p)
		}
	}
	r.Prefix = strings.TrimRight(u.EscapedPath(), "/")
	return nil
}

// credentials are the fields that carry a caller's credential to some vendor.
var credentials = []string{"authorization", "x-api-key", "api-key", "x-goog-api-key"}

// framing are the fields that say where a message ends, or belong to one connection:
// another value would break it.
var framing = []string{"content-length", "transfer-encoding", "trailer", "te", "connection", "keep-alive", "proxy-connection", "upgrade", "expect"}

// signature are the fields that belong to a caller's AWS signature. What else begins
// with x-amz is a part of its request.
var signature = []string{"x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-region-set"}

// fields sets what is sent in place of the caller's fields.
func (r *Row) fields(e Entry) error {
	if e.APIKey != "" {
		if strings.ContainsAny(e.APIKey, "\r\n\x00") {
			return errors.New("api_key: holds a line break")
		}
		f := Field{"Authorization", "Bearer " + e.APIKey}
		switch {
		case e.Bearer:
		case r.Key == KeyAPIKey:
			f = Field{"api-key", e.APIKey}
		case r.Key == KeyXAPI:
			f = Field{"x-api-key", e.APIKey}
		case r.Key == KeyGoogle:
			f = Field{"x-goog-api-key", e.APIKey}
		}
		r.Set = append(r.Set, f)
		for _, name := range credentials {
			if !strings.EqualFold(name, f.Name) {
				r.Drop = append(r.Drop, name)
			}
		}
	}
	if e.Signed {
		if e.APIKey != "" {
			return errors.New("give api_key or aws, not both")
		}
		r.Drop = slices.Concat(credentials, signature)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		value := e.Headers[name]
		if slices.ContainsFunc(framing, func(f string) bool { return strings.EqualFold(f, name) }) {
			return fmt.Errorf("headers: %s belongs to the connection and cannot be set", name)
		}
		if e.Signed && slices.ContainsFunc(r.Drop, func(d string) bool { return strings.EqualFold(d, name) }) {
			return fmt.Errorf("headers: %s belongs to the signature", name)
		}
		if !token(name) || strings.ContainsAny(value, "\r\n\x00") {
			return fmt.Errorf("headers: %q is no header field", name)
		}
		r.Set = slices.DeleteFunc(r.Set, func(f Field) bool { return strings.EqualFold(f.Name, name) })
		r.Drop = slices.DeleteFunc(r.Drop, func(d string) bool { return strings.EqualFold(d, name) })
		r.Set = append(r.Set, Field{name, value})
	}
	return nil
}

// token says whether a text is a field name (RFC 9110 section 5.6.2).
func token(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// Observe returns what watches the response of an exchange whose response head
// is there: what Read later asks for what it saw.
func (r *Row) Observe(x *llm.Exchange) llm.Observer {
	d := r.dialectFor(x)
	reader := d.newReader(x)
	if reader == nil {
		return nil
	}
	return watch(r, d, reader, x)
}

// Error returns the JSON body of an answer that the proxy makes itself, in the
// shape in which the dialect's clients expect an error.
func (r *Row) Error(status int, code, message string) []byte {
	return r.dialect.errorBody(status, code, message)
}

// WantsBody says whether Edit is to see the body of a request.
func (r *Row) WantsBody(method, target string) bool {
	return r.Usage == UsageAsk && r.dialect.edit != nil && r.dialect.wantsBody(method, target)
}

// Edit says what to insert where into a whole request body, and what takes out of
// the answer what that brings into it. insert is "" when nothing is to be done.
func (r *Row) Edit(method, target string, body []byte) (at int, insert string, cut Filter) {
	if !r.WantsBody(method, target) {
		return 0, "", nil
	}
	return r.dialect.edit(body)
}
