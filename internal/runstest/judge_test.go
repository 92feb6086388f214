package runstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// score counts what became of the calls that have a parent, of those that have
// none, and of tool calls.
type score struct {
	linked, right, sameRun, wrongRun, missed, unread int
	roots, falseLinks                                int
	tools, toolsRight, toolsExtra                    int
	agents, agentsRight                              int
	notes                                            []string
}

func (s *score) note(p played, all []providerstest.Conversation, what string) {
	s.notes = append(s.notes, fmt.Sprintf("%s call %d: %s", all[p.conv].Name, p.index, what))
}

func judge(all []providerstest.Conversation, calls map[string]played) score {
	var s score
	for _, id := range slices.Sorted(maps.Keys(calls)) {
		p := calls[id]
		conv, want := &all[p.conv], &all[p.conv].Calls[p.index]
		if want.Kind != "inference" {
			continue
		}
		got, found := calls[p.call.Place.ParentCall]
		switch {
		case want.Parent != nil:
			s.linked++
			switch {
			case p.call.Run == nil:
				s.unread++
				s.note(p, all, "given no place: "+string(p.call.Kind)+" "+p.call.Path)
			case !found:
				s.missed++
				s.note(p, all, fmt.Sprintf("missed: %+v", p.call.Run))
			case got.conv == p.conv && (got.index == *want.Parent || slices.Contains(want.Candidates, got.index)):
				s.right++
			case got.conv == p.conv && conv.Calls[got.index].Run != nil && want.Run != nil && *conv.Calls[got.index].Run == *want.Run:
				s.sameRun++
				s.note(p, all, fmt.Sprintf("linked to call %d, not %d, by %v", got.index, *want.Parent, p.call.Run.Evidence))
			default:
				s.wrongRun++
				s.note(p, all, fmt.Sprintf("linked to %s call %d, not to call %d, by %v", all[got.conv].Name, got.index, *want.Parent, p.call.Run.Evidence))
			}
		case want.Root != nil && *want.Root:
			s.roots++
			if found {
				s.falseLinks++
				s.note(p, all, fmt.Sprintf("a root, linked to %s call %d by %v", all[got.conv].Name, got.index, p.call.Run.Evidence))
			}
		case found && got.conv != p.conv:
			s.note(p, all, fmt.Sprintf("not decided, linked to %s call %d by %v", all[got.conv].Name, got.index, p.call.Run.Evidence))
		}
	}
	for conv := range all {
		s.judgeTools(all, conv, calls)
	}
	return s
}

// judgeTools compares tool spans: every result is one, with name and arguments of
// the call that asked.
func (s *score) judgeTools(all []providerstest.Conversation, conv int, calls map[string]played) {
	want := map[string]int{}
	for _, tool := range all[conv].Tools {
		if tool.Result != nil && all[conv].Calls[*tool.Result].Parent != nil {
			want[fmt.Sprintf("%d→%d %s", tool.Call, *tool.Result, tool.Name)]++
			s.tools++
		}
	}
	for i := range all[conv].Calls {
		c := calls[callID(conv, i)].call
		if c.Run == nil || all[conv].Calls[i].Parent == nil {
			continue
		}
		for _, inf := range c.Run.Inferred {
			if inf.Operation != "execute_tool" {
				continue
			}
			key := fmt.Sprintf("%d→%d %s", calls[inf.Call].index, i, inf.Parts[0].Name)
			if want[key] > 0 && asked(calls[inf.Call].call, inf.Parts[0]) {
				want[key]--
				s.toolsRight++
			} else {
				s.toolsExtra++
				s.note(calls[c.ID], all, "a tool span too many: "+key)
			}
		}
	}
	for key, n := range want {
		if n > 0 {
			s.notes = append(s.notes, fmt.Sprintf("%s: %d without a span: %s", all[conv].Name, n, key))
		}
	}
	for _, run := range all[conv].Runs {
		if run.Spawned == nil {
			continue
		}
		s.agents++
		if r := calls[callID(conv, run.Calls[0])].call.Run; r != nil && r.ByCall == callID(conv, run.Spawned.Call) && r.ByTool == run.Spawned.Tool {
			s.agentsRight++
		}
	}
}

func asked(c *llm.Call, p llm.Part) bool {
	for _, m := range c.Output {
		for _, q := range m.Parts {
			if q.Type == llm.PartToolCall && q.ID == p.ID && q.Name == p.Name && q.Arguments == p.Arguments {
				return true
			}
		}
	}
	return false
}

// TestRecordedRuns holds the linker to figures: calls that are linked wrong are
// worse than those not linked at all.
func TestRecordedRuns(t *testing.T) {
	all := providerstest.Conversations(t)
	f := func(name string, all []providerstest.Conversation, perKey bool, least, tools int) {
		for seed := range uint64(8) {
			calls, _ := play(t, all, seed, perKey)
			s := judge(all, calls)
			t.Logf("%-9s seed %d: of %d linked %d right, %d same run, %d wrong run, %d missed, %d given no place; of %d roots %d linked; of %d tools %d right, %d too many; of %d sub-agents %d found",
				name, seed, s.linked, s.right, s.sameRun, s.wrongRun, s.missed, s.unread, s.roots, s.falseLinks, s.tools, s.toolsRight, s.toolsExtra, s.agents, s.agentsRight)
			bad := s.wrongRun > 0 || s.falseLinks > 0 || s.right < least || s.toolsExtra > 0 || s.toolsRight < tools || s.agentsRight < s.agents
			if seed == 0 || bad {
				t.Logf("what is not right:\n%s", strings.Join(s.notes, "\n"))
			}
			if bad {
				t.Errorf("%s, seed %d: want at least %d right, none in a wrong run, no root linked, at least %d tool spans and none too many, every sub-agent found", name, seed, least, tools)
			}
		}
	}
	f("one key", all, false, 99, 66)
	f("own keys", all, true, 100, 66)
	crowded := crowd(t, all)
	t.Logf("crowded: %d calls of strangers", len(crowded)-len(all))
	f("crowded", crowded, false, 99, 66)
}
