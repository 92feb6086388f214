package clients

import (
	"context"
	"encoding/json"
	"fmt"
)

// A client runs one feature through the proxy and reports what its SDK told.
type client struct {
	name string
	run  func(ctx context.Context, baseURL, feature string) (facts, error)
}

// facts is what an SDK told its user about one feature: the same words for every
// language, so that one check does for all.
type facts struct {
	SDK    string   `json:"sdk"`
	IDs    []string `json:"ids"` // response ids in the order of the calls
	Model  string   `json:"model"`
	Text   string   `json:"text"`   // of the last answer
	Finish string   `json:"finish"` // of the last answer
	Usage  *tokens  `json:"usage"`  // of the last answer; nil when the SDK was told none
	Chunks int      `json:"chunks"`

	Tools      []toolCall `json:"tools"`
	Parsed     bool       `json:"parsed"` // structured output was read into the caller's own type
	Dimensions []int      `json:"dimensions"`

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
	Arguments string `json:"arguments"`
}

func readFacts(out []byte) (facts, error) {
	var f facts
	if err := json.Unmarshal(out, &f); err != nil {
		return f, fmt.Errorf("read what the client printed (%.200q): %w", out, err)
	}
	return f, nil
}
