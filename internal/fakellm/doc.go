// Package fakellm is a provider for the demo, for tests and for benchmarks: it
// answers like OpenAI's API without a model, a key or a network beyond
// loopback, and it replays recorded exchanges.
//
// Answers are deterministic: the same requests in the same order give the same
// bytes. Every model name is accepted; names that begin with "fake-" ask for a
// behaviour instead:
//
//	fake-err-429      an error with that status, in OpenAI's shape; 429 and 503 carry retry-after
//	fake-retry-429    that error until the client says that it retries (x-stainless-retry-count), then an answer
//	fake-err-mid      a stream that breaks off with an error event
//	fake-slow         waits 2 s before the first byte; fake-slow-150ms waits 150 ms
//	fake-cut          half an answer, then the connection is closed
//	fake-reset        half an answer, then the connection is reset
//	fake-words-500    an answer of 500 words
//	fake-no-usage     an answer that reports no usage
//	fake-reasoning    an answer with reasoning text and reasoning tokens
//	fake-refusal      a refusal
package fakellm
