package providers

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrTarget says that a request target is no path.
	ErrTarget = errors.New("the request target is not a path")
	// ErrNoRoute says that a path tells no provider, and there is no default or it is
	// none of the default's.
	ErrNoRoute = errors.New("no provider for this path")
	// ErrClimbs says that a path leaves the path of the provider's base URL.
	ErrClimbs = errors.New("the path climbs out of its base_url")
	// ErrNeedsBase says that the provider's address is not known yet.
	ErrNeedsBase = errors.New("the provider has no base_url")
)

// shape maps a path without a provider's name to a row (wire reference, section 2).
type shape struct {
	prefix string // of the path; ends with / where more must follow
	has    string // further text in the path; "" when none is needed
	exact  bool   // nothing follows
	row    string
	first  bool // before names of providers are looked at
}

// shapes are tried in this order. A prefix without a slash at its end matches the
// whole path, or up to a slash or colon.
var shapes = []shape{
	{prefix: "/openai/deployments/", row: "azure", first: true},

	{prefix: "/v1/messages", row: "anthropic"},
	{prefix: "/v1/complete", row: "anthropic"},

	{prefix: "/v1/projects/", row: "vertex"},
	{prefix: "/v1beta1/", row: "vertex"},
	{prefix: "/v1/publishers/", row: "vertex"},
	{prefix: "/v1beta/", row: "gemini"},
	{prefix: "/v1alpha/", row: "gemini"},
	{prefix: "/upload/v1beta/", row: "gemini"},
	{prefix: "/ws/", has: "google.ai.generativelanguage", row: "gemini"},
	{prefix: "/ws/", has: "google.cloud.aiplatform", row: "vertex"},
	{prefix: "/v1/models/", has: ":generateContent", row: "gemini"},
	{prefix: "/v1/models/", has: ":streamGenerateContent", row: "gemini"},
	{prefix: "/v1/models/", has: ":countTokens", row: "gemini"},
	{prefix: "/v1/models/", has: ":embedContent", row: "gemini"},
	{prefix: "/v1/models/", has: ":batchEmbedContents", row: "gemini"},

	{prefix: "/model/", row: "bedrock"},

	{prefix: "/v2/chat", row: "cohere"},
	{prefix: "/v2/embed", row: "cohere"},
	{prefix: "/v2/rerank", row: "cohere"},
	{prefix: "/v1/chat", exact: true, row: "cohere"},
	{prefix: "/v1/embed", row: "cohere"},
	{prefix: "/v1/generate", row: "cohere"},
	{prefix: "/v1/rerank", row: "cohere"},
	{prefix: "/compatibility/v1/", row: "cohere"},

	{prefix: "/models/chat/completions", row: "azure-ai"},
	{prefix: "/models/embeddings", row: "azure-ai"},

	{prefix: "/api/v1/", row: "openrouter"},
	{prefix: "/api/v2/cortex/", row: "snowflake"},
	{prefix: "/api/paas/", row: "zai"},
	{prefix: "/api/coding/paas/", row: "zai"},
	{prefix: "/api/", row: "ollama"},
	{prefix: "/compatible-mode/", row: "alibaba"},
	{prefix: "/inference/v1/", row: "fireworks"},
	{prefix: "/v1/predictions", row: "replicate"},
	{prefix: "/ml/v1/", row: "watsonx"},
	{prefix: "/ml/v1-beta/", row: "watsonx"},
}

// shaped is a shape with the row it leads to.
type shaped struct {
	shape
	to *Row
}

func (s *shaped) match(path string) bool {
	if !strings.HasPrefix(path, s.prefix) {
		return false
	}
	rest := path[len(s.prefix):]
	if s.exact {
		return rest == ""
	}
	if rest != "" && s.prefix[len(s.prefix)-1] != '/' && rest[0] != '/' && rest[0] != ':' {
		return false
	}
	return s.has == "" || strings.Contains(rest, s.has)
}

