package recorder

import (
	"runtime"
	"time"
)

// A goroutine that always has something to do takes a processor for itself: Go's
// scheduler asks for network events when it finds nothing else to run, and else
// only every 10 ms. On a machine of one or two processors callers would wait for
// that long as soon as reading their calls keeps the workers busy. So where
// processors are few, whoever works here rests after a stretch of work that is
// short beside what callers notice.
const (
	stretch  = 200 * time.Microsecond
	restMost = 5 * time.Millisecond
)

// restPressed is how many times longer to rest after work on what is being left
// out anyway because there is too much of it.
const restPressed = 4

// pace counts the work of one goroutine since its last rest.
type pace struct {
	times       float64 // how long to rest, in lengths of the work
	worked, due time.Duration
}

// newPace is for one of so many goroutines, which together get half of the
// processors: two rest three times as long as they work where there is one
// processor, as long where there are two, and not at all from four on.
func newPace(goroutines int) pace {
	return pace{times: max(0, 2*float64(goroutines)/float64(runtime.GOMAXPROCS(0))-1)}
}

// add counts work that asks for so many times the usual rest, and rests when it
// was enough.
func (p *pace) add(d time.Duration, times float64) {
	p.worked += d
	p.due += time.Duration(p.times * times * float64(d))
	if p.worked < stretch {
		return
	}
	d = min(p.due, restMost)
	p.forget()
	if d > 0 {
		time.Sleep(d)
	}
}

// forget is for a goroutine that had nothing to do.
func (p *pace) forget() { p.worked, p.due = 0, 0 }
