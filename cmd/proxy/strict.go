package main

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/recorder"
	"github.com/spanwire/spanwire/tracing"
)

// strictDelay is recorder.batch_delay where callers wait for their records.
const strictDelay = time.Millisecond

// strict is the relay's Keeper where the journal is strict: it records an exchange and
// waits until the journal has its call.
type strict struct {
	rec     *recorder.Recorder // set before the relay runs
	timeout time.Duration
	log     *slog.Logger

	mu      sync.Mutex
	waiting map[string]chan struct{} // by the exchange's id, which is its call's

	waits, late, micros atomic.Int64
	told                atomic.Int64 // when the log was told last, Unix seconds
}

func newStrict(timeout time.Duration, log *slog.Logger) *strict {
	return &strict{timeout: timeout, log: log, waiting: map[string]chan struct{}{}}
}

// Keep returns when the record of an exchange is durable, or false when its time is
// over, or there was no room for it.
func (s *strict) Keep(ex *llm.Exchange) bool {
	id, began, kept := ex.ID, time.Now(), make(chan struct{})
	s.mu.Lock()
	s.waiting[id] = kept
	s.mu.Unlock()
	ok := s.rec.Record(ex) && s.wait(kept)
	s.mu.Lock()
	delete(s.waiting, id)
	s.mu.Unlock()
	s.waits.Add(1)
	s.micros.Add(time.Since(began).Microseconds())
	if !ok {
		s.late.Add(1)
		now := time.Now().Unix()
		if last := s.told.Load(); now-last >= 60 && s.told.CompareAndSwap(last, now) {
			s.log.Error("an answer ended although its record is not durable yet", "call", id, "waited", time.Since(began), "so far", s.late.Load())
		}
	}
	return ok
}

func (s *strict) wait(kept chan struct{}) bool {
	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	select {
	case <-kept:
		return true
	case <-timer.C:
		return false
	}
}

// durable lets the answers of calls end.
func (s *strict) durable(calls []*llm.Call) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range calls {
		if kept := s.waiting[c.ID]; kept != nil {
			close(kept)
			delete(s.waiting, c.ID)
		}
	}
}

// publish makes its counts metrics. A nil one has none.
func (s *strict) publish(t *tracing.Tracing) error {
	if s == nil {
		return nil
	}
	return errors.Join(
		t.Counter("spanwire.journal.strict.waits", "{call}", "Answers whose end waited for their record.", s.waits.Load),
		t.Counter("spanwire.journal.strict.wait_time", "us", "How long they waited, in all.", s.micros.Load),
		t.Counter("spanwire.journal.strict.timeouts", "{call}", "Answers that waited for their record and ended although it was not durable yet.", s.late.Load),
	)
}
