package attribution

import (
	"slices"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// field is a field of a request's body, which the reader kept as an attribute.
type field struct {
	key string
	use use
}

// useAnthropicUser is metadata.user_id, into which Claude Code puts more.
// useMeanings stands for the pairs of metadata whose keys mean something.
const (
	useAnthropicUser = useToldTools + 1 + iota
	useMeanings
)

// families are the places where callers put pairs of their own: metadata of OpenAI
// and Anthropic, labels of Google, metadata of Bedrock.
var families = []string{
	"openai.request.metadata.",
	"anthropic.request.metadata.",
	"gemini.request.labels.",
	"aws.bedrock.request.metadata.",
}

const anthropicUserID = "anthropic.request.metadata.user_id"

// fields is what is read of bodies, in the order in which it is asked.
// (headers reference, precedence for a session id.)
var fields = []field{
	{"openai.request.conversation", useSession},
	{"openai.request.litellm_session_id", useSession},
	{"openai.request.session_id", useSession},
	{"cohere.request.conversation_id", useSession},
	{"", useMeanings}, // for sessions; for the rest they come last
	{anthropicUserID, useAnthropicUser},
	{"openai.request.thread", useSession},
	{"openai.response.conversation", useSession}, // of a response that is fetched
	{"openai.request.prompt_cache_key", useSession},
	{"openai.request.user", useUser},
	{"openai.request.safety_identifier", useUser},
	{"openai.request.user_id", useUser},
}

// said is what a body says in one place.
type said struct {
	key, text string
	list      []string // of a pair whose value is one
	family    int      // index in families; len(families) for what is no pair
	name      string   // of a pair
	meaning   int      // index in meanings of a pair's name; -1 for none
}

// body reads the fields of the body that the reader kept.
func (r *reading) body() {
	var room [16]said
	all := room[:0]
	for i := range r.call.Attrs {
		if s := hear(&r.call.Attrs[i]); s.key != "" {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(a, b said) int { return a.family - b.family })
	for _, f := range fields {
		if f.use == useMeanings {
			r.meanings(all, useSession)
			continue
		}
		for i := range all {
			if all[i].key == f.key {
				r.field(f, all[i].text)
			}
		}
	}
	r.meanings(all, useUser)
	r.meanings(all, useTeam)
	for _, s := range all {
		if s.name == "" || s.key == anthropicUserID {
			continue
		}
		if s.name == "tags" {
			r.tagList(s.text)
			for _, t := range s.list {
				r.tag(t)
			}
		}
		r.pair(s.name, s.text)
	}
}

// hear reads an attribute; the key is "" where it is none that is read here.
func hear(a *llm.Attr) said {
	const openai, openaiAnswer, cohere = "openai.request.", "openai.response.conversation", "cohere.request.conversation_id"
	s := said{family: len(families), meaning: -1}
	for i, f := range families {
		if strings.HasPrefix(a.Key, f) {
			s.family, s.name = i, a.Key[len(f):]
			break
		}
	}
	if s.name == "" && !strings.HasPrefix(a.Key, openai) && a.Key != openaiAnswer && a.Key != cohere {
		return said{}
	}
	switch v := a.Value.(type) {
	case string:
		s.key, s.text = a.Key, v
	case []string:
		s.key, s.list = a.Key, v
	}
	if s.text != "" && s.name != "" && s.key != anthropicUserID {
		s.meaning = slices.IndexFunc(meanings, func(m field) bool { return sameKey(s.name, m.key) })
	}
	return s
}

// meanings takes from pairs what their names say, of one kind.
func (r *reading) meanings(all []said, kind use) {
	for i, m := range meanings {
		if m.use != kind {
			continue
		}
		for _, s := range all {
			if s.meaning == i {
				r.field(field{families[s.family] + m.key, kind}, s.text)
			}
		}
	}
}

func (r *reading) field(f field, v string) {
	switch f.use {
	case useSession:
		r.session(v, f.key)
	case useUser:
		set(&r.to.User, v)
	case useTeam:
		set(&r.to.Team, v)
	case useAnthropicUser:
		r.anthropicUser(f.key, v)
	}
}

// anthropicUser reads metadata.user_id. Claude Code sends an object with a
// session_id in it; older ones send user_…_account_…_session_….
func (r *reading) anthropicUser(source, v string) {
	if !strings.HasPrefix(v, "{") {
		user, session, ok := strings.Cut(v, "_session_")
		if ok && session != "" {
			r.session(session, source)
		}
		user, _, _ = strings.Cut(user, "_account_")
		set(&r.to.User, user)
		return
	}
	var user, account, device string
	ok := object(v, func(k, v string) {
		switch k {
		case "session_id":
			r.session(v, source)
		case "user_id":
			user = v
		case "account_uuid":
			account = v
		case "device_id":
			device = v
		}
	})
	if !ok {
		r.problem(source + ": an object that could not be read")
	}
	for _, id := range [...]string{user, account, device} {
		set(&r.to.User, id)
	}
}
