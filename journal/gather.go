package journal

import "time"

// Who is flushed does much of its work by the batch: it gets calls at most so often,
// unless so many wait. The first ones after a pause it gets at once.
const (
	gatherTime  = 250 * time.Millisecond
	gatherCalls = 1024
)

// most is how many calls it gets at once of those in memory; a whole batch in any case.
func (f *follower) most() int {
	if f.flush == nil {
		return 0
	}
	return gatherCalls
}

// early says how long it is until calls are delivered for which there is no haste. The
// mutex is held.
func (f *follower) early(j *Journal) time.Duration {
	if f.flush == nil || j.durable-f.next >= gatherCalls || f.lagBytes(j) >= recentBytes/2 {
		return 0
	}
	select {
	case <-j.closing:
		return 0
	default:
		return gatherTime - time.Since(f.began)
	}
}

// gather waits for more calls, at most so long.
func (f *follower) gather(j *Journal, changed <-chan struct{}, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-j.closing:
	case <-f.ctx.Done():
	}
}
