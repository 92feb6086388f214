package recorder

import (
	"fmt"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

func tells(id, of string) *llm.Call {
	c := &llm.Call{ID: id, Provider: "openai", UsageOf: of, UsageRaw: `{"input_tokens":5}`, Cost: llm.Cost{Total: 1, Source: llm.CostProvider}, Steps: []llm.Step{{Kind: "message"}}}
	c.Usage.Set(llm.UncachedInput, 5)
	return c
}

func TestAUsageIsBilledOnce(t *testing.T) {
	var o once
	first, again, own := tells("1", "resp_a"), tells("2", "resp_a"), tells("3", "")
	for _, c := range []*llm.Call{first, again, own} {
		o.settle(c)
	}
	if !first.Usage.Known() || !first.Cost.Known() || len(first.Steps) != 1 {
		t.Errorf("the first lost its usage: %+v", first)
	}
	if again.Usage.Known() || again.Cost.Known() || again.Steps != nil || again.Usage.Source != llm.UsageMissing || again.UsageRaw == "" {
		t.Errorf("billed twice: %+v", again)
	}
	if len(again.Attrs) != 1 || again.Attrs[0].Value != "1" {
		t.Errorf("which call was billed: %+v", again.Attrs)
	}
	if !own.Usage.Known() {
		t.Error("a usage of its own is gone")
	}
	other := tells("4", "resp_a")
	other.Provider = "azure.ai.openai"
	if o.settle(other); !other.Usage.Known() {
		t.Error("another provider's response of the same name is another response")
	}
	none := &llm.Call{ID: "5", UsageOf: "resp_b"}
	o.settle(none)
	late := tells("6", "resp_b")
	if o.settle(late); !late.Usage.Known() {
		t.Error("a call without usage took the place of the one that has it")
	}
}

// Servers that give every answer the same id make something else each time; what is
// asked for later is billed with the one that made it.
func TestMadeAgainUnderTheSameName(t *testing.T) {
	var o once
	f := func(id, method, path string, billed bool) {
		t.Helper()
		c := tells(id, "resp_a")
		c.Method, c.Path = method, path
		if o.settle(c); c.Usage.Known() != billed {
			t.Errorf("%s %s: billed %v", method, path, !billed)
		}
	}
	f("1", "POST", "/v1/responses", true)
	f("2", "GET", "/v1/responses/resp_a", false)
	f("3", "POST", "/v1/responses", true)
	f("4", "POST", "/v1/responses/resp_a/cancel", false)
	o = once{}
	f("5", "GET", "/v1/responses/resp_a", true) // while the call that made it goes on
	f("6", "POST", "/v1/responses", false)
}

func TestWhatWasBilledIsBounded(t *testing.T) {
	var o once
	for i := range 3 * onceKept {
		o.settle(tells("1", fmt.Sprint(i)))
	}
	if len(o.of) != onceKept || len(o.ring) != onceKept {
		t.Errorf("%d and %d kept", len(o.of), len(o.ring))
	}
	last := tells("2", fmt.Sprint(3*onceKept-1))
	if o.settle(last); last.Usage.Known() {
		t.Error("the last one is forgotten")
	}
}
