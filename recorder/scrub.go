package recorder

import (
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// redacted stands where a secret was, after at most four characters of it.
const redacted = "[redacted]"

// redact replaces everything in a call that looks like a credential, and what is one
// of own, and returns how many it replaced. Ids of calls and answers are left alone:
// they link calls.
func redact(c *llm.Call, own []string) int {
	r := redactor{own: own}
	r.texts(&c.Method, &c.Path, &c.RequestModel, &c.ResponseModel, &c.ErrorType, &c.ErrorMessage, &c.UsageRaw, &c.OutputSchema)
	r.list(&c.Problems)
	r.list(&c.FinishReasons)
	r.parts(c.System)
	r.messages(c.Input)
	r.messages(c.Output)
	for i := range c.Tools {
		t := &c.Tools[i]
		r.texts(&t.Type, &t.Name, &t.Description, &t.Parameters)
	}
	if c.Run != nil {
		r.text(&c.Run.ByTool)
		for i := range c.Run.Inferred {
			r.parts(c.Run.Inferred[i].Parts)
		}
	}
	if c.Raw != nil {
		c.Raw.RequestRedacted = r.raw(&c.Raw.Request)
		c.Raw.ResponseRedacted = r.raw(&c.Raw.Response)
	}
	t := &c.Told
	r.texts(&t.Agent, &t.ParentAgent, &t.Run)
	for i := range t.Tools {
		r.text(&t.Tools[i].Name)
	}
	r.usage(&c.Usage)
	for i := range c.Steps {
		r.texts(&c.Steps[i].Kind, &c.Steps[i].Model)
		r.usage(&c.Steps[i].Usage)
	}
	r.texts(&c.Cost.Price, &c.Place.State)
	a := &c.Attribution
	r.texts(&a.Team, &a.User, &a.Session, &a.SessionSource, &a.Agent)
	r.list(&a.Tags)
	for i := range a.Metadata {
		r.text(&a.Metadata[i].Key)
	}
	r.attrs(a.Metadata)
	r.attrs(c.Attrs)
	return r.n
}

type redactor struct {
	own []string // credentials that the call was made with
	n   int
}

// scrub is the function scrub, with own.
func (r *redactor) scrub(s string) (string, int) {
	s, n := scrub(s)
	for _, c := range r.own {
		if k := strings.Count(s, c); k > 0 {
			s, n = strings.ReplaceAll(s, c, redacted), n+k
		}
	}
	return s, n
}

// formless returns those of the credentials of a call that scrub would not find in a
// text by their form, and that a provider may say again in an answer or an error. One
// that is short or has no digit is the word that programs send where none is needed.
func formless(credentials []string) (own []string) {
	const least, most = 8, 4 << 10
	for _, c := range credentials {
		if len(c) < least || len(c) > most || !strings.ContainsAny(c, "0123456789") {
			continue
		}
		if _, n := scrub(c); n == 0 {
			own = append(own, c)
		}
	}
	return own
}

// raw replaces in a body as it was, which then is not that any more.
func (r *redactor) raw(s *string) bool {
	before := r.n
	r.text(s)
	return r.n > before
}

func (r *redactor) texts(ss ...*string) {
	for _, s := range ss {
		r.text(s)
	}
}

func (r *redactor) text(s *string) {
	out, n := r.scrub(*s)
	if n > 0 {
		*s = out
		r.n += n
	}
}

// list replaces in a copy: the slice may be shared with the exchange.
func (r *redactor) list(ss *[]string) {
	copied := false
	for i, s := range *ss {
		out, n := r.scrub(s)
		if n == 0 {
			continue
		}
		if !copied {
			*ss, copied = append([]string(nil), *ss...), true
		}
		(*ss)[i] = out
		r.n += n
	}
}

// usage holds words of the provider.
func (r *redactor) usage(u *llm.Usage) { r.texts(&u.Tier, &u.Speed, &u.Region, &u.ImageForm) }

func (r *redactor) messages(ms []llm.Message) {
	for i := range ms {
		r.texts(&ms[i].Role, &ms[i].Name, &ms[i].FinishReason)
		r.parts(ms[i].Parts)
	}
}

func (r *redactor) parts(ps []llm.Part) {
	for i := range ps {
		p := &ps[i]
		r.texts(&p.Type, &p.Content, &p.ID, &p.Item, &p.Name, &p.Arguments, &p.Response, &p.URI, &p.Modality, &p.MIMEType, &p.Detail)
	}
}

func (r *redactor) attrs(as []llm.Attr) {
	// The longest key of ours is shorter; a longer one has text of the caller in it.
	const ownKey = 40
	for i := range as {
		if len(as[i].Key) > ownKey {
			r.text(&as[i].Key)
		}
		switch v := as[i].Value.(type) {
		case string:
			if out, n := r.scrub(v); n > 0 {
				as[i].Value = out
				r.n += n
			}
		case []string:
			r.list(&v)
			as[i].Value = v
		}
	}
}

// WithoutSecrets returns s without what looks like a credential, as it is done with
// everything in a call: for texts of calls that are kept elsewhere.
func WithoutSecrets(s string) string {
	s, _ = scrub(s)
	return s
}

// scrub returns s with every secret in it replaced, and how many there were. It
// takes time linear in s, and returns s itself when there is nothing to replace.
func scrub(s string) (string, int) {
	f := finder{s: s}
	if !f.any() {
		return s, 0
	}
	f = finder{s: s}
	var out strings.Builder
	out.Grow(len(s))
	var at, n int  // s[:at] is dealt with
	var now secret // found and not yet written: another may reach into it
	for i := 0; i < len(s); i++ {
		if !isAnchor[s[i]] {
			continue
		}
		found, ok := f.at(i)
		switch {
		case !ok:
		case n > 0 && found.start <= now.end:
			now.end = max(now.end, found.end)
		default:
			if n > 0 {
				at = now.write(&out, s, at)
			}
			now, n = found, n+1
		}
	}
	at = now.write(&out, s, at)
	out.WriteString(s[at:])
	return out.String(), n
}

// write writes s from at up to the secret's mark, and returns where s goes on.
func (x secret) write(out *strings.Builder, s string, at int) int {
	out.WriteString(s[at:x.shown])
	out.WriteString(redacted)
	return x.end
}
