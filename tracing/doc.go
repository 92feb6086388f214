// Package tracing turns finished calls into OpenTelemetry spans and metrics and
// hands them to exporters, without ever holding up a call.
//
// One call becomes one CLIENT span by the GenAI conventions of
// OpenTelemetry semantic conventions v1.41, encoded straight into the bytes of
// an OTLP Span message (about ten times cheaper than the SDK's span objects).
// Each exporter has a bounded queue of such bytes, senders of its own, and
// counts what it sent, retried and dropped.
//
// The package also reads the trace context that a caller sent (see [Parent]) and
// owns every gen_ai.* and spanwire.* name that is computed and not read off a wire
// (attributes.go).
package tracing
