package openai

import (
	"bytes"
	"strings"

	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// What an edit inserts: right behind the brace that opens the request, or behind
// the one that opens its stream_options.
const (
	askAll    = `"stream_options":{"include_usage":true},`
	askInside = `"include_usage":true,`
	askEmpty  = `"include_usage":true`
)

// firstVersionWithAsk is the first dated API version of Azure deployments that
// knows stream_options; older ones refuse unknown fields.
const firstVersionWithAsk = "2024-09-01"

// WantsBody says whether Edit may have something to insert into the body of a
// request: a POST for a chat or text completion.
func (Dialect) WantsBody(method, target string) bool {
	if e, _ := find(method, target); method != "POST" || e != chat && e != completions {
		return false
	}
	_, query, _ := strings.Cut(target, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if v, ok := strings.CutPrefix(pair, "api-version="); ok && len(v) >= 10 && v[0] == '2' && v[:10] < firstVersionWithAsk {
			return false
		}
	}
	return true
}

// Edit says what to insert where into a whole request body so that the provider
// reports the usage of a stream (wire reference, section 4.4). insert is "" when
// nothing is to be inserted: the caller asks for no stream, has an opinion of its
// own, or the body is in any doubt. body is not changed and not kept.
func (Dialect) Edit(body []byte) (at int, insert string, cut *Filter) {
	at, insert = ask(body)
	if insert == "" {
		return 0, "", nil
	}
	return at, insert, &Filter{}
}

func ask(body []byte) (at int, insert string) {
	open := jsonwalk.SkipSpace(body, 0)
	m := jsonwalk.Object(body)
	var stream, options int
	var val []byte
	for m.Next() {
		if bytes.IndexByte(m.Key, '\\') >= 0 {
			return 0, "" // could be any name
		}
		switch string(m.Key) {
		case "stream":
			if stream++; string(m.Val) != "true" {
				return 0, ""
			}
		case "stream_options":
			options++
			val = m.Val
		}
	}
	if !m.Whole() || stream != 1 || options > 1 || jsonwalk.SkipSpace(body, m.End()) != len(body) {
		return 0, ""
	}
	if options == 0 {
		return open + 1, askAll
	}
	if !jsonwalk.IsObject(val) {
		return 0, ""
	}
	in, n := jsonwalk.Object(val), 0
	for in.Next() {
		if n++; string(in.Key) == "include_usage" || bytes.IndexByte(in.Key, '\\') >= 0 {
			return 0, ""
		}
	}
	if !in.Whole() {
		return 0, ""
	}
	insert = askInside
	if n == 0 {
		insert = askEmpty
	}
	return cap(body) - cap(val) + 1, insert
}
