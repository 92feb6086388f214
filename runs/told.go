package runs

import "slices"

// What clients say themselves of where their calls stand: see llm.Told.

// toldKey is what calls of one run, or of one session, have in common.
func (a *asking) toldKey(run string) digest {
	return chain(chain(a.session, 'a', a.agent), 'r', digestOf([]byte(run)))
}

// putTold lets a call be found by what its client said of it.
func (x *index) putTold(a *asking, n *node) {
	if a.call.Told.Run != "" {
		x.put(n, byTold, a.toldKey(a.call.Told.Run))
	}
	if a.session != (digest{}) {
		x.put(n, byCaller, a.session)
	}
}

// toldRun returns the last call of the run that the client says a call is of.
func (x *index) toldRun(a *asking) *node {
	if a.call.Told.Run == "" {
		return nil
	}
	return lastBefore(x.find(a.scope, byTold, a.toldKey(a.call.Told.Run)), a)
}

// sessionOf returns the session of the last call for which the caller named the same
// one; none when there is none.
func (x *index) sessionOf(a *asking, none string) string {
	if a.session == (digest{}) {
		return none
	}
	if n := lastBefore(x.find(a.scope, byCaller, a.session), a); n != nil {
		return n.of.session
	}
	return none
}

// lastBefore returns the youngest of some calls that was begun before a call.
func lastBefore(nodes []*node, a *asking) *node {
	for i := len(nodes) - 1; i >= 0; i-- {
		if nodes[i].started.Before(a.call.Start) {
			return nodes[i]
		}
	}
	return nil
}

// toldParent returns the tool call that started an agent, as far as the client tells:
// the last one that waits of the agent which it names as its parent. found is the
// call that the words speak for; of several it is the one, when it may be.
func (a *asking) toldParent(found *node) (*node, int) {
	if a.session == (digest{}) || a.agent == (digest{}) || a.call.Told.Agent == a.call.Told.ParentAgent {
		return nil, 0
	}
	parent := digestOf([]byte(a.call.Told.ParentAgent))
	var last *node
	at := 0
	for _, p := range a.scope.pending {
		of := p.caller == a.session && p.agent == parent || a.call.Told.ParentAgent != "" && (p.agent == parent || p.caller == parent)
		if !of || p.agent == a.agent || p.ended.After(a.call.Start) {
			continue
		}
		if i := p.free(); i >= 0 {
			last, at = p, i
			if p == found {
				break
			}
		}
	}
	return last, at
}

// free returns the first tool call without a result that started no run; -1 when
// there is none.
func (n *node) free() int {
	for i := range n.asked {
		if !n.done[i] && !n.spawnedBy(i) {
			return i
		}
	}
	return -1
}

// spawnedBy says whether a tool call started a run.
func (n *node) spawnedBy(i int) bool {
	return slices.ContainsFunc(n.spawned, func(s *spawn) bool { return s.above == toolSpan(n, i) })
}
