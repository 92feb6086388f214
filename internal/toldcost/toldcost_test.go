package toldcost_test

import (
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/toldcost"
	"github.com/spanwire/spanwire/llm"
)

func TestOf(t *testing.T) {
	f := func(usage, header, want string) {
		t.Helper()
		cost, ok := toldcost.Of([]byte(usage), llm.Header(header))
		got := "unset"
		if ok {
			got = strings.TrimPrefix(cost.Money().String(), "$")
		}
		if ok != (cost.Source == llm.CostProvider && cost.Status == llm.CostOK) {
			t.Errorf("%s %s: %+v", usage, header, cost)
		}
		if got != want {
			t.Errorf("%s %s: got %s, want %s", usage, header, got, want)
		}
	}
	f(``, "", "unset")
	f(`{"input_tokens":1}`, "", "unset")
	f(`{"cost":0}`, "", "0")
	f(`{"cost":0.000351}`, "", "0.000351")
	f(`{"cost":"1.5e-05"}`, "", "0.000015")
	f(`{"cost":3.5E-7}`, "", "0.00000035")
	f(`{"cost":1E+2}`, "", "100")
	f(`{"cost":0.0000000000005}`, "", "0.000000000001") // rounded half up
	f(`{"cost":0.0000000000004}`, "", "0")
	f(`{"cost":{"total_cost":0.006}}`, "", "0.006")
	f(`{"cost":{"total_cost":6,"currency":"USD"}}`, "", "6")
	f(`{"cost":{"total_cost":6,"currency":null}}`, "", "6")
	f(`{"cost":{"total_cost":6,"currency":"EUR"}}`, "", "6 EUR")
	f(`{"cost":{"total_cost":0.5,"currency":"cny"}}`, "", "0.5 CNY")
	f(`{"cost":{"total_cost":6,"currency":"credits"}}`, "", "unset")
	f(`{"cost":{"total_cost":6,"currency":7}}`, "", "unset")
	f(`{"cost":0.01,"is_byok":true,"cost_details":{"upstream_inference_cost":0.2}}`, "", "0.21")
	f(`{"cost_in_usd_ticks":6543500}`, "", "0.00065435")
	f(`{"cost_in_usd_ticks":0}`, "", "unset")
	f(``, "X-LiteLLM-Response-Cost: 2.5e-4\r\n", "0.00025")
	// What is no amount of money.
	f(`{"cost":-1}`, "", "unset")
	f(`{"cost":"free"}`, "", "unset")
	f(`{"cost":"NaN"}`, "", "unset")
	f(`{"cost":1e400}`, "", "unset")
	f(`{"cost":99999999999}`, "", "unset")
	f(`{"cost":1e99999999}`, "", "unset")
	f(`{"cost":[1]}`, "", "unset")
	f(`{"cost":9e6,"is_byok":true,"cost_details":{"upstream_inference_cost":9e6}}`, "", "unset")
}

func FuzzOf(f *testing.F) {
	f.Add(`{"cost":0.5,"is_byok":true}`, "1")
	f.Add(`{"cost_in_usd_ticks":12}`, "1e-5")
	f.Fuzz(func(t *testing.T, usage, told string) {
		if cost, ok := toldcost.Of([]byte(usage), llm.Header("x-litellm-response-cost: "+told+"\r\n")); ok && cost.Total < 0 {
			t.Errorf("%s %s: %s", usage, told, cost.Total)
		}
	})
}
