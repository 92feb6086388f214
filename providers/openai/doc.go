// Package openai reads OpenAI's wire format, and that of the vendors who copied it:
// chat completions, completions and embeddings; the Responses API; images, audio,
// moderations, documents, batches and runs of assistants; and the sessions over
// WebSocket of the Realtime and Responses APIs, each response in them a call. Of
// every other endpoint it reads the usage, where an answer has one.
//
// Formats are decided by shape, not by host (wire reference, section 1). A response
// is read while it passes, by the [Watcher] that [Dialect.Watch] returns; the
// request from its copy, by [Dialect.ReadRequest]. Nothing here does I/O or starts a
// goroutine.
//
// The package keeps no state between exchanges. A usage that several calls tell, as
// that of a response made in the background does, says what it is of
// (llm.Call.UsageOf): the recorder bills it once.
package openai
