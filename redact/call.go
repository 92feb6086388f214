package redact

import "github.com/spanwire/spanwire/llm"

// call goes through everything in a call that its rules are about.
func (w *work) call(c *llm.Call) {
	if w.in[Prompts] {
		w.set(&c.OutputSchema, w.json)
		for i := range c.Tools {
			w.set(&c.Tools[i].Description, w.text)
			w.set(&c.Tools[i].Parameters, w.json)
		}
	}
	w.parts(c.System, Prompts)
	w.messages(c.Input, Prompts)
	w.messages(c.Output, Answers)
	if c.Run != nil {
		for i := range c.Run.Inferred {
			w.parts(c.Run.Inferred[i].Parts, Prompts)
		}
	}
	if w.in[Answers] {
		w.set(&c.ErrorMessage, w.text)
		w.list(&c.Problems)
	}
	if w.in[Metadata] {
		a := &c.Attribution
		w.set(&a.User, w.text)
		w.set(&a.Session, w.text)
		w.list(&a.Tags)
		w.attrs(a.Metadata)
		w.attrs(c.Attrs)
	}
}

// set puts what f makes of a text in its place.
func (w *work) set(s *string, f func(string) string) {
	if *s != "" {
		*s = f(*s)
	}
}

// list replaces in a copy: the slice may be shared with the exchange.
func (w *work) list(ss *[]string) {
	copied := false
	for i, s := range *ss {
		out := w.text(s)
		if out == s {
			continue
		}
		if !copied {
			*ss, copied = append([]string(nil), *ss...), true
		}
		(*ss)[i] = out
	}
}

func (w *work) attrs(as []llm.Attr) {
	for i := range as {
		switch v := as[i].Value.(type) {
		case string:
			as[i].Value = w.json(v)
		case []string:
			w.list(&v)
			as[i].Value = v
		}
	}
}

func (w *work) messages(ms []llm.Message, place string) {
	for i := range ms {
		if w.in[place] {
			w.set(&ms[i].Name, w.text)
		}
		w.parts(ms[i].Parts, place)
	}
}

// parts goes through the parts of a message, of a prompt or of an answer.
func (w *work) parts(ps []llm.Part, place string) {
	for i := range ps {
		p := &ps[i]
		if w.in[ToolArguments] {
			w.set(&p.Arguments, w.json)
		}
		if !w.in[place] {
			continue
		}
		if p.Type != llm.PartBlob { // its text is base64
			w.set(&p.Content, w.json)
		}
		w.set(&p.Response, w.json)
		w.set(&p.URI, w.text)
	}
}
