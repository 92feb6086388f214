package tracing

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spanwire/spanwire/llm"
)

// textWriter writes a call as a block of aligned lines. Used by one goroutine at a time.
type textWriter struct {
	colour bool
	b      []byte
	rows   []row
}

type row struct{ name, text string }

// Colours of ECMA-48.
const (
	plain  = "\x1b[0m"
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
)

const (
	previewRunes = 96
	previewParts = 4
	rowRunes     = 400
	wordRunes    = 64
)

// encode returns the block, which is valid until the next use.
func (w *textWriter) encode(c *llm.Call) []byte {
	w.b, w.rows = w.b[:0], w.rows[:0]
	w.head(c)
	w.row("error", joinDot(errorType(c), word(c.ErrorMessage, 200)))
	if c.Kind != llm.KindHTTP {
		w.row("tokens", tokensText(c))
		w.row("cost", costText(c))
	}
	w.row("time", timeText(c))
	w.row("for", whoText(c))
	if c.Content == llm.ContentFull || c.Content == "" {
		if n := len(c.Input); n > 0 {
			w.row("in", preview(c.Input[n-1])+more(n-1))
		}
		if n := len(c.Output); n > 0 {
			w.row("out", preview(c.Output[0])+more(n-1))
		}
	}
	w.row("ids", joinDot(traceText(c), named("call", c.ID)))
	w.flush()
	return w.b
}

// row adds a line. All of its text passes through word: much of it is not ours.
func (w *textWriter) row(name, text string) {
	if text = word(text, rowRunes); text != "" {
		w.rows = append(w.rows, row{name, text})
	}
}

// head writes when, what and how it ended.
func (w *textWriter) head(c *llm.Call) {
	start, _ := timesOf(c)
	state, colour := stateText(c)
	what := first(c.Operation, "llm")
	who := first(c.Provider, c.Route)
	model := word(c.RequestModel, wordRunes)
	if c.Kind == llm.KindHTTP {
		what, who = methodOf(c.Method), first(c.Route, c.ServerAddress)
		model = word(c.Path, wordRunes)
	} else if c.ResponseModel != "" && c.ResponseModel != c.RequestModel {
		model = strings.TrimSpace(model + " → " + word(c.ResponseModel, wordRunes))
	}
	if c.Stream {
		model += " (stream)"
	}
	w.paint(dim, start.Local().Format("15:04:05.000"))
	w.b = append(w.b, "  "...)
	w.paint(colour, state)
	w.b = append(w.b, "  "...)
	w.paint(bold, strings.Join(strings.Fields(word(who, wordRunes)+" "+word(what, wordRunes)+" "+model), " "))
	w.b = append(w.b, '\n')
}

func (w *textWriter) flush() {
	for i, r := range w.rows {
		branch := "├─ "
		if i == len(w.rows)-1 {
			branch = "└─ "
		}
		w.paint(dim, "  "+branch+pad(r.name, 7))
		if r.name == "error" {
			w.paint(red, r.text)
		} else {
			w.b = append(w.b, r.text...)
		}
		w.b = append(w.b, '\n')
	}
}

func (w *textWriter) paint(colour, text string) {
	if !w.colour {
		w.b = append(w.b, text...)
		return
	}
	w.b = append(append(append(w.b, colour...), text...), plain...)
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(n-len(s), 1)) }

// stateText returns the status in a fixed width, so that heads align.
func stateText(c *llm.Call) (text, colour string) {
	status := "---"
	if c.Status > 0 {
		status = strconv.Itoa(c.Status)
	}
	switch {
	case errorType(c) != "":
		return status + " error", red
	case c.Ended != "" && c.Ended != llm.EndComplete:
		return status + " cut  ", yellow
	}
	return status + " ok   ", green
}

func tokensText(c *llm.Call) string {
	u := &c.Usage
	source := first(string(u.Source), string(llm.UsageMissing))
	if !u.Known() {
		return "unknown · " + source
	}
	in := countText(u.Input()) + " in" + detail(part(u.CacheReads())+" cached", part(u.CacheWrites())+" cache write")
	if _, told := u.Output(); !told && c.Operation == "embeddings" {
		return in + " · " + source
	}
	reasoning, ok := u.Get(llm.Reasoning)
	out := countText(u.Output()) + " out" + detail(part(reasoning, ok)+" reasoning")
	return in + " + " + out + " · " + source
}

