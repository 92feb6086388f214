package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/fakellm"
	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// TestRunsOfConversations plays all recorded conversations through the program, in
// turns at random, and judges the spans that it exports: nothing tells which calls
// belong together but what is in them.
func TestRunsOfConversations(t *testing.T) {
	recordings(t)
	all := providerstest.Conversations(t)
	seeds := uint64(1)
	if *everything {
		seeds = 4
	}
	f := func(name string, perKey bool, least int) {
		for seed := range seeds {
			calls := playConversations(t, all, seed, perKey)
			s := providerstest.JudgeRuns(all, calls)
			t.Logf("%s, seed %d: %v", name, seed, s)
			bad := s.WrongRun > 0 || s.FalseLinks > 0 || s.Right < least || s.ToolsExtra > 0 || s.ToolsRight < toolsLeast || s.AgentsRight < s.Agents
			if bad || seed == 0 {
				t.Logf("what is not right:\n%s", strings.Join(s.Notes, "\n"))
			}
			if bad {
				t.Errorf("%s, seed %d: want at least %d right and %d tools, none in a wrong run, no root linked, no tool too many, every sub-agent found", name, seed, least, toolsLeast)
			}
		}
	}
	f("one key", false, 102)
	f("own keys", true, 102)
}

const toolsLeast = 67

// playConversations returns the calls as their spans tell of them.
func playConversations(t *testing.T, all []providerstest.Conversation, seed uint64, perKey bool) map[string]providerstest.Placed {
	t.Helper()
	root := filepath.Dir(recordings(t))
	var names []providerstest.Recording
	for i := range all {
		names = append(names, all[i].Exchanges...)
	}
	file := filepath.Join(t.TempDir(), "spans.jsonl")
	s := newStage(t, names, "tracing:\n  exporters: [{type: file, path: '"+file+"'}]\n")
	rnd := rand.New(rand.NewPCG(seed, 2))
	at := make([]int, len(all))
	open := rnd.Perm(len(all))
	placed := map[string]providerstest.Placed{}
	for len(open) > 0 {
		k := rnd.IntN(len(open))
		conv := open[k]
		i := at[conv]
		if at[conv]++; at[conv] == len(all[conv].Calls) {
			open = slices.Delete(open, k, k+1)
		}
		x, call := all[conv].Exchanges[i], all[conv].Calls[i]
		x.Name = filepath.Join("conversations", all[conv].Name, call.Dir)
		if _, err := os.Stat(filepath.Join(root, x.Name)); err != nil {
			t.Fatal(err)
		}
		key := "one"
		if perKey {
			key = fmt.Sprint(conv, "-", call.Recording)
		}
		id := s.anonymous(t, x, key)
		placed[id] = providerstest.Placed{Conversation: conv, Index: i}
	}
	captured := map[string]*llm.Call{}
	for id := range placed {
		captured[id] = s.calls.call(t, id)
	}
	s.stop(t)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	spans, err := readSpans(f)
	if err != nil {
		t.Fatal(err)
	}
	for id, c := range callsOf(t, spans, captured) {
		if p, ok := placed[id]; ok {
			p.Call = c
			placed[id] = p
		}
	}
	for _, p := range placed {
		if p.Call == nil {
			t.Fatalf("%s call %d has no span", all[p.Conversation].Name, p.Index)
		}
	}
	sameTraces(t, all, spans, placed)
	return placed
}

// anonymous sends a recorded request without anything in its head or its body that
// names a session, and returns the id of the call.
func (s *stage) anonymous(t *testing.T, r providerstest.Recording, key string) string {
	t.Helper()
	play := fakellm.Play{Exchange: r.Name}
	header := []string{fakellm.ReplayHeader, play.Header(), "Authorization", "Bearer " + key, "Accept-Encoding", "identity"}
	for name, value := range r.RequestHeader.All() {
		if slices.Contains([]string{"content-type", "anthropic-version", "anthropic-beta"}, strings.ToLower(name)) {
			header = append(header, name, value)
		}
	}
	resp, _, err := send(t, r.Method, s.url+"/"+rowOf(r)+r.Target, string(nameless(r.Request)), header...)
	if err != nil || resp.StatusCode != r.Status {
		t.Fatalf("%s: %v, status %d", r.Name, err, resp.StatusCode)
	}
	return resp.Header.Get("X-Spanwire-Call-Id")
}

