package attribution

import (
	"cmp"
	"encoding/json"
	"net/url"
	"strings"
)

// metadata reads a JSON object, or k=v separated by commas. In our own header a
// key is only a key; in that of others some have a meaning.
func (r *reading) metadata(header, value string) {
	own := strings.HasPrefix(header, ownPrefix)
	thread := ""
	take := func(k, v string) {
		r.pair(k, v)
		switch {
		case own:
		case k == "tags":
			r.tagList(v)
		case sameKey(k, "thread_id"), sameKey(k, "conversation_id"):
			thread = cmp.Or(thread, v) // a session_id goes before it, wherever it stands
		default:
			r.meaning(k, v, header)
		}
	}
	var ok bool
	if strings.HasPrefix(value, "{") {
		ok = object(value, take)
	} else {
		ok = list(value, take)
	}
	r.session(thread, header)
	if !ok {
		r.problem(header + ": want a JSON object or k=v, separated by commas")
	}
}

// tagList reads tags from a JSON array of strings, or separated by commas.
func (r *reading) tagList(v string) {
	var tags []string
	if json.Unmarshal([]byte(v), &tags) != nil {
		r.tags(v)
		return
	}
	for _, t := range tags {
		r.tag(t)
	}
}

// object calls take for each member of a JSON object, in its order: a string as
// its text, null not at all, anything else as its JSON. It returns false when
// text is not one whole object, after the members that could be read.
func object(text string, take func(k, v string)) bool {
	d := json.NewDecoder(strings.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	for d.More() {
		t, err := d.Token()
		k, isKey := t.(string)
		var raw json.RawMessage
		if err != nil || !isKey || d.Decode(&raw) != nil {
			return false
		}
		var s string
		switch {
		case string(raw) == "null":
			continue
		case raw[0] != '"':
			s = string(raw)
		case json.Unmarshal(raw, &s) != nil:
			return false
		}
		take(k, s)
	}
	if _, err := d.Token(); err != nil {
		return false
	}
	return strings.TrimSpace(text[d.InputOffset():]) == ""
}

// list calls take for each k=v of a list with commas. It returns false when
// something in it is not k=v.
func list(text string, take func(k, v string)) bool {
	ok := true
	for field := range strings.SplitSeq(text, ",") {
		k, v, isPair := strings.Cut(field, "=")
		if k = strings.TrimSpace(k); isPair && k != "" {
			take(k, strings.TrimSpace(v))
		} else if strings.TrimSpace(field) != "" {
			ok = false
		}
	}
	return ok
}

// baggage reads what W3C baggage says of sessions and users, and what Langfuse
// puts into it. Other members belong to other programs. (W3C Baggage, section 3.)
func (r *reading) baggage(value string) {
	for member := range strings.SplitSeq(value, ",") {
		member, _, _ = strings.Cut(member, ";") // properties
		k, v, ok := strings.Cut(member, "=")
		if k = strings.TrimSpace(k); !ok || k == "" {
			continue
		}
		v = strings.TrimSpace(v)
		if plain, err := url.PathUnescape(v); err == nil {
			v = plain
		}
		switch k {
		case "session.id", "langfuse_session_id":
			r.session(v, "baggage:"+k)
		case "user.id", "langfuse_user_id":
			set(&r.to.User, v)
		case "team", "spanwire.team", "langfuse_metadata_team":
			set(&r.to.Team, v)
		case "langfuse_tags":
			r.tagList(v)
		}
		if name, ok := strings.CutPrefix(k, "langfuse_metadata_"); ok {
			r.pair(name, v)
		} else if name, ok := strings.CutPrefix(k, "langfuse_"); ok && !isPromoted(name) {
			r.pair(name, v)
		}
	}
}

func isPromoted(name string) bool { return name == "session_id" || name == "user_id" || name == "tags" }

// turn reads what Codex says of a turn; the rest of it is carried.
func (r *reading) turn(value string) {
	const source = "x-codex-turn-metadata"
	var session, thread string
	ok := object(value, func(k, v string) {
		switch k {
		case "session_id":
			session = v
		case "thread_id":
			thread = v
		case "turn_id":
			set(&r.call.Told.Run, v)
		case "request_kind":
			r.told(useToldClass, v)
		}
	})
	if !ok {
		r.problem(source + ": want a JSON object")
	}
	r.session(session, source)
	r.session(thread, source)
	set(&r.call.Told.Agent, thread)
}