func countText(n int64, ok bool) string {
	if !ok {
		return "?"
	}
	return strconv.FormatInt(n, 10)
}

// part returns the count of a subset that is worth a word, else "".
func part(n int64, ok bool) string {
	if !ok || n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// detail returns those texts that begin with a number, in brackets.
func detail(texts ...string) string {
	var kept []string
	for _, t := range texts {
		if !strings.HasPrefix(t, " ") {
			kept = append(kept, t)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return " (" + strings.Join(kept, ", ") + ")"
}

func costText(c *llm.Call) string {
	if !c.Cost.Known() {
		return "unknown · " + first(string(c.Cost.Status), string(llm.CostUnset))
	}
	status := ""
	if c.Cost.Status != llm.CostOK {
		status = string(c.Cost.Status)
	}
	return joinDot(c.Cost.Money().String(), strings.TrimSpace(string(c.Cost.Source)+" "+word(c.Cost.Price, wordRunes)), status)
}

func timeText(c *llm.Call) string {
	start, end := timesOf(c)
	texts := []string{shortTime(end.Sub(start))}
	if d, ok := since(c.Start, c.FirstToken); ok {
		texts = append(texts, "first token "+shortTime(time.Duration(d*float64(time.Second))))
	}
	if c.Chunks.Count > 0 {
		texts = append(texts, strconv.Itoa(c.Chunks.Count)+" chunks")
	}
	if c.Overhead > 0 {
		texts = append(texts, "proxy "+shortTime(c.Overhead))
	}
	if c.Ended != "" && c.Ended != llm.EndComplete && errorType(c) == "" {
		texts = append(texts, string(c.Ended))
	}
	return joinDot(texts...)
}

func shortTime(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond / 10).String()
	}
	return d.Round(time.Microsecond).String()
}

func whoText(c *llm.Call) string {
	a := &c.Attribution
	return joinDot(named("team", a.Team), named("user", a.User), named("session", a.Session),
		named("agent", a.Agent), named("tags", strings.Join(a.Tags, ",")))
}

func named(name, v string) string {
	if v == "" {
		return ""
	}
	return name + " " + word(v, wordRunes)
}

func traceText(c *llm.Call) string {
	if c.Place.Trace == ([16]byte{}) {
		return ""
	}
	return spanText(c.Place.Trace, c.Place.Span, c.Place.Parent)
}

func spanText(trace [16]byte, span, parent [8]byte) string {
	text := fmt.Sprintf("trace %x span %x", trace, span)
	if parent != ([8]byte{}) {
		text += fmt.Sprintf(" under %x", parent)
	}
	return text
}

// preview returns the beginning of what a message says, on one line.
func preview(m llm.Message) string {
	texts := make([]string, 0, previewParts)
	for i := range m.Parts {
		if len(texts) == previewParts {
			break
		}
		texts = append(texts, partPreview(&m.Parts[i]))
	}
	return word(m.Role, wordRunes) + ": " + word(strings.Join(texts, " "), previewRunes)
}

func partPreview(p *llm.Part) string {
	switch p.Type {
	case llm.PartToolCall, llm.PartServerToolCall:
		return p.Name + "(" + word(p.Arguments, previewRunes) + ")"
	case llm.PartToolCallResponse, llm.PartServerToolCallResponse:
		return "result " + word(first(p.Response, p.Content), previewRunes)
	case llm.PartReasoning:
		return "[reasoning]"
	case llm.PartText, llm.PartRefusal, "":
		return word(p.Content, previewRunes)
	}
	return "[" + first(p.Modality, p.Type) + "]"
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" (+%d)", n)
}

func joinDot(texts ...string) string {
	var kept []string
	for _, t := range texts {
		if t != "" {
			kept = append(kept, t)
		}
	}
	return strings.Join(kept, " · ")
}

// word returns the first n characters of s on one line. Characters that could
// steer a terminal are taken out: the text is somebody else's.
func word(s string, n int) string {
	var b strings.Builder
	blank, count := false, 0
	for i, r := range s {
		if count == n {
			return b.String() + "…"
		}
		if i > 8*n*utf8.UTFMax {
			break
		}
		switch {
		case unicode.IsSpace(r):
			blank = b.Len() > 0
			continue
		case !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r):
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
			count++
		}
		b.WriteRune(r)
		count++
	}
	return b.String()
}
