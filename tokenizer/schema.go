package tokenizer

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Models do not see tools as JSON: they see them as declarations of a TypeScript
// namespace, and that text is what is counted.

const (
	// maxDepth bounds the nesting of a schema that is written out.
	maxDepth = 32
	// maxSchema bounds the bytes of one tool's text.
	maxSchema = 1 << 20
)

// namespace writes the tools' text. whole is false when a tool is of the vendor's
// own kind, or its schema cannot be read: its text is not known.
// Parameters without properties are written out in the harmony format only.
func namespace(tools []llm.Tool, harmony bool) (text string, whole bool) {
	var b strings.Builder
	whole = true
	b.WriteString("namespace functions {\n\n")
	for i := range tools {
		t := &tools[i]
		if t.Name == "" || t.Type != "" && t.Type != "function" {
			whole = false
			continue
		}
		if t.Description != "" {
			for line := range strings.SplitSeq(t.Description, "\n") {
				b.WriteString("// " + strings.TrimSpace(line) + "\n")
			}
		}
		params := object(nil)
		if t.Parameters != "" {
			v, ok := readJSON(t.Parameters)
			params, _ = v.(object)
			whole = whole && ok
		}
		w := schemaWriter{limit: maxSchema, harmony: harmony}
		if w.properties(params, 0, 0); w.cut {
			whole = false
		}
		if w.b.Len() == 0 && !(harmony && params != nil) {
			b.WriteString("type " + t.Name + " = () => any;\n\n")
			continue
		}
		b.WriteString("type " + t.Name + " = (_: {\n" + w.b.String() + "}) => any;\n\n")
	}
	b.WriteString("} // namespace functions")
	return b.String(), whole
}

// properties writes a schema's properties as in a declaration; what is no object
// stays as it is.
func properties(schema string) string {
	v, _ := readJSON(schema)
	o, ok := v.(object)
	if !ok {
		return schema
	}
	w := schemaWriter{limit: maxSchema}
	w.properties(o, 0, 0)
	return w.b.String()
}

type schemaWriter struct {
	b     strings.Builder
	limit int
	cut   bool
	// harmony says that properties are described at every depth.
	harmony bool
}

func (w *schemaWriter) write(s string) {
	if w.b.Len()+len(s) > w.limit {
		w.cut = true
		return
	}
	w.b.WriteString(s)
}

func (w *schemaWriter) properties(o object, indent, depth int) {
	if depth > maxDepth {
		w.cut = true
		return
	}
	required := map[string]bool{}
	list, _ := o.get("required").([]any)
	for _, r := range list {
		if s, ok := r.(string); ok {
			required[s] = true
		}
	}
	props, _ := o.get("properties").(object)
	blank := strings.Repeat(" ", indent)
	for _, p := range props {
		if w.cut {
			return
		}
		schema, _ := p.value.(object)
		for _, key := range []string{"title", "description"} {
			if d, _ := schema.get(key).(string); d != "" && (w.harmony || indent < 2) {
				w.write(blank + "// " + d + "\n")
			}
		}
		mark := "?"
		if required[p.key] {
			mark = ""
		}
		w.write(blank + p.key + mark + ": ")
		w.schema(schema, indent, depth)
		w.write(",\n")
	}
}

func (w *schemaWriter) schema(o object, indent, depth int) {
	if depth > maxDepth {
		w.cut = true
		return
	}
	if forms, ok := o.get("anyOf").([]any); ok {
		w.union(forms, indent, depth)
		return
	}
	if names, ok := o.get("type").([]any); ok { // ["string","null"]
		for i, n := range names {
			if i > 0 {
				w.write(" | ")
			}
			s, _ := n.(string)
			w.named(s, o, indent, depth)
		}
		return
	}
	s, _ := o.get("type").(string)
	w.named(s, o, indent, depth)
}

func (w *schemaWriter) union(schemas []any, indent, depth int) {
	for i, s := range schemas {
		if w.cut {
			return
		}
		if i > 0 {
			w.write(" | ")
		}
		o, _ := s.(object)
		w.schema(o, indent, depth+1)
	}
}

func (w *schemaWriter) named(name string, o object, indent, depth int) {
	if values, ok := o.get("enum").([]any); ok && name != "null" {
		for i, v := range values {
			if i > 0 {
				w.write(" | ")
			}
			w.write(literal(v))
		}
		return
	}
	switch name {
	case "string", "boolean", "null":
		w.write(name)
	case "number", "integer":
		w.write("number")
	case "array":
		if items, ok := o.get("items").(object); ok {
			w.schema(items, indent, depth+1)
		} else {
			w.write("any")
		}
		w.write("[]")
	case "object":
		w.write("{\n")
		w.properties(o, indent+2, depth+1)
		w.write(strings.Repeat(" ", indent) + "}")
	default:
		w.write("any")
	}
}

func literal(v any) string {
	switch v := v.(type) {
	case string:
		return `"` + v + `"`
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return "null"
}

// object is a JSON object in the order of its sender, which the text follows.
type object []field

type field struct {
	key   string
	value any
}

func (o object) get(key string) any {
	for i := range o {
		if o[i].key == key {
			return o[i].value
		}
	}
	return nil
}

// readJSON reads one JSON value: object, []any, string, json.Number, bool or nil.
// Deeper nesting than maxDepth × 4, and more text than maxSchema, is refused.
func readJSON(text string) (v any, ok bool) {
	if len(text) > maxSchema {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := readValue(d, 0)
	return v, err == nil
}

var errTooDeep = errors.New("nested too deeply")

func readValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth > maxDepth*4 {
		return nil, errTooDeep
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			v, err := readValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	o := object{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := k.(string)
		v, err := readValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		o = append(o, field{key, v})
	}
	_, err = d.Token()
	return o, err
}
