package fakellm

import "encoding/json"

// maxDepth bounds how deep an example follows a schema, which may refer to itself.
const maxDepth = 8

// schema is the part of JSON Schema that examples are made from.
type schema struct {
	Type       schemaType         `json:"type"`
	Enum       []json.RawMessage  `json:"enum"`
	Const      json.RawMessage    `json:"const"`
	Default    json.RawMessage    `json:"default"`
	Examples   []json.RawMessage  `json:"examples"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	AnyOf      []*schema          `json:"anyOf"`
	Ref        string             `json:"$ref"`
	Defs       map[string]*schema `json:"$defs"`
}

// schemaType is a type name, or the first one that is not "null" of a list.
type schemaType string

func (t *schemaType) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = schemaType(one)
		return nil
	}
	var many []string
	if json.Unmarshal(b, &many) != nil {
		return nil // an odd type is no type: the example is then a text
	}
	for _, name := range many {
		if name != "null" {
			*t = schemaType(name)
			return nil
		}
	}
	return nil
}

// example returns the JSON text of a value that fits the schema.
func (s *schema) example() string {
	b, err := json.Marshal(s.value(s.Defs, 0))
	if err != nil {
		return "{}"
	}
	return string(b)
}

func (s *schema) value(defs map[string]*schema, depth int) any {
	if s == nil || depth > maxDepth {
		return nil
	}
	const prefix = "#/$defs/"
	if len(s.Ref) > len(prefix) && s.Ref[:len(prefix)] == prefix {
		return defs[s.Ref[len(prefix):]].value(defs, depth+1)
	}
	switch {
	case len(s.Const) > 0:
		return s.Const
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Default) > 0:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.AnyOf) > 0:
		return s.AnyOf[0].value(defs, depth+1)
	}
	switch s.Type {
	case "integer":
		return 42
	case "number":
		return 4.2
	case "boolean":
		return true
	case "null":
		return nil
	case "array":
		return []any{s.Items.value(defs, depth+1)}
	case "object", "":
		if s.Properties == nil && s.Type == "" {
			return "example"
		}
		out := make(map[string]any, len(s.Properties))
		for name, p := range s.Properties {
			out[name] = p.value(defs, depth+1)
		}
		return out
	}
	return "example"
}
