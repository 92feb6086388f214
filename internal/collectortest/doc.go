// Package collectortest tests that a real OpenTelemetry Collector takes what
// tracing exports. It is a module of its own, so that the Collector and its many
// modules are no dependency of the program:
//
//	cd internal/collectortest && go test ./...
package collectortest
