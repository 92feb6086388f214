package runs

import (
	"slices"
	"strings"
)

// Some programs have no messages: they write what the model answered, and what came of
// it, behind their one prompt, and send the whole again. So do those of APIs that know
// prompts alone.

const (
	maxPrompts = 128 // calls of a scope with one message, that are looked at
	maxGlue    = 16  // between a prompt and the answer to it: the name of who speaks
	endingSize = 24
)

// promptOf is the text of a request that is one text; "" when it is not.
func (a *asking) promptOf() string {
	if len(a.groups) != 1 || a.groups[0].model || len(a.groups[0].rest) > 0 {
		return ""
	}
	return a.groups[0].text()
}

// prompted keeps a call that was asked one text.
func (s *scope) prompted(n *node, prompt string) {
	prompt = strings.TrimSpace(prompt)
	if n.prompt = len(prompt); n.prompt < tellsFrom || n.silent() {
		return
	}
	n.ending = strings.Clone(prompt[n.prompt-endingSize:])
	if s.prompts = append(s.prompts, n); len(s.prompts) > maxPrompts {
		s.crowded.prompts = s.prompts[0].ended.Add(crowdFor)
		s.prompts = slices.Delete(s.prompts, 0, 1)
	}
}

// grown returns the calls whose prompt and answer are the beginning of a request that is
// one text: those with the longest prompt.
func (x *index) grown(a *asking) (cs []candidate) {
	if len(a.scope.prompts) == 0 || a.call.Start.Before(a.scope.crowded.prompts) {
		return nil
	}
	text := strings.TrimSpace(a.promptOf())
	longest := 0
	for _, n := range slices.Backward(a.scope.prompts) {
		if n.prompt >= len(text) || n.prompt < longest || !strings.HasSuffix(text[:n.prompt], n.ending) || n.setting.model != a.setting.model || n.setting.route != a.setting.route {
			continue
		}
		c := candidate{node: n, score: scoreKnown, evidence: []string{evRequest}}
		if !n.isBehind(text[n.prompt:]) || x.memo.of('t', text[:n.prompt], plain) != n.opening || !a.allows(c) {
			continue
		}
		if n.prompt > longest {
			longest, cs = n.prompt, nil
		}
		cs = append(cs, c)
	}
	return cs
}

// isBehind says whether what follows a prompt is what the call answered.
func (n *node) isBehind(rest string) bool {
	rest = string(plain(nil, rest[:min(len(rest), 4*startSize+maxGlue)]))
	return slices.ContainsFunc(n.starts, func(s string) bool {
		i := strings.Index(rest, s)
		return len(s) >= likeFrom && i >= 0 && i <= maxGlue
	})
}
