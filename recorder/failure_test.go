package recorder_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/recorder"
)

// logs is a log that may be read while it is written.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), s)
}

func TestFailingSinkIsCountedAndLoggedOnceAMinute(t *testing.T) {
	for name, consume := range map[string]func(context.Context, []*llm.Call) error{
		"error": func(context.Context, []*llm.Call) error { return errors.New("no disk") },
		"panic": func(context.Context, []*llm.Call) error { panic("no disk") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, bad, good := &logs{}, &sink{consume: consume}, &sink{}
				r := recorder.New(recorder.Config{BatchCalls: 1}, recorder.Stages{
					Reader: reader(readID), Place: place, Sinks: named(bad, good), Log: slog.New(slog.NewTextHandler(log, nil)),
				})
				send := func(n int) {
					for i := range n {
						r.Record(exchange(i))
					}
					pass(time.Second)
				}
				send(30)
				if n := log.count("no disk"); n != 1 {
					t.Errorf("%d messages in the first second, want 1", n)
				}
				pass(time.Minute)
				send(1)
				if n := log.count("no disk"); n != 2 || log.count("more=29") != 1 {
					t.Errorf("%d messages after a minute, want 2 and the second to say more=29", n)
				}
				mustClose(t, r)
				st := r.Stats()
				if st.Sinks[0].Failed != 31 || st.Sinks[0].Delivered != 0 || st.Sinks[1].Delivered != 31 {
					t.Errorf("%+v", st.Sinks)
				}
			})
		})
	}
}

func TestPanicCostsOneRecord(t *testing.T) {
	boom := func(c *llm.Call) {
		if c.ID == "13" {
			panic("boom")
		}
	}
	quiet := func(*llm.Call) {}
	for name, fill := range map[string]func(*recorder.Stages){
		"read": func(s *recorder.Stages) {
			s.Reader = reader(func(ex *llm.Exchange) (*llm.Call, error) { c, _ := readID(ex); boom(c); return c, nil })
		},
		"attribute": func(s *recorder.Stages) {
			s.Attributor = attributor(func(c *llm.Call, _ *llm.Exchange) { boom(c) })
		},
		"count": func(s *recorder.Stages) { s.Counter = stage(boom) },
		"price": func(s *recorder.Stages) { s.Pricer = stage(boom) },
	} {
		t.Run(name, func(t *testing.T) {
			log, s := &logs{}, &sink{}
			stages := recorder.Stages{
				Reader: reader(readID), Place: place, Counter: stage(quiet), Sinks: named(s),
				Log: slog.New(slog.NewTextHandler(log, nil)),
			}
			fill(&stages)
			r := recorder.New(recorder.Config{}, stages)
			for range 2 {
				for i := range 20 {
					r.Record(exchange(i))
				}
			}
			mustClose(t, r)
			if n := len(s.ids()); n != 38 || slices.Contains(s.ids(), "13") {
				t.Errorf("%d calls came, want 38 without 13", n)
			}
			st := r.Stats()
			if st.Dropped["panic"] != 2 || st.Calls != 38 || st.Queued != 0 {
				t.Errorf("%+v", st)
			}
			if log.count("stage="+name) != 1 || log.count("call=13") != 1 || log.count("stack=") != 1 {
				t.Errorf("log: %s", log.buf.String())
			}
		})
	}
}

func TestPanicMessageDoesNotLeakASecret(t *testing.T) {
	log := &logs{}
	key := secrets(1)[0]
	r := recorder.New(recorder.Config{}, recorder.Stages{
		Reader: reader(func(*llm.Exchange) (*llm.Call, error) { panic("bad body: " + key.text) }),
		Place:  place, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	r.Record(exchange(1))
	mustClose(t, r)
	if log.count(key.core) != 0 || log.count("bad body") != 1 {
		t.Errorf("log: %s", log.buf.String())
	}
}
