package recorder

import "time"

// A goroutine that always has something to do takes a processor for itself: Go's
// scheduler asks for network events when it finds nothing else to run, and else
// only every 10 ms. On a machine of one or two processors callers would wait for
// that long as soon as reading their calls keeps the workers busy. So whoever
// works here rests after a stretch that is short beside what callers notice: as
// long as it worked, or several times as long with work that is being left out
// anyway because there is too much of it.
const (
	stretch  = 200 * time.Microsecond
	restMost = 5 * time.Millisecond

	restUsual   = 1
	restPressed = 8
)

// pace counts the work of one goroutine since its last rest.
type pace struct{ worked, due time.Duration }

// add counts work that asks for so many times its length of rest, and rests when
// it was enough.
func (p *pace) add(d, times time.Duration) {
	p.worked += d
	p.due += d * times
	if p.worked < stretch {
		return
	}
	d = min(p.due, restMost)
	*p = pace{}
	time.Sleep(d)
}
