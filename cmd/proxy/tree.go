package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// treeSpan is a span as it stands in a file that an exporter of type file wrote.
type treeSpan struct {
	trace, id, parent, name string
	start, end              int64 // Unix nanoseconds
	attrs                   map[string]any
	failed                  bool
}

// otlpLine is a line of such a file, as far as a tree shows it.
type otlpLine struct {
	ResourceSpans []struct {
		ScopeSpans []struct {
			Spans []struct {
				TraceID      string `json:"traceId"`
				SpanID       string `json:"spanId"`
				ParentSpanID string `json:"parentSpanId"`
				Name         string `json:"name"`
				Start        string `json:"startTimeUnixNano"`
				End          string `json:"endTimeUnixNano"`
				Attributes   []struct {
					Key   string                     `json:"key"`
					Value map[string]json.RawMessage `json:"value"`
				} `json:"attributes"`
				Status struct {
					Code int `json:"code"`
				} `json:"status"`
			} `json:"spans"`
		} `json:"scopeSpans"`
	} `json:"resourceSpans"`
}

// readSpans reads spans in the order in which they were written. Of a span that was
// exported several times the last counts.
func readSpans(r io.Reader) ([]treeSpan, error) {
	lines := bufio.NewReaderSize(r, 1<<20)
	var spans []treeSpan
	at := map[string]int{}
	for n := 1; ; n++ {
		text, err := lines.ReadBytes('\n')
		if len(strings.TrimSpace(string(text))) > 0 {
			var line otlpLine
			if err := json.Unmarshal(text, &line); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			for _, s := range line.spans() {
				if i, again := at[s.trace+s.id]; again {
					spans[i] = s
					continue
				}
				at[s.trace+s.id] = len(spans)
				spans = append(spans, s)
			}
		}
		if errors.Is(err, io.EOF) {
			return spans, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read spans: %w", err)
		}
	}
}

func (l *otlpLine) spans() (out []treeSpan) {
	for _, rs := range l.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				t := treeSpan{trace: s.TraceID, id: s.SpanID, parent: s.ParentSpanID, name: s.Name, attrs: map[string]any{}, failed: s.Status.Code == 2}
				t.start, _ = strconv.ParseInt(s.Start, 10, 64) // what is no time stands first
				t.end, _ = strconv.ParseInt(s.End, 10, 64)
				for _, a := range s.Attributes {
					t.attrs[a.Key] = attrValue(a.Value)
				}
				out = append(out, t)
			}
		}
	}
	return out
}

// attrValue is the text or the number of an attribute; nil for lists.
func attrValue(v map[string]json.RawMessage) any {
	for kind, raw := range v {
		var text string
		switch kind {
		case "stringValue":
			if json.Unmarshal(raw, &text) == nil {
				return text
			}
		case "intValue":
			if json.Unmarshal(raw, &text) == nil {
				n, _ := strconv.ParseInt(text, 10, 64)
				return n
			}
		case "boolValue":
			return string(raw) == "true"
		case "arrayValue":
			var list struct {
				Values []struct {
					Text string `json:"stringValue"`
				} `json:"values"`
			}
			if json.Unmarshal(raw, &list) == nil {
				texts := make([]string, len(list.Values))
				for i, e := range list.Values {
					texts[i] = e.Text
				}
				return texts
			}
		}
	}
	return nil
}

// writeTrees writes spans as trees, one below the other. A stable tree has nothing
// in it that changes from one run of the same program to the next: no times, no
// costs, no ids.
func writeTrees(w io.Writer, spans []treeSpan, stable bool) error {
	t := trees{out: bufio.NewWriter(w), below: map[string][]int{}, spans: spans, stable: stable}
	known := map[string]bool{}
	first := map[string]int64{}
	for _, s := range spans {
		known[s.trace+s.id] = true
		if at, ok := first[s.trace]; !ok || s.start < at {
			first[s.trace] = s.start
		}
	}
	var roots []int
	for i, s := range spans {
		if s.parent != "" && known[s.trace+s.parent] {
			t.below[s.trace+s.parent] = append(t.below[s.trace+s.parent], i)
		} else {
			roots = append(roots, i)
		}
	}
	slices.SortStableFunc(roots, func(a, b int) int {
		p, q := &spans[a], &spans[b]
		return cmp.Or(cmp.Compare(first[p.trace], first[q.trace]), cmp.Compare(p.trace, q.trace), cmp.Compare(p.start, q.start))
	})
	for _, i := range roots {
		t.write(i, "", "")
	}
	return t.out.Flush()
}

type trees struct {
	out    *bufio.Writer
	spans  []treeSpan
	below  map[string][]int
	stable bool
}

func (t *trees) write(i int, branch, indent string) {
	s := &t.spans[i]
	fmt.Fprintf(t.out, "%s%s\n", branch, t.line(s))
	below := t.below[s.trace+s.id]
	delete(t.below, s.trace+s.id) // a circle of parents ends here
	slices.SortStableFunc(below, func(a, b int) int { return cmp.Compare(t.spans[a].start, t.spans[b].start) })
	for k, child := range below {
		if k == len(below)-1 {
			t.write(child, indent+"└─ ", indent+"   ")
		} else {
			t.write(child, indent+"├─ ", indent+"│  ")
		}
	}
}

// line is a span in one line.
func (t *trees) line(s *treeSpan) string {
	text := func(key string) string { v, _ := s.attrs[key].(string); return v }
	parts := []string{oneLine(s.name, 80)}
	if s.failed {
		parts = append(parts, "error "+oneLine(text("error.type"), 40))
	}
	if args := text("gen_ai.tool.call.arguments"); args != "" {
		parts = append(parts, oneLine(args, 60))
	}
	if out := text("gen_ai.tool.call.result"); out != "" {
		parts = append(parts, "→ "+oneLine(out, 60))
	}
	if text("spanwire.retry.of") != "" {
		parts = append(parts, "retry")
	}
	if !t.stable {
		parts = append(parts, t.figures(s)...)
	}
	return strings.Join(parts, "  ")
}

func (t *trees) figures(s *treeSpan) (parts []string) {
	took := time.Duration(max(s.end-s.start, 0)).Round(10 * time.Microsecond)
	if took >= 10*time.Millisecond {
		took = took.Round(time.Millisecond)
	}
	parts = append(parts, took.String())
	for _, prefix := range []string{"gen_ai", "spanwire.run"} {
		in, ok := s.attrs[prefix+".usage.input_tokens"].(int64)
		out, told := s.attrs[prefix+".usage.output_tokens"].(int64)
		switch {
		case ok && told:
			parts = append(parts, fmt.Sprintf("%d in + %d out", in, out))
		case ok:
			parts = append(parts, fmt.Sprintf("%d in", in))
		}
	}
	for _, prefix := range []string{"spanwire", "spanwire.run"} {
		if usd, ok := s.attrs[prefix+".cost.usd"].(string); ok {
			parts = append(parts, "$"+usd)
		}
		if total, ok := s.attrs[prefix+".cost.total"].(string); ok {
			parts = append(parts, fmt.Sprint(total, " ", s.attrs[prefix+".cost.currency"]))
		}
	}
	if each, ok := s.attrs["spanwire.run.costs"].([]string); ok {
		parts = append(parts, strings.Join(each, " + "))
	}
	return parts
}

// oneLine is the beginning of a text, without anything that steers a terminal.
func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
