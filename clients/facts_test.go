package clients

import (
	"os"
	"regexp"
	"runtime/debug"
	"strings"
)

// facts is what an SDK told its user about one feature: the same words for every
// language, so that one check does for all.
type facts struct {
	SDK      string   `json:"sdk"`
	IDs      []string `json:"ids"` // response ids in the order of the calls
	Model    string   `json:"model"`
	Text     string   `json:"text"`     // of the last answer
	Thinking string   `json:"thinking"` // of the last answer
	Finish   string   `json:"finish"`   // of the last answer
	Usage    *tokens  `json:"usage"`    // of the last answer; nil when the SDK was told none
	Chunks   int      `json:"chunks"`

	Tools      []toolCall `json:"tools"`
	Parsed     bool       `json:"parsed"` // structured output was read into the caller's own type
	Dimensions []int      `json:"dimensions"`
	Scores     []float64  `json:"scores"` // of a rerank, best first
	Count      int64      `json:"count"`  // of tokens, where one asked only for that

	Status int    `json:"status"` // of an error
	Error  string `json:"error"`  // its type in the SDK
	Code   string `json:"code"`
}

type tokens struct {
	Input  int64 `json:"input"`
	Output int64 `json:"output"`
}

type toolCall struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON
}

// goVersion reads the version that go.mod pins of a module.
func goVersion(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if strings.HasPrefix(dep.Path, module) {
				return dep.Version
			}
		}
	}
	data, _ := os.ReadFile("go.mod")
	if m := regexp.MustCompile(regexp.QuoteMeta(module) + `\S* (v\S+)`).FindSubmatch(data); m != nil {
		return string(m[1])
	}
	return "unknown"
}
