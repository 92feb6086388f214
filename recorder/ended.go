package recorder

import (
	"sync"
	"time"
)

// watchEvery is how often runs are looked at. Who waits for one to end waits for
// seconds anyway.
const watchEvery = time.Second

// watch asks for runs that have ended, on a goroutine of its own.
type watch struct {
	done    chan struct{}
	running sync.WaitGroup
}

func (w *watch) start(look func(time.Time)) {
	w.done = make(chan struct{})
	w.running.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				look(now)
			case <-w.done:
				return
			}
		}
	})
}

// stop ends the watch, if there is one, and waits for it.
func (w *watch) stop() {
	if w.done != nil {
		close(w.done)
		w.running.Wait()
	}
}

// ended hands on the runs that have ended.
func (r *Recorder) ended(now time.Time, all bool) {
	defer func() {
		if p := recover(); p != nil {
			r.panicked("run", "", p)
		}
	}()
	for _, c := range r.stages.Runs.Ended(now, all) {
		if r.batch.add(c) {
			r.counters.runs.Add(1)
		}
	}
}
