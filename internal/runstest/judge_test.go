package runstest

import (
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
)

// TestRecordedRuns holds the linker to figures: calls that are linked wrong are
// worse than those not linked at all.
func TestRecordedRuns(t *testing.T) {
	all := providerstest.Conversations(t)
	f := func(name string, all []providerstest.Conversation, perKey bool, least, tools int) {
		for seed := range uint64(8) {
			calls, _ := play(t, all, seed, perKey)
			s := providerstest.JudgeRuns(all, calls)
			t.Logf("%-9s seed %d: %v", name, seed, s)
			bad := s.WrongRun > 0 || s.FalseLinks > 0 || s.Right < least || s.ToolsExtra > 0 || s.ToolsRight < tools || s.AgentsRight < s.Agents
			if seed == 0 || bad {
				t.Logf("what is not right:\n%s", strings.Join(s.Notes, "\n"))
			}
			if bad {
				t.Errorf("%s, seed %d: want at least %d right, none in a wrong run, no root linked, at least %d tool spans and none too many, every sub-agent found", name, seed, least, tools)
			}
		}
	}
	f("one key", all, false, 102, 67)
	f("own keys", all, true, 102, 67)
	crowded := crowd(t, all)
	t.Logf("crowded: %d calls of strangers", len(crowded)-len(all))
	f("crowded", crowded, false, 102, 67)
}
