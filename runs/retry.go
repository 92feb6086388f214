package runs

import (
	"time"

	"github.com/spanwire/spanwire/llm"
)

// retryFor is how long after a call failed the same is a retry of it. Services that are
// asked too often tell their callers to wait for minutes, not for hours.
const retryFor = 10 * time.Minute

// again looks for the call in which the same was asked before: of those that failed,
// and were not asked again yet, the last; else the last of all. Where several callers
// wait to ask the same again, whose retry it is is not guessed.
func (l *Linker) again(a *asking, n *node, r *llm.Run) *node {
	var same, failed *node
	several := false
	for _, o := range l.index.find(a.scope, bySame, a.same()) {
		if !o.started.Before(a.call.Start) || a.otherSession(o) || a.otherAgent(o) || o.after != n.after || !a.sharesHeld(candidate{node: o, at: len(a.groups) - 1}) {
			continue
		}
		same = o
		over := !o.ended.After(a.call.Start) || a.call.Retry > 0 // a client that waits no longer may be told before us
		if (o.failed || a.call.Retry > 0) && !o.retried && over && a.call.Start.Sub(o.ended) <= retryFor {
			several = several || failed != nil && failed.of != o.of
			failed = o
		}
	}
	switch {
	case several:
		return nil
	case failed != nil:
		same, failed.retried = failed, true
		r.RetryOf = same.id
		l.stats.Retries++
	case same == nil || same.failed:
		return nil
	default:
		r.RepeatOf = same.id
		l.stats.Repeats++
	}
	return same
}

// same is the digest of everything that was asked.
func (a *asking) same() digest {
	d := chain(a.setting.system, 't', a.setting.tools)
	d = chain(d, 'm', digestOf([]byte(a.setting.model+"\x00"+a.setting.route+"\x00"+a.call.Path)))
	return chain(d, 'q', a.request())
}

func (a *asking) request() digest {
	if len(a.heads) == 0 {
		return a.seed
	}
	return a.heads[len(a.heads)-1]
}
