package anthropic

import (
	"fmt"
	"time"

	"github.com/tidwall/gjson"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// fillBatch carries what a batch says of itself. Its usage comes with its results.
func (r *Reader) fillBatch(c *llm.Call) {
	b := gjson.ParseBytes(r.document())
	if b.Get("type").Str != "message_batch" {
		return
	}
	for _, at := range [...]struct{ name, key string }{
		{"id", "anthropic.batch.id"},
		{"processing_status", "anthropic.batch.status"},
	} {
		if v := b.Get(at.name); v.Type == gjson.String && v.Str != "" {
			c.SetAttr(at.key, jsonwalk.Clip(v.Str, maxName))
		}
	}
	for _, name := range resultKinds {
		if n, ok := params.Count([]byte(b.Get("request_counts." + name).Raw)); ok {
			c.SetAttr("anthropic.batch.requests."+name, n)
		}
	}
}

var resultKinds = []string{"processing", "succeeded", "errored", "canceled", "expired"}

// results reads the results of a batch, one a line. Memory does not grow with them
// but for the steps that their usage makes.
type results struct {
	steps      []llm.Step
	open       map[stepKey]int // step that results of a kind are added to
	total      llm.Usage
	kinds      map[string]int64
	unreadable int
	lines      int
	lastBad    int
	models     int
	model      string
}

// stepKey is what results must share to be priced in one sum.
type stepKey struct{ model, tier, speed, region string }

// maxShared is how many input tokens a step of several results has at most: no
// price of a model changes with the length of a prompt below it, so that the sum is
// priced as its parts would be.
const maxShared = 100_000

// line reads one result.
func (r *results) line(line []byte, _ time.Time) {
	r.lines++
	result := jsonwalk.Member(line, "result")
	if m := jsonwalk.Object(line); !jsonwalk.IsObject(result) || !walk(&m) {
		r.unreadable++
		r.lastBad = r.lines
		return
	}
	if r.kinds == nil {
		r.kinds, r.open = map[string]int64{}, map[stepKey]int{}
	}
	kind := string(closed(jsonwalk.Member(result, "type")))
	for _, known := range resultKinds {
		if kind == known {
			r.kinds[kind]++
		}
	}
	message := jsonwalk.Member(result, "message")
	model := string(closed(jsonwalk.Member(message, "model")))
	u := gjson.ParseBytes(jsonwalk.Member(message, "usage"))
	usage, ok := readUsage(u)
	if !ok {
		return
	}
	if model != r.model {
		r.model = jsonwalk.Clip(model, maxName)
		r.models++
	}
	add(&r.total, &usage)
	steps, _ := readSteps(u, model)
	if steps == nil {
		steps = []llm.Step{{Usage: usage}}
	}
	for i := range steps {
		s := &steps[i]
		if s.Model == "" {
			s.Model = r.model
		}
		s.Kind, s.Usage.Batch = "batch", true
		for _, k := range []struct{ own, whole *string }{{&s.Usage.Tier, &usage.Tier}, {&s.Usage.Speed, &usage.Speed}, {&s.Usage.Region, &usage.Region}} {
			if *k.own == "" {
				*k.own = *k.whole
			}
		}
		r.share(s)
	}
}

// walk goes to the end of an object and says whether there was one.
func walk(m *jsonwalk.Members) bool {
	for m.Next() {
	}
	return m.Whole()
}

// share adds a step to one like it, or keeps it apart.
func (r *results) share(s *llm.Step) {
	k := stepKey{s.Model, s.Usage.Tier, s.Usage.Speed, s.Usage.Region}
	own, _ := s.Usage.Input()
	if i, ok := r.open[k]; ok {
		if has, _ := r.steps[i].Usage.Input(); has+own <= maxShared {
			add(&r.steps[i].Usage, &s.Usage)
			return
		}
	}
	r.open[k] = len(r.steps)
	r.steps = append(r.steps, *s)
}

func add(to, u *llm.Usage) {
	for _, k := range llm.UsageKinds() {
		if n, ok := u.Get(k); ok {
			has, _ := to.Get(k)
			to.Set(k, has+n)
		}
	}
	to.Inconsistent = to.Inconsistent || u.Inconsistent
}

func (r *results) problems(x *llm.Exchange) (problems []string) {
	if x.Ended != llm.EndComplete {
		problems = append(problems, "batch results: broken off before their end")
		if r.unreadable > 0 && r.lastBad == r.lines {
			r.unreadable--
		}
	}
	if r.unreadable > 0 {
		problems = append(problems, fmt.Sprintf("batch results: %d of %d lines are not results", r.unreadable, r.lines))
	}
	return problems
}

// fill sets the usage of a batch: the sum of its results, and as steps what is
// priced alike.
func (r *results) fill(c *llm.Call, x *llm.Exchange) {
	for _, kind := range resultKinds {
		if n := r.kinds[kind]; n > 0 {
			c.SetAttr("anthropic.batch.requests."+kind, n)
		}
	}
	if len(r.steps) == 0 {
		return
	}
	c.Usage, c.Steps = r.total, r.steps
	c.Usage.Batch, c.Usage.Source = true, llm.UsageReported
	if x.Ended != llm.EndComplete {
		c.Usage.Source = llm.UsagePartial
	}
	c.Usage.Tier = "batch"
	if r.models == 1 {
		c.ResponseModel = r.model
	}
}
