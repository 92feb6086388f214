package pricing_test

import (
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

// An advisor runs on a dearer model within the call: each step at its own price,
// whatever the provider calls the total (pricing reference, aggregated usage).
func TestStepsArePricedEachAtItsModel(t *testing.T) {
	table, err := pricing.Default()
	if err != nil {
		t.Fatal(err)
	}
	use := func(in, out int64) (u llm.Usage) {
		u.Set(llm.UncachedInput, in)
		u.Set(llm.OutputText, out)
		u.Source = llm.UsageReported
		return u
	}
	call := func(model string, u llm.Usage, steps ...llm.Step) llm.Cost {
		c := &llm.Call{
			Kind: llm.KindLLM, Route: "anthropic", Provider: "anthropic", ServerAddress: "api.anthropic.com",
			ResponseModel: model, Start: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Usage: u, Steps: steps,
		}
		table.Price(c)
		return c.Cost
	}
	const sonnet, opus = "claude-sonnet-4-5", "claude-opus-4-8"
	one, two := call(sonnet, use(100, 10)), call(opus, use(2518, 300))
	if !one.Known() || !two.Known() {
		t.Fatalf("the table lost its models: %v %v", one, two)
	}
	both := call(sonnet, use(100, 10), llm.Step{Kind: "message", Usage: use(100, 10)}, llm.Step{Kind: "advisor_message", Model: opus, Usage: use(2518, 300)})
	if both.Total != one.Total+two.Total || both.Input != one.Input+two.Input || both.Output != one.Output+two.Output || both.Source != llm.CostTable {
		t.Errorf("steps cost %v, want %v + %v", both, one.Total, two.Total)
	}
	searched := use(100, 10)
	searched.Set(llm.WebSearches, 2)
	if fee := call(sonnet, searched, llm.Step{Usage: use(100, 10)}); fee.Tools == 0 || fee.Total != one.Total+fee.Tools {
		t.Errorf("with two searches the step costs %+v", fee)
	}
	if lost := call(sonnet, use(100, 10), llm.Step{Usage: use(1, 1)}, llm.Step{Model: "claude-unheard-of", Usage: use(1, 1)}); lost.Known() {
		t.Errorf("a sum with an unknown part is %v", lost)
	}
}
