package tokenizer

import (
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Counter counts what providers did not report. It is safe for concurrent use.
type Counter struct {
	factors factors
	keeper  *keeper                                  // nil: what is learnt is kept in memory only
	stands  func(call *llm.Call, name string) string // see Settings
}

// New makes a counter that begins with the families' factors and forgets what it
// learns. Vocabularies are loaded when they are first needed.
func New() *Counter { return &Counter{} }

// CountText counts one text as the model would, without any wrapping. The source
// is UsageExact when the model's vocabulary is public and all of the text was
// counted, else UsageEstimated.
func (c *Counter) CountText(name, text string) (int64, llm.UsageSource) {
	m := lookup(name)
	t := newMeter(&m)
	n := t.scaled(t.text(text))
	return n, t.source
}

// Operations of which tokens can be counted.
const (
	opChat       = "chat"
	opCompletion = "text_completion"
	opEmbeddings = "embeddings"
	opGenerate   = "generate_content"
)

// Count sets the sides of a call's usage that the provider did not report, and
// says in Usage.Source where the numbers are from: the worse of the two sides'.
// What was reported is never changed. A call that failed without output, or that
// was never answered, used nothing that anybody can know: it is UsageMissing. So is
// one whose reader said so: another call tells its usage, or nobody can count it.
func (c *Counter) Count(call *llm.Call) {
	if call.Kind == llm.KindHTTP || call.Usage.Source == llm.UsageMissing {
		return
	}
	u := &call.Usage
	_, in := u.Input()
	_, out := u.Output()
	known := u.Known()
	if known && u.Source == "" {
		u.Source = llm.UsageReported
	}
	needIn, needOut := needs(call)
	needIn, needOut = needIn && !in, needOut && !out
	if known && !needIn && !needOut {
		c.learn(call)
		c.keep()
		return
	}
	if !needIn && !needOut || !answered(call) {
		if !known {
			u.Source = llm.UsageMissing
		}
		return
	}
	w := c.work(call)
	if needIn {
		w.prompt()
	}
	if needOut {
		w.answer()
	}
	source := w.meter.source
	if known {
		source = worst(source, u.Source)
	}
	u.Source = source
}

// needs says which sides of its usage a call of this kind has, in tokens.
func needs(call *llm.Call) (in, out bool) {
	switch call.Operation {
	case opChat, opCompletion, opGenerate:
		return true, true
	case opEmbeddings:
		return true, false
	}
	return false, false
}

// answered says whether the model can have worked: there was an answer that is
// not an error, or at least some output before it.
func answered(call *llm.Call) bool {
	for i := range call.Output {
		if len(call.Output[i].Parts) > 0 {
			return true
		}
	}
	if call.Status < 200 || call.Status > 299 {
		return false
	}
	return call.ErrorType == "" || brokeOff(call)
}

// brokeOff says that the answer did not end by itself.
func brokeOff(call *llm.Call) bool { return call.Ended != "" && call.Ended != llm.EndComplete }

// work is the counting of one call.
type work struct {
	call  *llm.Call
	model model
	wrap  *wrapping
	meter *meter
}

// modelOf is the model that answered, else the one that was asked. A name that the
// configuration explains is known as well as one of a public vocabulary.
func (c *Counter) modelOf(call *llm.Call) model {
	m, known := c.named(call, call.ResponseModel)
	if known {
		return m
	}
	if asked, known := c.named(call, call.RequestModel); call.ResponseModel == "" || known {
		return asked
	}
	return m
}

func (c *Counter) named(call *llm.Call, name string) (m model, known bool) {
	if c.stands != nil && name != "" {
		if to := c.stands(call, name); to != "" {
			return lookup(to), true
		}
	}
	m = lookup(name)
	return m, m.public
}

// work prepares the counting of a call with all that was learnt of its model.
func (c *Counter) work(call *llm.Call) *work {
	m := c.modelOf(call)
	w := newWork(call, m)
	if k, ok := keyOf(call, &m); ok {
		if f, ok := c.factors.get(k, m.percent); ok {
			w.meter.calibrate(f)
		}
	}
	return w
}

func newWork(call *llm.Call, m model) *work {
	w := &work{call: call, model: m, wrap: &m.style.Chat, meter: newMeter(&m)}
	if asResponse(call) {
		w.wrap = &m.style.Responses
	}
	return w
}

// asResponse says that the call came by the Responses API.
func asResponse(call *llm.Call) bool { return strings.HasSuffix(call.Path, "/responses") }

// partTokens is the type of a part that was sent as token numbers; its size is
// how many.
const partTokens = "token_ids"
