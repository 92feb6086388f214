// Package recorder turns finished exchanges into calls, off the data path, and
// hands them to sinks.
//
// An exchange passes the stages in this order: read, trace context, attribution,
// count, price, content mode, redaction. The call is then batched and every sink
// gets the same batches in the same order, each at its own pace.
//
//	Record ─▶ queue ─▶ workers ─▶ batch ─┬▶ queue ─▶ sink
//	                                     └▶ queue ─▶ sink
//
// Whatever goes wrong here costs a record and a counter, never a call: every
// queue is bounded in bytes, nothing that a stage or a sink does can make Record
// wait, and a panic in a stage costs the one record it happened in. What was
// lost, and why, is in [Stats].
//
// Two promises are kept here, in one place, for all sinks: content that a team
// does not want kept is removed ([llm.ContentMode]), and text that looks like a
// credential is replaced, in every mode.
package recorder
