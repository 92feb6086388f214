package tokenizer

import (
	"math/bits"
	"strings"
	"sync"
	"time"

	"github.com/spanwire/spanwire/llm"
)

const (
	// enoughCalls is after how many reported calls of a model its own factor is
	// better than its family's.
	enoughCalls = 5
	// prior is what both sums of a factor begin with, in tokens: short calls, where
	// what is around the text weighs most, do not carry it off.
	prior = 50
	// learnAll is how many calls of a model are counted to learn from; after them
	// one in learnEvery, since a factor changes with a new version at most.
	learnAll, learnEvery = 64, 32
	// maxSum bounds the sums: past it both are halved, so that old calls fade.
	maxSum = 1 << 24
	// maxLearned bounds the models: names come from outside.
	maxLearned = 1024
	// maxDeviation is by how many times a call may be off to be learnt from, beside
	// a thousand tokens. Who is further off was not sent as it was read.
	maxDeviation = 8
)

// factors are what the tokens of models cost in those of o200k_base, learnt from
// calls that carried usage. It is safe for concurrent use.
type factors struct {
	mu      sync.Mutex
	models  map[learnedKey]*learned
	changed bool // since the last snapshot
}

type learnedKey struct{ provider, model string }

// learned is what is known of one model.
type learned struct {
	seen    int64 // calls with usage, of which one in learnEvery is counted in the end
	calls   int64 // that were counted
	counted int64 // their tokens of o200k_base
	actual  int64 // their tokens as reported
	last    time.Time
}

// factor is the quotient of two positive counts, each at most maxSum + prior.
type factor struct{ num, den int64 }

// of multiplies n, rounded half up. What does not fit is the largest number.
func (f factor) of(n int64) int64 {
	hi, lo := bits.Mul64(uint64(max(n, 0)), uint64(f.num))
	lo, carry := bits.Add64(lo, uint64(f.den)/2, 0)
	hi += carry
	if hi >= uint64(f.den) {
		return 1<<63 - 1
	}
	q, _ := bits.Div64(hi, lo, uint64(f.den))
	return int64(min(q, 1<<63-1))
}

// get returns the factor of a model once there were enough calls to learn it from.
func (fs *factors) get(k learnedKey) (f factor, ok bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	l := fs.models[k]
	if l == nil || l.calls < enoughCalls {
		return f, false
	}
	return factor{l.actual + prior, l.counted + prior}, true
}

// wants says whether the next call of a model is to be counted to learn from.
func (fs *factors) wants(k learnedKey) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	l := fs.models[k]
	if l == nil {
		l = fs.add(k)
	}
	l.seen++ // also of those that teach nothing: they would be counted for ever
	return l.calls < learnAll && l.seen <= 2*learnAll || l.seen%learnEvery == 0
}

// learn takes up a call that had counted tokens of o200k_base and actual ones.
func (fs *factors) learn(k learnedKey, counted, actual int64, at time.Time) {
	if counted <= 0 || actual <= 0 || counted > maxSum || actual > maxSum ||
		actual > maxDeviation*counted+1000 || counted > maxDeviation*actual+1000 {
		return
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	l := fs.models[k]
	if l == nil {
		l = fs.add(k)
	}
	l.calls++
	l.counted += counted
	l.actual += actual
	for l.counted > maxSum || l.actual > maxSum {
		l.counted, l.actual = (l.counted+1)/2, (l.actual+1)/2
	}
	l.last = at
	fs.changed = true
}

// add makes room for a model; mu is held. The one that was not heard of for the
// longest time goes.
func (fs *factors) add(k learnedKey) *learned {
	if fs.models == nil {
		fs.models = map[learnedKey]*learned{}
	}
	if len(fs.models) >= maxLearned {
		var oldest learnedKey
		var when *learned
		for k, l := range fs.models {
			if when == nil || l.last.Before(when.last) {
				oldest, when = k, l
			}
		}
		delete(fs.models, oldest)
	}
	l := &learned{}
	// The names are parts of whole messages: they must not keep those alive.
	fs.models[learnedKey{strings.Clone(k.provider), strings.Clone(k.model)}] = l
	return l
}

// maxProvider bounds the provider names that are kept.
const maxProvider = 128

// keyOf is what a call is learnt as. ok is false when its model's vocabulary is
// public, or nobody told the model.
func keyOf(call *llm.Call, m *model) (k learnedKey, ok bool) {
	return learnedKey{call.Provider, m.name}, !m.public && m.name != "" && len(call.Provider) <= maxProvider
}

// learn compares the reported input of a call with what is counted of it. Only the
// input is compared: an answer may hold reasoning that is not shown.
func (c *Counter) learn(call *llm.Call) {
	actual, ok := call.Usage.Input()
	if !ok || call.Usage.Source != llm.UsageReported || call.Operation != opChat && call.Operation != opGenerate || call.Usage.Inconsistent || hasMedia(&call.Usage) {
		return
	}
	m := c.modelOf(call)
	k, ok := keyOf(call, &m)
	if !ok || !c.factors.wants(k) {
		return
	}
	w := newWork(call, m)
	if n, ok := w.input(); ok && !w.meter.rough {
		c.factors.learn(k, n, actual, call.End)
	}
}

// hasMedia says that some of the input was not text.
func hasMedia(u *llm.Usage) bool {
	for _, k := range [...]llm.UsageKind{llm.AudioInput, llm.ImageInput, llm.VideoInput, llm.CacheReadAudio, llm.CacheReadImage, llm.ToolUseInput} {
		if n, _ := u.Get(k); n > 0 {
			return true
		}
	}
	return false
}
