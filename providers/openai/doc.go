// Package openai reads OpenAI's wire format, and that of the vendors who copied
// it: chat completions, completions and embeddings in full; of every other
// endpoint the usage, where its answer has one.
//
// Formats are decided by shape, not by host (wire reference, section 1). A
// response is read while it passes, by a [Reader]; the request from its copy,
// by [Dialect.ReadRequest]. Nothing here does I/O or starts a goroutine.
package openai
