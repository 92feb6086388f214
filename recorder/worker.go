package recorder

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// work is one worker: it takes exchanges until the queue is closed and empty.
// When nothing is left to read, what was read is handed on without further
// delay: it has waited in the queue.
func (r *Recorder) work(p pace) {
	var buf [takeMost]item
	var ready []entry
	idle := func() {
		p.forget()
		r.batch.flush()
	}
	for {
		n := r.queue.take(buf[:], idle)
		if n == 0 {
			return
		}
		for i := range buf[:n] {
			began := time.Now()
			bytes, large := buf[i].bytes, cap(buf[i].ex.Request.Data) > smallBody
			e := entry{item: buf[i], call: r.read(buf[i])}
			if r.stages.Credentials != nil && e.call != nil {
				e.own = formless(r.stages.Credentials(buf[i].ex))
			}
			buf[i] = item{} // the copies of the bodies may go
			e.item.ex = nil
			ready = r.line.pass(e, ready[:0], r.link)
			for k := range ready {
				r.finish(ready[k])
			}
			clear(ready)
			p.add(time.Since(began), r.queue.rest(bytes, large))
		}
	}
}

// finish hands on a call whose turn has come.
func (r *Recorder) finish(e entry) {
	c := r.limit(e)
	kept := r.queue.release(e.item.bytes)
	switch {
	case c == nil || !kept:
	case r.batch.add(c):
		r.counters.calls.Add(1)
	default:
		r.counters.dropped[droppedShutdown].Add(1)
	}
}

// read takes one exchange through the stages that look at nothing else. It returns
// nil when no call came out, which is counted.
func (r *Recorder) read(it item) (c *llm.Call) {
	ex, stage := it.ex, "read"
	defer func() {
		if p := recover(); p != nil {
			c = nil
			r.panicked(stage, ex.ID, p)
		}
	}()
	c, err := r.stages.Reader.Read(ex)
	if c == nil {
		r.counters.dropped[droppedUnread].Add(1)
		if n, ok := r.unread.open(); ok {
			r.log.Warn("an exchange could not be read", "call", ex.ID, "error", clip(err), "more", n)
		}
		return nil
	}
	if r.stages.KeepRaw && !it.bare {
		c.Raw = &llm.Raw{
			Request: string(ex.Request.Data), RequestCut: ex.Request.Truncated,
			Response: string(ex.Response.Data), ResponseCut: ex.Response.Truncated,
		}
	}
	if it.bare {
		r.counters.bodies.Add(1)
		c.SetAttr("spanwire.content.dropped", true)
		c.Problems = append(c.Problems, "request body: not kept, too much was waiting to be recorded")
	}
	if err != nil || len(c.Problems) > 0 {
		r.counters.problems.Add(1)
	}

	r.once.settle(c)

	stage = "place"
	c.Place = r.place(ex)

	stage = "attribute"
	if r.stages.Attributor != nil {
		r.stages.Attributor.Attribute(c, ex)
	}
	stage = "count"
	switch {
	case it.bare && !c.Usage.Known():
		c.Usage.Source = llm.UsageMissing // a count without the prompt would be a wrong one
	case it.bare, r.stages.Counter == nil:
	default:
		r.stages.Counter.Count(c)
	}
	stage = "price"
	if r.stages.Pricer != nil {
		r.stages.Pricer.Price(c)
	}
	return c
}

// link finds what a call goes on from, while its content is whole.
func (r *Recorder) link(e entry) (c *llm.Call) {
	if e.call == nil || r.stages.Runs == nil {
		return e.call
	}
	defer func() {
		if p := recover(); p != nil {
			c = nil
			r.panicked("link", e.call.ID, p)
		}
	}()
	r.stages.Runs.Place(e.call)
	return e.call
}

// limit removes from a call what is not to be kept.
func (r *Recorder) limit(e entry) (c *llm.Call) {
	if e.call == nil {
		return nil
	}
	stage := "content"
	defer func() {
		if p := recover(); p != nil {
			c = nil
			r.panicked(stage, e.call.ID, p)
		}
	}()
	c = e.call
	limitContent(c)
	stage = "redact"
	if n := redact(c, e.own); n > 0 {
		r.counters.redacted.Add(int64(n))
		c.SetAttr("spanwire.redacted", int64(n))
	}
	if r.stages.Redactor != nil {
		r.stages.Redactor.Redact(c)
	}
	stage = "run"
	if r.stages.Runs != nil {
		r.stages.Runs.Done(c)
	}
	return c
}

// place finds where a call stands: under the caller's span, or under the session
// that it is a call of.
func (r *Recorder) place(ex *llm.Exchange) llm.Place {
	var p llm.Place
	if r.stages.Tracer != nil {
		p = r.stages.Tracer.Parent(ex.RequestHeader)
	}
	if ex.Session != "" {
		p.Parent, p.ParentCall, p.Remote = ex.Around, ex.Session, false
	}
	p.Span = ex.Span
	if p.Trace == [16]byte{} && ex.Trace != [16]byte{} {
		p.Trace, p.Flags = ex.Trace, 0x03 // sampled, random
	}
	return r.stages.Place(p)
}

// panicked counts a record that a stage cost, and logs it: the first with its
// stack, then one a minute.
func (r *Recorder) panicked(stage, call string, p any) {
	first := r.counters.dropped[droppedPanic].Add(1) == 1
	n, ok := r.panics.open()
	if !ok && !first {
		return
	}
	attrs := []any{"stage", stage, "call", call, "panic", clip(p), "more", n}
	if first {
		attrs = append(attrs, slog.String("stack", string(debug.Stack())))
	}
	r.log.Error("a stage of the recorder panicked, its record is lost", attrs...)
}

// clip makes text for the log of something that may quote a body: without
// secrets, and short.
func clip(v any) string {
	const most = 256
	s, _ := scrub(fmt.Sprint(v))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
