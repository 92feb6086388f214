package attribution

import (
	"fmt"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

func TestWhatCodingAgentsTell(t *testing.T) {
	f := func(head, want string) {
		t.Helper()
		var c llm.Call
		New(Config{}).Attribute(&c, &llm.Exchange{RequestHeader: llm.Header(head + "\r\n")})
		if got := fmt.Sprintf("%+v", c.Told); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", head, got, want)
		}
	}
	f("x: y", "{Agent: ParentAgent: Run: Aside:false Tools:[]}")
	f("X-Claude-Code-Agent-Id: a1\r\nX-Claude-Code-Parent-Agent-Id: a0\r\nX-Claude-Code-Request-Class: subagent",
		"{Agent:a1 ParentAgent:a0 Run: Aside:false Tools:[]}")
	f("x-claude-code-request-class: auxiliary", "{Agent: ParentAgent: Run: Aside:true Tools:[]}")
	f("x-claude-code-request-class: main\r\nx-claude-code-prev-tool-durations: Bash=742;mcp__a%3Bb=9.5;x;=3;y=-1;z=NaN;w=1e99",
		"{Agent: ParentAgent: Run: Aside:false Tools:[{Name:Bash Time:742ms} {Name:mcp__a;b Time:9.5ms}]}")
	f(`x-codex-turn-metadata: {"session_id":"s","thread_id":"t2","turn_id":"u","request_kind":"subagent"}`+"\r\nx-codex-parent-thread-id: t1",
		"{Agent:t2 ParentAgent:t1 Run:u Aside:false Tools:[]}")
	f(`x-codex-turn-metadata: {"thread_id":"t","turn_id":"u","request_kind":"compaction"}`, "{Agent:t ParentAgent: Run:u Aside:true Tools:[]}")
	f("thread-id: t", "{Agent:t ParentAgent: Run: Aside:false Tools:[]}")
}

func FuzzToolTimes(f *testing.F) {
	f.Add("Bash=742;Read=9")
	f.Add("%zz=1;=;;a==3;b=Inf")
	f.Fuzz(func(t *testing.T, value string) {
		times := toolTimes(value)
		if len(times) > 64 {
			t.Fatalf("%d times", len(times))
		}
		for _, k := range times {
			if k.Time < 0 {
				t.Fatalf("%+v", k)
			}
		}
	})
}
