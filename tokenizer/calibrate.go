package tokenizer

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spanwire/spanwire/llm"
)

const (
	// enoughCalls is after how many reported calls of a model its own factor is
	// better than its family's.
	enoughCalls = 5
	// prior is the tokens at the family's factor that each call is put together with:
	// short calls, where what is around the text weighs most, do not carry a factor off.
	prior = 50
	// recent is how many calls a factor is made of, so that old ones are forgotten.
	recent = 16
	// learnAll is how many calls of a model are counted to learn from; after them
	// one in learnEvery, since a factor changes with a new version at most.
	learnAll, learnEvery = 64, 32
	// maxTokens bounds a call that is learnt from.
	maxTokens = 1 << 24
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

// learnedKey is what is learnt apart: what a provider puts around tools, or around what
// comes by another endpoint, says nothing of a prompt without them.
type learnedKey struct {
	provider, model  string
	tools, responses bool
}

// learned is what is known of one model.
type learned struct {
	seen  int64  // calls with usage, of which one in learnEvery is counted in the end
	calls int64  // that were counted
	pairs []pair // the last of them
	last  time.Time
}

// pair is the tokens of one call.
type pair struct {
	counted int64 // of o200k_base
	actual  int64 // as reported
}

// factor is the quotient of two positive counts.
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

// get returns the factor of a model whose family's is percent, once there were enough
// calls to learn it from.
func (fs *factors) get(k learnedKey, percent int64) (f factor, ok bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	l := fs.models[k]
	if l == nil || l.calls < enoughCalls {
		return f, false
	}
	return l.median(percent), true
}

// median is the factor that half of the counted tokens are at or below. A few calls in
// which the provider put something that nobody sees do not change it, as they would a
// mean.
func (l *learned) median(percent int64) factor {
	var room [recent]factor
	fs := room[:0]
	half := int64(0)
	for _, p := range l.pairs {
		f := factor{100*p.actual + prior*percent, 100 * (p.counted + prior)}
		fs = append(fs, f)
		half += f.den
	}
	half /= 2
	slices.SortFunc(fs, func(a, b factor) int { return cmp.Compare(a.num*b.den, b.num*a.den) })
	for _, f := range fs {
		if half -= f.den; half <= 0 {
			return f
		}
	}
	return factor{percent, 100}
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
	if counted <= 0 || actual <= 0 || counted > maxTokens || actual > maxTokens ||
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
	if len(l.pairs) == recent {
		copy(l.pairs, l.pairs[1:])
		l.pairs = l.pairs[:recent-1]
	}
	l.pairs = append(l.pairs, pair{counted, actual})
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
	k.provider, k.model = strings.Clone(k.provider), strings.Clone(k.model)
	fs.models[k] = l
	return l
}

// maxProvider bounds the provider names that are kept.
const maxProvider = 128

// keyOf is what a call is learnt as. ok is false when its model's vocabulary is
// public, or nobody told the model.
func keyOf(call *llm.Call, m *model) (k learnedKey, ok bool) {
	k = learnedKey{provider: call.Provider, model: m.name, tools: usesTools(call), responses: asResponse(call)}
	return k, !m.public && m.name != "" && len(call.Provider) <= maxProvider
}

// usesTools says that the prompt has tools, or calls of some.
func usesTools(call *llm.Call) bool {
	if len(call.Tools) > 0 {
		return true
	}
	for i := range call.Input {
		for j := range call.Input[i].Parts {
			switch call.Input[i].Parts[j].Type {
			case llm.PartToolCall, llm.PartToolCallResponse, llm.PartServerToolCall, llm.PartServerToolCallResponse:
				return true
			}
		}
	}
	return false
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
