// Package llm holds the words that all packages of Spanwire share.
//
// An [Exchange] is what went over the wire: bytes and clock readings. A [Call]
// is what it meant: one call of a model, with its usage and cost. The proxy
// makes exchanges and knows nothing of models; the recorder turns each exchange
// into a call and hands it to sinks.
//
// The package has types and their small methods only: no I/O, no goroutines,
// no import of another package of ours.
package llm
