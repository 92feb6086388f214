// Package pricing turns what a call used into money.
//
// The prices are data: a table of providers and models (prices.json, embedded,
// replaceable while running) that says when a price is in force, what a service
// tier, a region, a long prompt or an hour of the day does to it, and what tools
// and requests cost. The code has no price, multiplier or threshold of its own.
//
// Rules that hold throughout:
//
//   - Money is exact. A rate is a whole number of pico-USD a token, read as
//     decimal text; rational factors are applied once, and the sum is rounded
//     once, half up, to one pico-USD.
//   - A priced sub-rate (cache reads, audio, reasoning …) is charged on its own
//     tokens. An unpriced one is charged at its parent's rate, never at 0.
//   - Unknown is unset, with a reason. An explicit rate of 0 is free, which is
//     something else.
//   - A model is matched by its exact id after a fixed normalisation. There is no
//     fallback to a name that looks alike.
package pricing
