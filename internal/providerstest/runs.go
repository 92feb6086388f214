package providerstest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spanwire/spanwire/llm"
)

// Placed is a call of a conversation with the place that it was given.
type Placed struct {
	Conversation, Index int // of all conversations, and of its calls
	Call                *llm.Call
}

// RunScore counts what became of the calls that have a parent, of those that have
// none, and of tool calls.
type RunScore struct {
	Linked, Right, SameRun, WrongRun, Missed, Unread int
	Roots, FalseLinks                                int
	Tools, ToolsRight, ToolsExtra                    int
	Agents, AgentsRight                              int
	Notes                                            []string // what is not right, one a line
}

func (s RunScore) String() string {
	return fmt.Sprintf("of %d linked %d right, %d same run, %d wrong run, %d missed, %d given no place; of %d roots %d linked; of %d tools %d right, %d too many; of %d sub-agents %d found",
		s.Linked, s.Right, s.SameRun, s.WrongRun, s.Missed, s.Unread, s.Roots, s.FalseLinks, s.Tools, s.ToolsRight, s.ToolsExtra, s.Agents, s.AgentsRight)
}

func (s *RunScore) note(p Placed, all []Conversation, what string) {
	s.Notes = append(s.Notes, fmt.Sprintf("%s call %d: %s", all[p.Conversation].Name, p.Index, what))
}

// JudgeRuns compares the places of calls, by the ids of the calls, with what is known
// of the conversations. Each call of a conversation has to be there.
func JudgeRuns(all []Conversation, calls map[string]Placed) RunScore {
	var s RunScore
	for _, id := range slices.Sorted(maps.Keys(calls)) {
		p := calls[id]
		conv, want := &all[p.Conversation], &all[p.Conversation].Calls[p.Index]
		if want.Kind != "inference" {
			continue
		}
		got, found := calls[p.Call.Place.ParentCall]
		switch {
		case want.Parent != nil:
			s.Linked++
			switch {
			case p.Call.Run == nil:
				s.Unread++
				s.note(p, all, "given no place: "+string(p.Call.Kind)+" "+p.Call.Path)
			case !found:
				s.Missed++
				s.note(p, all, fmt.Sprintf("missed: %+v", p.Call.Run))
			case got.Conversation == p.Conversation && (got.Index == *want.Parent || slices.Contains(want.Candidates, got.Index)):
				s.Right++
			case got.Conversation == p.Conversation && conv.Calls[got.Index].Run != nil && want.Run != nil && *conv.Calls[got.Index].Run == *want.Run:
				s.SameRun++
				s.note(p, all, fmt.Sprintf("linked to call %d, not %d, by %v", got.Index, *want.Parent, p.Call.Run.Evidence))
			default:
				s.WrongRun++
				s.note(p, all, fmt.Sprintf("linked to %s call %d, not to call %d, by %v", all[got.Conversation].Name, got.Index, *want.Parent, p.Call.Run.Evidence))
			}
		case want.Root != nil && *want.Root:
			s.Roots++
			if found {
				s.FalseLinks++
				s.note(p, all, fmt.Sprintf("a root, linked to %s call %d by %v", all[got.Conversation].Name, got.Index, p.Call.Run.Evidence))
			}
		case found && got.Conversation != p.Conversation:
			s.note(p, all, fmt.Sprintf("not decided, linked to %s call %d by %v", all[got.Conversation].Name, got.Index, p.Call.Run.Evidence))
		}
	}
	at := map[[2]int]Placed{}
	for _, p := range calls {
		at[[2]int{p.Conversation, p.Index}] = p
	}
	for conv := range all {
		s.judgeTools(all, conv, calls, at)
	}
	return s
}

// judgeTools compares tool spans: every result is one, with name and arguments of
// the call that asked.
func (s *RunScore) judgeTools(all []Conversation, conv int, calls map[string]Placed, at map[[2]int]Placed) {
	want := map[string]int{}
	for _, tool := range all[conv].Tools {
		if tool.Result != nil && all[conv].Calls[*tool.Result].Parent != nil {
			want[fmt.Sprintf("%d→%d %s", tool.Call, *tool.Result, tool.Name)]++
			s.Tools++
		}
	}
	for i := range all[conv].Calls {
		c := at[[2]int{conv, i}].Call
		if c.Run == nil || all[conv].Calls[i].Parent == nil {
			continue
		}
		for _, inf := range c.Run.Inferred {
			if inf.Operation != "execute_tool" {
				continue
			}
			key := fmt.Sprintf("%d→%d %s", calls[inf.Call].Index, i, inf.Parts[0].Name)
			if want[key] > 0 && asked(calls[inf.Call].Call, inf.Parts[0]) {
				want[key]--
				s.ToolsRight++
			} else {
				s.ToolsExtra++
				s.note(calls[c.ID], all, "a tool span too many: "+key)
			}
		}
	}
	for key, n := range want {
		if n > 0 {
			s.Notes = append(s.Notes, fmt.Sprintf("%s: %d without a span: %s", all[conv].Name, n, key))
		}
	}
	for _, run := range all[conv].Runs {
		if run.Spawned == nil {
			continue
		}
		s.Agents++
		if r := at[[2]int{conv, run.Calls[0]}].Call.Run; r != nil && r.ByCall == at[[2]int{conv, run.Spawned.Call}].Call.ID && r.ByTool == run.Spawned.Tool {
			s.AgentsRight++
		}
	}
}

func asked(c *llm.Call, p llm.Part) bool {
	for _, m := range c.Output {
		for _, q := range m.Parts {
			if q.Type == llm.PartToolCall && (q.ID == p.ID || q.ID == "") && q.Name == p.Name && q.Arguments == p.Arguments {
				return true
			}
		}
	}
	return false
}
