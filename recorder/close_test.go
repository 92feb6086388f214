package recorder_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/recorder"
)

func TestCloseDeliversEverything(t *testing.T) {
	s := &sink{}
	r := recorder.New(recorder.Config{}, recorder.Stages{Reader: reader(readID), Place: place, Sinks: named(s)})
	for i := range 3000 {
		if !r.Record(exchange(i)) {
			t.Fatalf("exchange %d was dropped", i)
		}
	}
	mustClose(t, r)
	mustClose(t, r)
	if n := len(s.ids()); n != 3000 || s.closed != 1 {
		t.Errorf("%d calls came and the sink was closed %d times, want 3000 and 1", n, s.closed)
	}
	if r.Record(exchange(0)) || r.Stats().Dropped["closed"] != 1 {
		t.Errorf("recorded after close: %+v", r.Stats())
	}
}

// The shortest delay lets the timer of batches fire while a recorder is made.
func TestNoDelayAtAll(t *testing.T) {
	for range 200 {
		s := &sink{}
		r := recorder.New(recorder.Config{BatchDelay: 1}, recorder.Stages{Reader: reader(readID), Place: place, Sinks: named(s)})
		r.Record(exchange(0))
		mustClose(t, r)
		if n := len(s.ids()); n != 1 {
			t.Fatalf("%d calls came, want 1", n)
		}
	}
}

func TestCloseReturnsTheErrorsOfSinks(t *testing.T) {
	broken := errors.New("broken")
	a := &sink{close: func(context.Context) error { return broken }}
	b := &sink{close: func(context.Context) error { panic("worse") }}
	c := &sink{}
	r := recorder.New(recorder.Config{}, recorder.Stages{Reader: reader(readID), Place: place, Sinks: named(a, b, c)})
	for range 2 {
		err := r.Close(t.Context())
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "sink0") || !strings.Contains(err.Error(), "worse") {
			t.Errorf("close: %v", err)
		}
	}
	if c.closed != 1 {
		t.Error("the sink after a broken one was not closed")
	}
}

// A slow sink takes its own time and not that of another.
func TestCloseWaitsForSlowSinksSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func() *sink {
			return &sink{
				consume: func(context.Context, []*llm.Call) error { pass(time.Second); return nil },
				close:   func(context.Context) error { pass(time.Second); return nil },
			}
		}
		a, b := slow(), slow()
		r := recorder.New(recorder.Config{BatchCalls: 1}, recorder.Stages{Reader: reader(readID), Place: place, Sinks: named(a, b)})
		for i := range 5 {
			r.Record(exchange(i))
		}
		start := time.Now()
		mustClose(t, r)
		if took := time.Since(start); took != 6*time.Second {
			t.Errorf("closing took %v, want the 6 s of one sink", took)
		}
		if len(a.ids()) != 5 || len(b.ids()) != 5 {
			t.Errorf("%d and %d calls came, want 5", len(a.ids()), len(b.ids()))
		}
	})
}

func TestCloseGivesUpOnAStuckSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := &sink{consume: func(ctx context.Context, _ []*llm.Call) error { <-ctx.Done(); return ctx.Err() }}
		good := &sink{}
		r := recorder.New(recorder.Config{BatchCalls: 10}, recorder.Stages{Reader: reader(readID), Place: place, Sinks: named(stuck, good)})
		for i := range 100 {
			r.Record(exchange(i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) && err != nil {
			t.Errorf("close: %v", err)
		}
		synctest.Wait()
		if good.closed != 1 || len(good.ids()) != 100 || stuck.closed != 1 {
			t.Errorf("good sink: %d calls, closed %d times; stuck sink closed %d times", len(good.ids()), good.closed, stuck.closed)
		}
		st := r.Stats().Sinks[0]
		if st.Failed+st.Dropped != 100 || st.Failed == 0 || st.Queued != 0 || st.QueuedBytes != 0 {
			t.Errorf("stuck sink: %+v", st)
		}
	})
}

func TestCloseGivesUpOnASinkThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		deaf := &sink{consume: func(context.Context, []*llm.Call) error { <-hold; return nil }}
		// One worker: of two, one may be idle first and hand on a batch that is not full.
		r := recorder.New(recorder.Config{BatchCalls: 10, Workers: 1}, recorder.Stages{Reader: reader(readID), Place: place, Sinks: named(deaf)})
		for i := range 100 {
			r.Record(exchange(i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		err := r.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "100 calls were not delivered") {
			t.Errorf("close: %v", err)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("closing took %v, want 5 s", took)
		}
		if st := r.Stats().Sinks[0]; st.Dropped != 90 || st.Queued != 10 {
			t.Errorf("%+v, want 90 dropped and 10 in its hands", st)
		}
		close(hold)
		synctest.Wait()
		if st := r.Stats().Sinks[0]; st.Delivered != 10 || st.Queued != 0 || deaf.closed != 1 {
			t.Errorf("%+v after it woke up", st)
		}
	})
}

func TestCloseGivesUpOnAStuckStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		s := &sink{}
		r := recorder.New(recorder.Config{Workers: 2}, recorder.Stages{Reader: reader(func(ex *llm.Exchange) (*llm.Call, error) {
			<-hold
			return readID(ex)
		}), Place: place, Sinks: named(s)})
		for i := range 100 {
			r.Record(exchange(i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := r.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "100 exchanges were not read") {
			t.Errorf("close: %v", err)
		}
		st := r.Stats()
		if st.Dropped["shutdown"] != 100 || st.Queued != 0 || st.QueuedBytes != 0 {
			t.Errorf("%+v", st)
		}
		close(hold)
		synctest.Wait()
		if after := r.Stats(); after.Dropped["shutdown"] != 100 || after.Calls != 0 || after.Queued != 0 || len(s.ids()) != 0 || s.closed != 1 {
			t.Errorf("after the stage woke up: %+v, %d calls", after, len(s.ids()))
		}
	})
}
