package main

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// leaf is one key of the configuration that is set as a whole: a scalar, a list
// or a map whose names users choose.
type leaf struct {
	key   string // dotted: timeouts.connect
	field reflect.Value
}

// env returns the environment form of the key.
func (l leaf) env() string {
	return "SPANWIRE_" + strings.ToUpper(strings.ReplaceAll(l.key, ".", "_"))
}

// leaves returns the keys under a struct, in the order of its fields.
func leaves(v reflect.Value, prefix string) []leaf {
	var out []leaf
	for i := range v.NumField() {
		name, squash, ok := keyOf(v.Type().Field(i))
		switch {
		case !ok:
		case squash:
			out = append(out, leaves(v.Field(i), prefix)...)
		case isSection(v.Field(i).Type()):
			out = append(out, leaves(v.Field(i), prefix+name+".")...)
		default:
			out = append(out, leaf{key: prefix + name, field: v.Field(i)})
		}
	}
	return out
}

// keyOf returns the key of a field. Fields without one are not configuration.
func keyOf(f reflect.StructField) (name string, squash, ok bool) {
	tag, ok := f.Tag.Lookup("mapstructure")
	name, opts, _ := strings.Cut(tag, ",")
	return name, opts == "squash", ok && name != "-" && f.IsExported()
}

func isSection(t reflect.Type) bool { return t.Kind() == reflect.Struct }

// known returns the field types by key of a struct, its squashed parts included.
func known(t reflect.Type) map[string]reflect.Type {
	out := make(map[string]reflect.Type)
	for i := range t.NumField() {
		name, squash, ok := keyOf(t.Field(i))
		switch {
		case !ok:
		case squash:
			for k, ft := range known(t.Field(i).Type) {
				out[k] = ft
			}
		default:
			out[name] = t.Field(i).Type
		}
	}
	return out
}

// reader turns YAML into plain values along the shape of a Go type. It is
// stricter than a decoder: keys that the type does not have and keys given twice
// are errors with their line, and the names in a map are taken as written, even
// those that look like numbers.
type reader struct {
	file  string         // or the variable or flag that holds the YAML
	lines map[string]int // line of each key; nil where lines mean nothing
	nodes int            // read so far
	depth int            // of the node that is being read
	errs  []error
}

// maxNodes and maxNesting bound what a file may hold once its aliases are
// followed, which may multiply without end or lead back to themselves.
const (
	maxNodes   = 100_000
	maxNesting = 32
)

func (r *reader) fail(n *yaml.Node, format string, args ...any) {
	where := r.file
	if n != nil && r.lines != nil {
		where += ":" + strconv.Itoa(n.Line)
	}
	r.errs = append(r.errs, fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...)))
}

// value returns n as map[string]any, []any or a scalar.
func (r *reader) value(n *yaml.Node, t reflect.Type, path string) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	r.nodes++
	r.depth++
	defer func() { r.depth-- }()
	if r.nodes > maxNodes || r.depth > maxNesting {
		if r.nodes = maxNodes + 1; len(r.errs) == 0 {
			r.fail(n, "holds too much, or an alias that holds itself")
		}
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.value(n.Alias, t, path)
	case yaml.MappingNode:
		if t.Kind() == reflect.Slice {
			r.fail(n, "%s is a list: begin each of its items with \"- \"", path)
			return nil
		}
		return r.mapping(n, t, path)
	case yaml.SequenceNode:
		elem := t
		switch t.Kind() {
		case reflect.Slice:
			elem = t.Elem()
		case reflect.Struct, reflect.Map:
			r.fail(n, "%s has keys, and is no list", path)
			return nil
		}
		out := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			out = append(out, r.value(item, elem, path+"[]"))
		}
		return out
	case yaml.ScalarNode:
		return r.scalar(n, t, path)
	}
	return nil
}

