package tracing

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanwire/spanwire/llm"
)

// placement writes where a call stands in a run and a session.
func (e *encoder) placement(c *llm.Call) {
	m := &e.span
	m.str(keyParentCall, c.Place.ParentCall)
	r := c.Run
	if r == nil {
		return
	}
	e.session(c)
	m.integer(keyRunTurn, int64(r.Turn))
	m.str(keyRetryOf, r.RetryOf)
	m.str(keyRepeatOf, r.RepeatOf)
	m.strings(keyEvidence, r.Evidence)
	m.str(keyConfidence, r.Confidence)
}

// session writes which run and session a span is of. A session that was inferred is
// never the caller's own, and stands under a name that says so.
func (e *encoder) session(c *llm.Call) {
	m := &e.span
	m.str(keyRunID, c.Run.ID)
	if c.Attribution.Session == "" && c.Run.Session != "" {
		m.str(keySession, c.Run.Session)
		m.boolean(keySessionInferred, true)
	}
}

func (e *encoder) links(c *llm.Call) {
	if c.Run == nil {
		return
	}
	for _, to := range c.Run.Links {
		const size = 2 + 16 + 2 + 8
		e.span.b = tag(e.span.b, spanLink, protowire.BytesType)
		e.span.b = varint(e.span.b, size)
		e.span.bytes(linkTraceID, to.Trace[:])
		e.span.bytes(linkSpanID, to.Span[:])
	}
}

// run writes the span of a run. Its sums are attributes of their own, so that no
// backend counts tokens and cost twice.
// https://github.com/open-telemetry/semantic-conventions/blob/v1.41.1/docs/gen-ai/gen-ai-agent-spans.md
func (e *encoder) run(c *llm.Call) []byte {
	m := &e.span
	start, end := timesOf(c)
	place := NewPlace(c.Place)
	e.begin(place, nameOf(c.Operation, c.Attribution.Agent), kindInternal, start, end)
	m.str(keyOperation, c.Operation)
	m.str(keyKind, string(llm.KindRun))
	m.str(keyErrorType, c.ErrorType)
	m.boolean(keyInferred, true)
	if c.Run != nil {
		e.session(c)
		m.integer("spanwire.run.turns", int64(c.Run.Turn))
		m.str(keyRunByCall, c.Run.ByCall)
		m.str(keyRunByTool, c.Run.ByTool)
		m.strings(keyEvidence, c.Run.Evidence)
		m.str(keyConfidence, c.Run.Confidence)
	}
	e.content(c)
	e.attribution(c)
	e.carried(c)
	return e.finish(c, place)
}

// inferred writes the span of something that nobody observed.
func (e *encoder) inferred(c *llm.Call, inf *llm.Inferred) []byte {
	m := &e.span
	place := llm.Place{Trace: inf.Span.Trace, Span: inf.Span.Span, Parent: inf.Above, Flags: c.Place.Flags}
	var call, result llm.Part
	if len(inf.Parts) > 1 {
		call, result = inf.Parts[0], inf.Parts[1]
	}
	kind := uint64(kindInternal)
	if inf.Operation == "retrieval" {
		kind = kindClient
	}
	start, end := timesOf(&llm.Call{Start: inf.Start, End: inf.End})
	e.begin(place, nameOf(inf.Operation, call.Name), kind, start, end)
	m.str(keyOperation, inf.Operation)
	if result.Failed {
		m.str(keyErrorType, toolFailed)
	}
	m.boolean(keyInferred, true)
	m.strings(keyEvidence, inf.Evidence)
	m.str(keyConfidence, inf.Confidence)
	m.str(keyParentCall, inf.Call)
	if inf.Operation == "execute_tool" {
		m.str(keyToolName, call.Name)
		m.str(keyToolType, "function")
		m.str(keyToolCallID, first(call.ID, result.ID))
		e.toolContent(keyToolArguments, "arguments", call.Arguments, &call)
		e.toolContent(keyToolResult, "result", result.Response, &result)
		m.str(keyToolRun, inf.Run)
		if inf.Duration > 0 {
			m.double(keyToolDuration, inf.Duration.Seconds())
		}
	}
	if c.Run != nil {
		e.session(c)
	}
	e.attribution(c)
	if result.Failed {
		failed := llm.Call{ErrorType: toolFailed}
		return e.finish(&failed, place)
	}
	return e.finish(nil, place)
}

// toolFailed is the error.type of a tool of which the client says that it failed.
const toolFailed = "tool_error"

