package recorder_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/recorder"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The stages of the tests are functions.
type (
	reader     func(*llm.Exchange) (*llm.Call, error)
	tracer     func(llm.Header) llm.Place
	attributor func(*llm.Call, *llm.Exchange)
	stage      func(*llm.Call)
)

func (f reader) Read(ex *llm.Exchange) (*llm.Call, error)    { return f(ex) }
func (f tracer) Parent(h llm.Header) llm.Place               { return f(h) }
func (f attributor) Attribute(c *llm.Call, ex *llm.Exchange) { f(c, ex) }
func (f stage) Count(c *llm.Call)                            { f(c) }
func (f stage) Price(c *llm.Call)                            { f(c) }

func readID(ex *llm.Exchange) (*llm.Call, error) { return &llm.Call{ID: ex.ID}, nil }

func place(p llm.Place) llm.Place {
	if p.Trace == [16]byte{} {
		p.Trace[0] = 1
	}
	p.Span[0] = 2
	return p
}

// sink keeps the batches it gets. consume, when set, runs first.
type sink struct {
	consume func(context.Context, []*llm.Call) error
	close   func(context.Context) error

	mu      sync.Mutex
	batches [][]*llm.Call
	closed  int
}

func (s *sink) Consume(ctx context.Context, calls []*llm.Call) error {
	if s.consume != nil {
		if err := s.consume(ctx, calls); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, slices.Clone(calls))
	return nil
}

func (s *sink) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed++
	s.mu.Unlock()
	if s.close != nil {
		return s.close(ctx)
	}
	return nil
}

func (s *sink) sizes() (ns []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.batches {
		ns = append(ns, len(b))
	}
	return ns
}

func (s *sink) ids() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.batches {
		for _, c := range b {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func exchange(i int) *llm.Exchange { return &llm.Exchange{ID: fmt.Sprint(i)} }

func named(sinks ...*sink) (out []recorder.NamedSink) {
	for i, s := range sinks {
		out = append(out, recorder.NamedSink{Name: fmt.Sprintf("sink%d", i), Sink: s})
	}
	return out
}

// pass lets fake time pass: for use in a bubble of synctest only.
func pass(d time.Duration) { <-time.After(d) }

func mustClose(t *testing.T, r *recorder.Recorder) {
	t.Helper()
	if err := r.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// one takes one exchange through a recorder and returns the call.
func one(t *testing.T, stages recorder.Stages, ex *llm.Exchange) *llm.Call {
	t.Helper()
	s := &sink{}
	stages.Place, stages.Sinks = place, named(s)
	r := recorder.New(recorder.Config{}, stages)
	if !r.Record(ex) {
		t.Fatal("not recorded")
	}
	mustClose(t, r)
	if n := s.sizes(); !slices.Equal(n, []int{1}) {
		t.Fatalf("batches %v, want one of one call", n)
	}
	return s.batches[0][0]
}

func TestStagesRunInOrder(t *testing.T) {
	var order []string
	did := func(s string) { order = append(order, s) }
	got := one(t, recorder.Stages{
		Reader: reader(func(ex *llm.Exchange) (*llm.Call, error) {
			did("read")
			return &llm.Call{ID: ex.ID, Input: []llm.Message{{Parts: []llm.Part{{Type: llm.PartText, Content: "hello"}}}}}, nil
		}),
		Tracer: tracer(func(h llm.Header) llm.Place {
			did("trace " + h.Get("traceparent"))
			return llm.Place{Trace: [16]byte{9}, Parent: [8]byte{8}, Remote: true}
		}),
		Attributor: attributor(func(c *llm.Call, ex *llm.Exchange) {
			did(fmt.Sprintf("attribute %x %x", c.Place.Trace[0], c.Place.Span[0]))
			c.Content = llm.ContentOff
		}),
		Counter: stage(func(c *llm.Call) { did("count " + c.Input[0].Parts[0].Content) }),
		Pricer:  stage(func(c *llm.Call) { did("price"); c.Cost.Total = 5 }),
	}, &llm.Exchange{ID: "a", RequestHeader: llm.Header("Traceparent: tp\r\n")})
	want := []string{"read", "trace tp", "attribute 9 2", "count hello", "price"}
	if !slices.Equal(order, want) {
		t.Errorf("stages ran as %q, want %q", order, want)
	}
	if got.Place.Parent != [8]byte{8} || !got.Place.Remote || got.Cost.Total != 5 || got.Input != nil {
		t.Errorf("call is %+v", got)
	}
}

func TestBatchesByDelayAndCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		r := recorder.New(recorder.Config{Workers: 1, BatchCalls: 5, BatchDelay: 50 * time.Millisecond},
			recorder.Stages{Reader: reader(readID), Place: place, Sinks: named(s)})
		synctest.Wait() // the worker is idle
		for i := range 12 {
			r.Record(exchange(i))
		}
		pass(49 * time.Millisecond)
		synctest.Wait()
		if got := s.sizes(); len(got) != 0 {
			t.Errorf("before the delay: %v", got)
		}
		pass(2 * time.Millisecond)
		synctest.Wait()
		if got := s.sizes(); !slices.Equal(got, []int{5, 5, 2}) {
			t.Errorf("after the delay: %v, want [5 5 2]", got)
		}
		mustClose(t, r)
	})
}