// nameless takes out of a request what names a session or a user.
func nameless(body []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return body
	}
	found := false
	for _, key := range []string{"conversation", "prompt_cache_key", "user", "safety_identifier", "metadata", "litellm_session_id"} {
		if _, ok := fields[key]; ok {
			found = true
			delete(fields, key)
		}
	}
	if !found {
		return body
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return body
	}
	return out
}

// callsOf makes calls of spans again, with as much as is judged. What the model
// asked for is that of the call as it was recorded.
func callsOf(t *testing.T, spans []treeSpan, captured map[string]*llm.Call) map[string]*llm.Call {
	t.Helper()
	calls, begins := map[string]*llm.Call{}, map[string]*llm.Call{}
	text := func(s *treeSpan, key string) string { v, _ := s.attrs[key].(string); return v }
	for i := range spans {
		s := &spans[i]
		id := text(s, "spanwire.call.id")
		if id == "" {
			continue
		}
		c := &llm.Call{ID: id, Kind: captured[id].Kind, Path: captured[id].Path, Output: captured[id].Output}
		c.Place.ParentCall = text(s, "spanwire.parent.call.id")
		if run := text(s, "spanwire.run.id"); run != "" {
			c.Run = &llm.Run{ID: run}
			begins[s.trace+fmt.Sprint(s.start)] = c
		}
		calls[id] = c
	}
	for i := range spans {
		s := &spans[i]
		switch op := text(s, "gen_ai.operation.name"); {
		case op == "invoke_agent":
			if c := calls[text(s, "spanwire.run.id")]; c != nil && c.Run != nil {
				c.Run.ByCall, c.Run.ByTool = text(s, "spanwire.run.by.call.id"), text(s, "spanwire.run.by.tool.call.id")
			}
		case op == "execute_tool":
			c := begins[s.trace+fmt.Sprint(s.end)] // the tool had ended when the request with its result began
			if c == nil {
				t.Fatalf("a tool span that ends before no call: %+v", s)
			}
			c.Run.Inferred = append(c.Run.Inferred, llm.Inferred{
				Operation: op, Call: text(s, "spanwire.parent.call.id"),
				Start: time.Unix(0, s.start), End: time.Unix(0, s.end),
				Parts: []llm.Part{{
					Type: llm.PartToolCall, ID: text(s, "gen_ai.tool.call.id"), Name: text(s, "gen_ai.tool.name"), Arguments: text(s, "gen_ai.tool.call.arguments"),
				}},
			})
		}
	}
	return calls
}

// sameTraces holds traces against recordings: none has calls of two.
func sameTraces(t *testing.T, all []providerstest.Conversation, spans []treeSpan, placed map[string]providerstest.Placed) {
	t.Helper()
	owner := map[string]string{}
	known := map[string]bool{}
	for _, s := range spans {
		known[s.trace+s.id] = true
		id, _ := s.attrs["spanwire.call.id"].(string)
		p, ok := placed[id]
		if !ok {
			continue
		}
		who := fmt.Sprint(all[p.Conversation].Name, " recording ", all[p.Conversation].Calls[p.Index].Recording)
		if other, ok := owner[s.trace]; ok && other != who {
			t.Errorf("trace %s has calls of %s and of %s", s.trace, other, who)
		}
		owner[s.trace] = who
	}
	for _, s := range spans {
		if s.parent != "" && !known[s.trace+s.parent] {
			t.Errorf("the parent of %q is nowhere", s.name)
		}
	}
}
