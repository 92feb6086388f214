package runs

import (
	"container/list"
	"slices"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// sessions sums up the calls of each conversation, those of its plain calls too, so
// that a run can tell what all came to by its end. The book's mutex guards it.
//
// Rather nothing is told than too little: a conversation whose beginning is not known,
// or was forgotten, has no sums.
type sessions struct {
	max       int64
	of        map[digest]*session
	order     list.List           // of *session, the one that was used last at the back
	coming    map[string]*session // by the ids of calls that were placed and did not come yet
	forgotten int64
}

// session is one conversation.
type session struct {
	key   digest
	at    *list.Element // nil when it was forgotten
	start time.Time     // of the first call
	runs  int           // that began, sub-agents not counted
	sums  sums
}

const (
	sessionShare = 4       // of the memory of the book: one in four
	sessionSize  = 320     // about what a session takes
	maxComing    = 1 << 16 // calls on their way; there are never that many
)

func newSessions(max int64) sessions {
	return sessions{max: max, of: map[digest]*session{}, coming: map[string]*session{}}
}

// sessionOf is what a conversation is known by, the id that the caller gave it, else
// the call that began it; and whether it may begin with this call. Of one that a caller
// named this is not known: it begins with the first call of that name.
func sessionOf(a *asking, of *run) (key digest, begins bool) {
	if a.session != (digest{}) {
		return chain(a.scope.seed, 'S', a.session), true
	}
	return digestOf([]byte(of.session)), of.session == a.call.ID
}

// placed finds the session of a call, for when it comes, or makes it when it may begin
// with this call; nil when it is not known.
func (s *sessions) placed(key digest, id string, begins bool) *session {
	of := s.of[key]
	switch {
	case of != nil:
		s.order.MoveToBack(of.at)
	case !begins:
		return nil
	default:
		of = s.make(key)
	}
	if len(s.coming) >= maxComing { // they were lost, and what they would have added
		clear(s.coming)
		for _, lost := range s.of {
			s.forget(lost)
		}
		return nil
	}
	s.coming[id] = of
	return of
}

// make makes a session, in the place of those that were not used for longest.
func (s *sessions) make(key digest) *session {
	if old := s.of[key]; old != nil {
		s.forget(old)
	}
	of := &session{key: key}
	of.at = s.order.PushBack(of)
	s.of[key] = of
	for s.bytes() > s.max && s.order.Len() > 1 {
		s.forget(s.order.Front().Value.(*session))
	}
	return of
}

func (s *sessions) forget(of *session) {
	delete(s.of, of.key)
	s.order.Remove(of.at)
	of.at = nil
	s.forgotten++
}

func (s *sessions) bytes() int64 { return int64(len(s.of)) * sessionSize }

// came adds up a call and returns its session, nil when that is not known.
func (s *sessions) came(c *llm.Call) *session {
	of := s.coming[c.ID]
	delete(s.coming, c.ID)
	if of == nil || of.at == nil {
		return nil
	}
	if of.start.IsZero() || c.Start.Before(of.start) {
		of.start = c.Start
	}
	of.sums.add(c)
	return of
}

// sums are what calls came to.
type sums struct {
	calls, failed int64
	input, output int64
	untold        int64 // calls whose tokens are not known
	costs         llm.Costs
	unpriced      int64
}

func (s *sums) add(c *llm.Call) {
	s.calls++
	if c.ErrorType != "" {
		s.failed++
	}
	in, known := c.Usage.Input()
	out, told := c.Usage.Output()
	s.input += in
	s.output += out
	if !known && !told {
		s.untold++
	}
	if c.Cost.Known() {
		s.costs.Add(c.Cost.Money())
	} else {
		s.unpriced++
	}
}

// setAttrs tells the sums under a prefix, and how many calls are not in them.
func (s *sums) setAttrs(c *llm.Call, prefix string) {
	c.SetAttr(prefix+".calls", s.calls)
	if s.failed > 0 {
		c.SetAttr(prefix+".calls.failed", s.failed)
	}
	if s.untold < s.calls {
		c.SetAttr(prefix+".usage.input_tokens", s.input)
		c.SetAttr(prefix+".usage.output_tokens", s.output)
	}
	if s.untold > 0 {
		c.SetAttr(prefix+".usage.unknown", s.untold)
	}
	switch {
	case s.unpriced == s.calls:
	case len(s.costs) != 1: // no amount is the sum of several currencies
		each := make([]string, len(s.costs))
		for i, m := range s.costs {
			each[i] = m.Amount.String() + " " + m.Currency.String()
		}
		c.SetAttr(prefix+".costs", each)
	case s.costs[0].Currency == llm.USD:
		c.SetAttr(prefix+".cost.usd", s.costs[0].Amount.String())
	default:
		c.SetAttr(prefix+".cost.total", s.costs[0].Amount.String())
		c.SetAttr(prefix+".cost.currency", s.costs[0].Currency.String())
	}
	if s.unpriced > 0 {
		c.SetAttr(prefix+".cost.unknown", s.unpriced)
	}
}

// standing is how a session stood when the last call of a run had come.
type standing struct {
	start time.Time
	sums  sums
}

func (of *session) standing() *standing {
	at := &standing{of.start, of.sums}
	at.sums.costs = slices.Clone(at.sums.costs)
	return at
}
