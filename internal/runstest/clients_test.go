package runstest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// clients are what programs do to the history before they send it.
var clients = []client{
	{"keeps all", nil, false},
	{"drops words beside calls", func(_ *maker, h []said) []said {
		for i := range h {
			if len(h[i].calls) > 0 {
				h[i].text = ""
			}
		}
		return h
	}, false},
	{"drops thoughts", func(_ *maker, h []said) []said {
		for i := range h {
			h[i].thought, h[i].mark = "", ""
		}
		return h
	}, false},
	{"spells arguments anew", func(_ *maker, h []said) []said {
		for i := range h {
			h[i].calls = append([]use(nil), h[i].calls...)
			for k := range h[i].calls {
				var v map[string]any
				if json.Unmarshal([]byte(h[i].calls[k].args), &v) == nil {
					b, _ := json.MarshalIndent(v, "", "  ")
					h[i].calls[k].args = string(b)
				}
			}
		}
		return h
	}, false},
	{"wraps texts", func(_ *maker, h []said) []said {
		for i := range h {
			h[i].text = strings.ReplaceAll(h[i].text, " ", "\n ")
		}
		return h
	}, false},
	{"keeps questions and answers alone", func(_ *maker, h []said) []said {
		last := 0
		for i := range h {
			if h[i].role == "user" {
				last = i
			}
		}
		var kept []said
		for i := range h {
			if i >= last || len(h[i].calls)+len(h[i].results) == 0 {
				kept = append(kept, h[i])
			}
		}
		return kept
	}, true},
	{"cuts the beginning off", func(_ *maker, h []said) []said {
		n := 0
		for i := len(h) - 1; i > 0; i-- {
			if h[i].role == "user" {
				if n++; n == 2 {
					return h[i:]
				}
			}
		}
		return h
	}, true},
	{"sums the beginning up", func(m *maker, h []said) []said {
		n := 0
		for i := len(h) - 1; i > 0; i-- {
			if h[i].role == "user" {
				if n++; n == 2 {
					sum := []said{{role: "user", text: fmt.Sprintf("Before, %d messages were about much.", i)}, {role: "assistant", text: "I see."}}
					return append(sum, h[i:]...)
				}
			}
		}
		return h
	}, true},
	{"clock in the instructions", nil, false},
	{"clock in the question", func(m *maker, h []said) []said {
		for i := range h {
			if h[i].role == "user" {
				h[i].text = fmt.Sprintf("<time>10:%02d</time> ", m.clock) + h[i].text
				break
			}
		}
		return h
	}, true},
	{"clock in the last question", func(m *maker, h []said) []said {
		for i := len(h) - 1; i >= 0; i-- {
			if h[i].role == "user" {
				h[i].text = fmt.Sprintf("<time>10:%02d</time> ", m.clock) + h[i].text
				break
			}
		}
		return h
	}, true},
	{"gives ids of its own", func(m *maker, h []said) []said {
		if m.wire.id != nil {
			return h
		}
		n := 0
		for i := range h {
			h[i].calls, h[i].results = append([]use(nil), h[i].calls...), append([]done(nil), h[i].results...)
			for k := range h[i].calls {
				h[i].calls[k].id = fmt.Sprintf("own-%x-%d", m.number, n+k)
			}
			for k := range h[i].results {
				h[i].results[k].id = fmt.Sprintf("own-%x-%d", m.number, n+k)
			}
			n += len(h[i].results)
		}
		return h
	}, false},
	{"previous response", nil, false},
	{"writes all into one text", func(_ *maker, h []said) []said {
		text := h[0].text
		for _, m := range h[1:] {
			if len(m.calls)+len(m.results) > 0 {
				return h
			}
			text += "\n" + m.role + ": " + m.text
		}
		return []said{{role: "user", text: text}}
	}, true},
}
