package providerstest

import (
	"path/filepath"
	"testing"
)

// Conversation is recorded calls that belong together, or look as if they did, in
// their order, and what is known about how they do.
type Conversation struct {
	Name      string
	Exchanges []Recording
	Calls     []struct {
		Dir        string
		Recording  int
		Kind       string
		Parent     *int
		Root       *bool
		Candidates []int `json:"parent_candidates"`
		Run        *int
		RetryOf    *int `json:"retry_of"`
		RepeatOf   *int `json:"same_request_as"`
	}
	Runs []struct {
		Run     int
		Calls   []int
		Spawned *struct {
			Call int    `json:"call_index"`
			Tool string `json:"tool_call_id"`
		} `json:"spawned_by"`
	}
	Tools []struct {
		Call   int `json:"call_index"`
		ID     *string
		Name   string
		Result *int `json:"result_in_call_index"`
	}
}

// Conversations returns the recorded conversations, from the folder that
// [Recordings] takes its own from. Where it is not, the test is skipped, and says so.
func Conversations(t testing.TB) []Conversation {
	t.Helper()
	root := dataDir(t)
	if root == "" {
		t.Skip("NOT TESTED: runs of recorded conversations. Set SPANWIRE_DATA to a folder that holds traffic/conversations, or put it at ../shared/data beside the repository")
	}
	files, err := filepath.Glob(filepath.Join(root, "traffic", "conversations", "*", "conversation.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []Conversation
	for _, f := range files {
		dir := filepath.Dir(f)
		c := Conversation{Name: filepath.Base(dir)}
		parse(t, f, &c)
		for _, call := range c.Calls {
			c.Exchanges = append(c.Exchanges, load(t, filepath.Join(dir, call.Dir)))
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		t.Fatalf("no conversation in %s", root)
	}
	return all
}
