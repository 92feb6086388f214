package runs

import (
	"slices"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// node is what is remembered of a call.
type node struct {
	id      string
	scope   *scope
	started time.Time
	// answered is when the answer began: nobody goes on from it before.
	answered, ended time.Time

	of      *run
	turn    int
	span    llm.SpanRef // of the call
	after   string      // id of the call that it goes on from
	retried bool        // it failed, and was asked again
	spawn   *spawn      // what started the run; nil when it is not known
	spawned []*spawn    // runs that its tool calls started

	caller  digest // of the explicit session; zero when there was none
	agent   digest // of which of its agents; zero for the main one
	setting setting
	head    digest // of request and answer; zero when nothing was answered
	request digest
	opening digest // of its first group
	prompt  int    // how long the one text is that it was asked, and its end; see prompted
	ending  string
	failed  bool // the same may be asked again, for want of an answer
	sealed  bool // it is from before a restart: what was said in it is not known

	asked  []asked
	done   []bool          // which of them have a result
	hidden llm.ContentMode // how much of the answer may be told; "" for all of it
	starts []string        // beginning of the text of each answer
	// thought is the beginning of what the model thought; refused says that there was
	// no answer because the provider would not take what the model wrote, or the request.
	thought string
	refused bool
	toolID  map[string]bool // ids that its answer gave to tool calls
	held    []string        // the last of those in its request

	keys []digest // where the index has it
	size int64
}

// setting is what a call was asked with beside its messages. It breaks ties and is
// never required to stay.
type setting struct {
	system, tools digest
	model, route  string
}

// scope holds what is looked through by callers of one credential and team.
type scope struct {
	seed     digest
	nodes    int
	pending  []*node // tool calls without a result, the youngest last
	prompts  []*node // calls that were asked one text, the youngest last
	embedded []embedded
	// crowded is until when each of these lists may lack a call that would fit as well
	// as those in it.
	crowded struct{ pending, prompts time.Time }
}

// spawn is a run that a tool call started.
type spawn struct {
	run    string
	tool   string
	answer string  // beginning of the last answer in it
	from   *run    // that of the call that asked
	above  [8]byte // the span of the tool
}

// embedded is an embedding made a short while ago.
type embedded struct {
	call       string
	text       string
	start, end time.Time
	trace      [16]byte // that begins with it; zero when it is in another's
	flags      byte
}

// kinds of keys in the index.
const (
	byAnswer   = 'A' // request and answer
	byRequest  = 'Q' // request alone
	byID       = 'I' // an id that the answer gave out
	byResponse = 'R' // the id of the answer
	byText     = 'T' // the answer alone
	byTurn     = 'U' // what was said last, and the answer
	bySame     = 'S' // everything that was asked
	byCaller   = 'E' // the session that its caller names
	byTold     = 'W' // the run that its caller names
)

// index finds calls by digest, and forgets the oldest.
type index struct {
	cfg    Config
	byKey  map[digest][]*node
	crowds map[digest]bool // keys of byKey of which older calls are not looked at
	scopes map[digest]*scope
	order  []*node // by age; those before first are gone
	first  int
	bytes  int64
	memo   *memo
	stats  *Stats
}

// maxBucket bounds the calls under one key: of openings that thousands share the
// youngest are looked at.
const maxBucket = 16

func (x *index) find(s *scope, kind byte, d digest) []*node { return x.byKey[chain(s.seed, kind, d)] }

// crowded says that more calls have a key than are found by it: that none of them fits
// but one says nothing then.
func (x *index) crowded(s *scope, kind byte, d digest) bool {
	return len(x.crowds) > 0 && x.crowds[chain(s.seed, kind, d)]
}

func (x *index) put(n *node, kind byte, d digest) {
	x.putKey(n, chain(n.scope.seed, kind, d))
}

func (x *index) putKey(n *node, key digest) {
	b := x.byKey[key]
	if slices.Contains(b, n) {
		return
	}
	if len(b) == maxBucket {
		b = slices.Delete(b, 0, 1)
		x.crowds[key] = true
	}
	x.byKey[key] = append(b, n)
	if n.keys == nil {
		n.keys = make([]digest, 0, 8) // few have more
	}
	n.keys = append(n.keys, key)
	n.size += 96
	x.bytes += 96
}

func (x *index) scope(seed digest) *scope {
	s := x.scopes[seed]
	if s == nil {
		s = &scope{seed: seed}
		x.scopes[seed] = s
	}
	return s
}

// add takes in a call, of which the keys follow.
func (x *index) add(n *node) {
	n.size = 512
	for _, a := range n.asked {
		n.size += int64(len(a.id)+len(a.name)+len(a.args)) + 160
		for _, t := range a.texts {
			n.size += int64(len(t.plain)) + 24
		}
	}
	for _, s := range n.starts {
		n.size += int64(len(s)) + 16
	}
	for _, id := range n.held {
		n.size += int64(len(id)) + 16
	}
	n.size += int64(len(n.thought))
	n.scope.nodes++
	x.bytes += n.size
	x.order = append(x.order, n)
}

// forget drops what is past the bounds at a time.
func (x *index) forget(now time.Time) {
	for x.first < len(x.order) {
		n := x.order[x.first]
		switch {
		case now.Sub(n.ended) > x.cfg.MaxAge:
			x.stats.ForgottenAge++
		case x.bytes > x.cfg.MaxBytes:
			x.stats.ForgottenBytes++
		default:
			x.compact()
			return
		}
		x.drop(n)
		x.order[x.first] = nil
		x.first++
	}
	x.compact()
}

func (x *index) drop(n *node) {
	for _, key := range n.keys {
		b := x.byKey[key]
		if i := slices.Index(b, n); i >= 0 {
			b = slices.Delete(b, i, i+1)
		}
		if len(b) == 0 {
			delete(x.byKey, key)
			delete(x.crowds, key)
		} else {
			x.byKey[key] = b
		}
	}
	n.scope.settle(n)
	if i := slices.Index(n.scope.prompts, n); i >= 0 {
		n.scope.prompts = slices.Delete(n.scope.prompts, i, i+1)
	}
	n.scope.nodes--
	if n.scope.nodes == 0 {
		for _, e := range n.scope.embedded {
			x.bytes -= e.size()
		}
		delete(x.scopes, n.scope.seed)
	}
	x.bytes -= n.size
}

func (x *index) compact() {
	if x.first > 1024 && x.first > len(x.order)/2 {
		x.order = append([]*node(nil), x.order[x.first:]...)
		x.first = 0
	}
}

// crowdFor is how long after its answer somebody may most likely go on from a call.
const crowdFor = 10 * time.Minute

// wait says that tool calls of a call wait for their results.
func (s *scope) wait(n *node) {
	s.pending = append(s.pending, n)
	if len(s.pending) > maxPending {
		s.crowded.pending = s.pending[0].ended.Add(crowdFor)
		s.pending = slices.Delete(s.pending, 0, 1)
	}
}

// settle says that the tool calls of a call wait no longer.
func (s *scope) settle(n *node) {
	if i := slices.Index(s.pending, n); i >= 0 {
		s.pending = slices.Delete(s.pending, i, i+1)
	}
}

func (e *embedded) size() int64 { return int64(len(e.text)+len(e.call)) + 96 }