// A stage that takes long does not hold what was read before.
func TestSlowStageHoldsNoBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		r := recorder.New(recorder.Config{Workers: 1}, recorder.Stages{Reader: reader(func(ex *llm.Exchange) (*llm.Call, error) {
			if ex.ID == "2" {
				pass(time.Hour)
			}
			return readID(ex)
		}), Place: place, Sinks: named(s)})
		for i := range 4 {
			r.Record(exchange(i))
		}
		pass(time.Second)
		if got := s.ids(); !slices.Equal(got, []string{"0", "1"}) {
			t.Errorf("calls %v came while the third was being read, want 0 and 1", got)
		}
		mustClose(t, r)
		if got := s.ids(); !slices.Equal(got, []string{"0", "1", "2", "3"}) {
			t.Errorf("calls %v in the end", got)
		}
	})
}

func TestManyExchangesWakeAWorkerEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		r := recorder.New(recorder.Config{BatchCalls: 1}, recorder.Stages{Reader: reader(readID), Place: place, Sinks: named(s)})
		synctest.Wait() // the workers are idle
		r.Record(exchange(0))
		synctest.Wait()
		if n := len(s.ids()); n != 0 {
			t.Errorf("a single exchange woke a worker at once (%d calls)", n)
		}
		for i := range 200 {
			r.Record(exchange(i + 1))
		}
		synctest.Wait() // no time passes
		if n := len(s.ids()); n != 201 {
			t.Errorf("%d calls were read without waiting, want 201", n)
		}
		mustClose(t, r)
	})
}

func TestBatchIsBoundedInBytes(t *testing.T) {
	s := &sink{}
	long := strings.Repeat("x", 1<<20)
	r := recorder.New(recorder.Config{Workers: 1}, recorder.Stages{Reader: reader(func(ex *llm.Exchange) (*llm.Call, error) {
		return &llm.Call{ID: ex.ID, Input: []llm.Message{{Parts: []llm.Part{{Content: long}}}}}, nil
	}), Place: place, Sinks: named(s)})
	for i := range 40 {
		r.Record(exchange(i))
	}
	mustClose(t, r)
	for _, n := range s.sizes() {
		if n > 4 {
			t.Errorf("batches of %v calls of 1 MiB each", s.sizes())
			break
		}
	}
	if n := len(s.ids()); n != 40 {
		t.Errorf("%d calls came, want 40", n)
	}
}