// Route returns the provider that a request is for, and the path and query to ask
// it for. The first segment may name the provider: it is taken off. A path without
// a name goes by its shape, else to the default provider. Nothing is unescaped or
// cleaned: what follows goes to the provider byte for byte, and only behind the
// prefix of its base URL, if it has one.
//
// Refused are a path that climbs out of that prefix, and one that has a name which is
// no provider's before a path of the default one, at its vendor's own address.
//
// It allocates nothing but that text, where it is not a part of target.
func (t *Table) Route(method, target string) (*Row, string, error) {
	if target == "" || target[0] != '/' {
		return nil, "", ErrTarget
	}
	row, rest, err := t.find(target)
	if err != nil {
		return nil, "", err
	}
	if row.Scheme == "" {
		return nil, "", row.unaddressed()
	}
	if row.ownKey && row.Key == KeyGoogle {
		rest = without(rest, func(name string) bool { return name == "key" })
	}
	if row.signed {
		rest = without(rest, presigned)
	}
	if row.Prefix != "" {
		if climbs(rest) {
			return nil, "", fmt.Errorf("provider %s: %w", row.Name, ErrClimbs)
		}
		rest = row.Prefix + rest
	}
	return row, rest, nil
}

// climbs says whether the dot segments of a path lead above where it begins, for any
// reader behind it: one that unescapes first, takes a backslash for a slash, or cuts
// parameters off segments.
func climbs(target string) bool {
	depth, segment := 0, ""
	end := func() bool {
		name, _, _ := strings.Cut(segment, ";")
		switch name {
		case "..":
			depth--
		case "", ".": // some readers drop empty segments: they are no depth to climb from
		default:
			depth++
		}
		segment = ""
		return depth < 0
	}
	if !strings.Contains(target, "..") && !strings.Contains(target, "%") {
		return false
	}
	for i := 0; i < len(target); i++ {
		c := target[i]
		if c == '%' && i+2 < len(target) {
			switch {
			case target[i+1] == '2' && target[i+2]|0x20 == 'e':
				c, i = '.', i+2
			case target[i+1] == '2' && target[i+2]|0x20 == 'f', target[i+1] == '5' && target[i+2]|0x20 == 'c':
				c, i = '/', i+2
			case target[i+1] == '3' && target[i+2]|0x20 == 'b':
				c, i = ';', i+2
			}
		}
		switch c {
		case '?', '#':
			return end()
		case '/', '\\':
			if end() {
				return true
			}
		default:
			if len(segment) < 4 { // longer names mean nothing
				segment += string(rune(c))
			}
		}
	}
	return end()
}

func (t *Table) find(target string) (row *Row, rest string, err error) {
	path := target
	if i := strings.IndexByte(target, '?'); i >= 0 {
		path = target[:i]
	}
	for i := range t.shapes {
		if s := &t.shapes[i]; s.first && s.match(path) {
			return s.to, target, nil
		}
	}
	end := len(path)
	if i := strings.IndexByte(path[1:], '/'); i >= 0 {
		end = i + 1
	}
	if row = t.rows[path[1:end]]; row != nil {
		rest = target[end:]
		if rest == "" || rest[0] != '/' {
			rest = "/" + rest
		}
		return row, rest, nil
	}
	for i := range t.shapes {
		if s := &t.shapes[i]; !s.first && s.match(path) {
			return s.to, target, nil
		}
	}
	if t.fallback == nil {
		return nil, "", ErrNoRoute
	}
	if err := t.misnamed(path); err != nil {
		return nil, "", err
	}
	return t.fallback, target, nil
}

func (r *Row) unaddressed() error {
	if r.hint == "" {
		return fmt.Errorf("provider %s: %w: set it in the configuration", r.Name, ErrNeedsBase)
	}
	return fmt.Errorf("provider %s: %w: its host holds a name of your own, so set it in the configuration, for instance to %s", r.Name, ErrNeedsBase, r.hint)
}

// without takes a caller's credential out of a query, where another is sent
// instead. Nothing else of it is changed.
func without(target string, credential func(name string) bool) string {
	path, query, _ := strings.Cut(target, "?")
	var keep []string
	found := false
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		found = found || credential(name)
	}
	if !found {
		return target
	}
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); !credential(name) {
			keep = append(keep, pair)
		}
	}
	if len(keep) == 0 {
		return path
	}
	return path + "?" + strings.Join(keep, "&")
}

// presigned says whether a parameter is part of an AWS signature in a query (IAM
// user guide, "Create a signed AWS API request", authentication parameters).
func presigned(name string) bool {
	switch strings.ToLower(name) {
	case "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders",
		"x-amz-security-token", "x-amz-signature", "x-amz-content-sha256", "x-amz-region-set":
		return true
	}
	return false
}
