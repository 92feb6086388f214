package attribution

import (
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// field is a field of a request's body, which the reader kept as an attribute.
type field struct {
	key string
	use use
}

// useAnthropicUser is metadata.user_id, into which Claude Code puts more.
const useAnthropicUser = useCarry + 1

const openAIMetadata = "openai.request.metadata."

// fields is what is read of bodies, in the order in which it is asked.
// (headers reference, precedence for a session id.)
var fields = []field{
	{"openai.request.conversation", useSession},
	{"openai.request.litellm_session_id", useSession},
	{openAIMetadata + "session_id", useSession},
	{"anthropic.request.metadata.user_id", useAnthropicUser},
	{"openai.request.prompt_cache_key", useSession},
	{"openai.request.user", useUser},
	{"openai.request.safety_identifier", useUser},
	{openAIMetadata + "user_id", useUser},
	{openAIMetadata + "trace_user_id", useUser},
	{openAIMetadata + "team", useTeam},
	{openAIMetadata + "team_id", useTeam},
	{openAIMetadata + "tags", useTags},
}

// body reads the fields of the body that the reader kept.
func (r *reading) body() {
	var room [8]llm.Attr
	kept := room[:0]
	for _, a := range r.call.Attrs {
		if strings.HasPrefix(a.Key, "openai.request.") || strings.HasPrefix(a.Key, "anthropic.request.metadata.") {
			kept = append(kept, a)
		}
	}
	if len(kept) == 0 {
		return
	}
	for _, f := range fields {
		for _, a := range kept {
			if a.Key == f.key {
				r.field(f, a.Value)
			}
		}
	}
	for _, a := range kept {
		v, isText := a.Value.(string)
		if k, ok := strings.CutPrefix(a.Key, openAIMetadata); ok && isText {
			r.pair(k, v)
		}
	}
}

func (r *reading) field(f field, value any) {
	if list, ok := value.([]string); ok && f.use == useTags {
		for _, t := range list {
			r.tag(t)
		}
	}
	v, ok := value.(string)
	if !ok {
		return
	}
	switch f.use {
	case useSession:
		r.session(v, f.key)
	case useUser:
		set(&r.to.User, v)
	case useTeam:
		set(&r.to.Team, v)
	case useTags:
		r.tagList(v)
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