// toolContent writes arguments or result of a tool, or what is known of one that
// was left out.
func (e *encoder) toolContent(key, name, text string, p *llm.Part) {
	m := &e.span
	if text != "" {
		kept := text
		if len(text) > e.limits.ContentBytes {
			kept = e.cut(text)
			m.integer(keyContentTruncated, int64(len(text)-len(kept)))
		}
		m.raw(key, cleanText(kept, e.limits.ContentBytes))
		return
	}
	if p.SHA256 != "" {
		m.integer(keyToolSize+"."+name+".size", p.Size)
		m.str(keyToolSize+"."+name+".sha256", p.SHA256)
	}
}

// cut cuts a text that is too long, such that what is an object stays one.
func (e *encoder) cut(text string) string {
	if !isObject(text) {
		return cutText(text, e.limits.ContentBytes)
	}
	kept, _ := shrinkJSON([]byte(text), e.limits.ContentBytes)
	return string(kept)
}

// nameOf is the name of a span: an operation, and what it is done by or with.
func nameOf(operation, what string) string {
	if what == "" {
		return operation
	}
	return operation + " " + cleanText(what, maxKey)
}

// inferredBlock writes something that was inferred for people.
func (w *textWriter) inferredBlock(c *llm.Call, inf *llm.Inferred) []byte {
	w.b, w.rows = w.b[:0], w.rows[:0]
	what := inf.Operation
	if len(inf.Parts) > 0 {
		what += " " + word(inf.Parts[0].Name, wordRunes)
	}
	w.headline(inf.Start, "    inferred", dim, what)
	if len(inf.Parts) > 1 {
		w.row("in", inf.Parts[0].Arguments)
		w.row("out", word(inf.Parts[1].Response, 2*previewRunes))
	}
	took := "at most " + shortTime(inf.End.Sub(inf.Start))
	if inf.Duration > 0 {
		took = shortTime(inf.Duration) + ", as the client says"
	}
	w.row("time", took)
	w.row("ids", spanText(inf.Span.Trace, inf.Span.Span, inf.Above))
	w.flush()
	return w.b
}

// runBlock writes a run for people.
func (w *textWriter) runBlock(c *llm.Call) []byte {
	w.b, w.rows = w.b[:0], w.rows[:0]
	colour := green
	if c.ErrorType != "" {
		colour = red
	}
	w.headline(c.Start, "    run     ", colour, nameOf(c.Operation, word(c.Attribution.Agent, wordRunes)))
	w.row("error", c.ErrorType)
	sums := map[string]string{}
	for _, a := range c.Attrs {
		switch v := a.Value.(type) {
		case int64:
			sums[a.Key] = strconv.FormatInt(v, 10)
		case string:
			sums[a.Key] = v
		case []string:
			sums[a.Key] = strings.Join(v, " + ")
		}
	}
	w.row("calls", joinDot(sums["spanwire.run.calls"]+" calls", counted(sums["spanwire.run.tools"], "tools")))
	if in, ok := sums["spanwire.run.usage.input_tokens"]; ok {
		w.row("tokens", in+" in + "+sums["spanwire.run.usage.output_tokens"]+" out · sum of its calls")
	}
	cost := sums["spanwire.run.costs"]
	if usd, ok := sums["spanwire.run.cost.usd"]; ok {
		cost = "$" + usd
	} else if total, ok := sums["spanwire.run.cost.total"]; ok {
		cost = total + " " + sums["spanwire.run.cost.currency"]
	}
	if cost != "" {
		w.row("cost", joinDot(cost+" · sum of its calls", counted(sums["spanwire.run.cost.unknown"], "calls without a price")))
	}
	start, end := timesOf(c)
	w.row("time", shortTime(end.Sub(start)))
	w.row("for", whoText(c))
	w.row("ids", joinDot(spanText(c.Place.Trace, c.Place.Span, c.Place.Parent), named("session", sessionOf(c))))
	w.flush()
	return w.b
}

func sessionOf(c *llm.Call) string {
	if c.Run == nil || c.Attribution.Session != "" {
		return ""
	}
	return c.Run.Session
}

func counted(n, what string) string {
	if n == "" {
		return ""
	}
	return n + " " + what
}

func (w *textWriter) headline(at time.Time, state, colour, what string) {
	w.paint(dim, at.Local().Format("15:04:05.000"))
	w.paint(colour, state)
	w.b = append(w.b, "  "...)
	w.paint(bold, what)
	w.b = append(w.b, '\n')
}

// each calls f with every block of a call, as encoder.each does.
func (w *textWriter) each(c *llm.Call, f func(block []byte)) {
	if c.Run != nil {
		for i := range c.Run.Inferred {
			f(w.inferredBlock(c, &c.Run.Inferred[i]))
		}
	}
	if c.Kind == llm.KindRun {
		f(w.runBlock(c))
		return
	}
	f(w.encode(c))
}
