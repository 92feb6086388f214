package gemini

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// readGrounding notes what the web was searched for.
func (a *answer) readGrounding(val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "webSearchQueries", "imageSearchQueries":
			for e := jsonwalk.Array(m.Val); e.Next(); {
				a.query(jsonwalk.Str(e.Val))
			}
		}
	}
}

func (a *answer) query(q string) {
	q = jsonwalk.Clip(q, maxName)
	if q != "" && len(a.queries) < maxQueries && !slices.Contains(a.queries, q) {
		a.queries = append(a.queries, q)
	}
}

// webSearches returns how many searches are billed: each since Gemini 3, one for a
// prompt that was searched for at all before (pricing of grounding).
func (a *answer) webSearches(model string) (n int64, ok bool) {
	if a.searches >= 0 {
		return a.searches, true
	}
	if len(a.queries) == 0 {
		return 0, false
	}
	if generation(model) >= 3 {
		return int64(len(a.queries)), true
	}
	return 1, true
}

// generation returns the first number of a model's name: 3 of gemini-3-pro.
func generation(model string) int {
	_, rest, ok := strings.Cut(model, "gemini-")
	if !ok {
		return 0
	}
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(rest[:end])
	if err != nil {
		return 0
	}
	return n
}
