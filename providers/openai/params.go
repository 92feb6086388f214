package openai

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/llm"
)

// form of a parameter's value.
type valueForm uint8

const (
	asDouble valueForm = iota
	asInt
	asText
	asTexts // a text or a list of texts, as a list
	asBool
	asJSON // verbatim, bounded
)

// params maps the members of a request to span attributes (telemetry reference,
// section 1; wire reference, section 4.1). Adding an attribute read off the
// request is one row.
var params = map[string]struct {
	key  string
	form valueForm
}{
	"temperature":           {"gen_ai.request.temperature", asDouble},
	"top_p":                 {"gen_ai.request.top_p", asDouble},
	"top_k":                 {"gen_ai.request.top_k", asDouble},
	"frequency_penalty":     {"gen_ai.request.frequency_penalty", asDouble},
	"presence_penalty":      {"gen_ai.request.presence_penalty", asDouble},
	"max_tokens":            {"gen_ai.request.max_tokens", asInt},
	"max_completion_tokens": {"gen_ai.request.max_tokens", asInt},
	"seed":                  {"gen_ai.request.seed", asInt},
	"random_seed":           {"gen_ai.request.seed", asInt},
	"n":                     {"gen_ai.request.choice.count", asInt},
	"stop":                  {"gen_ai.request.stop_sequences", asTexts},
	"reasoning_effort":      {"gen_ai.request.reasoning.level", asText},
	"encoding_format":       {"gen_ai.request.encoding_formats", asTexts},
	"dimensions":            {"gen_ai.embeddings.dimension.count", asInt},

	"service_tier":           {"openai.request.service_tier", asText},
	"tool_choice":            {"openai.request.tool_choice", asJSON},
	"function_call":          {"openai.request.tool_choice", asJSON},
	"parallel_tool_calls":    {"openai.request.parallel_tool_calls", asBool},
	"verbosity":              {"openai.request.verbosity", asText},
	"store":                  {"openai.request.store", asBool},
	"min_p":                  {"openai.request.min_p", asDouble},
	"repetition_penalty":     {"openai.request.repetition_penalty", asDouble},
	"prompt_cache_retention": {"openai.request.prompt_cache_retention", asText},

	// Whom a call is for: attribution reads these.
	"user":              {"openai.request.user", asText},
	"safety_identifier": {"openai.request.safety_identifier", asText},
	"prompt_cache_key":  {"openai.request.prompt_cache_key", asText},
}

const (
	maxParam    = 1024 // bytes of a text value
	maxTexts    = 64
	maxMetadata = 64
)

// setParam carries one member over, if it is a parameter.
func setParam(c *llm.Call, key, val []byte) {
	row, ok := params[string(key)]
	if !ok || isNull(val) {
		return
	}
	v := gjson.ParseBytes(val)
	switch row.form {
	case asDouble:
		if v.Type == gjson.Number {
			c.SetAttr(row.key, v.Num)
		}
	case asInt:
		if n, err := strconv.ParseInt(strings.TrimSuffix(v.Raw, ".0"), 10, 64); err == nil && v.Type == gjson.Number {
			c.SetAttr(row.key, n)
		}
	case asText:
		if v.Type == gjson.String && v.Str != "" {
			c.SetAttr(row.key, clip(v.Str, maxParam))
		}
	case asTexts:
		if list := texts(val); len(list) > 0 {
			c.SetAttr(row.key, list)
		}
	case asBool:
		if v.IsBool() {
			c.SetAttr(row.key, v.Bool())
		}
	case asJSON:
		if v.Type == gjson.String {
			c.SetAttr(row.key, clip(v.Str, maxParam))
		} else if v.IsObject() && len(val) <= maxParam {
			c.SetAttr(row.key, string(val))
		}
	}
}

// texts reads a text or a list of texts.
func texts(val []byte) (list []string) {
	if len(val) > 0 && val[0] == '"' {
		return []string{clip(str(val), maxParam)}
	}
	for e := array(val); e.next() && len(list) < maxTexts; {
		if e.val[0] == '"' {
			list = append(list, clip(str(e.val), maxParam))
		}
	}
	return list
}

// setMetadata carries the caller's own key and value pairs over.
func setMetadata(c *llm.Call, val []byte) {
	n := 0
	for m := object(val); m.next() && n < maxMetadata; n++ {
		v := gjson.ParseBytes(m.val)
		if v.Type == gjson.String || v.Type == gjson.Number || v.IsBool() {
			c.SetAttr("openai.request.metadata."+clip(unescape(m.key), 128), clip(v.String(), maxParam))
		}
	}
}

// outputSchema returns the schema that an answer must follow; nil when there is none.
// OpenAI has it below the kind's name, some who copied its interface beside it.
func outputSchema(responseFormat []byte) []byte {
	if schema := member(member(responseFormat, "json_schema"), "schema"); schema != nil {
		return schema
	}
	return member(responseFormat, "schema")
}

// outputType reads what kind of answer was asked for.
func outputType(responseFormat []byte) string {
	switch str(member(responseFormat, "type")) {
	case "json_object", "json_schema":
		return "json"
	case "text":
		return "text"
	}
	return ""
}
