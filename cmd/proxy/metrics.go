package main

import (
	"errors"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/proxy"
	"github.com/spanwire/spanwire/recorder"
	"github.com/spanwire/spanwire/redact"
	"github.com/spanwire/spanwire/tracing"
)

// publish makes the counts of the relay and of the recorder metrics.
func publish(t *tracing.Tracing, relay *proxy.Server, rec *recorder.Recorder) error {
	var errs []error
	gauge := func(name, unit, description string, read func(proxy.Stats) int64) {
		errs = append(errs, t.Gauge(name, unit, description, func() int64 { return read(relay.Stats()) }))
	}
	counter := func(name, unit, description string, read func(proxy.Stats) int64) {
		errs = append(errs, t.Counter(name, unit, description, func() int64 { return read(relay.Stats()) }))
	}
	gauge("spanwire.proxy.callers", "{connection}", "Connections from callers.", func(s proxy.Stats) int64 { return int64(s.Callers) })
	gauge("spanwire.proxy.active", "{exchange}", "Exchanges that run.", func(s proxy.Stats) int64 { return s.Active })
	gauge("spanwire.proxy.upstream.open", "{connection}", "Connections to providers.", func(s proxy.Stats) int64 { return int64(s.UpstreamOpen) })
	gauge("spanwire.proxy.upstream.idle", "{connection}", "Connections to providers that wait for work.", func(s proxy.Stats) int64 { return int64(s.UpstreamIdle) })
	counter("spanwire.proxy.exchanges", "{exchange}", "Exchanges that ended.", func(s proxy.Stats) int64 { return s.Exchanges })
	counter("spanwire.proxy.refused", "{request}", "Requests refused before they were routed.", func(s proxy.Stats) int64 { return s.Refused })
	counter("spanwire.proxy.client_gone", "{exchange}", "Exchanges that the caller left.", func(s proxy.Stats) int64 { return s.ClientGone })
	counter("spanwire.proxy.upstream_cut", "{exchange}", "Answers that broke off.", func(s proxy.Stats) int64 { return s.UpstreamCut })
	counter("spanwire.proxy.timeouts", "{exchange}", "Exchanges that a timeout ended.", func(s proxy.Stats) int64 { return s.Timeouts })
	counter("spanwire.proxy.retries", "{attempt}", "Requests sent once more because an idle connection had died.", func(s proxy.Stats) int64 { return s.Retries })
	counter("spanwire.proxy.unkept", "{exchange}", "Answers that ended although their record was not durable yet, where the journal is strict.", func(s proxy.Stats) int64 { return s.Unkept })
	counter("spanwire.proxy.unrecorded", "{exchange}", "Exchanges that the recorder had no room for.", func(s proxy.Stats) int64 { return s.Unrecorded })
	counter("spanwire.proxy.observer.faults", "{fault}", "Readers of a response that failed and were left out.", func(s proxy.Stats) int64 { return s.ObserverFault })
	counter("spanwire.proxy.request.size", "By", "Request bodies relayed.", func(s proxy.Stats) int64 { return s.RequestBytes })
	counter("spanwire.proxy.response.size", "By", "Response bodies relayed.", func(s proxy.Stats) int64 { return s.ResponseBytes })
	return errors.Join(append(errs, publishRecorder(t, rec)...)...)
}

func publishRecorder(t *tracing.Tracing, rec *recorder.Recorder) []error {
	errs := []error{
		t.Gauge("spanwire.recorder.queue.exchanges", "{exchange}", "Exchanges that wait or are being read.",
			func() int64 { return int64(rec.Stats().Queued) }),
		t.Gauge("spanwire.recorder.queue.size", "By", "Captured bytes of the exchanges that wait or are being read.",
			func() int64 { return rec.Stats().QueuedBytes }),
		t.Counter("spanwire.recorder.recorded", "{exchange}", "Exchanges taken in.",
			func() int64 { return rec.Stats().Recorded }),
		t.Counter("spanwire.recorder.calls", "{call}", "Exchanges made into calls and handed on.",
			func() int64 { return rec.Stats().Calls }),
		t.Counter("spanwire.recorder.read_problems", "{call}", "Calls of which something could not be read.",
			func() int64 { return rec.Stats().ReadProblems }),
		t.Counter("spanwire.recorder.redacted", "{secret}", "Texts that looked like a credential and were replaced.",
			func() int64 { return rec.Stats().Redacted }),
	}
	errs = append(errs, t.Counter("spanwire.recorder.runs", "{run}", "Runs that ended and were handed on, beside the calls.",
		func() int64 { return rec.Stats().Runs }))
	errs = append(errs, t.Counter("spanwire.recorder.dropped_bodies", "{call}", "Calls recorded without their request, because too much was waiting.",
		func() int64 { return rec.Stats().DroppedBodies }))
	for _, reason := range recorder.DropReasons() {
		errs = append(errs, t.Counter("spanwire.recorder.dropped", "{exchange}", "Exchanges of which there is no record.",
			func() int64 { return rec.Stats().Dropped[reason] }, llm.Attr{Key: "reason", Value: reason}))
	}
	for i, sink := range rec.Stats().Sinks {
		who := llm.Attr{Key: "sink", Value: sink.Name}
		read := func(field func(recorder.SinkStats) int64) func() int64 {
			return func() int64 { return field(rec.Stats().Sinks[i]) }
		}
		errs = append(errs,
			t.Counter("spanwire.sink.delivered", "{call}", "Calls that a sink took.", read(func(s recorder.SinkStats) int64 { return s.Delivered }), who),
			t.Counter("spanwire.sink.failed", "{call}", "Calls that a sink could not take.", read(func(s recorder.SinkStats) int64 { return s.Failed }), who),
			t.Counter("spanwire.sink.dropped", "{call}", "Calls that a sink never saw.", read(func(s recorder.SinkStats) int64 { return s.Dropped }), who),
			t.Gauge("spanwire.sink.queue.size", "By", "Calls that wait for a sink.", read(func(s recorder.SinkStats) int64 { return s.QueuedBytes }), who),
		)
	}
	return errs
}

// publishRedacted makes a metric of what was taken out of calls, kind by kind.
func publishRedacted(t *tracing.Tracing, seen *redact.Counts) error {
	var errs []error
	for _, kind := range seen.Names() {
		errs = append(errs, t.Counter("spanwire.redact.values", "{value}", "Personal data that was taken out of calls.",
			func() int64 { return seen.Get(kind) }, llm.Attr{Key: "kind", Value: kind}))
	}
	return errors.Join(errs...)
}