func TestQueueIsBounded(t *testing.T) {
	check := func(name string, cfg recorder.Config, ex func(int) *llm.Exchange, want int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s := &sink{}
			hold := make(chan struct{})
			cfg.Workers = 1
			r := recorder.New(cfg, recorder.Stages{Reader: reader(func(ex *llm.Exchange) (*llm.Call, error) {
				<-hold
				return readID(ex)
			}), Place: place, Sinks: named(s)})
			taken := 0
			for i := range 3 * want {
				if r.Record(ex(i)) {
					taken++
				}
				synctest.Wait() // the worker may take some: they stay charged
			}
			st := r.Stats()
			if taken != want || st.Queued != want || st.Dropped[name] != int64(2*want) || st.Recorded != int64(want) {
				t.Errorf("%s: %d taken, want %d: %+v", name, taken, want, st)
			}
			close(hold)
			mustClose(t, r)
			if st := r.Stats(); st.Queued != 0 || st.QueuedBytes != 0 || st.Calls != int64(want) || len(s.ids()) != want {
				t.Errorf("%s: after closing %+v", name, st)
			}
		})
	}
	check("queue_count", recorder.Config{QueueExchanges: 100}, exchange, 100)
	head := make(llm.Header, 99<<10)
	check("queue_bytes", recorder.Config{QueueBytes: 1000 << 10}, func(i int) *llm.Exchange {
		return &llm.Exchange{ID: fmt.Sprint(i), RequestHeader: head}
	}, 10)
	// What an observer may have kept counts, up to what readers bound themselves to.
	check("queue_bytes", recorder.Config{QueueBytes: 1000 << 10}, func(i int) *llm.Exchange {
		return &llm.Exchange{ID: fmt.Sprint(i), Observer: watcher{}, Response: llm.Body{Size: 99 << 10}}
	}, 10)
	check("queue_bytes", recorder.Config{QueueBytes: 41 << 20}, func(i int) *llm.Exchange {
		return &llm.Exchange{ID: fmt.Sprint(i), Observer: watcher{}, Response: llm.Body{Size: 1 << 40}}
	}, 10)
}

// Past half of its bytes the queue keeps the calls and lets go of large request
// bodies, and says so: in a count, on the call, and by no number that a missing
// prompt would falsify.
func TestBodiesAreDroppedBeforeCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		hold := make(chan struct{})
		counted := 0
		r := recorder.New(recorder.Config{QueueBytes: 1000 << 10, Workers: 1}, recorder.Stages{
			Reader: reader(func(ex *llm.Exchange) (*llm.Call, error) {
				<-hold
				c := &llm.Call{ID: ex.ID}
				if len(ex.Request.Data) > 0 {
					c.Input = []llm.Message{{Role: "user"}}
				}
				return c, nil
			}),
			Counter: stage(func(c *llm.Call) { counted++; c.Usage.Source = llm.UsageEstimated }),
			Place:   place, Sinks: named(s),
		})
		body := make([]byte, 99<<10)
		record := func(n int) {
			for range n {
				if !r.Record(&llm.Exchange{ID: "x", Request: llm.Body{Data: body, Size: int64(len(body))}}) {
					t.Error("a call was dropped")
				}
			}
		}
		record(100)
		if st := r.Stats(); st.QueuedBytes > 700<<10 {
			t.Errorf("%d bytes wait", st.QueuedBytes)
		}
		close(hold)
		synctest.Wait()
		record(3) // there is room again
		mustClose(t, r)
		whole, bare := 0, 0
		for _, b := range s.batches {
			for _, c := range b {
				dropped := slices.ContainsFunc(c.Attrs, func(a llm.Attr) bool { return a.Key == "spanwire.content.dropped" && a.Value == true })
				switch {
				case !dropped && len(c.Input) == 1 && len(c.Problems) == 0 && c.Usage.Source == llm.UsageEstimated:
					whole++
				case dropped && len(c.Input) == 0 && len(c.Problems) == 1 && c.Usage.Source == llm.UsageMissing:
					bare++
				default:
					t.Errorf("call %+v", c)
				}
			}
		}
		if st := r.Stats(); whole != 5+3 || bare != 95 || counted != whole || st.DroppedBodies != int64(bare) || st.Calls != 103 {
			t.Errorf("%d whole, %d without a body, %d counted: %+v", whole, bare, counted, st)
		}
	})
}

type watcher struct{}

func (watcher) Wrote([]byte, time.Time) {}

func TestSlowSinkHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		slow := &sink{consume: func(context.Context, []*llm.Call) error { <-hold; return nil }}
		fast := &sink{}
		r := recorder.New(recorder.Config{BatchCalls: 10, SinkQueueBytes: 300 << 10},
			recorder.Stages{Reader: reader(readID), Place: place, Sinks: named(slow, fast)})
		for i := range 1000 {
			if !r.Record(exchange(i)) {
				t.Fatalf("exchange %d was dropped", i)
			}
			synctest.Wait()
		}
		pass(time.Second)
		if n := len(fast.ids()); n != 1000 {
			t.Errorf("the fast sink got %d calls, want 1000", n)
		}
		st := r.Stats().Sinks[0]
		if st.Dropped == 0 || st.Dropped+int64(st.Queued) != 1000 || st.QueuedBytes > 300<<10 {
			t.Errorf("the slow sink: %+v", st)
		}
		close(hold)
		mustClose(t, r)
		got := r.Stats().Sinks[0]
		if got.Delivered != int64(st.Queued) || got.Queued != 0 || got.QueuedBytes != 0 || got.Dropped != st.Dropped {
			t.Errorf("the slow sink after closing: %+v, before: %+v", got, st)
		}
	})
}

func TestSinksGetTheSameBatchesInOneOrder(t *testing.T) {
	a, b := &sink{}, &sink{}
	r := recorder.New(recorder.Config{Workers: 4, BatchCalls: 7}, recorder.Stages{Reader: reader(readID), Place: place, Sinks: named(a, b)})
	var senders sync.WaitGroup
	for g := range 8 {
		senders.Go(func() {
			for i := range 500 {
				r.Record(exchange(g*1000 + i))
			}
		})
	}
	senders.Wait()
	mustClose(t, r)
	if !slices.EqualFunc(a.batches, b.batches, slices.Equal) {
		t.Error("two sinks saw different batches")
	}
	ids := a.ids()
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 4000 || len(a.ids()) != 4000 {
		t.Errorf("%d calls came, %d different ones, want 4000", len(a.ids()), n)
	}
}

func TestReadProblems(t *testing.T) {
	log, s := &logs{}, &sink{}
	r := recorder.New(recorder.Config{}, recorder.Stages{Reader: reader(func(ex *llm.Exchange) (*llm.Call, error) {
		switch ex.ID {
		case "0":
			return &llm.Call{ID: "0"}, errors.New("cut")
		case "1":
			return &llm.Call{ID: "1", Problems: []string{"cut"}}, nil
		case "2":
			return nil, errors.New("nothing to read")
		default:
			return readID(ex)
		}
	}), Place: place, Sinks: named(s), Log: slog.New(slog.NewTextHandler(log, nil))})
	for i := range 5 {
		r.Record(exchange(i))
	}
	mustClose(t, r)
	st := r.Stats()
	if st.ReadProblems != 2 || st.Dropped["unread"] != 1 || st.Calls != 4 || len(s.ids()) != 4 {
		t.Errorf("%+v, %d calls", st, len(s.ids()))
	}
	if log.count("nothing to read") != 1 {
		t.Errorf("log: %s", log.buf.String())
	}
}

func TestNewPanicsWithoutAReader(t *testing.T) {
	defer func() {
		if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "BUG:") {
			t.Errorf("panic %q", p)
		}
	}()
	recorder.New(recorder.Config{}, recorder.Stages{})
}

func TestConfig(t *testing.T) {
	if err := recorder.DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	if err := (recorder.Config{}).Validate(); err != nil {
		t.Errorf("zero values are refused: %v", err)
	}
	err := recorder.Config{Workers: -1, QueueBytes: -2, QueueExchanges: -3, BatchCalls: -4, BatchDelay: -5, SinkQueueBytes: -6}.Validate()
	for _, key := range []string{"workers", "queue_bytes", "queue_exchanges", "batch_calls", "batch_delay", "sink_queue_bytes"} {
		if err == nil || !strings.Contains(err.Error(), key+" must not be negative") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := (recorder.Config{Workers: 1 << 20}).Validate(); err == nil {
		t.Error("a million workers are accepted")
	}
}
