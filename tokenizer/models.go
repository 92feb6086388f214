package tokenizer

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

//go:embed overheads.json
var overheads []byte

// Names of the vocabularies.
const (
	o200k  = "o200k_base"
	cl100k = "cl100k_base"
	p50k   = "p50k_base"
	r50k   = "r50k_base"
)

type (
	table struct {
		What      string        `json:"what"`
		Encodings []encodingRow `json:"encodings"`
		Families  []family      `json:"families"`
		Styles    []style       `json:"styles"`
		Images    []imageRow    `json:"images"`
	}
	encodingRow struct {
		Encoding string   `json:"encoding"`
		Prefixes []string `json:"prefixes"`
		Names    []string `json:"names"`
	}
	// family is models whose text costs a percentage of what o200k_base makes of it.
	family struct {
		Model   string `json:"model"`
		Percent int64  `json:"percent"`
		Style   string `json:"style"` // how they wrap a chat
		re      *regexp.Regexp
	}
	// style is models that wrap a chat in the same way. All numbers are tokens.
	style struct {
		Name            string   `json:"name"`
		Prefixes        []string `json:"prefixes"`
		HiddenReasoning bool     `json:"hidden_reasoning"` // bills reasoning that it does not show
		Prompt          int64    `json:"prompt"`           // once a prompt
		Message         int64    `json:"message"`          // a message
		Named           int64    `json:"named"`            // a message with a name
		Schema          int64    `json:"schema"`           // an answer that must follow a schema, beside its text
		ToolsAsJSON     bool     `json:"tools_as_json"`    // sees tools as they are sent, not as declarations
		Harmony         bool     `json:"harmony"`          // declares tools as OpenAI's harmony format does
		Chat            wrapping `json:"chat"`
		Responses       wrapping `json:"responses"`
	}
	// wrapping is what differs between the two ways to ask.
	wrapping struct {
		Tools           int64 `json:"tools"`               // once, beside the tools' text
		EachTool        int64 `json:"each_tool"`           // a tool, beside its text
		ToolsWithSystem int64 `json:"tools_with_system"`   // once, with tools and instructions
		ToolCall        int64 `json:"tool_call"`           // a call in the prompt, with its result
		Answer          int64 `json:"answer"`              // an answer with text
		BesideTools     int64 `json:"answer_beside_tools"` // and more, where tools were offered
		AnswerCall      int64 `json:"answer_call"`         // a call in an answer
		Argument        int64 `json:"argument"`            // an argument of a call, in a prompt or an answer
		Parallel        int64 `json:"parallel_calls"`      // several calls in an answer
	}
	imageRow struct {
		Prefixes     []string `json:"prefixes"`
		Base         int64    `json:"base"`
		Tile         int64    `json:"tile"`
		PatchPercent int64    `json:"patch_percent"`
	}
)

var rules = mustRead(overheads)

func mustRead(data []byte) *table {
	t := &table{}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(t); err != nil {
		panic(fmt.Sprintf("BUG: overheads.json: %v", err))
	}
	for i := range t.Families {
		t.Families[i].re = regexp.MustCompile(t.Families[i].Model)
	}
	return t
}

// model is what is known of a model by its name.
type model struct {
	name     string // normalised
	encoding string
	percent  int64  // of what the encoding says
	public   bool   // the encoding is the model's own
	style    *style // how it wraps a chat; that of its family when not public
}

// maxName bounds the model names that are looked at.
const maxName = 256

// looked remembers names: there are few, and each call has two. Names come from
// callers: when there are too many of them it begins anew.
var looked struct {
	sync.RWMutex
	models map[string]model
}

const maxLooked = 1024

// lookup finds what to count a model's text with. An unknown name is counted
// with o200k_base as it is.
func lookup(name string) model {
	looked.RLock()
	m, ok := looked.models[name]
	looked.RUnlock()
	if ok {
		return m
	}
	m = find(name)
	looked.Lock()
	defer looked.Unlock()
	if looked.models == nil || len(looked.models) >= maxLooked {
		looked.models = map[string]model{}
	}
	if len(name) <= maxName {
		looked.models[strings.Clone(name)] = m
	}
	return m
}

func find(name string) model {
	m := model{name: normalise(name), encoding: o200k, percent: 100, style: &rules.Styles[0]}
	if e := m.own(); e != "" {
		m.encoding, m.public = e, true
		for i := range rules.Styles {
			if hasPrefix(m.name, rules.Styles[i].Prefixes) {
				m.style = &rules.Styles[i]
			}
		}
		return m
	}
	m.style = styleNamed(plain)
	for i := range rules.Families {
		if rules.Families[i].re.MatchString(m.name) {
			m.percent = rules.Families[i].Percent
			m.style = styleNamed(rules.Families[i].Style)
			break
		}
	}
	return m
}

// plain is the style of models of which nothing is known.
const plain = "plain"

func styleNamed(name string) *style {
	for i := range rules.Styles {
		if rules.Styles[i].Name == name {
			return &rules.Styles[i]
		}
	}
	panic(fmt.Sprintf("BUG: overheads.json: no style %q", name))
}

// own returns the model's encoding by the longest prefix that fits, or "".
func (m *model) own() (encoding string) {
	longest := 0
	for _, row := range rules.Encodings {
		for _, n := range row.Names {
			if n == m.name {
				return row.Encoding
			}
		}
		for _, p := range row.Prefixes {
			if len(p) > longest && strings.HasPrefix(m.name, p) {
				encoding, longest = row.Encoding, len(p)
			}
		}
	}
	return encoding
}

// normalise takes off what vendors and fine-tuning put around a model's name.
func normalise(name string) string {
	if len(name) > maxName {
		name = name[:maxName]
	}
	name = strings.ToLower(strings.TrimSpace(name))
	if base, ok := strings.CutPrefix(name, "ft:"); ok {
		name, _, _ = strings.Cut(base, ":")
	}
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	if i := strings.LastIndex(name, "openai."); i == 0 || i > 0 && name[i-1] == '.' {
		name = name[i+len("openai."):] // of Bedrock: openai.gpt-oss-20b-1:0, global.openai.gpt-6-sol
	}
	if i := strings.IndexByte(name, ':'); i > 0 {
		name = name[:i] // gpt-oss:20b, gpt-4o:nitro
	}
	return name
}

func hasPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
