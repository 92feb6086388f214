// Package anthropic reads Anthropic's wire format wherever it is served: Messages
// with all their blocks and streams, token counting, message batches and the
// legacy text completions, at Anthropic, on Vertex AI, and at the gateways and
// local servers that copied it.
//
// Other framings of the same messages (Bedrock's invoke) are read by
// [Dialect.ReadMessagesRequest] and [Dialect.NewMessagesReader]. A response is
// read while it passes, by a [Reader]; the request from its copy. Nothing here
// does I/O or starts a goroutine. (wire reference, section 7.)
package anthropic
