package pricing

import (
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// toolNames are the tools that a table can price, each with the count that it is
// charged by: calls that the provider executed, never tools that were offered.
var toolNames = map[string]llm.UsageKind{
	"web_search": llm.WebSearches, "web_fetch": llm.WebFetches, "file_search": llm.FileSearches,
	"code_interpreter_session": llm.CodeSessions, "code_execution": llm.CodeSessions,
	"x_search": llm.WebSearches,
}

// executed are the names under which the executed calls of a kind are priced, the
// first that the table has.
var executed = [...]struct {
	kind  llm.UsageKind
	names [2]string
}{
	{llm.WebSearches, [2]string{"web_search"}},
	{llm.WebFetches, [2]string{"web_fetch"}},
	{llm.FileSearches, [2]string{"file_search"}},
	{llm.CodeSessions, [2]string{"code_interpreter_session", "code_execution"}},
}

// tools charges the executed calls of tools. A price that is missing leaves the
// whole cost unset.
func (s *sums) tools(m *match, u *llm.Usage) {
	for i := range executed {
		n, _ := u.Get(executed[i].kind)
		if n == 0 {
			continue
		}
		v, ok := m.toolPrice(executed[i].names)
		if !ok || v.currency != m.m.currency { // a sum of two currencies is no amount
			s.fail = llm.CostToolUnpriced
			return
		}
		s.fee(partTools, n, v.pico, 1)
	}
}

// toolsUsed says whether the provider executed a tool that may cost extra.
func toolsUsed(u *llm.Usage) bool {
	for i := range executed {
		if n, _ := u.Get(executed[i].kind); n > 0 {
			return true
		}
	}
	return false
}

func (m *match) toolPrice(names [2]string) (toolFee, bool) {
	for _, name := range names {
		if v, ok := m.m.tools[name]; ok {
			return v, true
		}
		if v, ok := m.p.tools[name]; ok {
			return v, true
		}
	}
	return toolFee{}, false
}

// unitFees are the fees of the kinds that are not counted in tokens: the first
// that a row lists is charged. Where a row prices the same thing in tokens, and
// those were counted, they are the bill: never both.
var unitFees = [...]struct {
	kind  llm.UsageKind
	part  part
	per   uint64 // units that the fee is for
	fees  [2]fee
	n     int
	rate  rate          // the rate in tokens of the same thing …
	token llm.UsageKind // … and its tokens
}{
	{llm.Characters, partInput, 1, [2]fee{feeChars}, 1, tokenRates, 0},
	{llm.Pages, partInput, 1, [2]fee{feePage}, 1, tokenRates, 0},
	{llm.AnnotatedPages, partInput, 1, [2]fee{feePageAnnotated, feePage}, 2, tokenRates, 0},
	{llm.SearchUnits, partInput, 1, [2]fee{feeRerank}, 1, tokenRates, 0},
	{llm.CitationTokens, partInput, 1, [2]fee{feeCitation}, 1, tokenRates, 0},
	{llm.AudioInMillis, partInput, perHour, [2]fee{feeAudioHourIn, feeAudioHour}, 2, rInputAudio, llm.AudioInput},
	{llm.AudioOutMillis, partOutput, perHour, [2]fee{feeAudioHourOut, feeAudioHour}, 2, rOutputAudio, llm.AudioOutput},
	{llm.VideoMillis, partOutput, 1000, [2]fee{feeVideoSecond}, 1, rOutputVideo, llm.VideoOutput},
}

// units charges what is not counted in tokens. It reports whether it had to guess.
func (s *sums) units(m *model, u *llm.Usage) (unsure bool) {
	for i := range unitFees {
		f := &unitFees[i]
		n, _ := u.Get(f.kind)
		if n == 0 {
			continue
		}
		if f.rate < tokenRates {
			if tokens, _ := u.Get(f.token); tokens > 0 && s.num.lists(f.rate) {
				continue
			}
		}
		charged := false
		for _, x := range f.fees[:f.n] {
			if s.fees.fees.lists(x) {
				s.fee(f.part, n, s.fees.fees.v[x], f.per)
				charged = true
				break
			}
		}
		if !charged && !s.timed && !billedByToken(f.part, u) {
			s.fail = llm.CostUnknownModel
		}
	}
	return s.images(m, u)
}

// billedByToken says that the side was counted in tokens (which were charged, or
// the whole cost would be unset by now).
func billedByToken(p part, u *llm.Usage) bool {
	n, _ := u.Input()
	if p == partOutput {
		n, _ = u.Output()
	}
	return n > 0
}

// images charges images made, for a row that sells them apiece, by their quality and
// size. The row's default is a guess where it has other prices.
func (s *sums) images(m *model, u *llm.Usage) (unsure bool) {
	n, _ := u.Get(llm.Images)
	if n == 0 || billedByToken(partOutput, u) {
		return false
	}
	if v, ok := m.perImage[strings.ToLower(u.ImageForm)]; ok && u.ImageForm != "" {
		s.fee(partOutput, n, v, 1)
		return false
	}
	for _, key := range []string{"default", "default/default"} {
		if v, ok := m.perImage[key]; ok {
			s.fee(partOutput, n, v, 1)
			return len(m.perImage) > 1
		}
	}
	if !s.timed {
		s.fail = llm.CostUnknownModel
	}
	return false
}
