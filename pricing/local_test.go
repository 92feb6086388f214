package pricing_test

import (
	"testing"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

// What a reader knows to be free stays free where the table does not know the
// model, and costs what the table says where it does.
func TestFreeStaysFree(t *testing.T) {
	tab, err := pricing.Default(pricing.WithOverrides([]pricing.Override{{Provider: "mine", Model: "dear", Rates: map[string]string{"input": "3"}}}))
	if err != nil {
		t.Fatal(err)
	}
	f := func(model, want string) {
		t.Helper()
		c := &llm.Call{Kind: llm.KindLLM, Provider: "mine", RequestModel: model, Cost: llm.Cost{Source: llm.CostTable, Status: llm.CostOK, Price: "local"}}
		c.Usage.Set(llm.UncachedInput, 1_000_000)
		tab.Price(c)
		if got := c.Cost.Total.String() + " " + string(c.Cost.Source); got != want {
			t.Errorf("%s: %s, want %s", model, got, want)
		}
	}
	f("mine", "0 table")
	f("dear", "3 override")
}