func (r *reader) mapping(n *yaml.Node, t reflect.Type, path string) any {
	var fields map[string]reflect.Type
	if t.Kind() == reflect.Struct {
		fields = known(t)
	}
	out := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, item := n.Content[i].Value, n.Content[i+1]
		elem := t
		if fields != nil {
			var ok bool
			if elem, ok = fields[key]; !ok {
				r.fail(n.Content[i], "unknown key %q%s; known here: %s", key, in(path), strings.Join(sortedKeys(fields), ", "))
				continue
			}
		} else if t.Kind() == reflect.Map {
			elem = t.Elem()
		}
		if _, twice := out[key]; twice {
			r.fail(n.Content[i], "key %q%s is given twice", key, in(path))
			continue
		}
		at := join(path, key)
		if elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		if isSection(elem) && item.Kind == yaml.ScalarNode && item.Tag != "!!null" {
			r.fail(item, "%s has keys of its own: %s", at, strings.Join(sortedKeys(known(elem)), ", "))
			continue
		}
		if r.lines != nil {
			r.lines[at] = n.Content[i].Line
		}
		before := len(r.errs)
		v := r.value(item, elem, at)
		if path == "" && len(r.errs) > before {
			continue // the default stands for it, which has no further faults
		}
		out[key] = v
	}
	return out
}

func (r *reader) scalar(n *yaml.Node, t reflect.Type, path string) any {
	if n.Tag == "!!null" {
		return nil
	}
	text, err := r.expand(n.Value)
	if err != nil {
		r.fail(n, "%s: %w", path, err)
		return nil
	}
	if t.Kind() == reflect.String && n.Tag != "!!timestamp" && n.Tag != "!!binary" || text != n.Value {
		return text
	}
	var v any
	if err := n.Decode(&v); err != nil {
		r.fail(n, "%s: %w", path, err)
	}
	return v
}

// reference is ${NAME} in a text: the value of an environment variable.
var reference = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

// expand replaces each ${NAME} by the environment variable of that name, so that
// headers with keys need not stand in the file.
func (r *reader) expand(s string) (string, error) {
	var missing []string
	out := reference.ReplaceAllStringFunc(s, func(ref string) string {
		name := ref[2 : len(ref)-1]
		v, ok := os.LookupEnv(name)
		if !ok {
			missing = append(missing, name)
		}
		return v
	})
	if missing != nil {
		return "", fmt.Errorf("environment variable %s is not set", strings.Join(missing, ", "))
	}
	return out, nil
}

func in(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// parseYAML returns the mapping that a configuration file holds, or nil when the
// file is empty.
func parseYAML(file string, text []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		if n := tabbed(text); n > 0 {
			return nil, fmt.Errorf("%s:%d: begins with a tab: YAML is indented with spaces", file, n)
		}
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil, nil
	}
	if doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: expected keys and values", file, doc.Content[0].Line)
	}
	return doc.Content[0], nil
}

// tabbed returns the first line that is indented with a tab, or 0. The parser calls it
// a character that cannot start a token, and does not say where.
func tabbed(text []byte) int {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if rest := bytes.TrimLeft(line, " \t"); bytes.IndexByte(line[:len(line)-len(rest)], '\t') >= 0 && len(bytes.TrimSpace(rest)) > 0 {
			return n
		}
	}
	return 0
}

// fromText reads the value of a flag or environment variable for a field: text
// as it is, everything else as YAML, and a list of texts also as a,b,c.
func (r *reader) fromText(s string, t reflect.Type) any {
	if t.Kind() == reflect.String {
		return s
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(s), &doc); err != nil || len(doc.Content) == 0 {
		r.fail(nil, "cannot be read as YAML")
		return nil
	}
	n := doc.Content[0]
	if n.Kind == yaml.ScalarNode && t == reflect.TypeFor[[]string]() {
		var list []any
		for _, item := range strings.Split(s, ",") {
			list = append(list, strings.TrimSpace(item))
		}
		return list
	}
	return r.value(n, t, "")
}

// unknownEnv returns the variables of ours that name no key. Kubernetes sets some
// of that form for a service called spanwire; those are left out.
func unknownEnv(environ []string, all []leaf) []string {
	names := map[string]bool{"SPANWIRE_CONFIG": true, "SPANWIRE_DATA": true}
	for _, l := range all {
		names[l.env()] = true
	}
	var out []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "SPANWIRE_") && !names[name] && !kubernetes.MatchString(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

var kubernetes = regexp.MustCompile(`_(SERVICE_(HOST|PORT.*)|PORT(_.*)?)$`)
