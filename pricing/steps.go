package pricing

import "github.com/spanwire/spanwire/llm"

// callCost is the table's cost of a call: of its usage, or of its steps where
// these are billed apart, each at its own model.
func (c *compiled) callCost(call *llm.Call) llm.Cost {
	k := key{call.Route, call.Provider, call.ServerAddress, call.ResponseModel, call.RequestModel}
	d := deal{at: call.Start, team: call.Attribution.Team}
	if call.End.After(call.Start) {
		d.took = call.End.Sub(call.Start)
	}
	if len(call.Steps) == 0 {
		return c.cost(c.find(k), d, &call.Usage)
	}
	var total llm.Cost
	for i := range call.Steps {
		s := &call.Steps[i]
		of := k
		if s.Model != "" {
			of.response, of.request = s.Model, ""
		}
		u := s.Usage
		inherit(&u, &call.Usage)
		if i == 0 {
			addFees(&u, &call.Usage)
		}
		cost := c.cost(c.find(of), d, &u)
		if !cost.Known() { // a sum that lacks a part is no sum
			return cost
		}
		if i == 0 {
			total = cost
			d.rest = true
			continue
		}
		if cost.Currency != total.Currency {
			return llm.Cost{Source: llm.CostUnset, Status: llm.CostMixedCurrencies, Price: total.Price}
		}
		total.Total += cost.Total
		total.Input += cost.Input
		total.Output += cost.Output
		total.CacheRead += cost.CacheRead
		total.CacheWrite += cost.CacheWrite
		total.Tools += cost.Tools
		if total.Status == llm.CostOK {
			total.Status = cost.Status
		}
	}
	return total
}

// inherit gives a step what the provider tells once for the whole call.
func inherit(step, call *llm.Usage) {
	if step.Tier == "" {
		step.Tier = call.Tier
	}
	if step.Speed == "" {
		step.Speed = call.Speed
	}
	if step.Region == "" {
		step.Region = call.Region
	}
	if step.Source == "" {
		step.Source = call.Source
	}
	step.Batch = step.Batch || call.Batch
}

// addFees gives the first step what is not counted in tokens: the provider tells
// searches and the like once for the whole call.
func addFees(step, call *llm.Usage) {
	for _, k := range perCall {
		if _, has := step.Get(k); has {
			continue
		}
		if n, ok := call.Get(k); ok {
			step.Set(k, n)
		}
	}
}

var perCall = func() (ks []llm.UsageKind) {
	for _, k := range llm.UsageKinds() {
		if !k.Tokens() {
			ks = append(ks, k)
		}
	}
	return ks
}()
